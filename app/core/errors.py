"""Errors as the client sees them: RFC 9457 problem details, never with the input in them."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
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

from app.core.logs import request_id
from app.core.privacy import safe_name
from app.core.settings import Contact

PROBLEM_JSON = "application/problem+json"


class FieldError(BaseModel):
    """What is wrong with one field."""

    field: str = Field(description="The parameter, header or JSON field", examples=["lat"])
    message: str = Field(examples=["must be less than or equal to 90"])


class Problem(BaseModel):
    """An error (RFC 9457). Nothing that was sent is repeated in it."""

    type: str = Field(examples=["urn:safe-havens:problem:invalid"])
    title: str = Field(examples=["The request is not valid"])
    status: int = Field(examples=[422])
    errors: list[FieldError] = Field(default=[], description="One entry per bad field")
    request_id: str = Field(
        default="",
        description="What the service's log calls this request",
        examples=["0b8f2a5f6c8d4d0e9a53b6a1c2e4f708"],
    )
    help: list[Contact] = Field(
        default=[], description="Whom to call, where a problem report is not kept"
    )
    step_token: str = Field(
        default="", description="Where a right password needs a code, too: to be sent with that"
    )


class DomainError(Exception):
    """A rule said no. Subclasses carry the status, a stable code and a title for people.

    `extra` is what a document says beside.
    """

    status: int = 400
    code: str = "bad-request"
    title: str = "The request can't be carried out"
    headers: Mapping[str, str] = MappingProxyType({})
    extra: Mapping[str, str] = MappingProxyType({})

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


def problem(error: DomainError) -> JSONResponse:
    """The problem+json response of an error. It is never cached."""
    return JSONResponse(
        problem_document(error),
        status_code=error.status,
        media_type=PROBLEM_JSON,
        headers={"Cache-Control": "no-store", **error.headers},
    )


def problem_document(error: DomainError) -> dict[str, Any]:
    """An error as JSON has it."""
    document: dict[str, Any] = {
        "type": f"urn:safe-havens:problem:{error.code}",
        "title": error.title,
        "status": error.status,
    }
    # Each by its own class, which may say more.
    errors = [field.model_dump() for field in error.errors]
    request = request_id.get()
    return (
        document
        | ({"errors": errors} if errors else {})
        | {name: text for name, text in error.extra.items() if text}
        | ({"request_id": request} if request else {})
    )


def responses(*errors: DomainError) -> dict[int | str, dict[str, Any]]:
    """What `responses=` of a route says of the errors it can answer with, each by an example."""
    answers: dict[int | str, dict[str, Any]] = {}
    for error in errors:
        describe(answers.setdefault(error.status, {}), error)
    return answers


def describe(answer: dict[str, Any], error: DomainError) -> None:
    """Add an error to what OpenAPI says of the answers with its status, unless it is there."""
    problems = answer.setdefault("content", {}).setdefault(PROBLEM_JSON, {})
    problems["schema"] = {"$ref": "#/components/schemas/Problem"}
    examples = problems.setdefault("examples", {})
    examples.setdefault(error.code, {"summary": error.title, "value": problem_document(error)})
    if "Retry-After" in error.headers:
        answer["headers"] = {
            "Retry-After": {"description": "Seconds to wait", "schema": {"type": "integer"}}
        }
    answer["description"] = "; or: ".join(example["summary"] for example in examples.values())


def field_name(location: Iterable[object]) -> str:
    """Where an error lies, as a dotted path; a name that could hold data is left out."""
    return ".".join(map(safe_name, location)) or "body"


def field_errors(errors: Iterable[Mapping[str, Any]]) -> list[FieldError]:
    """Pydantic's errors without their input, one entry per field."""
    by_field: dict[str, FieldError] = {}
    for error in errors:
        name = field_name(() if error["type"] == "json_invalid" else error["loc"])
        by_field.setdefault(name, FieldError(field=name, message=reason(error)))
    return list(by_field.values())


