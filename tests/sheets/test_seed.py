"""The demonstration data: all of it invented, none of it stale, something open at every hour."""

import json
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from app.audit.frame.question import Question, View
from app.audit.reports.coverage import coverage
from app.core.db import connected, read_session
from app.core.settings import settings
from app.sheets.seed import SEED, load_seed
from app.venues.hours import open_intervals
from app.venues.kinds import Category, Facility, StepFree
from app.venues.models import Venue, VenueStatus, Ward
from tests.factories import journal_of
from tests.sheets.register import awards, import_venues, import_wards


@pytest.fixture(scope="module")
def seeded_engine(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    """A demonstration that tests only read: to load it takes a second."""
    path = shutil.copyfile(sqlite_template, tmp_path_factory.mktemp("seed") / "havens.sqlite")
    with connected(f"sqlite:///{path}") as engine:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("HAVENS_ENVIRONMENT", "demo")
            settings.cache_clear()
            assert load_seed(journal_of(engine))
        settings.cache_clear()
        yield engine


@pytest.fixture
def seeded(seeded_engine: Engine) -> list[Venue]:
    with read_session(seeded_engine) as session:
        return list(session.exec(select(Venue)))


@pytest.mark.usefixtures("demo")
def test_the_seed_is_loaded_once(engine: Engine) -> None:
    assert load_seed(journal_of(engine))
    assert not load_seed(journal_of(engine))
    with read_session(engine) as session:
        venues = session.exec(select(Venue)).all()
        names = [ward.name for ward in session.exec(select(Ward))]
    assert len(venues) == 60
    assert all(venue.demonstration and venue.ward_id for venue in venues)
    assert len(names) == 6
    assert all("(demonstration)" in name for name in names)
    assert import_wards(engine, (SEED / "wards.geojson").read_bytes()).unchanged == 6
    assert import_venues(engine, (SEED / "venues.csv").read_bytes()).unchanged == 60


def test_production_loads_no_seed(engine: Engine) -> None:
    assert not settings().demonstration
    assert not load_seed(journal_of(engine))
    with read_session(engine) as session:
        assert not session.exec(select(Venue)).all()


def test_the_history_says_something(seeded_engine: Engine) -> None:
    with read_session(seeded_engine) as session:
        view = View.of(session, Question(as_at=date(2026, 9, 30)), datetime.now(UTC))
        shown = coverage(session, view)
    assert {row.venues for row in shown.courses} == {55}, "those accredited by then were there"
    assert all(row.trained and row.without_headcount for row in shown.courses)
    ratings = [sum(row.green for row in shown.courses), sum(row.red for row in shown.courses)]
    assert min(ratings) > 20
    in_force = {str(row.scheme): row.in_force for row in shown.schemes}
    assert in_force["safe_haven"] > in_force["safety_thirst"] > in_force["ask_for_angela"] > 10


def test_the_seed_shows_all_there_is(seeded: list[Venue], seeded_engine: Engine) -> None:
    assert {venue.category for venue in seeded} == set(Category)
    assert {facility for venue in seeded for facility in venue.facilities} == set(Facility)
    assert {venue.step_free for venue in seeded} == set(StepFree)
    assert {venue.status for venue in seeded} == {VenueStatus.ACTIVE}
    assert {(venue.licensed, venue.late_night) for venue in seeded} == {
        (False, False),
        (True, False),
        (True, True),
    }
    decided = awards(seeded_engine)
    assert len(decided) < len(seeded), "some are not accredited"
    today = date(2026, 1, 1)
    assert {last >= today for _, last in decided.values() if last} == {False, True}
    assert any(first >= date(2035, 1, 1) for first, _ in decided.values() if first)
    assert any(venue.hours is None for venue in seeded)


@pytest.mark.parametrize(
    ("monday", "why"),
    [
        (date(2026, 3, 2), "a week in winter"),
        (date(2026, 12, 21), "Christmas"),
        (date(2027, 3, 22), "Easter and the spring clock change"),
        (date(2027, 10, 25), "the autumn clock change"),
        (date(2035, 7, 2), "long after"),
    ],
)
def test_several_havens_are_open_at_every_hour(
    seeded: list[Venue], seeded_engine: Engine, monday: date, why: str
) -> None:
    decided = awards(seeded_engine)
    end = monday + timedelta(days=7)
    opened = [
        open_intervals(venue.hours, monday, end)
        for venue in seeded
        if venue.hours and venue.reference in decided
        for first, last in [decided[venue.reference]]
        if first and last and first <= monday and last >= end
    ]
    start = datetime(monday.year, monday.month, monday.day, tzinfo=UTC)
    for hour in range(7 * 24):
        at = start + timedelta(hours=hour)
        several = sum(any(s <= at < e for s, e in intervals) for intervals in opened)
        assert several >= 5, f"{why}: {at}"


def test_nobody_can_be_called_or_visited_by_mistake(seeded: list[Venue]) -> None:
    for venue in seeded:
        assert re.fullmatch(r"(020 7946 0\d{3})?", venue.phone), "Ofcom's numbers for drama"
        assert venue.postcode.endswith(" 0ZZ")
        assert not venue.fhrs_id
        assert not venue.uprn


def test_no_name_is_a_real_one(seeded: list[Venue], real_data: Path) -> None:
    register = json.loads((real_data / "fhrs_city_of_london_2021.json").read_bytes())
    real = {entry["BusinessName"] for entry in register["establishments"]}
    real |= {
        entry.get("name")
        for entry in json.loads((real_data / "osm_london_venues.json").read_bytes())
    }
    assert not real & {venue.name for venue in seeded}
