"""The published contract: drawn up from the code, and kept by the running service."""

import json
import shutil
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from functools import cache
from inspect import signature
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import RouteContext, iter_route_contexts
from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.protocols import Validator
from sqlalchemy import text

from app import contract as openapi
from app.accounts.guards import Guard, visiting
from app.core.db import connected
from app.core.places import Point
from app.core.postcodes import Postcodes
from app.core.settings import Settings
from app.directory import examples
from app.http.conditional import register_of
from app.main import create_app
from app.venues.kinds import Facility
from app.web.pages import PageRoute
from tests.factories import utc
from tests.servers import add_venue, serving_directory, settings_for, until
from tests.walking.towns import grid, place

PUBLISHED = Path(__file__).parent.parent / "openapi"
NEAREST = "/v1/havens/nearest"
HAVEN = f"/v1/havens/{examples.ONE['id']}"
REPORTS = "/v1/havens/{haven_id}/problem-reports"
ROUTES = "/v1/havens/{haven_id}/route"
ADDRESS = "https://havens.example"
LEAFLET = "/print/leaflet.pdf"
POSTERS = "/print/poster/{haven_id}.pdf"
POSTER = f"/print/poster/{examples.ONE['id']}.pdf"
VERIFY = "/v1/verify/{code}"
GEOJSON = "application/geo+json"
PDF = "application/pdf"
OF_NO_SCHEMA = {PDF: b"%PDF-", "application/octet-stream": b"havens streets for phones "}
"""How what is no JSON begins."""

PROBLEM = "application/problem+json"
NOT_PUBLISHED = {"/metrics", "/docs", "/docs/{name}", "/static/{name}", "/openapi.json"}
NOT_OURS_TO_SAY = ("/oruk", "/ogc", "/published")
"""Where addresses begin whose contract is a standard of others, or which only our own hosts ask."""

Json = dict[str, Any]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    return create_app(settings_for(tmp_path_factory.mktemp("openapi")))


@pytest.fixture(scope="module")
def contract() -> Json:
    """What everybody may call."""
    return published("public.json")


@pytest.fixture(scope="module")
def full() -> Json:
    """That, and what those call who sign in."""
    return published("full.json")


@pytest.fixture(scope="module", params=["public.json", "full.json"])
def either(request: pytest.FixtureRequest) -> Json:
    """The one contract and then the other."""
    return published(request.param)


def published(name: str) -> Json:
    document: Json = json.loads((PUBLISHED / name).read_text())
    return document


def operations(contract: Json) -> list[tuple[str, str, Json]]:
    return [
        (path, method.upper(), operation)
        for path, item in contract["paths"].items()
        for method, operation in item.items()
    ]


def validator(contract: Json, schema: Json) -> Validator:
    """Checks strictly: formats too, and nothing that the schema does not name."""
    is_full = "securitySchemes" in contract["components"]
    return _strict("full.json" if is_full else "public.json").evolve(schema=schema)


@cache
def _strict(name: str) -> Draft202012Validator:
    document = published(name)
    for model in document["components"]["schemas"].values():
        if model["type"] == "object":
            model.setdefault("additionalProperties", False)
    checker = FormatChecker()
    checker.checks("date-time", raises=ValueError)(_is_utc_instant)
    return Draft202012Validator(document, format_checker=checker)


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


def test_the_published_contracts_are_the_code_s(app: FastAPI, tmp_path: Path) -> None:
    written = {path.name: path.read_text() for path in openapi.write(app, tmp_path)}
    kept = {path.name: path.read_text() for path in PUBLISHED.iterdir()}
    assert written == kept, "make openapi, and look at what changed"


def test_the_service_serves_the_full_one(app: FastAPI, full: Json) -> None:
    assert json.loads(json.dumps(app.openapi())) == full


def test_it_is_the_same_each_time(app: FastAPI, tmp_path: Path) -> None:
    first, second = (openapi.write(app, tmp_path / name) for name in ("first", "second"))
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()
        assert one.read_bytes().endswith(b"}\n")


