"""Clients that send without end, say nothing, or never read, while others ask.

    python -m tests.drills.connections [--seconds 15]

One process of the service, which may open 1,024 files. Every 20 ms somebody new asks for the page,
the directory document or the nearest havens, in turn, by a clock that waits for no answer. Leaves
with 1 when after the first second anybody got no answer, or when the slowest hundredth took longer,
or the service grew more, than is promised.
"""

import argparse
import asyncio
import multiprocessing
import random
import resource
import socket
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count, cycle
from pathlib import Path

import numpy as np

from tests.bench.report import begin, say, table
from tests.bench.servers import APPLICATION, QUESTION, Server, started
from tests.servers import answering

FILES = 1024
EVERY_SECONDS = 0.02
ASKED = ("/", "/v1/havens", QUESTION)
PATIENCE_SECONDS = 10
SLOWEST_MS, SLOWEST_RATIO = 50, 3
"""How long the slowest hundredth may take: so long, or so many times as long as in peace."""
GROWTH_MB = 50

REQUEST = "{} HTTP/1.1\r\nHost: havens.test\r\n"
HEAD = REQUEST.format("GET /").encode()
JSON = REQUEST.format("POST /v1/havens/nearest") + "Content-Type: application/json\r\n"
HALF = f"{JSON}Content-Length: 30000\r\n\r\n".encode() + b" " * 15_000
HALF_CHUNK = f"{JSON}Transfer-Encoding: chunked\r\n\r\n7530\r\n".encode() + b" " * 15_000
DOCUMENTS = (REQUEST.format("GET /v1/havens") + "\r\n").encode() * 2

Address = tuple[str, int]
Attacker = Callable[[Address], Awaitable[None]]


# --- those who are in the way ------------------------------------------------------------------


def endless(first: bytes, more: bytes) -> Attacker:
    """Sends as fast as it is read, and again soon after it is hung up on."""

    async def attack(address: Address) -> None:
        with _connected() as raw:
            await _loop().sock_connect(raw, address)
            await _loop().sock_sendall(raw, first)
            with suppress(ConnectionError):
                while True:
                    await _loop().sock_sendall(raw, more)
        await asyncio.sleep(0.05)  # this machine has others to serve

    return attack


def waiting(first: bytes) -> Attacker:
    """Sends something or nothing, waits to be hung up on, and comes again."""

    async def attack(address: Address) -> None:
        with _connected() as raw:
            await _loop().sock_connect(raw, address)
            await _loop().sock_sendall(raw, first)
            with suppress(ConnectionError):
                while await _loop().sock_recv(raw, 4096):
                    pass
        await asyncio.sleep(random.uniform(1, 3))

    return attack


async def never_reading(address: Address) -> None:
    """Asks for more than is kept for it, and reads none of it."""
    with _connected() as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        await _loop().sock_connect(raw, address)
        await _loop().sock_sendall(raw, DOCUMENTS)
        await asyncio.sleep(3600)


def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()


@contextmanager
def _connected() -> Iterator[socket.socket]:
    with socket.socket() as raw:
        raw.setblocking(False)
        yield raw


ATTACKS: dict[str, list[tuple[int, Attacker]]] = {
    "an endless header": [(1, endless(HEAD + b"X: ", b"x" * 65_536))],
    "an endless address": [(1, endless(b"GET /", b"x" * 65_536))],
    "endless headers": [(1, endless(HEAD, b"x: y\r\n" * 10_000))],
    "2,000 silent": [(2000, waiting(b""))],
    "500 half bodies": [(250, waiting(HALF)), (250, waiting(HALF_CHUNK))],
    "200 that never read": [(200, never_reading)],
}
ALL = "all of these"


def attack(name: str, port: int) -> None:
    """Attack until the process is ended; within a second all of them are there."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    asyncio.run(_attack(ATTACKS[name], ("127.0.0.1", port)))


async def _attack(attackers: list[tuple[int, Attacker]], address: Address) -> None:
    async def again_and_again(attacker: Attacker) -> None:
        await asyncio.sleep(random.uniform(0, 1))
        while True:
            with suppress(OSError):
                await attacker(address)

    await asyncio.gather(
        *(again_and_again(attacker) for number, attacker in attackers for _ in range(number))
    )


# --- those who ask -----------------------------------------------------------------------------


@dataclass
class Seen:
    """What happened to those who asked after the first second, and to the service's memory."""

    milliseconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    megabytes: float = 0

    def percentile(self, percent: int) -> float:
        """How many milliseconds so many percent took at most."""
        return float(np.percentile(self.milliseconds or [np.inf], percent))


