"""The service as it runs for real, in processes of its own, and inside this one with any clock."""

import asyncio
import logging
import os
import re
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar
from uuid import UUID

import httpx
import psutil
import pytest
import uvicorn
from fastapi import FastAPI

from app.core import logs
from app.core.db import connected
from app.core.settings import Settings
from app.directory.builder import NAME
from app.directory.read_side import Clock
from app.early import NAME as FIRST
from app.feeds.following import Following
from app.http.connections import Guarded
from app.http.headers import on_every_answer
from app.main import FOLLOWER
from app.start import prepare, prepare_database
from tests.applications import application
from tests.factories import make_venue
from tests.faults import noting_faults, watch
from tests.processes import ending_with_us

ROOT = Path(__file__).parent.parent
PATIENCE_SECONDS = 120
SECRET = "a secret that nothing but the tests has"
METRICS_TOKEN = "a token that nothing but the tests has"
METRICS = {"Authorization": f"Bearer {METRICS_TOKEN}"}
"""What who reads the metrics sends."""

_REFUSED = """
import sys
from app.command import main
sys.argv[1:] = ["serve", "--port", "9119"]
main()
"""

SERVE = """
import sys
from app.serve import serve
from app.core.settings import settings
serve(settings(), "127.0.0.1", int(sys.argv[2]), int(sys.argv[1]))
"""

# Without the certificates of the world: nothing here is encrypted, and to read them for each client
# takes longer than most tests.
_PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

_T = TypeVar("_T")


def client_of(url: httpx.URL | str, headers: dict[str, str] | None = None) -> httpx.Client:
    """A patient client of a service."""
    return httpx.Client(base_url=url, headers=headers, timeout=PATIENCE_SECONDS, verify=_PLAIN)


@dataclass(frozen=True)
class Service:
    """The running service and what it has printed."""

    url: str
    process: psutil.Popen
    output: Path
    strangers: httpx.Client
    """Makes a new connection for each request, so that any worker may take it. May read metrics."""

    @property
    def log(self) -> str:
        """Standard output and standard error so far."""
        return self.output.read_text()

    def client(self) -> httpx.Client:
        """A client of its own connections."""
        return client_of(self.url)

    def get(self, path: str) -> httpx.Response:
        """The answer to one request on a new connection."""
        return self.strangers.get(path)

    @property
    def workers(self) -> list[psutil.Process]:
        """The processes that answer."""
        return answering(self.process)

    def started(self) -> int:
        """How many processes have begun to answer so far."""
        return self.log.count("Application startup complete")


def answering(keeper: psutil.Process) -> list[psutil.Process]:
    """The processes that answer, of the one that was started and all that came of it."""
    alike = []
    # What keeps them has a command of its own, and what builds for them looks like a copy of them.
    commands = []
    for child in keeper.children():
        with suppress(psutil.NoSuchProcess):
            commands.append(child.cmdline())
    for child in keeper.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if child.cmdline() in commands and child.name().encode() not in (NAME, FIRST):
                alike.append(child)
    parents = {child.ppid() for child in alike}
    return [child for child in alike if child.pid not in parents]


@contextmanager
def running(
    data_dir: Path,
    database_url: str = "",
    *,
    environment: str = "production",
    workers: int = 1,
    log_level: str = "info",
    by: Sequence[str] = (),
    log_format: str = "text",
    port: int = 0,
    **more: str,
) -> Iterator[Service]:
    """The service in processes of its own, on a free port unless one is named, once every one of
    them answers; at a level at which it does not say how far it is, once one of them does.

    `by` is a command that runs another one; `more` is its environment, too.
    """
    command = [*by, sys.executable, "-c", SERVE, str(workers), str(port)]
    more |= {"HAVENS_LOG_LEVEL": log_level, "HAVENS_LOG_FORMAT": log_format}
    with starting(data_dir, database_url, command, environment, **more) as (process, output):
        address = r"answering on (http://127\.0\.0\.1:\d+)"
        says = log_level in ("debug", "info")
        if says:
            found = until(
                lambda: _alive(process, output) and re.search(address, output.read_text())
            )
            url = found[1]
        else:
            url = f"http://127.0.0.1:{until(lambda: _alive(process, output) and door_of(process))}"
        with client_of(url, {"Connection": "close"} | METRICS) as strangers:
            service = Service(url, process, output, strangers)
            if says:
                until(lambda: _alive(process, output) and service.started() == workers)
            assert service.get("/health/live").status_code == 200
            yield service


def door_of(process: psutil.Popen) -> int:
    """The port at which a service listens; 0 while there is none."""
    found = process.net_connections("tcp")
    return next((one.laddr.port for one in found if one.status == psutil.CONN_LISTEN), 0)


@contextmanager
def starting(
    data_dir: Path,
    database_url: str,
    command: Sequence[str] = (sys.executable, "-c", SERVE, "1", "0"),
    environment: str = "production",
    **more: str,
) -> Iterator[tuple[psutil.Popen, Path]]:
    """A service that begins to start, and what it prints."""
    process, output = _launch(
        data_dir,
        command,
        HAVENS_DATABASE_URL=database_url,
        HAVENS_ENVIRONMENT=environment,
        **more,
    )
    try:
        yield process, output
    finally:
        _stop(process)


def refusal(data_dir: Path, database_url: str = "", *, environment: str = "production") -> str:
    """What the command prints to standard error when it refuses to start, which it must."""
    process, output = _launch(
        data_dir,
        [sys.executable, "-c", _REFUSED],
        HAVENS_DATABASE_URL=database_url,
        HAVENS_ENVIRONMENT=environment,
    )
    try:
        assert process.wait(PATIENCE_SECONDS) != 0
    finally:
        _stop(process)
    return output.read_text()