def is_published(context: RouteContext) -> bool:
    """Whether the contract has to say it: pages, and what they are made of, are for people."""
    return not (
        context.path in NOT_PUBLISHED
        or str(context.path).startswith(NOT_OURS_TO_SAY)
        or isinstance(context.original_route, PageRoute)
    )


def test_every_route_is_published(app: FastAPI, full: Json) -> None:
    routes = {
        (context.path, method)
        for context in iter_route_contexts(app.routes)
        for method in context.methods or ()
        if is_published(context)
    }
    published = {(path, method) for path, method, _ in operations(full)}
    # HEAD is GET without the body.
    assert {route for route in routes if route[1] != "HEAD"} == published
    assert {path for path, method in routes if method == "HEAD"} <= {
        path for path, method in published if method == "GET"
    }


def test_what_is_public_is_told_alike_in_both(contract: Json, full: Json) -> None:
    for path, item in contract["paths"].items():
        assert full["paths"][path] == item
    for name, schema in contract["components"]["schemas"].items():
        assert full["components"]["schemas"][name] == schema
    for _, _, operation in operations(contract):
        assert "security" not in operation
    assert "securitySchemes" not in contract["components"]


def test_it_is_openapi_3_1(either: Json) -> None:
    assert either["openapi"].startswith("3.1.")
    assert either["info"]["version"]
    for model in either["components"]["schemas"].values():
        Draft202012Validator.check_schema(model)
    names = set(either["components"]["schemas"])
    references = {
        each["$ref"] for each in _all(either) if isinstance(each, dict) and "$ref" in each
    }
    assert {ref.removeprefix("#/components/schemas/") for ref in references} <= names
    assert "HTTPValidationError" not in names
    assert None not in list(_all(either)), "a schema that allows null, or an empty default"


def test_only_what_can_be_cleared_may_be_null(either: Json) -> None:
    nullable = {
        (name, field)
        for name, model in either["components"]["schemas"].items()
        for field, schema in model.get("properties", {}).items()
        if {"type": "null"} in list(_all(schema))
    }
    assert {field for _, field in nullable} <= {"business_id", "refresh_months"}
    assert {name for name, _ in nullable} <= {"VenueIn", "VenueEdit", "Registration"}


def test_the_public_operations_are_these(contract: Json) -> None:
    assert sorted(operation["operationId"] for _, _, operation in operations(contract)) == [
        *("all_postcodes", "all_streets", "all_wards", "directory_changes", "health_live"),
        *("health_ready", "nearest_havens", "nearest_havens_in_body", "one_haven"),
        *("print_leaflet", "print_poster", "report_problem", "route_to_haven"),
        *("route_to_haven_in_body", "verify", "whole_directory", "whom_to_call"),
    ]


def test_operations_are_told_apart_and_explained(either: Json) -> None:
    known = {tag["name"] for tag in either["tags"]}
    ids = [operation["operationId"] for _, _, operation in operations(either)]
    assert len(ids) == len(set(ids))
    for path, _, operation in operations(either):
        assert operation["summary"]
        assert operation["description"]
        assert len(set(operation["tags"]) & known) == 1
        for parameter in operation.get("parameters", []):
            assert parameter["description"]
            assert parameter["schema"]
            if parameter["in"] == "path":
                assert f"{{{parameter['name']}}}" in path
                assert parameter["required"]


def test_parameters_tell_their_bounds(contract: Json) -> None:
    asked = contract["paths"][NEAREST]["get"]["parameters"]
    required = [parameter["name"] for parameter in asked if parameter["required"]]
    assert required == ["lat", "lon"]
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


def examples_in(content: Json) -> list[Any]:
    several = content.get("examples", {}).values()
    return [example["value"] for example in several] or [content["example"]]


