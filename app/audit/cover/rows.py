"""Which places meet which need: a question of cover, made as small as it can be asked.

Need is of a place and an hour of the week. What the same candidates meet is one row; a candidate
that meets nothing but what another meets, too, is left out: some best choice does without it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from app.venues.open_week import Bools, Floats

Ints: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True)
class Cover:
    """What each candidate meets: `meets` is of [candidate, row], `weight` of each row.

    `candidates` are their places in the list of those that were given, and `alike` how many of that
    list meet just the same; `row_of`, of [reach, place, hour], says in which row some need is
    counted, -1 where no candidate meets it.
    """

    candidates: Ints
    alike: Ints
    meets: Bools
    weight: Floats
    row_of: Ints

    def weighed(self, needs: Floats) -> Floats:
        """The weight of each row by other needs at the same reaches, places and hours."""
        counted = self.row_of >= 0
        rows = self.meets.shape[1]
        return np.bincount(self.row_of[counted], needs[counted], minlength=rows).astype(float)

    def met(self, chosen: Sequence[int]) -> float:
        """How much some candidates meet together."""
        return float(self.weight[self.meets[list(chosen)].any(axis=0)].sum())


def cover(needs: Floats, reaches: Bools, open_: Bools) -> Cover:
    """Put the question: `needs`, which are not met yet, are of [reach, place, hour]; `reaches`, of
    [reach, candidate, place], says whom a candidate is near; `open_` is of [candidate, hour]."""
    columns: list[NDArray[np.uint8]] = []
    row_of: Ints = np.full(needs.shape, -1)
    if not reaches.size:
        none = np.arange(0)
        return Cover(none, none, np.zeros((0, 0), bool), np.zeros(0), row_of)
    hours, hour_of = np.unique(np.packbits(open_, axis=0), axis=1, return_inverse=True)
    first = 0
    for number, near in enumerate(reaches):
        places, place_of = np.unique(np.packbits(near, axis=0), axis=1, return_inverse=True)
        # Which candidates meet a sort of place in a sort of hour, as bits.
        bits = (places[:, :, np.newaxis] & hours[:, np.newaxis, :]).reshape(len(places), -1)
        sort = place_of[:, np.newaxis] * hours.shape[1] + hour_of
        row_of[number] = np.where(needs[number] > 0, first + sort, -1)
        columns.append(bits)
        first += bits.shape[1]
    bits = np.concatenate(columns, axis=1)
    used = np.unique(row_of[row_of >= 0])
    used = used[bits[:, used].any(axis=0)]
    meets = np.unpackbits(bits[:, used], axis=0, count=len(open_)).astype(bool)
    candidates, alike = _undominated(np.unique(meets, axis=1))
    # Without those that are left out, more rows are the same.
    distinct, new = np.unique(meets[candidates], axis=1, return_inverse=True)
    # What is -1 reads the last one, which is -1.
    renamed = np.full(bits.shape[1] + 1, -1)
    renamed[used] = new
    put = Cover(candidates, alike, distinct, np.zeros(0), renamed[row_of])
    return replace(put, weight=put.weighed(needs))


def _undominated(meets: Bools) -> tuple[Ints, Ints]:
    """The candidates that meet something, and not just a part of what another one meets; of equals
    the first, with how many they are."""
    _, first, alike = np.unique(meets, axis=0, return_index=True, return_counts=True)
    order = np.argsort(first)
    some, alike = first[order], alike[order]
    of = meets[some].astype(np.float64)
    size = of.sum(axis=1)
    is_part = (of @ of.T == size[:, np.newaxis]) & (size[:, np.newaxis] < size)
    kept = (size > 0) & ~is_part.any(axis=1)
    return some[kept], alike[kept]


def greedy(cover: Cover, most: int) -> list[int]:
    """Candidates one after the other, each the one that meets most of what is left; of equals the
    first. It ends early where nothing is left."""
    chosen: list[int] = []
    left = cover.weight.copy()
    for _ in range(most):
        gains = cover.meets @ left
        best = int(np.argmax(gains)) if len(gains) else -1
        if best < 0 or gains[best] <= 0:
            break
        chosen.append(best)
        left[cover.meets[best]] = 0
    return chosen
