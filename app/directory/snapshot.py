"""The whole directory in columns, in one file, and in a copy of it that is mapped into memory."""

import logging
import mmap
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, fields
from errno import ENOSPC
from functools import cached_property
from io import BufferedIOBase
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from app.core import column_file, files
from app.core.column_file import WRONG
from app.core.trouble import Trouble
from app.directory.rules import Interval
from app.directory.sealed import sealed
from app.venues.kinds import Facility

if TYPE_CHECKING:
    from app.venues.models import DirectoryState

log = logging.getLogger(__name__)

MINUTE = 60
HOUR = 3600
HORIZON = 14 * 24 * HOUR
"""How far ahead availability is worked out, in seconds; past it every state is unknown."""

LOOKS_AHEAD = 7 * 24 * HOUR
"""How far ahead anybody may ask, in seconds: so that what opens next is seen as far again."""

UNKNOWN_HOURS = -1

PROVIDES = {facility: 1 << bit for bit, facility in enumerate(Facility)}
STEP_FREE = 1 << len(Facility)

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bits = NDArray[np.uint32]


@dataclass(frozen=True, eq=False)
class Origin:
    """Of which state of which database a directory was built, and when."""

    database: str
    version: int
    generated_at: int
    streets: str
    """The checksum of the streets to which its havens are tied; empty without any."""

    def is_of_state(self, state: "DirectoryState") -> bool:
        """Whether it was built from this state of this database."""
        return (self.database, self.version) == (str(state.database), state.version)

    def is_of_hour(self, now: float) -> bool:
        """Whether it was built in this hour; it is every hour, which keeps the horizon far away."""
        return self.generated_at // HOUR == int(now) // HOUR


@dataclass(frozen=True, eq=False)
class Snapshot(Origin):
    """Every haven that is listed at some time before the horizon, one row each, near ones together.

    Times are seconds since 1970 UTC. `opens` and `lists` name a row's schedule: the intervals
    `starts[offsets[s]:offsets[s + 1]]` to `ends[…]`, in order; havens with equal hours share one.
    `opens` is `UNKNOWN_HOURS` where nobody knows. `provides` has a bit for each facility and one
    for step-free access. `text[cuts[i]:cuts[i + 1]]` is what stays the same in every answer with
    this haven in it, as JSON without its opening brace. `by_id` holds the rows in the order of
    their ids, `rank` each row's place in it. `places` are points on the unit sphere. What comes
    after is the tree of blocks: see `app.directory.engine.columns`. `ties` has where
    each row is on the streets, see `app.walking.streets.Tie`, an edge of -1 where it is on none; it
    is empty without streets. `wards` are the outlines of all wards: see `app.directory.outlines`.
    """

    demonstration: bool
    ids: NDArray[np.void]
    lat: Floats
    lon: Floats
    places: Floats
    provides: Ints
    opens: Ints
    lists: Ints
    by_id: Ints
    rank: Ints
    cuts: Ints
    offsets: Ints
    starts: Ints
    ends: Ints
    leaves: int
    children: Ints
    low: Floats
    high: Floats
    any_provides: Ints
    open_in: Bits
    opens_in: Bits
    longest: Ints
    last_opening: Ints
    last_shutting: Ints
    shutting: Ints
    shuts: Ints
    since: Ints
    ties: Ints
    text: NDArray[np.uint8]
    wards: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def start(self) -> int:
        """The first instant that is worked out."""
        return start_of(self.generated_at)

    @cached_property
    def horizon(self) -> int:
        """The first instant that is not worked out any more."""
        return self.start + HORIZON

    def covers(self, at: float) -> bool:
        """Whether it is worked out who is open at an instant; of any other nothing is known."""
        return self.start <= at < self.horizon

    @cached_property
    def fragments(self) -> memoryview:
        """`text`, to be cut."""
        return self.text.data

    def availability(self, row: int) -> list[Interval] | None:
        """When a haven is open and listed, in order; None when its hours are unknown."""
        return None if self.opens[row] == UNKNOWN_HOURS else self._schedule(self.opens[row])

    def listing(self, row: int) -> list[Interval]:
        """When the public may see a haven, in order."""
        return self._schedule(self.lists[row])

    def is_always_listed(self, row: int) -> bool:
        """Whether the public may see a haven at every instant that is worked out."""
        return self.listing(row) == [(self.start, self.horizon)]

    def _schedule(self, number: int) -> list[Interval]:
        part = slice(self.offsets[number], self.offsets[number + 1])
        return list(zip(self.starts[part].tolist(), self.ends[part].tolist(), strict=True))

    def fragment(self, row: int) -> bytes:
        """What stays the same in every answer: `"id":…}`."""
        return self.text[self.cuts[row] : self.cuts[row + 1]].tobytes()

    def uuid(self, row: int) -> UUID:
        """The haven's id."""
        return UUID(bytes=self.ids[row].tobytes())