def test_every_answer_has_an_example_that_is_right(either: Json) -> None:
    seen = set()
    for path, method, operation in operations(either):
        for status, response in operation["responses"].items():
            assert response["description"] not in ("", "Successful Response")
            if status in ("204", "304"):
                assert "content" not in response
                continue
            for media_type, content in response["content"].items():
                seen.add((path, method, status, media_type))
                for example in examples_in(content):
                    check_example(either, content["schema"], example)
                    if media_type == PROBLEM:
                        assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
                        assert example["status"] == int(status)
                        assert example["title"] in response["description"]
        for content in operation.get("requestBody", {}).get("content", {}).values():
            for example in examples_in(content):
                check_example(either, content["schema"], example)
    assert ("/v1/havens", "GET", "200", GEOJSON) in seen


def check_example(contract: Json, schema: Json, example: Any) -> None:
    # The one error that tells more than which field is wrong: which venues are near.
    if "likely-duplicates" in str(example):
        Draft202012Validator(contract | schema).validate(example)
    else:
        validator(contract, schema).validate(example)
    # Something that nobody has thought of comes out empty.
    assert not {None, ""}.intersection(each for each in _all(example) if not _holds(each))


def _holds(value: Any) -> bool:
    return isinstance(value, dict | list)


ADDS_UP: list[Callable[..., bool]] = [
    lambda visited, passed, failed: visited == passed + failed,
    lambda visited, passed, rate: rate == round(passed / visited, 3),
    lambda venues, visited: venues <= visited,
    lambda failed, retests_done, retests_due, closed_before_retest: (
        failed == retests_done + retests_due + closed_before_retest
    ),
    lambda failed, debriefs_held, debriefs_due: failed >= debriefs_held + debriefs_due,
    lambda retests_due, retests_overdue: retests_overdue <= retests_due,
    lambda new, refresher, total: total == new + refresher,
    lambda new, refresher, people: people == new + refresher,
    lambda trained, headcount, coverage: coverage == round(trained / headcount, 4),
    lambda trained_before, headcount_before, coverage_before: (
        coverage_before == round(trained_before / headcount_before, 4)
    ),
    lambda coverage, coverage_before, change: change == round(coverage - coverage_before, 4),
    lambda coverage, rag: rag == ("red", "amber", "green")[(coverage >= 0.5) + (coverage >= 0.75)],
    lambda venues, with_headcount, without_headcount: venues == with_headcount + without_headcount,
    lambda with_headcount, green, amber, red, nobody: (
        with_headcount == green + amber + red + nobody
    ),
    lambda venues, without_headcount, green, amber, red, nobody: (
        venues == without_headcount + green + amber + red + nobody
    ),
    lambda venues, current, due, lapsed, never: venues == current + due + lapsed + never,
    lambda trained_before, trained_after, headcount_after: (
        max(trained_before, trained_after) <= headcount_after
    ),
    lambda in_force, suspended, expired, withdrawn, venues, share: (
        in_force + suspended + expired + withdrawn <= venues
        and share == round(in_force / venues, 4)
    ),
    lambda active, venues, share: share == round(active / venues, 4),
    lambda before, won, lost, in_force: in_force == before + won - lost,
    lambda engagements, all_, share: share == round(engagements / all_, 3),
    lambda number, before, change: change == number - before,
    lambda open_before, reported, resolved, open_: open_before + reported == resolved + open_,
    lambda found, of, share: share == round(found / of, 4),
    lambda holding, paying, share: share == round(holding / paying, 4),
    lambda held_days, late_night_days, on_every_day: on_every_day is (held_days == late_night_days),
    lambda engagements, by_kind: engagements == sum(row["engagements"] for row in by_kind),
    lambda trained, courses: trained["total"] == sum(row["trained"]["total"] for row in courses),
    lambda visited, passed, wards: (
        [visited, passed] == [sum(row[name] for row in wards) for name in ("visited", "passed")]
    ),
    lambda trained, attendances, course: (
        trained in (counts := people(attendances), counts["total"])
        and all(row["course"] == course for row in attendances)
    ),
    lambda headcount, headcounts: headcount == headcounts[-1]["staff"],
    # --- days: as ISO has them they compare as they are ---
    lambda from_, until: from_ <= until,
    lambda first, last: first <= last,
    lambda last, counted_until: counted_until <= last,
    lambda awarded_on, until: awarded_on <= until,
    lambda on, next_step_on: on <= next_step_on,
    lambda on, debrief_on: on <= debrief_on,
    lambda on, recorded_at: on <= recorded_at,
    lambda on, retest_by: days_between(on, retest_by) == 28,
    lambda on, resolved_on, days_to_resolve: days_between(on, resolved_on) == days_to_resolve,
    lambda invitations_from, assessments_from, assessments_until, ceremony_on: (
        invitations_from <= assessments_from <= assessments_until <= ceremony_on
    ),
    lambda about, items: (
        {days_between(about["as_at"], row["on"]) for row in items} == {row["days"] for row in items}
    ),
    lambda about, counted_until: about["as_at"] == counted_until,
    lambda issued_known_at, known_at: issued_known_at <= known_at,
]
"""What holds of whatever has all these fields, by the rules that the service counts by."""


