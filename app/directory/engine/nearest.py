"""The search for the nearest havens, by the rules that `app.directory.rules` begins with.

It is compiled loops over columns, and goes best first through a tree of blocks. Rows lie
in blocks of `LEAF`, those in blocks of blocks, each with its bounding box and with what a search
must know to pass it by at any instant: the minutes in which a haven inside is open, opens and
shuts. These don't change as time goes by, so nothing is worked out again at midnight, at closing
time, or when somebody asks about next Friday.

Only plain loops on arrays in this and in what it imports of `engine`: without the compiler the same
functions run in Python. They hand on the columns as they are packed, and each takes out what it
reads: handed on one by one, their holders would be counted with every call.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from app.core.compiled import (
    FloatLines,
    Floats,
    IntLines,
    Ints,
    Shorts,
    address_of,
    compiled,
    compiled_maker,
    compiled_part,
)
from app.core.places import EARTH_RADIUS_M
from app.directory.engine.columns import (
    MINUTE,
    NEVER,
    NO_END,
    UNREACHED,
    columns_of,
)
from app.directory.engine.heap import rise, sink
from app.directory.engine.hours import current, first_in, open_until, opening, span
from app.directory.engine.sphere import (
    ROUNDING,
    Place,
    at_least,
    at_most,
    bearing,
    bounds,
    chord_squared,
    direction,
    east_and_north,
    metres,
)
from app.directory.engine.ways import Tie, by_landmarks, forget, spread, to_junction, way_cm

HAVENS, CLOSING, OPENS_NEXT = range(3)

SHRUNK, SLACK_M = 1 - 1e-5, 0.05
"""A way over the streets is as long as the crow's flight at least, but for what rounding and the
flat map of an edge may take from it."""

ROW, TEXT_FROM, TEXT_TO, BEARING, MINUTES, UNTIL, OPENS_AT, BY_STREETS, DISTANCE, WAY = range(10)
"""What is said of each haven in an answer, the last two as floats."""

NONE_WORSE = NEVER, math.inf


Heap = tuple[Ints, Floats, Ints]


class Wanted(NamedTuple):
    """What is looked for, and from where; `landmarks` are how far each of those is, and there are
    none for who is on no street. What lies farther than `Columns.near_m` must not be more than
    `longest_m` on foot."""

    kind: int
    at: int
    limit: int
    needs: int
    max_distance_m: float
    longest_m: float
    here: Place
    tie: Tie
    landmarks: Ints


class Feet(NamedTuple):
    """How long ways are by distance: those of the estimate, in minutes and metres, and what any is
    at least; and how many minutes a metre of way takes, never too many and never too few."""

    minutes_per_m: float
    factor: float
    least_factor: float
    slack_m: float
    least_minutes: float
    most_minutes: float


@compiled
def answer(
    table: Any,
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
    packed = address_of(table)
    columns = columns_of(packed)
    here, tie = direction(lat, lon), Tie(edge, along_cm, off_cm)
    reached = spread(packed, tie)
    landmarks = np.empty(len(columns.landmarks) if edge >= 0 else 0, dtype=np.int64)
    for i in range(len(landmarks)):
        landmarks[i] = to_junction(packed, reached, columns.landmarks[i])
    a_metre = 100 / columns.cm_a_minute
    on_foot = Feet(
        minutes_per_m,
        walking_factor,
        # What a way is at least, by the crow's flight: so many times it, and less so much.
        SHRUNK if edge >= 0 else walking_factor,
        SLACK_M if edge >= 0 else 0.0,
        a_metre * (1 - ROUNDING),
        a_metre * (1 + ROUNDING),
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
            wanted = Wanted(kind, at, limit, needs, farthest, longest, here, tie, landmarks)
            total += _best(packed, wanted, on_foot, reached, heap, matches[total:], lengths[total:])
        if kind == HAVENS:
            havens = total
            for i in range(total):
                near += lengths[i, DISTANCE] <= columns.near_m
        elif kind == CLOSING:
            closing = total
    forget(packed)
    east, north = east_and_north(lat, lon)
    for i in range(total):
        row = matches[i, ROW]
        matches[i, TEXT_FROM], matches[i, TEXT_TO] = columns.cuts[row], columns.cuts[row + 1]
        matches[i, BEARING] = bearing(here, east, north, columns.places[row])
        until = open_until(packed, columns.opens[row], at)
        # Where the horizon cuts it off, nobody knows that it closes then.
        matches[i, UNTIL] = until if until < columns.horizon else NO_END
    return havens, closing, matches[:total]


@compiled_maker
def _best(
    packed: Any,
    wanted: Wanted,
    on_foot: Feet,
    reached: Shorts,
    heap: Heap,
    matches: IntLines,
    lengths: FloatLines,
) -> int:
    """Fill in at most `limit` rows, by (instant, way on foot, id); how many there are.

    A block waits under bounds that no row in it can beat: the crow's flight is no longer than any
    way. When it is the first of those that wait, what it holds takes its place; so do rows, under
    their own bounds, and when one is the first its way is measured. The search ends when none that
    waits could be better than the worst of the rows it has; of equal rank, it may.
    """
    instants, surely = np.empty(wanted.limit, dtype=np.int64), np.full(wanted.limit, math.inf)
    found = instants, surely, matches, lengths
    heap_at, heap_m, heap_item = heap
    heap_at[0], heap_m[0], heap_item[0] = 0, 0.0, len(columns_of(packed).children) - 1
    count, waiting = _go_on(packed, wanted, on_foot, reached, heap, found, 0, 1)
    while waiting:
        heap_at = np.concatenate((heap_at, np.empty_like(heap_at)))
        heap_m = np.concatenate((heap_m, np.empty_like(heap_m)))
        heap_item = np.concatenate((heap_item, np.empty_like(heap_item)))
        heap = heap_at, heap_m, heap_item
        count, waiting = _go_on(packed, wanted, on_foot, reached, heap, found, count, waiting)
    return count


@compiled_part
def _go_on(
    packed: Any,
    wanted: Wanted,
    on_foot: Feet,
    reached: Shorts,
    heap: Heap,
    found: tuple[Ints, Floats, IntLines, FloatLines],
    count: int,
    waiting: int,
) -> tuple[int, int]:
    """Search to the end, or until the heap has no room for what is to wait; how many rows there
    are, and how many still wait."""
    columns = columns_of(packed)
    limit, blocks = wanted.limit, len(columns.children)
    instants, surely, matches, lengths = found
    heap_at, heap_m, heap_item = heap
    while waiting:
        instant, way, item = heap_at[0], heap_m[0], heap_item[0]
        worst = (instants[limit - 1], lengths[limit - 1, WAY]) if count == limit else NONE_WORSE
        if (instant, way) > worst:
            break
        if item < blocks:
            held = columns.children[item, 1] - columns.children[item, 0]
            if waiting - 1 + held > len(heap_at):
                return count, waiting
        waiting -= 1
        sink(heap_at, heap_m, heap_item, waiting)
        if item >= blocks:
            count = _rank(
                packed, wanted, on_foot, reached, item - blocks, instants, count, matches, lengths
            )
        elif item < columns.leaves:
            waiting = _add_rows(packed, wanted, on_foot, item, way, worst, surely, heap, waiting)
        else:
            waiting = _add_blocks(packed, wanted, on_foot, item, worst, heap, waiting)
    return count, 0


@compiled_part
def _add_rows(
    packed: Any,
    wanted: Wanted,
    on_foot: Feet,
    block: int,
    way: float,
    worst: tuple[int, float],
    surely: Floats,
    heap: Heap,
    waiting: int,
) -> int:
    """Let wait what can count of the rows in a block; how many wait then.

    `surely` are the shortest of those ways that are known to be no longer, of rows that are sure to
    count: so what is farther need not wait.
    """
    columns = columns_of(packed)
    kind, at, limit, needs = wanted.kind, wanted.at, wanted.limit, wanted.needs
    margin, blocks = columns.margin, len(columns.children)
    heap_at, heap_m, heap_item = heap
    # Until when a row in it must be open, if it is to count.
    after, before = -1, NEVER
    if kind != OPENS_NEXT:
        after = at + MINUTE * _minutes(way, on_foot.least_minutes)
    if kind == HAVENS:
        after += margin - 1
    if kind == CLOSING:
        _, far = bounds(wanted.here, columns.low[block], columns.high[block])
        before = at + margin + MINUTE * _most_minutes(packed, wanted, on_foot, block, far)
    longest, farthest = math.inf, math.inf
    if kind != OPENS_NEXT:
        longest = min(worst[1], surely[limit - 1])
        farthest = _chord_of_way(longest, on_foot)
    for row in range(columns.children[block, 0], columns.children[block, 1]):
        if columns.provides[row] & needs != needs or columns.opens[row] < 0:
            continue
        # What follows is the dearer the later it comes.
        until = open_until(packed, columns.opens[row], at)
        if not after < until < before:
            continue
        chord = chord_squared(wanted.here, columns.places[row])
        if chord > farthest:
            continue
        near_m = at_least(chord)
        way, most_m = max(near_m - on_foot.slack_m, 0.0) * on_foot.least_factor, math.inf
        if wanted.tie.edge < 0 or columns.ties[row, 0] < 0:
            most_m = at_most(chord) * on_foot.factor
        else:
            least_cm, most_cm = by_landmarks(wanted.landmarks, columns.to_landmarks[row])
            way = max(way, least_cm / 100)
            if most_cm < UNREACHED:
                most_m = most_cm / 100
        if near_m > wanted.max_distance_m or way > longest:
            continue
        if near_m > columns.near_m and way > wanted.longest_m:
            continue
        instant, arrival = 0, at + MINUTE * _minutes(way, on_foot.least_minutes)
        if kind == OPENS_NEXT:
            opens_at = opening(packed, columns.opens[row], at, arrival)
            if opens_at == NEVER:
                continue
            instant = max(opens_at, arrival)
        elif until <= arrival or (kind == HAVENS and until < arrival + margin):
            continue
        elif most_m < math.inf and until >= at + margin + MINUTE * _minutes(
            most_m, on_foot.most_minutes
        ):
            if kind == CLOSING:
                continue
            if most_m < surely[limit - 1] and at_most(chord) <= wanted.max_distance_m:
                _put_in(surely, most_m)
                longest = min(longest, surely[limit - 1])
                farthest = _chord_of_way(longest, on_foot)
        if (instant, way) > worst:
            continue
        rise(heap_at, heap_m, heap_item, waiting, instant, way, blocks + row)
        waiting += 1
    return waiting


@compiled_part
def _put_in(shortest: Floats, way: float) -> None:
    """Put a way in its place among the shortest, of which the longest is left out."""
    place = len(shortest) - 1
    while place and shortest[place - 1] > way:
        shortest[place] = shortest[place - 1]
        place -= 1
    shortest[place] = way


@compiled_part
def _chord_of_way(way: float, on_foot: Feet) -> float:
    """The square of the longest chord to anything that a way may be as short to."""
    reach = (way / on_foot.least_factor + on_foot.slack_m) / EARTH_RADIUS_M
    return reach * reach * (1 + ROUNDING)


@compiled_part
def _add_blocks(
    packed: Any,
    wanted: Wanted,
    on_foot: Feet,
    block: int,
    worst: tuple[int, float],
    heap: Heap,
    waiting: int,
) -> int:
    """Let wait what something can count in, of the blocks in a block; how many wait then."""
    columns = columns_of(packed)
    kind, at, needs = wanted.kind, wanted.at, wanted.needs
    start, margin = columns.start, columns.margin
    minute = (at - start) // MINUTE
    heap_at, heap_m, heap_item = heap
    for child in range(columns.children[block, 0], columns.children[block, 1]):
        if columns.any_provides[child] & needs != needs:
            continue
        if kind != OPENS_NEXT and first_in(columns.open_in, child, minute, minute + 1) < 0:
            continue
        near, far = bounds(wanted.here, columns.low[child], columns.high[child])
        near_m = at_least(near)
        way = max(near_m - on_foot.slack_m, 0.0) * on_foot.least_factor
        if near_m > wanted.max_distance_m:
            continue
        if near_m > columns.near_m and way > wanted.longest_m:
            continue
        # Before which instant no row in it can be ranked, and whether any can be at all.
        instant, arrival = 0, at + MINUTE * _minutes(way, on_foot.least_minutes)
        if kind == HAVENS:
            last = (arrival + margin - 1 - start) // MINUTE
            if (
                columns.longest[child] < arrival + margin - at
                or first_in(columns.open_in, child, last, last + 1) < 0
            ):
                continue
        elif kind == CLOSING:
            latest = at + margin + MINUTE * _most_minutes(packed, wanted, on_foot, child, far)
            i, end = span(columns.shutting, child)
            i = current(columns.shuts, i, end, arrival)
            while i < end and columns.shuts[i] < latest and columns.since[i] > at:
                i += 1
            if i == end or columns.shuts[i] >= latest:
                continue
        else:
            if arrival >= columns.last_shutting[child]:
                continue
            last = (columns.last_opening[child] - start) // MINUTE
            first = first_in(columns.opens_in, child, minute + 1, last + 1)
            if first < 0:
                continue
            instant = max(start + MINUTE * first, arrival)
        if (instant, way) > worst:
            continue
        rise(heap_at, heap_m, heap_item, waiting, instant, way, child)
        waiting += 1
    return waiting


@compiled_part
def _rank(
    packed: Any,
    wanted: Wanted,
    on_foot: Feet,
    reached: Shorts,
    row: int,
    instants: Ints,
    count: int,
    matches: IntLines,
    lengths: FloatLines,
) -> int:
    """Measure the way to a row, and put it in its place if it counts; how many there are then."""
    columns = columns_of(packed)
    kind, at = wanted.kind, wanted.at
    distance = metres(chord_squared(wanted.here, columns.places[row]))
    way, by_streets = distance * on_foot.factor, 0
    minutes = _minutes(distance, on_foot.minutes_per_m)
    if wanted.tie.edge >= 0 and columns.ties[row, 0] >= 0:
        cm = way_cm(packed, wanted.tie, reached, row)
        if cm < UNREACHED:
            way, minutes, by_streets = cm / 100, -(-cm // columns.cm_a_minute), 1
        else:
            way = max(way, columns.no_way_cm / 100)
            minutes = max(minutes, -(-columns.no_way_cm // columns.cm_a_minute))
    if distance > wanted.max_distance_m:
        return count
    if distance > columns.near_m and way > wanted.longest_m:
        return count
    until, arrival = open_until(packed, columns.opens[row], at), at + MINUTE * minutes
    instant = opens_at = 0
    if kind == OPENS_NEXT:
        if until > arrival:
            return count
        opens_at = opening(packed, columns.opens[row], at, arrival)
        if opens_at == NEVER or not open_until(packed, columns.lists[row], at):
            return count
        instant = max(opens_at, arrival)
    elif until <= arrival or (until >= arrival + columns.margin) != (kind == HAVENS):
        return count
    place = count
    while place and (instant, way, columns.rank[row]) < (
        instants[place - 1],
        lengths[place - 1, WAY],
        columns.rank[matches[place - 1, ROW]],
    ):
        place -= 1
    if place == wanted.limit:
        return count
    count = min(count + 1, wanted.limit)
    for i in range(count - 1, place, -1):
        instants[i] = instants[i - 1]
        for said in range(WAY + 1):
            matches[i, said] = matches[i - 1, said]
    instants[place] = instant
    matches[place, ROW], matches[place, MINUTES] = row, minutes
    matches[place, OPENS_AT], matches[place, BY_STREETS] = opens_at, by_streets
    lengths[place, DISTANCE], lengths[place, WAY] = distance, way
    return count


@compiled_part
def _most_minutes(packed: Any, wanted: Wanted, on_foot: Feet, block: int, far: float) -> int:
    """How many minutes it is to anything in a block, at most, of which the longest chord is `far`
    squared."""
    columns = columns_of(packed)
    most_cm = UNREACHED
    if len(wanted.landmarks):
        _, most_cm = by_landmarks(wanted.landmarks, columns.most_to_landmarks[block])
    minutes = -(-min(most_cm, columns.any_way_cm) // columns.cm_a_minute)
    if most_cm == UNREACHED:
        # To something in it there may be no way that is known, or none but the estimate.
        minutes = max(minutes, _minutes(at_most(far), on_foot.minutes_per_m))
    return int(minutes)


@compiled_part
def _minutes(metres: float, minutes_per_m: float) -> int:
    return math.ceil(metres * minutes_per_m)