async def watch(server: Server, seconds: float) -> Seen:
    """Ask on schedule, each time on a new connection."""
    seen, began, paths = Seen(), time.perf_counter(), cycle(ASKED)
    asking = set()
    for number in count():
        due = began + number * EVERY_SECONDS
        if due > began + seconds:
            break
        await asyncio.sleep(max(0, due - time.perf_counter()))
        path = next(paths)
        asking.add(asyncio.create_task(_ask(server.port, path, due, seen, due > began + 1)))
        if number % 10 == 0:
            seen.megabytes = max(seen.megabytes, megabytes(server))
    await asyncio.gather(*asking)
    return seen


async def _ask(port: int, path: str, due: float, seen: Seen, counts: bool) -> None:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(f"{REQUEST.format('GET ' + path)}Connection: close\r\n\r\n".encode())
            answer = await reader.read()
            writer.close()
        if not answer.startswith(b"HTTP/1.1 200 "):
            raise ConnectionError(f"heard {answer[:20]!r}")
    except (OSError, TimeoutError) as error:
        if counts:
            seen.failures.append(f"{path}: {error!r}")
    else:
        if counts:
            seen.milliseconds.append(1000 * (time.perf_counter() - due))


def megabytes(server: Server) -> float:
    """Memory of the process that answers."""
    size: int = answering(server.process)[0].memory_info().rss
    return size / 2**20


# --- the drill ---------------------------------------------------------------------------------


def main() -> None:
    """Print what was seen, and leave with 1 unless it was what is promised."""
    parser = argparse.ArgumentParser(prog="python -m tests.drills.connections")
    parser.add_argument("--seconds", type=float, default=15, help="how long each attack lasts")
    seconds = parser.parse_args().seconds
    havens = Path(sys.executable).with_name("havens")
    command = ["sh", "-c", f"ulimit -n {FILES} && exec {havens} serve --port {{port}}"]
    begin()
    with tempfile.TemporaryDirectory(prefix="havens-drill-") as folder:
        environment = {"HAVENS_DATA_DIR": folder, "HAVENS_ENVIRONMENT": "demo"}
        with started(command, environment, APPLICATION) as server:
            asyncio.run(watch(server, 5))  # once, to warm up
            peace = asyncio.run(watch(server, seconds))
            seen = {name: attacked(server, [name], seconds) for name in ATTACKS}
            seen[ALL] = attacked(server, list(ATTACKS), seconds)
            limit = max(SLOWEST_MS, SLOWEST_RATIO * peace.percentile(99))
            before = peace.megabytes
    rows = [
        [
            name,
            f"{len(each.milliseconds) + len(each.failures)}",
            f"{len(each.failures)}",
            *(f"{each.percentile(percent):.1f}" for percent in (50, 99)),
            f"{each.megabytes - before:+.0f}",
        ]
        for name, each in {"nobody": peace, **seen}.items()
    ]
    table(
        f"Somebody new every {1000 * EVERY_SECONDS:.0f} ms, {FILES} files, {seconds:.0f} s each",
        ["in the way", "asked", "failed", "p50 ms", "p99 ms", "MB more"],
        rows,
    )
    wrong = [
        f"{name}: {what}"
        for name, each in seen.items()
        for what in [
            *each.failures[:3],
            *([f"p99 over {limit:.0f} ms"] if each.percentile(99) > limit else []),
            *([f"over {GROWTH_MB} MB more"] if each.megabytes - before > GROWTH_MB else []),
        ]
    ]
    say("\n".join(wrong) or "As promised.")
    sys.exit(bool(wrong))


def attacked(server: Server, names: list[str], seconds: float) -> Seen:
    """What is seen during attacks, each of which is a process."""
    context = multiprocessing.get_context("fork")  # which begins at once
    attackers = [context.Process(target=attack, args=(name, server.port)) for name in names]
    for attacker in attackers:
        attacker.start()
    try:
        return asyncio.run(watch(server, seconds))
    finally:
        for attacker in attackers:
            attacker.kill()
            attacker.join()


if __name__ == "__main__":
    main()