def people(attendances: list[Json]) -> Json:
    """Those who took part, of whom in an example nobody has left or lapsed."""
    counts = {name: sum(row[name] for row in attendances) for name in ("new", "refresher")}
    return counts | {"total": sum(counts.values())}


def days_between(first: str, last: str) -> int:
    return (date.fromisoformat(last) - date.fromisoformat(first)).days


def test_the_figures_of_examples_add_up(full: Json) -> None:
    contents = [
        content
        for _, _, operation in operations(full)
        for answer in (operation.get("requestBody", {}), *operation["responses"].values())
        for content in answer.get("content", {}).values()
    ]
    shown = [
        {f"{name}_" if name in ("from", "all", "open") else name: v for name, v in part.items()}
        for content in contents
        for example in examples_in(content)
        for part in _all(example)
        if isinstance(part, dict)
    ]
    for rule in ADDS_UP:
        names = list(signature(rule).parameters)
        held = [part for part in shown if part.keys() >= set(names)]
        assert held, f"nothing has {names}"
        for part in held:
            assert rule(*(part[name] for name in names)), {name: part[name] for name in names}


def test_what_is_shown_to_be_sent_is_taken(app: FastAPI, full: Json) -> None:
    for context in iter_route_contexts(app.routes):
        field = getattr(context, "body_field", None)
        if not field or not is_published(context):
            continue
        for method in context.methods or ():
            operation = full["paths"][context.path][method.lower()]
            for content in operation["requestBody"]["content"].values():
                for example in examples_in(content):
                    _, errors = field.validate(example, {}, loc=("body",))
                    assert not errors, (context.path, errors)


# --- what follows from guards, changes and creates -------------------------------------------

AUTH = {
    ("POST", "/v1/auth/token"),
    ("POST", "/v1/auth/refresh"),
    ("POST", "/v1/auth/sign-out"),
    ("GET", "/v1/auth/me"),
    ("POST", "/v1/auth/password"),
    ("POST", "/v1/auth/second-factor"),
    ("POST", "/v1/auth/second-factor/confirm"),
    ("POST", "/v1/auth/second-factor/recovery-codes"),
    ("POST", "/v1/auth/sign-ins/{sign_in_id}/end"),
    ("POST", "/v1/admin/sign-ins/{sign_in_id}/end"),
}
"""What is done with one's own account, and what may be done twice without harm."""
SECURITY: list[Json] = [{"sign-in": []}]


def calls(dependant: Dependant) -> Iterator[Any]:
    for needed in dependant.dependencies:
        yield needed.call
        yield from calls(needed)


def codes(answer: Json) -> set[str]:
    return {body["type"].rpartition(":")[2] for body in examples_in(answer["content"][PROBLEM])}


def header(operation: Json, name: str) -> Json | None:
    found = (one for one in operation.get("parameters", []) if one["name"] == name)
    return next((one for one in found if one["in"] == "header"), None)


