"""The API as a page calls it: in this process, for whoever is signed in, by the same routes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from typing import Any, TypeVar

import orjson
from fastapi import Request
from pydantic import BaseModel
from starlette.types import ASGIApp, Receive, Scope, Send

from app.accounts.guards import HANDED_OVER, Visit
from app.core.errors import DomainError, FieldError
from app.http.conditional import HANDED_BACK
from app.http.headers import client_address
from app.http.middleware import COUNTED

Asked = Mapping[str, Any]
_Model = TypeVar("_Model", bound=BaseModel)


@dataclass(frozen=True)
class Told:
    """What the API answered: its status, its headers, and what it said."""

    status: int
    content: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    handed_back: BaseModel | None = None

    def model(self, kind: type[_Model]) -> _Model:
        """What it said, as the model of it: the very one, where that was handed back."""
        if isinstance(self.handed_back, kind):
            return self.handed_back
        return kind.model_validate_json(self.content)

    @cached_property
    def body(self) -> dict[str, Any]:
        """Its JSON; empty without any, or where its model was handed back."""
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
        self._app: ASGIApp = request.app
        self._handed_over = {HANDED_OVER: visit, COUNTED: True}
        self._client = (client_address(request, request.app.state.trusted_proxies), 0)
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
        as_model: bool = False,
    ) -> Told:
        """Ask the API for anything, and take whatever it answers; with `as_model`, as the model
        that it would write as JSON, where it has one to hand back."""
        if method != "GET":
            self._read.clear()
        extra = {"Idempotency-Key": key} if key else {}
        extra |= {"If-Match": seen} if seen else {}
        given = {
            name: value for name, value in (asked or {}).items() if value not in (None, "", [])
        }
        models: list[BaseModel] = []
        handed = self._handed_over | ({HANDED_BACK: models.append} if as_model else {})

        async def called(scope: Scope, receive: Receive, send: Send) -> None:
            await self._app({**scope, **handed}, receive, send)

        # Brings a command line and its colours, which nobody who asks for a haven needs.
        import httpx  # noqa: PLC0415

        transport = httpx.ASGITransport(called, client=self._client)
        # A client of its own for each call costs little, and holds nothing.
        async with httpx.AsyncClient(transport=transport, base_url="http://pages") as client:
            answer = await client.request(
                method,
                path,
                params=given,
                json=body,
                data=form,
                content=content,
                headers=extra | dict(headers or {}),
            )
        return Told(answer.status_code, answer.content, answer.headers, *models)
