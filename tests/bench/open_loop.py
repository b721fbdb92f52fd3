"""Latency at a constant rate: `python -m tests.bench.open_loop PORT RATE SECONDS`.

Requests fall due at equal intervals whether or not earlier ones were answered, and each is timed
from the instant at which it fell due, so that a stall counts for all that it held up.
"""

import gc
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
from collections import deque
from pathlib import Path
from time import perf_counter

import numpy as np
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
            most = max(drive(server, 3).per_second for _ in range(2))
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
    """Ask in a process of its own; returns what each answer took, in ms.

    Where that is allowed it has precedence: whoever asks elsewhere doesn't wait for a processor of
    ours.
    """
    command = [sys.executable, "-m", "tests.bench.open_loop", str(port), str(rate), str(seconds)]
    if os.geteuid() == 0:
        command = ["nice", "-n", "-20", *command]
    asked = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=10 * seconds + 60)
    return np.array(json.loads(asked.stdout))


def ask_all(port: int, rate: float, seconds: float) -> list[float]:
    """Ask at a rate; returns what each answer took from when its request fell due, in ms."""
    chance = np.random.default_rng(1)
    places = zip(chance.uniform(*LAT, 1000), chance.uniform(*LON, 1000), strict=True)
    paths = [ASK.format(lat=f"{lat:.6f}", lon=f"{lon:.6f}") for lat, lon in places]
    requests = [f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode() for path in paths]
    count, sent = int(rate * seconds), 0
    took_ms: list[float] = []
    free = deque(socket.create_connection(("127.0.0.1", port)) for _ in range(CONNECTIONS))
    due_at: dict[socket.socket, float] = {}
    began = perf_counter()
    while len(took_ms) < count:
        while free and sent < count and began + sent / rate <= perf_counter():
            connection = free.popleft()
            due_at[connection] = began + sent / rate
            connection.sendall(requests[sent % len(requests)])
            sent += 1
        can_send = free and sent < count
        patience = max(0.0, began + sent / rate - perf_counter()) if can_send else None
        for connection in select.select(due_at, [], [], patience)[0]:
            _read_answer(connection)
            took_ms.append((perf_counter() - due_at.pop(connection)) * 1000)
            free.append(connection)
    return took_ms


def _read_answer(connection: socket.socket) -> None:
    received, length = b"", -1
    while length < 0 or len(received) < length:
        received += connection.recv(65536) or sys.exit("a connection was closed")
        if length < 0 and (head := received.find(b"\r\n\r\n")) > 0:
            if not received.startswith(b"HTTP/1.1 200"):
                sys.exit(received.decode())
            announced = received[:head].lower().partition(b"content-length:")[2]
            length = head + 4 + int(announced.partition(b"\r\n")[0])


if __name__ == "__main__":
    gc.disable()
    port, rate, seconds = sys.argv[1:]
    print(json.dumps(ask_all(int(port), float(rate), float(seconds))))
