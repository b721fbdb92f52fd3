"""Generations that follow one another, and stops, while people ask: who came is answered.

    python -m tests.drills.replacing [--times 20] [--rate 200] [--workers 2]

The service is told so many times to start its next generation (SIGHUP), and as often it is stopped
(SIGTERM) and started. Leaves with 1 when a request was lost: one that was made on a connection, and
not answered. One more time it is the keeper that is killed, whose workers have to follow it.
"""

import argparse
import asyncio
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np
import psutil

from tests.bench.report import begin, say, table
from tests.bench.servers import APPLICATION, started
from tests.drills.load import Load
from tests.servers import answering

PATIENCE_SECONDS = 300

During = Callable[[], Awaitable[None]]


async def until(attempt: Callable[[], bool]) -> None:
    """Wait for something to be so."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not attempt():  # noqa: ASYNC110 - other processes set no event
            await asyncio.sleep(0.5)  # to look through all processes takes a while


async def under(load: Load, rate: float, during: During) -> None:
    """Do something while people ask, from a little before it until a little after it."""
    done = asyncio.Event()
    asking = asyncio.create_task(load.ask(rate, done))
    await asyncio.sleep(0.5)
    await during()
    await asyncio.sleep(0 if load.ends_when_shut else 0.5)
    done.set()
    await asking


async def replaced(keeper: psutil.Process, workers: int) -> None:
    """Have the next generation started, and the last one gone."""
    before = {process.pid for process in answering(keeper)}
    keeper.send_signal(signal.SIGHUP)

    def is_done() -> bool:
        now = {process.pid for process in answering(keeper)}
        return len(now) == workers and not now & before

    await until(is_done)


async def stopped(keeper: psutil.Popen) -> None:
    """Have the service stopped."""
    keeper.terminate()
    await until(lambda: keeper.poll() is not None)


def main() -> None:
    """Print what was seen, and leave with 1 when anything was lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.drills.replacing")
    parser.add_argument("--times", type=int, default=20, help="how many replacements, and stops")
    parser.add_argument("--rate", type=float, default=200, help="requests a second")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    havens = str(Path(sys.executable).with_name("havens"))
    command = [havens, "serve", "--port", "{port}", "--workers", str(given.workers)]
    rows: list[list[str]] = []
    wrong: list[str] = []

    def note(name: str, times: int, load: Load) -> None:
        asked = len(load.milliseconds) + len(load.lost)
        p99 = np.percentile(load.milliseconds, 99)
        numbers = [times, asked, len(load.failed), len(load.lost), f"{p99:.0f}"]
        rows.append([name, *map(str, numbers)])
        wrong.extend([*load.failed, *load.lost][:5])

    begin()
    with tempfile.TemporaryDirectory(prefix="havens-drill-") as folder:
        environment = {"HAVENS_DATA_DIR": folder, "HAVENS_ENVIRONMENT": "demo"}
        with started(command, environment, APPLICATION) as server:
            load = Load(server.port)

            async def many() -> None:
                for _ in range(given.times):
                    await replaced(server.process, given.workers)

            asyncio.run(under(load, given.rate, many))
            note("replacements", given.times, load)
        total = Load(0)
        for _ in range(given.times):
            with started(command, environment, APPLICATION) as server:
                load = Load(server.port, ends_when_shut=True)
                asyncio.run(under(load, given.rate, lambda: stopped(server.process)))
            for figures in ("milliseconds", "failed", "lost"):
                getattr(total, figures).extend(getattr(load, figures))
        note("stops", given.times, total)
        with started(command, environment, APPLICATION) as server:
            family = server.process.children(recursive=True)
            server.process.kill()
            _, left = psutil.wait_procs(family, timeout=60)
            wrong += [f"{len(left)} processes outlived the one that was killed"] * bool(left)
    table(
        f"{given.rate:.0f} requests a second, {given.workers} workers",
        ["while", "times", "asked", "failed", "lost", "p99 ms"],
        rows,
    )
    say("\n".join(wrong) or "As promised.")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