def reason(error: Mapping[str, Any]) -> str:
    """What is wrong by one of Pydantic's errors, to be read after the name of what it is about."""
    if ours := _MESSAGES.get(error["type"]):
        return ours.format_map(error.get("ctx", {}))
    return _SHOULD.sub("must ", error["msg"].removeprefix("Value error, "))


_SHOULD = re.compile(r"^\w+ should ")
"""How Pydantic's own words begin: "Input should be", "String should have"."""

_WHOLE_NUMBER = "must be a whole number, like 6"
_MESSAGES = {
    "extra_forbidden": "is not a known field",
    "int_from_float": _WHOLE_NUMBER,
    "int_parsing": _WHOLE_NUMBER,
    "int_type": _WHOLE_NUMBER,
    "json_invalid": "is not valid JSON",
    "missing": "is required",
    "model_attributes_type": "must be a JSON object, sent as application/json",
    "union_tag_invalid": "{discriminator} must be one of {expected_tags}",
    "uuid_parsing": "must be a UUID",
}
"""Where Pydantic's own words would be unclear, or repeat a piece of the input."""


class FromFramework(DomainError):
    """An error that the framework raises, by its status."""

    def __init__(self, status: int, headers: Mapping[str, str]) -> None:
        self.status = status
        self.title = HTTPStatus(status).phrase
        self.code = self.title.lower().replace(" ", "-")
        self.headers = headers
        super().__init__()


class Fault(DomainError):
    """Something of ours went wrong. The server then hangs up, and says so."""

    status = 500
    code = "internal"
    title = "Something went wrong; if you are in danger call 999"
    headers = MappingProxyType({"Connection": "close"})


Answer = Callable[[Request, DomainError], Response]


def _as_problem(_: Request, error: DomainError) -> Response:
    return problem(error)


def install(app: FastAPI, answer: Answer = _as_problem) -> None:
    """Answer every error that a route, the framework or a rule raises."""

    @app.exception_handler(DomainError)
    async def _domain(request: Request, error: DomainError) -> Response:
        return answer(request, error)

    @app.exception_handler(RequestValidationError)
    async def _validation(request: Request, error: RequestValidationError) -> Response:
        errors = [{**e, "loc": e["loc"][1:] or e["loc"]} for e in error.errors()]
        return answer(request, Invalid(field_errors(errors)))

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> Response:
        if error.status_code == NotFound.status:
            return answer(request, NotFound())
        if error.status_code == HTTPStatus.BAD_REQUEST:
            # So the framework answers what it can't read; a body in bad JSON it calls invalid.
            is_text = not isinstance(error.__cause__, UnicodeDecodeError)
            return answer(request, wrong("body", "can't be read" if is_text else "is not UTF-8"))
        headers = {**(error.headers or {}), **_allowed(request, error.status_code)}
        return answer(request, FromFramework(error.status_code, headers))

    @app.exception_handler(ClientDisconnect)
    async def _gone(*_: object) -> Response:
        # Nobody reads this; it keeps a lost connection from being logged as our fault.
        return Response(status_code=HTTPStatus.BAD_REQUEST)

    @app.exception_handler(Exception)
    async def _fault(request: Request, _: Exception) -> Response:
        try:
            return answer(request, Fault())
        except Exception:  # noqa: BLE001  what went wrong may lie in what makes pages
            return problem(Fault())


def _allowed(request: Request, status: int) -> dict[str, str]:
    """Every method of the address; the framework tells only those of its first route there."""
    route = request.scope.get("route")
    if status != HTTPStatus.METHOD_NOT_ALLOWED or route is None:
        return {}
    allowed = {
        method
        for context in iter_route_contexts(request.app.routes)
        if context.path == route.path
        for method in context.methods or ()
    }
    return {"Allow": ", ".join(sorted(allowed | {"HEAD"} if "GET" in allowed else allowed))}
