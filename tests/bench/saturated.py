"""How soon a change shows while every processor has more to do than it can.

Two workers on SQLite are asked as fast as they answer, from 64 connections, and a loop that never
rests runs beside them for each processor.
"""

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from tests.bench.growth import until_shown
from tests.bench.load import Run, drive, middle, need_wrk
from tests.bench.report import say, table
from tests.bench.servers import Server, ours
from tests.bench.venues import SHUT_AT_NIGHT, fill
from tests.processes import ending_with_us

SIZE, WORKERS, CONNECTIONS, CHANGES = 100_000, 2, 64, 5
WANTED_SECONDS = 10


def main() -> None:
    """Print how long changes take to show, at rest and while nothing has time to spare."""
    need_wrk()
    with tempfile.TemporaryDirectory(prefix="havens-bench-") as temporary:
        folder = Path(temporary)
        fill(f"sqlite:///{folder}/havens.sqlite", SIZE, SHUT_AT_NIGHT)
        with ours(folder, WORKERS):
            pass  # makes accounts, and compiles
        with ours(folder, WORKERS) as server:
            measure(server, folder, SIZE)


def measure(server: Server, folder: Path, size: int) -> None:
    """The same of a service that runs."""
    until_shown(server, folder)
    at_rest = [until_shown(server, folder) for _ in range(CHANGES)]
    with _saturated(server) as runs:
        busy = [until_shown(server, folder) for _ in range(CHANGES)]
    rows = [("at rest", *_said(at_rest)), ("saturated", *_said(busy))]
    title = f"A change of {size:,} venues until each of {WORKERS} workers answers from it"
    table(title, ("", "median s", "most s"), rows)
    say(
        f"Saturated: {CONNECTIONS} connections as fast as they are answered, which was"
        f" {middle(runs).per_second:,.0f} times a second, and a loop for each of"
        f" {os.cpu_count()} processors. Wanted: {WANTED_SECONDS} s."
    )


def _said(seconds: list[float]) -> tuple[str, str]:
    return f"{median(seconds):.2f}", f"{max(seconds):.2f}"


@contextmanager
def _saturated(server: Server) -> Iterator[list[Run]]:
    """Have no processor rest; gives what the service answered meanwhile."""
    done, runs = threading.Event(), [drive(server, 1, connections=CONNECTIONS)]

    def ask() -> None:
        while not done.is_set():
            runs.append(drive(server, 5, connections=CONNECTIONS))

    command = ending_with_us([sys.executable, "-c", "while True: pass"])
    loops = [subprocess.Popen(command) for _ in range(os.cpu_count() or 1)]
    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yield runs
    finally:
        done.set()
        asking.join()
        for loop in loops:
            loop.terminate()
            loop.wait()