def test_every_guarded_operation_says_what_it_needs(app: FastAPI, full: Json) -> None:
    assert full["components"]["securitySchemes"]["sign-in"] == {
        "type": "oauth2",
        "flows": {"password": {"scopes": {}, "tokenUrl": "/v1/auth/token"}},
    }
    guarded = 0
    for context in iter_route_contexts(app.routes):
        if not is_published(context):
            continue
        needs = list(calls(context.dependant))
        for method in (context.methods or set()) - {"HEAD"}:
            operation = full["paths"][context.path][method.lower()]
            answers = operation["responses"]
            assert (operation.get("security") == SECURITY) is (visiting in needs)
            if visiting in needs:
                guarded += 1
                assert "unauthorized" in codes(answers["401"])
            if any(isinstance(need, Guard) for need in needs):
                assert codes(answers["403"]) >= {
                    "forbidden",
                    "password-is-temporary",
                    "second-factor-first",
                }
            else:
                assert "403" not in answers or codes(answers["403"]) == {"passwords-are-off"}
    assert guarded > 90


def test_every_change_says_of_what_state_it_is(full: Json) -> None:
    for path, method, operation in operations(full):
        answers = set(operation["responses"])
        # An import says itself what it found, and stops at what has changed.
        of_a_file = operation["tags"] == ["bulk"]
        if (method, path) in AUTH or of_a_file or "security" not in operation:
            continue
        if {"412", "428"} & answers:
            assert {"412", "428"} <= answers
            named = header(operation, "If-Match")
            assert named
            assert named["required"]
            assert "Idempotency-Key" not in str(operation["parameters"])
        elif "201" in answers:
            key = header(operation, "Idempotency-Key")
            assert key
            assert not key["required"]
            assert codes(operation["responses"]["422"]) >= {"invalid", "idempotency-key-reused"}
            assert set(operation["responses"]["201"]["headers"]) == {"ETag", "Location"}
        else:
            assert method == "GET" or path.endswith("/hours/preview"), f"{method} {path}"


def test_every_question_to_the_desk_has_a_tag(app: FastAPI, full: Json) -> None:
    for context in iter_route_contexts(app.routes):
        if not is_published(context) or "GET" not in (context.methods or ()):
            continue
        if register_of in calls(context.dependant):
            operation = full["paths"][context.path]["get"]
            assert "ETag" in operation["responses"]["200"]["headers"]
            assert "304" in operation["responses"]
            assert header(operation, "If-None-Match")


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
    with connected(url) as engine, engine.execution_options(writes=True).begin() as writing:
        [outline] = examples.WARDS["features"]
        boundary = json.dumps(outline["geometry"])
        ward = {"id": "0" * 32, **outline["properties"], "boundary": boundary}
        into = "INSERT INTO ward (id, code, name, boundary) VALUES (:id, :code, :name, :boundary)"
        writing.execute(text(into), ward)
    for haven in examples.WHOLE["havens"]:
        _add_example(url, haven, last=haven["schemes"][0]["until"])
    for haven in examples.WHOLE["upcoming"]:
        [listed] = haven["listed"]
        over = date.fromisoformat(listed["until"][:10])
        first = date.fromisoformat(listed["from"][:10])
        last = (over - timedelta(days=1)).isoformat()
        _add_example(url, haven, last=last, safe_haven_from=first)
    with connected(url) as engine, engine.execution_options(writes=True).begin() as writing:
        code = "INSERT INTO certificate_code (decision_id, code, made_at)"
        award = "SELECT id, :code, recorded_at FROM decision WHERE venue_id = :venue"
        venue = UUID(examples.ONE["id"]).hex
        writing.execute(text(f"{code} {award}"), {"code": "QF7K2MXP91TD", "venue": venue})
        writing.execute(text("UPDATE directory_state SET version = 42"))
    told = {k: v for k, v in examples.POSTCODES.items() if k not in ("per_degree", "districts")}
    places = {"EC2R 8AH": Point(51.51352, -0.08931), "EC2R 8AJ": Point(51.51341, -0.08907)}
    (folder / "data").mkdir()
    Postcodes(places, told).write(folder / "data")
    now = utc("2026-11-27T23:04:11")
    with serving_directory(
        folder / "data", url, lambda: now, environment="demo", public_url=ADDRESS
    ) as client:
        now = utc(examples.QUESTION["at"].removesuffix("Z"))
        until(lambda: client.get("/health/ready").json()["age_seconds"] == 0)
        yield client


