"""What every request passes through: a limit on bodies, and counting without content."""

import time
from functools import cache
from typing import Any

from prometheus_client import Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import TooLarge, problem
from app.metrics import REQUESTS, SECONDS

BODY_LIMIT = 64 * 1024
LARGER_BODIES = {"/v1/admin/bulk/": 5 * 1024 * 1024}
"""Where a body may be larger, by how the path begins."""

CORS: dict[str, Any] = {
    "allow_origins": ["*"],
    "allow_methods": ["GET", "POST"],
    "allow_headers": ["Content-Type", "If-None-Match"],
    "expose_headers": ["ETag"],
}
"""What other sites may do: read, without credentials."""

CORS_HEADERS = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "ETag"}
"""What an answer to them says."""

_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


def body_limit(path: str) -> int:
    """How many bytes the body of a request for a path may have."""
    return next((n for begin, n in LARGER_BODIES.items() if path.startswith(begin)), BODY_LIMIT)


class BodyLimit:
    """Refuses a request body over the limit, whether announced or streamed."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = body_limit(scope["path"])
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if not announced.isdigit() or int(announced[:20]) > limit:
            error = TooLarge(limit)
            refusal = problem(error.status, error.code, error.title, error.errors)
            await refusal(scope, receive, send)
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


class Measured:
    """Counts and times requests by route; a label never holds what somebody sent."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
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
            method = scope["method"] if scope["method"] in _METHODS else "(other)"
            measure(method, route, status, began)


def measure(method: str, route: str, status: int, began: float) -> None:
    """Count an answer, and how long it took since `began` by `time.perf_counter`."""
    _requests(method, route, status).inc()
    _seconds(route).observe(time.perf_counter() - began)


# To look a metric up by its labels takes longer than to count.
@cache
def _requests(method: str, route: str, status: int) -> Counter:
    return REQUESTS.labels(method, route, status)


@cache
def _seconds(route: str) -> Histogram:
    return SECONDS.labels(route)
