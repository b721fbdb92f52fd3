"""The nearest havens, answered ahead of the framework.

The framework's router and middleware take several times as long as to read the question, to search
and to write the answer. So the common, well-formed question takes this short way, and everything
else the long one: whatever the framework would refuse, or do in its own way, it is left to. On both
ways `NearestQuestion` reads the question and `answer` answers it.
"""

from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.directory.live import Directory
from app.directory.routes import NEAREST, NO_STORE, answer
from app.directory.schemas import NearestQuestion
from app.edge import BODY_LIMIT, CORS_HEADERS, measure
from app.errors import DomainError

_HEADERS = [
    (name.lower().encode(), value.encode())
    for name, value in {**NO_STORE, "Content-Type": "application/json", "Vary": "Origin"}.items()
]
_CORS = [(name.lower().encode(), value.encode()) for name, value in CORS_HEADERS.items()]


class Shortcut:
    """Answers `GET` and `POST /v1/havens/nearest` by itself when nothing is out of the ordinary."""

    def __init__(self, app: ASGIApp, directory: Directory, contacts: bytes) -> None:
        self._app = app
        self._directory = directory
        self._contacts = contacts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != NEAREST:
            await self._app(scope, receive, send)
            return
        began = perf_counter()
        headers = dict(scope["headers"])
        body = None
        try:
            if len(headers) != len(scope["headers"]):
                pass  # which of two headers counts is the framework's to know
            elif scope["method"] == "GET" and not _has_body(headers):
                asked = NearestQuestion.from_query(scope["query_string"])
                body = answer(asked, self._directory, self._contacts)
            elif scope["method"] == "POST" and _has_small_json(headers):
                message = await receive()
                receive = _again(message, receive)
                if message["type"] == "http.request" and not message.get("more_body", False):
                    asked = NearestQuestion.from_json(message["body"])
                    body = answer(asked, self._directory, self._contacts)
        except DomainError:
            pass  # the framework meets it again, and makes a problem of it
        except Exception:
            measure(scope["method"], NEAREST, 500, began)
            raise
        if body is None:
            await self._app(scope, receive, send)
            return
        lines = [*_HEADERS, (b"content-length", b"%d" % len(body))]
        if b"origin" in headers:
            lines += _CORS
        await send({"type": "http.response.start", "status": 200, "headers": lines})
        await send({"type": "http.response.body", "body": body})
        measure(scope["method"], NEAREST, 200, began)


def _has_body(headers: dict[bytes, bytes]) -> bool:
    return b"content-length" in headers or b"transfer-encoding" in headers


def _has_small_json(headers: dict[bytes, bytes]) -> bool:
    length = headers.get(b"content-length", b"")
    is_small = length.isdigit() and len(length) < 10 and int(length) <= BODY_LIMIT
    return is_small and headers.get(b"content-type") == b"application/json"


def _again(first: Message, receive: Receive) -> Receive:
    """What was received, from its beginning."""
    waiting = [first]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return again
