"""`havens import streets`: the area of the venues and some more, or why not."""

import re
from pathlib import Path

import pytest
from sqlalchemy import Engine

from app.walking.extract import BadExtract
from app.walking.file import STREETS
from app.walking.importing import NotCovered, import_streets
from app.walking.streets import Streets
from tests.factories import make_venue
from tests.walking.towns import Town, grid, place


def extract(folder: Path) -> Path:
    return grid().write(folder / "town.osm")


def venue(where: Engine, x: float, y: float) -> None:
    lat, lon = place(x, y)
    make_venue(where, lat=lat, lon=lon)


def test_the_streets_around_the_venues_are_taken(sqlite_engine: Engine, tmp_path: Path) -> None:
    venue(sqlite_engine, 330, 330)
    venue(sqlite_engine, 800, 800)
    import_streets(sqlite_engine, tmp_path, extract(tmp_path), margin_m=250)
    made = Streets.load(tmp_path / STREETS)
    # Cut 250 m around them: lines and columns 1 to 10.
    assert (made.points[:, 1].min(), made.points[:, 1].max()) == pytest.approx(
        (place(0, 100)[0] * 1e6, place(0, 1000)[0] * 1e6), abs=1
    )
    assert made.tie(*place(330, 330))


def test_an_extract_that_ends_too_near_is_refused(sqlite_engine: Engine, tmp_path: Path) -> None:
    venue(sqlite_engine, 300, 500)
    with pytest.raises(NotCovered) as refused:
        import_streets(sqlite_engine, tmp_path, extract(tmp_path))
    assert re.search("70[01] m in the west", str(refused.value))
    assert re.search("50[01] m in the south", str(refused.value))
    assert not (tmp_path / STREETS).exists()


def test_without_venues_all_of_it_is_taken(sqlite_engine: Engine, tmp_path: Path) -> None:
    made = import_streets(sqlite_engine, tmp_path, extract(tmp_path))
    assert len(made.tails) == len(Streets.load(tmp_path / STREETS).tails) > 200


def test_an_extract_without_ways_is_refused(sqlite_engine: Engine, tmp_path: Path) -> None:
    few = Town()
    few.way([(0, 0), (100, 0)])
    with pytest.raises(BadExtract):
        import_streets(sqlite_engine, tmp_path, few.write(tmp_path / "few.osm"))
    assert not (tmp_path / STREETS).exists()
