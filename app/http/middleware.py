"""What every request passes through: it gets an id, is measured, read as it is meant, open to the
pages of others, and limited in size."""

import re
import time
from abc import ABC, abstractmethod
from types import MappingProxyType
from typing import Any
from uuid import uuid4

from fastapi import Request, Response
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.errors import Answer, DomainError, FieldError
from app.core.logs import request_id
from app.core.metrics import measure
from app.core.privacy import HEADER_NAME
from app.core.settings import Networks
from app.http.headers import is_within

BODY_LIMIT = 64 * 1024
FORM_LIMIT = 2 * 1024 * 1024
"""What somebody who is signed in may type into one form: too much in each field comes back, too."""

LARGER_BODIES = {
    "/v1/admin/bulk/": 5 * 1024 * 1024,
    "/console/bulk/": 5 * 1024 * 1024,
    **dict.fromkeys(("/console/", "/audit/", "/account/", "/sign-in"), FORM_LIMIT),
}
"""Where a body may be larger, by how the path begins; the first that fits counts."""

COUNTED = "havens.counted"
"""In the scope of what a page asks of the API: it comes of a body that was within its limit."""

CORS: dict[str, Any] = {
    "allow_origins": ["*"],
    "allow_methods": ["GET", "HEAD", "POST"],
    "allow_headers": ["*"],
    "expose_headers": ["ETag"],
    "max_age": 24 * 3600,
}
"""What other sites may do: read, without credentials."""

CORS_HEADERS = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "ETag"}
"""What an answer to them says."""

FOR_PROGRAMS = ("/v1/", "/health/", "/metrics", "/openapi.json", "/oruk", "/ogc")
"""How addresses begin that answer programs. All others answer people, and no other site's pages."""

FOR_STAFF = (
    *("/v1/auth", "/v1/admin", "/v1/audit", "/v1/calendar", "/ogc/licensing"),
    "/metrics",
)
"""How those begin that no other site's pages have a business with."""

_PROBLEM_REPORT = re.compile(r"/havens/\{haven_id\}/(problem-reports|report|survey)")
"""In the pattern of a route by which somebody sends one, or is about to, or just has; and of the
survey, of which no more is kept than the quarter."""

_REQUEST_ID = re.compile(r"[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}")

_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


def body_limit(path: str) -> int:
    """How many bytes the body of a request for a path may have."""
    return next((n for begin, n in LARGER_BODIES.items() if path.startswith(begin)), BODY_LIMIT)


class TooLarge(DomainError):
    status = 413
    code = "too-large"
    title = "The body is too large"

    def __init__(self, limit: int) -> None:
        super().__init__([FieldError(field="body", message=f"must be at most {limit} bytes")])


class Compressed(DomainError):
    """A body in a `Content-Encoding` that is not read here."""

    status = 415
    code = "compressed"
    title = "The body must not be compressed"
    headers = MappingProxyType({"Accept-Encoding": "identity"})

    def __init__(self) -> None:
        super().__init__([FieldError(field="Content-Encoding", message="must be left out")])


class Middleware(ABC):
    """A base: all but requests, such as the start of the application, passes by."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        handle = self.handle if scope["type"] == "http" else self._app
        await handle(scope, receive, send)

    @abstractmethod
    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""


class Identified(Middleware):
    """Gives a request the id by which the log and its answer can be brought together.

    It is the one that a proxy of ours has given it, and otherwise a new one: what anybody may
    choose would lead to other people's lines, or bring something private into them.
    """

    def __init__(self, app: ASGIApp, proxies: Networks) -> None:
        super().__init__(app)
        self._proxies = proxies

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = Headers(scope=scope).get("x-request-id", "")
        host, _ = scope["client"] or ("", 0)
        is_ours = _REQUEST_ID.fullmatch(given) and is_within(host, self._proxies)
        # In this task alone, which ends with the request.
        request_id.set(given if is_ours else uuid4().hex)
        await self._app(scope, receive, send)


class Measured(Middleware):
    """Counts and times requests by route; a label never holds what somebody sent.

    Problem reports count only when a fault of ours lost them: otherwise whoever watches the counts
    would know to the second when somebody sent one, of which no more is kept than the day.
    """

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        status = 500
        began = time.perf_counter()

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            route = getattr(scope.get("route"), "path", "(none)")
            if status >= 500 or not _PROBLEM_REPORT.search(route):
                method = scope["method"] if scope["method"] in _METHODS else "(other)"
                measure(method, route, status, began)


class Normalised(Middleware):
    """Has a request read as it is meant.

    HEAD is GET without a body, which the server leaves out. A slash at the end of an address, a
    parameter that is empty, and `_`, which gets past caches, are as if left out.
    """

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        path = re.sub(r"(?<=[^/])/\Z", "", scope["path"])
        parts = scope["query_string"].split(b"&")
        query = b"&".join(p for p in parts if not re.fullmatch(rb"_(=.*)?|[^=]*=", p))
        meant = {**scope, "method": method, "path": path, "query_string": query}
        try:
            await self._app(meant, receive, send)
        finally:
            scope["route"] = meant.get("route")


class Cors(CORSMiddleware):
    """Lets any page ask what is public, with whatever headers the tools that watch it add, but no
    credentials."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        is_open = path.startswith(FOR_PROGRAMS) and not path.startswith(FOR_STAFF)
        await (super().__call__ if is_open else self.app)(scope, receive, send)

    def preflight_response(self, request_headers: Headers) -> Response:
        response = super().preflight_response(request_headers)
        wanted = request_headers.get("access-control-request-headers", "Content-Type")
        # By name, for browsers that don't know `*`.
        names = [name for name in re.split(r"[\s,]+", wanted) if HEADER_NAME.fullmatch(name)]
        response.headers["Access-Control-Allow-Headers"] = ", ".join(names)
        return response


class BodyLimit(Middleware):
    """Refuses a request body over the limit, whether announced or streamed, or compressed."""

    def __init__(self, app: ASGIApp, answer: Answer) -> None:
        super().__init__(app)
        self._answer = answer

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        if COUNTED in scope:
            await self._app(scope, receive, send)
            return
        limit = body_limit(scope["path"])
        headers = dict(scope["headers"])
        announced = headers.get(b"content-length", b"0")
        coding = headers.get(b"content-encoding", b"").lower()
        if not announced.isdigit() or int(announced[:20]) > limit:
            await self._answer(Request(scope), TooLarge(limit))(scope, receive, send)
            return
        if coding not in (b"", b"identity") and scope["method"] != "GET":
            await self._answer(Request(scope), Compressed())(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise TooLarge(limit)
            return message

        await self._app(scope, counted, send)