def start_of(now: float) -> int:
    """The start of the hour before the one `now` lies in, because `at` may look back a little."""
    return int(now) // HOUR * HOUR - HOUR


# --- on disk ---------------------------------------------------------------------------------

CURRENT = "directory.snapshot"
KEPT = (CURRENT, *(f"directory.previous{number}.snapshot" for number in ("", ".2", ".3")))
"""The newest and those before it: a disk that spoils one may have spoilt the next one, too."""

LOCK = "snapshot.lock"
"""The file that is locked by the one process that builds."""

ACCEPTED = "directory.accepted"
"""The file that says when somebody took the database for right, whatever was known of it."""

_FORMAT = b"havens directory 5"


class MixedData(Trouble):
    """Demonstration venues where real ones belong, or the other way round."""

    def __init__(self, where: str, *, demonstration: bool) -> None:
        super().__init__(
            f"{where} holds real venues; the demonstration needs one of its own"
            if demonstration
            else f"{where} holds demonstration venues, which production must not show as real"
        )


def refuse_mixed(snapshot: Snapshot, *, demonstration: bool) -> None:
    """Raise `MixedData` when a snapshot belongs to another environment."""
    if len(snapshot) and snapshot.demonstration != demonstration:
        raise MixedData("the directory", demonstration=demonstration)


class Unusable(Exception):
    """A snapshot file that is missing, damaged, or of another format."""


def save(snapshot: Snapshot, folder: Path) -> None:
    """Replace the snapshot on disk in one step. Raises OSError."""
    put(files.beside(folder / CURRENT, content(snapshot)), folder)


def put(fresh: Path, folder: Path) -> None:
    """Put a file in place of the snapshot on disk, in one step; a good one that it replaces is
    kept, and some of those before. Raises OSError."""
    current, spare = folder / CURRENT, (folder / KEPT[1]).with_suffix(".new")
    with suppress(Unusable):
        check(current)
        spare.unlink(missing_ok=True)
        spare.hardlink_to(current)
        for newer, older in reversed(list(pairwise(KEPT[1:]))):
            with suppress(FileNotFoundError):
                (folder / newer).replace(folder / older)
        spare.replace(folder / KEPT[1])
    fresh.replace(current)


def refuse_full(folder: Path) -> None:
    """Raise OSError when there is no room for another snapshot, before it is built in vain."""
    with suppress(FileNotFoundError):
        if shutil.disk_usage(folder).free < (folder / CURRENT).stat().st_size:
            raise OSError(ENOSPC, os.strerror(ENOSPC))


def content(snapshot: Snapshot) -> Iterator[bytes | memoryview]:
    """A snapshot as a file has it, piece by piece."""
    values = {field.name: getattr(snapshot, field.name) for field in fields(snapshot)}
    columns = {name: values[name] for name in _KINDS}
    single = {name: value for name, value in values.items() if name not in columns}
    return column_file.content(_FORMAT, single, columns)


def load(folder: Path) -> Snapshot:
    """The last good snapshot. Raises `Unusable`."""
    file, _ = last_good(folder)
    try:
        return mapped(file)
    finally:
        os.close(file)


def last_good(folder: Path) -> tuple[int, str]:
    """A sealed copy of the newest snapshot that is whole, which the caller closes, and that file's
    name. Raises `Unusable`, for the newest one's reason."""
    reason = ""
    for name in KEPT:
        try:
            return sealed_copy(folder / name), name
        except Unusable as error:
            if (folder / name).exists():
                log.warning("directory snapshot not used: %s", error)
            reason = reason or str(error)
    raise Unusable(reason)


def sealed_copy(path: Path) -> int:
    """A sealed copy of a snapshot file that is right in every part; the caller closes it.

    Raises `Unusable`.
    """
    try:
        with path.open("rb") as file:
            copy = sealed(column_file.pieces(file, _FORMAT))
        try:
            snapshot = mapped(copy)
            _check_columns(snapshot)
        except WRONG:
            os.close(copy)
            raise
    except OSError as error:
        raise Unusable(f"{path.name}: {error.strerror}") from None
    except WRONG:
        raise Unusable(f"{path.name}: damaged, or written by another version") from None
    return copy


