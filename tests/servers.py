"""The service as it runs for real, in processes of its own, and inside this one with any clock."""

import logging
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar
from uuid import UUID

import httpx
import psutil
import pytest
import uvicorn
from fastapi import FastAPI

from app.core.settings import Settings
from app.directory.live import Clock
from app.directory.shortcut import Shortcut
from app.main import create_app
from tests.factories import connected, make_venue
from tests.faults import noting_faults, watch

ROOT = Path(__file__).parent.parent
PATIENCE_SECONDS = 30
SECRET = "a secret that nothing but the tests has"

_SERVE = """
import sys
from app.serve import serve
from app.core.settings import settings
serve(settings(), "127.0.0.1", 0, int(sys.argv[1]))
"""

_T = TypeVar("_T")


@dataclass(frozen=True)
class Service:
    """The running service and what it has printed."""

    url: str
    process: psutil.Popen
    output: Path
    strangers: httpx.Client
    """Makes a new connection for each request, so that any worker may take it."""

    @property
    def log(self) -> str:
        """Standard output and standard error so far."""
        return self.output.read_text()

    def client(self) -> httpx.Client:
        """A client of its own connections."""
        return httpx.Client(base_url=self.url, timeout=PATIENCE_SECONDS)

    def get(self, path: str) -> httpx.Response:
        """The answer to one request on a new connection."""
        return self.strangers.get(self.url + path)

    @property
    def workers(self) -> list[psutil.Process]:
        """The processes that answer, where there are several."""
        return [
            child for child in self.process.children() if child.cmdline() == self.process.cmdline()
        ]

    def started(self) -> int:
        """How many processes have begun to answer so far."""
        return self.log.count("Application startup complete")


@contextmanager
def running(
    data_dir: Path,
    database_url: str = "",
    *,
    environment: str = "production",
    workers: int = 1,
    log_level: str = "info",
) -> Iterator[Service]:
    """The service in processes of its own, on a free port, once every one of them answers."""
    process, output = _launch(
        data_dir,
        workers,
        HAVENS_DATABASE_URL=database_url,
        HAVENS_ENVIRONMENT=environment,
        HAVENS_LOG_LEVEL=log_level,
    )
    try:
        address = r"Uvicorn running on (http://127\.0\.0\.1:\d+)"
        found = until(lambda: _alive(process, output) and re.search(address, output.read_text()))
        apart = {"Connection": "close"}
        with httpx.Client(headers=apart, timeout=PATIENCE_SECONDS) as strangers:
            service = Service(found[1], process, output, strangers)
            until(lambda: _alive(process, output) and service.started() == workers)
            assert service.get("/health/live").status_code == 200
            yield service
    finally:
        _stop(process)


def refusal(data_dir: Path, database_url: str = "", *, environment: str = "production") -> str:
    """What the service prints when it refuses to start, which it must."""
    process, output = _launch(
        data_dir, 1, HAVENS_DATABASE_URL=database_url, HAVENS_ENVIRONMENT=environment
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


def _launch(data_dir: Path, workers: int, **environment: str) -> tuple[psutil.Popen, Path]:
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("HAVENS_", "PROMETHEUS_"))
    }
    given = {
        "HAVENS_DATA_DIR": str(data_dir),
        "HAVENS_SECRET_KEY": SECRET,
        "PYTHONPATH": str(ROOT),
        **environment,
    }
    output = data_dir.parent / f"{data_dir.name}.{time.monotonic_ns()}.log"
    watch(output)
    with output.open("wb") as file:
        process = psutil.Popen(
            [sys.executable, "-c", _SERVE, str(workers)],
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
    _, left = psutil.wait_procs(family, timeout=15)
    for straggler in left:
        straggler.kill()
    process.wait(15)
    assert not left, "the service did not stop when told to"


@contextmanager
def serving(app: FastAPI) -> Iterator[httpx.Client]:
    """The application behind a real socket inside this process, once it has a directory."""
    config = uvicorn.Config(
        noting_faults(app),
        host="127.0.0.1",
        port=0,
        http=Shortcut,
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        until(lambda: server.started)
        port = server.servers[0].sockets[0].getsockname()[1]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_SECONDS) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join(PATIENCE_SECONDS)


@contextmanager
def serving_directory(
    data_dir: Path,
    database_url: str,
    clock: Clock = time.time,
    *,
    environment: str = "production",
    is_ready: bool = True,
) -> Iterator[httpx.Client]:
    """The whole application inside this process, on a database and by a clock of the test's."""
    root = logging.getLogger()
    before = root.level, root.handlers[:]
    data_dir.mkdir(exist_ok=True)
    try:
        app = create_app(settings_for(data_dir, database_url, environment), clock)
        with serving(app) as client:
            until(lambda: client.get("/health/ready").is_success or not is_ready)
            yield client
    finally:
        # The service sets up logging for its whole process.
        root.level, root.handlers[:] = before


def settings_for(
    data_dir: Path, database_url: str = "", environment: str = "production"
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
            }
        )


def add_venue(database_url: str, *, hours: str | None = "24/7", **details: Any) -> UUID:
    """Store an active pub in the middle of the City, accredited for decades; returns its id.

    As plain SQL, as if another program had done it.
    """
    with connected(database_url) as engine:
        return make_venue(engine, hours=hours, **{"name": "The Lantern", **details}).id
