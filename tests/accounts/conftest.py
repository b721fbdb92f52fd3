"""The application with accounts, and passwords that are quick to hash."""

import asyncio
from collections.abc import Iterator

import httpx
import pytest
from argon2 import PasswordHasher
from fastapi import FastAPI

from app.accounts import password_checks, passwords
from tests.faults import noting_faults


@pytest.fixture(autouse=True)
def _quick_hashes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    quick = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "_hasher", quick)
    monkeypatch.setattr(password_checks, "REFUSED_SECONDS", 0)
    passwords._nobodys.cache_clear()
    yield
    passwords._nobodys.cache_clear()


@pytest.fixture
def client(app: FastAPI) -> Iterator[httpx.Client]:
    """A client that has not signed in."""
    with httpx.Client(transport=WithoutSocket(app), base_url="http://test") as client:
        yield client


class WithoutSocket(httpx.BaseTransport):
    """Calls the application directly; starting a server for each test would take far longer."""

    def __init__(self, app: FastAPI) -> None:
        self._app = httpx.ASGITransport(noting_faults(app), raise_app_exceptions=False)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return asyncio.run(self._answer(request))

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        asked = httpx.Request(
            request.method, request.url, headers=request.headers, content=request.read()
        )
        answer = await self._app.handle_async_request(asked)
        return httpx.Response(
            answer.status_code, headers=answer.headers, content=await answer.aread()
        )
