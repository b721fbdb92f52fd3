"""The outreach API on both databases, with people signed in."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import Engine

from tests.accounts import make_app, signed_in
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
def officer(sign_in: SignIn) -> httpx.Client:
    return sign_in("officer")
