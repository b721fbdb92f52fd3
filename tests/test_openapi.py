"""The published contract: drawn up from the code, and kept by the running service."""

import json
import shutil
from collections.abc import Iterator
from copy import deepcopy
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from jsonschema import Draft202012Validator, FormatChecker
from sqlalchemy import text

from app import openapi
from app.directory import examples
from app.geo import Point
from app.main import create_app
from app.venues.models import Facility
from tests.factories import utc
from tests.servers import add_venue, database, serving_directory, settings_for, until

PUBLISHED = Path(__file__).parent.parent / "openapi" / "public.json"
NEAREST = "/v1/havens/nearest"
HAVEN = f"/v1/havens/{examples.ONE['id']}"
GEOJSON = "application/geo+json"
PROBLEM = "application/problem+json"
NOT_PUBLISHED = {"/metrics", "/docs", "/docs/oauth2-redirect", "/openapi.json"}
Json = dict[str, Any]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    return create_app(settings_for(tmp_path_factory.mktemp("openapi")))


@pytest.fixture(scope="module")
def contract() -> Json:
    published: Json = json.loads(PUBLISHED.read_text())
    return published


def operations(contract: Json) -> list[tuple[str, str, Json]]:
    return [
        (path, method.upper(), operation)
        for path, item in contract["paths"].items()
        for method, operation in item.items()
    ]


def validator(contract: Json, schema: Json) -> Draft202012Validator:
    """Checks strictly: formats too, and nothing that the schema does not name."""
    document = deepcopy(contract)
    for model in document["components"]["schemas"].values():
        if model["type"] == "object":
            model.setdefault("additionalProperties", False)
    checker = FormatChecker()
    checker.checks("date-time", raises=ValueError)(_is_utc_instant)
    return Draft202012Validator(document | schema, format_checker=checker)


def _is_utc_instant(value: object) -> bool:
    # To the second, as the contract's text has it; without a library this would go unchecked.
    if isinstance(value, str):
        date.fromisoformat(value[:10])
        return len(value) == len("2026-11-27T23:30:00Z") and value[10] == "T" and value[-1] == "Z"
    return True


def _all(value: Any) -> Iterator[Any]:
    yield value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for each in inner:
        yield from _all(each)


# --- the document ----------------------------------------------------------------------------


def test_published_contract_is_the_code_s(app: FastAPI, tmp_path: Path) -> None:
    (fresh,) = openapi.write(app, tmp_path)
    assert fresh.name == PUBLISHED.name
    assert fresh.read_text() == PUBLISHED.read_text(), "make openapi, and look at what changed"


def test_the_service_serves_the_same(app: FastAPI, contract: Json) -> None:
    assert json.loads(json.dumps(app.openapi())) == contract


def test_it_is_the_same_each_time(app: FastAPI, tmp_path: Path) -> None:
    (first,) = openapi.write(app, tmp_path / "first")
    (second,) = openapi.write(app, tmp_path / "second")
    assert first.read_bytes() == second.read_bytes()
    assert first.read_bytes().endswith(b"}\n")


def test_every_route_is_published(app: FastAPI, contract: Json) -> None:
    routes = {
        (context.path, method)
        for context in iter_route_contexts(app.routes)
        for method in context.methods or ()
        if context.path not in NOT_PUBLISHED
    }
    published = {(path, method) for path, method, _ in operations(contract)}
    # HEAD is GET without the body.
    assert {route for route in routes if route[1] != "HEAD"} == published
    assert {path for path, method in routes if method == "HEAD"} <= {
        path for path, method in published if method == "GET"
    }


def test_it_is_openapi_3_1(contract: Json) -> None:
    assert contract["openapi"].startswith("3.1.")
    assert contract["info"]["version"]
    for model in contract["components"]["schemas"].values():
        Draft202012Validator.check_schema(model)
    names = set(contract["components"]["schemas"])
    references = {
        each["$ref"] for each in _all(contract) if isinstance(each, dict) and "$ref" in each
    }
    assert {ref.removeprefix("#/components/schemas/") for ref in references} <= names
    assert "HTTPValidationError" not in names
    assert None not in list(_all(contract)), "a schema that allows null, or an empty default"


def test_operations_are_told_apart_and_explained(contract: Json) -> None:
    known = {tag["name"] for tag in contract["tags"]}
    ids = [operation["operationId"] for _, _, operation in operations(contract)]
    assert sorted(ids) == [
        *("health_live", "health_ready", "nearest_havens", "nearest_havens_in_body"),
        *("one_haven", "whole_directory", "whom_to_call"),
    ]
    for _, _, operation in operations(contract):
        assert operation["summary"]
        assert operation["description"]
        assert set(operation["tags"]) <= known
        for parameter in operation.get("parameters", []):
            assert parameter["description"]
            assert parameter["schema"]
            assert parameter["required"] is (parameter["name"] in ("lat", "lon", "haven_id"))


