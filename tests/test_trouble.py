"""A database in trouble: who needs it is told to come again, and nobody else notices."""

import asyncio
import inspect
import logging
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import sqlalchemy as sa
from fastapi.routing import iter_route_contexts
from sqlalchemy import Engine, event

from app.contract import _calls
from app.core import database_errors, trouble, writes
from app.http.database import Turns, Unavailable, turn
from tests.accounts import make_app, signed_in
from tests.databases import Postgres
from tests.factories import make_venue
from tests.servers import METRICS, client_of, serving, until

PROBLEM = "application/problem+json"
READS = [
    *("/v1/havens", "/v1/wards", "/v1/havens/nearest?lat=51.5134&lon=-0.0890", "/v1/help"),
    *("/", "/map", "/health/live", "/health/ready"),
]


@contextmanager
def service(url: str, folder: Path) -> Iterator[tuple[httpx.Client, httpx.Client, Engine, UUID]]:
    """Somebody, an officer, the database and a haven that both of them see."""
    app = make_app(url, folder)
    engine: Engine = app.state.journal.engine
    # Here, for none may be added while other threads take connections.
    event.listen(engine, "checkout", _prepare)
    haven = make_venue(engine, name="The Lantern").id
    headers = signed_in(app, "officer", "administrator")
    with serving(app) as anybody, client_of(anybody.base_url, headers) as officer:
        until(lambda: anybody.get(f"/v1/havens/{haven}").status_code == 200)
        until(lambda: status(anybody) == "ok")
        yield anybody, officer, engine, haven
    engine.dispose()


def report(client: httpx.Client, haven: UUID) -> httpx.Response:
    return client.post(f"/v1/havens/{haven}/problem-reports", json={"kind": "closed"})


def new_business(officer: httpx.Client) -> httpx.Response:
    return officer.post("/v1/admin/businesses", json={"name": f"Inns {uuid4()}"})


def status(client: httpx.Client) -> str:
    said: str = client.get("/health/ready").json()["status"]
    return said


