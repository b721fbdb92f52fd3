"""Measure what imports take, and how long each keeps others from writing.

In one process, on SQLite and, where there is one, PostgreSQL.
"""

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from app.core.db import make_engine, migrate
from app.core.journal import Journal
from app.sheets.cells import write_rows
from app.sheets.fhrs import import_fhrs
from app.sheets.files import SHEETS, SheetName, import_sheet
from app.training.courses import CourseKey, StaffRole
from app.venues import osm_hours
from tests.bench import report
from tests.bench.venues import HOURS, made_up
from tests.databases import each_kind

ESTABLISHMENTS, VENUES, ATTENDANCES, DECISIONS, HEADCOUNTS = 1_720, 60_000, 50_000, 5_000, 9_000
"""How many rows each file has; the last is as large as one that is sent."""

Rows = Iterator[dict[str, Any]]


def main(part: float = 1.0) -> None:
    """Print one table; `part` is how much of each file is measured."""
    with tempfile.TemporaryDirectory() as folder, each_kind(folder) as urls:
        measured = {
            name: _measured(url, Path(folder) / f"{name}.head", part) for name, url in urls.items()
        }
    rows = [
        [what, *(f"{seconds:.1f}" for own in measured.values() for seconds in own[what])]
        for what in measured["SQLite"]
    ]
    head = [f"{name}, {figure}" for name in measured for figure in ("s", "lock s")]
    report.table("Imports: how long, and how long nobody else can write", ["file", *head], rows)


class _Timed(Journal):
    """A journal that adds up for how long it lets nobody else write."""

    held = 0.0

    @contextmanager
    def writing(self, actor: str) -> Iterator[Any]:
        with super().writing(actor) as session:
            began = time.perf_counter()
            yield session
        self.held += time.perf_counter() - began


def _measured(url: str, head: Path, part: float) -> dict[str, tuple[float, float]]:
    """Seconds in all and under the lock, by what was imported."""
    migrate(url)
    engine = make_engine(url)
    journal = _Timed(engine, b"a key that only benchmarks know.", head)
    establishments, venues, attendances, decisions, headcounts = (
        int(rows * part) for rows in (ESTABLISHMENTS, VENUES, ATTENDANCES, DECISIONS, HEADCOUNTS)
    )
    sheets = {
        SheetName.VENUES: (venues, _venues(venues)),
        SheetName.ATTENDANCE: (attendances, _attendances(attendances, venues)),
        SheetName.DECISIONS: (decisions, _decisions(decisions, venues)),
        SheetName.HEADCOUNTS: (headcounts, _headcounts(headcounts, venues)),
    }
    files: list[tuple[str, int, Callable[..., object], bytes]] = [
        ("food hygiene register", establishments, import_fhrs, _register(establishments)),
        *(
            (name, count, partial(import_sheet, name), write_rows(SHEETS[name].columns, rows))
            for name, (count, rows) in sheets.items()
        ),
    ]
    measured = {}
    for what, count, run, content in files:
        journal.held, began = 0.0, time.perf_counter()
        run(journal, content, actor="benchmark")
        measured[f"{what}, {count:,} rows"] = time.perf_counter() - began, journal.held
    if broken := journal.verify():
        raise SystemExit(f"entry {broken.number} {broken.reason}")
    engine.dispose()
    return measured


def _register(count: int) -> bytes:
    entries = [
        {
            "FHRSID": number,
            "BusinessName": f"Benchmark Kitchen {number}",
            "BusinessType": "Restaurant/Cafe/Canteen",
            "AddressLine1": f"{number} Hygiene Row",
            "PostCode": "EC2V 0ZZ",
            "geocode": {"longitude": -0.11 + number / 50_000, "latitude": 51.51},
        }
        for number in range(1, count + 1)
    ]
    return json.dumps({"establishments": entries}).encode()


def _venues(count: int) -> Rows:
    texts = [osm_hours.text(hours) for hours in HOURS]
    for made in made_up(count, len(HOURS)):
        yield {
            "reference": f"B-{made.number}",
            "name": made.name,
            "category": made.category,
            "business": f"Company {made.number % 997}",
            "address": made.address,
            "postcode": "EC2V 0ZZ",
            "latitude": made.lat,
            "longitude": made.lon,
            "opening_hours": texts[made.hours],
            "facilities": ";".join(made.facilities),
            "step_free": made.step_free,
            "licensed": "yes",
            "safe_haven_from": "2026-01-01" if made.number % 2 else "",
        }


def _attendances(count: int, venues: int) -> Rows:
    courses, roles = list(CourseKey), list(StaffRole)
    for number in range(count):
        yield {
            "on": date(2025, 7, 1) + timedelta(days=number // 100),
            # Those who are decided about need people trained in this one.
            "course": "ask_for_angela"
            if number < DECISIONS
            else courses[number // 10 % len(courses)],
            "venue": f"B-{number % venues}",
            "role": roles[number % len(roles)],
            "new": 1 + number % 9,
            "place": f"Room {number // 10}",
        }


def _decisions(count: int, venues: int) -> Rows:
    """Four steps of each venue, in a scheme that asks for training or in one that does not."""
    for number in range(count):
        owner, step = divmod(number, 4)
        yield {
            "on": date(2026, 6, 1) + timedelta(days=step),
            "venue": f"B-{owner % venues}",
            "scheme": ("ask_for_angela", "womens_night_safety_charter")[owner % 2],
            "kind": ("applied", "awarded", "suspended", "reinstated")[step],
            "reason": "A test failed" if step == 2 else "",
        }


def _headcounts(count: int, venues: int) -> Rows:
    for number in range(count):
        yield {"on": date(2026, 1, 1), "venue": f"B-{number % venues}", "staff": 10, "left": 0}