def test_parameters_tell_their_bounds(contract: Json) -> None:
    asked = contract["paths"][NEAREST]["get"]["parameters"]
    assert [parameter["name"] for parameter in asked] == [
        *("lat", "lon", "limit", "at", "facilities", "step_free", "max_distance_m")
    ]
    schemas = {parameter["name"]: parameter["schema"] for parameter in asked}
    assert schemas["lat"] == {"type": "number", "minimum": -90, "maximum": 90}
    assert schemas["lon"] == {"type": "number", "minimum": -180, "maximum": 180}
    assert schemas["limit"] == {"type": "integer", "minimum": 1, "maximum": 50, "default": 5}
    assert schemas["at"] == {"type": "string", "format": "date-time"}
    assert schemas["max_distance_m"] == {"type": "number", "exclusiveMinimum": 0}
    facility = contract["components"]["schemas"]["Facility"]
    assert schemas["facilities"]["items"] == {"$ref": "#/components/schemas/Facility"}
    assert facility["enum"] == list(Facility)
    (of_body,) = contract["paths"][NEAREST]["post"]["requestBody"]["content"].values()
    body = contract["components"]["schemas"]["NearestQuestion"]
    assert of_body["schema"] == {"$ref": "#/components/schemas/NearestQuestion"}
    assert body["required"] == ["lat", "lon"]
    assert body["additionalProperties"] is False
    for name, schema in schemas.items():
        assert schema.items() <= body["properties"][name].items()


def test_every_answer_has_an_example_that_is_right(contract: Json) -> None:
    seen = set()
    for path, method, operation in operations(contract):
        for status, response in operation["responses"].items():
            assert response["description"] not in ("", "Successful Response")
            if status == "304":
                assert "content" not in response
                continue
            for media_type, content in response["content"].items():
                validator(contract, content["schema"]).validate(content["example"])
                assert None not in list(_all(content["example"]))
                seen.add((path, method, status, media_type))
                if media_type == PROBLEM:
                    assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
                    assert content["example"]["status"] == int(status)
                    assert content["example"]["title"] == response["description"]
        for content in operation.get("requestBody", {}).get("content", {}).values():
            validator(contract, content["schema"]).validate(content["example"])
    assert {status for _, _, status, _ in seen} == {"200", "404", "413", "415", "422", "503"}
    assert ("/v1/havens", "GET", "200", GEOJSON) in seen


def test_the_tag_of_the_directory_is_published(contract: Json) -> None:
    directory = contract["paths"]["/v1/havens"]["get"]
    assert [parameter["name"] for parameter in directory["parameters"]] == ["If-None-Match"]
    for status in ("200", "304"):
        assert "ETag" in directory["responses"][status]["headers"]


# --- the running service ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[httpx.Client]:
    """A service whose directory is the one of the examples."""
    folder = tmp_path_factory.mktemp("contract")
    url = f"sqlite:///{shutil.copyfile(sqlite_template, folder / 'havens.sqlite')}"
    with database(url) as engine, engine.execution_options(writes=True).begin() as writing:
        ward = {"id": "0" * 32, "code": "W", "name": examples.ONE["ward"], "boundary": "{}"}
        into = "INSERT INTO ward (id, code, name, boundary) VALUES (:id, :code, :name, :boundary)"
        writing.execute(text(into), ward)
    for haven in examples.WHOLE["havens"]:
        _add_example(url, haven)
    with database(url) as engine, engine.execution_options(writes=True).begin() as writing:
        writing.execute(text("UPDATE directory_state SET version = 42"))
    now = utc("2026-11-27T23:04:11")
    with serving_directory(folder / "data", url, lambda: now, environment="demo") as client:
        now = utc(examples.QUESTION["at"].removesuffix("Z"))
        until(lambda: client.get("/health/ready").json()["age_seconds"] == 0)
        yield client


def _add_example(url: str, haven: Json) -> None:
    same = ("name", "category", "address", "postcode", "facilities", "step_free")
    maybe = {name: haven[name] for name in ("phone", "entrance") if name in haven}
    add_venue(
        url,
        id=UUID(haven["id"]),
        demonstration=True,
        hours=haven["opening_hours"],
        location=Point(**haven["location"]),
        ward_id=UUID(int=0),
        safe_haven_until=date.fromisoformat(haven["schemes"][0]["until"]),
        **{name: haven[name] for name in same},
        **maybe,
    )


def test_the_examples_are_real_answers(live: httpx.Client, contract: Json) -> None:
    here = {name: examples.QUESTION[name] for name in ("lat", "lon")}
    answers = {
        "nearest_havens": live.get(NEAREST, params=here),
        "nearest_havens_in_body": live.post(NEAREST, json=examples.QUESTION),
        "whole_directory": live.get("/v1/havens"),
        "one_haven": live.get(HAVEN),
        "whom_to_call": live.get("/v1/help"),
        "health_live": live.get("/health/live"),
        "health_ready": live.get("/health/ready"),
    }
    for _, _, operation in operations(contract):
        content = operation["responses"]["200"]["content"]
        real = answers[operation["operationId"]]
        assert content["application/json"]["example"] == real.json(), operation["operationId"]
    of_directory = contract["paths"]["/v1/havens"]["get"]["responses"]["200"]["content"]
    real = live.get("/v1/havens", headers={"Accept": GEOJSON})
    assert of_directory[GEOJSON]["example"] == real.json()