def is_unavailable(answer: httpx.Response) -> bool:
    assert answer.status_code == 503, answer.text
    assert answer.headers["Content-Type"] == PROBLEM
    assert int(answer.headers["Retry-After"]) > 0
    return True


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whether writes fail is tried at every turn; nothing has been said of any trouble."""
    monkeypatch.setattr(writes, "TRY_SECONDS", 0.05)
    monkeypatch.setattr(trouble, "_told_at", {})
    return iter([None])


# --- SQLite ----------------------------------------------------------------------------------


PRAGMAS: list[str] = []
"""What is set on every connection as it is taken."""


def _prepare(connection: Any, *_: Any) -> None:
    for pragma in tuple(PRAGMAS):
        connection.execute(f"PRAGMA {pragma}")


@contextmanager
def set_on_every_connection(engine: Engine, pragma: str) -> Iterator[None]:
    PRAGMAS.append(pragma)
    try:
        yield
    finally:
        PRAGMAS.remove(pragma)
        engine.dispose()


@contextmanager
def read_only(engine: Engine) -> Iterator[None]:
    with set_on_every_connection(engine, "query_only=ON"):
        yield


@contextmanager
def locked(engine: Engine) -> Iterator[None]:
    with (
        engine.execution_options(writes=True).begin(),
        set_on_every_connection(engine, "busy_timeout=1"),
    ):
        yield


@pytest.mark.parametrize(
    ("in_trouble", "reason"), [(read_only, "SQLITE_READONLY"), (locked, "SQLITE_BUSY")]
)
def test_a_database_that_can_be_read_but_not_written(
    sqlite_url: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    in_trouble: Callable[[Engine], AbstractContextManager[None]],
    reason: str,
) -> None:
    with service(sqlite_url, tmp_path) as (anybody, officer, engine, haven):
        with in_trouble(engine):
            for _ in range(3):
                refused = report(anybody, haven)
                assert is_unavailable(refused)
                assert refused.json()["help"][0]["phone"] == "999"
                assert is_unavailable(new_business(officer))
            assert officer.get("/v1/admin/businesses").status_code == 200
            until(lambda: status(anybody) == "degraded")
            for path in READS:
                assert anybody.get(path, headers=METRICS).status_code == 200, path
            # Nobody has to write for it to be known.
            until(lambda: "can't be written" in caplog.text)
        said = [record.getMessage() for record in caplog.records if reason in record.getMessage()]
        assert len(said) == len(set(said)) == 3
        assert "Traceback" not in caplog.text
        assert new_business(officer).status_code == 201
        assert report(anybody, haven).status_code == 202
        until(lambda: status(anybody) == "ok")


# --- PostgreSQL ------------------------------------------------------------------------------


def test_a_database_that_is_gone(private_postgres: Postgres, tmp_path: Path) -> None:
    with service(private_postgres.url("havens"), tmp_path) as (anybody, officer, _, haven):
        private_postgres.stop(signal.SIGQUIT)
        assert is_unavailable(report(anybody, haven))
        assert is_unavailable(new_business(officer))
        assert is_unavailable(officer.get("/v1/admin/businesses"))
        for path in READS:
            assert anybody.get(path, headers=METRICS).status_code == 200, path
        until(lambda: status(anybody) == "degraded")
        private_postgres.start()
        assert new_business(officer).status_code == 201
        assert report(anybody, haven).status_code == 202
        until(lambda: status(anybody) == "ok")


def test_a_database_that_hangs_holds_up_nobody_who_only_looks(
    private_postgres: Postgres, tmp_path: Path
) -> None:
    with (
        service(private_postgres.url("havens"), tmp_path) as (anybody, officer, _, haven),
        ThreadPoolExecutor(80) as crowd,
    ):
        with private_postgres.frozen():
            reports = [crowd.submit(report, anybody, haven) for _ in range(20)]
            asked = [crowd.submit(officer.get, "/v1/admin/businesses") for _ in range(60)]
            # So many are turned away at once only when all turns are taken and the line is full.
            until(lambda: sum(one.done() for one in asked) >= 60 - 3 * 16)
            for path in READS:
                assert anybody.get(path, headers=METRICS).status_code == 200, path
            assert any(not one.done() for one in reports)
            assert all(is_unavailable(one.result()) for one in [*reports, *asked])
        until(lambda: report(anybody, haven).status_code == 202)


# --- turns -----------------------------------------------------------------------------------


def test_every_route_that_works_in_a_thread_takes_a_turn(sqlite_url: str, tmp_path: Path) -> None:
    app = make_app(sqlite_url, tmp_path)
    without = {
        route.path
        for route in iter_route_contexts(app.routes)
        if (dependant := getattr(route, "dependant", None))
        and not inspect.iscoroutinefunction(dependant.call)
        and turn not in set(_calls(dependant))
    }
    # They ask the directory, and take long over what they make of it.
    assert without == {"/map", "/{language:language}/map"}


def test_a_line_is_neither_long_nor_slow() -> None:
    async def crowd() -> None:
        turns = Turns(at_once=2, patience_seconds=0.1)
        done = asyncio.Event()

        async def one() -> str:
            try:
                async with turns.taken():
                    await done.wait()
            except Unavailable:
                return "turned away"
            return "had a turn"

        asked = [asyncio.create_task(one()) for _ in range(7)]
        at_once, _ = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        assert at_once == {asked[6]}, "two have their turn, four wait"
        await asyncio.wait(asked[2:])
        done.set()
        assert [await each for each in asked] == ["had a turn"] * 2 + ["turned away"] * 5
        assert await one() == "had a turn"

    asyncio.run(crowd())


# --- what counts as trouble ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("SELECT 1 FROM nowhere", True),  # another release's tables
        ("SELEC 1", False),
        ("INSERT INTO directory_state (id, database, version) VALUES (2, 'x', 0)", False),
    ],
)
def test_a_fault_of_ours_is_no_trouble_of_the_database(
    engine: Engine, statement: str, expected: bool
) -> None:
    with pytest.raises(sa.exc.DBAPIError) as raised, engine.connect() as connection:
        connection.execute(sa.text(statement))
    assert bool(database_errors.trouble(raised.value)) is expected


def test_trouble_is_said_once_a_minute(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    now = 1000.0
    monkeypatch.setattr("app.core.trouble.time.monotonic", lambda: now)
    with caplog.at_level(logging.ERROR):
        for _ in range(5):
            trouble.say("not kept", "DiskFull, 53100")
        now += 61
        trouble.say("not kept", "DiskFull, 53100")
    first, second = caplog.messages
    assert first == "not kept (DiskFull, 53100)"
    assert second.endswith("4 times more since this was last said")