def until(
    attempt: Callable[[], _T | Literal[False] | None], seconds: float = PATIENCE_SECONDS
) -> _T:
    """The first result that is true, asked for again and again for at most so long."""
    deadline = time.monotonic() + seconds
    while True:
        # Asked once more after the deadline, in case it was this process that was late.
        late = time.monotonic() > deadline
        if result := attempt():
            return result
        assert not late, f"still {result!r} after {seconds} s"
        time.sleep(0.02)


def _launch(
    data_dir: Path, command: Sequence[str], **environment: str
) -> tuple[psutil.Popen, Path]:
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("HAVENS_", "PROMETHEUS_"))
    }
    given = {
        "HAVENS_DATA_DIR": str(data_dir),
        "HAVENS_SECRET_KEY": SECRET,
        "HAVENS_METRICS_TOKEN": METRICS_TOKEN,
        "PYTHONPATH": str(ROOT),
        **environment,
    }
    output = data_dir.parent / f"{data_dir.name}.{time.monotonic_ns()}.log"
    watch(output)
    with output.open("wb") as file:
        process = psutil.Popen(
            ending_with_us(command),
            env=inherited | given,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,  # Ctrl-C is for pytest, which then ends its tests in order
        )
    return process, output


def _alive(process: psutil.Popen, output: Path) -> bool:
    assert process.poll() is None, output.read_text()
    return True


def _stop(process: psutil.Popen) -> None:
    family = [process, *process.children(recursive=True)] if process.poll() is None else []
    if family:
        process.terminate()
    _, left = psutil.wait_procs(family, timeout=PATIENCE_SECONDS)
    for straggler in left:
        straggler.kill()
    process.wait(PATIENCE_SECONDS)
    assert not left, "the service did not stop when told to"


class _Prompt(uvicorn.Server):
    """Looks ten times as often whether it is to end, and ends without a pause: otherwise most tests
    would wait for that."""

    async def main_loop(self) -> None:
        tick = 0
        while not await self.on_tick(tick // 10):
            tick += 1
            await asyncio.sleep(0.01)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        # Who asked is answered; who only holds a connection is not waited for much longer.
        for some, seconds in ((self.server_state.tasks, 30), (self.server_state.connections, 1)):
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    while some:  # noqa: ASYNC110
                        await asyncio.sleep(0.01)
        for task in self.server_state.tasks:
            task.cancel()
        await self.lifespan.shutdown()


@contextmanager
def serving(app: FastAPI, connection: type[Guarded] | None = None) -> Iterator[httpx.Client]:
    """An application behind a real socket inside this process.

    Unless a test names another, its connections are those of the service, or, when it is but a part
    of the service and has no directory, those without a shortcut to one.
    """
    settings = getattr(app.state, "settings", None)
    config = uvicorn.Config(
        noting_faults(app),
        host="127.0.0.1",
        port=0,
        http=connection or (Following if settings else Guarded),
        ws="none",
        access_log=False,
        log_config=None,
        server_header=False,
        headers=on_every_answer(settings.public_url if settings else ""),
    )
    server = _Prompt(config)
    others = set(threading.enumerate())
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        until(lambda: server.started)
        port = server.servers[0].sockets[0].getsockname()[1]
        with client_of(f"http://127.0.0.1:{port}") as client:
            yield client
    finally:
        server.should_exit = True
        thread.join(PATIENCE_SECONDS)
        # The service leaves a follower behind that is busy; what that one holds must not outlast
        # the test.
        for left in set(threading.enumerate()) - others:
            if left.name == FOLLOWER:
                left.join(PATIENCE_SECONDS)


@contextmanager
def serving_directory(
    data_dir: Path,
    database_url: str,
    clock: Clock = time.time,
    *,
    environment: str = "production",
    public_url: str = "",
    is_ready: bool = True,
    is_started: bool = False,
    **more: Any,
) -> Iterator[httpx.Client]:
    """The whole application inside this process, on a database and by a clock of the test's.

    When it `is_started`, all that `havens serve` does before comes first.
    `more` are other settings.
    """
    root = logging.getLogger()
    before = root.level, root.handlers[:]
    data_dir.mkdir(exist_ok=True)
    try:
        settings = settings_for(data_dir, database_url, environment, public_url, **more)
        logs.configure(settings.log_level, settings.log_format)
        shared = prepare(settings) if is_started else None
        app = application(settings, clock, prepare_database if shared else None)
        with serving(app) as client:
            until(lambda: client.get("/health/ready").is_success or not is_ready)
            yield client
    finally:
        # The service sets up logging for its whole process.
        root.level, root.handlers[:] = before


def settings_for(
    data_dir: Path,
    database_url: str = "",
    environment: str = "production",
    public_url: str = "",
    **more: Any,
) -> Settings:
    """Settings with a secret, which production insists on and takes from its environment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HAVENS_SECRET_KEY", SECRET)
        return Settings.model_validate(
            {
                "log_level": "warning",
                "environment": environment,
                "data_dir": data_dir,
                "database_url": database_url,
                "public_url": public_url,
                "metrics_token": METRICS_TOKEN,
                **more,
            }
        )


def add_venue(database_url: str, *, hours: str | None = "24/7", **details: Any) -> UUID:
    """Store an active pub in the middle of the City, accredited for decades; returns its id.

    As plain SQL, as if another program had done it.
    """
    with connected(database_url) as engine:
        return make_venue(engine, hours=hours, **{"name": "The Lantern", **details}).id
