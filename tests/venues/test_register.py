"""The register of venues over HTTP, on both databases."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import Engine

from tests.factories import LONDON, make_venue, make_ward
from tests.servers import client_of, until
from tests.sheets.register import import_fhrs, import_wards
from tests.venues.desk import BUSINESSES, VENUES, a_venue, change, create, problem

TOMORROW = (datetime.now(UTC) + timedelta(days=2)).date().isoformat()


HYGIENE = b"""{"establishments": [{
    "FHRSID": 1, "BusinessName": "Lantern", "BusinessType": "Pub/bar/nightclub",
    "geocode": {"longitude": "-0.089", "latitude": "51.5134"}
}]}"""


def _imported(officer: httpx.Client, engine: Engine) -> dict[str, Any]:
    """A prospect of an import."""
    import_fhrs(engine, HYGIENE)
    (prospect,) = officer.get(VENUES, params={"status": "prospect"}).json()["items"]
    shown: dict[str, Any] = officer.get(f"{VENUES}/{prospect['id']}").json()
    return shown


def _edit(officer: httpx.Client, venue: dict[str, Any], **changes: Any) -> httpx.Response:
    return change(officer, "PUT", f"{VENUES}/{venue['id']}", changes)


def _step(officer: httpx.Client, venue: dict[str, Any], step: str, **body: Any) -> httpx.Response:
    path = f"{VENUES}/{venue['id']}"
    return change(officer, "POST", f"{path}/{step}", body, of=path)


def test_a_venue_is_registered(officer: httpx.Client, engine: Engine) -> None:
    ward = make_ward(engine, code="E1", name="Cheap")
    business = create(officer, BUSINESSES, {"name": "Lantern Inns Ltd"})
    venue = create(
        officer,
        VENUES,
        a_venue(
            business_id=business["id"],
            postcode="ec2r8aj",
            facilities=["wifi", "water", "wifi"],
            opening_hours="Mo-Sa 11:00-23:00",
            licensed=True,
            refresh_months=6,
            conditions=[{"text": "All staff are trained twice a year.", "since": "2024-05-01"}],
        ),
    )
    venue.pop("id")
    assert venue == {
        "reference": "V-000001",
        "name": "The Lantern",
        "category": "pub",
        "status": "active",
        "demonstration": False,
        "business": {"id": business["id"], "name": "Lantern Inns Ltd"},
        "postcode": "EC2R 8AJ",
        "location": {"lat": 51.5134, "lon": -0.089},
        "ward": {"code": ward.code, "name": "Cheap"},
        "opening_hours": "Mo-Sa 11:00-23:00",
        "facilities": ["water", "wifi"],
        "step_free": "unknown",
        "licensed": True,
        "late_night": False,
        "refresh_months": 6,
        "conditions": [{"text": "All staff are trained twice a year.", "since": "2024-05-01"}],
    }


def test_a_likely_duplicate_is_shown_and_not_made(officer: httpx.Client) -> None:
    first = create(officer, VENUES, a_venue())
    second = a_venue(name="Lantern Bar", location={"lat": 51.5135, "lon": -0.0890})
    answer = officer.post(VENUES, json=second)
    assert problem(answer) == (409, "likely-duplicates")
    (found,) = answer.json()["errors"]
    assert found["field"] == "not_a_duplicate_of"
    assert found["venue"] | {"distance_m": 11} == found["venue"]
    assert found["venue"]["id"] == first["id"]
    asked: dict[str, Any] = {"name": "lantern", "lat": 51.5135, "lon": -0.089}
    shown = officer.get(f"{VENUES}/duplicates", params=asked).json()
    assert shown == {"candidates": [found["venue"]]}
    assert len(officer.get(VENUES).json()["items"]) == 1
    create(officer, VENUES, second | {"not_a_duplicate_of": [first["id"]]})


def test_what_is_no_duplicate(officer: httpx.Client) -> None:
    create(officer, VENUES, a_venue())
    create(officer, VENUES, a_venue(name="The Crown"))
    create(officer, VENUES, a_venue(location={"lat": 51.5154, "lon": -0.0890}))


def test_a_wrong_venue_is_refused(officer: httpx.Client) -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"name": " \t "}, "name"),
        ({"name": "a\0b"}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"category": "castle"}, "category"),
        ({"location": {"lat": 91, "lon": 0}}, "location.lat"),
        ({"location": None}, "location"),
        ({"location": {"lat": 0, "lon": 0}}, "location"),
        ({"postcode": "SW1"}, "postcode"),
        ({"postcode": "EC4N OZZ"}, "postcode"),
        ({"uprn": "12a"}, "uprn"),
        ({"refresh_months": 0}, "refresh_months"),
        ({"opening_hours": "9am to 5pm"}, "opening_hours"),
        ({"business_id": str(uuid4())}, "business_id"),
        ({"as_from": TOMORROW}, "as_from"),
        ({"as_from": 1_700_000_000}, "as_from"),
        ({"conditions": [{"text": ""}]}, "conditions.0.text"),
        ({"safe_haven_from": "2026-01-01"}, "safe_haven_from"),
        ({"status": "closed"}, "status"),
    ]
    for details, field in wrong:
        answer = officer.post(VENUES, json=a_venue(**details))
        assert problem(answer) == (422, "invalid")
        assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_an_edit_changes_what_is_given(officer: httpx.Client, engine: Engine) -> None:
    make_ward(engine, code="E1")
    business = create(officer, BUSINESSES, {"name": "Lantern Inns Ltd"})
    venue = create(
        officer, VENUES, a_venue(business_id=business["id"], phone="1", refresh_months=6)
    )
    edited = _edit(officer, venue, category="bar", entrance="Round the back").json()
    assert edited == venue | {"category": "bar", "entrance": "Round the back"}
    edited = _edit(officer, venue, business_id=None, phone="", refresh_months=None).json()
    assert not edited.keys() & {"business", "phone", "refresh_months"}
    moved = _edit(officer, venue, location={"lat": 51.53, "lon": -0.089}).json()
    assert "ward" not in moved
    assert officer.get(f"{VENUES}/{venue['id']}").json() == moved


def test_an_edit_needs_the_newest_state(officer: httpx.Client) -> None:
    venue = create(officer, VENUES, a_venue())
    path = f"{VENUES}/{venue['id']}"
    etag = officer.get(path).headers["ETag"]
    assert officer.put(path, json={"phone": "1"}).status_code == 428
    assert officer.put(path, json={"phone": "1"}, headers={"If-Match": etag}).status_code == 200
    assert officer.put(path, json={"phone": "2"}, headers={"If-Match": etag}).status_code == 412
    assert officer.get(path).json()["phone"] == "1"


def test_a_reference_belongs_to_one_venue(officer: httpx.Client) -> None:
    venue = create(officer, VENUES, a_venue(reference="V-000041"))
    other = create(officer, VENUES, a_venue(name="The Crown"))
    assert other["reference"] == "V-000042"
    assert problem(_edit(officer, other, reference="V-000041")) == (409, "reference-taken")
    taken = a_venue(name="The Bell", reference="V-000041")
    assert problem(officer.post(VENUES, json=taken)) == (409, "reference-taken")
    assert _edit(officer, venue, reference="V-000041").status_code == 200
    assert problem(_edit(officer, other, reference="v-000041")) == (409, "reference-taken")
    assert _edit(officer, venue, reference="v-000041").status_code == 200


def test_a_venue_is_put_only_where_it_can_be(officer: httpx.Client, engine: Engine) -> None:
    make_ward(engine)
    lost = make_venue(engine, lat=51.51, lon=0.09)
    shown = officer.get(f"{VENUES}/{lost.id}").json()
    assert _edit(officer, shown, phone="1", location=shown["location"]).status_code == 200
    for place in ({"lat": -0.089, "lon": 51.5134}, {"lat": 51.5134, "lon": 0.089}):
        refused = [
            officer.post(VENUES, json=a_venue(location=place)),
            _edit(officer, shown, location=place),
        ]
        for answer in refused:
            assert problem(answer) == (422, "invalid")
            (error,) = answer.json()["errors"]
            assert error["field"] == "location"
            assert error["message"].startswith("lies over 2000 m outside the wards: ")


def test_a_prospect_at_a_place_that_cannot_be_stays_one(
    officer: httpx.Client, engine: Engine
) -> None:
    prospect = _imported(officer, engine)
    elsewhere = {
        "type": "Polygon",
        "coordinates": [[[-0.1, 51.6], [-0.08, 51.6], [-0.08, 51.62], [-0.1, 51.6]]],
    }
    make_ward(engine, boundary=elsewhere)
    assert problem(_step(officer, prospect, "register")) == (422, "invalid")
    there = {"lat": 51.605, "lon": -0.085}
    venue = _step(officer, prospect, "register", location=there).json()
    assert (venue["status"], "ward" in venue) == ("active", True)


def test_facts_may_change_as_from_a_day(officer: httpx.Client) -> None:
    venue = create(officer, VENUES, a_venue(as_from="2025-01-01"))
    _edit(officer, venue, late_night=True, as_from="2025-10-01").raise_for_status()
    facts = officer.get(f"{VENUES}/{venue['id']}/facts").json()["items"]
    assert [(f["effective_at"], f["late_night"]) for f in facts] == [
        ("2025-09-30T23:00:00Z", True),
        ("2025-01-01T00:00:00Z", False),
    ]
    assert facts[0]["recorded_by"].startswith("account ")
    for wrong in ({"phone": "1", "as_from": "2025-10-01"}, {"licensed": True, "as_from": TOMORROW}):
        answer = _edit(officer, venue, **wrong)
        assert [error["field"] for error in answer.json()["errors"]] == ["as_from"]


def test_a_prospect_becomes_a_venue(officer: httpx.Client, engine: Engine) -> None:
    prospect = _imported(officer, engine)
    answer = officer.post(VENUES, json=a_venue())
    assert answer.json()["errors"][0]["venue"]["status"] == "prospect"
    venue = _step(officer, prospect, "register", name="The Lantern", opening_hours="24/7").json()
    changed = {
        "reference": "V-000001",
        "status": "active",
        "name": "The Lantern",
        "opening_hours": "24/7",
    }
    assert venue == prospect | changed
    assert problem(_step(officer, prospect, "register")) == (409, "not-a-prospect")


def test_an_import_leaves_what_was_registered_from_it(
    officer: httpx.Client, engine: Engine
) -> None:
    prospect = _imported(officer, engine)
    _step(officer, prospect, "register").raise_for_status()
    assert import_fhrs(engine, HYGIENE).skipped[0].reason == "is already registered"


def test_a_dismissed_prospect_comes_back_as_one(officer: httpx.Client, engine: Engine) -> None:
    prospect = _imported(officer, engine)
    _step(officer, prospect, "close", reason="Not interested").raise_for_status()
    assert _step(officer, prospect, "reopen").json() == prospect


def test_closing_ends_the_listing(officer: httpx.Client, engine: Engine) -> None:
    venue = make_venue(engine)
    public = f"/v1/havens/{venue.id}"
    until(lambda: officer.get(public).status_code == 200)
    shown = officer.get(f"{VENUES}/{venue.id}").json()
    closed = _step(officer, shown, "close", reason="It was sold").json()
    assert (closed["status"], closed["closed_reason"]) == ("closed", "It was sold")
    assert "2026-01-01" < closed["closed_on"] < TOMORROW
    until(lambda: officer.get(public).status_code == 404)
    assert problem(_step(officer, shown, "close", reason="Again")) == (409, "closed-already")
    assert problem(_step(officer, shown, "checked")) == (409, "not-active")
    reopened = _step(officer, shown, "reopen").json()
    assert reopened == shown
    assert problem(_step(officer, shown, "reopen")) == (409, "not-closed")
    until(lambda: officer.get(public).status_code == 200)


def test_closing_counts_from_its_day(officer: httpx.Client) -> None:
    venue = create(officer, VENUES, a_venue(as_from="2025-01-01"))
    closed = _step(officer, venue, "close", reason="It was sold", on="2025-06-01").json()
    assert closed["closed_on"] == "2025-06-01"
    _step(officer, venue, "reopen", on="2025-08-01").raise_for_status()
    facts = officer.get(f"{VENUES}/{venue['id']}/facts").json()["items"]
    assert [(f["effective_at"], f["status"]) for f in facts] == [
        ("2025-07-31T23:00:00Z", "active"),
        ("2025-05-31T23:00:00Z", "closed"),
        ("2025-01-01T00:00:00Z", "active"),
    ]
    wrong = _step(officer, venue, "close", reason="To come", on=TOMORROW)
    assert wrong.json()["errors"] == [{"field": "on", "message": "lies in the future"}]


def test_details_are_confirmed(officer: httpx.Client) -> None:
    venue = create(officer, VENUES, a_venue())
    assert _step(officer, venue, "checked", on="2026-01-31").json()["last_checked"] == "2026-01-31"
    assert _step(officer, venue, "checked").json()["last_checked"] > "2026-01-31"
    assert _step(officer, venue, "checked", on=TOMORROW).status_code == 422


@pytest.fixture
def listed(officer: httpx.Client, engine: Engine) -> httpx.Client:
    """An officer with four venues to search."""
    make_ward(engine, code="E1", name="Cheap")
    business = create(officer, BUSINESSES, {"name": "Lantern Inns Ltd"})
    for details in (
        {"name": "Émile's Café", "postcode": "EC2R 8AJ", "category": "cafe"},
        {"name": "The Lantern", "postcode": "EC2V 7HH", "licensed": True, "late_night": True},
        {"name": "O'Neill's", "postcode": "EC1A 1BB", "business_id": business["id"]},
        {"name": "100% Beer_House", "location": {"lat": 51.53, "lon": -0.1}, "licensed": True},
    ):
        create(officer, VENUES, a_venue(**details))
    return officer


def test_venues_are_found(listed: httpx.Client) -> None:
    cases: list[tuple[dict[str, str], list[str], str]] = [
        ({}, ["100% Beer_House", "Émile's Café", "O'Neill's", "The Lantern"], "by name"),
        ({"name": "EMILE"}, ["Émile's Café"], "without accents, in whatever case"),
        ({"name": "émiles café"}, ["Émile's Café"], "with them"),
        ({"name": "oneill"}, ["O'Neill's"], "without its apostrophe"),
        ({"text": "lantern"}, ["O'Neill's", "The Lantern"], "by its business's name, or its own"),
        ({"text": "ec2r8"}, ["Émile's Café"], "by its postcode"),
        ({"text": "v-000002"}, ["The Lantern"], "by its reference"),
        ({"text": "a_b"}, [], "by nothing that it has"),
        ({"headcount": "true"}, [], "with a headcount"),
        ({"headcount": "false", "name": "lan"}, ["The Lantern"], "without one"),
        ({"not_checked_since": "2026-01-31", "name": "lan"}, ["The Lantern"], "never checked"),
        ({"name": "antern"}, ["The Lantern"], "from its middle"),
        ({"name": "n%r"}, [], "a percent sign stands for nothing else"),
        ({"name": "beer_h"}, ["100% Beer_House"], "marks part words"),
        ({"postcode": "ec2"}, ["Émile's Café", "The Lantern"], "how the postcode begins"),
        ({"postcode": "EC2R8"}, ["Émile's Café"], "with its space or without"),
        ({"postcode": "8AJ"}, [], "not how it ends"),
        ({"ward": "E1"}, ["Émile's Café", "O'Neill's", "The Lantern"], "a ward's code"),
        ({"ward": "cheap"}, ["Émile's Café", "O'Neill's", "The Lantern"], "its name"),
        ({"category": "cafe"}, ["Émile's Café"], "a category"),
        ({"status": "closed"}, [], "a status"),
        ({"licensed": "true"}, ["100% Beer_House", "The Lantern"], "licensed"),
        ({"late_night": "false", "licensed": "true"}, ["100% Beer_House"], "both must hold"),
        ({"business": str(uuid4())}, [], "a business that runs nothing"),
    ]
    for asked, expected, reason in cases:
        items = listed.get(VENUES, params=asked).json()["items"]
        assert [item["name"] for item in items] == expected, reason


def test_venues_of_a_business_are_found(listed: httpx.Client) -> None:
    (business,) = listed.get(BUSINESSES).json()["items"]
    (venue,) = listed.get(VENUES, params={"business": business["id"]}).json()["items"]
    assert (venue["business"], venue["ward"]) == ("Lantern Inns Ltd", "Cheap")


def test_venues_come_in_pages(listed: httpx.Client) -> None:
    names: list[str] = []
    asked: dict[str, Any] | None = {"limit": 3}
    while asked:
        page = listed.get(VENUES, params=asked).json()
        names.append(", ".join(item["name"] for item in page["items"]))
        asked = asked | {"after": page["next"]} if "next" in page else None
    assert names == ["100% Beer_House, Émile's Café, O'Neill's", "The Lantern"]


def test_a_wrong_search_is_refused(officer: httpx.Client) -> None:
    bad = {"colour": "red", "after": "x", "limit": "0", "name": "a\0", "category": "x"}
    for wrong in ({name: value} for name, value in bad.items()):
        answer = officer.get(VENUES, params=wrong)
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json()["errors"]] == list(wrong)


def test_wards_are_listed(officer: httpx.Client, engine: Engine) -> None:
    make_ward(engine, code="E2", name="Bread Street")
    make_ward(engine, code="E1", name="Cheap")
    assert officer.get("/v1/admin/wards").json() == {
        "wards": [{"code": "E1", "name": "Cheap"}, {"code": "E2", "name": "Bread Street"}]
    }


def test_the_ward_of_a_venue_may_be_done_away_with(officer: httpx.Client, engine: Engine) -> None:
    make_ward(engine, code="E1", name="Cheap")
    venue = create(officer, VENUES, a_venue())
    corners = "[[-0.1,51.5],[-0.08,51.5],[-0.08,51.52],[-0.1,51.52],[-0.1,51.5]]"
    ward = f'"geometry":{{"type":"Polygon","coordinates":[{corners}]}}'
    named = '"type":"Feature","properties":{"code":"E2","name":"Bread Street"}'
    wards = f'{{"type":"FeatureCollection","features":[{{{named},{ward}}}]}}'
    import_wards(engine, wards.encode())
    assert officer.get(f"{VENUES}/{venue['id']}").json()["ward"]["code"] == "E2"
    assert len(officer.get(f"{VENUES}/{venue['id']}/facts").json()["items"]) == 2


def test_an_unknown_venue(officer: httpx.Client) -> None:
    for path in ("", "/hours", "/facts", "/contacts"):
        assert officer.get(f"{VENUES}/{uuid4()}{path}").status_code == 404
        assert officer.get(f"{VENUES}/x{path}").status_code == 422


def test_the_public_reads_none_of_it(officer: httpx.Client) -> None:
    with client_of(officer.base_url) as anybody:
        for path in (VENUES, BUSINESSES, "/v1/admin/wards", f"{VENUES}/{uuid4()}/contacts"):
            assert anybody.get(path).status_code == 401


def apart(name: str, number: int) -> dict[str, Any]:
    """A venue too far from the others to be taken for one of them."""
    return a_venue(name=name, location={"lat": 51.51 + number / 100, "lon": -0.09})


def today() -> str:
    return datetime.now(LONDON).date().isoformat()


def test_venues_are_found_by_standing_and_training(officer: httpx.Client) -> None:
    made = {name: create(officer, VENUES, apart(name, n)) for n, name in enumerate(("A", "B", "C"))}
    course = {"course": "wave", "on": today()}
    trained = {"venue_id": made["A"]["id"], "role": "manager", "new": 2, "refresher": 0}
    create(officer, "/v1/admin/training/sessions", course | {"attendances": [trained]})
    applied = {"scheme": "safe_haven", "kind": "applied"}
    create(officer, f"{VENUES}/{made['B']['id']}/decisions", applied)

    def found(**asked: str) -> list[str]:
        return [item["name"] for item in officer.get(VENUES, params=asked).json()["items"]]

    assert found(scheme="safe_haven", standing="applied") == ["B"]
    assert found(scheme="safe_haven", standing="none") == ["A", "C"]
    assert found(scheme="ask_for_angela", standing="applied") == []
    assert found(course="wave", training="current") == ["A"]
    assert found(course="wave", training="never") == ["B", "C"]
    assert found(course="wave", training="never", scheme="safe_haven", standing="none") == ["C"]
    assert found(course="bystander", training="current") == []
    for half in ({"scheme": "safe_haven"}, {"standing": "none"}, {"training": "due"}):
        assert officer.get(VENUES, params=half).status_code == 422
