"""The first answers of a service that starts: nobody who comes then gets less than later."""

import json
import socket
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import psutil
import pytest
from filelock import FileLock

from app.directory.nearest import NEAREST
from app.early import NAME, _is_whole
from app.start import prepare
from tests.servers import (
    PATIENCE_SECONDS,
    SERVE,
    add_venue,
    door_of,
    settings_for,
    starting,
    until,
)

HEAD = "Host: havens.example\r\n"
GET = f"GET {NEAREST}?lat=51.5134&lon=-0.0890 HTTP/1.1\r\n{HEAD}\r\n".encode()
BODY = b'{"lat":51.5134,"lon":-0.0890}'
POST = (
    f"POST {NEAREST} HTTP/1.1\r\n{HEAD}Content-Type: application/json\r\n"
    f"Content-Length: {len(BODY)}\r\n\r\n"
).encode() + BODY
OTHER = f"GET /v1/help HTTP/1.1\r\n{HEAD}\r\n".encode()
STARTED = "Application startup complete"
WRONG = f"GET {NEAREST}?lat=north HTTP/1.1\r\n{HEAD}\r\n".encode()


@pytest.mark.parametrize(
    ("came", "expected"),
    [
        (GET, True),
        (POST, True),
        # More of it may come.
        (b"G", None),
        (GET[:-1], None),
        (POST[:-1], None),
        (POST[:60], None),
        # For the application: another question, and several at once.
        (OTHER, False),
        (GET + b"G", False),
        (GET + GET, False),
        (POST + b"\n", False),
        (b"POSTED", False),
        # How long a body is, only a number says.
        (POST.replace(b"Content-Length: ", b"Content-Length: +"), False),
        (POST.replace(b"Content-Length", b"X-Length"), False),
        # Longer than any question.
        (POST.replace(b"Content-Length: ", b"Content-Length: 9999"), False),
        (GET[:-4] + b"1" * 70_000, False),
    ],
)
def test_what_is_one_question_and_no_more(came: bytes, expected: bool | None) -> None:
    assert _is_whole(came) is expected


class Caller:
    """A connection that says what it is told to, and reads answers in order."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS)
        self._file = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._socket.close()

    def say(self, what: bytes) -> None:
        self._socket.sendall(what)

    def hears_nothing(self) -> bool:
        self._socket.settimeout(0.2)
        try:
            return not self._socket.recv(1, socket.MSG_PEEK)
        except TimeoutError:
            return True
        finally:
            self._socket.settimeout(PATIENCE_SECONDS)

    def is_over(self) -> bool:
        return not self._file.read(1)

    def hears(self) -> tuple[int, dict[str, Any]]:
        status = int(self._file.readline().split()[1])
        length = 0
        while (line := self._file.readline().strip()) != b"":
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        return status, json.loads(self._file.read(length))


def listening(process: psutil.Popen) -> int:
    """The port at which a service listens, as soon as it does."""
    return until(lambda: door_of(process))


def names(process: psutil.Popen) -> list[bytes]:
    return [child.name().encode() for child in process.children(recursive=True)]


@pytest.fixture
def data_dir(sqlite_url: str, tmp_path: Path) -> Path:
    """Of a service that has run before."""
    add_venue(sqlite_url)
    folder = tmp_path / "data"
    prepare(settings_for(folder, sqlite_url))
    return folder


@pytest.mark.parametrize("workers", [1, 2])
def test_the_nearest_is_answered_before_the_rest_is_there_and_all_else_waits(
    sqlite_url: str, data_dir: Path, workers: int
) -> None:
    command = [sys.executable, "-c", SERVE, str(workers), "0"]
    # For its turn at the database the application waits, and these do not.
    with (
        FileLock(data_dir / "start.lock") as turn,
        starting(data_dir, sqlite_url, command) as (process, output),
        ExitStack() as ends,
    ):
        port = listening(process)
        asks, tells, refused, other, halved, several = (
            ends.enter_context(Caller(port)) for _ in range(6)
        )
        asks.say(GET)
        status, found = asks.hears()
        assert status == 200
        assert len(found["havens"]) == 1
        # As a proxy asks that keeps no connections.
        with Caller(port) as once:
            once.say(GET.replace(b"1.1", b"1.0"))
            assert once.hears()[1]["havens"] == found["havens"]
            assert once.is_over()
        tells.say(POST[:-5])
        tells.say(POST[-5:])
        assert tells.hears()[1]["havens"] == found["havens"]
        assert NAME in names(process)
        refused.say(WRONG)
        other.say(OTHER)
        halved.say(OTHER[:12])
        several.say(GET + OTHER + GET)
        for waits in (refused, other, halved, several):
            assert waits.hears_nothing()
        assert STARTED not in output.read_text()

        turn.release()
        # On one connection, first by one process and then by another.
        while output.read_text().count(STARTED) < workers:
            asks.say(GET)
            assert asks.hears()[1]["havens"] == found["havens"]
        asks.say(OTHER)
        assert asks.hears()[0] == 200
        assert other.hears()[1]["help"]
        halved.say(OTHER[12:])
        assert halved.hears()[1]["help"]
        assert refused.hears()[0] == 422
        answers = [several.hears() for _ in range(3)]
        assert [status for status, _ in answers] == [200, 200, 200]
        assert answers[0][1]["havens"] == answers[2][1]["havens"] == found["havens"]
        # And nothing of it stays, not even as a child that has ended.
        until(lambda: NAME not in names(process))


def test_it_ends_when_the_service_does_not_start(sqlite_url: str, data_dir: Path) -> None:
    with (
        FileLock(data_dir / "start.lock"),
        starting(data_dir, sqlite_url) as (process, _),
        Caller(listening(process)) as waits,
    ):
        waits.say(OTHER)
        (first,) = until(
            lambda: [
                child for child in process.children(recursive=True) if child.name().encode() == NAME
            ]
        )
        generation = first.parent()
        assert generation
        generation.kill()
        assert process.wait(PATIENCE_SECONDS) != 0
        first.wait(PATIENCE_SECONDS)


def test_without_a_directory_nobody_is_answered_before(sqlite_url: str, tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    add_venue(sqlite_url)
    with (
        FileLock(data_dir / "start.lock") as turn,
        starting(data_dir, sqlite_url) as (process, _),
        Caller(listening(process)) as asks,
    ):
        asks.say(GET)
        assert asks.hears_nothing()
        turn.release()
        assert asks.hears()[0] == 200