def _add_example(url: str, haven: Json, *, last: str, **details: Any) -> None:
    same = ("name", "category", "address", "postcode", "facilities", "step_free")
    maybe = {name: haven[name] for name in ("phone", "entrance") if name in haven}
    add_venue(
        url,
        id=UUID(haven["id"]),
        demonstration=True,
        hours=haven["opening_hours"],
        location=Point(**haven["location"]),
        ward_id=UUID(int=0),
        safe_haven_until=date.fromisoformat(last),
        **{name: haven[name] for name in same},
        **maybe,
        **details,
    )


def test_the_examples_are_real_answers(live: httpx.Client, contract: Json) -> None:
    here = {name: examples.QUESTION[name] for name in ("lat", "lon")}
    answers = {
        "nearest_havens": live.get(NEAREST, params=here),
        "nearest_havens_in_body": live.post(NEAREST, json=examples.QUESTION),
        "whole_directory": live.get("/v1/havens"),
        "all_wards": live.get("/v1/wards"),
        "all_postcodes": live.get("/v1/postcodes"),
        "one_haven": live.get(HAVEN),
        "whom_to_call": live.get("/v1/help"),
        "health_live": live.get("/health/live"),
        "health_ready": live.get("/health/ready"),
        "verify": live.get("/v1/verify/QF7K-2MXP-91TD"),
    }
    for _, _, operation in operations(contract):
        if operation["operationId"] not in answers:
            # The example of changes shows some, and the first answer is the whole. There are no
            # streets here: the example of `nearest` is of who has none.
            others = ("report_problem", "print_leaflet", "print_poster", "directory_changes")
            on_foot = ("all_streets", "route_to_haven", "route_to_haven_in_body")
            assert operation["operationId"] in (*others, *on_foot)
            continue
        content = operation["responses"]["200"]["content"]
        real = answers[operation["operationId"]]
        media_type = real.headers["Content-Type"]
        assert content[media_type]["example"] == real.json(), operation["operationId"]
    of_directory = contract["paths"]["/v1/havens"]["get"]["responses"]["200"]["content"]
    real = live.get("/v1/havens", headers={"Accept": GEOJSON})
    assert of_directory[GEOJSON]["example"] == real.json()


