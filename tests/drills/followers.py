"""Five hundred partners wait for what changes, while the public asks for the nearest haven.

    python -m tests.drills.followers [--followers 500] [--rounds 5]

Rounds without anybody who waits and rounds with all of them follow one another; then the directory
changes while they wait. Leaves with 1 when the public's answers took longer for it, or when anybody
who waited was not told within two seconds, or was told wrong.
"""

import argparse
import asyncio
import json
import multiprocessing
import random
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import httpx
import numpy as np
import sqlalchemy as sa

from app.core.db import connected
from app.venues.models import Venue
from tests.bench.open_loop import measure
from tests.bench.report import begin, say, table
from tests.bench.servers import Server, get, ours
from tests.bench.venues import fill
from tests.servers import METRICS, METRICS_TOKEN, PATIENCE_SECONDS, until

HAVENS = 60
FILES = 4096
A_SECOND, SECONDS = 400, 8
CHANGES, CHANGE_SECONDS = 5, 3
TOLD_WITHIN_SECONDS = 2
NOTHING = {"p50": 1.1, "p99": 1.25}
"""How many times as long an answer may take, for that to be what one round differs from another."""


class Figures(NamedTuple):
    """What the public saw in a round."""

    p50: float
    p99: float
    processor: float
    """Milliseconds of the service for each answer, with all else that it did."""


# --- who waits ---------------------------------------------------------------------------------


class Told(NamedTuple):
    """Somebody was told of another state."""

    at: float
    cursor: str


def follow(port: int, number: int, cursor: str, told: Any) -> None:
    """So many who wait, in this process; what each is told goes into a queue."""

    async def all_of_them() -> None:
        await asyncio.gather(*(one() for _ in range(number)))

    async def one() -> None:
        known, wait = cursor, random.uniform(1, 30)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while True:
            path = f"/v1/changes?since={known}&wait={wait:.3f}"
            writer.write(f"GET {path} HTTP/1.1\r\nHost: drill.test\r\n\r\n".encode())
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
            body = await reader.readexactly(int(length))
            if not head.startswith(b"http/1.1 200 "):
                sys.exit(head.decode())
            fresh, wait = json.loads(body)["cursor"], 30
            if fresh != known:
                known = fresh
                told.put(Told(time.monotonic(), fresh))

    asyncio.run(all_of_them())


@contextmanager
def waiting(server: Server, number: int) -> Iterator[Any]:
    """So many who wait, once all do; gives the queue of what they are told."""
    forked = multiprocessing.get_context("fork")
    told = forked.Queue()
    process = forked.Process(target=follow, args=(server.port, number, cursor_of(server), told))
    process.start()
    try:
        until(lambda: how_many(server) == number)
        yield told
        assert process.is_alive(), "somebody who waited was answered wrongly"
    finally:
        process.kill()
        process.join()
    until(lambda: how_many(server) == 0)


def cursor_of(server: Server) -> str:
    """The state that the service is in."""
    return str(json.loads(get(f"{server.url}/v1/changes"))["cursor"])


def how_many(server: Server) -> int:
    """How many wait."""
    said = httpx.get(f"{server.url}/metrics", headers=METRICS).text
    [line] = [line for line in said.splitlines() if line.startswith("havens_followers ")]
    return int(float(line.split()[1]))


# --- what the public sees ----------------------------------------------------------------------


def asked(server: Server) -> Figures:
    """Ask for a while."""
    before = processor_seconds(server)
    took_ms = measure(server.port, A_SECOND, SECONDS)
    spent = processor_seconds(server) - before
    p50, p99 = np.percentile(took_ms, (50, 99))
    return Figures(float(p50), float(p99), 1000 * spent / len(took_ms))


def processor_seconds(server: Server) -> float:
    return sum(sum(one.cpu_times()[:2]) for one in server.processes)


def changed(server: Server, url: str, number: int) -> tuple[list[float], list[str]]:
    """Change the directory while so many wait; the seconds until the last was told, each time."""
    seconds, wrong = [], []
    with waiting(server, number) as told, connected(url) as engine:
        for change in range(CHANGES):
            with engine.execution_options(writes=True).begin() as connection:
                one = connection.scalars(sa.select(sa.func.min(Venue.reference))).one()
                rename = sa.update(Venue).where(Venue.reference == one)  # type: ignore[arg-type]
                connection.execute(rename.values(name=f"The Lantern {change}"))
            began = time.monotonic()
            heard = [told.get(timeout=PATIENCE_SECONDS) for _ in range(number)]
            seconds.append(max(one.at for one in heard) - began)
            if {one.cursor for one in heard} != {cursor_of(server)}:
                wrong.append("not all were told of the same state")
            time.sleep(CHANGE_SECONDS)
    return seconds, wrong


def main() -> None:
    """Print what was seen, and leave with 1 unless it was what is promised."""
    parser = argparse.ArgumentParser(prog="python -m tests.drills.followers")
    parser.add_argument("--followers", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    # For a process takes as many connections as it may open half as many files.
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(FILES, most), most))
    begin()
    with tempfile.TemporaryDirectory(prefix="havens-drill-") as folder:
        url = f"sqlite:///{folder}/havens.sqlite"
        fill(url, HAVENS)
        with ours(Path(folder), HAVENS_METRICS_TOKEN=METRICS_TOKEN) as server:
            asked(server)  # as everybody later finds it
            rounds: dict[int, list[Figures]] = {0: [], given.followers: []}
            for _ in range(given.rounds):
                for number, figures in rounds.items():
                    with waiting(server, number) if number else nullcontext():
                        figures.append(asked(server))
            seconds, wrong = changed(server, url, given.followers)
    rows = [
        [f"{number} who wait", *(f"{median(column):.3f}" for column in zip(*figures, strict=True))]
        for number, figures in rounds.items()
    ]
    table(
        f"{A_SECOND} questions a second, {given.rounds} rounds of {SECONDS} s each, one worker",
        ["", "p50 ms", "p99 ms", "processor ms"],
        rows,
    )
    without, with_all = rounds.values()
    for name, most_times in NOTHING.items():
        pairs = zip(without, with_all, strict=True)
        times = median(getattr(b, name) / getattr(a, name) for a, b in pairs)
        say(f"The {name} with them is {times:.2f} times what it is without.")
        if times > most_times:
            wrong.append(f"{name}: {times:.2f} times as long")
    say(
        f"The last of {given.followers} was told {median(seconds):.2f} s after a change,"
        f" at most {max(seconds):.2f} s."
    )
    if max(seconds) > TOLD_WITHIN_SECONDS:
        wrong.append(f"told after {max(seconds):.2f} s")
    say("\n".join(wrong) or "As promised.")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
