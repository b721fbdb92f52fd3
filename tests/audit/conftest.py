"""The audit over HTTP on both databases, with people signed in."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from app.core.db import connected
from tests.accounts import signed_in
from tests.audit.history import History, make_history, store
from tests.conftest import SignIn
from tests.databases import Postgres
from tests.servers import client_of, serving


@pytest.fixture
def auditor(sign_in: SignIn) -> httpx.Client:
    return sign_in("licensing")


@pytest.fixture(scope="module")
def asking(shared_app: FastAPI) -> Iterator[httpx.Client]:
    """As `auditor`, for all questions of a module that are refused."""
    headers = signed_in(shared_app, "licensing")
    with serving(shared_app) as anybody, client_of(anybody.base_url, headers) as client:
        yield client


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