HERE = {"lat": 51.5155, "lon": -0.0922}
IN_TOWN = dict(zip(("from_lat", "from_lon"), place(130, 10), strict=True))
FROM_HERE = {f"from_{name}": degrees for name, degrees in HERE.items()}
COMPRESSED = {"Content-Encoding": "gzip"}
REQUESTS: list[tuple[str, str, str, Json, int]] = [
    ("GET", NEAREST, NEAREST, {"params": HERE}, 200),
    ("GET", NEAREST, NEAREST, {"params": HERE | {"limit": 50, "facilities": "water,seat"}}, 200),
    ("GET", NEAREST, NEAREST, {"params": HERE | {"at": "2026-11-28T10:00:00Z"}}, 200),
    ("GET", NEAREST, NEAREST, {"params": {"lat": 0, "lon": 0, "max_distance_m": 1}}, 200),
    ("GET", NEAREST, NEAREST, {"params": HERE | {"at": "2026-12-04T23:30:00Z"}}, 200),
    ("GET", NEAREST, NEAREST, {}, 422),
    ("GET", NEAREST, NEAREST, {"params": HERE | {"limit": 0, "at": "x", "facilities": "x"}}, 422),
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
    ("POST", REPORTS, f"{HAVEN}/problem-reports", {"json": {"kind": "closed"}}, 202),
    ("POST", REPORTS, f"{HAVEN}/problem-reports", {"json": {"kind": "nonsense"}}, 422),
    ("POST", REPORTS, f"{HAVEN}/problem-reports", {"json": "x" * 70_000}, 413),
    ("POST", REPORTS, f"{HAVEN}/problem-reports", {"json": {}, "headers": COMPRESSED}, 415),
    (
        "POST",
        REPORTS,
        f"/v1/havens/{UUID(int=1)}/problem-reports",
        {"json": {"kind": "closed"}},
        404,
    ),
    ("GET", ROUTES, f"{HAVEN}/route", {"params": FROM_HERE}, 404),
    ("GET", ROUTES, f"{HAVEN}/route", {}, 422),
    ("POST", ROUTES, f"{HAVEN}/route", {"json": FROM_HERE}, 404),
    ("POST", ROUTES, f"{HAVEN}/route", {"json": {"from_lat": "x"}}, 422),
    ("POST", ROUTES, f"{HAVEN}/route", {"content": "x"}, 415),
    ("POST", ROUTES, f"{HAVEN}/route", {"json": "x" * 70_000}, 413),
    ("GET", "/v1/changes", "/v1/changes", {}, 200),
    ("GET", "/v1/changes", "/v1/changes", {"headers": {"If-None-Match": "*"}}, 304),
    ("GET", "/v1/changes", "/v1/changes?wait=31", {}, 422),
    ("GET", "/v1/wards", "/v1/wards", {}, 200),
    ("GET", "/v1/wards", "/v1/wards", {"headers": {"If-None-Match": "*"}}, 304),
    ("GET", "/v1/postcodes", "/v1/postcodes", {}, 200),
    ("GET", "/v1/postcodes", "/v1/postcodes", {"headers": {"If-None-Match": "*"}}, 304),
    ("GET", "/v1/streets", "/v1/streets", {}, 404),
    ("GET", "/v1/help", "/v1/help", {}, 200),
    ("GET", LEAFLET, LEAFLET, {}, 200),
    ("GET", LEAFLET, LEAFLET, {"params": {"size": "a5", "lang": "pl"}}, 200),
    ("GET", LEAFLET, LEAFLET, {"headers": {"If-None-Match": "*"}}, 304),
    ("GET", LEAFLET, LEAFLET, {"params": {"size": "a3"}}, 422),
    ("GET", POSTERS, POSTER, {}, 200),
    ("GET", POSTERS, POSTER, {"headers": {"If-None-Match": "*"}}, 304),
    ("GET", POSTERS, f"/print/poster/{UUID(int=1)}.pdf", {}, 404),
    ("GET", POSTERS, "/print/poster/x.pdf", {}, 422),
    ("GET", VERIFY, "/v1/verify/QF7K-2MXP-91TD", {}, 200),
    ("GET", VERIFY, "/v1/verify/QF7K-2MXP-91TE", {}, 200),
    ("GET", VERIFY, f"/v1/verify/{'Q' * 101}", {}, 422),
    ("GET", "/health/live", "/health/live", {}, 200),
    ("GET", "/health/ready", "/health/ready", {}, 200),
]
TOO_MANY: tuple[str, str, str, Json, int] = (
    *("POST", REPORTS, f"{HAVEN}/problem-reports", {"json": {"kind": "closed"}}, 429),
)
WITHOUT_ADDRESS: tuple[str, str, str, Json, int] = ("GET", POSTERS, POSTER, {}, 409)
WITH_STREETS: list[tuple[str, str, str, Json, int]] = [
    ("GET", "/v1/streets", "/v1/streets", {}, 200),
    ("GET", "/v1/streets", "/v1/streets", {"headers": {"If-None-Match": "*"}}, 304),
    ("GET", ROUTES, f"{HAVEN}/route", {"params": IN_TOWN}, 200),
    ("POST", ROUTES, f"{HAVEN}/route", {"json": IN_TOWN}, 200),
]
WITHOUT_DIRECTORY: list[tuple[str, str, str, Json, int]] = [
    ("GET", NEAREST, NEAREST, {"params": HERE}, 503),
    ("POST", NEAREST, NEAREST, {"json": HERE}, 503),
    ("GET", "/v1/havens", "/v1/havens", {}, 503),
    ("GET", "/v1/changes", "/v1/changes", {}, 503),
    ("GET", "/v1/wards", "/v1/wards", {}, 503),
    ("GET", "/v1/postcodes", "/v1/postcodes", {}, 404),
    ("GET", "/v1/havens/{haven_id}", HAVEN, {}, 503),
    ("POST", REPORTS, f"{HAVEN}/problem-reports", {"json": {"kind": "closed"}}, 503),
    ("GET", ROUTES, f"{HAVEN}/route", {"params": FROM_HERE}, 503),
    ("POST", ROUTES, f"{HAVEN}/route", {"json": FROM_HERE}, 503),
    ("GET", LEAFLET, LEAFLET, {}, 503),
    ("GET", POSTERS, POSTER, {}, 503),
    ("GET", VERIFY, "/v1/verify/QF7K-2MXP-91TD", {}, 503),
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
    if begins := OF_NO_SCHEMA.get(answer.headers["Content-Type"]):
        assert answer.content.startswith(begins)
        return
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


def test_more_reports_than_are_kept_are_answered_by_the_contract(
    live: httpx.Client, contract: Json
) -> None:
    _, _, path, how, status = TOO_MANY
    most = Settings.model_fields["reports_per_day"].default
    until(lambda: live.post(path, **how).status_code == status, most)
    check(contract, live, TOO_MANY)


def test_every_published_answer_was_tried(contract: Json) -> None:
    tried = {
        (path, method, str(status))
        for asked in (REQUESTS, WITH_STREETS, WITHOUT_DIRECTORY, [WITHOUT_ADDRESS, TOO_MANY])
        for method, path, _, _, status in asked
    }
    # For a way there must be streets, and here are none: `directory/test_on_foot.py` has some, and
    # holds every way to its model.
    tried |= {(ROUTES, "GET", "200"), (ROUTES, "POST", "200")}
    assert tried == {
        (path, method, status)
        for path, method, operation in operations(contract)
        for status in operation["responses"]
    }


def test_answers_of_who_has_streets_keep_the_contract(
    tmp_path: Path, sqlite_url: str, contract: Json
) -> None:
    lat, lon = place(300, 220)
    add_venue(sqlite_url, id=UUID(examples.ONE["id"]), location=Point(lat, lon))
    grid().streets(tmp_path)
    with serving_directory(tmp_path, sqlite_url) as client:
        until(lambda: "streets" in client.get("/v1/havens").json()["directory"])
        for request in WITH_STREETS:
            check(contract, client, request)


def test_answers_without_a_directory_keep_the_contract(tmp_path: Path, contract: Json) -> None:
    nowhere = "postgresql+psycopg://nobody@/none?host=/nowhere"
    data = tmp_path / "data"
    with serving_directory(data, nowhere, public_url=ADDRESS, is_ready=False) as client:
        for request in WITHOUT_DIRECTORY:
            check(contract, client, request)
    with serving_directory(data, nowhere, is_ready=False) as client:
        check(contract, client, WITHOUT_ADDRESS)


@pytest.mark.parametrize("path", ["/nowhere", "/v1//havens", NEAREST])
def test_wrong_addresses_and_methods_answer_with_problems(
    live: httpx.Client, contract: Json, path: str
) -> None:
    answer = live.delete(path)
    assert answer.status_code == (405 if path == NEAREST else 404)
    assert answer.headers["Content-Type"] == PROBLEM
    validator(contract, {"$ref": "#/components/schemas/Problem"}).validate(answer.json())
