"""The feed for Open Referral UK, against the profile's schemas and our own statement of them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from app.feeds import oruk
from app.feeds.terms import TAXONOMIES, TERMS
from tests.canaries import CANARIES, EMAIL, LAT, LON
from tests.feeds.conftest import FRIDAY_NIGHT, PUBLIC_URL
from tests.servers import add_venue, serving_directory

Json = dict[str, Any]

REQUIRED = {
    "service": {"id", "name", "status"},
    "service_at_location": {"id"},
    "location": {"id", "location_type"},
    "addresses": {
        *("id", "address_1", "city", "state_province"),
        *("postal_code", "country", "address_type"),
    },
    "organization": {"id", "name", "description"},
    "taxonomy": {"id", "name", "description"},
    "taxonomy_term": {"id", "name", "description"},
    "taxonomy_terms": {"id", "name", "description"},
    "schedules": {"id"},
    "attributes": {"id"},
    "accessibility": {"id"},
    "service_at_locations": {"id"},
}
"""What the profile asks for, by the name under which a thing stands."""

ENVELOPE = {
    *("total_items", "total_pages", "page_number", "size"),
    *("first_page", "last_page", "empty", "contents"),
}
LISTS = ("services", "service_at_locations", "taxonomies", "taxonomy_terms")
WHOLE = {
    "services": "service",
    "service_at_locations": "service_at_location",
    "taxonomies": "taxonomy",
    "taxonomy_terms": "taxonomy_term",
}
IN_LISTS = WHOLE | {
    "services": "service_list",
    "service_at_locations": "service_at_location_list",
}


def ask(client: httpx.Client, path: str, **parameters: Any) -> Json:
    response = client.get(f"/oruk{path}", params=parameters)
    assert response.status_code == 200, response.text
    document: Json = response.json()
    return document


def pages(client: httpx.Client, name: str, **parameters: Any) -> Iterator[Json]:
    """Every page of a list."""
    number = 1
    while True:
        page = ask(client, f"/{name}", page=number, **parameters)
        yield page
        if page["last_page"]:
            return
        number += 1


def contents(client: httpx.Client, name: str, **parameters: Any) -> list[Json]:
    return [item for page in pages(client, name, **parameters) for item in page["contents"]]


# --- what is wrong with a document -----------------------------------------------------------


def lacks(document: Any, name: str) -> Iterator[str]:
    """By our own statement: what is required and not there, and what is null."""
    if document is None:
        yield f"{name} is null"
    elif isinstance(document, list):
        for item in document:
            yield from lacks(item, name)
    elif isinstance(document, dict):
        if missing := REQUIRED.get(name, set()) - document.keys():
            yield f"{name} lacks {sorted(missing)}"
        for key, value in document.items():
            yield from lacks(value, key)


class Profile:
    """The compiled schemas of the profile: formats are checked, and nothing they don't name."""

    def __init__(self, folder: Path) -> None:
        schemas = {file.name: json.loads(file.read_text()) for file in folder.glob("*.json")}
        schemas.pop("openapi.json")
        for schema in schemas.values():
            _close(schema)
        registry: Registry[Any] = Registry().with_resources(
            (name, Resource.from_contents(schema, DRAFT202012)) for name, schema in schemas.items()
        )
        self._validators = {
            name.removesuffix(".json"): Draft202012Validator(
                schema, registry=registry, format_checker=FormatChecker()
            )
            for name, schema in schemas.items()
        }

    def wrong(self, document: Json, name: str) -> list[str]:
        return [error.message for error in self._validators[name].iter_errors(document)]


def _close(schema: Any) -> None:
    if isinstance(schema, dict):
        if isinstance(schema.get("properties"), dict):
            schema["additionalProperties"] = False
        for value in schema.values():
            _close(value)
    elif isinstance(schema, list):
        for value in schema:
            _close(value)


@pytest.fixture(scope="module")
def profile(real_data: Path) -> Profile:
    folder = real_data / "oruk"
    if not folder.is_dir():
        pytest.skip("there are no schemas of the profile here")
    return Profile(folder)


# --- the feed --------------------------------------------------------------------------------


def test_the_beginning_names_the_profile(demonstration: httpx.Client) -> None:
    assert ask(demonstration, "").keys() == {"version", "profile", "openapi_url"}
    assert ask(demonstration, "/") == ask(demonstration, "")


def test_each_haven_is_a_service(demonstration: httpx.Client) -> None:
    havens = {haven["id"]: haven for haven in demonstration.get("/v1/havens").json()["havens"]}
    services = {service["id"]: service for service in contents(demonstration, "services")}
    assert services.keys() == havens.keys()
    for key, service in services.items():
        assert service["name"] == havens[key]["name"]
        assert service["status"] == "active"
        assert service["alert"] == "demonstration data: not a real haven"
        assert service["description"].startswith("Demonstration data: not a real haven.")
        assert service["url"] == f"{PUBLIC_URL}/havens/{key}"
        assert service.get("assured_date") == havens[key].get("last_checked")


