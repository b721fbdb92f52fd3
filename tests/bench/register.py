"""Measure the first page of every list, and searching venues by name, in a register of ten years.

In one process, over HTTP, on SQLite and, where there is one, PostgreSQL.
"""

import random
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any
from uuid import UUID, uuid4

import httpx
import sqlalchemy as sa
from fastapi import FastAPI
from rich.console import Console
from rich.table import Table
from sqlmodel import SQLModel

from app.accounts.models import Account, Role
from app.core.db import connected, migrate
from app.core.inserts import insert_rows
from app.core.journal_chain import Entry
from app.core.london import effective
from app.core.places import Point
from app.outreach.models import (
    Debrief,
    Engagement,
    EngagementKind,
    Outcome,
    ProblemReport,
    ReportKind,
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
from app.venues.kinds import Category
from app.venues.models import Business, Contact, Venue, VenueFacts, VenueStatus, Ward
from tests.accounts import make_app, signed_in
from tests.bench.venues import HOURS, LAT, LON
from tests.databases import each_kind
from tests.servers import serving, until

VENUES, BUSINESSES, WARDS, ENTRIES = 10_000, 3_000, 25, 100_000
FIRST_DAY, DAYS = date(2016, 1, 1), 3_650
ROUNDS = 15
FIRST_PAGE_MS, SEARCH_MS = 100, 150
WORDS = ("Lantern", "Crown", "Old Bell", "Lamb", "Swan", "Ship", "Anchor", "Globe", "Castle")
KINDS = ("Arms", "Tavern", "& Co", "Rooms", "Bar", "Kitchen", "Inn", "House")

Asked = tuple[str, dict[str, Any]]
"""The path of a list, and what is asked of it; a name in braces is that of the busiest one."""

SEARCHES: list[Asked] = [
    ("/v1/admin/venues", {"name": name}) for name in ("lantern", "old bell inn 77", "e", "zzz")
]
FILTERED: list[Asked] = [
    ("/v1/admin/venues", {"status": "prospect"}),
    ("/v1/admin/venues", {"ward": "Ward 7", "category": "pub"}),
    ("/v1/admin/venues", {"postcode": "EC2V 7"}),
    ("/v1/admin/venues", {"late_night": True, "status": "closed"}),
    ("/v1/admin/businesses", {"name": "lantern"}),
    ("/v1/admin/accreditations", {"scheme": "safe_haven", "state": "in_force"}),
    ("/v1/admin/accreditations", {"state": "suspended"}),
    ("/v1/admin/accreditations", {"expiring_before": "2099-01-01"}),
    ("/v1/admin/training/sessions", {"course": "wave"}),
    ("/v1/admin/training/sessions", {"venue_id": "{venue_id}"}),
    ("/v1/admin/engagements", {"venue_id": "{venue_id}"}),
    ("/v1/admin/engagements", {"kind": "event", "outcome": "no_answer"}),
    ("/v1/admin/next-steps", {"due_by": "2020-01-01"}),
    ("/v1/admin/scheme-tests", {"result": "failed"}),
    ("/v1/admin/scheme-tests/retests", {"overdue": True}),
    ("/v1/admin/problem-reports", {"state": "new"}),
    ("/v1/admin/problem-reports", {"state": "acting"}),
    ("/v1/admin/problem-reports", {"state": "resolved"}),
    ("/v1/admin/journal", {"subject": "venue"}),
    ("/v1/admin/journal", {"actor": "account officer-7"}),
    ("/v1/admin/journal", {"subject_id": "{venue_id}"}),
    ("/v1/admin/journal", {"from": "2020-01-01", "until": "2020-01-31"}),
]


def main() -> None:
    """Print one table of both databases."""
    with tempfile.TemporaryDirectory() as folder, each_kind(folder) as urls:
        measured = {name: _measured(url, Path(folder) / name.lower()) for name, url in urls.items()}
        Console().print(_table(measured))


def _table(measured: dict[str, dict[str, float]]) -> Table:
    title = f"{VENUES:,} venues, {ENTRIES:,} journal entries: median ms of {ROUNDS}"
    table = Table(title=title)
    table.add_column("first page", overflow="fold")
    for name in (*measured, "target"):
        table.add_column(name, justify="right")
    for asked in next(iter(measured.values())):
        most = SEARCH_MS if asked in _named(SEARCHES) else FIRST_PAGE_MS
        figures = [times[asked] for times in measured.values()]
        shown = (f"{ms:.1f}" if ms < most else f"[bold red]{ms:.1f}[/]" for ms in figures)
        table.add_row(asked, *shown, str(most))
    return table


def _named(asked: Iterable[Asked]) -> list[str]:
    return [_name(path, given) for path, given in asked]


def _name(path: str, asked: dict[str, Any]) -> str:
    told = "&".join(f"{name}={value}" for name, value in asked.items())
    return path.removeprefix("/v1/admin") + (f"?{told}" if told else "")


def _measured(url: str, folder: Path) -> dict[str, float]:
    folder.mkdir()
    began = time.monotonic()
    busiest = fill(url)
    print(f"{url.partition(':')[0]}: made in {time.monotonic() - began:.0f} s")
    app = make_app(url, folder, environment="demo")
    headers = signed_in(app, *Role)
    with serving(app) as client:
        client.headers.update(headers)
        until(lambda: client.get("/health/ready").is_success)
        lists: list[Asked] = [(path, {}) for path in sorted(_lists(app))]
        return {
            _name(path, asked): _median_ms(client, path, asked, busiest)
            for path, asked in (*lists, *FILTERED, *SEARCHES)
        }


def _lists(app: FastAPI) -> Iterator[str]:
    """Every path that answers with a page."""
    for path, item in app.openapi()["paths"].items():
        asked = [parameter["name"] for parameter in item.get("get", {}).get("parameters", [])]
        if "limit" in asked and path.startswith("/v1/admin/"):
            yield path


def _median_ms(
    client: httpx.Client, path: str, asked: dict[str, Any], busiest: dict[str, UUID]
) -> float:
    given = {name: str(value).format_map(busiest) for name, value in asked.items()}
    times = []
    for _ in range(ROUNDS + 2):
        began = time.perf_counter()
        answer = client.get(path.format_map(busiest), params=given)
        times.append((time.perf_counter() - began) * 1000)
        answer.raise_for_status()
    return median(times[2:])


# --- ten years of work -----------------------------------------------------------------------


def fill(url: str) -> dict[str, UUID]:
    """Make the register; returns the venue and the business with the most to tell."""
    migrate(url)
    made = _Made()
    with connected(url) as engine:
        for batch in made.batches():
            _store(engine, batch)
        if engine.dialect.name == "postgresql":
            # Its autovacuum does that by itself, but not within seconds.
            with engine.begin() as connection:
                connection.exec_driver_sql("ANALYZE")
    return {"venue_id": made.venues[0].id, "business_id": made.businesses[0].id}


def _store(engine: sa.Engine, records: Iterable[SQLModel]) -> None:
    """Written as they are, past the journal, many at a time; all are of one kind."""
    records = iter(records)
    with engine.execution_options(writes=True).begin() as connection:
        while some := list(islice(records, 5_000)):
            table: Any = sa.inspect(type(some[0])).local_table
            names = [column.key for column in table.columns]
            rows = [{name: getattr(record, name) for name in names} for record in some]
            insert_rows(connection, table, rows)


@dataclass
class _Made:
    """The records, the same ones every time but for ids of no meaning."""

    chance: random.Random = field(default_factory=partial(random.Random, 1))
    wards: list[Ward] = field(default_factory=list)
    businesses: list[Business] = field(default_factory=list)
    venues: list[Venue] = field(default_factory=list)
    recorded: list[SQLModel] = field(default_factory=list)

    def batches(self) -> Iterator[Iterable[SQLModel]]:
        """Everything, in an order in which it can be stored."""
        roles = [[Role.OFFICER], [Role.LICENSING], [Role.OFFICER, Role.ADMINISTRATOR]]
        yield [Account(name=f"officer-{n}", roles=roles[n % 3]) for n in range(200)]
        self.wards = [
            Ward(code=f"W{n}", name=f"Ward {n}", boundary=_square(n)) for n in range(WARDS)
        ]
        yield self.wards
        self.businesses = [Business(name=self._name(n, "Ltd")) for n in range(BUSINESSES)]
        yield self.businesses
        self.venues = [self._venue(number) for number in range(VENUES)]
        yield self.venues
        yield [self._facts(venue, n) for venue in self.venues for n in range(2)]
        yield self._contacts()
        seasons = [self._season(year) for year in range(2006, 2027)]
        yield seasons
        decided = {venue.id: list(self._decisions(venue, seasons)) for venue in self.venues}
        yield self._kept(one for several in decided.values() for one in several)
        yield self._accreditations(decided)
        sessions = [
            self._event(TrainingSession, course=self.chance.choice(list(CourseKey)), place="Hall")
            for _ in range(5_000)
        ]
        yield self._kept(sessions)
        yield self._kept(self._attendance(sessions[n % 5_000]) for n in range(20_000))
        yield self._kept(self._headcount(self._where()) for _ in range(15_000))
        engagements = [self._engagement(self._where()) for _ in range(30_000)]
        yield self._kept(engagements)
        yield self._kept(
            self._event(StepDone, engagement_id=one.id)
            for one in self.chance.sample([e for e in engagements if e.next_step], 3_000)
        )
        tests = [self._test(self._where()) for _ in range(10_000)]
        yield self._kept(tests)
        failed = [test for test in tests if test.result == Result.FAILED]
        yield self._kept(self._event(Debrief, test_id=one.id) for one in failed[::2])
        reports = [self._report(self._where()) for _ in range(10_000)]
        yield reports
        yield self._kept(
            self._event(ReportStep, report_id=one.id, step=step, note="Looked into")
            for one in reports[: len(reports) * 9 // 10]
            for step in (Step.TAKEN_UP, *((Step.RESOLVED,) if self.chance.random() < 0.9 else ()))
        )
        yield self._entries()

    def _kept(self, records: Iterable[SQLModel]) -> list[SQLModel]:
        kept = list(records)
        self.recorded += kept
        return kept

    def _name(self, number: int, kind: str) -> str:
        return f"The {self.chance.choice(WORDS)} {kind} {number}"

    def _day(self) -> date:
        return FIRST_DAY + timedelta(days=self.chance.randrange(DAYS))

    def _where(self) -> UUID:
        """A venue; the first one much more often than any other."""
        return self.venues[0 if self.chance.random() < 0.01 else self.chance.randrange(VENUES)].id

    def _event(self, model: Any, on: date | None = None, **details: Any) -> Any:
        at = effective(on or self._day())
        mistake = self.chance.random() < 0.02
        return model(
            **details,
            effective_at=at,
            recorded_at=at + timedelta(hours=10, seconds=self.chance.randrange(20_000)),
            recorded_by=f"account officer-{self.chance.randrange(20)}",
            voided_at=at + timedelta(days=1) if mistake else None,
            voided_by="account officer-1" if mistake else None,
            void_reason="Entered for the wrong venue" if mistake else None,
        )

    def _venue(self, number: int) -> Venue:
        lat, lon = (self.chance.uniform(*bounds) for bounds in (LAT, LON))
        status = self.chance.choices(list(VenueStatus), (25, 70, 5))[0]
        if number == 0:
            status = VenueStatus.ACTIVE
        return Venue(
            reference=f"V-{number:06}",
            name=self._name(number, self.chance.choice(KINDS)),
            category=self.chance.choice(list(Category)),
            status=status,
            demonstration=True,
            business_id=self.businesses[number % BUSINESSES].id if number % 5 else None,
            address=f"{number} Benchmark Row",
            postcode=f"EC{number % 4 + 1}V {number % 10}ZZ",
            location=Point(round(lat, 6), round(lon, 6)),
            ward_id=self.wards[number % WARDS].id,
            hours=self.chance.choice(HOURS),
            licensed=number % 2 == 0,
            late_night=number % 6 == 0,
        )

    def _facts(self, venue: Venue, version: int) -> VenueFacts:
        names = ("ward_id", "category", "status", "business_id", "licensed", "late_night")
        on = FIRST_DAY + timedelta(days=version)
        facts = {name: getattr(venue, name) for name in names}
        return VenueFacts(
            **facts,
            venue_id=venue.id,
            effective_at=effective(on),
            recorded_at=effective(on),
            recorded_by="account officer-1",
        )

    def _contacts(self) -> list[Contact]:
        of_businesses = [
            Contact(business_id=self.businesses[n % BUSINESSES // 3].id, name=f"Contact {n}")
            for n in range(3_000)
        ]
        return of_businesses + [
            Contact(venue_id=self._where(), name=f"C {n}") for n in range(5_000)
        ]

    def _season(self, year: int) -> Season:
        return Season(
            scheme=SchemeKey.SAFETY_THIRST,
            year=year,
            name=f"Safety Thirst {year}",
            invitations_from=date(year, 3, 15),
            assessments_from=date(year, 4, 1),
            assessments_until=date(year, 6, 30),
            areas={"drink_spiking": "Drink spiking"},
            grades=["commended"],
        )

    def _decisions(self, venue: Venue, seasons: list[Season]) -> Iterator[Decision]:
        if venue.status != VenueStatus.ACTIVE:
            return
        first = FIRST_DAY + timedelta(days=self.chance.randrange(300))
        for scheme in (SchemeKey.SAFE_HAVEN, SchemeKey.ASK_FOR_ANGELA):
            if self.chance.random() < 0.5:
                continue
            made = partial(self._event, Decision, venue_id=venue.id, scheme=scheme)
            yield made(first, kind=Kind.APPLIED)
            awards = [
                first + timedelta(days=360 * year + 10)
                for year in range(self.chance.randrange(1, 11))
            ]
            for on in awards:
                yield made(on, kind=Kind.AWARDED, until=on + timedelta(days=364))
            if self.chance.random() < 0.2:
                later = awards[-1] + timedelta(days=9)
                yield made(later, kind=Kind.SUSPENDED, reason="Failed a test")
        if self.chance.random() < 0.1:
            season = self.chance.choice(seasons)
            yield self._event(
                Decision,
                date(season.year, 7, 10),
                venue_id=venue.id,
                scheme=SchemeKey.SAFETY_THIRST,
                kind=Kind.AWARDED,
                until=date(season.year + 1, 7, 9),
                grade="commended",
                season_id=season.id,
            )

    def _accreditations(self, decided: dict[UUID, list[Decision]]) -> list[Accreditation]:
        now = datetime.now(UTC)
        return [
            Accreditation(**row)
            for decisions in decided.values()
            for scheme in SchemeKey
            for row in settled([one for one in decisions if one.scheme == scheme], now)
        ]

    def _attendance(self, training: TrainingSession) -> Attendance:
        made: Attendance = self._event(
            Attendance,
            session_id=training.id,
            venue_id=self._where(),
            role=self.chance.choice(list(StaffRole)),
            new_count=self.chance.randrange(1, 12),
            refresher_count=self.chance.randrange(3),
        )
        made.effective_at = training.effective_at
        return made

    def _headcount(self, venue_id: UUID) -> Headcount:
        made: Headcount = self._event(Headcount, venue_id=venue_id, staff=20, left=2)
        return made

    def _engagement(self, venue_id: UUID) -> Engagement:
        day, next_step = self._day(), self.chance.random() < 0.3
        made: Engagement = self._event(
            Engagement,
            day,
            venue_id=venue_id,
            business_id=self.chance.choice(self.businesses).id,
            kind=self.chance.choice(list(EngagementKind)),
            outcome=self.chance.choice(list(Outcome)),
            note="Met the duty manager; WAVE for 12 bar staff before the summer",
            next_step="Call to confirm" if next_step else None,
            next_step_on=day + timedelta(days=self.chance.randrange(1, 60)) if next_step else None,
        )
        return made

    def _test(self, venue_id: UUID) -> SchemeTest:
        made: SchemeTest = self._event(
            SchemeTest,
            venue_id=venue_id,
            scheme=SchemeTested.ASK_FOR_ANGELA,
            result=self.chance.choice(list(Result)),
        )
        return made

    def _report(self, venue_id: UUID) -> ProblemReport:
        at = effective(self._day())
        return ProblemReport(
            venue_id=venue_id,
            kind=self.chance.choice(list(ReportKind)),
            comment="The door was locked at 11 at night",
            effective_at=at,
            recorded_at=at,
            recorded_by="public",
        )

    def _entries(self) -> Iterator[Entry]:
        """As many entries as there are events and changes of venues; nobody verifies them."""
        began = effective(FIRST_DAY)
        subjects = [*self.recorded, *self.venues]
        for number in range(1, ENTRIES + 1):
            record = subjects[number % len(subjects)]
            is_venue = isinstance(record, Venue)
            yield Entry(
                number=number,
                at=began + timedelta(days=DAYS) * (number / ENTRIES),
                actor=f"account officer-{self.chance.randrange(20)}",
                subject=str(record.__tablename__),
                subject_id=str(getattr(record, "id", uuid4())),
                before='{"phone": "020 7946 0123"}' if is_venue else None,
                after='{"phone": "020 7946 0999", "note": "Met the duty manager"}',
                hash="0" * 64,
            )


def _square(number: int) -> dict[str, Any]:
    """The boundary of a ward: one of five times five in the area that venues lie in."""
    (south, north), (west, east) = LAT, LON
    high, wide = (north - south) / 5, (east - west) / 5
    y, x = south + number // 5 * high, west + number % 5 * wide
    corners = [[x, y], [x + wide, y], [x + wide, y + high], [x, y + high], [x, y]]
    return {"type": "Polygon", "coordinates": [corners]}


if __name__ == "__main__":
    main()
