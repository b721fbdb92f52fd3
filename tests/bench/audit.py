"""Time every report of the audit, at a tenth of the size and at all of it.

As functions on a session and over HTTP in one process, on SQLite and, where there is one,
PostgreSQL. The growth is how much longer the larger one takes: ten would be linear.
"""

import gc
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import httpx
from rich.console import Console
from rich.table import Table
from sqlmodel import Session

from app.audit.frame.question import Filters, Question, View
from app.audit.pack.pack import compose, parameters
from app.audit.reports.coverage import coverage
from app.audit.reports.due import due
from app.audit.reports.levy import levy
from app.audit.reports.quality import quality
from app.audit.reports.trend import TrendQuestion, trend
from app.core.db import connected, migrate, read_session
from tests.accounts import make_app, signed_in
from tests.audit.history import LAST_DAY, make_history, store
from tests.databases import NO_POSTGIS, Postgres, find_postgis
from tests.servers import serving

SIZES = {1_000: 20_000, 10_000: 200_000}
"""How many events at how many venues; three in four venues are licensed."""

ROUNDS = 3
AS_AT = LAST_DAY
QUARTER = f"{LAST_DAY.year}-Q{(LAST_DAY.month + 2) // 3}"


class Report(NamedTuple):
    """One report: how it is made, where it is read, and how long it may take at all of the size."""

    name: str
    make: Callable[[Session, View], Any]
    path: str
    most_seconds: float


def _pack(session: Session, view: View) -> Any:
    made_from, known_at = parameters(session, QUARTER, Filters(), None, view.known_at)
    return compose(session, made_from, known_at)


REPORTS = (
    Report("coverage", coverage, "/v1/audit/coverage", 0.35),
    Report(
        "trend over 24 months",
        lambda session, view: trend(session, view, TrendQuestion().days(view.as_at)),
        "/v1/audit/trend",
        0.5,
    ),
    Report("quarterly pack", _pack, f"/v1/audit/pack?quarter={QUARTER}", 1.5),
    Report("levy register", lambda session, view: levy(session, view, None), "/v1/audit/levy", 1),
    Report("due", lambda session, view: due(session, view, 90), "/v1/audit/due", 0.5),
    Report("data quality", quality, "/v1/audit/quality", 0.5),
)


def main() -> None:
    """Print one table of both databases and both sizes."""
    measured: dict[tuple[str, int], dict[str, tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as servers:
        databases: dict[str, Callable[[int], str]] = {
            "SQLite": lambda venues: f"sqlite:///{folder}/{venues}.sqlite"
        }
        if bin_ := find_postgis():
            server = Postgres(bin_)
            servers.callback(server.remove)
            server.start()
            databases["PostgreSQL"] = lambda venues: server.create(f"bench_{venues}")
        else:
            print(NO_POSTGIS)
        for venues, events in SIZES.items():
            history = make_history(venues * 3 // 4, venues - venues * 3 // 4, events)
            print(f"{venues:,} venues, {len(history):,} events")
            for name, url_of in databases.items():
                url = url_of(venues)
                migrate(url)
                with connected(url) as engine:
                    store(engine, history)
                measured[name, venues] = _measured(url, Path(folder) / f"{name}-{venues}")
            del history
        Console(width=130).print(_table(list(databases), measured))


def _measured(url: str, folder: Path) -> dict[str, tuple[float, float]]:
    """The median seconds of each report: as a function, and over HTTP."""
    folder.mkdir()
    app = make_app(url, folder, environment="demo")
    headers = signed_in(app, "licensing")
    with serving(app) as client, connected(url) as engine:
        client.headers.update(headers)

        def made(report: Report) -> None:
            with read_session(engine) as session:
                view = View.of(session, Question(as_at=AS_AT), datetime.now(UTC))
                report.make(session, view)

        return {
            report.name: (
                _median_seconds(partial(made, report)),
                _median_seconds(partial(_got, client, report.path)),
            )
            for report in REPORTS
        }


def _got(client: httpx.Client, path: str) -> None:
    asked = {} if "quarter" in path else {"as_at": AS_AT.isoformat()}
    answer = client.get(httpx.URL(path).copy_merge_params(asked))
    answer.raise_for_status()


def _median_seconds(do: Callable[[], None]) -> float:
    times = []
    for _ in range(ROUNDS + 1):
        gc.collect()
        began = time.perf_counter()
        do()
        times.append(time.perf_counter() - began)
    return median(times[1:])


def _table(
    databases: list[str], measured: dict[tuple[str, int], dict[str, tuple[float, float]]]
) -> Table:
    few, many = SIZES
    title = f"{few:,} and {many:,} venues, {SIZES[many]:,} events: median seconds of {ROUNDS}"
    table = Table(title=title)
    table.add_column("report")
    for name in databases:
        for column in (f"{name} {few:,}", f"{many:,}", "growth", "over HTTP"):
            table.add_column(column, justify="right")
    table.add_column("target", justify="right")
    for report in REPORTS:
        cells = []
        for name in databases:
            small, large = (measured[name, venues][report.name] for venues in SIZES)
            cells += [
                f"{small[0]:.3f}",
                _judged(large[0], report.most_seconds),
                f"{large[0] / small[0]:.1f}",
                _judged(large[1], report.most_seconds),
            ]
        table.add_row(report.name, *cells, f"{report.most_seconds:g}")
    return table


def _judged(seconds: float, most: float) -> str:
    return f"{seconds:.3f}" if seconds < most else f"[bold red]{seconds:.3f}[/]"


if __name__ == "__main__":
    main()
