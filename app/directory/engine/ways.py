"""How far it is over the streets, by the hub labels in the columns of the search, compiled.

See `app.walking.loops.Labels`. Lengths are centimetres.
"""

from typing import Any, NamedTuple

import numpy as np

from app.core.compiled import (
    Ints,
    ShortLines,
    Shorts,
    address_of,
    compiled,
    compiled_maker,
    compiled_part,
)
from app.directory.engine.columns import (
    UNREACHED,
    columns_of,
    edges_of,
    labels_of,
    own_labels_of,
    reached_of,
)

NO_HUB = 2**31 - 1


class Tie(NamedTuple):
    """Where somebody is on the streets: the edge (-1 for none), how far along it and off it."""

    edge: int
    along: int
    off: int


@compiled_maker
def spread(packed: Any, tie: Tie) -> Shorts:
    """How far each hub is from a place, as far as it has a label there."""
    if tie.edge < 0:
        return np.empty(0, dtype=np.int32)
    tails, heads, lengths = edges_of(packed)
    memory, reached_from = reached_of(packed)
    reached: Shorts = memory
    if len(memory):
        forget(packed)  # what a question that broke off has left
        reached_from[0] = tie.edge
    else:
        reached = _nothing_reached(packed)
    _reach(packed, reached, tails[tie.edge], tie.off + tie.along)
    _reach(packed, reached, heads[tie.edge], tie.off + lengths[tie.edge] - tie.along)
    return reached


@compiled_part
def forget(packed: Any) -> None:
    """Let no hub be reached any more."""
    reached, reached_from = reached_of(packed)
    if len(reached) and reached_from[0] >= 0:
        tails, heads, _ = edges_of(packed)
        labels, hubs, _ = labels_of(packed)
        for end in (tails[reached_from[0]], heads[reached_from[0]]):
            for i in range(labels[end], labels[end + 1]):
                reached[hubs[i]] = UNREACHED
        reached_from[0] = -1


@compiled_maker
def _nothing_reached(packed: Any) -> Shorts:
    labels, _, _ = labels_of(packed)
    return np.full(len(labels), UNREACHED, dtype=np.int32)


@compiled_part
def _reach(packed: Any, reached: Shorts, junction: int, cm: int) -> None:
    labels, hubs, hub_cm = labels_of(packed)
    for i in range(labels[junction], labels[junction + 1]):
        reached[hubs[i]] = min(reached[hubs[i]], cm + hub_cm[i])


@compiled_part
def to_junction(packed: Any, reached: Shorts, junction: int) -> int:
    """How far a junction is from where hubs are reached from; `UNREACHED` where no way leads."""
    return _nearest(labels_of(packed), reached, junction)


@compiled_part
def _to_row(packed: Any, reached: Shorts, row: int) -> int:
    """The same of a row."""
    return _nearest(own_labels_of(packed), reached, row)


@compiled_part
def _nearest(labelled: tuple[Ints, Shorts, Shorts], reached: Shorts, place: int) -> int:
    offsets, hubs, hub_cm = labelled
    nearest = UNREACHED
    for i in range(offsets[place], offsets[place + 1]):
        nearest = min(nearest, np.int64(reached[hubs[i]]) + hub_cm[i])
    return nearest


@compiled_part
def way_cm(packed: Any, tie: Tie, reached: Shorts, row: int) -> int:
    """How far a row is from a place, from which hubs are reached; `UNREACHED` or more where no way
    leads."""
    ties = columns_of(packed).ties
    nearest = _to_row(packed, reached, row)
    if ties[row, 0] == tie.edge:
        nearest = min(nearest, abs(ties[row, 1] - tie.along) + tie.off + ties[row, 2])
    return nearest


@compiled_part
def by_landmarks(landmarks: Ints, to_landmarks: Shorts) -> tuple[int, int]:
    """How long the way between two places is at least and at most: neither way from one to a
    landmark is longer than the other with the way between."""
    least, most = 0, UNREACHED
    for i in range(len(landmarks)):
        if landmarks[i] < UNREACHED and to_landmarks[i] < UNREACHED:
            least = max(least, abs(landmarks[i] - to_landmarks[i]))
            most = min(most, landmarks[i] + to_landmarks[i])
    return least, most


@compiled
def own_labels(table: Any) -> tuple[Ints, Shorts, Shorts]:
    """Work out `Columns.own_labels`, `own_hubs` and `own_cm`, which may be empty in the columns.

    Both ends of an edge have most of their hubs in common; each is there once, over the nearer end.
    """
    packed = address_of(table)
    ties = columns_of(packed).ties
    tails, heads, lengths = edges_of(packed)
    labels, hubs, hub_cm = labels_of(packed)
    most = 0
    for row in range(len(ties)):
        if ties[row, 0] >= 0:
            for end in (tails[ties[row, 0]], heads[ties[row, 0]]):
                most += labels[end + 1] - labels[end]
    offsets = np.zeros(len(ties) + 1, dtype=np.int64)
    own_hubs, own_cm = np.empty(most, dtype=np.int32), np.empty(most, dtype=np.int32)
    used = 0
    for row in range(len(ties)):
        edge, along, off = ties[row, 0], ties[row, 1], ties[row, 2]
        if edge >= 0:
            a, a_end = labels[tails[edge]], labels[tails[edge] + 1]
            b, b_end = labels[heads[edge]], labels[heads[edge] + 1]
            while a < a_end or b < b_end:
                hub_a = hubs[a] if a < a_end else NO_HUB
                hub_b = hubs[b] if b < b_end else NO_HUB
                hub, nearest = min(hub_a, hub_b), UNREACHED
                if hub_a == hub:
                    nearest, a = min(nearest, off + along + hub_cm[a]), a + 1
                if hub_b == hub:
                    nearest, b = min(nearest, off + lengths[edge] - along + hub_cm[b]), b + 1
                own_hubs[used], own_cm[used] = hub, nearest
                used += 1
        offsets[row + 1] = used
    return offsets, own_hubs[:used].copy(), own_cm[:used].copy()


@compiled
def measure(table: Any, to_landmarks: ShortLines) -> None:
    """Work out `Columns.to_landmarks`, which may be empty in the columns."""
    packed = address_of(table)
    landmarks = columns_of(packed).landmarks
    for number in range(len(landmarks)):
        reached = _nothing_reached(packed)
        _reach(packed, reached, landmarks[number], 0)
        for row in range(len(to_landmarks)):
            to_landmarks[row, number] = _to_row(packed, reached, row)
