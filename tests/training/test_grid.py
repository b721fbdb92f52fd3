"""The grid against what each recorded row says, read one by one, on both databases."""

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine
from sqlmodel import Session, SQLModel, col, select

from app.core.db import connected, read_session
from app.core.events import Event
from app.core.london import LONDON, effective
from app.training.courses import COURSES, StaffRole
from app.training.evidence import evidence
from app.training.grid import Grid, training_grid
from app.training.models import Attendance, Headcount, TrainingSession
from app.training.rag import Thresholds
from app.training.rules import Attended, CourseState, Declared, course_state
from app.venues.facts import FACTS, Facts, facts_as
from app.venues.kinds import Category
from app.venues.models import Business, Venue, VenueFacts, VenueStatus
from tests.conftest import Scale
from tests.factories import make_venue, make_ward
from tests.training.test_columns import state_of

VENUES, DAYS = 12, 500
FIRST_DAY = date(2024, 1, 1)
LAST_DAY = FIRST_DAY + timedelta(days=DAYS)
THRESHOLDS = Thresholds(green=80, amber=30, due_days=90)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    with connected(database_url) as engine:
        fill(engine, random.Random(4))
        yield engine


def fill(engine: Engine, chance: random.Random) -> None:
    """A history with busy venues and idle ones, late records, mistakes and changing terms."""

    def event(
        model: type[Any], on: date | None = None, time: timedelta = timedelta(), **details: Any
    ) -> Any:
        at = effective(on or FIRST_DAY + timedelta(days=chance.randrange(DAYS))) + time
        recorded_at = at + timedelta(days=chance.choice([0, 0, 0, 3, 40]), microseconds=1)
        mistake = chance.random() < 0.15
        return model(
            effective_at=at,
            recorded_at=recorded_at,
            recorded_by="test",
            voided_at=recorded_at + timedelta(days=chance.randrange(30)) if mistake else None,
            **details,
        )

    wards = [make_ward(engine).id for _ in range(3)]
    businesses = [Business(name=f"Business {n}") for n in range(3)]
    store(engine, *businesses)
    venues = [make_venue(engine, safe_haven_from=None).id for _ in range(VENUES)]
    usual = [*venues[:3], *venues[:3], *venues[:-1]]
    for venue in venues[:-1]:
        for _ in range(chance.randrange(1, 5)):
            facts = event(
                VenueFacts,
                time=chance.choice([timedelta(), timedelta(hours=chance.uniform(0, 22.9))]),
                venue_id=venue,
                ward_id=chance.choice([*wards, None]),
                category=chance.choice(list(Category)),
                status=chance.choice(list(VenueStatus)),
                business_id=chance.choice([*(one.id for one in businesses), None]),
                licensed=chance.random() < 0.5,
                late_night=chance.random() < 0.5,
                refresh_months=chance.choice([None, None, 3, 6]),
            )
            # Said anew of the same time: what was recorded last holds, whatever was stored first.
            if chance.random() < 0.3:
                again = {
                    name: getattr(facts, name) for name in ("venue_id", "effective_at", *FACTS)
                }
                again["refresh_months"] = chance.choice([None, 12])
                later = facts.recorded_at + timedelta(days=50)
                store(engine, VenueFacts(**again, recorded_at=later, recorded_by="test"))
            store(engine, facts)
    for _ in range(60):
        training = event(TrainingSession, course=chance.choice(list(COURSES)[:3]))
        attended = [
            event(
                Attendance,
                training.on,
                session_id=training.id,
                venue_id=chance.choice(usual),
                role=chance.choice(list(StaffRole)),
                new_count=chance.randrange(1, 6),
                refresher_count=chance.randrange(5),
            )
            for _ in range(chance.randrange(1, 5))
        ]
        store(engine, training, *attended)
    for _ in range(80):
        on = FIRST_DAY + timedelta(days=chance.randrange(0, DAYS, 50))
        staff, left = chance.randrange(15), chance.randrange(4)
        store(engine, event(Headcount, on, venue_id=chance.choice(usual), staff=staff, left=left))


