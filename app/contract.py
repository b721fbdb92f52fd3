"""The published contract, made from the code."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.routing import iter_route_contexts
from pydantic.json_schema import models_json_schema

from app.accounts.guards import Forbidden, Guard, PasswordIsTemporary, visiting
from app.accounts.second_factor import SecondFactorFirst
from app.accounts.tokens import Unauthorized
from app.core.errors import PROBLEM_JSON, DomainError, Invalid, Problem, describe
from app.core.journal import WrongClock
from app.directory.nearest_question import NearestQuestion
from app.directory.on_foot import RouteQuestion
from app.directory.schemas import HavenFeatures
from app.http.conditional import PreconditionRequired, Stale, register_of
from app.http.database import Unavailable, turn
from app.http.examples import add_examples
from app.http.headers import described, parameter
from app.http.idempotency import KEY_LENGTH, KeyReused
from app.http.middleware import Compressed, TooLarge, body_limit

VERSION = "1.0.0"
DESCRIPTION = """\
Where is the nearest Safe Haven that is open now, and will still be when I get there?

Times are RFC 3339 in UTC; opening hours and whole days are London's. What does not apply is
absent, never null. Errors are problem details (RFC 9457) that never repeat what was sent; a wrong
address answers 404 and a wrong method 405, likewise as a problem.

A request that is no HTTP, or longer than anybody needs, is answered 400, 408, 413, 414, 431 or 505
in plain text, whatever it asks for, and its connection ends.

What can be read with GET takes HEAD too, which answers the same without the body. A parameter that
is empty, one named `_` and a slash at the end of an address are as if left out.
"""
OF_THE_REGISTER = """
The register behind it is for those who sign in. What happened is recorded once, and never edited:
a mistake is voided, with the reason, and recorded anew.

- A list comes in pages: give the `next` of one as `after` to get the one that follows.
- A change needs `If-Match` with the `ETag` of what it changes, so that nobody overwrites what they
  have not seen.
- A create takes an `Idempotency-Key`: asked again with it, the same answer comes back and nothing
  is made twice.
"""

PUBLIC = {
    "havens": "Finding a haven. Nobody has to say who they are.",
    "paper": "The list of havens and posters, to print; whether a certificate holds.",
    "operators": "Watching the service.",
}
"""The tags of what everybody may call, and what each is about."""

FULL = PUBLIC | {
    "accounts": "Signing in and out, and who may.",
    "register": "Businesses, venues, their contacts, hours and places.",
    "schemes": "Decisions on accreditation, and what they come to.",
    "training": "Sessions, attendance and headcounts: counts and roles, never names.",
    "outreach": "Engagements, scheme tests and the problems that the public reports.",
    "bulk": "Spreadsheets in and out.",
    "journal": "Who changed what, and when.",
    "audit": "Who is covered, on any date, by what was known then.",
}
"""The tags of all there is."""

_NOT_SEEN_BY_THE_FRAMEWORK = (Problem, NearestQuestion, RouteQuestion, HavenFeatures)
"""Models that routes refer to by name, because they read or write them by hand."""


def install(app: FastAPI) -> None:
    """Make `app.openapi()` give the whole contract."""
    app.openapi = cache(lambda: contract(app, FULL))  # type: ignore[method-assign]


def contract(app: FastAPI, tags: dict[str, str]) -> dict[str, Any]:
    """What the routes with any of these tags take and give, as OpenAPI 3.1."""
    routes = [
        route
        for route in iter_route_contexts(app.routes)
        if tags.keys() & set(getattr(route, "tags", None) or ())
    ]
    used = {tag for route in routes for tag in route.tags}
    document = get_openapi(
        title=app.title,
        version=app.version,
        description=app.description + (OF_THE_REGISTER if used - set(PUBLIC) else ""),
        routes=routes,
        tags=[{"name": tag, "description": about} for tag, about in tags.items() if tag in used],
    )
    _, more = models_json_schema(
        [(model, "serialization") for model in _NOT_SEEN_BY_THE_FRAMEWORK],
        ref_template="#/components/schemas/{model}",
    )
    schemas = document["components"]["schemas"]
    schemas |= _without_null(more["$defs"])
    for route in routes:
        for method in (route.methods or ()) if route.include_in_schema else ():
            operation = document["paths"][route.path][method.lower()]
            operation["operationId"] = route.name
            _complete(operation, method, route.dependant)
            if "requestBody" in operation:
                _also(operation, TooLarge(body_limit(str(route.path))), Compressed())
    # Only what the framework would answer with is described by these, and it never does.
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    add_examples(document)
    return document


def write(app: FastAPI, folder: Path) -> list[Path]:
    """Write the contracts into a folder; returns the files."""
    contracts = {"public.json": PUBLIC, "full.json": FULL}
    folder.mkdir(exist_ok=True)
    for name, tags in contracts.items():
        text = json.dumps(contract(app, tags), indent=2, sort_keys=True, ensure_ascii=False)
        (folder / name).write_text(text + "\n")
    return [folder / name for name in contracts]


def _without_null(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_null(v) for k, v in value.items() if v is not None}
    return [_without_null(v) for v in value] if isinstance(value, list) else value


# --- what follows from how a route is made ---------------------------------------------------

_TAG = described("ETag", "Names this state")
_PLACE = described("Location", "Where it is shown")


def _complete(operation: dict[str, Any], method: str, dependant: Dependant) -> None:
    """Say of an operation what its guard and its desk bring about."""
    calls = set(_calls(dependant))
    answers = operation["responses"]
    if "422" in answers and PROBLEM_JSON not in answers["422"]["content"]:
        answers["422"] = {}
        _also(operation, Invalid())
    if visiting in calls:
        _also(operation, Unauthorized(), *([WrongClock()] if method != "GET" else []))
    if any(isinstance(call, Guard) for call in calls):
        _also(operation, Forbidden(), PasswordIsTemporary(), SecondFactorFirst())
    if turn in calls:
        _also(operation, Unavailable())
    if register_of not in calls:
        return
    if method == "GET":
        answers["200"]["headers"] = _TAG
        answers["304"] = {"description": "You have this state already", "headers": _TAG}
        _reads(operation, parameter("If-None-Match", "The `ETag` of what you have"))
    if "201" in answers:
        answers["201"]["headers"] = _TAG | _PLACE
        _also(operation, Invalid(), KeyReused())
        about = "Names this request, so that asking again makes nothing twice; nobody else's counts"
        _reads(operation, parameter("Idempotency-Key", about, maxLength=KEY_LENGTH))
    if {"412", "428"}.intersection(answers):
        if "200" in answers:
            answers["200"]["headers"] = _TAG
        _also(operation, Stale(), PreconditionRequired())
        about = "The `ETag` of the state that is to change"
        _reads(operation, parameter("If-Match", about, required=True))


def _calls(dependant: Dependant) -> Iterator[Any]:
    for needed in dependant.dependencies:
        yield needed.call
        yield from _calls(needed)


def _also(operation: dict[str, Any], *errors: DomainError) -> None:
    """Describe more errors of an operation, beside those that its route speaks of."""
    for error in errors:
        describe(operation["responses"].setdefault(str(error.status), {}), error)


def _reads(operation: dict[str, Any], header: dict[str, Any]) -> None:
    operation.setdefault("parameters", []).append(header)