@pytest.mark.parametrize("name", LISTS)
def test_a_list_has_everything_just_once(demonstration: httpx.Client, name: str) -> None:
    whole = ask(demonstration, f"/{name}", per_page=500)
    found = [item["id"] for item in contents(demonstration, name, per_page=7)]
    assert [item["id"] for item in whole["contents"]] == found
    assert len(set(found)) == len(found) == whole["total_items"] > 2
    for page in pages(demonstration, name, per_page=7):
        assert page.keys() == ENVELOPE
        assert page["size"] == len(page["contents"])
        assert page["total_pages"] == -(-len(found) // 7)
        assert page["first_page"] == (page["page_number"] == 1)
        assert not page["empty"]
    beyond = ask(demonstration, f"/{name}", page=1000)
    assert (beyond["empty"], beyond["last_page"], beyond["contents"]) == (True, True, [])


def asked(client: httpx.Client) -> list[tuple[str, Json]]:
    """Every list with every parameter."""
    term, taxonomy = str(TERMS["pub"].id), str(next(iter(TAXONOMIES)))
    choices: list[Json] = [
        {},
        {"search": "lamp"},
        {"search": "nothing of this name"},
        {"taxonomy_term_id": term},
        {"taxonomy_term_id": str(uuid4())},
        {"taxonomy_id": taxonomy},
        {"minimum_age": 18},
        {"maximum_age": 16},
        {"day": "SA"},
        {"day": "Sunday", "start_time": "09:00", "end_time": "23:00"},
        {"start_time": "22:00:00"},
        {"end_time": "18:00"},
    ]
    postcode = client.get("/v1/havens").json()["havens"][0]["postcode"]
    near = [{"postcode": postcode}, {"postcode": postcode.lower(), "proximity": "250"}]
    return [
        *(("services", choice) for choice in choices),
        *(("service_at_locations", choice) for choice in choices + near),
        *((name, {}) for name in ("taxonomies", "taxonomy_terms")),
    ]


def everything(client: httpx.Client, step: int) -> Iterator[tuple[str, Json]]:
    """Every page of every list with every parameter, and one in so many of what is in them."""
    for name, parameters in asked(client):
        for page in pages(client, name, per_page=25, **parameters):
            yield from ((IN_LISTS[name], item) for item in page["contents"])
    for name in LISTS:
        for item in contents(client, name)[::step]:
            yield WHOLE[name], ask(client, f"/{name}/{item['id']}")


@pytest.fixture(scope="module")
def answers(demonstration: httpx.Client, drill: bool) -> list[tuple[str, Json]]:
    return [*everything(demonstration, 1 if drill else 9)]


def test_every_answer_has_what_the_profile_asks_for(answers: list[tuple[str, Json]]) -> None:
    for name, document in answers:
        assert [*lacks(document, name.removesuffix("_list"))] == []
    assert len(answers) > 400


def test_every_answer_is_valid_by_the_profile(
    answers: list[tuple[str, Json]], profile: Profile
) -> None:
    seen: set[str] = set()
    for name, document in answers:
        # Of what is in a list, alike in all of them, each is checked once.
        content = json.dumps(document)
        if content not in seen:
            assert profile.wrong(document, name) == []
            seen.add(content)
    assert len(seen) > 100


def faults(service: Json) -> Iterator[tuple[str, Json]]:
    """The service with one thing wrong each."""
    for field in ("id", "name", "status"):
        yield f"no {field}", {k: v for k, v in service.items() if k != field}
    yield "null", service | {"url": None}
    yield "no such property", service | {"opening_hours": "24/7"}
    yield "no such status", service | {"status": "open"}
    yield "no UUID", service | {"id": "DEMO-001"}
    location = service["service_at_locations"][0]["location"]
    for change in ({"latitude": "51.5"}, {"location_type": "pub"}, {"phone": "999"}):
        there = service["service_at_locations"][0] | {"location": location | change}
        yield str(change), service | {"service_at_locations": [there]}
    (address,) = location["addresses"]
    address = {k: v for k, v in address.items() if k != "state_province"}
    there = service["service_at_locations"][0] | {"location": location | {"addresses": [address]}}
    yield "no state_province", service | {"service_at_locations": [there]}
    yield (
        "a schedule that is none",
        service | {"schedules": [{"id": service["id"], "freq": "DAILY"}]},
    )


def test_planted_faults_are_found(demonstration: httpx.Client, profile: Profile) -> None:
    service = next(
        whole
        for item in contents(demonstration, "services")
        if (whole := ask(demonstration, f"/services/{item['id']}"))
        and "addresses" in whole["service_at_locations"][0]["location"]
    )
    assert profile.wrong(service, "service") == []
    planted = dict(faults(service))
    assert [name for name, fault in planted.items() if not profile.wrong(fault, "service")] == []
    by_ours = [name for name, fault in planted.items() if [*lacks(fault, "service")]]
    assert by_ours == ["no id", "no name", "no status", "null", "no state_province"]


def test_what_is_asked_for_is_what_comes(demonstration: httpx.Client) -> None:
    def found(**parameters: Any) -> set[str]:
        return {item["name"] for item in contents(demonstration, "services", **parameters)}

    assert found(search="brass her") == {"The Brass Heron"}
    assert found(search="toilet EC4Y") == {
        *("Cegin y Gŵyddau", "Club Zephyrine", "Barometer & Rye"),
        *("Nine Thimbles", "The Crooked Sextant", "Thimblefield Community Rooms"),
    }
    pubs = found(taxonomy_term_id=TERMS["pub"].id)
    assert "The Brass Heron" in pubs
    assert len(pubs) == 5
    assert found(taxonomy_id=TERMS["pub"].taxonomy.id) == found() == found(minimum_age=18)
    assert {"Cinderquay Taxi Marshals", "Club Zephyrine", "Underglow Vaults"} <= found(
        day="sat", start_time="21:00"
    )
    assert "Drizzle & Crumb" in found(day="SA", end_time="16:00") - found(day="SU")
    near = contents(
        demonstration, "service_at_locations", postcode="ec4y0zz", proximity="250", search="pub"
    )
    assert {item["service"]["name"] for item in near} == {"The Crooked Sextant"}


def test_what_is_at_a_place_and_what_it_is(demonstration: httpx.Client) -> None:
    (found,) = contents(demonstration, "service_at_locations", search="brass heron")
    whole = ask(demonstration, f"/service_at_locations/{found['id']}")
    service = ask(demonstration, f"/services/{found['service_id']}")
    assert whole["location"] == service["service_at_locations"][0]["location"]
    assert whole["location"]["addresses"][0]["postal_code"] == "EC1A 0ZZ"
    assert whole["location"]["accessibility"][0]["description"] == "Step-free access"
    assert whole["service"]["schedules"] == service["schedules"]
    assert {a["taxonomy_term"]["name"] for a in service["attributes"]} >= {"Pub", "First aid"}
    terms = {item["id"] for item in contents(demonstration, "taxonomy_terms")}
    assert {a["taxonomy_term_id"] for a in service["attributes"]} <= terms


def test_a_register_number_comes_where_it_is_held(sqlite_url: str, tmp_path: Path) -> None:
    haven = add_venue(sqlite_url, uprn="100021521456", hours=None)
    with serving_directory(tmp_path / "data", sqlite_url, lambda: FRIDAY_NIGHT) as client:
        service = ask(client, f"/services/{haven}")
        location = service["service_at_locations"][0]["location"]
        assert location["external_identifier"] == "100021521456"
        assert location["external_identifier_type"] == "UPRN"
        assert client.get(f"/v1/havens/{haven}").json()["uprn"] == "100021521456"
        # Nothing is known of its address, and no public address of ours.
        assert location.keys().isdisjoint({"addresses", "description"})
        assert service.keys().isdisjoint({"url", "alert", "assured_date"})
        assert not service["schedules"]


def test_wrong_questions_are_told_what_is_wrong(demonstration: httpx.Client) -> None:
    wrong = {
        "/services?page=0": "page",
        "/services?per_page=501": "per_page",
        "/services?day=someday": "day",
        "/services?start_time=25:00": "start_time",
        "/services?taxonomy_id=x": "taxonomy_id",
        "/services?postcode=EC4Y": "postcode",
        "/service_at_locations?proximity=100": "postcode",
        "/service_at_locations?proximity=100&postcode=ZZ9 9ZZ": "postcode",
        "/service_at_locations?proximity=nan&postcode=EC4Y 0ZZ": "proximity",
        "/taxonomies?search=x": "search",
        "/services/DEMO-001": "service_id",
    }
    for path, field in wrong.items():
        response = demonstration.get(f"/oruk{path}")
        assert response.status_code == 422, path
        assert [error["field"] for error in response.json()["errors"]] == [field], path
    for name in LISTS:
        assert demonstration.get(f"/oruk/{name}/{uuid4()}").status_code == 404


def test_it_is_told_once(demonstration: httpx.Client) -> None:
    first = demonstration.get("/oruk/services", headers={"Origin": "https://elsewhere.test"})
    assert first.headers["Access-Control-Allow-Origin"] == "*"
    again = demonstration.get("/oruk/services", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_nothing_that_was_sent_comes_back(demonstration: httpx.Client) -> None:
    names = ("search", "postcode", "proximity", "day", "start_time", "minimum_age", "page", "x")
    for path in ("services", "service_at_locations", "taxonomies", f"services/{LAT}"):
        for name in names:
            for canary in (LAT, EMAIL, f"{LAT},{LON}"):
                response = demonstration.get(f"/oruk/{path}", params={name: canary})
                assert response.status_code < 500
                assert not CANARIES.search(response.content), (path, name)


def test_ids_stay_the_same() -> None:
    """Others keep them, so what is published under one must never be something else."""
    haven = UUID("6f1c0c5e-2f6e-4d4b-9a57-0f7c3f1f2a10")
    assert str(oruk.location_id(haven)) == "ca49b424-2221-5351-881c-0f2be9972981"
    assert str(TERMS["pub"].id) == "b4403e3f-4d42-5395-9c27-f0f3b3d1a083"
