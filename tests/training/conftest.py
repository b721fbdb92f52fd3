"""The register's API on both databases, with people signed in."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from app.training.routes import router
from tests.accounts import make_app, signed_in
from tests.servers import serving


@pytest.fixture
def app(database_url: str, tmp_path: Path) -> FastAPI:
    app = make_app(database_url, tmp_path)
    if not any(getattr(route, "tags", None) == ["training"] for route in app.routes):
        app.include_router(router)
    return app


@pytest.fixture
def client(app: FastAPI) -> Iterator[httpx.Client]:
    with serving(app) as client:
        yield client


@pytest.fixture
def officer(app: FastAPI, client: httpx.Client) -> Iterator[httpx.Client]:
    with _signed_in(app, client, "officer") as officer:
        yield officer


@pytest.fixture
def licensing(app: FastAPI, client: httpx.Client) -> Iterator[httpx.Client]:
    with _signed_in(app, client, "licensing") as licensing:
        yield licensing


@contextmanager
def _signed_in(app: FastAPI, client: httpx.Client, role: str) -> Iterator[httpx.Client]:
    headers = signed_in(app, role)
    with httpx.Client(base_url=client.base_url, headers=headers, timeout=30) as person:
        yield person
