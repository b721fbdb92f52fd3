"""The loops over a street network: ways from a junction, hub labels, and where a place is tied.

A hub label of a junction is a list of junctions with the way to each, such that of any two that
hang together the shortest way leads over a hub that both have: so the way between them is found in
two short lists (pruned landmark labelling: Akiba, Iwata and Yoshida, SIGMOD 2013). Hubs are
numbered by rank, the one most ways lead over first, and stand in that order.

Plain loops on arrays; without the compiler the same functions run in Python. All lengths are whole
centimetres.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from app.core.compiled import (
    Floats,
    Ints,
    ShortLines,
    Shorts,
    address_of,
    compiled,
    compiled_part,
    unpacked,
)

NO_WAY = 2**31 - 1
"""So far is what no way leads to."""

_NODE = 2**31
"""A place in a heap is one number: the way so far, times this, and the junction."""


class Ways(NamedTuple):
    """Which junctions are next to each, `to[offsets[j]:offsets[j + 1]]`, over which edge, and how
    far they are."""

    offsets: Ints
    to: Shorts
    edges: Ints
    cm: Shorts


class Labels(NamedTuple):
    """`hubs[offsets[j]:offsets[j + 1]]` are the hubs of a junction, by rank; `cm` how far."""

    offsets: Ints
    hubs: Shorts
    cm: Shorts


@compiled_part
def _push(heap: Ints, size: int, item: int) -> None:
    place = size
    while place:
        above = (place - 1) // 2
        if heap[above] <= item:
            break
        heap[place] = heap[above]
        place = above
    heap[place] = item


@compiled_part
def _pop(heap: Ints, size: int) -> int:
    """Take the least of `size` items off."""
    top, item, place, size = heap[0], heap[size - 1], 0, size - 1
    while 2 * place + 1 < size:
        below = 2 * place + 1
        if below + 1 < size and heap[below + 1] < heap[below]:
            below += 1
        if item <= heap[below]:
            break
        heap[place] = heap[below]
        place = below
    heap[place] = item
    return int(top)


@compiled
def distances(ways: Ways, sources: Ints, begin: Ints, farthest: int) -> tuple[Ints, Ints]:
    """How far every junction is from the nearest of some, which are `begin` away themselves, and
    the junction before it on that way (-1 at its beginning); `NO_WAY` beyond `farthest`."""
    cm = np.full(len(ways.offsets) - 1, NO_WAY, dtype=np.int64)
    before = np.full(len(cm), -1, dtype=np.int64)
    heap, size = np.empty(len(ways.to) + len(sources) + 1, dtype=np.int64), 0
    for i in range(len(sources)):
        if begin[i] <= farthest and begin[i] < cm[sources[i]]:
            cm[sources[i]] = begin[i]
            _push(heap, size, begin[i] * _NODE + sources[i])
            size += 1
    while size:
        item = _pop(heap, size)
        size -= 1
        far, node = item // _NODE, item % _NODE
        if far > cm[node]:
            continue
        for i in range(ways.offsets[node], ways.offsets[node + 1]):
            next_far = far + int(ways.cm[i])
            if next_far <= farthest and next_far < cm[ways.to[i]]:
                cm[ways.to[i]] = next_far
                before[ways.to[i]] = node
                _push(heap, size, next_far * _NODE + int(ways.to[i]))
                size += 1
    return cm, before


@compiled
def importance(ways: Ways, samples: Ints) -> Floats:
    """How many shortest ways lead over each junction, from some to all."""
    passed = np.zeros(len(ways.offsets) - 1)
    for sample in samples:
        cm, before = distances(ways, np.array([sample]), np.zeros(1, dtype=np.int64), NO_WAY - 1)
        behind = np.ones(len(cm))
        for node in np.argsort(cm)[::-1]:
            if cm[node] < NO_WAY and before[node] >= 0:
                behind[before[node]] += behind[node]
        for node in range(len(cm)):
            if cm[node] < NO_WAY:
                passed[node] += behind[node]
    return passed


@compiled
def label(
    ways: Ways, order: Ints, first: int, last: int, newest: Ints, pool: Ints, used: int
) -> tuple[Ints, int]:
    """Give a label to whatever the hubs of ranks `first` to `last` are the best way to.

    `newest` is the place in `pool` of each junction's latest label, -1 for none; a line of `pool`
    is a hub's rank, the way to it, and the place of the label before. Returns the pool, which may
    be another one, and how much of it is used.
    """
    count = len(newest)
    cm = np.full(count, NO_WAY, dtype=np.int64)
    to_hub = np.full(count, NO_WAY, dtype=np.int64)
    heap = np.empty(len(ways.to) + 1, dtype=np.int64)
    touched = np.empty(count, dtype=np.int64)
    for rank in range(first, last):
        root = order[rank]
        place = newest[root]
        while place >= 0:
            to_hub[pool[place, 0]] = pool[place, 1]
            place = pool[place, 2]
        heap[0], size, cm[root], touched[0], touches = root, 1, 0, root, 1
        while size:
            item = _pop(heap, size)
            size -= 1
            far, node = item // _NODE, item % _NODE
            if far > cm[node]:
                continue
            place, is_known = newest[node], False
            while place >= 0 and not is_known:
                is_known = to_hub[pool[place, 0]] + pool[place, 1] <= far
                place = pool[place, 2]
            if is_known:
                continue
            if used == len(pool):
                pool = np.concatenate((pool, np.empty_like(pool)))
            pool[used, 0], pool[used, 1], pool[used, 2] = rank, far, newest[node]
            newest[node] = used
            used += 1
            for i in range(ways.offsets[node], ways.offsets[node + 1]):
                next_far = far + int(ways.cm[i])
                if next_far < cm[ways.to[i]]:
                    if cm[ways.to[i]] == NO_WAY:
                        touched[touches] = ways.to[i]
                        touches += 1
                    cm[ways.to[i]] = next_far
                    _push(heap, size, next_far * _NODE + int(ways.to[i]))
                    size += 1
        for i in range(touches):
            cm[touched[i]] = NO_WAY
        place = newest[root]
        while place >= 0:
            to_hub[pool[place, 0]] = NO_WAY
            place = pool[place, 2]
    return pool, used


@compiled
def in_lists(newest: Ints, pool: Ints, used: int) -> Labels:
    """The labels of all junctions, one list after the other."""
    offsets = np.zeros(len(newest) + 1, dtype=np.int64)
    hubs, cm = np.empty(used, dtype=np.int32), np.empty(used, dtype=np.int32)
    for node in range(len(newest)):
        place, size = newest[node], 0
        while place >= 0:
            size, place = size + 1, pool[place, 2]
        offsets[node + 1] = offsets[node] + size
        place, i = newest[node], offsets[node + 1]
        while place >= 0:
            i -= 1
            hubs[i], cm[i] = pool[place, 0], pool[place, 1]
            place = pool[place, 2]
    return Labels(offsets, hubs, cm)


class Lines(NamedTuple):
    """What a place is tied to: the steps of all shapes, and the cells of a grid that hold them.

    `scale` is north, east and narrows of `app.walking.network.Scale`. `owner[i]` is the edge on
    which the step from point `i` to the next lies, -1 where none begins. Cell `c` holds the steps
    `steps[cells[c]:cells[c + 1]]`; there are `columns` in a row of them, from the corner (`west`,
    `south`), each `wide` and `high` (millionths of a degree).
    """

    scale: Floats
    middle: int
    points: ShortLines
    run: Shorts
    owner: Shorts
    names: Shorts
    cells: Ints
    steps: Shorts
    west: int
    south: int
    wide: int
    high: int
    columns: int


_unpacked: Any = unpacked(Lines, __file__)

CELL_M = 50
"""No cell is narrower or lower."""


@compiled
def nearest_step(
    packed: Any, lat: float, lon: float, farthest_m: float, wanted: Shorts
) -> tuple[int, int, int]:
    """The edge nearest to a place, how far along it that is, and how far off; -1 without one.

    `packed` are `Lines`. `wanted` are the names that count, all of them when it is empty. Of
    several equally near edges the first, so that every program comes to the same.
    """
    lines = _unpacked(address_of(packed))
    x, y = lon * 1e6, lat * 1e6
    north = lines.scale[0]
    across = lines.scale[1] - lines.scale[2] * (y - lines.middle)
    column = math.floor((x - lines.west) / lines.wide)
    row = math.floor((y - lines.south) / lines.high)
    rows = (len(lines.cells) - 1) // lines.columns
    best, step, part = farthest_m * farthest_m, -1, 0.0
    ring = 0
    # What is not in the rings looked through lies at least a cell less than their number away.
    while ring == 0 or ((ring - 1) * CELL_M) ** 2 <= best:
        for r in range(max(row - ring, 0), min(row + ring, rows - 1) + 1):
            is_edge = r in (row - ring, row + ring)
            stride = 1 if is_edge else max(2 * ring, 1)
            for c in range(column - ring, column + ring + 1, stride):
                if not 0 <= c < lines.columns:
                    continue
                cell = r * lines.columns + c
                for i in range(lines.cells[cell], lines.cells[cell + 1]):
                    s = lines.steps[i]
                    if len(wanted):
                        is_wanted = False
                        for name in wanted:
                            is_wanted |= name == lines.names[lines.owner[s]]
                        if not is_wanted:
                            continue
                    ax = (lines.points[s, 0] - x) * across
                    ay = (lines.points[s, 1] - y) * north
                    dx = (lines.points[s + 1, 0] - x) * across - ax
                    dy = (lines.points[s + 1, 1] - y) * north - ay
                    square = dx * dx + dy * dy
                    t = -(ax * dx + ay * dy) / square if square > 0 else 0.0
                    t = min(max(t, 0.0), 1.0)
                    px, py = ax + t * dx, ay + t * dy
                    off = px * px + py * py
                    if off < best or (off == best and (step < 0 or s < step)):
                        best, step, part = off, s, t
        ring += 1
    if step < 0:
        return -1, 0, 0
    along = lines.run[step] + math.floor(part * (lines.run[step + 1] - lines.run[step]) + 0.5)
    return lines.owner[step], along, math.ceil(math.sqrt(best) * 100)


End = tuple[int, int]
"""A junction, and how far off it somebody is."""


@compiled
def between(labels: Labels, tail: End, head: End, to_tail: End, to_head: End) -> int:
    """The shortest way from the ends of one edge to those of another; `NO_WAY` without one."""
    best = NO_WAY
    for node, off in (tail, head):
        for to_node, to_off in (to_tail, to_head):
            a, a_end = labels.offsets[node], labels.offsets[node + 1]
            b, b_end = labels.offsets[to_node], labels.offsets[to_node + 1]
            while a < a_end and b < b_end:
                if labels.hubs[a] == labels.hubs[b]:
                    best = min(best, off + labels.cm[a] + labels.cm[b] + to_off)
                    a, b = a + 1, b + 1
                elif labels.hubs[a] < labels.hubs[b]:
                    a += 1
                else:
                    b += 1
    return best
