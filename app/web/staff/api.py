"""The API as a page calls it: in this process, for whoever is signed in, by the same routes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import Request
from starlette.types import Receive, Scope, Send

from app.accounts.guards import HANDED_OVER, Visit
from app.core.errors import DomainError, FieldError
from app.http.headers import client_address
from app.http.middleware import COUNTED

Asked = Mapping[str, Any]


@dataclass(frozen=True)
class Told:
    """What the API answered: its status, its headers, and what it said."""

    status: int
    content: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def body(self) -> dict[str, Any]:
        """Its JSON; empty without any. Of a report, which may be large, nobody may want it."""
        is_json = "json" in self.headers.get("content-type", "")
        body: dict[str, Any] = orjson.loads(self.content) if is_json and self.content else {}
        return body

    @property
    def etag(self) -> str:
        return self.headers.get("etag", "")

    @property
    def location(self) -> str:
        return self.headers.get("location", "")

    @property
    def is_done(self) -> bool:
        return self.status < HTTPStatus.BAD_REQUEST

    @property
    def errors(self) -> list[FieldError]:
        """What was wrong with which field; of the whole, without a field."""
        found = [FieldError.model_validate(error) for error in self.body.get("errors", ())]
        return found or [FieldError(field="", message=self.body.get("title", "It was refused"))]


class Refused(DomainError):
    """The API has nothing to show at an address, or not to this account."""

    def __init__(self, told: Told) -> None:
        self.status = told.status
        self.title = told.body.get("title", HTTPStatus(told.status).phrase)
        super().__init__(told.errors if told.body.get("errors") else [])


class Api:
    """Calls the API of the application that a request came to, as whoever made it.

    What several parts of a page read is read once, until something is changed.
    """

    def __init__(self, request: Request, visit: Visit | None = None) -> None:
        async def called(scope: Scope, receive: Receive, send: Send) -> None:
            await request.app({**scope, HANDED_OVER: visit, COUNTED: True}, receive, send)

        # Brings a command line and its colours, which nobody who asks for a haven needs.
        import httpx  # noqa: PLC0415

        address = client_address(request, request.app.state.trusted_proxies)
        self._transport = httpx.ASGITransport(called, client=(address, 0))
        self._read: dict[str, Told] = {}

    async def get(self, path: str, **asked: Any) -> Told:
        """What the API shows. Raises `Refused`."""
        question = f"{path} {sorted(asked.items())}"
        if question not in self._read:
            told = await self.send("GET", path, asked=asked)
            if not told.is_done:
                raise Refused(told)
            self._read[question] = told
        return self._read[question]

    async def send(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        asked: Asked | None = None,
        form: Mapping[str, str] | None = None,
        content: bytes | None = None,
        key: str = "",
        seen: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> Told:
        """Ask the API for anything, and take whatever it answers."""
        if method != "GET":
            self._read.clear()
        extra = {"Idempotency-Key": key} if key else {}
        extra |= {"If-Match": seen} if seen else {}
        given = {
            name: value for name, value in (asked or {}).items() if value not in (None, "", [])
        }
        import httpx  # noqa: PLC0415  as above

        # A client of its own for each call costs little, and holds nothing.
        async with httpx.AsyncClient(transport=self._transport, base_url="http://pages") as client:
            answer = await client.request(
                method,
                path,
                params=given,
                json=body,
                data=form,
                content=content,
                headers=extra | dict(headers or {}),
            )
        return Told(answer.status_code, answer.content, answer.headers)
