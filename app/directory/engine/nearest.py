"""The search for the nearest havens, by the rules that `app.directory.rules` begins with.

It is compiled loops over columns, and goes best first through a tree of blocks. Rows lie
in blocks of `LEAF`, those in blocks of blocks, each with its bounding box and with what a search
must know to pass it by at any instant: the minutes in which a haven inside is open, opens and
shuts. These don't change as time goes by, so nothing is worked out again at midnight, at closing
time, or when somebody asks about next Friday.

Only plain loops on arrays here: without the compiler the same functions run in Python. They stand
in one file with the constants and the columns that they are compiled for, because what the compiler
keeps on disk is made anew only when that file changes.
"""

import math
from typing import Annotated, Any, NamedTuple, get_args, get_type_hints

import numpy as np
from numpy.typing import NDArray

from app.core.geo import EARTH_RADIUS_M
from app.directory.engine.compiled import array_at, compiled, compiled_part

LEAF, FAN_OUT = 32, 8
"""How many rows a block of rows holds, and how many blocks a block of blocks: fewer take a search
fewer steps and more memory, of which the sets of minutes of the smallest blocks are the most."""

WORD = 32
"""Minutes in one element of a set of minutes; more would mix signed and unsigned arithmetic."""

MINUTE = 60
NEVER = 2**62

HAVENS, CLOSING, OPENS_NEXT = range(3)
NOT_OPEN, NO_END = 0, -1

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bits = NDArray[np.uint32]

IntLines = Annotated[Ints, 2]
FloatLines = Annotated[Floats, 2]
BitLines = Annotated[Bits, 2]
"""Columns of two dimensions."""


class Columns(NamedTuple):
    """The rules' numbers, and a snapshot as the loops see it: rows, then schedules, then blocks.

    Blocks are numbered level by level from those of rows up to the one that holds everything;
    `children` are the rows of one of the first `leaves` blocks, and the blocks of any other.
    A set of minutes has a line for every `WORD` minutes, and in it an element for each block;
    `shuts[shutting[b]:shutting[b + 1]]` are the instants at which something in block b shuts, in
    order, and `since` says of each for how long, at most, it has then been open.
    """

    margin: int
    near_m: int
    start: int
    horizon: int
    lat: Floats
    lon: Floats
    places: FloatLines
    provides: Ints
    opens: Ints
    lists: Ints
    rank: Ints
    cuts: Ints
    offsets: Ints
    starts: Ints
    ends: Ints
    leaves: int
    children: IntLines
    low: FloatLines
    high: FloatLines
    any_provides: Ints
    open_in: BitLines
    opens_in: BitLines
    longest: Ints
    last_opening: Ints
    last_shutting: Ints
    shutting: Ints
    shuts: Ints
    since: Ints


@compiled
def direction(lat: float, lon: float) -> tuple[float, float, float]:
    """Degrees to a point on the unit sphere: there a straight line through the earth orders as
    the way over it does, with no trigonometry in the search and no seam at the date line."""
    phi, turn = math.radians(lat), math.radians(lon)
    return math.cos(phi) * math.cos(turn), math.cos(phi) * math.sin(turn), math.sin(phi)


@compiled
def directions(lat: Floats, lon: Floats, places: Floats) -> None:
    """Place every row, by the arithmetic that places a question: to the last bit."""
    for row in range(len(lat)):
        places[row, 0], places[row, 1], places[row, 2] = direction(lat[row], lon[row])


@compiled
def summarise(
    begin: int,
    opens: Ints,
    offsets: Ints,
    starts: Ints,
    ends: Ints,
    open_in: Bits,
    opens_in: Bits,
    longest: Ints,
    last_opening: Ints,
    last_shutting: Ints,
) -> None:
    """Work out, for each block of rows, when a haven inside is open and when it opens.

    Here a set of minutes has a line for each block.
    """
    for row in range(len(opens)):
        block = row // LEAF
        schedule = opens[row]
        if schedule < 0:
            continue
        for i in range(offsets[schedule], offsets[schedule + 1]):
            longest[block] = max(longest[block], ends[i] - starts[i])
            first, last = (starts[i] - begin) // MINUTE, (ends[i] - begin) // MINUTE - 1
            _add(open_in[block], first, last)
            # What is under way at the start has opened before any instant asked about.
            if first:
                _add(opens_in[block], first, first)
                last_opening[block] = max(last_opening[block], starts[i])
                last_shutting[block] = max(last_shutting[block], ends[i])


