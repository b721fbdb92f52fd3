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

NO_HUB = 2**31 - 1

OF_INSTANT = 2**22
"""In one number, what is known of a schedule at an instant: the instant, times this, and how much
longer it is open. Nothing that is worked out lasts as long."""

ROUNDING = 1e-9
"""By no greater part of themselves do lengths come out wrong."""

SHRUNK, SLACK_M = 1 - 1e-5, 0.05
"""A way over the streets is as long as the crow's flight at least, but for what rounding and the
flat map of an edge may take from it."""


Place = tuple[float, float, float]
"""A point on the unit sphere."""


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
    how far the farthest row of each block is. The hubs of row r and how far it is from them, over
    either end of its edge, lie from `own_labels[r]` to `own_labels[r + 1]`.
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
    own_labels: Ints
    own_hubs: Shorts
    own_cm: Shorts
    known: Ints


@compiled
def direction(lat: float, lon: float) -> Place:
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
    at least; and how many minutes a metre of way takes, never too many and never too few."""

    minutes_per_m: float
    factor: float
    least_factor: float
    slack_m: float
    least_minutes: float
    most_minutes: float


class Here(NamedTuple):
    """Where somebody asks from: on the unit sphere, and there where east and north are; on the
    streets the edge (-1 for none), how far along it and off it, in centimetres."""

    place: Place
    east: Place
    north: Place
    edge: int
    along: int
    off: int


ROW, TEXT_FROM, TEXT_TO, BEARING, MINUTES, UNTIL, OPENS_AT, BY_STREETS, DISTANCE, WAY = range(10)
"""What is said of each haven in an answer, the last two as floats."""


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
) -> tuple[int, int, IntLines]:
    """The nearest havens open at `at`, those closing, and what opens next.

    Where somebody asks from is tied to an edge of the streets, or to none, which is -1.

    Where the first two of the three end; of each haven the row, where its text begins and ends,
    bearing, walking minutes, until when it is open (or `NOT_OPEN`, `NO_END`), when it opens (or 0),
    whether the minutes are over the streets; and, as floats, how far it is, and how far on foot.
    """
    columns = _unpacked(packed)
    here = _here(lat, lon, edge, along_cm, off_cm)
    reached = _spread(packed, here)
    landmarks = np.empty(len(columns.landmarks) if edge >= 0 else 0, dtype=np.int64)
    for i in range(len(landmarks)):
        landmarks[i] = _to_junction(packed, reached, columns.landmarks[i])
    on_foot = Feet(
        minutes_per_m,
        walking_factor,
        # What a way is at least, by the crow's flight: so many times it, and less so much.
        SHRUNK if edge >= 0 else walking_factor,
        SLACK_M if edge >= 0 else 0.0,
        100 / columns.cm_a_minute * (1 - ROUNDING),
        100 / columns.cm_a_minute * (1 + ROUNDING),
    )
    matches = np.empty((3 * limit, WAY + 1), dtype=np.int64)
    lengths = matches.view(np.float64)
    heap = np.empty(256, dtype=np.int64), np.empty(256), np.empty(256, dtype=np.int64)
    total = havens = closing = near = 0
    # A loop, so that the search is compiled once.
    for kind in range(OPENS_NEXT + 1):
        farthest = max_distance_m if kind != OPENS_NEXT else math.inf
        # Nobody goes far, past as many open doors as they asked for, to one about to shut.
        longest = lengths[total - 1, WAY] if kind == CLOSING and total == limit else math.inf
        if kind != OPENS_NEXT or near < limit:
            total += _best(
                kind,
                packed,
                here,
                at,
                limit,
                needs,
                farthest,
                longest,
                on_foot,
                reached,
                landmarks,
                heap,
                matches[total:],
                lengths[total:],
            )
        if kind == HAVENS:
            havens = total
            for i in range(total):
                near += lengths[i, DISTANCE] <= columns.near_m
        elif kind == CLOSING:
            closing = total
    for i in range(total):
        row = matches[i, ROW]
        matches[i, TEXT_FROM], matches[i, TEXT_TO] = columns.cuts[row], columns.cuts[row + 1]
        matches[i, BEARING] = _bearing(here, columns.places[row])
        until = _open_until(packed, columns.opens[row], at)
        # Where the horizon cuts it off, nobody knows that it closes then.
        matches[i, UNTIL] = until if until < columns.horizon else NO_END
    return havens, closing, matches[:total]


@compiled_part
def _here(lat: float, lon: float, edge: int, along: int, off: int) -> Here:
    place = direction(lat, lon)
    phi, turn = math.radians(lat), math.radians(lon)
    east = -math.sin(turn), math.cos(turn), 0.0
    north = -math.sin(phi) * math.cos(turn), -math.sin(phi) * math.sin(turn), math.cos(phi)
    return Here(place, east, north, edge, along, off)


@compiled_part
def _spread(packed: Any, here: Here) -> Shorts:
    """How far each hub is from a place, in centimetres, as far as it has a label there."""
    columns = _unpacked(packed)
    if here.edge < 0:
        return np.empty(0, dtype=np.int32)
    reached = np.full(len(columns.labels), UNREACHED, dtype=np.int32)
    _reach(packed, reached, columns.tails[here.edge], here.off + here.along)
    rest = columns.lengths[here.edge] - here.along
    _reach(packed, reached, columns.heads[here.edge], here.off + rest)
    return reached


@compiled_part
def _reach(packed: Any, reached: Shorts, node: int, cm: int) -> None:
    columns = _unpacked(packed)
    for i in range(columns.labels[node], columns.labels[node + 1]):
        reached[columns.hubs[i]] = min(reached[columns.hubs[i]], cm + columns.hub_cm[i])


@compiled_part
def _to_junction(packed: Any, reached: Shorts, node: int) -> int:
    """How far a junction is from where hubs are reached from, in centimetres."""
    columns = _unpacked(packed)
    nearest = UNREACHED
    for i in range(columns.labels[node], columns.labels[node + 1]):
        nearest = min(nearest, np.int64(reached[columns.hubs[i]]) + columns.hub_cm[i])
    return nearest


@compiled_part
def _to_row(packed: Any, reached: Shorts, row: int) -> int:
    """The same of a row."""
    columns = _unpacked(packed)
    nearest = UNREACHED
    for i in range(columns.own_labels[row], columns.own_labels[row + 1]):
        nearest = min(nearest, np.int64(reached[columns.own_hubs[i]]) + columns.own_cm[i])
    return nearest


@compiled_part
def _way_cm(packed: Any, here: Here, reached: Shorts, row: int) -> int:
    """How far a row is over the streets, in centimetres; `UNREACHED` or more where none lead."""
    columns = _unpacked(packed)
    nearest = _to_row(packed, reached, row)
    if columns.ties[row, 0] == here.edge:
        apart = abs(columns.ties[row, 1] - here.along)
        nearest = min(nearest, apart + here.off + columns.ties[row, 2])
    return nearest


@compiled
def own_labels(packed: Any) -> tuple[Ints, Shorts, Shorts]:
    """Work out `Columns.own_labels`, `own_hubs` and `own_cm`, which may be empty in the columns."""
    columns = _unpacked(packed)
    rows, most = len(columns.ties), 0
    for row in range(rows):
        edge = columns.ties[row, 0]
        if edge >= 0:
            for node in (columns.tails[edge], columns.heads[edge]):
                most += columns.labels[node + 1] - columns.labels[node]
    offsets = np.zeros(rows + 1, dtype=np.int64)
    hubs, cm = np.empty(most, dtype=np.int32), np.empty(most, dtype=np.int32)
    used = 0
    for row in range(rows):
        edge, along, off = columns.ties[row, 0], columns.ties[row, 1], columns.ties[row, 2]
        if edge >= 0:
            tail, head = columns.tails[edge], columns.heads[edge]
            a, a_end = columns.labels[tail], columns.labels[tail + 1]
            b, b_end = columns.labels[head], columns.labels[head + 1]
            to_tail, to_head = off + along, off + columns.lengths[edge] - along
            while a < a_end or b < b_end:
                hub_a = columns.hubs[a] if a < a_end else NO_HUB
                hub_b = columns.hubs[b] if b < b_end else NO_HUB
                hub, nearest = min(hub_a, hub_b), UNREACHED
                if hub_a == hub:
                    nearest, a = min(nearest, to_tail + columns.hub_cm[a]), a + 1
                if hub_b == hub:
                    nearest, b = min(nearest, to_head + columns.hub_cm[b]), b + 1
                hubs[used], cm[used] = hub, nearest
                used += 1
        offsets[row + 1] = used
    return offsets, hubs[:used].copy(), cm[:used].copy()


@compiled
def measure(packed: Any, to_landmarks: ShortLines) -> None:
    """Work out `Columns.to_landmarks`, which may be empty in the columns."""
    columns = _unpacked(packed)
    for number in range(len(columns.landmarks)):
        reached = np.full(len(columns.labels), UNREACHED, dtype=np.int32)
        _reach(packed, reached, columns.landmarks[number], 0)
        for row in range(len(to_landmarks)):
            to_landmarks[row, number] = _to_row(packed, reached, row)


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
    packed: Any,
    here: Here,
    at: int,
    limit: int,
    needs: int,
    max_distance_m: float,
    longest_m: float,
    on_foot: Feet,
    reached: Shorts,
    landmarks: Ints,
    heap: tuple[Ints, Floats, Ints],
    matches: IntLines,
    lengths: FloatLines,
) -> int:
    """Fill in at most `limit` rows, by (instant, way on foot, id); how many there are.

    A block waits under bounds that no row in it can beat: the crow's flight is no longer than any
    way. When it is the first of those that wait, what it holds takes its place; so do rows, under
    their own bounds, and when one is the first its way is measured. The search ends when none that
    waits could be better than the worst of the rows it has; of equal rank, it may. What lies
    farther than `near_m` must not be more than `longest_m` on foot.
    """
    columns = _unpacked(packed)
    instants = np.empty(limit, dtype=np.int64)
    # The shortest of those ways that are known to be no longer, of rows that are sure to count.
    surely = np.full(limit, math.inf)
    count, farthest = 0, math.inf
    minute = (at - columns.start) // MINUTE
    factor, slack = on_foot.least_factor, on_foot.slack_m
    least_minutes, most_minutes = on_foot.least_minutes, on_foot.most_minutes
    blocks = len(columns.children)
    heap_at, heap_m, heap_item = heap
    heap_at[0], heap_m[0], heap_item[0], waiting = 0, 0.0, blocks - 1, 1
    while waiting:
        instant, way, item = heap_at[0], heap_m[0], heap_item[0]
        if count == limit and (instant, way) > (instants[count - 1], lengths[count - 1, WAY]):
            break
        waiting -= 1
        _sink(heap_at, heap_m, heap_item, waiting)
        if item < blocks:
            begin, end = columns.children[item, 0], columns.children[item, 1]
            while waiting + end - begin > len(heap_at):
                heap_at = np.concatenate((heap_at, np.empty_like(heap_at)))
                heap_m = np.concatenate((heap_m, np.empty_like(heap_m)))
                heap_item = np.concatenate((heap_item, np.empty_like(heap_item)))
            if item < columns.leaves:
                # Until when a row in it must be open, if it is to count.
                after, before = -1, NEVER
                if kind == HAVENS:
                    after = at + MINUTE * _minutes(way, least_minutes) + columns.margin - 1
                elif kind == CLOSING:
                    after = at + MINUTE * _minutes(way, least_minutes)
                    _, far = _bounds(here.place, columns.low[item], columns.high[item])
                    before = at + columns.margin
                    before += MINUTE * _most_minutes(packed, landmarks, item, far, on_foot)
                for row in range(begin, end):
                    if columns.provides[row] & needs != needs or columns.opens[row] < 0:
                        continue
                    # What follows is the dearer the later it comes.
                    until = _open_until(packed, columns.opens[row], at)
                    if not after < until < before:
                        continue
                    chord = _chord_squared(here.place, columns.places[row])
                    if chord > farthest:
                        continue
                    near_m = _at_least(chord)
                    way, most_cm = max(near_m - slack, 0.0) * factor, UNREACHED
                    if here.edge >= 0 and columns.ties[row, 0] >= 0:
                        least_cm, most_cm = _by_landmarks(landmarks, columns.to_landmarks[row])
                        way = max(way, least_cm / 100)
                    if near_m > max_distance_m or (near_m > columns.near_m and way > longest_m):
                        continue
                    instant = 0
                    arrival = at + MINUTE * _minutes(way, least_minutes)
                    if kind == HAVENS:
                        if until < arrival + columns.margin or way > surely[limit - 1]:
                            continue
                        most_m = most_cm / 100 if most_cm < UNREACHED else math.inf
                        if here.edge < 0 or columns.ties[row, 0] < 0:
                            most_m = _at_most(chord) * on_foot.factor
                        if (
                            most_m < surely[limit - 1]
                            and until
                            >= at + MINUTE * _minutes(most_m, most_minutes) + columns.margin
                            and _at_most(chord) <= max_distance_m
                        ):
                            place = limit - 1
                            while place and surely[place - 1] > most_m:
                                surely[place] = surely[place - 1]
                                place -= 1
                            surely[place] = most_m
                            reach = (surely[limit - 1] / factor + slack) / EARTH_RADIUS_M
                            farthest = min(farthest, reach * reach * (1 + ROUNDING))
                    elif kind == CLOSING:
                        if until <= arrival:
                            continue
                        if most_cm < UNREACHED:
                            latest = at + MINUTE * -(-most_cm // columns.cm_a_minute)
                            if until >= latest + columns.margin:
                                continue
                    else:
                        first, last = _schedule(columns.offsets, columns.opens[row])
                        opening = _opening(columns.starts, columns.ends, first, last, at, arrival)
                        if opening == NEVER:
                            continue
                        instant = max(opening, arrival)
                    if count == limit and (instant, way) > (
                        instants[count - 1],
                        lengths[count - 1, WAY],
                    ):
                        continue
                    _rise(heap_at, heap_m, heap_item, waiting, instant, way, blocks + row)
                    waiting += 1
                continue
            for child in range(begin, end):
                if columns.any_provides[child] & needs != needs:
                    continue
                if kind != OPENS_NEXT and _first_in(columns.open_in, child, minute, minute + 1) < 0:
                    continue
                near, far = _bounds(here.place, columns.low[child], columns.high[child])
                near_m = _at_least(near)
                way = max(near_m - slack, 0.0) * factor
                if near_m > max_distance_m or (near_m > columns.near_m and way > longest_m):
                    continue
                # Before which instant no row in it can be ranked, and whether any can be at all.
                instant = 0
                arrival = at + MINUTE * _minutes(way, least_minutes)
                if kind == HAVENS:
                    needed = arrival + columns.margin
                    last = (needed - 1 - columns.start) // MINUTE
                    if (
                        columns.longest[child] < needed - at
                        or _first_in(columns.open_in, child, last, last + 1) < 0
                    ):
                        continue
                elif kind == CLOSING:
                    latest = at + columns.margin
                    latest += MINUTE * _most_minutes(packed, landmarks, child, far, on_foot)
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
                    opening = _first_in(columns.opens_in, child, minute + 1, last + 1)
                    if opening < 0:
                        continue
                    instant = max(columns.start + MINUTE * opening, arrival)
                if count == limit and (instant, way) > (
                    instants[count - 1],
                    lengths[count - 1, WAY],
                ):
                    continue
                _rise(heap_at, heap_m, heap_item, waiting, instant, way, child)
                waiting += 1
            continue
        row = item - blocks
        distance = _metres(_chord_squared(here.place, columns.places[row]))
        minutes, by_streets = _minutes(distance, on_foot.minutes_per_m), 0
        way = distance * on_foot.factor
        if here.edge >= 0 and columns.ties[row, 0] >= 0:
            cm = _way_cm(packed, here, reached, row)
            if cm < UNREACHED:
                way, minutes, by_streets = cm / 100, -(-cm // columns.cm_a_minute), 1
            else:
                way = max(way, columns.no_way_cm / 100)
                minutes = max(minutes, -(-columns.no_way_cm // columns.cm_a_minute))
        if distance > max_distance_m or (distance > columns.near_m and way > longest_m):
            continue
        until = _open_until(packed, columns.opens[row], at)
        arrival = at + MINUTE * minutes
        instant = opens_at = 0
        if kind == OPENS_NEXT:
            if until > arrival:
                continue
            first, last = _schedule(columns.offsets, columns.opens[row])
            opens_at = _opening(columns.starts, columns.ends, first, last, at, arrival)
            if opens_at == NEVER or not _open_until(packed, columns.lists[row], at):
                continue
            instant = max(opens_at, arrival)
        elif until <= arrival or (until >= arrival + columns.margin) != (kind == HAVENS):
            continue
        place = count
        while place and (instant, way, columns.rank[row]) < (
            instants[place - 1],
            lengths[place - 1, WAY],
            columns.rank[matches[place - 1, ROW]],
        ):
            place -= 1
        if place == limit:
            continue
        count = min(count + 1, limit)
        for i in range(count - 1, place, -1):
            instants[i] = instants[i - 1]
            matches[i] = matches[i - 1]
        instants[place] = instant
        matches[place, ROW], matches[place, MINUTES] = row, minutes
        matches[place, OPENS_AT], matches[place, BY_STREETS] = opens_at, by_streets
        lengths[place, DISTANCE], lengths[place, WAY] = distance, way
        if count == limit and kind != OPENS_NEXT:
            # As far as nobody can be whose way is as short as that of the worst.
            reach = (lengths[count - 1, WAY] / factor + slack) / EARTH_RADIUS_M
            farthest = reach * reach * (1 + ROUNDING)
    return count


@compiled_part
def _most_minutes(packed: Any, landmarks: Ints, block: int, far: float, on_foot: Feet) -> int:
    """How many minutes it is to anything in a block, at most."""
    columns = _unpacked(packed)
    most_cm = UNREACHED
    if len(landmarks):
        _, most_cm = _by_landmarks(landmarks, columns.most_to_landmarks[block])
    minutes = -(-min(most_cm, columns.any_way_cm) // columns.cm_a_minute)
    if most_cm == UNREACHED:
        # To something in it there may be no way that is known, or none but the estimate.
        minutes = max(minutes, _minutes(_at_most(far), on_foot.minutes_per_m))
    return int(minutes)


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
def _open_until(packed: Any, schedule: int, at: int) -> int:
    """When the interval of a schedule ends that `at` lies in; `NOT_OPEN` when it lies in none."""
    known: int = _unpacked(packed).known[schedule]
    if known // OF_INSTANT != at:
        known = _found_open_until(packed, schedule, at)
    return at + known % OF_INSTANT if known % OF_INSTANT else NOT_OPEN


@compiled_part
def _found_open_until(packed: Any, schedule: int, at: int) -> int:
    """The same where it is not known from before, as `Columns.known` has it from now on."""
    columns = _unpacked(packed)
    starts, ends = columns.starts, columns.ends
    first, last = _schedule(columns.offsets, schedule)
    # Most days are alike, so the place is nearly known.
    i = first + (at - columns.start) * (last - first) // (columns.horizon - columns.start)
    while i < last and ends[i] <= at:
        i += 1
    while i > first and ends[i - 1] > at:
        i -= 1
    longer = ends[i] - at if i < last and starts[i] <= at else 0
    columns.known[schedule] = at * OF_INSTANT + longer
    return at * OF_INSTANT + longer


@compiled_part
def _opening(starts: Ints, ends: Ints, first: int, last: int, at: int, arrival: int) -> int:
    """The first opening after `at` that somebody who arrives at `arrival` does not find over."""
    i = _current(ends, first, last, arrival)
    while i < last and starts[i] <= at:
        i += 1
    return starts[i] if i < last else NEVER


@compiled_part
def _rise(
    heap_at: Ints, heap_m: Floats, heap_item: Ints, place: int, instant: int, m: float, item: int
) -> None:
    while place:
        above = (place - 1) // 2
        if (heap_at[above], heap_m[above]) <= (instant, m):
            break
        heap_at[place], heap_m[place] = heap_at[above], heap_m[above]
        heap_item[place] = heap_item[above]
        place = above
    heap_at[place], heap_m[place], heap_item[place] = instant, m, item


@compiled_part
def _sink(heap_at: Ints, heap_m: Floats, heap_item: Ints, size: int) -> None:
    """Fill the top of a heap, which has been taken off, with its last entry."""
    instant, m, item, place = heap_at[size], heap_m[size], heap_item[size], 0
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
        heap_item[place] = heap_item[below]
        place = below
    heap_at[place], heap_m[place], heap_item[place] = instant, m, item


@compiled_part
def _chord_squared(origin: Place, place: Floats) -> float:
    x, y, z = place[0] - origin[0], place[1] - origin[1], place[2] - origin[2]
    return float(x * x + y * y + z * z)


@compiled_part
def _bounds(origin: Place, low: Floats, high: Floats) -> tuple[float, float]:
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
    return EARTH_RADIUS_M * math.sqrt(chord_squared) * (1 - ROUNDING)


@compiled_part
def _at_most(chord_squared: float) -> float:
    """No less than `_metres`: up to a tenth of the earth's radius, the arc is hardly longer."""
    if chord_squared > 0.01:
        return _metres(chord_squared) * (1 + ROUNDING)
    return EARTH_RADIUS_M * math.sqrt(chord_squared) * 1.0005


@compiled_part
def _minutes(metres: float, minutes_per_m: float) -> int:
    return math.ceil(metres * minutes_per_m)


@compiled_part
def _bearing(here: Here, place: Floats) -> int:
    """The direction in which the shortest way begins, in whole degrees clockwise from north."""
    x, y, z = place[0] - here.place[0], place[1] - here.place[1], place[2] - here.place[2]
    east = x * here.east[0] + y * here.east[1]
    north = x * here.north[0] + y * here.north[1] + z * here.north[2]
    return round(math.degrees(math.atan2(east, north))) % 360
