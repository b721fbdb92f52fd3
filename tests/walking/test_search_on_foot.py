"""The search over streets against a brute force: its own Dijkstra, its own ties, its own rules."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from shutil import copyfile
from uuid import UUID

import numpy as np
import pytest

from app.core.db import connected, read_session
from app.core.places import Point
from app.directory.build import build
from app.directory.engine.columns import UNREACHED
from app.directory.engine.search import Question, Search
from app.directory.snapshot import STEP_FREE
from app.walking.extract import read_extract
from app.walking.made import streets
from app.walking.streets import Streets, save
from tests.conftest import Scale
from tests.directory.engine.test_search import (
    WEEKDAYS,
    Floats,
    Haven,
    Ints,
    Oracle,
    compare,
    some_havens,
    some_instants,
    store,
)
from tests.factories import utc
from tests.walking.copies import copies
from tests.walking.dijkstra import Dijkstra, tied
from tests.walking.test_streets import DATA, ragged
from tests.walking.towns import grid, place

NOW = utc("2027-03-23T02:40")


class OnFoot(Oracle):
    """The brute force, with ways over streets where there are some."""

    def __init__(self, havens: Sequence[Haven], search: Search) -> None:
        super().__init__(havens, search.snapshot.start)
        self._streets = search.streets
        assert self._streets
        self._ties = self._tied([haven.place for haven in self.havens])
        self._ways = [Dijkstra(self._streets, step_free=kind) for kind in (False, True)]

    def on_foot(self, questions: Sequence[Question], metres: Floats) -> tuple[Floats, Ints]:
        assert self._streets
        ways, minutes = super().on_foot(questions, metres)
        ties = self._tied([question.origin for question in questions])
        for step_free in (False, True):
            asked = np.array([bool(q.needs & STEP_FREE) == step_free for q in questions])
            both = (asked & (ties[:, 0] >= 0))[:, None] & (self._ties[None, :, 0] >= 0)
            cm = self._ways[step_free].cm(ties, self._ties)
            # Where no way is known, it is taken to be as long as any can be.
            unknown = 2 * self._streets.detour_cm[step_free]
            known = both & np.isfinite(cm)
            lost = both & ~np.isfinite(cm)
            ways = np.where(known, cm / 100, np.where(lost, np.maximum(ways, unknown / 100), ways))
            most = np.maximum(minutes, -(-unknown // 8000))
            over = np.ceil(np.where(known, cm, 0) / 8000).astype(int)
            minutes = np.where(known, over, np.where(lost, most, minutes))
        return ways, minutes

    def _tied(self, places: Sequence[Point]) -> Ints:
        assert self._streets
        return np.array([tied(self._streets, p.lat, p.lon) for p in places], dtype=np.int64)


def on_streets(
    folder: Path, template: Path, made: Streets, havens: Sequence[Haven]
) -> tuple[Search, OnFoot]:
    """A search over streets, and the brute force that it is held to."""
    path = copyfile(template, folder / "havens.sqlite")
    with connected(f"sqlite:///{path}") as engine:
        store(engine, havens)
        with read_session(engine) as session:
            search = Search(build(session, NOW, made), streets=made)
    return search, OnFoot(havens, search)


def questions(
    random: Random, oracle: OnFoot, number: int, south_west: Point, north_east: Point
) -> Iterator[Question]:
    """Of people in a box: each with other wishes, at instants at which much changes."""
    for at in some_instants(random, oracle, number):
        yield Question(
            Point(
                random.uniform(south_west.lat, north_east.lat),
                random.uniform(south_west.lon, north_east.lon),
            ),
            at,
            limit=random.choice([1, 2, 3, 5, 5, 5, 10, 50]),
            needs=random.choice([0, 0, STEP_FREE, STEP_FREE, random.getrandbits(10) & 0b1000101]),
            max_distance_m=random.choice([math.inf, math.inf, math.inf, 150.0, 800.0]),
        )


def test_over_the_streets_of_a_town(tmp_path: Path, sqlite_template: Path, scale: Scale) -> None:
    random = Random(7)
    havens = [
        replace(haven, place=Point(*place(random.uniform(-50, 1150), random.uniform(-50, 1150))))
        for haven in some_havens(random, 60, documents=40)
    ]
    # One is on no street; one is far away, and where the other is nobody knows a way from.
    havens[0] = replace(havens[0], place=Point(*place(500, 1400)))
    search, oracle = on_streets(tmp_path, sqlite_template, ragged(3).streets(tmp_path), havens)
    corners = Point(*place(-150, -150)), Point(*place(1250, 1250))
    asked = list(questions(random, oracle, scale(2000), *corners))
    entries = compare(search, oracle, asked)
    assert min(entries) > scale(100)
    by_streets = [m.by_streets for q in asked for part in search.answer(q) for m in part]
    assert {0, 1} == set(by_streets)


def test_nothing_of_a_question_is_left_and_nothing_that_is_left_is_believed(
    tmp_path: Path, sqlite_template: Path
) -> None:
    random = Random(11)
    havens = [
        replace(haven, place=Point(*place(random.uniform(0, 1100), random.uniform(0, 1100))))
        for haven in some_havens(random, 40, documents=20)
    ]
    search, oracle = on_streets(tmp_path, sqlite_template, ragged(3).streets(tmp_path), havens)
    streets = search.streets
    assert streets
    asked = list(questions(random, oracle, 50, Point(*place(0, 0)), Point(*place(1100, 1100))))
    expected = [search.answer(question) for question in asked]
    for question, answer in zip(asked, expected, strict=True):
        step_free = bool(question.needs & STEP_FREE)
        columns, labels = search._columns[step_free], streets.labels(step_free=step_free)
        # As when there was no memory for the rest of an answer.
        edge = random.randrange(len(streets.tails))
        columns.reached_from[0] = edge
        for end in (streets.tails[edge], streets.heads[edge]):
            columns.reached[labels.hubs[labels.offsets[end] : labels.offsets[end + 1]]] = 0
        assert search.answer(question) == answer
        assert columns.reached_from.tolist() == [-1]
        assert set(columns.reached.tolist()) <= {UNREACHED}


@pytest.mark.drill
@pytest.mark.skipif(not DATA.exists(), reason="needs ../shared/data/streets")
@pytest.mark.parametrize("number", [60, 1159])
@pytest.mark.parametrize("side", [1, 2])
def test_over_the_streets_of_london(
    side: int, number: int, tmp_path: Path, sqlite_template: Path
) -> None:
    """And over those of a town of four times the area."""
    random, file = Random(number), DATA / "london.osm.pbf"
    made = streets(copies(read_extract(file, None), side), file)
    west, south, east, north = made.box
    havens = [
        replace(haven, place=Point(random.uniform(south, north), random.uniform(west, east)))
        for haven in some_havens(random, number, documents=120)
    ]
    search, oracle = on_streets(tmp_path, sqlite_template, made, havens)
    asked = list(questions(random, oracle, 2000, Point(south, west), Point(north, east)))
    assert min(compare(search, oracle, asked)) > 50


def test_the_other_bank_is_farther_than_it_looks(tmp_path: Path, sqlite_template: Path) -> None:
    """The nearest by the crow's flight is over the river; the nearest on foot is on this side."""
    template = some_havens(Random(1), 1, documents=1)[0]
    always = {"weekly": [{"days": list(WEEKDAYS), "opens": "00:00", "closes": "24:00"}]}
    here, over, along = (0.0, 500.0), (0.0, 600.0), (350.0, 400.0)
    havens = [
        replace(template, id=UUID(int=n), place=Point(*place(*at)), hours=always)
        for n, at in enumerate((over, along), 1)
    ]
    made = grid().streets(tmp_path)
    search, _ = on_streets(tmp_path, sqlite_template, made, havens)
    at = search.snapshot.start + 3600
    found = search.answer(Question(Point(*place(*here)), at)).havens
    assert [search.snapshot.uuid(match.row).int for match in found] == [2, 1]
    assert [match.walking_minutes for match in found] == [math.ceil(450 / 80), math.ceil(2100 / 80)]
    without = Search(search.snapshot).answer(Question(Point(*place(*here)), at)).havens
    assert [search.snapshot.uuid(match.row).int for match in without] == [1, 2]
    assert {match.by_streets for match in without} == {0}


def test_streets_that_havens_are_not_tied_to_are_not_used(
    tmp_path: Path, sqlite_template: Path
) -> None:
    made = grid().streets(tmp_path)
    havens = some_havens(Random(2), 3, documents=2)
    search, _ = on_streets(tmp_path, sqlite_template, made, havens)
    (tmp_path / "other").mkdir()
    other = ragged(1).streets(tmp_path / "other")
    save(other, tmp_path)
    assert Search(search.snapshot, streets=made).streets is made
    assert Search(search.snapshot, streets=other).streets is None
