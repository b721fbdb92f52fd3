"""Clients that were made for a contract go on working: what it asked is enough, what it gave comes.

`tests/contracts` holds the contracts that clients may have been made for, without their prose. One
goes when its major version is no longer served.
"""

import copy
import json
import operator
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Json = dict[str, Any]

ROOT = Path(__file__).parent.parent
KEPT = sorted((ROOT / "tests" / "contracts").glob("public-*.json"))


def current() -> Json:
    document: Json = json.loads((ROOT / "openapi" / "public.json").read_text())
    return document


def breaks(old: Json, new: Json) -> Iterator[str]:
    """What of a contract a client may have relied on, and the other does not keep."""
    for path, operations in old["paths"].items():
        for method, operation in operations.items():
            name = f"{method} {path}"
            now = new["paths"].get(path, {}).get(method)
            if now is None:
                yield f"{name} is gone"
                continue
            yield from _asked(name, operation, now, old, new)
            yield from _given(name, operation, now, old, new)


def _asked(name: str, before: Json, now: Json, old: Json, new: Json) -> Iterator[str]:
    """What is asked may become less, and what may be said more."""
    were, are = (
        {(p["in"], p["name"]): p for p in operation.get("parameters", [])}
        for operation in (before, now)
    )
    for key, parameter in were.items():
        if key not in are:
            yield f"{name}: {key[1]} is not taken any more"
        else:
            what = f"{name}: {key[1]}"
            yield from _narrower(what, parameter["schema"], are[key]["schema"], old, new)
    for key, parameter in are.items():
        if parameter.get("required") and not were.get(key, {}).get("required"):
            yield f"{name}: {key[1]} is required now"
    for kind, content in before.get("requestBody", {}).get("content", {}).items():
        taken = now.get("requestBody", {}).get("content", {}).get(kind)
        if taken is None:
            yield f"{name}: a body in {kind} is not taken any more"
        else:
            yield from _narrower(name, content["schema"], taken["schema"], old, new)


_TIGHTER: tuple[tuple[str, Callable[[Any, Any], bool]], ...] = (
    ("minimum", operator.gt),
    ("minLength", operator.gt),
    ("maximum", operator.lt),
    ("maxLength", operator.lt),
)


def _narrower(what: str, before: Json, now: Json, old: Json, new: Json) -> Iterator[str]:
    """What a schema took and the other refuses."""
    before, now = _resolved(before, old), _resolved(now, new)
    if before.get("type") != now.get("type"):
        yield f"{what} has another type"
    were: list[str] = before.get("enum", [])
    if gone := set(were) - set(now.get("enum", were)):
        yield f"{what} does not take {sorted(gone)} any more"
    for limit, is_tighter in _TIGHTER:
        if limit in now and (limit not in before or is_tighter(now[limit], before[limit])):
            yield f"{what} has a tighter {limit}"
    if fresh := {*now.get("required", [])} - {*before.get("required", [])}:
        yield f"{what} requires {sorted(fresh)} now"
    for name, schema in before.get("properties", {}).items():
        if name not in now.get("properties", {}):
            yield f"{what}.{name} is not taken any more"
        else:
            yield from _narrower(f"{what}.{name}", schema, now["properties"][name], old, new)
    if "items" in before and "items" in now:
        yield from _narrower(f"{what}[]", before["items"], now["items"], old, new)


def _given(name: str, before: Json, now: Json, old: Json, new: Json) -> Iterator[str]:
    """What is given may become more."""
    for status, answer in before["responses"].items():
        given = now["responses"].get(status)
        if status >= "400":
            continue
        if given is None:
            yield f"{name} is not answered {status} any more"
            continue
        for kind, content in answer.get("content", {}).items():
            if kind not in given.get("content", {}):
                yield f"{name} is not answered in {kind} any more"
            elif "schema" in content:
                what, there = f"{name} {status}", given["content"][kind]["schema"]
                yield from _poorer(what, content["schema"], there, old, new, set())


def _poorer(
    what: str, before: Json, now: Json, old: Json, new: Json, seen: set[str]
) -> Iterator[str]:
    """What a schema promised and the other does not."""
    if (name := before.get("$ref", "")) in seen and name:
        return
    seen = seen | {name}
    before, now = _resolved(before, old), _resolved(now, new)
    if before.get("type") != now.get("type") or before.get("format") != now.get("format"):
        yield f"{what} has another type"
    if gone := {*before.get("required", [])} - {*now.get("required", [])}:
        yield f"{what} may lack {sorted(gone)} now"
    for name, schema in before.get("properties", {}).items():
        if name not in now.get("properties", {}):
            yield f"{what}.{name} is gone"
        else:
            there = now["properties"][name]
            yield from _poorer(f"{what}.{name}", schema, there, old, new, seen)
    if "items" in before:
        yield from _poorer(f"{what}[]", before["items"], now.get("items", {}), old, new, seen)


def _resolved(schema: Json, document: Json) -> Json:
    if "$ref" in schema:
        found: Json = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        return found
    return schema


@pytest.mark.parametrize("kept", KEPT, ids=lambda path: path.stem)
def test_clients_go_on_working(kept: Path) -> None:
    assert [*breaks(json.loads(kept.read_text()), current())] == []


def test_a_contract_of_this_major_version_is_kept() -> None:
    major = current()["info"]["version"].partition(".")[0]
    assert any(path.stem.startswith(f"public-{major}.") for path in KEPT)


def _nearest(document: Json) -> Json:
    operation: Json = document["paths"]["/v1/havens/nearest"]["get"]
    return operation


def _schemas(document: Json) -> Json:
    schemas: Json = document["components"]["schemas"]
    return schemas


def _require(document: Json) -> None:
    for parameter in _nearest(document)["parameters"]:
        parameter["required"] = True


def _tighten(document: Json) -> None:
    (limit,) = (p for p in _nearest(document)["parameters"] if p["name"] == "limit")
    limit["schema"]["maximum"] = 10


def _forget_geojson(document: Json) -> None:
    answer = document["paths"]["/v1/havens"]["get"]["responses"]["200"]
    del answer["content"]["application/geo+json"]


PLANTED: dict[str, Callable[[Json], object]] = {
    "an operation is gone": lambda d: d["paths"].pop("/v1/help"),
    "a parameter is gone": lambda d: _nearest(d)["parameters"].pop(),
    "a parameter is required": _require,
    "a limit is tighter": _tighten,
    "a field is asked for": lambda d: _schemas(d)["NearestQuestion"]["required"].append("limit"),
    "a field is gone": lambda d: _schemas(d)["NearHaven"]["properties"].pop("phone"),
    "a field may be missing": lambda d: _schemas(d)["NearHaven"]["required"].remove("distance_m"),
    "another type": lambda d: _schemas(d)["Location"]["properties"]["lat"].update(type="string"),
    "a choice is gone": lambda d: _schemas(d)["Facility"]["enum"].remove("toilet"),
    "a form is gone": _forget_geojson,
}


@pytest.mark.parametrize("what", PLANTED)
def test_what_would_break_them_is_found(what: str) -> None:
    broken = copy.deepcopy(current())
    PLANTED[what](broken)
    assert [*breaks(current(), broken)] != []


def test_what_only_adds_breaks_nobody() -> None:
    richer = copy.deepcopy(current())
    _schemas(richer)["NearHaven"]["properties"]["noise"] = {"type": "string"}
    more = {"name": "quiet", "in": "query", "required": False, "schema": {"type": "boolean"}}
    _nearest(richer)["parameters"].append(more)
    richer["paths"]["/v1/more"] = {"get": {"responses": {}}}
    assert [*breaks(current(), richer)] == []
