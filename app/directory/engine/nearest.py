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
from typing import Any, NamedTuple

import numpy as np

from app.core.compiled import (
    BitLines,
    Bits,
    FloatLines,
    Floats,
    IntLines,
    Ints,
    ShortLines,
    Shorts,
    compiled,
    compiled_part,
    unpacked,
)
from app.core.places import EARTH_RADIUS_M

LEAF, FAN_OUT = 32, 8
"""How many rows a block of rows holds, and how many blocks a block of blocks: fewer take a search
fewer steps and more memory, of which the sets of minutes of the smallest blocks are the most."""

WORD = 32
"""Minutes in one element of a set of minutes; more would mix signed and unsigned arithmetic."""

MINUTE = 60
NEVER = 2**62

HAVENS, CLOSING, OPENS_NEXT = range(3)
NOT_OPEN, NO_END = 0, -1

UNREACHED = 2**30
"""What is farther than this, in centimetres, is not reached."""

SHRUNK, SLACK_M = 1 - 1e-5, 0.05
"""A way over the streets is as long as the crow's flight at least, but for what rounding and the
flat map of an edge may take from it."""


class Columns(NamedTuple):
    """The rules' numbers, and a snapshot as the loops see it: rows, then schedules, then blocks.

    Blocks are numbered level by level from those of rows up to the one that holds everything;
    `children` are the rows of one of the first `leaves` blocks, and the blocks of any other.
    A set of minutes has a line for every `WORD` minutes, and in it an element for each block;
    `shuts[shutting[b]:shutting[b + 1]]` are the instants at which something in block b shuts, in
    order, and `since` says of each for how long, at most, it has then been open.

    `ties` says where each row is on the streets: the edge (-1 for none), how far along it and how
    far off it, in centimetres. What comes after is those streets, as `app.walking.streets.Streets`
    has them, for one profile; all of it is empty without them. No way that is known is longer than
    `any_way_cm`. Where none is known it counts as `no_way_cm` long, or as the estimate if that is
    longer.

    `landmarks` are some junctions, and `to_landmarks` how far each row is from each of them:
    `UNREACHED` from where no way leads to it, and when it is on no street. `most_to_landmarks` is
    how far the farthest row of each block is.
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
    ties: IntLines
    cm_a_minute: int
    any_way_cm: int
    no_way_cm: int
    landmarks: Ints
    to_landmarks: ShortLines
    most_to_landmarks: ShortLines
    tails: Shorts
    heads: Shorts
    lengths: Ints
    labels: Ints
    hubs: Shorts
    hub_cm: Shorts


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


_unpacked: Any = unpacked(Columns, __file__)


class Feet(NamedTuple):
    """How long ways are by distance: those of the estimate, in minutes and metres, and what any is
    at least."""

    minutes_per_m: float
    factor: float
    least_minutes_per_m: float
    least_factor: float
    slack_m: float


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
    walking_factor: float,
    edge: int,
    along_cm: int,
    off_cm: int,
) -> tuple[Ints, Ints, Floats]:
    """The nearest havens open at `at`, those closing, and what opens next.

    Where somebody asks from is tied to an edge of the streets, or to none, which is -1.

    Where each of the three ends; of each haven the row, where its text begins and ends, bearing,
    walking minutes, until when it is open (or `NOT_OPEN`, `NO_END`), when it opens (or 0), whether
    the minutes are over the streets; and of each how far it is, and how far on foot.
    """
    columns = _unpacked(packed)
    origin = direction(lat, lon)
    here = (edge, along_cm, off_cm)
    reached = _spread(columns, here)
    landmarks = np.empty(len(columns.landmarks) if edge >= 0 else 0, dtype=np.int64)
    for i in range(len(landmarks)):
        landmarks[i] = _to_junction(columns, reached, columns.landmarks[i])
    on_foot = Feet(
        minutes_per_m,
        walking_factor,
        # What a way is at least, by the crow's flight: minutes, metres, and less so much.
        100 * SHRUNK / columns.cm_a_minute if edge >= 0 else minutes_per_m,
        SHRUNK if edge >= 0 else walking_factor,
        SLACK_M if edge >= 0 else 0.0,
    )
    matches = np.empty((3 * limit, 8), dtype=np.int64)
    lengths = np.empty((3 * limit, 2))
    metres, ways = lengths[:, 0], lengths[:, 1]
    stops = np.zeros(3, dtype=np.int64)
    heap = np.empty(256, dtype=np.int64), np.empty(256), np.empty(256, dtype=np.int64)
    total = near = 0
    # A loop, so that the search is compiled once.
    for kind in range(OPENS_NEXT + 1):
        farthest = max_distance_m if kind != OPENS_NEXT else math.inf
        # Nobody goes far, past as many open doors as they asked for, to one about to shut.
        longest = ways[total - 1] if kind == CLOSING and total == limit else math.inf
        if kind != OPENS_NEXT or near < limit:
            total += _best(
                kind,
                columns,
                origin,
                at,
                limit,
                needs,
                farthest,
                longest,
                on_foot,
                here,
                reached,
                landmarks,
                heap,
                matches[total:],
                metres[total:],
                ways[total:],
            )
        stops[kind] = total
        if kind == HAVENS:
            for i in range(total):
                near += metres[i] <= columns.near_m
    for i in range(total):
        row = matches[i, 0]
        matches[i, 1], matches[i, 2] = columns.cuts[row], columns.cuts[row + 1]
        matches[i, 3] = _bearing(lat, lon, columns.lat[row], columns.lon[row])
        until = _open_until(columns, columns.opens[row], at)
        # Where the horizon cuts it off, nobody knows that it closes then.
        matches[i, 5] = until if until < columns.horizon else NO_END
    return stops, matches[:total], lengths[:total]


@compiled_part
def _spread(columns: Columns, here: tuple[int, int, int]) -> Shorts:
    """How far each hub is from a place, in centimetres, as far as it has a label there."""
    edge, along, off = here
    if edge < 0:
        return np.empty(0, dtype=np.int32)
    reached = np.full(len(columns.labels), UNREACHED, dtype=np.int32)
    _reach(columns, reached, columns.tails[edge], off + along)
    _reach(columns, reached, columns.heads[edge], off + columns.lengths[edge] - along)
    return reached


@compiled_part
def _reach(columns: Columns, reached: Shorts, node: int, cm: int) -> None:
    for i in range(columns.labels[node], columns.labels[node + 1]):
        reached[columns.hubs[i]] = min(reached[columns.hubs[i]], cm + columns.hub_cm[i])


@compiled_part
def _to_junction(columns: Columns, reached: Shorts, node: int) -> int:
    """How far a junction is from where hubs are reached from, in centimetres."""
    nearest = UNREACHED
    for i in range(columns.labels[node], columns.labels[node + 1]):
        nearest = min(nearest, np.int64(reached[columns.hubs[i]]) + columns.hub_cm[i])
    return nearest


@compiled_part
def _way_cm(columns: Columns, here: tuple[int, int, int], reached: Shorts, row: int) -> int:
    """How far a row is over the streets, in centimetres; `UNREACHED` or more where none lead."""
    edge, along, off = columns.ties[row, 0], columns.ties[row, 1], columns.ties[row, 2]
    best = min(
        _to_junction(columns, reached, columns.tails[edge]) + along,
        _to_junction(columns, reached, columns.heads[edge]) + columns.lengths[edge] - along,
    )
    if edge == here[0]:
        best = min(best, abs(along - here[1]) + here[2])
    return int(best + off)


@compiled
def measure(packed: Any, to_landmarks: ShortLines) -> None:
    """Work out `Columns.to_landmarks`, which may be empty in the columns."""
    columns = _unpacked(packed)
    for number in range(len(columns.landmarks)):
        reached = np.full(len(columns.labels), UNREACHED, dtype=np.int32)
        _reach(columns, reached, columns.landmarks[number], 0)
        for row in range(len(to_landmarks)):
            cm = UNREACHED
            if columns.ties[row, 0] >= 0:
                cm = min(_way_cm(columns, (-1, 0, 0), reached, row), UNREACHED)
            to_landmarks[row, number] = cm


@compiled_part
def _by_landmarks(landmarks: Ints, to_landmarks: Shorts) -> tuple[int, int]:
    """How long, in centimetres, the way between two places is at least and at most: neither way
    from one to a landmark is longer than the other with the way between."""
    least, most = 0, UNREACHED
    for i in range(len(landmarks)):
        if landmarks[i] < UNREACHED and to_landmarks[i] < UNREACHED:
            least = max(least, abs(landmarks[i] - to_landmarks[i]))
            most = min(most, landmarks[i] + to_landmarks[i])
    return least, most


@compiled_part
def _best(
    kind: int,
    columns: Columns,
    origin: tuple[float, float, float],
    at: int,
    limit: int,
    needs: int,
    max_distance_m: float,
    longest_m: float,
    on_foot: Feet,
    here: tuple[int, int, int],
    reached: Shorts,
    landmarks: Ints,
    heap: tuple[Ints, Floats, Ints],
    matches: Ints,
    metres: Floats,
    ways: Floats,
) -> int:
    """Fill in at most `limit` rows, by (instant, way on foot, id); how many there are.

    A block waits under bounds that no row in it can beat: the crow's flight is no longer than any
    way. The search ends when none that waits could hold a row better than the worst of those it
    has; of equal rank, the row may. What lies farther than `near_m` must not be more than
    `longest_m` on foot.
    """
    instants = np.empty(limit, dtype=np.int64)
    count, farthest = 0, math.inf
    now = (at - columns.start) // MINUTE
    per_m, factor, slack = on_foot.least_minutes_per_m, on_foot.least_factor, on_foot.slack_m
    heap_at, heap_m, heap_block = heap
    heap_at[0], heap_m[0], heap_block[0], waiting = 0, 0.0, len(columns.children) - 1, 1
    while waiting:
        instant, way, block = heap_at[0], heap_m[0], heap_block[0]
        if count == limit and (instant, way) > (instants[count - 1], ways[count - 1]):
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
                way = max(near_m - slack, 0.0) * factor
                if near_m > max_distance_m or (near_m > columns.near_m and way > longest_m):
                    continue
                # Before which instant no row in it can be ranked, and whether any can be at all.
                instant = 0
                arrival = at + MINUTE * _minutes(max(near_m - slack, 0.0), per_m)
                if kind == HAVENS:
                    needed = arrival + columns.margin
                    last = (needed - 1 - columns.start) // MINUTE
                    if (
                        columns.longest[child] < needed - at
                        or _first_in(columns.open_in, child, last, last + 1) < 0
                    ):
                        continue
                elif kind == CLOSING:
                    most_cm = UNREACHED
                    if len(landmarks):
                        _, most_cm = _by_landmarks(landmarks, columns.most_to_landmarks[child])
                    latest = -(-min(most_cm, columns.any_way_cm) // columns.cm_a_minute)
                    if most_cm == UNREACHED:
                        # To something in it there may be no way that is known, or none but the
                        # estimate.
                        latest = max(latest, _minutes(_at_most(far), on_foot.minutes_per_m))
                    latest = at + MINUTE * latest + columns.margin
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
                if count == limit and (instant, way) > (instants[count - 1], ways[count - 1]):
                    continue
                _rise(heap_at, heap_m, heap_block, waiting, instant, way, child)
                waiting += 1
            continue
        for row in range(begin, end):
            if columns.provides[row] & needs != needs or columns.opens[row] < 0:
                continue
            chord = _chord_squared(origin, columns.places[row])
            # What follows is the dearer the later it comes.
            if chord > farthest:
                continue
            first, last = _schedule(columns.offsets, columns.opens[row])
            until = _open_until(columns, columns.opens[row], at)
            if kind != OPENS_NEXT and until <= at:
                continue
            is_tied = here[0] >= 0 and columns.ties[row, 0] >= 0
            least = max(_at_least(chord) - slack, 0.0)
            way, minutes, most_cm = least * factor, _minutes(least, per_m), UNREACHED
            if is_tied:
                least_cm, most_cm = _by_landmarks(landmarks, columns.to_landmarks[row])
                way = max(way, least_cm / 100)
                minutes = max(minutes, -(-least_cm // columns.cm_a_minute))
            arrival = at + MINUTE * minutes
            if kind != OPENS_NEXT:
                if until <= arrival or (kind == HAVENS and until < arrival + columns.margin):
                    continue
                if kind == CLOSING and most_cm < UNREACHED:
                    latest = at + MINUTE * -(-most_cm // columns.cm_a_minute)
                    if until >= latest + columns.margin:
                        continue
                if count == limit and way > ways[count - 1]:
                    continue
            elif count == limit:
                soonest = _opening(columns.starts, columns.ends, first, last, at, arrival)
                if (max(soonest, arrival), way) > (instants[count - 1], ways[count - 1]):
                    continue
            distance = _metres(chord)
            if distance > max_distance_m:
                continue
            minutes, by_streets = _minutes(distance, on_foot.minutes_per_m), 0
            way = distance * on_foot.factor
            if is_tied:
                cm = _way_cm(columns, here, reached, row)
                if cm < UNREACHED:
                    way, minutes, by_streets = cm / 100, -(-cm // columns.cm_a_minute), 1
                else:
                    way = max(way, columns.no_way_cm / 100)
                    minutes = max(minutes, -(-columns.no_way_cm // columns.cm_a_minute))
            if distance > columns.near_m and way > longest_m:
                continue
            arrival = at + MINUTE * minutes
            instant = opens_at = 0
            if kind == OPENS_NEXT:
                if until > arrival:
                    continue
                opens_at = _opening(columns.starts, columns.ends, first, last, at, arrival)
                if opens_at == NEVER or not _open_until(columns, columns.lists[row], at):
                    continue
                instant = max(opens_at, arrival)
            elif until <= arrival or (until >= arrival + columns.margin) != (kind == HAVENS):
                continue
            place = count
            while place and (instant, way, columns.rank[row]) < (
                instants[place - 1],
                ways[place - 1],
                columns.rank[matches[place - 1, 0]],
            ):
                place -= 1
            if place == limit:
                continue
            count = min(count + 1, limit)
            for i in range(count - 1, place, -1):
                instants[i], metres[i], ways[i] = instants[i - 1], metres[i - 1], ways[i - 1]
                matches[i, 0], matches[i, 4] = matches[i - 1, 0], matches[i - 1, 4]
                matches[i, 6], matches[i, 7] = matches[i - 1, 6], matches[i - 1, 7]
            instants[place], metres[place], ways[place] = instant, distance, way
            matches[place, 0], matches[place, 4] = row, minutes
            matches[place, 6], matches[place, 7] = opens_at, by_streets
            if count == limit and kind != OPENS_NEXT:
                # As far as nobody can be whose way is as short as that of the worst.
                reach = (ways[count - 1] / factor + slack) / EARTH_RADIUS_M
                farthest = reach * reach * (1 + 1e-9)
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
def _open_until(columns: Columns, schedule: int, at: int) -> int:
    """When the interval of a schedule ends that `at` lies in; `NOT_OPEN` when it lies in none."""
    starts, ends = columns.starts, columns.ends
    first, last = _schedule(columns.offsets, schedule)
    # Most days are alike, so the place is nearly known.
    i = first + (at - columns.start) * (last - first) // (columns.horizon - columns.start)
    while i < last and ends[i] <= at:
        i += 1
    while i > first and ends[i - 1] > at:
        i -= 1
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
