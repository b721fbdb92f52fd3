"""A database that is stopped, frozen, killed, on a full disk; a worker that is killed: all is read.

    python -m tests.drills.trouble [--seconds 60] [--rate 200]

Two workers on PostgreSQL, asked for what is public by a clock that waits for no answer; meanwhile
somebody reports a problem five times a second. Each kind of trouble lasts so many seconds, and so
does each return to peace. Leaves with 1 when a read failed (on the connections of a worker that is
killed: when it failed again), or when a report got an answer other than 202, 429 or a 503 with
`Retry-After`, or when readiness was anything but `ok` and `degraded`.
"""

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import numpy as np

from app.core.db import migrate
from tests.bench.report import begin, say, table
from tests.bench.servers import APPLICATION, Server, get, started
from tests.databases import NO_POSTGIS, Postgres, find_postgis
from tests.drills.load import Load
from tests.servers import answering

DISK_MB = 600


@contextmanager
def disk() -> Iterator[Path]:
    """A disk of its own, where this may mount one; else a folder like any other."""
    with tempfile.TemporaryDirectory(prefix="havens-drill-") as folder:
        Path(folder).chmod(0o755)
        mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m,mode=755", "tmpfs", folder]
        is_own = os.geteuid() == 0 and not subprocess.run(mount, check=False).returncode
        try:
            yield Path(folder)
        finally:
            if is_own:
                subprocess.run(["umount", "--lazy", folder], check=True)


@contextmanager
def filled(folder: Path) -> Iterator[None]:
    """Fill the disk to the last byte."""
    ballast = folder / "ballast"
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(2**16))
    try:
        yield
    finally:
        ballast.unlink()


@contextmanager
def away(database: Postgres, how: signal.Signals) -> Iterator[None]:
    """Have the server stopped."""
    database.stop(how)
    try:
        yield
    finally:
        database.start()


@contextmanager
def worker_killed(server: Server) -> Iterator[None]:
    """Kill one of the workers; another takes its place."""
    answering(server.process)[0].kill()
    yield


async def reporting(port: int, until: asyncio.Event, said: Counter[str]) -> None:
    """Report problems, and ask whether all is well, whatever becomes of earlier ones."""
    base = f"http://127.0.0.1:{port}"
    havens = [haven["id"] for haven in json.loads(get(f"{base}/v1/havens"))["havens"]]
    headers = {"Connection": "close"}
    async with httpx.AsyncClient(base_url=base, headers=headers, timeout=60) as client:

        async def report(number: int) -> None:
            path = f"/v1/havens/{havens[number % len(havens)]}/problem-reports"
            try:
                answer = await client.post(path, json={"kind": "closed"})
            except httpx.TransportError as error:
                said[f"a report: {error!r}"] += 1
                return
            tells_when = "Retry-After" in answer.headers or answer.status_code != 503
            said[f"{answer.status_code}{'' if tells_when else ' without Retry-After'}"] += 1

        async def ready() -> None:
            with suppress(httpx.TransportError):
                said[(await client.get("/health/ready")).json()["status"]] += 1

        asking, number = set(), 0
        while not until.is_set():
            number += 1
            asking.add(asyncio.create_task(report(number)))
            if number % 5 == 0:
                asking.add(asyncio.create_task(ready()))
            await asyncio.sleep(0.2)
        await asyncio.gather(*asking)


async def watched(server: Server, rate: float, seconds: float) -> tuple[Load, Counter[str]]:
    """What is answered in so many seconds."""
    load, said, done = Load(server.port), Counter[str](), asyncio.Event()
    asking = asyncio.gather(load.ask(rate, done), reporting(server.port, done, said))
    await asyncio.sleep(seconds)
    done.set()
    await asking
    return load, said


EXPECTED = {"202", "429", "503", "ok", "degraded"}


def main() -> None:
    """Print what was seen, and leave with 1 unless it was what is promised."""
    parser = argparse.ArgumentParser(prog="python -m tests.drills.trouble")
    parser.add_argument("--seconds", type=float, default=60, help="how long each trouble lasts")
    parser.add_argument("--rate", type=float, default=200, help="requests a second")
    given = parser.parse_args()
    bin_ = find_postgis()
    if bin_ is None:
        sys.exit(NO_POSTGIS)
    havens = str(Path(sys.executable).with_name("havens"))
    command = [havens, "serve", "--port", "{port}", "--workers", "2"]
    rows: list[list[str]] = []
    wrong: list[str] = []
    begin()
    with ExitStack() as stack:
        folder = stack.enter_context(disk())
        database = Postgres(bin_, folder)
        stack.callback(database.remove)
        database.start()
        migrate(database.create("havens"))
        environment = {
            "HAVENS_DATA_DIR": str(folder / "data"),
            "HAVENS_DATABASE_URL": database.url("havens"),
            "HAVENS_ENVIRONMENT": "demo",
            "HAVENS_REPORTS_PER_DAY": "100000",
        }
        server = stack.enter_context(started(command, environment, APPLICATION))
        troubles: dict[str, Callable[[], AbstractContextManager[None]]] = {
            "stopped": lambda: away(database, signal.SIGINT),
            "frozen": database.frozen,
            "killed": lambda: away(database, signal.SIGQUIT),
            **({"disk filled": lambda: filled(folder)} if folder.is_mount() else {}),
            "a worker killed": lambda: worker_killed(server),
        }

        def watch(name: str, seconds: float) -> None:
            load, said = asyncio.run(watched(server, given.rate, seconds))
            p99 = np.percentile(load.milliseconds, 99)
            numbers = [len(load.milliseconds), len(load.failed), len(load.lost), f"{p99:.0f}"]
            heard = ", ".join(f"{times} {what}" for what, times in sorted(said.items()))
            rows.append([name, *map(str, numbers), heard])
            failures = load.lost if name == "a worker killed" else [*load.failed, *load.lost]
            odd = [] if name == "a worker killed" else sorted(set(said) - EXPECTED)
            wrong.extend(f"{name}: {what}" for what in [*failures[:5], *odd])

        watch("nothing", given.seconds)
        for name, trouble in troubles.items():
            with trouble():
                watch(name, given.seconds)
            watch(f"{name}, and over", given.seconds)
    table(
        f"{given.rate:.0f} public reads a second, two workers, {given.seconds:.0f} s each",
        ["the database, or else", "answered", "failed", "lost", "p99 ms", "reports, readiness"],
        rows,
    )
    say("\n".join(wrong) or "As promised.")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
