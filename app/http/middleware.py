"""What every request passes through: read as it is meant, its body limited, and counted without
content; and what its headers say."""

import re
import time
from collections.abc import Collection, Sequence
from functools import cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

from fastapi import Request, Response
from prometheus_client import Counter, Histogram
from pydantic import IPvAnyNetwork
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.errors import Compressed, DomainError, TooLarge, problem
from app.core.metrics import REQUESTS, SECONDS

BODY_LIMIT = 64 * 1024
LARGER_BODIES = {"/v1/admin/bulk/": 5 * 1024 * 1024}
"""Where a body may be larger, by how the path begins."""

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

_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


def body_limit(path: str) -> int:
    """How many bytes the body of a request for a path may have."""
    return next((n for begin, n in LARGER_BODIES.items() if path.startswith(begin)), BODY_LIMIT)


class Normalised:
    """Has a request read as it is meant.

    HEAD is GET without a body, which the server leaves out. A slash at the end of an address, a
    parameter that is empty, and `_`, which gets past caches, are as if left out.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        path = re.sub(r"(?<=[^/])/\Z", "", scope["path"])
        query = _filled(scope["query_string"])
        meant = {**scope, "method": method, "path": path, "query_string": query}
        try:
            await self._app(meant, receive, send)
        finally:
            scope["route"] = meant.get("route")


def _filled(query: bytes) -> bytes:
    parts = query.split(b"&")
    return b"&".join(part for part in parts if not re.fullmatch(rb"_(=.*)?|[^=]*=", part))


class Cors(CORSMiddleware):
    """Lets any page ask, with whatever headers the tools that watch it add, but no credentials."""

    def preflight_response(self, request_headers: Headers) -> Response:
        response = super().preflight_response(request_headers)
        asked = request_headers.get("access-control-request-headers", "Content-Type")
        # By name, for browsers that don't know `*`. What is no name could be a position.
        names = [name for name in re.split(r"[\s,]+", asked) if _HEADER_NAME.fullmatch(name)]
        response.headers["Access-Control-Allow-Headers"] = ", ".join(names)
        return response


_HEADER_NAME = re.compile(r"(?!authorization$)[a-z][a-z0-9_-]{0,60}", re.IGNORECASE)


class BodyLimit:
    """Refuses a request body over the limit, whether announced or streamed, or compressed."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = body_limit(scope["path"])
        headers = dict(scope["headers"])
        announced = headers.get(b"content-length", b"0")
        coding = headers.get(b"content-encoding", b"").lower()
        error: DomainError | None = None
        if not announced.isdigit() or int(announced[:20]) > limit:
            error = TooLarge(limit)
        elif coding not in (b"", b"identity") and scope["method"] != "GET":
            error = Compressed()
        if error:
            refusal = problem(error.status, error.code, error.title, error.errors, error.headers)
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


# --- headers ---------------------------------------------------------------------------------

_WEIGHT = re.compile(r"0(\.[0-9]*)?|1(\.0*)?")


def preferred(accepted: str, ours: Sequence[str]) -> str:
    """What an `Accept…` header likes best of ours, or the first of ours if it likes none.

    Of what it likes equally: what it names more exactly, then what it names first.
    """
    weights: dict[str, float] = {}
    for wish in "".join(accepted.lower().split()).split(","):
        name, *parameters = wish.split(";")
        weight = next((p[2:] for p in parameters if p.startswith("q=")), "")
        weights.setdefault(name, float(weight) if _WEIGHT.fullmatch(weight) else 1.0)
    order = list(weights)

    def liking(offer: str) -> tuple[float, int, int]:
        ranges = (offer, f"{offer.partition('/')[0]}/*", "*/*", "*")
        exactness, name = next(((-n, r) for n, r in enumerate(ranges) if r in weights), (0, ""))
        return (weights[name], exactness, -order.index(name)) if name else (0.0, 0, 0)

    best = max(ours, key=liking)
    return best if liking(best)[0] else ours[0]


def conditions(headers: Headers, name: str) -> set[str]:
    """The tags in an `If-…` header, in their quotes, without the mark of weak ones; or `*`."""
    given = ",".join(headers.getlist(name))
    return {"*"} if given.strip() == "*" else set(re.findall('"[^"]*"', given))


def client_address(request: Request, proxies: Collection[IPvAnyNetwork]) -> str:
    """Whose request this is: the last on its way here that is none of our own proxies.

    What anybody else writes in `X-Forwarded-For` counts for nothing. Of IPv6 it is the network
    that one customer gets, who could use a new address for every request.
    """
    forwarded = ",".join(request.headers.getlist("x-forwarded-for")).split(",")
    found = request.client.host if request.client else ""
    for hop in (found, *reversed(forwarded)):
        try:
            address = ip_address(_PORT.sub(r"\1\2", hop.strip()))
            if isinstance(address, IPv6Address):
                address = address.ipv4_mapped or address
            customer = ip_network(f"{address}/{64 if address.version == 6 else 32}", strict=False)
        except ValueError:
            break
        found = str(customer.network_address)
        if not any(address in network for network in proxies):
            break
    return found


_PORT = re.compile(r"^\[(.*)\](?::[0-9]+)?$|^([0-9.]+):[0-9]+$")
