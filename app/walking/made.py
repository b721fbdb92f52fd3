"""Making the streets of an installation out of an extract: the network, its grid, its labels."""

from collections.abc import Callable, Iterable, Sequence
from hashlib import file_digest
from pathlib import Path
from typing import Any

import numpy as np

from app.core.compiled import Ints, Shorts
from app.walking.access import Way
from app.walking.extract import Extract
from app.walking.loops import CELL_M, Labels, Ways, importance, in_lists, label
from app.walking.network import Network, network
from app.walking.streets import Streets, joined_ways

Track = Callable[[Sequence[Any]], Iterable[Any]]

_SAMPLES = 128
"""From so many junctions ways are followed to see which junctions most of them lead over."""

_PARTS = 50
"""In so many parts the labels of a profile are made, each a step of the progress bar."""


def streets(extract: Extract, source: Path, *, track: Track = iter) -> Streets:
    """The streets of an extract, which `source` is the file of."""
    drawn = network(extract)
    lengths = drawn.run[drawn.starts[1:] - 1].astype(np.int64)
    level = drawn.kinds & Way.STEPS == 0
    profiles = [
        joined_ways(drawn.tails, drawn.heads, lengths, drawn.junctions, of)
        for of in (np.ones(len(lengths), dtype=bool), level)
    ]
    rounds = [_Labelling(each) for each in profiles]
    for part in track(range(_PARTS * len(rounds))):
        rounds[part // _PARTS].advance(part % _PARTS)
    every, without_steps = (each.labels() for each in rounds)
    owner, grid, cells, steps = _grid(drawn)
    texts = [text.encode() for text in drawn.texts]
    with source.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    return Streets(
        source=f"{source.name} sha256 {digest}",
        taken_at=extract.taken_at.isoformat() if extract.taken_at else "",
        box=list(extract.box),
        scale=list(drawn.scale),
        detour_cm=[_detour(labels) for labels in (every, without_steps)],
        grid=grid,
        tails=drawn.tails,
        heads=drawn.heads,
        kinds=drawn.kinds,
        names=drawn.names,
        starts=drawn.starts,
        points=drawn.points,
        run=drawn.run,
        owner=owner,
        cells=cells,
        steps=steps,
        text=np.frombuffer(b"".join(texts), dtype=np.uint8),
        text_cuts=np.cumsum([0, *map(len, texts)]),
        label_offsets=every.offsets,
        label_hubs=every.hubs,
        label_cm=every.cm,
        level_offsets=without_steps.offsets,
        level_hubs=without_steps.hubs,
        level_cm=without_steps.cm,
    )


class _Labelling:
    """The labels of some ways while they are made."""

    def __init__(self, of: Ways) -> None:
        self._ways = of
        self._count = len(of.offsets) - 1
        spread = np.unique(np.linspace(0, max(self._count - 1, 0), _SAMPLES).astype(np.int64))
        passed = importance(of, spread if self._count else spread[:0])
        # What begins a way counts, too: of equal ones the one with more streets.
        self._order = np.lexsort((np.arange(self._count), -np.diff(of.offsets), -passed))
        self._newest = np.full(self._count, -1, dtype=np.int64)
        self._pool = np.empty((max(64 * self._count, 1), 3), dtype=np.int64)
        self._used = 0

    def advance(self, part: int) -> None:
        first, last = (self._count * p // _PARTS for p in (part, part + 1))
        self._pool, self._used = label(
            self._ways, self._order, first, last, self._newest, self._pool, self._used
        )

    def labels(self) -> Labels:
        return in_lists(self._newest, self._pool, self._used)


def _detour(labels: Labels) -> int:
    """How far any junction is from its first hub, at most."""
    return int(labels.cm[labels.offsets[:-1]].max(initial=0))


def _grid(drawn: Network) -> tuple[Shorts, list[int], Ints, Shorts]:
    """The owners of all steps, and the grid in which those lie that a place may be tied to."""
    points, starts = drawn.points.astype(np.int64), drawn.starts
    owner = np.repeat(np.arange(len(drawn.tails)), np.diff(starts)).astype(np.int32)
    owner[starts[1:] - 1] = -1
    if not len(points):
        return owner, [0, 0, 1, 1, 1], np.zeros(2, dtype=np.int64), owner
    untied = drawn.kinds & Way.UNTIED != 0
    chosen = np.flatnonzero((owner >= 0) & ~untied[owner])
    west, south = points.min(axis=0).tolist()
    # In the north a degree of longitude is the shortest.
    furthest = int(points[:, 1].max())
    narrow = drawn.scale.east - drawn.scale.narrows * (furthest - drawn.scale.middle)
    size = np.ceil(CELL_M / np.array([narrow, drawn.scale.north])).astype(np.int64)
    corner = np.array([west, south])
    columns, rows = ((points.max(axis=0) - corner) // size + 1).tolist()
    ends = np.stack((points[chosen], points[chosen + 1]))
    low, high = ((ends.min(axis=0) - corner) // size, (ends.max(axis=0) - corner) // size)
    pairs = [
        (row * columns + column, step)
        for step, (c0, r0), (c1, r1) in zip(
            chosen.tolist(), low.tolist(), high.tolist(), strict=True
        )
        for row in range(r0, r1 + 1)
        for column in range(c0, c1 + 1)
    ]
    cell, step = np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2).T
    cells = np.searchsorted(cell, np.arange(columns * rows + 1))
    grid = [west, south, *size.tolist(), columns]
    return owner, grid, cells.astype(np.int64), step.astype(np.int32)
