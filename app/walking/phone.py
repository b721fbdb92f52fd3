"""The streets as a phone takes them: one small file of what the network is made of.

It begins with a line that names the form and a line of JSON: `junctions`, `edges` and `inner`
points, how many there are; `names`; `scale`, `box`, `detour_cm`, `source` and `taken_at` as
`Streets` has them; `total_cm`, how long all edges are together; `attribution` and `licence`. What
follows are whole numbers, column after column:

- of each junction its longitude, then of each its latitude, in millionths of a degree;
- of each edge its tail, then its head, from its tail; its `Way`s; its name, 1 for the first one and
  0 for none; how many points lie between its ends;
- of each of these points its longitude, then its latitude.

All but the heads and the last three are told from the one before in the same column; the points
between the ends of an edge from the one before on it, the first of them from its tail. What can be
negative, which is all but kinds, names and how many points there are, is doubled, and less than
nothing told by the odd numbers: 0, -1, 1, -2 are 0, 1, 2, 3. A number is written seven bits to a
byte, the lowest first; in all but its last byte the eighth bit is set.

How long edges are is not in it. It follows from their shapes, by the sums of
`app.walking.network.run_of`: to the centimetre, on a phone too. Nor is what only makes the search
quicker; a phone makes its own.
"""

from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from app.core.compiled import Ints
from app.walking.file import ATTRIBUTION, LICENCE
from app.walking.streets import Streets

FORM = b"havens streets for phones 1\n"


def on_phone(streets: Streets) -> bytes:
    """The file for phones of some streets."""
    points, starts = streets.points.astype(np.int64), streets.starts.astype(np.int64)
    tails, heads = streets.tails.astype(np.int64), streets.heads.astype(np.int64)
    junctions = np.zeros((streets.junctions, 2), dtype=np.int64)
    junctions[tails], junctions[heads] = points[starts[:-1]], points[starts[1:] - 1]
    steps = np.diff(points, axis=0, prepend=0)
    is_inner = np.ones(len(points), dtype=bool)
    is_inner[starts[:-1]] = is_inner[starts[1:] - 1] = False
    inner = steps[is_inner]
    about = {
        "attribution": ATTRIBUTION,
        "licence": LICENCE,
        "source": streets.source,
        "taken_at": streets.taken_at,
        "box": streets.box,
        "scale": streets.scale,
        "detour_cm": streets.detour_cm,
        "junctions": len(junctions),
        "edges": len(tails),
        "inner": len(inner),
        "total_cm": int(streets.lengths.sum()),
        "names": streets.texts,
    }
    columns = [
        _signed(np.diff(junctions[:, 0], prepend=0)),
        _signed(np.diff(junctions[:, 1], prepend=0)),
        _signed(np.diff(tails, prepend=0)),
        _signed(heads - tails),
        streets.kinds.astype(np.int64),
        streets.names.astype(np.int64) + 1,
        np.diff(starts) - 2,
        _signed(inner[:, 0]),
        _signed(inner[:, 1]),
    ]
    return FORM + orjson.dumps(about) + b"\n" + _written(np.concatenate(columns))


def _signed(numbers: Ints) -> Ints:
    return np.where(numbers < 0, -2 * numbers - 1, 2 * numbers)


def _written(numbers: NDArray[Any]) -> bytes:
    """Numbers from 0 on, seven bits to a byte."""
    most = max(int(numbers.max(initial=0)).bit_length() + 6, 7) // 7
    parts = numbers[:, None] >> (7 * np.arange(most))
    is_written = parts > 0
    is_written[:, 0] = True
    goes_on = np.zeros_like(is_written)
    goes_on[:, :-1] = is_written[:, 1:]
    return (parts & 0x7F | 0x80 * goes_on).astype(np.uint8)[is_written].tobytes()
