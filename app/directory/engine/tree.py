"""The tree of blocks that the search goes through: see `app.directory.engine.columns.Columns`."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.core.compiled import Ints
from app.directory.engine.columns import FAN_OUT, LEAF, MINUTE, WORD
from app.directory.engine.hours import summarise
from app.directory.engine.sphere import directions
from app.directory.snapshot import HORIZON

_SUMMED_UP: dict[str, np.ufunc] = {
    "low": np.minimum,
    "high": np.maximum,
    "any_provides": np.bitwise_or,
    "open_in": np.bitwise_or,
    "opens_in": np.bitwise_or,
    "longest": np.maximum,
    "last_opening": np.maximum,
    "last_shutting": np.maximum,
}
"""What a block says of what it holds, and how that follows from what its parts say."""


def blocks(rows: dict[str, Any], begin: int) -> dict[str, Any]:
    """The columns of the tree over rows that are in order; `begin` is the first minute's start."""
    places = np.empty((len(rows["lat"]), 3))
    directions(rows["lat"], rows["lon"], places)
    cuts = np.arange(0, len(places), LEAF)
    level = {
        "low": np.minimum.reduceat(places, cuts),
        "high": np.maximum.reduceat(places, cuts),
        "any_provides": np.bitwise_or.reduceat(rows["provides"], cuts),
    }
    minutes = np.zeros((2, len(cuts), HORIZON // MINUTE // WORD), dtype=np.uint32)
    lasting = np.zeros((3, len(cuts)), dtype=np.int64)
    schedules = (rows[name] for name in ("opens", "offsets", "starts", "ends"))
    summarise(begin, *schedules, *minutes, *lasting)
    level |= dict(zip(list(_SUMMED_UP)[3:], [*minutes, *lasting], strict=True))
    levels, children, first, parts = [level], [_spans(cuts, len(places), 0)], 0, len(cuts)
    while parts > 1:
        cuts = np.arange(0, parts, FAN_OUT)
        below = levels[-1]
        levels.append({n: how.reduceat(below[n], cuts) for n, how in _SUMMED_UP.items()})
        children.append(_spans(cuts, parts, first))
        first, parts = first + parts, len(cuts)
    whole = {name: np.concatenate([level[name] for level in levels]) for name in _SUMMED_UP}
    for name in ("open_in", "opens_in"):
        # A search asks many blocks about one minute.
        whole[name] = np.ascontiguousarray(whole[name].T)
    sizes = [len(level["longest"]) for level in levels]
    shutting = _shutting(rows, sizes)
    return {"places": places, "children": np.concatenate(children), **whole, **shutting}


def over_blocks(rows: NDArray[Any], how: np.ufunc) -> NDArray[Any]:
    """What each block says of a column, when that follows from what its parts say."""
    levels = [how.reduceat(rows, np.arange(0, len(rows), LEAF))]
    while len(levels[-1]) > 1:
        levels.append(how.reduceat(levels[-1], np.arange(0, len(levels[-1]), FAN_OUT)))
    return np.concatenate(levels)


def _shutting(rows: dict[str, Any], sizes: list[int]) -> dict[str, Ints]:
    """When something shuts in each block of each level, and since when at the earliest it is open
    then: to tell whether anything that is open now shuts at a certain time."""
    offsets, known = rows["offsets"], np.flatnonzero(rows["opens"] >= 0)
    pairs = np.stack((known // LEAF, rows["opens"][known]), axis=-1)
    block, schedule = np.unique(pairs, axis=0).T if len(pairs) else pairs.T
    lengths = offsets[schedule + 1] - offsets[schedule]
    # The place of each interval of each of these schedules, one after the other.
    within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    place = np.repeat(offsets[schedule], lengths) + within
    level = np.repeat(block, lengths), rows["ends"][place], rows["starts"][place]
    levels, first = [], 0
    for size in sizes:
        block, shuts, since = (column[np.lexsort(level[::-1])] for column in level)
        is_first = (np.diff(block, prepend=-1) != 0) | (np.diff(shuts, prepend=-1) != 0)
        block, shuts, since = (column[is_first] for column in (block, shuts, since))
        levels.append((block + first, shuts, since))
        level, first = (block // FAN_OUT, shuts, since), first + size
    block, shuts, since = map(np.concatenate, zip(*levels, strict=True))
    return {
        "shutting": np.searchsorted(block, np.arange(first + 1)),
        "shuts": shuts,
        "since": since,
    }


def _spans(cuts: Ints, parts: int, first: int) -> Ints:
    """From where to where the parts of each block go, counted from the first of all."""
    return first + np.stack((cuts, np.append(cuts, parts)[1:]), axis=-1)