def store(engine: Engine, *records: SQLModel) -> None:
    with engine.execution_options(writes=True).begin() as connection:
        for record in records:
            table = sa.inspect(type(record)).local_table
            values = {column.key: getattr(record, column.key) for column in table.columns}
            connection.execute(sa.insert(table), values)


def known(event: Event, at: datetime | None) -> bool:
    if at is None:
        return event.voided_at is None
    return event.recorded_at <= at and (event.voided_at is None or event.voided_at > at)


def term(session: Session, venue_id: UUID, on: date, known_at: datetime | None) -> int | None:
    """What the licence said at the end of a day; before the first facts, what those say."""
    versions = sorted(
        (
            one
            for one in session.exec(select(VenueFacts).where(VenueFacts.venue_id == venue_id))
            if known(one, known_at)
        ),
        key=lambda one: (one.effective_at, one.recorded_at),
    )
    by_then = [one for one in versions if one.effective_at.astimezone(LONDON).date() <= on]
    earliest = [one for one in versions if one.effective_at == versions[0].effective_at]
    held = (by_then or earliest)[-1:]
    return held[0].refresh_months if held else None


def states(
    session: Session, venue_id: UUID, on: date, known_at: datetime | None
) -> dict[str, CourseState]:
    """The standing of one venue, by its rows and the readable rule."""
    attendances = [
        one
        for one in session.exec(select(Attendance).where(Attendance.venue_id == venue_id))
        if known(one, known_at) and known(one.session, known_at)
    ]
    headcounts = sorted(
        (
            one
            for one in session.exec(select(Headcount).where(Headcount.venue_id == venue_id))
            if known(one, known_at)
        ),
        key=lambda one: (one.effective_at, one.recorded_at, one.id),
    )
    return {
        key: course_state(
            course,
            [
                Attended(one.on, one.new_count, one.refresher_count)
                for one in attendances
                if one.session.course == key
            ],
            [Declared(one.on, one.staff, one.left) for one in headcounts],
            term(session, venue_id, on, known_at),
            on,
            THRESHOLDS,
        )
        for key, course in COURSES.items()
    }


def state_in(grid: Grid, on: date, venue_id: UUID, course_key: str) -> CourseState:
    return state_of(
        grid.standings,
        grid.days.index(on),
        grid.venues.index(venue_id.hex),
        grid.courses.index(course_key),
        THRESHOLDS,
    )


def some_days(chance: random.Random, number: int) -> list[date]:
    span = range(-20, DAYS + 400)
    return [FIRST_DAY + timedelta(days=day) for day in chance.sample(span, number)]


def some_instants(chance: random.Random) -> list[datetime | None]:
    began = effective(FIRST_DAY)
    return [None, *(began + timedelta(days=chance.uniform(0, DAYS + 60)) for _ in range(3))]


def test_every_standing_is_that_of_its_rows(engine: Engine, scale: Scale) -> None:
    chance = random.Random(7)
    with read_session(engine) as session:
        venues = sorted(session.exec(select(Venue.id)))
        shown = set()
        for known_at in some_instants(chance):
            days = some_days(chance, scale(8))
            grid = training_grid(session, days, known_at, due_days=THRESHOLDS.due_days)
            assert grid.venues == [venue_id.hex for venue_id in venues]
            assert grid.days == sorted(days)
            for on in days:
                for venue_id in venues:
                    by_its_rows = states(session, venue_id, on, known_at)
                    alone = evidence(session, venue_id, on, known_at)
                    assert alone.states(THRESHOLDS) == by_its_rows
                    for key, state in by_its_rows.items():
                        assert state_in(grid, on, venue_id, key) == state
                        shown.add((state.status, state.rag, state.validity_months))
        assert len(shown) > scale(20), "the history shows too little"


