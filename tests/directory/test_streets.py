"""A running directory takes up streets as they come and go, and answers by estimate without."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from app.core.db import connected
from app.core.places import Point
from app.directory.engine.search import Question
from app.directory.live import Directory
from app.walking.file import STREETS
from tests.factories import make_venue, utc
from tests.walking.towns import grid, place

NOW = utc("2027-07-13T12:20")
SOUTH_BANK, NORTH_BANK = place(0, 500), place(0, 600)


@pytest.fixture
def sqlite(sqlite_url: str) -> Iterator[Engine]:
    with connected(sqlite_url) as engine:
        yield engine


@pytest.fixture
def ours(sqlite: Engine, tmp_path: Path) -> Directory:
    """A directory with one haven, over the river from those who ask."""
    make_venue(sqlite, lat=NORTH_BANK[0], lon=NORTH_BANK[1], name="over the river")
    made = Directory(sqlite, tmp_path, demonstration=False, clock=lambda: NOW)
    made.refresh()
    return made


def minutes(of: Directory) -> list[tuple[int, int]]:
    """How far the havens are from the other bank, and whether that is over the streets."""
    found = of.search.answer(Question(Point(*SOUTH_BANK), int(NOW))).havens
    return [(match.walking_minutes, match.by_streets) for match in found]


ESTIMATE, OVER_THE_BRIDGE = (3, 0), (27, 1)


def test_streets_are_taken_up_when_they_come(ours: Directory, tmp_path: Path) -> None:
    assert minutes(ours) == [ESTIMATE]
    assert not ours.is_degraded
    grid().streets(tmp_path)
    ours.refresh()
    assert minutes(ours) == [OVER_THE_BRIDGE]
    assert not ours.is_degraded


def test_a_new_haven_is_tied_with_its_commit(
    ours: Directory, sqlite: Engine, tmp_path: Path
) -> None:
    grid().streets(tmp_path)
    ours.refresh()
    lat, lon = place(100, 400)
    make_venue(sqlite, lat=lat, lon=lon)
    ours.refresh()
    assert minutes(ours) == [(3, 1), OVER_THE_BRIDGE]


def test_another_process_answers_from_the_same_copy(
    ours: Directory, sqlite: Engine, tmp_path: Path
) -> None:
    grid().streets(tmp_path)
    ours.refresh()
    other = Directory(sqlite, tmp_path, demonstration=False, clock=lambda: NOW)
    other.take_up()
    assert minutes(other) == [OVER_THE_BRIDGE]
    assert other.streets.shared is ours.streets.shared


@pytest.mark.parametrize("how", ["damaged", "cut", "removed"])
def test_without_its_streets_it_goes_on_by_estimate_and_says_so(
    how: str, ours: Directory, tmp_path: Path
) -> None:
    grid().streets(tmp_path)
    ours.refresh()
    file = tmp_path / STREETS
    content = file.read_bytes()
    if how == "removed":
        file.unlink()
    else:
        file.write_bytes(content[:-64] if how == "cut" else content[:-1] + b"x")
    ours.refresh()
    assert minutes(ours) == [ESTIMATE]
    assert ours.is_degraded
    assert STREETS in ours.streets.trouble
    ours.refresh()
    assert minutes(ours) == [ESTIMATE]
    file.unlink(missing_ok=True)
    file.write_bytes(content)
    ours.refresh()
    assert minutes(ours) == [OVER_THE_BRIDGE]
    assert not ours.is_degraded


def test_a_start_finds_the_streets_that_are_there(
    ours: Directory, sqlite: Engine, tmp_path: Path
) -> None:
    grid().streets(tmp_path)
    ours.refresh()
    again = Directory(sqlite, tmp_path, demonstration=False, clock=lambda: NOW)
    assert again.suffices()
    (tmp_path / STREETS).unlink()
    assert not again.suffices()
