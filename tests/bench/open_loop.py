"""Latency at a constant rate: `python -m tests.bench.open_loop PORT RATE SECONDS`.

Requests fall due at equal intervals whether or not earlier ones were answered, and each is timed
from the instant at which it fell due, so that a stall counts for all that it held up. The timer is
good for a millisecond: up to that much of each time is this program's own.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
from collections import deque
from pathlib import Path
from time import perf_counter
from typing import cast

import numpy as np
import uvloop
from numpy.typing import NDArray

from tests.bench.load import ASK, drive, need_wrk
from tests.bench.report import table
from tests.bench.servers import ours
from tests.bench.venues import LAT, LON, fill

CONNECTIONS = 32
SECONDS = 20
SIZE = 60
SHARES = (50, 90, 99, 99.9, 100)


def main() -> None:
    """Print how long answers take at half of the rate at which they come at most."""
    need_wrk()
    with tempfile.TemporaryDirectory(prefix="havens-bench-") as folder:
        fill(f"sqlite:///{folder}/havens.sqlite", SIZE)
        with ours(Path(folder)) as server:
            most = max(drive(server.url, 3).per_second for _ in range(2))
            times = measure(server.port, most / 2, SECONDS)
    figures = np.percentile(times, SHARES)
    table(
        f"{SIZE} venues, one worker, {most / 2:,.0f} requests a second: half of its most",
        ("", *(f"p{share:g}" if share < 100 else "most" for share in SHARES)),
        [("ms", *(f"{figure:.2f}" for figure in figures))],
    )
    edges = [0, 0.5, 1, 1.5, 2, 3, 4, 6, 8, 12, 16, 25, 50, 100, 1e9]
    counts, _ = np.histogram(times, edges)
    rows = [
        (f"up to {edge:g}" if edge < 1e9 else "more", f"{count:,}", f"{count / len(times):.2%}")
        for edge, count in zip(edges[1:], counts.tolist(), strict=True)
    ]
    table("The same, counted", ("ms", "answers", "share"), rows)


def measure(port: int, rate: float, seconds: float) -> NDArray[np.float64]:
    """Ask in a process of its own; returns what each answer took, in ms."""
    command = [sys.executable, "-m", "tests.bench.open_loop", str(port), str(rate), str(seconds)]
    # Not through a pipe, which the event loop leaves in a state that loses output.
    with tempfile.TemporaryFile() as took_ms:
        subprocess.run(command, stdout=took_ms, check=True, timeout=10 * seconds + 60)
        took_ms.seek(0)
        return np.array(json.load(took_ms))


class Schedule:
    """Requests that fall due, the connections that are free for them, and what answers took."""

    def __init__(self, rate: float, seconds: float) -> None:
        chance = np.random.default_rng(1)
        places = zip(chance.uniform(*LAT, 1000), chance.uniform(*LON, 1000), strict=True)
        paths = [ASK.format(lat=f"{lat:.6f}", lon=f"{lon:.6f}") for lat, lon in places]
        self._requests = [f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode() for path in paths]
        self._rate, self._count, self._sent = rate, int(rate * seconds), 0
        self._began = 0.0
        self._free: deque[Connection] = deque()
        self._loop = asyncio.get_running_loop()
        self._finished = self._loop.create_future()
        self._took_ms: list[float] = []

    async def run(self, port: int) -> list[float]:
        """Ask all on one port; returns what the answers took."""
        for _ in range(CONNECTIONS):
            _, connection = await self._loop.create_connection(
                lambda: Connection(self), "127.0.0.1", port
            )
            self._free.append(connection)
        self._began = perf_counter()
        self._tick()
        await self._finished
        return self._took_ms

    def answered(self, connection: "Connection", due_at: float) -> None:
        """Take note of an answer, and of the connection that is free again."""
        self._took_ms.append((perf_counter() - due_at) * 1000)
        self._free.append(connection)
        if len(self._took_ms) == self._count:
            self._finished.set_result(None)
        else:
            self._send()

    def failed(self, reason: str) -> None:
        """Give up."""
        if not self._finished.done():
            self._finished.set_exception(RuntimeError(reason))

    def _tick(self) -> None:
        self._send()
        if self._sent < self._count:
            self._loop.call_later(0.001, self._tick)

    def _send(self) -> None:
        due = min(self._count, int((perf_counter() - self._began) * self._rate))
        while self._sent < due and self._free:
            due_at = self._began + self._sent / self._rate
            self._free.popleft().ask(self._requests[self._sent % len(self._requests)], due_at)
            self._sent += 1


class Connection(asyncio.Protocol):
    """One connection, which has one question open at most."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self._due_at = 0.0
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def ask(self, request: bytes, due_at: float) -> None:
        self._due_at = due_at
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, parted, body = self._received.partition(b"\r\n\r\n")
        if not parted:
            return
        if not head.startswith(b"HTTP/1.1 200"):
            self._schedule.failed(self._received.decode())
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(body) == length:
            self._received = b""
            self._schedule.answered(self, self._due_at)

    def connection_lost(self, exc: Exception | None) -> None:
        self._schedule.failed(f"a connection was closed: {exc}")


async def _ask(port: int, rate: float, seconds: float) -> list[float]:
    return await Schedule(rate, seconds).run(port)


if __name__ == "__main__":
    port, rate, seconds = sys.argv[1:]
    print(json.dumps(uvloop.run(_ask(int(port), float(rate), float(seconds)))))
