"""Servers to measure, each in processes of its own on a free port, and what they weigh."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import psutil

from tests.processes import ending_with_us

QUESTION = "/v1/havens/nearest?lat=51.5155&lon=-0.0922&limit=5"
APPLICATION = "/v1/help"
"""What nobody answers before the application does."""

KEEPS_BYTECODE = {"PYTHONDONTWRITEBYTECODE": ""}
"""For starts as they are where that is not forbidden: else each compiles all of our code."""

START_SECONDS = 600
"""A first start at a million venues builds their directory."""


@dataclass(frozen=True)
class Server:
    """A server that answers, and how long it took until it did."""

    port: int
    process: psutil.Popen
    start_seconds: float

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def processes(self) -> list[psutil.Process]:
        return [self.process, *self.process.children(recursive=True)]

    def processor_seconds(self) -> tuple[float, float]:
        """What its processes have spent so far, in user and in system time, with those that have
        ended."""
        user = system = 0.0
        for process in self.processes:
            with suppress(psutil.NoSuchProcess):
                spent = process.cpu_times()
                user += spent.user + spent.children_user
                system += spent.system + spent.children_system
        return user, system

    def connections(self, workers: int) -> list[HTTPConnection]:
        """One connection to each process that answers, of which there must be so many."""
        for _ in range(300):
            # Often one process accepts them all, so it may take several goes.
            several = [HTTPConnection("127.0.0.1", self.port, timeout=60) for _ in range(64)]
            for connection in several:
                connection.request("GET", "/health/live")
            for connection in several:
                connection.getresponse().read()
            by_port = {connection.sock.getsockname()[1]: connection for connection in several}
            found = {
                process.pid: by_port[accepted.raddr[1]]
                for process in self.processes
                for accepted in _connections(process)
                if accepted.status == "ESTABLISHED" and accepted.raddr[1] in by_port
            }
            for connection in set(several) - set(found.values()):
                connection.close()
            if len(found) == workers:
                return list(found.values())
            for connection in found.values():
                connection.close()
        sys.exit(f"{workers} processes should answer, and do not")


def _connections(process: psutil.Process) -> Sequence[Any]:
    with suppress(psutil.NoSuchProcess):  # a build's ends with it
        connections: Sequence[Any] = process.net_connections("tcp4")
        return connections
    return []


@contextmanager
def started(
    command: Sequence[str], environment: Mapping[str, str], asked: str = QUESTION
) -> Iterator[Server]:
    """A command that serves on port `{port}`, once it answers what is asked."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    began = time.monotonic()
    process = psutil.Popen(
        ending_with_us([word.format(port=port) for word in command]),
        env=os.environ | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(f"http://127.0.0.1:{port}{asked}", process)
        yield Server(port, process, time.monotonic() - began)
    finally:
        stop(process)


def stop(process: psutil.Popen) -> None:
    """End a process that was started here, and whatever it started."""
    family = process.children(recursive=True) if process.is_running() else []
    with suppress(psutil.NoSuchProcess):  # it may have been told already
        process.terminate()
    for straggler in psutil.wait_procs([process, *family], timeout=20)[1]:
        straggler.kill()
    process.wait()


@contextmanager
def ours(folder: Path, workers: int = 1, **settings: str) -> Iterator[Server]:
    """The service, on the SQLite database and the snapshot in a folder, by more `settings`; once
    it answers whatever is asked, and by those of its processes that stay."""
    with beginning(folder, workers, **settings) as server:
        get(f"{server.url}{APPLICATION}")
        yield server


def beginning(folder: Path, workers: int = 1, **settings: str) -> AbstractContextManager[Server]:
    """The same as soon as it answers for the nearest havens."""
    havens = str(Path(sys.executable).with_name("havens"))
    return started(
        [havens, "serve", "--port", "{port}", "--workers", str(workers)],
        {
            "HAVENS_DATA_DIR": str(folder),
            "HAVENS_ENVIRONMENT": "demo",
            **KEEPS_BYTECODE,
            **settings,
        },
    )


def references(body: Path) -> dict[str, AbstractContextManager[Server]]:
    """A and B, which answer with the bytes of a file whatever is asked."""
    return {
        name: started(uvicorn(f"tests.bench.reference:{app}"), {"BENCH_BODY": str(body)})
        for name, app in (("A", "bare"), ("B", "framework"))
    }


def uvicorn(app: str, python: str = sys.executable) -> list[str]:
    """The command that serves an application with one worker, as the service itself is served."""
    serve = [python, "-m", "uvicorn", app, "--port", "{port}", "--no-access-log"]
    return [*serve, "--loop", "uvloop", "--http", "httptools", "--log-level", "error"]


def get(url: str) -> bytes:
    """The body of a good answer."""
    with urlopen(url, timeout=60) as answer:  # noqa: S310  our own servers, over http
        content: bytes = answer.read()
    return content


def pss_mb(processes: Iterable[psutil.Process]) -> float:
    """What processes occupy together, what they share counted once."""
    total = 0
    for process in processes:
        with suppress(psutil.NoSuchProcess):  # a database ends some whenever it likes
            total += process.memory_full_info().pss
    return total / 1e6


def _wait_for(url: str, process: psutil.Popen) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            sys.exit(f"{' '.join(process.args)} ended with status {process.returncode}")
        try:
            get(url)
        except HTTPError as error:
            if error.code != 503:
                sys.exit(f"{url}: {error.code} {error.read()[:500]!r}")
        except OSError:
            pass
        else:
            return
        time.sleep(0.02)
    sys.exit(f"{url} did not answer within {START_SECONDS} seconds")
