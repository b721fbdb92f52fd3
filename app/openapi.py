"""The published contract, made from the code."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import iter_route_contexts
from pydantic.json_schema import models_json_schema

from app.directory.schemas import HavenFeatures, NearestQuestion
from app.errors import Problem

VERSION = "1.0.0"
DESCRIPTION = """\
Where is the nearest Safe Haven that is open now, and will still be when I get there?

Times are RFC 3339 in UTC; opening hours and whole days are London's. What does not apply is
absent, never null. Errors are problem details (RFC 9457) that never repeat what was sent; a wrong
address answers 404 and a wrong method 405, likewise as a problem.
"""

PUBLIC = {
    "havens": "Finding a haven. Nobody has to say who they are.",
    "operators": "Watching the service.",
}
"""The tags of what everybody may call, and what each is about."""

_NOT_SEEN_BY_THE_FRAMEWORK = (Problem, NearestQuestion, HavenFeatures)
"""Models that routes refer to by name, because they read or write them by hand."""


def install(app: FastAPI) -> None:
    """Make `app.openapi()` give the contract."""

    def cached() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = contract(app, PUBLIC)
        return app.openapi_schema

    app.openapi = cached  # type: ignore[method-assign]


def contract(app: FastAPI, tags: dict[str, str]) -> dict[str, Any]:
    """What the routes with any of these tags take and give, as OpenAPI 3.1."""
    document = get_openapi(
        title=app.title,
        version=app.version,
        description=app.description,
        routes=[route for route in iter_route_contexts(app.routes) if _tagged(route, tags)],
        tags=[{"name": name, "description": about} for name, about in tags.items()],
    )
    _, more = models_json_schema(
        [(model, "serialization") for model in _NOT_SEEN_BY_THE_FRAMEWORK],
        ref_template="#/components/schemas/{model}",
    )
    document["components"]["schemas"] |= _without_null(more["$defs"])
    return document


def write(app: FastAPI, folder: Path) -> list[Path]:
    """Write the contracts into a folder; returns the files."""
    contracts = {"public.json": PUBLIC}
    folder.mkdir(exist_ok=True)
    for name, tags in contracts.items():
        text = json.dumps(contract(app, tags), indent=2, sort_keys=True, ensure_ascii=False)
        (folder / name).write_text(text + "\n")
    return [folder / name for name in contracts]


def _tagged(route: Any, tags: Collection[str]) -> bool:
    return not set(tags).isdisjoint(getattr(route, "tags", None) or ())


def _without_null(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_null(v) for k, v in value.items() if v is not None}
    return [_without_null(v) for v in value] if isinstance(value, list) else value