def check(path: Path) -> None:
    """Raise `Unusable` unless a snapshot file is right in every part."""
    os.close(sealed_copy(path))


def mapped(copy: int) -> Snapshot:
    """The snapshot in a sealed copy, which may be closed afterwards."""
    memory = mmap.mmap(copy, 0, access=mmap.ACCESS_READ)
    values, _ = column_file.read(memory, _FORMAT, _KINDS)
    return Snapshot(**values)


def origin(folder: Path) -> Origin | None:
    """What the newest snapshot file with a whole heading was built from."""
    for name in KEPT:
        with suppress(OSError, *WRONG), (folder / name).open("rb") as file:
            return origin_of(file)
    return None


def origin_of(file: BufferedIOBase) -> Origin:
    """What a snapshot file was built from, by its heading. Raises some of `WRONG`."""
    values = column_file.heading(file, _FORMAT).values
    database, version, generated_at, streets = (values[f.name] for f in fields(Origin))
    return Origin(str(database), int(version), int(generated_at), str(streets))


_KINDS: dict[str, np.dtype[Any]] = {
    field.name: np.dtype("V16" if kind is np.void else kind)
    for field in fields(Snapshot)
    for of_items in get_args(field.type)[1:]
    for kind in get_args(of_items)
}
"""What the items of each column are."""


def _check_columns(snapshot: Snapshot) -> None:
    """Raise ValueError unless all that points into a column points inside it.

    Compiled loops look at nothing themselves: a file that is whole by its checksums, but wrong,
    would have them read what lies behind it, or go round for ever.
    """
    s, rows, blocks = snapshot, len(snapshot.ids), len(snapshot.children)
    begin = start_of(s.generated_at)
    shapes: dict[str, tuple[int, ...]] = {
        **dict.fromkeys(_KINDS, (rows,)),
        **{
            name: (len(getattr(s, name)),)
            for name in ("text", "wards", "offsets", "starts", "shuts")
        },
        **dict.fromkeys(("any_provides", "longest", "last_opening", "last_shutting"), (blocks,)),
        **dict.fromkeys(("low", "high"), (blocks, 3)),
        **{name: (len(getattr(s, name)), blocks) for name in ("open_in", "opens_in")},
        "places": (rows, 3),
        "ties": (rows if s.streets else 0, 3),
        "children": (blocks, 2),
        "cuts": (rows + 1,),
        "shutting": (blocks + 1,),
        "ends": s.starts.shape,
        "since": s.shuts.shape,
    }
    single = s.database, s.version, s.generated_at, s.streets, s.demonstration, s.leaves
    schedules, leaves, parts = len(s.offsets) - 1, s.children[: s.leaves], s.children[s.leaves :]
    if not (
        tuple(map(type, single)) == (str, int, int, str, bool, int)
        and all(0 <= number < 2**40 for number in (s.version, s.generated_at, s.leaves))
        and all(getattr(s, name).shape == shape for name, shape in shapes.items())
        and _within(s.lat, -90, 90)
        and _within(s.lon, -180, 180)
        and all(_within(places, -1, 1) for places in (s.places, s.low, s.high))
        and _within(s.by_id, 0, rows - 1)
        and _within(s.opens, UNKNOWN_HOURS, schedules - 1)
        and _within(s.lists, 0, schedules - 1)
        and all(_within(times, begin, begin + HORIZON) for times in (s.starts, s.ends))
        and _rises(s.cuts, len(s.text))
        and _rises(s.offsets, len(s.starts))
        and _rises(s.shutting, len(s.shuts))
        # Every row lies in one leaf, and every block but the last in one that comes later.
        and _is_parted(leaves, rows)
        and _is_parted(parts, max(blocks - 1, 0))
        and bool((parts[:, 1] <= np.arange(s.leaves, blocks)).all())
    ):
        raise ValueError


def _within(numbers: Ints | Floats, low: float, high: float) -> bool:
    # What is not a number is neither above nor below anything.
    return not numbers.size or bool(low <= numbers.min() and numbers.max() <= high)


def _rises(cuts: Ints, end: int) -> bool:
    """Whether these cut a column of so many items from its beginning to its end."""
    return cuts[0] == 0 and cuts[-1] == end and bool((cuts[:-1] <= cuts[1:]).all())


def _is_parted(spans: Ints, end: int) -> bool:
    """Whether each of these begins where the one before ends, and all of them reach so far."""
    cuts = np.append(spans[:, 0], end)
    return _rises(cuts, end) and bool((spans[:, 1] == cuts[1:]).all())