@compiled_part
def _add(minutes: Bits, first: int, last: int) -> None:
    for word in range(first // WORD, last // WORD + 1):
        low = max(first - word * WORD, 0)
        high = min(last - word * WORD, WORD - 1)
        minutes[word] |= np.uint32((1 << (high + 1)) - (1 << low))


@compiled_part
def _first_in(minutes: Bits, block: int, begin: int, end: int) -> int:
    """The first minute in a set from `begin` on and before `end`; -1 when there is none."""
    minute, end = max(begin, 0), min(end, WORD * len(minutes))
    while minute < end:
        bits = np.int64(minutes[minute // WORD, block]) >> (minute % WORD)
        if bits:
            while not bits & 1:
                bits >>= 1
                minute += 1
            return minute if minute < end else -1
        minute += WORD - minute % WORD
    return -1


_TYPES = get_type_hints(Columns, include_extras=True)
_KINDS: dict[Any, str] = {Ints: "int64", Floats: "float64", Bits: "uint32"}


def packed(columns: Columns) -> Any:
    """Columns as `answer` takes them: where each lies, which is so for as long as they are kept.

    Handed over one by one, two dozen arrays take longer than the search.
    """
    if array_at is None:
        return columns
    where = np.zeros((len(columns), 3), dtype=np.int64)
    for place, (name, kind) in enumerate(get_type_hints(Columns).items()):
        column: Any = getattr(columns, name)
        if kind is int:
            where[place, 0] = column
        elif column.dtype == _KINDS[kind] and column.flags.c_contiguous:
            where[place] = column.ctypes.data, column.shape[0], column.shape[-1]
        else:
            raise TypeError(f"{name} is not laid out as the loops read it")
    return where


def _unpacking(place: int, kind: Any) -> str:
    """What reads one of the columns out of `packed`."""
    if kind is int:
        return f"packed[{place}, 0]"
    is_lines = get_args(kind)[1:] == (2,)
    items, shape = (
        (get_args(kind)[0], f"(packed[{place}, 1], packed[{place}, 2])")
        if is_lines
        else (kind, f"packed[{place}, 1]")
    )
    return f"array_at(packed[{place}, 0], {shape}, np.{_KINDS[items]})"


# Written out, because compiled code can't go through arrays of several kinds in a loop.
_parts = ", ".join(_unpacking(place, kind) for place, kind in enumerate(_TYPES.values()))
_columns_at: Any = eval(compile(f"lambda packed: Columns({_parts})", __file__, "eval"))  # noqa: S307

# Uncompiled, the columns come as they are.
_unpacked: Any = compiled_part(_columns_at) if array_at else lambda columns: columns


@compiled
def answer(
    packed: Any,
    lat: float,
    lon: float,
    at: int,
    limit: int,
    needs: int,
    max_distance_m: float,
    minutes_per_m: float,
) -> tuple[Ints, Ints, Floats]:
    """The nearest havens open at `at`, those closing, and what opens next.

    Where each of the three ends; of each haven the row, where its text begins and ends, bearing,
    walking minutes, until when it is open (or `NOT_OPEN`, `NO_END`), when it opens (or 0); and the
    distances.
    """
    columns = _unpacked(packed)
    origin = direction(lat, lon)
    matches = np.empty((3 * limit, 7), dtype=np.int64)
    metres = np.empty(3 * limit)
    stops = np.zeros(3, dtype=np.int64)
    heap = np.empty(256, dtype=np.int64), np.empty(256), np.empty(256, dtype=np.int64)
    total = near = 0
    # A loop, so that the search is compiled once.
    for kind in range(OPENS_NEXT + 1):
        farthest = max_distance_m if kind != OPENS_NEXT else math.inf
        if kind == CLOSING and total == limit:
            # Nobody goes far, past as many open doors as they asked for, to one about to shut.
            farthest = min(farthest, max(columns.near_m, metres[total - 1]))
        if kind != OPENS_NEXT or near < limit:
            total += _best(
                kind,
                columns,
                origin,
                at,
                limit,
                needs,
                farthest,
                minutes_per_m,
                heap,
                matches[total:],
                metres[total:],
            )
        stops[kind] = total
        if kind == HAVENS:
            for i in range(total):
                near += metres[i] <= columns.near_m
    for i in range(total):
        row = matches[i, 0]
        matches[i, 1], matches[i, 2] = columns.cuts[row], columns.cuts[row + 1]
        matches[i, 3] = _bearing(lat, lon, columns.lat[row], columns.lon[row])
        matches[i, 4] = _minutes(metres[i], minutes_per_m)
        first, last = _schedule(columns.offsets, columns.opens[row])
        until = _open_until(columns.starts, columns.ends, first, last, at)
        # Where the horizon cuts it off, nobody knows that it closes then.
        matches[i, 5] = until if until < columns.horizon else NO_END
    return stops, matches[:total], metres[:total]


@compiled_part
def _best(
    kind: int,
    columns: Columns,
    origin: tuple[float, float, float],
    at: int,
    limit: int,
    needs: int,
    max_distance_m: float,
    minutes_per_m: float,
    heap: tuple[Ints, Floats, Ints],
    matches: Ints,
    metres: Floats,
) -> int:
    """Fill in at most `limit` rows, by (instant, distance, id); how many there are.

    A block waits under bounds that no row in it can beat. The search ends when none that waits
    could hold a row better than the worst of those it has; of equal rank, the row may.
    """
    instants = np.empty(limit, dtype=np.int64)
    count, farthest = 0, math.inf
    now = (at - columns.start) // MINUTE
    heap_at, heap_m, heap_block = heap
    heap_at[0], heap_m[0], heap_block[0], waiting = 0, 0.0, len(columns.children) - 1, 1
    while waiting:
        instant, near_m, block = heap_at[0], heap_m[0], heap_block[0]
        if count == limit and (instant, near_m) > (instants[count - 1], metres[count - 1]):
            break
        waiting -= 1
        _sink(heap_at, heap_m, heap_block, waiting)
        begin, end = columns.children[block, 0], columns.children[block, 1]
        if block >= columns.leaves:
            while waiting + end - begin > len(heap_at):
                heap_at = np.concatenate((heap_at, np.empty_like(heap_at)))
                heap_m = np.concatenate((heap_m, np.empty_like(heap_m)))
                heap_block = np.concatenate((heap_block, np.empty_like(heap_block)))
            for child in range(begin, end):
                if columns.any_provides[child] & needs != needs:
                    continue
                if kind != OPENS_NEXT and _first_in(columns.open_in, child, now, now + 1) < 0:
                    continue
                near, far = _bounds(origin, columns.low[child], columns.high[child])
                near_m = _at_least(near)
                if near_m > max_distance_m:
                    continue
                # Before which instant no row in it can be ranked, and whether any can be at all.
                instant, arrival = 0, at + MINUTE * _minutes(near_m, minutes_per_m)
                if kind == HAVENS:
                    needed = arrival + columns.margin
                    last = (needed - 1 - columns.start) // MINUTE
                    if (
                        columns.longest[child] < needed - at
                        or _first_in(columns.open_in, child, last, last + 1) < 0
                    ):
                        continue
                elif kind == CLOSING:
                    latest = at + MINUTE * _minutes(_at_most(far), minutes_per_m) + columns.margin
                    i, end_of = _schedule(columns.shutting, child)
                    i = _current(columns.shuts, i, end_of, arrival)
                    while i < end_of and columns.shuts[i] < latest and columns.since[i] > at:
                        i += 1
                    if i == end_of or columns.shuts[i] >= latest:
                        continue
                else:
                    if arrival >= columns.last_shutting[child]:
                        continue
                    last = (columns.last_opening[child] - columns.start) // MINUTE
                    opening = _first_in(columns.opens_in, child, now + 1, last + 1)
                    if opening < 0:
                        continue
                    instant = max(columns.start + MINUTE * opening, arrival)
                if count == limit and (instant, near_m) > (instants[count - 1], metres[count - 1]):
                    continue
                _rise(heap_at, heap_m, heap_block, waiting, instant, near_m, child)
                waiting += 1
            continue
        for row in range(begin, end):
            if columns.provides[row] & needs != needs or columns.opens[row] < 0:
                continue
            chord = _chord_squared(origin, columns.places[row])
            # The arc is dear, and most rows of a block are too far to need it.
            if chord > farthest:
                continue
            distance = _metres(chord)
            if distance > max_distance_m:
                continue
            first, last = _schedule(columns.offsets, columns.opens[row])
            arrival = at + MINUTE * _minutes(distance, minutes_per_m)
            until = _open_until(columns.starts, columns.ends, first, last, at)
            instant = opens_at = 0
            if kind == OPENS_NEXT:
                if until > arrival:
                    continue
                opens_at = _opening(columns.starts, columns.ends, first, last, at, arrival)
                listed_from, listed_to = _schedule(columns.offsets, columns.lists[row])
                if opens_at == NEVER or not _open_until(
                    columns.starts, columns.ends, listed_from, listed_to, at
                ):
                    continue
                instant = max(opens_at, arrival)
            elif until <= arrival or (until >= arrival + columns.margin) != (kind == HAVENS):
                continue
            place = count
            while place and (instant, distance, columns.rank[row]) < (
                instants[place - 1],
                metres[place - 1],
                columns.rank[matches[place - 1, 0]],
            ):
                place -= 1
            if place == limit:
                continue
            count = min(count + 1, limit)
            for i in range(count - 1, place, -1):
                instants[i], metres[i] = instants[i - 1], metres[i - 1]
                matches[i, 0], matches[i, 6] = matches[i - 1, 0], matches[i - 1, 6]
            instants[place], metres[place] = instant, distance
            matches[place, 0], matches[place, 6] = row, opens_at
            if count == limit and kind != OPENS_NEXT:
                worst = matches[count - 1, 0]
                farthest = _chord_squared(origin, columns.places[worst]) * (1 + 1e-9)
    return count


@compiled_part
def _schedule(offsets: Ints, number: int) -> tuple[int, int]:
    """Where the intervals of a schedule begin and end."""
    return offsets[number], offsets[number + 1]


@compiled_part
def _current(ends: Ints, first: int, last: int, at: int) -> int:
    """The first of some intervals that ends after `at`; `last` if none does."""
    while first < last:
        middle = (first + last) // 2
        if ends[middle] <= at:
            first = middle + 1
        else:
            last = middle
    return first


@compiled_part
def _open_until(starts: Ints, ends: Ints, first: int, last: int, at: int) -> int:
    """When the interval ends that `at` lies in; `NOT_OPEN` when it lies in none."""
    i = _current(ends, first, last, at)
    return ends[i] if i < last and starts[i] <= at else NOT_OPEN


@compiled_part
def _opening(starts: Ints, ends: Ints, first: int, last: int, at: int, arrival: int) -> int:
    """The first opening after `at` that somebody who arrives at `arrival` does not find over."""
    i = _current(ends, first, last, arrival)
    while i < last and starts[i] <= at:
        i += 1
    return starts[i] if i < last else NEVER


@compiled_part
def _rise(
    heap_at: Ints, heap_m: Floats, heap_block: Ints, place: int, instant: int, m: float, block: int
) -> None:
    while place:
        above = (place - 1) // 2
        if (heap_at[above], heap_m[above]) <= (instant, m):
            break
        heap_at[place], heap_m[place] = heap_at[above], heap_m[above]
        heap_block[place] = heap_block[above]
        place = above
    heap_at[place], heap_m[place], heap_block[place] = instant, m, block


@compiled_part
def _sink(heap_at: Ints, heap_m: Floats, heap_block: Ints, size: int) -> None:
    """Fill the top of a heap, which has been taken off, with its last entry."""
    instant, m, block, place = heap_at[size], heap_m[size], heap_block[size], 0
    while 2 * place + 1 < size:
        below = 2 * place + 1
        if below + 1 < size and (heap_at[below + 1], heap_m[below + 1]) < (
            heap_at[below],
            heap_m[below],
        ):
            below += 1
        if (instant, m) <= (heap_at[below], heap_m[below]):
            break
        heap_at[place], heap_m[place] = heap_at[below], heap_m[below]
        heap_block[place] = heap_block[below]
        place = below
    heap_at[place], heap_m[place], heap_block[place] = instant, m, block


@compiled_part
def _chord_squared(origin: tuple[float, float, float], place: Floats) -> float:
    x, y, z = place[0] - origin[0], place[1] - origin[1], place[2] - origin[2]
    return float(x * x + y * y + z * z)


@compiled_part
def _bounds(origin: tuple[float, float, float], low: Floats, high: Floats) -> tuple[float, float]:
    """The squares of the shortest and the longest chord to anything in a box."""
    near = far = 0.0
    for axis in range(3):
        above, below = low[axis] - origin[axis], high[axis] - origin[axis]
        outside, across = max(above, -below, 0.0), max(abs(above), abs(below))
        near += outside * outside
        far += across * across
    return near, far


@compiled_part
def _metres(chord_squared: float) -> float:
    """The way over the earth along a chord of the unit sphere."""
    return 2 * EARTH_RADIUS_M * math.asin(min(math.sqrt(chord_squared) / 2, 1.0))


# The arc is dear, and a block need only never look farther, or less far, than a row in it: not by
# rounding either.


@compiled_part
def _at_least(chord_squared: float) -> float:
    """No more than `_metres`: the straight line is shorter."""
    return EARTH_RADIUS_M * math.sqrt(chord_squared) * (1 - 1e-9)


@compiled_part
def _at_most(chord_squared: float) -> float:
    """No less than `_metres`: up to a tenth of the earth's radius, the arc is hardly longer."""
    if chord_squared > 0.01:
        return _metres(chord_squared) * (1 + 1e-9)
    return EARTH_RADIUS_M * math.sqrt(chord_squared) * 1.0005


@compiled_part
def _minutes(metres: float, minutes_per_m: float) -> int:
    return math.ceil(metres * minutes_per_m)


@compiled_part
def _bearing(lat: float, lon: float, to_lat: float, to_lon: float) -> int:
    """The direction in which the shortest way begins, in whole degrees clockwise from north."""
    phi, to_phi, turn = math.radians(lat), math.radians(to_lat), math.radians(to_lon - lon)
    east = math.sin(turn) * math.cos(to_phi)
    north = math.cos(phi) * math.sin(to_phi) - math.sin(phi) * math.cos(to_phi) * math.cos(turn)
    return round(math.degrees(math.atan2(east, north))) % 360
