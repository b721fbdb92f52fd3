"""Measure what imports take, how long each keeps others from writing, and how much memory.

Each in a process of its own, on SQLite and, where there is one, PostgreSQL.
"""

import json
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from datetime import date, timedelta
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

from app.core.db import connected, migrate
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
FHRS = "fhrs"
FILES = (FHRS, SheetName.VENUES, SheetName.ATTENDANCE, SheetName.DECISIONS, SheetName.HEADCOUNTS)
RESTS_ON: dict[str, tuple[str, ...]] = {
    SheetName.ATTENDANCE: (SheetName.VENUES,),
    SheetName.DECISIONS: (SheetName.VENUES, SheetName.ATTENDANCE),
    SheetName.HEADCOUNTS: (SheetName.VENUES,),
}
KEY = b"a key that only benchmarks know."

Rows = Iterator[dict[str, Any]]


class Took(NamedTuple):
    """What an import took: seconds, seconds in which nobody else could write, and most memory."""

    seconds: float
    lock_seconds: float
    peak_mb: float


def main(part: float = 1.0, only: str | None = None) -> None:
    """Print one table; `part` is how much of each file is measured, `only` the one file that is."""
    wanted: tuple[str, ...] = (only,) if only else FILES
    needed = {*wanted, *(before for name in wanted for before in RESTS_ON.get(name, ()))}
    files = {name: _content(name, part) for name in FILES if name in needed}
    with tempfile.TemporaryDirectory() as folder, each_kind(folder) as urls:
        measured = {
            name: _measured(url, Path(folder) / f"{name}.head", files) for name, url in urls.items()
        }
    rows = [
        [
            f"{name}, {files[name][0]:,} rows",
            *(
                figure
                for took in measured.values()
                for figure in (
                    f"{took[name].seconds:.2f}",
                    f"{took[name].lock_seconds:.2f}",
                    f"{took[name].peak_mb:.0f}",
                )
            ),
        ]
        for name in wanted
    ]
    head = [f"{name}, {figure}" for name in measured for figure in ("s", "lock s", "MB")]
    report.table(
        "Imports: how long, how long nobody else can write, most memory", ["file", *head], rows
    )


class _Timed(Journal):
    """A journal that adds up for how long it lets nobody else write."""

    held = 0.0

    @contextmanager
    def writing(self, actor: str) -> Iterator[Any]:
        with super().writing(actor) as session:
            began = time.perf_counter()
            yield session
        self.held += time.perf_counter() - began


def _measured(url: str, head: Path, files: dict[str, tuple[int, bytes]]) -> dict[str, Took]:
    """What each file took, one after the other into one register."""
    migrate(url)
    # A new process for each: how much memory one ever had it can't forget.
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as processes:
        took = {
            name: processes.submit(_imported, url, head, name, content).result()
            for name, (_, content) in files.items()
        }
    with connected(url) as engine:
        if broken := Journal(engine, KEY, head).verify():
            raise SystemExit(f"entry {broken.number} {broken.reason}")
    return took


def _imported(url: str, head: Path, name: str, content: bytes) -> Took:
    run: Callable[..., object] = (
        import_fhrs if name == FHRS else partial(import_sheet, SheetName(name))
    )
    with connected(url) as engine:
        journal = _Timed(engine, KEY, head)
        began = time.perf_counter()
        run(journal, content, actor="benchmark")
        seconds = time.perf_counter() - began
    # What `getrusage` tells begins with what the parent had.
    (peak_kb,) = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return Took(seconds, journal.held, int(peak_kb) / 1024)


# --- the files -------------------------------------------------------------------------------


def _content(name: str, part: float) -> tuple[int, bytes]:
    """How many rows a file has, and the file."""
    venues, attendances, decisions, headcounts = (
        int(rows * part) for rows in (VENUES, ATTENDANCES, DECISIONS, HEADCOUNTS)
    )
    if name == FHRS:
        return _register(int(ESTABLISHMENTS * part))
    rows = {
        SheetName.VENUES: partial(_venues, venues),
        SheetName.ATTENDANCE: partial(_attendances, attendances, venues),
        SheetName.DECISIONS: partial(_decisions, decisions, venues),
        SheetName.HEADCOUNTS: partial(_headcounts, headcounts, venues),
    }[SheetName(name)]
    made = [*rows()]
    return len(made), write_rows(SHEETS[SheetName(name)].columns, made)


def _register(count: int) -> tuple[int, bytes]:
    """The real register of the City, where it is here; else one that is made up."""
    folder = Path(os.environ.get("HAVENS_REAL_DATA", Path(__file__).parents[3] / "shared/data"))
    file = folder / "fhrs_city_of_london_2021.json"
    entries = (
        json.loads(file.read_bytes())["establishments"]
        if file.exists()
        else [
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
    )[:count]
    return len(entries), json.dumps({"establishments": entries}).encode()


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
