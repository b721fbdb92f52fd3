"""The register's API on both databases, with people signed in, and venues without any standing."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import UUID

import pytest
from fastapi import FastAPI
from httpx import Client

from app.journal import Journal
from tests.accounts import make_app, signed_in
from tests.schemes.steps import add_pub
from tests.servers import serving

SignIn = Callable[..., Client]


@pytest.fixture
def app(database_url: str, tmp_path: Path) -> Iterator[FastAPI]:
    app = make_app(database_url, tmp_path)
    yield app
    app.state.journal.engine.dispose()


@pytest.fixture
def journal(app: FastAPI) -> Journal:
    found: Journal = app.state.journal
    return found


@pytest.fixture
def sign_in(app: FastAPI) -> Iterator[SignIn]:
    """Makes clients that have signed in with roles."""
    with serving(app) as anybody, ExitStack() as clients:

        def made(*roles: str) -> Client:
            client = Client(base_url=anybody.base_url, headers=signed_in(app, *roles), timeout=30)
            return clients.enter_context(client)

        yield made


@pytest.fixture
def officer(sign_in: SignIn) -> Client:
    return sign_in("officer")


@pytest.fixture
def licensing(sign_in: SignIn) -> Client:
    return sign_in("licensing")


@pytest.fixture
def venue(journal: Journal) -> UUID:
    """An active pub without any decision."""
    return add_pub(journal)
