"""From 60 venues to a million: speed, memory, and how long a build, a start and a change take.

Two workers on SQLite. At the largest size also the questions that are hard for an index, answers
while a directory is built, and a sample of answers held against brute force.
"""

import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import orjson

from app.core.london import LONDON
from tests.bench import exact, open_loop
from tests.bench.load import ASK, CONNECTIONS, drive, middle, need_wrk
from tests.bench.report import say, table
from tests.bench.servers import QUESTION, Server, ours, pss_mb
from tests.bench.venues import RARE, SHUT_AT_NIGHT, fill

SIZES = (60, 1_000, 10_000, 100_000, 1_000_000)
WORKERS = 2
ROUNDS, SECONDS = 3, 3
RATE = 4_000
NORTH_SEA = "lat=54.0&lon=3.0"
PATIENCE_SECONDS = 300

_BUILD = """
import sys, time
from pathlib import Path
from app.directory.publish import publish
began = time.monotonic()
answer = publish(sys.argv[1], Path(sys.argv[2]), time.time(), demonstration=True)
assert answer.outcome == 0, answer
print(time.monotonic() - began)
"""


def main() -> None:
    """Print one line for each size, then what is asked of the largest alone."""
    need_wrk()
    rows = []
    with tempfile.TemporaryDirectory(prefix="havens-bench-") as temporary:
        folders = {size: Path(temporary, str(size)) for size in SIZES}
        for size, folder in folders.items():
            folder.mkdir()
            fill(f"sqlite:///{folder}/havens.sqlite", size, SHUT_AT_NIGHT)
            rows.append(_line(folder, size))
        head = ("venues", "answers/s", "p50 ms", "p99 ms", "MB", "build s", "start s", "change s")
        table(f"Two workers, {CONNECTIONS} connections", head, rows)
        say(
            "MB: PSS of all processes together; build: a directory from the database; start: until "
            "the first answer, from the directory on disk; change: from a commit until every "
            "worker answers from it, build included."
        )
        most, build_seconds = SIZES[-1], float(rows[-1][5])
        with ours(folders[most], WORKERS) as server:
            _while_building(server, folders[most], most, build_seconds)
            _hard_cases(server, most)
            exact.check(server, most, SHUT_AT_NIGHT)


def _line(folder: Path, size: int) -> tuple[str, ...]:
    command = [sys.executable, "-c", _BUILD, f"sqlite:///{folder}/havens.sqlite", str(folder)]
    built = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    with ours(folder, WORKERS):
        pass  # the very first start makes accounts, and compiles
    with ours(folder, WORKERS) as server:
        # A service just started still imports what it builds directories with.
        until_shown(server, folder)
        change = until_shown(server, folder)
        drive(server, 1)
        run = middle([drive(server, SECONDS) for _ in range(ROUNDS)])
        weight = pss_mb(server.processes)
    return (
        f"{size:,}",
        f"{run.per_second:,.0f}",
        f"{run.p50_ms:.1f}",
        f"{run.p99_ms:.1f}",
        f"{weight:.0f}",
        f"{float(built.stdout):.2f}",
        f"{server.start_seconds:.1f}",
        f"{change:.2f}",
    )


def _edit(folder: Path) -> int:
    """Rename a venue, as another program would; returns the version that makes."""
    database = sqlite3.connect(folder / "havens.sqlite", isolation_level=None, timeout=10)
    with closing(database) as connection:
        connection.execute("UPDATE venue SET name = name || '!' WHERE reference = 'BENCH-0'")
        (version,) = connection.execute("SELECT version FROM directory_state").fetchone()
    return int(version)


def until_shown(server: Server, folder: Path) -> float:
    """Seconds from a commit, which this makes, until each worker answers from it."""
    connections = server.connections(WORKERS)
    version = _edit(folder)
    began, told = time.monotonic(), [0]
    while min(told) < version:
        if time.monotonic() - began > PATIENCE_SECONDS:
            sys.exit(f"a change did not show within {PATIENCE_SECONDS} seconds")
        time.sleep(0.01)
        for connection in connections:
            connection.request("GET", QUESTION)
        answers = [connection.getresponse().read() for connection in connections]
        told = [orjson.loads(answer)["directory"]["version"] for answer in answers]
    seconds = time.monotonic() - began
    for connection in connections:
        connection.close()
    return seconds


def _hard_cases(server: Server, size: int) -> None:
    night = datetime.now(LONDON).replace(hour=4, minute=30, second=0) + timedelta(days=1)
    at = f"&at={night:%Y-%m-%dT%H:%M:%SZ}"
    cases = {
        "in the City, now": ASK,
        "at 04:30, when 0.1 % is open": ASK + at,
        f"a facility that {size // 100_000} have": f"{ASK}&facilities={RARE}",
        "in the North Sea": f"/v1/havens/nearest?{NORTH_SEA}&limit=5",
        "all of these": f"/v1/havens/nearest?{NORTH_SEA}&limit=5&facilities={RARE}{at}",
    }
    rows = []
    for name, ask in cases.items():
        drive(server, 1, ask, connections=1)
        run = drive(server, SECONDS, ask, connections=1)
        rows.append((name, f"{run.p50_ms:.2f}", f"{run.p99_ms:.2f}"))
    title = f"Hard questions, {size:,} venues, one connection, the way there and back included"
    table(title, ("", "p50 ms", "p99 ms"), rows)


def _while_building(server: Server, folder: Path, size: int, build_seconds: float) -> None:
    """Answers at rest and while a change makes the directory be built anew."""
    seconds = max(2, int(build_seconds * 0.8))
    until_shown(server, folder)
    most = drive(server, SECONDS)
    at_rest = np.percentile(open_loop.measure(server.port, RATE, seconds), (50, 99))
    weights: list[float] = []
    with _watched(server, weights):
        _edit(folder)
        busy = drive(server, seconds)
        until_shown(server, folder)
    # To weigh a process holds it up.
    _edit(folder)
    building = np.percentile(open_loop.measure(server.port, RATE, seconds), (50, 99))
    rows = [
        (
            f"{CONNECTIONS} connections, as fast as it can",
            "at rest",
            *_two(most.p50_ms, most.p99_ms),
        ),
        ("", "while building", *_two(busy.p50_ms, busy.p99_ms)),
        (f"{RATE:,} requests a second", "at rest", *_two(*at_rest)),
        ("", "while building", *_two(*building)),
    ]
    table(f"Answers while {size:,} venues are built", ("", "", "p50 ms", "p99 ms"), rows)
    say(f"At most {max(weights):.0f} MB meanwhile, the building process included.")


def _two(p50: float, p99: float) -> tuple[str, str]:
    return f"{p50:.2f}", f"{p99:.2f}"


@contextmanager
def _watched(server: Server, weights: list[float]) -> Iterator[None]:
    """Weigh a server every second."""
    done = threading.Event()

    def weigh() -> None:
        while not done.wait(1):
            weights.append(pss_mb(server.processes))

    watcher = threading.Thread(target=weigh)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
