"""Errors as the client sees them: RFC 9457 problem details, never with the input in them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

PROBLEM_JSON = "application/problem+json"


class FieldError(BaseModel):
    """What is wrong with one field."""

    field: str = Field(description="The parameter, header or JSON field", examples=["lat"])
    message: str = Field(examples=["Input should be less than or equal to 90"])


class Problem(BaseModel):
    """An error (RFC 9457). Nothing that was sent is repeated in it."""

    type: str = Field(examples=["urn:safe-havens:problem:invalid"])
    title: str = Field(examples=["The request is not valid"])
    status: int = Field(examples=[422])
    errors: list[FieldError] = Field(default=[], description="One entry per bad field")


class DomainError(Exception):
    """A rule said no. Subclasses carry the status, a stable code and a title for people."""

    status: int = 400
    code: str = "bad-request"
    title: str = "The request can't be carried out"
    headers: Mapping[str, str] = MappingProxyType({})

    def __init__(self, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(self.title)
        self.errors = list(errors)


class Invalid(DomainError):
    """The request breaks its contract."""

    status = 422
    code = "invalid"
    title = "The request is not valid"


def wrong(field: str, message: str) -> Invalid:
    """One field is wrong, and why."""
    return Invalid([FieldError(field=field, message=message)])


class NotFound(DomainError):
    """There is nothing at an address, or no such thing as a `noun` with an id."""

    status = 404
    code = "not-found"
    title = "There is nothing at this address"

    def __init__(self, noun: str = "") -> None:
        if noun:
            self.title = f"There is no such {noun}"
        super().__init__()


class UnsupportedMediaType(DomainError):
    status = 415
    code = "unsupported-media-type"
    title = "The body must be JSON"

    def __init__(self) -> None:
        super().__init__([FieldError(field="Content-Type", message="must be application/json")])


class Compressed(DomainError):
    """A body in a `Content-Encoding` that is not read here."""

    status = 415
    code = "compressed"
    title = "The body must not be compressed"
    headers = MappingProxyType({"Accept-Encoding": "identity"})

    def __init__(self) -> None:
        super().__init__([FieldError(field="Content-Encoding", message="must be left out")])


class TooLarge(DomainError):
    status = 413
    code = "too-large"
    title = "The body is too large"

    def __init__(self, limit: int) -> None:
        super().__init__([FieldError(field="body", message=f"must be at most {limit} bytes")])


class NotReady(DomainError):
    """This process has no directory that covers the instant asked about."""

    status = 503
    code = "not-ready"
    title = "The directory can't tell at the moment; if you are in danger call 999"


def problem(
    status: int,
    code: str,
    title: str,
    errors: Sequence[FieldError] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """A problem+json response. It is never cached."""
    return JSONResponse(
        _body(status, code, title, errors),
        status_code=status,
        media_type=PROBLEM_JSON,
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


def _body(status: int, code: str, title: str, errors: Sequence[FieldError]) -> dict[str, Any]:
    body = {"type": f"urn:safe-havens:problem:{code}", "title": title, "status": status}
    return body | ({"errors": [error.model_dump() for error in errors]} if errors else {})


def responses(*errors: DomainError) -> dict[int | str, dict[str, Any]]:
    """What `responses=` of a route says of the errors it can answer with, each by an example."""
    answers: dict[int | str, dict[str, Any]] = {}
    for error in errors:
        answer = answers.setdefault(error.status, {"description": error.title})
        content = answer.setdefault("content", {}).setdefault(PROBLEM_JSON, {})
        content["schema"] = {"$ref": "#/components/schemas/Problem"}
        body = _body(error.status, error.code, error.title, error.errors)
        content.setdefault("examples", {})[error.code] = {"summary": error.title, "value": body}
        titles = (example["summary"] for example in content["examples"].values())
        answer["description"] = "; or: ".join(titles)
    return answers


def field_name(location: Iterable[object]) -> str:
    """Where an error lies, as a dotted path; a name that could hold data is left out.

    A position mistyped into a parameter's name must not come back, so only what looks like a
    name is repeated.
    """
    return ".".join(_safe_name(part) for part in location) or "body"


def _safe_name(part: object) -> str:
    # A number is a place in a list; digits that were sent as a name are text.
    if isinstance(part, int) or re.fullmatch(r"[A-Za-z_-]{1,40}", str(part)):
        return str(part)
    return "(unknown)"


def field_errors(errors: Iterable[Mapping[str, Any]]) -> list[FieldError]:
    """Pydantic's errors without their input, one entry per field."""
    seen: dict[str, FieldError] = {}
    for error in errors:
        name = field_name(() if error["type"] == "json_invalid" else error["loc"])
        seen.setdefault(name, FieldError(field=name, message=_message(error)))
    return list(seen.values())


_MESSAGES = {
    "extra_forbidden": "is not a known field",
    "json_invalid": "is not valid JSON",
    "missing": "is required",
    "model_attributes_type": "must be a JSON object, sent as application/json",
    "uuid_parsing": "must be a UUID",
}
"""Where Pydantic's own words would be unclear, or repeat a piece of the input."""


def _message(error: Mapping[str, Any]) -> str:
    message: str = _MESSAGES.get(error["type"], error["msg"])
    return message.removeprefix("Value error, ")


def install(app: FastAPI) -> None:
    """Render every error that a route, the framework or a rule raises as a problem."""

    @app.exception_handler(DomainError)
    async def _domain(_: Request, error: DomainError) -> JSONResponse:
        return problem(error.status, error.code, error.title, error.errors, error.headers)

    @app.exception_handler(RequestValidationError)
    async def _validation(_: Request, error: RequestValidationError) -> JSONResponse:
        found = [{**e, "loc": e["loc"][1:] or e["loc"]} for e in error.errors()]
        return problem(Invalid.status, Invalid.code, Invalid.title, field_errors(found))

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        if error.status_code == NotFound.status:
            return problem(NotFound.status, NotFound.code, NotFound.title)
        if error.status_code == HTTPStatus.BAD_REQUEST:
            # So the framework answers what it can't read; a body in bad JSON it calls invalid.
            is_text = not isinstance(error.__cause__, UnicodeDecodeError)
            message = "can't be read" if is_text else "is not UTF-8"
            errors = [FieldError(field="body", message=message)]
            return problem(Invalid.status, Invalid.code, Invalid.title, errors)
        phrase = HTTPStatus(error.status_code).phrase
        code = phrase.lower().replace(" ", "-")
        headers = {**(error.headers or {}), **_allowed(request, error.status_code)}
        return problem(error.status_code, code, phrase, headers=headers)

    @app.exception_handler(ClientDisconnect)
    async def _gone(*_: object) -> Response:
        # Nobody reads this; it keeps a lost connection from being logged as our fault.
        return Response(status_code=HTTPStatus.BAD_REQUEST)

    @app.exception_handler(Exception)
    async def _internal(*_: object) -> JSONResponse:
        # The server hangs up after a fault, and says so.
        headers = {"Connection": "close"}
        title = "Something went wrong; if you are in danger call 999"
        return problem(500, "internal", title, headers=headers)


def _allowed(request: Request, status: int) -> dict[str, str]:
    """Every method of the address; the framework tells only those of its first route there."""
    route = request.scope.get("route")
    if status != HTTPStatus.METHOD_NOT_ALLOWED or route is None:
        return {}
    methods = (
        context.methods or set()
        for context in iter_route_contexts(request.app.routes)
        if context.path == route.path
    )
    allowed = set().union(*methods)
    return {"Allow": ", ".join(sorted(allowed | {"HEAD"} if "GET" in allowed else allowed))}