def test_all_a_few_and_one_venue_stand_alike(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(8)
    days = some_days(chance, 4)
    with read_session(engine) as session:
        for known_at in some_instants(chance):
            whole = training_grid(session, days, known_at)
            some = [*map(UUID, chance.sample(whole.venues, 5))]
            for asked in (some, some[:1]):
                same(whole, training_grid(session, days, known_at, venues=asked), asked)
            # As when very many are asked for, and yet not all.
            with monkeypatch.context() as patched:
                patched.setattr("app.training.grid._FEW", 2)
                same(whole, training_grid(session, days, known_at, venues=some), some)


def test_what_happened_later_can_be_left_out(engine: Engine) -> None:
    by_then, later = FIRST_DAY + timedelta(days=200), FIRST_DAY + timedelta(days=300)
    with read_session(engine) as session:
        whole, without = (
            training_grid(session, [by_then, later], happened_by=last) for last in (None, by_then)
        )
    assert without.standings.trained[0].tolist() == whole.standings.trained[0].tolist()
    fewer = without.standings.trained[1] < whole.standings.trained[1]
    assert fewer.any()
    assert (without.standings.headcount[1] == whole.standings.headcount[0]).all()
    assert (without.standings.trained[1] <= without.standings.trained[0]).all()


def same(whole: Grid, part: Grid, venues: list[UUID]) -> None:
    assert part.venues == sorted(venue_id.hex for venue_id in venues)
    for on in whole.days:
        for venue_id in venues:
            for key in COURSES:
                one, other = (state_in(grid, on, venue_id, key) for grid in (part, whole))
                assert one == other


def test_facts_are_those_in_force_at_the_end_of_each_day(engine: Engine) -> None:
    chance = random.Random(9)
    shown = set()
    with read_session(engine) as session:
        began = [
            effective_at.astimezone(LONDON).date()
            for effective_at in session.exec(select(VenueFacts.effective_at))
        ]
        changes = sorted({*began, *(day - timedelta(days=1) for day in began)})
        for known_at in some_instants(chance):
            grid = training_grid(session, chance.sample(changes, 20), known_at)
            for day, on in enumerate(grid.days):
                end = effective(on + timedelta(days=1)) - timedelta(microseconds=1)
                known_by = known_at or datetime.now(UTC)
                held = held_one_by_one(session, end, known_by)
                assert facts_as(session, end, known_by) == held
                for venue, venue_id in enumerate(grid.venues):
                    assert grid.facts.in_force[day, venue] == (venue_id in held)
                    if venue_id in held:
                        assert facts(grid, day, venue) == held[venue_id]
                        shown.add(held[venue_id])
    assert len(shown) > 15, "the history shows too little"


def held_one_by_one(session: Session, at: datetime, known_at: datetime) -> dict[str, Facts]:
    """The last facts of each venue that had begun by an instant, of those known at another."""
    versions = session.exec(
        select(VenueFacts).order_by(col(VenueFacts.effective_at), col(VenueFacts.recorded_at))
    )
    return {
        version.venue_id.hex: Facts.of(version)
        for version in versions
        if version.effective_at <= at
        and version.recorded_at <= known_at
        and (version.voided_at is None or version.voided_at > known_at)
    }


def facts(grid: Grid, day: int, venue: int) -> Facts:
    found, at = grid.facts, (day, venue)
    return Facts(
        ward_id=None if found.ward[at] < 0 else found.wards[found.ward[at]],
        category=list(Category)[found.category[at]],
        status=list(VenueStatus)[found.status[at]],
        business_id=None if found.business[at] < 0 else found.businesses[found.business[at]],
        licensed=bool(found.licensed[at]),
        late_night=bool(found.late_night[at]),
        refresh_months=int(found.refresh_months[at]) or None,
    )


def test_a_venue_without_facts_has_none(engine: Engine) -> None:
    with read_session(engine) as session:
        long_ago = effective(FIRST_DAY - timedelta(days=1))
        found = training_grid(session, [LAST_DAY], long_ago).facts
    assert not found.in_force.any()
    nowhere = (found.ward, found.category, found.status, found.business)
    assert all((none == -1).all() for none in nowhere)
    assert not any(none.any() for none in (found.licensed, found.late_night))
    assert not found.refresh_months.any()


def test_nothing_recorded(database_url: str) -> None:
    with connected(database_url) as engine, read_session(engine) as session:
        grid = training_grid(session, [LAST_DAY])
        assert (grid.venues, grid.standings.trained.shape) == ([], (1, 0, len(COURSES)))
