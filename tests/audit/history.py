"""Two years of work at made-up venues, as the tables hold it: the same every time.

Much is recorded late and some is voided, so that what was known once differs from what is known
now. Written straight to the tables, many rows at a time, so that benchmarks can have a lot of it.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cache, partial
from itertools import groupby
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import SQLModel

from app.core.london import effective, last_day
from app.core.places import Point
from app.core.text import folded
from app.outreach.models import (
    Debrief,
    Engagement,
    EngagementKind,
    Outcome,
    ProblemReport,
    ReportKind,
    ReportState,
    ReportStep,
    Result,
    SchemeTest,
    SchemeTested,
    Step,
    StepDone,
)
from app.schemes.history import settled
from app.schemes.models import Accreditation, Decision, Season
from app.schemes.registry import SchemeKey
from app.schemes.rules import Kind
from app.training.courses import CourseKey, StaffRole
from app.training.models import Attendance, Headcount, TrainingSession
from app.venues import osm_hours
from app.venues.kinds import Category
from app.venues.models import Business, Venue, VenueFacts, VenueStatus, Ward

FIRST_DAY, LAST_DAY = date(2023, 4, 1), date(2025, 3, 31)
DAYS = (LAST_DAY - FIRST_DAY).days + 1
BEFORE = effective(FIRST_DAY - timedelta(days=700))
"""Earlier than anything that is recorded."""

LICENSED, UNLICENSED = 900, 100
STEADY_PER_VENUE, OTHERS_PER_VENUE = 7.9, 16
"""How many events a venue has: versions of facts and decisions, and others, which are scaled."""

WARDS = 25
SOUTH, WEST, STEP = 51.507, -0.112, 0.004
"""The corner and the side of the squares, five by five, that the wards are."""

HOURS = [
    osm_hours.parse("Mo-Th 12:00-23:30; Fr-Sa 12:00-00:30; Su 12:00-22:30"),
    osm_hours.parse("Fr,Sa 22:00-04:00"),
    osm_hours.parse("24/7"),
    None,
]
WORDS = ("Lantern", "Candle", "Ångström", "Café", "King's", "Crown", "Mitre", "Sailor's")
PREFIXES = {
    SchemeKey.SAFE_HAVEN: "SH",
    SchemeKey.ASK_FOR_ANGELA: "AFA",
    SchemeKey.SAFETY_THIRST: "ST",
    SchemeKey.WOMENS_NIGHT_SAFETY_CHARTER: "WNSC",
}
AT_ONCE = (Kind.SUSPENDED, Kind.REINSTATED, Kind.WITHDRAWN)

Row = Any
"""A row of a table, with its columns as attributes."""

_day_begins = cache(effective)


@dataclass
class History:
    """What the tables hold, each in the order in which it was made."""

    wards: list[Row] = field(default_factory=list)
    businesses: list[Row] = field(default_factory=list)
    venues: list[Row] = field(default_factory=list)
    facts: list[Row] = field(default_factory=list)
    seasons: list[Row] = field(default_factory=list)
    decisions: list[Row] = field(default_factory=list)
    accreditations: list[Row] = field(default_factory=list)
    sessions: list[Row] = field(default_factory=list)
    attendances: list[Row] = field(default_factory=list)
    headcounts: list[Row] = field(default_factory=list)
    engagements: list[Row] = field(default_factory=list)
    steps_done: list[Row] = field(default_factory=list)
    tests: list[Row] = field(default_factory=list)
    debriefs: list[Row] = field(default_factory=list)
    reports: list[Row] = field(default_factory=list)
    report_steps: list[Row] = field(default_factory=list)

    def tables(self) -> Iterator[tuple[type[SQLModel], list[Row]]]:
        """The rows of each table, in an order in which they can be stored."""
        yield Ward, self.wards
        yield Business, self.businesses
        yield Venue, self.venues
        yield Season, self.seasons
        yield Accreditation, self.accreditations
        yield from self.events()

    def events(self) -> Iterator[tuple[type[SQLModel], list[Row]]]:
        """The rows of the tables of events."""
        yield VenueFacts, self.facts
        yield Decision, self.decisions
        yield TrainingSession, self.sessions
        yield Attendance, self.attendances
        yield Headcount, self.headcounts
        yield Engagement, self.engagements
        yield StepDone, self.steps_done
        yield SchemeTest, self.tests
        yield Debrief, self.debriefs
        yield ProblemReport, self.reports
        yield ReportStep, self.report_steps

    def __len__(self) -> int:
        """How many events there are."""
        return sum(len(rows) for _, rows in self.events())


def store(engine: sa.Engine, history: History) -> None:
    """Write a history into a migrated database with nothing in it."""
    with engine.execution_options(writes=True).begin() as connection:
        if engine.dialect.name == "postgresql":
            # Without triggers: each row would make one more version of the directory's.
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        for model, rows in history.tables():
            usual = {
                name: field.get_default(call_default_factory=True)
                for name, field in model.model_fields.items()
                if not field.is_required()
            }
            table = sa.inspect(model).local_table
            if rows:
                connection.execute(sa.insert(table), [usual | vars(row) for row in rows])
    if engine.dialect.name == "postgresql":
        # Its autovacuum does that by itself, but not within seconds.
        with engine.begin() as connection:
            connection.exec_driver_sql("ANALYZE")


def make_history(
    licensed: int = LICENSED, unlicensed: int = UNLICENSED, events: int | None = None
) -> History:
    """A history of so many venues, and about so many events: some 24 a venue when none is given."""
    count = licensed + unlicensed
    density = (events / count - STEADY_PER_VENUE) / OTHERS_PER_VENUE if events else 1
    return _Maker(licensed, count, density).made


class _Maker:
    def __init__(self, licensed: int, count: int, density: float) -> None:
        self.chance = random.Random(4)
        self.density = density
        self.made = History()
        self._recorded = 0
        self._certificates = 0
        self._wards()
        for number in range(count // 3):
            self._business(number)
        for number in range(count):
            self._venue(number, number < licensed)
        self._seasons()
        for venue in self.made.venues:
            self._decisions(venue)
        self._accreditations()
        self._training()
        for venue in self.made.venues:
            self._headcounts(venue)
            self._engagements(venue)
            self._tests(venue)
            self._reports(venue)

    # --- chance ------------------------------------------------------------------------------

    def _id(self) -> UUID:
        return UUID(int=self.chance.getrandbits(128), version=4)

    def _some(self, mean: float) -> range:
        """So many times, often fewer and sometimes many more."""
        mean *= self.density
        return range(int(min(self.chance.expovariate(1 / mean) + 0.5, 5 * mean + 2)))

    def _likely(self, share: float) -> bool:
        return self.chance.random() < share

    def _day(self) -> date:
        return FIRST_DAY + timedelta(days=self.chance.randrange(DAYS))

    def _after(self, day: date, most: int) -> date:
        return day + timedelta(days=self.chance.randrange(1, most))

    def _event(self, at: date | datetime, **details: Any) -> Row:
        """Something that took effect then; recorded that day or late, and sometimes voided."""
        effective_at = at if isinstance(at, datetime) else _day_begins(at)
        self._recorded += 1
        delay = timedelta(
            days=self.chance.choices((0, 1, 10, 60), (60, 20, 10, 10))[0] * self.chance.random(),
            seconds=1,
            # No two are recorded at once, unless they are meant to be.
            microseconds=self._recorded,
        )
        recorded_at = effective_at + delay
        row = SimpleNamespace(
            id=self._id(),
            effective_at=effective_at,
            recorded_at=recorded_at,
            recorded_by="account officer",
            voided_at=None,
            voided_by=None,
            void_reason=None,
            **details,
        )
        if self._likely(0.04):
            row.voided_at = recorded_at + timedelta(days=60 * self.chance.random() ** 2, seconds=1)
            row.voided_by, row.void_reason = "account officer", "Entered for the wrong venue"
        return row

    # --- the register ------------------------------------------------------------------------

    def _wards(self) -> None:
        for number in range(WARDS):
            south, west = SOUTH + number // 5 * STEP, WEST + number % 5 * STEP
            north, east = south + STEP, west + STEP
            corners = [[west, south], [east, south], [east, north], [west, north], [west, south]]
            boundary = {"type": "Polygon", "coordinates": [corners]}
            ward = {"code": f"W{number:02}", "name": f"Ward {number}", "boundary": boundary}
            self.made.wards.append(SimpleNamespace(id=self._id(), **ward))

    def _business(self, number: int) -> None:
        name = f"{self.chance.choice(WORDS)} Inns {number} Ltd"
        business = SimpleNamespace(id=self._id(), name=name, folded_name=folded(name))
        self.made.businesses.append(business)

    def _venue(self, number: int, licensed: bool) -> None:
        ward = self.chance.randrange(WARDS)
        # One in thirty lies in another ward than the register says.
        there = self.chance.randrange(WARDS) if self._likely(0.03) else ward
        name = f"The {self.chance.choice(WORDS)} Arms {number % 700}"
        venue = SimpleNamespace(
            id=self._id(),
            reference=f"{number:05}",
            name=name,
            folded_name=folded(name),
            location=Point(
                round(SOUTH + (there // 5 + self.chance.uniform(0.1, 0.9)) * STEP, 6),
                round(WEST + (there % 5 + self.chance.uniform(0.1, 0.9)) * STEP, 6),
            ),
            postcode=self.chance.choice(("EC1A 1AA", "EC2V 5AE", "EC3N 4AB", "SW1A 1AA", "")),
            hours=self.chance.choice(HOURS),
            premises_licence=f"{number:06}" if licensed else "",
            last_checked=self._day() if self._likely(0.7) else None,
        )
        first = {
            "ward_id": None if self._likely(0.02) else self.made.wards[ward].id,
            "category": self.chance.choice(list(Category)),
            "status": VenueStatus.PROSPECT if self._likely(0.06) else VenueStatus.ACTIVE,
            "business_id": self.chance.choice(self.made.businesses).id
            if self._likely(0.9)
            else None,
            "licensed": licensed,
            "late_night": licensed and self._likely(0.35),
            "refresh_months": 6 if self._likely(0.15) else None,
        }
        vars(venue).update(self._facts(venue.id, first))
        self.made.venues.append(venue)

    def _facts(self, venue_id: UUID, facts: dict[str, Any]) -> dict[str, Any]:
        """Record what a venue is counted by, and how that changes; returns what holds now."""
        began = self._day() if self._likely(0.2) else FIRST_DAY - timedelta(days=500)
        first = self._event(began, venue_id=venue_id, **facts)
        first.voided_at = first.voided_by = first.void_reason = None
        versions = [first]
        changes: list[Callable[[], dict[str, Any]]] = [
            lambda: {"late_night": facts["licensed"] and not facts["late_night"]},
            lambda: {"category": self.chance.choice(list(Category))},
            lambda: {"ward_id": self.chance.choice(self.made.wards).id},
            lambda: {"business_id": self.chance.choice(self.made.businesses).id},
            lambda: {"refresh_months": self.chance.choice((None, 3, 6, 24))},
            lambda: {"status": VenueStatus.ACTIVE},
            lambda: {"licensed": not facts["licensed"]},
            lambda: {"status": VenueStatus.CLOSED},
        ]
        for day in sorted(self._after(began, DAYS) for _ in range(self.chance.randrange(3))):
            facts |= self.chance.choice(changes)()
            at = _day_begins(day) + timedelta(seconds=self.chance.choice((0, 40_000)))
            versions.append(self._event(at, venue_id=venue_id, **facts))
        self.made.facts += versions
        standing = [one for one in versions if one.voided_at is None]
        newest = max(standing, key=lambda one: (one.effective_at, one.recorded_at))
        return {name: getattr(newest, name) for name in facts}

    # --- schemes -----------------------------------------------------------------------------

    def _seasons(self) -> None:
        for year in (2022, 2023, 2024):
            season = {
                "scheme": SchemeKey.SAFETY_THIRST,
                "year": year,
                "name": f"Safety Thirst {year}",
                "invitations_from": date(year, 3, 15),
                "assessments_from": date(year, 4, 1),
                "assessments_until": date(year, 6, 30),
                "ceremony_on": date(year, 7, 10),
                "areas": {"drink_spiking": "Drink spiking"},
                "grades": ["commended", "highly_commended"],
            }
            self.made.seasons.append(SimpleNamespace(id=self._id(), **season))

    def _decisions(self, venue: Row) -> None:
        for scheme, share in (
            (SchemeKey.SAFE_HAVEN, 0.25),
            (SchemeKey.ASK_FOR_ANGELA, 0.3),
            (SchemeKey.WOMENS_NIGHT_SAFETY_CHARTER, 0.1),
        ):
            if self._likely(share):
                decide = partial(self._decision, venue, scheme)
                day = FIRST_DAY + timedelta(days=self.chance.randrange(-250, 450))
                self._story(decide, day, scheme is not SchemeKey.WOMENS_NIGHT_SAFETY_CHARTER)
        for season in self.made.seasons:
            if venue.licensed and self._likely(0.2):
                self._season(venue, season)

    def _decision(
        self, venue: Row, scheme: SchemeKey, kind: Kind, day: date, **details: Any
    ) -> Row:
        at = _day_begins(day)
        if kind in AT_ONCE:
            at += timedelta(seconds=self.chance.randrange(86_000))
        usual = {"until": None, "grade": None, "certificate": None, "season_id": None}
        if kind is Kind.AWARDED:
            self._certificates += 1
            number = f"{PREFIXES[scheme]}-{day.year}-{self._certificates:06}"
            details["certificate"] = None if self._likely(0.05) else number
        if kind in (Kind.SUSPENDED, Kind.WITHDRAWN, Kind.REFUSED):
            details["reason"] = "Failed a test"
        made = self._event(
            at, venue_id=venue.id, scheme=scheme, kind=kind, **usual | {"reason": None} | details
        )
        self.made.decisions.append(made)
        return made

    def _story(self, decide: Callable[..., Row], day: date, has_end: bool) -> None:
        """What becomes of a venue in a scheme, award by award."""
        while day <= LAST_DAY:
            applied = decide(Kind.APPLIED, day)
            at_once = self._likely(0.15)
            day = day if at_once else self._after(day, 30)
            decide(Kind.ASSESSED, day)
            if self._likely(0.1):
                day = self._after(day, 20)
                decide(Kind.REFUSED, day)
                day = self._after(day, 200)
                continue
            day = day if at_once else self._after(day, 30)
            months = self.chance.choice((12, 12, 12, 6, 3))
            awarded = decide(Kind.AWARDED, day, until=last_day(day, months) if has_end else None)
            if at_once:
                awarded.recorded_at = applied.recorded_at
                if awarded.voided_at:
                    awarded.voided_at = max(awarded.voided_at, awarded.recorded_at)
            end = awarded.until or last_day(day, 24)
            if self._likely(0.2):
                day = self._after(day, 250)
                decide(Kind.SUSPENDED, day)
                if self._likely(0.7):
                    day = self._after(day, 60)
                    decide(Kind.REINSTATED, day)
            if self._likely(0.1):
                day = self._after(day, 150)
                decide(Kind.WITHDRAWN, day)
            if self._likely(0.3):
                return
            # Renewed some weeks before the end, or only after it.
            day = max(day, end - timedelta(days=60)) + timedelta(days=self.chance.randrange(90))

    def _season(self, venue: Row, season: Row) -> None:
        decide = partial(self._decision, venue, season.scheme, season_id=season.id)
        year = season.year
        decide(Kind.APPLIED, date(year, 3, 20))
        decide(Kind.ASSESSED, self._after(date(year, 4, 1), 80))
        if self._likely(0.15):
            decide(Kind.REFUSED, self._after(date(year, 7, 1), 9))
            return
        on = date(year, 7, 10) if self._likely(0.8) else self._after(date(year, 7, 10), 60)
        decide(Kind.AWARDED, on, until=last_day(on, 12), grade=self.chance.choice(season.grades))
        if self._likely(0.1):
            decide(Kind.SUSPENDED, self._after(on, 250))

    def _accreditations(self) -> None:
        """The lookup table as it would be if it had been made before anything happened."""
        by_venue = sorted(self.made.decisions, key=_where)
        for _, decisions in groupby(by_venue, key=_where):
            rows = settled(list(decisions), BEFORE)
            self.made.accreditations += [SimpleNamespace(**row) for row in rows]

    # --- training ----------------------------------------------------------------------------

    def _training(self) -> None:
        """Sessions, each attended from a few venues; venues of one kind take the same courses."""
        wanted = round(6 * self.density * len(self.made.venues))
        # Some never take part, a few often do.
        interest = [self.chance.random() ** 3 for _ in self.made.venues]
        while wanted > 0:
            chosen = self.chance.choices(
                self.made.venues, cum_weights=self._summed(interest), k=self.chance.randrange(1, 9)
            )
            training = self._event(
                FIRST_DAY + timedelta(days=self.chance.randrange(-300, DAYS)),
                course=self.chance.choice(list(CourseKey)),
                place="Guildhall",
            )
            self.made.sessions.append(training)
            for venue in {one.id: one for one in chosen}.values():
                for role in self.chance.sample(list(StaffRole), self.chance.choice((1, 1, 2))):
                    self._attendance(training, venue, role)
                    wanted -= 1

    def _summed(self, weights: list[float]) -> list[float]:
        if not hasattr(self, "_sums"):
            total, self._sums = 0.0, []
            for weight in weights:
                total += weight
                self._sums.append(total)
        return self._sums

    def _attendance(self, training: Row, venue: Row, role: StaffRole) -> None:
        made = self._event(
            training.effective_at,
            session_id=training.id,
            venue_id=venue.id,
            role=role,
            new_count=self.chance.randrange(1, 9),
            refresher_count=self.chance.choice((0, 0, 1, 3)),
        )
        if self._likely(0.8) or made.recorded_at < training.recorded_at:
            made.recorded_at = training.recorded_at
            if made.voided_at:
                made.voided_at = max(made.voided_at, made.recorded_at)
        self.made.attendances.append(made)

    def _headcounts(self, venue: Row) -> None:
        staff = self.chance.randrange(3, 30)
        days = [self._day() for _ in self._some(3)]
        # Sometimes said twice on one day: what was recorded last holds.
        for day in days + [day for day in days if self._likely(0.05)]:
            staff = max(0, staff + self.chance.randrange(-4, 5))
            left = self.chance.choice((0, 0, 1, 2, 5))
            self.made.headcounts.append(self._event(day, venue_id=venue.id, staff=staff, left=left))

    # --- outreach ----------------------------------------------------------------------------

    def _engagements(self, venue: Row) -> None:
        for _ in self._some(3):
            day = self._day()
            step_on = self._after(day, 60) if self._likely(0.4) else None
            business_id = venue.business_id
            made = self._event(
                day,
                venue_id=None if business_id and self._likely(0.2) else venue.id,
                business_id=business_id,
                kind=self.chance.choice(list(EngagementKind)),
                outcome=self.chance.choice(list(Outcome)),
                next_step="Call the duty manager" if step_on else None,
                next_step_on=step_on,
            )
            self.made.engagements.append(made)
            if step_on and self._likely(0.5):
                done = self._event(self._after(day, 90), engagement_id=made.id)
                self.made.steps_done.append(done)

    def _tests(self, venue: Row) -> None:
        repeats = None
        for _ in self._some(0.7):
            day = self._day() if repeats is None else self._after(repeats.day, 60)
            result = Result.FAILED if self._likely(0.45) else Result.PASSED
            made = self._event(
                day,
                venue_id=venue.id,
                scheme=SchemeTested.ASK_FOR_ANGELA,
                result=result,
                debrief_on=self._after(day, 20) if self._likely(0.2) else None,
                retest_of_id=repeats.id if repeats else None,
            )
            self.made.tests.append(made)
            failed = result is Result.FAILED
            if failed and self._likely(0.6):
                held = self._event(self._after(day, 30), test_id=made.id)
                self.made.debriefs.append(held)
            repeats = SimpleNamespace(id=made.id, day=day) if failed else None

    def _reports(self, venue: Row) -> None:
        for _ in self._some(0.6):
            day = self._day()
            at = _day_begins(day + timedelta(days=1)) - timedelta(microseconds=1)
            made = self._event(
                at,
                venue_id=venue.id,
                kind=self.chance.choice(list(ReportKind)),
                comment="The door was locked",
            )
            # What the public says is known that day, and nobody voids it.
            made.recorded_at, made.recorded_by = at, "public"
            made.voided_at = made.voided_by = made.void_reason = None
            steps = []
            for step, share in ((Step.TAKEN_UP, 0.7), (Step.RESOLVED, 0.6)):
                if self._likely(share):
                    taken = at + timedelta(days=30 * self.chance.random())
                    row = self._event(taken, report_id=made.id, step=step, note="Looked into")
                    # An officer's step takes effect as it is recorded.
                    row.effective_at = row.recorded_at
                    steps.append(row)
            stand = {one.step for one in steps if one.voided_at is None}
            made.state = (
                ReportState.RESOLVED
                if Step.RESOLVED in stand
                else ReportState.ACTING
                if Step.TAKEN_UP in stand
                else ReportState.NEW
            )
            self.made.reports.append(made)
            self.made.report_steps += steps


def _where(decision: Row) -> tuple[Any, ...]:
    return decision.venue_id.int, decision.scheme
