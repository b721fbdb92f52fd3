"""The street network in memory: where a place is tied to it, and how far it is on foot."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import combinations, pairwise
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from app.core import column_file, files
from app.core.compiled import Floats, Ints, Shorts, packed
from app.walking.access import Way
from app.walking.file import FORM, STREETS, UnusableStreets, what_is_wrong
from app.walking.loops import NO_WAY, Labels, Lines, Ways, between, distances, nearest_step
from app.walking.words import spoken

REACH_M = 100
"""Whoever is farther from any street is not on the network."""

OWN_STREET_M = 60
"""So far a door may be from the street that its address names, though another one is nearer."""

_LANDMARKS, _AMONG = 8, 128
"""How many landmarks there are, and of how many junctions they are chosen."""

Bytes = NDArray[np.uint8]


class Tie(NamedTuple):
    """Where a place is on the network: so far along an edge, and so far off it, in centimetres."""

    edge: int
    along_cm: int
    off_cm: int


@dataclass(frozen=True, eq=False)
class Streets:
    """The network of an area, as `app.walking.network.Network` describes it, with its labels.

    `text[text_cuts[n]:text_cuts[n + 1]]` is the name of number `n`, in UTF-8. `label_*` are the hub
    labels of all ways, `level_*` of those without known steps: see `app.walking.loops.Labels`.
    `detour_cm` are, for both, an upper bound of the way from any junction to the first hub of it.
    What is left is the grid of `app.walking.loops.Lines`. `box` is what the file covers: west,
    south, east, north in degrees; `source` and `taken_at` say of what and when it was made.
    """

    source: str
    taken_at: str
    box: list[float]
    scale: list[float]
    detour_cm: list[int]
    grid: list[int]
    tails: Shorts
    heads: Shorts
    kinds: Shorts
    names: Shorts
    starts: Shorts
    points: Shorts
    run: Shorts
    owner: Shorts
    cells: Ints
    steps: Shorts
    text: Bytes
    text_cuts: Ints
    label_offsets: Ints
    label_hubs: Shorts
    label_cm: Shorts
    level_offsets: Ints
    level_hubs: Shorts
    level_cm: Shorts
    checksum: str = ""

    @classmethod
    def load(cls, path: Path) -> "Streets":
        """The streets in a file, once it proved whole. Raises `UnusableStreets`."""
        try:
            with path.open("rb") as file:
                return cls.of(b"".join(column_file.pieces(file, FORM)))
        except OSError as error:
            raise UnusableStreets(f"{path.name}: {error.strerror}") from None
        except column_file.WRONG:
            raise UnusableStreets(what_is_wrong(path)) from None

    @classmethod
    def of(cls, memory: mmap | bytes) -> "Streets":
        """The streets in the memory of a file that is whole. Raises some of `WRONG`."""
        values, checksum = column_file.read(memory, FORM, KINDS)
        streets = cls(**values, checksum=checksum)
        streets._check()
        return streets

    @classmethod
    def mapped(cls, file: int) -> "Streets":
        """The streets in an open file that nobody changes any more, which may then be closed."""
        return cls.of(mmap(file, 0, access=ACCESS_READ))

    @property
    def junctions(self) -> int:
        """How many there are."""
        return len(self.label_offsets) - 1

    @cached_property
    def texts(self) -> list[str]:
        """All names, by their numbers."""
        whole = self.text.tobytes()
        return [whole[a:b].decode() for a, b in pairwise(self.text_cuts.tolist())]

    @cached_property
    def lengths(self) -> Ints:
        """How long each edge is, in centimetres."""
        return self.run[self.starts[1:] - 1].astype(np.int64)

    def labels(self, *, step_free: bool = False) -> Labels:
        """The hub labels of all ways, or of those without known steps."""
        if step_free:
            return Labels(self.level_offsets, self.level_hubs, self.level_cm)
        return Labels(self.label_offsets, self.label_hubs, self.label_cm)

    def landmarks(self, *, step_free: bool = False) -> Ints:
        """Some junctions that many ways lead over, far from each other: ways to them tell something
        of ways between any two places."""
        return self._level_landmarks if step_free else self._all_landmarks

    @cached_property
    def _all_landmarks(self) -> Ints:
        return _landmarks(self.labels())

    @cached_property
    def _level_landmarks(self) -> Ints:
        return _landmarks(self.labels(step_free=True))

    def tie(self, lat: float, lon: float, street: str = "") -> Tie | None:
        """Where a place is tied; None when it is more than `REACH_M` from any street.

        An edge that bears a name in `street`, which may be a whole address, is preferred to a
        nearer one without, up to `OWN_STREET_M`.
        """
        wanted = self._named_in(street) if street else _ANY
        edge, along, off = -1, 0, 0
        if len(wanted):
            edge, along, off = nearest_step(self.packed_lines, lat, lon, OWN_STREET_M, wanted)
        if edge < 0:
            edge, along, off = nearest_step(self.packed_lines, lat, lon, REACH_M, _ANY)
        return Tie(edge, along, off) if edge >= 0 else None

    def metres(self, a: Tie, b: Tie, *, step_free: bool = False) -> float:
        """How far it is on foot between two places; infinite when no way is known."""
        cm = self.between(a, b, step_free=step_free)
        return (cm + a.off_cm + b.off_cm) / 100 if cm < NO_WAY else float("inf")

    def between(self, a: Tie, b: Tie, *, step_free: bool = False) -> int:
        """How many centimetres of street lie between two places; `NO_WAY` if no way is known."""
        labels = self.labels(step_free=step_free)
        cm = between(labels, *self.ends(a), *self.ends(b))
        return min(cm, abs(a.along_cm - b.along_cm)) if a.edge == b.edge else cm

    def table(
        self, from_ties: Sequence[Tie], to_ties: Sequence[Tie], *, step_free: bool = False
    ) -> Floats:
        """How far it is on foot from each of some places (lines) to each of others (columns)."""
        return np.array(
            [[self.metres(a, b, step_free=step_free) for b in to_ties] for a in from_ties]
        ).reshape(len(from_ties), len(to_ties))

    def reach(self, ties: Iterable[Tie], metres: float, *, step_free: bool = False) -> Ints:
        """How many centimetres of each edge lie within a way of so many metres from some places."""
        ties, farthest = list(ties), int(metres * 100)
        ends = np.array([e for tie in ties for e in self.ends(tie)], dtype=np.int64).reshape(-1, 2)
        begin = ends[:, 1] + np.repeat([tie.off_cm for tie in ties], 2).astype(np.int64)
        far, _ = distances(
            self.ways(step_free=step_free), ends[:, 0].astype(np.int64), begin, farthest
        )
        from_tail, from_head = (
            np.clip(farthest - far[of], 0, self.lengths) for of in (self.tails, self.heads)
        )
        covered: Ints = np.minimum(from_tail + from_head, self.lengths)
        on_edge: dict[int, list[tuple[int, int]]] = {}
        for edge, along, off in ties:
            if (left := farthest - off) > 0:
                on_edge.setdefault(edge, []).append((along - left, along + left))
        for edge, spans in on_edge.items():
            length = int(self.lengths[edge])
            spans += [(0, int(from_tail[edge])), (length - int(from_head[edge]), length)]
            covered[edge] = _covered(spans, length)
        return covered

    def ways(self, *, step_free: bool = False) -> Ways:
        """Which junctions are next to each, all of them or without known steps."""
        return self._level_ways if step_free else self._all_ways

    @cached_property
    def _all_ways(self) -> Ways:
        every = np.ones(len(self.tails), dtype=bool)
        return joined_ways(self.tails, self.heads, self.lengths, self.junctions, every)

    @cached_property
    def _level_ways(self) -> Ways:
        level = self.kinds & Way.STEPS == 0
        return joined_ways(self.tails, self.heads, self.lengths, self.junctions, level)

    def ends(self, tie: Tie) -> tuple[tuple[int, int], tuple[int, int]]:
        """Both ends of the edge of a tie, and how far they are along it."""
        rest = int(self.lengths[tie.edge]) - tie.along_cm
        return (int(self.tails[tie.edge]), tie.along_cm), (int(self.heads[tie.edge]), rest)

    @cached_property
    def lines(self) -> Lines:
        """What a place is tied to."""
        west, south, wide, high, columns = self.grid
        _, *metres = self.scale
        return Lines(
            np.array(metres),
            int(self.scale[0]),
            self.points,
            self.run,
            self.owner,
            self.names,
            self.cells,
            self.steps,
            west,
            south,
            wide,
            high,
            columns,
        )

    @cached_property
    def packed_lines(self) -> Any:
        """The same, as compiled functions take it."""
        return packed(self.lines)

    @cached_property
    def _spoken(self) -> dict[str, list[int]]:
        """The names as they are told apart, and of which numbers each is."""
        spoken_names: dict[str, list[int]] = {}
        for number, text in enumerate(self.texts):
            spoken_names.setdefault(spoken(text), []).append(number)
        return spoken_names

    def _named_in(self, address: str) -> Shorts:
        words = spoken(address).split()
        parts = {" ".join(words[a:b]) for a, b in combinations(range(len(words) + 1), 2)}
        numbers = [number for part in parts for number in self._spoken.get(part, [])]
        return np.array(sorted(numbers), dtype=np.int32)

    def _check(self) -> None:
        """Raise ValueError unless all that points into a column points inside it."""
        edges, points, junctions = len(self.tails), len(self.points), self.junctions
        _, _, wide, high, columns = self.grid
        if not (
            len(self.scale) == 4
            and len(self.box) == 4
            and len(self.detour_cm) == 2
            and min(wide, high, columns) > 0
            and (len(self.cells) - 1) % columns == 0
            and self.points.shape == (points, 2)
            and all(len(getattr(self, name)) == edges for name in ("heads", "kinds", "names"))
            and all(len(getattr(self, name)) == points for name in ("run", "owner"))
            and _within(self.tails, 0, junctions - 1)
            and _within(self.heads, 0, junctions - 1)
            and _within(self.names, -1, len(self.text_cuts) - 2)
            and _within(self.owner, -1, edges - 1)
            and _within(self.steps, 0, points - 2)
            and (not points or self.owner[-1] == -1)
            and _rises(self.starts, edges + 1, points)
            and _rises(self.cells, len(self.cells), len(self.steps))
            and _rises(self.text_cuts, len(self.text_cuts), len(self.text))
            and all(
                len(labels.hubs) == len(labels.cm)
                and _rises(labels.offsets, junctions + 1, len(labels.hubs))
                and _within(labels.hubs, 0, junctions - 1)
                and _within(labels.cm, 0, NO_WAY - 1)
                for labels in (self.labels(), self.labels(step_free=True))
            )
        ):
            raise ValueError


KINDS: dict[str, np.dtype[Any]] = {
    field.name: np.dtype(get_args(get_args(field.type)[1])[0])
    for field in fields(Streets)
    if get_args(field.type) and get_args(field.type)[1:]
}
"""What the items of each column are."""

_ANY: Shorts = np.zeros(0, dtype=np.int32)


def save(streets: Streets, folder: Path) -> None:
    """Put streets in the place of those there are, in one step. Raises OSError."""
    values = {field.name: getattr(streets, field.name) for field in fields(streets)}
    columns = {name: values[name] for name in KINDS}
    single = {n: v for n, v in values.items() if n not in columns and n != "checksum"}
    files.replace(folder / STREETS, column_file.content(FORM, single, columns))


def joined_ways(
    tails: Shorts, heads: Shorts, lengths: Ints, junctions: int, chosen: NDArray[np.bool_]
) -> Ways:
    """Which junctions the chosen ones of some edges lead to from each, in both directions."""
    of = np.flatnonzero(chosen)
    start, to = (np.concatenate(ends) for ends in ((tails[of], heads[of]), (heads[of], tails[of])))
    edges = np.concatenate((of, of))
    order = np.argsort(start, kind="stable")
    offsets = np.searchsorted(start[order], np.arange(junctions + 1))
    edges = edges[order]
    return Ways(offsets.astype(np.int64), to[order], edges, lengths[edges].astype(np.int32))


def _landmarks(labels: Labels) -> Ints:
    offsets, hubs, cm = labels
    # The last label of a junction is its own, which bears its rank.
    first: Ints = np.argsort(hubs[offsets[1:] - 1], kind="stable")[:_AMONG]
    ways = np.full((len(first), len(offsets) - 1), NO_WAY, dtype=np.int64)
    for place, node in enumerate(first):
        of = slice(offsets[node], offsets[node + 1])
        ways[place, hubs[of]] = cm[of]
    chosen, far = [0], (ways + ways[0]).min(axis=1)
    while len(chosen) < _LANDMARKS:
        chosen.append(int(far.argmax()))
        far = np.minimum(far, (ways + ways[chosen[-1]]).min(axis=1))
    return first[chosen]


def _covered(spans: list[tuple[int, int]], length: int) -> int:
    covered, reached = 0, 0
    for start, end in sorted(spans):
        covered += max(min(end, length) - max(start, reached), 0)
        reached = max(reached, min(end, length))
    return covered


def _within(numbers: Any, low: int, high: int) -> bool:
    return not numbers.size or bool(low <= numbers.min() and numbers.max() <= high)


def _rises(cuts: Any, size: int, end: int) -> bool:
    """Whether so many numbers cut a column of so many items from its beginning to its end."""
    return (
        len(cuts) == size
        and cuts[0] == 0
        and cuts[-1] == end
        and bool((cuts[:-1] <= cuts[1:]).all())
    )
