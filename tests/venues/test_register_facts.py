"""The facts of venues over time: nothing is forgotten, and what was known stays known."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Date, Engine, column, inspect, text
from sqlalchemy import table as sa_table
from sqlmodel import col, select

from app.core.db import connected, downgrade, migrate, read_session
from app.core.journal import Journal, now
from app.core.london import effective
from app.core.places import Point
from app.venues.facts import Facts, facts_as, take_effect
from app.venues.kinds import Category
from app.venues.models import Venue, VenueFacts, VenueStatus
from tests.factories import BANK, journal_of, make_ward
from tests.sheets.register import import_venues

FAR = datetime(2099, 1, 1, tzinfo=UTC)


@pytest.fixture
def journal(engine: Engine) -> Journal:
    return journal_of(engine)


def _register(journal: Journal, as_from: date | None = None, **details: Any) -> UUID:
    with journal.writing("test") as session:
        venue = Venue(reference="A", name="A", category=Category.PUB, location=BANK, **details)
        session.add(venue)
        if as_from:
            take_effect(session, venue, effective(as_from))
        return venue.id


def _edit(
    journal: Journal, venue_id: UUID, as_from: date | None = None, **changes: Any
) -> datetime:
    """Returns when it was recorded."""
    with journal.writing("test") as session:
        venue = session.get_one(Venue, venue_id)
        for name, value in changes.items():
            setattr(venue, name, value)
        if as_from:
            take_effect(session, venue, effective(as_from), changes)
        return now(session)


def _facts(journal: Journal, at: datetime | date, known_at: datetime = FAR) -> dict[UUID, Facts]:
    with read_session(journal.engine) as session:
        at = at if isinstance(at, datetime) else effective(at)
        return {UUID(venue): facts for venue, facts in facts_as(session, at, known_at).items()}


def _versions(journal: Journal) -> list[VenueFacts]:
    with read_session(journal.engine) as session:
        order = col(VenueFacts.effective_at), col(VenueFacts.recorded_at)
        return list(session.exec(select(VenueFacts).order_by(*order)))


def test_a_new_venue_has_facts_from_now_on(journal: Journal) -> None:
    before = datetime.now(UTC)
    venue_id = _register(journal, licensed=True, refresh_months=6)
    (version,) = _versions(journal)
    assert before <= version.effective_at == version.recorded_at
    assert version.recorded_by == "test"
    assert _facts(journal, FAR) == {
        venue_id: Facts(None, Category.PUB, VenueStatus.ACTIVE, None, True, False, 6)
    }
    assert _facts(journal, before) == {}


def test_every_way_of_changing_a_fact_appends_a_version(journal: Journal) -> None:
    venue_id = _register(journal)
    made = _edit(journal, venue_id, late_night=True)
    assert _facts(journal, FAR)[venue_id].late_night
    assert not _facts(journal, made - timedelta(microseconds=1))[venue_id].late_night
    row = b"reference,name,category,latitude,longitude,licensed\nA,A,bar,51.5,-0.09,yes\n"
    import_venues(journal.engine, row)
    facts = _facts(journal, FAR)[venue_id]
    assert (facts.category, facts.licensed, facts.late_night) == (Category.BAR, True, True)
    assert len(_versions(journal)) == 3


def test_what_reports_do_not_count_by_appends_nothing(journal: Journal) -> None:
    venue_id = _register(journal)
    _edit(journal, venue_id, name="B", phone="1", location=Point(51.6, 0.0), category=Category.PUB)
    assert len(_versions(journal)) == 1


def test_one_transaction_makes_one_version_of_a_venue(journal: Journal) -> None:
    with journal.writing("test") as session:
        venue = Venue(reference="A", name="A", category=Category.PUB, location=BANK)
        session.add(venue)
        session.flush()
        venue.licensed = True
        session.flush()
        venue.category = Category.BAR
    (version,) = _versions(journal)
    assert (version.licensed, version.category) == (True, Category.BAR)


def test_a_change_taken_back_leaves_no_version(journal: Journal) -> None:
    venue_id = _register(journal)
    with journal.writing("test") as session:
        session.get_one(Venue, venue_id).licensed = True
        session.flush()
        session.rollback()
    assert len(_versions(journal)) == 1


def test_a_dry_run_leaves_no_version(journal: Journal) -> None:
    row = b"reference,name,category,latitude,longitude\nA,A,bar,51.5,-0.09\n"
    import_venues(journal.engine, row, dry_run=True)
    assert _versions(journal) == []


def test_versions_are_in_the_journal(journal: Journal) -> None:
    _register(journal)
    with read_session(journal.engine) as session:
        subjects = session.execute(text("SELECT subject FROM journal ORDER BY number")).scalars()
        assert list(subjects) == ["venue", "venue_facts"]
    assert journal.verify() is None


def test_a_change_may_have_taken_effect_before(journal: Journal) -> None:
    venue_id = _register(journal, as_from=date(2025, 1, 1))
    known_then = _versions(journal)[-1].recorded_at
    _edit(journal, venue_id, as_from=date(2025, 10, 1), licensed=True)
    assert not _facts(journal, effective(date(2025, 10, 1)) - timedelta(seconds=1))[
        venue_id
    ].licensed
    assert _facts(journal, date(2025, 10, 1))[venue_id].licensed
    assert not _facts(journal, date(2025, 10, 1), known_then)[venue_id].licensed, "nobody knew"


def test_a_change_from_before_leaves_what_changed_since_as_it_was(journal: Journal) -> None:
    venue_id = _register(journal, as_from=date(2025, 1, 1))
    _edit(journal, venue_id, as_from=date(2025, 6, 1), late_night=True)
    known_then = _edit(journal, venue_id, as_from=date(2025, 9, 1), refresh_months=6)
    _edit(journal, venue_id, as_from=date(2025, 3, 1), licensed=True)
    expected = {
        date(2025, 2, 1): (False, False, None),
        date(2025, 4, 1): (True, False, None),
        date(2025, 7, 1): (True, True, None),
        date(2025, 10, 1): (True, True, 6),
    }
    for day, (licensed, late_night, months) in expected.items():
        facts = _facts(journal, day)[venue_id]
        assert (facts.licensed, facts.late_night, facts.refresh_months) == (
            licensed,
            late_night,
            months,
        ), day
        assert not _facts(journal, day, known_then)[venue_id].licensed, "as it was known before"


def test_a_change_from_before_goes_before_later_ones_to_the_same(journal: Journal) -> None:
    venue_id = _register(journal, as_from=date(2025, 1, 1))
    _edit(journal, venue_id, as_from=date(2025, 6, 1), category=Category.BAR)
    _edit(journal, venue_id, as_from=date(2025, 3, 1), category=Category.HOTEL)
    for day in (date(2025, 4, 1), date(2025, 7, 1), date(2026, 1, 1)):
        assert _facts(journal, day)[venue_id].category == Category.HOTEL


def test_the_day_of_a_change_can_be_put_right(journal: Journal) -> None:
    venue_id = _register(journal, as_from=date(2025, 1, 1))
    _edit(journal, venue_id, licensed=True)
    assert not _facts(journal, date(2025, 7, 1))[venue_id].licensed
    _edit(journal, venue_id, as_from=date(2025, 5, 1), licensed=True)
    assert _facts(journal, date(2025, 7, 1))[venue_id].licensed


def test_a_venue_may_be_known_to_be_older_than_its_record(journal: Journal) -> None:
    venue_id = _register(journal, licensed=True)
    _edit(journal, venue_id, as_from=date(2025, 5, 1), late_night=True)
    facts = _facts(journal, date(2025, 5, 1))[venue_id]
    assert (facts.licensed, facts.late_night) == (True, True)


def test_a_voided_version_counts_until_it_was_voided(journal: Journal) -> None:
    venue_id = _register(journal, as_from=date(2025, 1, 1))
    known_then = _edit(journal, venue_id, as_from=date(2025, 5, 1), licensed=True)
    with journal.writing("test") as session:
        version = session.get_one(VenueFacts, _versions(journal)[-1].id)
        version.voided_at, version.voided_by = now(session), "test"
    assert not _facts(journal, date(2025, 7, 1))[venue_id].licensed
    assert _facts(journal, date(2025, 7, 1), known_then)[venue_id].licensed


def test_new_wards_are_new_facts(journal: Journal) -> None:
    venue_id = _register(journal)
    ward = make_ward(journal.engine)
    _edit(journal, venue_id, ward_id=ward.id)
    assert _facts(journal, FAR)[venue_id].ward_id == ward.id


def test_the_migration_gives_every_venue_its_first_facts(empty_database_url: str) -> None:
    url = empty_database_url
    migrate(url, "0003")
    with connected(url) as engine:
        _insert_venue(engine, "old", "Café O'Neill", date(2025, 7, 1))
        _insert_venue(engine, "new", "New", None)
        migrate(url, "0004")
        with read_session(engine) as session:
            venues = {venue.id: venue for venue in session.exec(select(Venue))}
            versions = {
                venues[version.venue_id].reference: version
                for version in session.exec(select(VenueFacts))
            }
        assert {v.folded_name for v in venues.values()} == {"cafe oneill", "new"}
        assert versions["old"].effective_at == datetime(2025, 6, 30, 23, tzinfo=UTC)
        assert versions["new"].effective_at == versions["new"].recorded_at
        assert versions["old"].recorded_at == versions["new"].recorded_at
        assert versions["old"].licensed
        assert versions["old"].recorded_by == "migration 0004"
    downgrade(url, "0003")
    migrate(url, "0004")
    with connected(url) as engine, read_session(engine) as session:
        assert len(session.exec(select(VenueFacts)).all()) == 2
        before = session.execute(text("SELECT version FROM directory_state")).scalar_one()
        session.rollback()
        with engine.execution_options(writes=True).begin() as connection:
            connection.execute(text("UPDATE venue SET last_checked = '2026-11-27'"))
        after = session.execute(text("SELECT version FROM directory_state")).scalar_one()
        assert after > before, "the directory still learns of changes"


def _insert_venue(engine: Engine, reference: str, name: str, haven_from: date | None) -> None:
    """As the tables were before."""
    values = {
        "id": UUID(int=sum(reference.encode())),
        "reference": reference,
        "name": name,
        "category": "pub",
        "status": "active",
        "demonstration": False,
        "licensed": True,
        "late_night": False,
        "safe_haven_from": haven_from,
        "safe_haven_until": haven_from,
        "location": BANK,
        "facilities": [],
        "step_free": "unknown",
    } | dict.fromkeys(
        ("address", "postcode", "phone", "entrance", "premises_licence", "uprn", "fhrs_id"), ""
    )
    types = {c.name: c.type for c in inspect(Venue).columns}
    types |= dict.fromkeys(("safe_haven_from", "safe_haven_until"), Date())
    table = sa_table("venue", *(column(name, types[name]) for name in values))
    with engine.execution_options(writes=True).begin() as connection:
        connection.execute(table.insert().values(values))