HERE = {"lat": 51.5155, "lon": -0.0922}
REQUESTS: list[tuple[str, str, str, Json, int]] = [
    ("GET", NEAREST, NEAREST, {"params": HERE}, 200),
    ("GET", NEAREST, NEAREST, {"params": HERE | {"limit": 50, "facilities": "water,seat"}}, 200),
    ("GET", NEAREST, NEAREST, {"params": HERE | {"at": "2026-11-28T10:00:00Z"}}, 200),
    ("GET", NEAREST, NEAREST, {"params": {"lat": 0, "lon": 0, "max_distance_m": 1}}, 200),
    ("GET", NEAREST, NEAREST, {"params": HERE | {"at": "2026-12-04T23:30:00Z"}}, 200),
    ("GET", NEAREST, NEAREST, {}, 422),
    ("GET", NEAREST, NEAREST, {"params": HERE | {"limit": 0, "at": "x", "facilities": ""}}, 422),
    ("POST", NEAREST, NEAREST, {"json": HERE}, 200),
    ("POST", NEAREST, NEAREST, {"json": HERE | {"facilities": ["seat"], "limit": 1}}, 200),
    ("POST", NEAREST, NEAREST, {"json": []}, 422),
    ("POST", NEAREST, NEAREST, {"json": HERE | {"lat": "x"}}, 422),
    ("POST", NEAREST, NEAREST, {"content": "x"}, 415),
    ("POST", NEAREST, NEAREST, {"json": "x" * 70_000}, 413),
    ("GET", "/v1/havens", "/v1/havens", {}, 200),
    ("GET", "/v1/havens", "/v1/havens", {"headers": {"Accept": GEOJSON}}, 200),
    ("GET", "/v1/havens", "/v1/havens", {"headers": {"If-None-Match": "*"}}, 304),
    ("GET", "/v1/havens/{haven_id}", HAVEN, {}, 200),
    ("GET", "/v1/havens/{haven_id}", "/v1/havens/x", {}, 422),
    ("GET", "/v1/havens/{haven_id}", f"/v1/havens/{UUID(int=1)}", {}, 404),
    ("GET", "/v1/help", "/v1/help", {}, 200),
    ("GET", "/health/live", "/health/live", {}, 200),
    ("GET", "/health/ready", "/health/ready", {}, 200),
]
WITHOUT_DIRECTORY: list[tuple[str, str, str, Json, int]] = [
    ("GET", NEAREST, NEAREST, {"params": HERE}, 503),
    ("POST", NEAREST, NEAREST, {"json": HERE}, 503),
    ("GET", "/v1/havens", "/v1/havens", {}, 503),
    ("GET", "/v1/havens/{haven_id}", HAVEN, {}, 503),
    ("GET", "/health/ready", "/health/ready", {}, 503),
    ("GET", "/health/live", "/health/live", {}, 200),
    ("GET", "/v1/help", "/v1/help", {}, 200),
]


def check(contract: Json, client: httpx.Client, request: tuple[str, str, str, Json, int]) -> None:
    """Send a request, and hold the answer against what is published for its status and type."""
    method, path, sent_to, how, status = request
    answer = client.request(method, sent_to, **how)
    assert answer.status_code == status, answer.text
    published = contract["paths"][path][method.lower()]["responses"][str(status)]
    for header in published.get("headers", {}):
        assert header in answer.headers
    if status == 304:
        assert not answer.content
        return
    schema = published["content"][answer.headers["Content-Type"]]["schema"]
    body = answer.json()
    validator(contract, schema).validate(body)
    assert None not in list(_all(body))
    if answer.headers["Content-Type"] == PROBLEM:
        assert body["status"] == status


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda r: f"{r[0]} {r[2]} {r[3]}"[:70])
def test_answers_keep_the_contract(
    live: httpx.Client, contract: Json, request_: tuple[str, str, str, Json, int]
) -> None:
    check(contract, live, request_)


def test_every_published_answer_was_tried(contract: Json) -> None:
    tried = {
        (path, method, str(status)) for method, path, _, _, status in REQUESTS + WITHOUT_DIRECTORY
    }
    assert tried == {
        (path, method, status)
        for path, method, operation in operations(contract)
        for status in operation["responses"]
    }


def test_answers_without_a_directory_keep_the_contract(tmp_path: Path, contract: Json) -> None:
    nowhere = "postgresql+psycopg://nobody@/none?host=/nowhere"
    with serving_directory(tmp_path / "data", nowhere, is_ready=False) as client:
        for request in WITHOUT_DIRECTORY:
            check(contract, client, request)


@pytest.mark.parametrize("path", ["/nowhere", "/v1/havens/", NEAREST])
def test_wrong_addresses_and_methods_answer_with_problems(
    live: httpx.Client, contract: Json, path: str
) -> None:
    answer = live.delete(path)
    assert answer.status_code == (405 if path == NEAREST else 404)
    assert answer.headers["Content-Type"] == PROBLEM
    validator(contract, {"$ref": "#/components/schemas/Problem"}).validate(answer.json())
