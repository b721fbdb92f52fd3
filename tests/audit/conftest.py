"""The audit over HTTP on both databases, with people signed in."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import Engine

from tests.accounts import make_app, signed_in
from tests.audit.history import History, make_history, store
from tests.databases import Postgres
from tests.factories import connected
from tests.servers import serving

SignIn = Callable[..., httpx.Client]


@pytest.fixture
def app(database_url: str, tmp_path: Path) -> Iterator[FastAPI]:
    app = make_app(database_url, tmp_path)
    yield app
    app.state.journal.engine.dispose()


@pytest.fixture
def engine(app: FastAPI) -> Engine:
    engine: Engine = app.state.journal.engine
    return engine


@pytest.fixture
def anybody(app: FastAPI) -> Iterator[httpx.Client]:
    with serving(app) as client:
        yield client


@pytest.fixture
def sign_in(app: FastAPI, anybody: httpx.Client) -> Iterator[SignIn]:
    """Makes clients that have signed in with roles."""
    with ExitStack() as clients:

        def made(*roles: str) -> httpx.Client:
            headers = signed_in(app, *roles)
            client = httpx.Client(base_url=anybody.base_url, headers=headers, timeout=30)
            return clients.enter_context(client)

        yield made


@pytest.fixture
def auditor(sign_in: SignIn) -> httpx.Client:
    return sign_in("licensing")


# --- two years of work, made once and read by many tests -------------------------------------


@pytest.fixture(scope="session")
def history() -> History:
    """What both databases hold."""
    return make_history()


@pytest.fixture(
    scope="session", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)]
)
def history_url(request: pytest.FixtureRequest) -> str:
    """The database of the history, which no test may change; the test runs once on each kind."""
    url: str = request.getfixturevalue(f"{request.param}_history_url")
    return url


@pytest.fixture(scope="session")
def sqlite_history_url(
    history: History, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> str:
    path = shutil.copyfile(sqlite_template, tmp_path_factory.mktemp("history") / "havens.sqlite")
    return _filled(f"sqlite:///{path}", history)


@pytest.fixture(scope="session")
def postgresql_history_url(history: History, postgres: Postgres, postgresql_template: str) -> str:
    return _filled(postgres.create("history", postgresql_template), history)


def _filled(url: str, history: History) -> str:
    with connected(url) as engine:
        store(engine, history)
    return url
