"""Seasons, the whole register and who may do what, over HTTP on both databases."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID, uuid4

from httpx import Client

from app.core.db import read_session
from app.core.journal import Journal
from app.schemes.listing import listings
from tests.schemes.steps import add_pub, day, decide, findings, refused, standing_of, train

SEASON = {
    "scheme": "safety_thirst",
    "year": 2024,
    "name": "Safety Thirst 2024",
    "invitations_from": "2024-03-15",
    "assessments_from": "2024-04-01",
    "assessments_until": "2024-06-30",
    "ceremony_on": "2024-07-09",
}
AREAS = {"drink_spiking": "Drink spiking", "public_safety": "Public safety"}


def test_a_season_of_safety_thirst(
    officer: Client, licensing: Client, venue: UUID, journal: Journal
) -> None:
    made = officer.post("/v1/admin/seasons", json=SEASON | {"areas": AREAS})
    season = made.json()
    assert made.status_code == 201
    assert season["grades"] == ["commended", "highly_commended"], "the scheme's usual ones"
    scheme: dict[str, Any] = {"scheme": "safety_thirst", "season_id": season["id"]}

    errors = refused(decide(officer, venue, "applied", "safety_thirst"), 422, "invalid")
    assert errors == {"season_id": "is required in a scheme with seasons"}
    assert decide(officer, venue, "applied", on="2024-03-20", **scheme).status_code == 201

    found = [{"criterion": area, "met": True, "score": 80} for area in AREAS]
    assessments = f"/v1/admin/venues/{venue}/assessments"
    asked = scheme | {"on": "2024-05-02", "findings": found}
    unscored = [{"criterion": area, "met": True} for area in AREAS]
    errors = refused(
        licensing.post(assessments, json=asked | {"findings": unscored}), 422, "invalid"
    )
    assert errors["findings.1.score"] == "is required for an area of a season"
    assessed = licensing.post(assessments, json=asked)
    assert assessed.status_code == 201, assessed.text
    assert assessed.json()["findings"][0]["score"] == 80

    award = {"on": "2024-07-09", **scheme}
    errors = refused(decide(officer, venue, "awarded", grade="gold", **award), 422, "invalid")
    assert errors == {"grade": "must be one of commended, highly_commended"}
    awarded = decide(officer, venue, "awarded", grade="commended", **award).json()
    assert (awarded["certificate"], awarded["until"]) == ("ST-2024-0001", "2025-07-08")
    there = standing_of(officer, venue, "safety_thirst", on="2024-08-01")
    assert (there["state"], there["grade"]) == ("in_force", "commended")
    with read_session(journal.engine) as session:
        (shown,) = listings(session, (0, 1), datetime(2024, 8, 1, tzinfo=UTC))[venue.hex].schemes
        assert shown == {"scheme": "safety_thirst", "until": "2025-07-08", "grade": "commended"}
        assert listings(session, (0, 1), datetime(2025, 8, 1, tzinfo=UTC)) == {}


def test_the_assessment_of_another_season_does_not_count(officer: Client, venue: UUID) -> None:
    seasons = [
        officer.post("/v1/admin/seasons", json=SEASON | {"year": year, "areas": AREAS}).json()["id"]
        for year in (2024, 2025)
    ]
    found = [{"criterion": area, "met": True, "score": 80} for area in AREAS]
    more: dict[str, Any] = {"scheme": "safety_thirst", "season_id": seasons[0]}
    assert decide(officer, venue, "assessed", findings=found, **more).status_code == 201
    more |= {"season_id": seasons[1], "grade": "commended"}
    refused(decide(officer, venue, "awarded", **more), 409, "assessment-not-passed")


def test_seasons_are_planned_listed_and_changed(officer: Client, licensing: Client) -> None:
    season = officer.post("/v1/admin/seasons", json=SEASON).json()
    assert len(season["areas"]) == 8
    refused(officer.post("/v1/admin/seasons", json=SEASON), 409, "season-exists")
    errors = refused(
        officer.post("/v1/admin/seasons", json=SEASON | {"scheme": "safe_haven"}), 422, "invalid"
    )
    assert errors == {"scheme": "has no seasons"}
    backwards = SEASON | {"year": 2025, "assessments_until": "2024-03-31"}
    refused(officer.post("/v1/admin/seasons", json=backwards), 422, "invalid")
    officer.post("/v1/admin/seasons", json=SEASON | {"year": 2025})
    listed = licensing.get("/v1/admin/seasons", params={"scheme": "safety_thirst"}).json()
    assert [one["year"] for one in listed["items"]] == [2025, 2024]

    path = f"/v1/admin/seasons/{season['id']}"
    tag = officer.get(path).headers["ETag"]
    edited = {k: v for k, v in season.items() if k not in ("id", "scheme", "year")}
    edited |= {"grades": ["pass", "commended"]}
    changed = officer.put(path, json=edited, headers={"If-Match": tag})
    assert changed.json() == season | {"grades": ["pass", "commended"]}
    refused(officer.put(path, json=edited, headers={"If-Match": tag}), 412, "stale")
    refused(officer.get(f"/v1/admin/seasons/{uuid4()}"), 404, "not-found")


def test_accreditations_of_the_register(officer: Client, journal: Journal) -> None:
    ends = {"A": day(100), "B": day(20), "C": day(300), "D": day(-1)}
    pubs = {reference: add_pub(journal, reference) for reference in ends}
    for reference, pub in pubs.items():
        train(journal, pub, day(-90))
        made = decide(officer, pub, "awarded", "ask_for_angela", on=day(-80), until=ends[reference])
        assert made.status_code == 201, made.text
    decide(officer, pubs["D"], "applied", "safe_haven")
    signed = add_pub(journal, "E")
    decide(officer, signed, "awarded", "womens_night_safety_charter")
    decide(officer, signed, "suspended", "womens_night_safety_charter")

    def listed(**asked: str) -> list[tuple[str, str]]:
        items = officer.get("/v1/admin/accreditations", params=asked).json()["items"]
        return [(one["venue"]["reference"], one["state"]) for one in items]

    ended = [("D", "expired"), ("B", "in_force"), ("A", "in_force"), ("C", "in_force")]
    assert listed(scheme="ask_for_angela") == ended
    assert listed()[:4] == ended
    assert set(listed()[4:]) == {("D", "applied"), ("E", "suspended")}
    assert listed(state="suspended") == [("E", "suspended")]
    assert listed(state="expired") == [("D", "expired")]
    assert listed(expiring_before=day(100)) == [("B", "in_force")]
    assert listed(expiring_before=day(101), state="in_force", scheme="ask_for_angela") == ended[1:3]
    refused(officer.get("/v1/admin/accreditations", params={"state": "none"}), 422, "invalid")

    seen: list[tuple[str, str]] = []
    after: dict[str, str] = {}
    while True:
        answer = officer.get("/v1/admin/accreditations", params={"limit": 2, **after}).json()
        seen += [(one["venue"]["reference"], one["state"]) for one in answer["items"]]
        if "next" not in answer:
            break
        after = {"after": answer["next"]}
    assert seen == listed()


def test_the_schemes(licensing: Client) -> None:
    found = {one["key"]: one for one in licensing.get("/v1/admin/schemes").json()["items"]}
    assert found["safe_haven"]["months"] == 12
    assert len(found["safe_haven"]["criteria"]) == 8
    assert found["safety_thirst"]["seasonal"]
    assert "months" not in found["womens_night_safety_charter"]


EVERYBODY = {"officer", "licensing", "administrator"}
MAY = [
    ("GET", "schemes", EVERYBODY),
    ("GET", "venues/{venue}/decisions", EVERYBODY),
    ("POST", "venues/{venue}/decisions", {"officer"}),
    ("POST", "venues/{venue}/assessments", {"officer", "licensing"}),
    ("GET", "venues/{venue}/standing", EVERYBODY),
    ("GET", "decisions/{other}", EVERYBODY),
    ("POST", "decisions/{other}/void", {"officer"}),
    ("GET", "accreditations", EVERYBODY),
    ("GET", "seasons", EVERYBODY),
    ("POST", "seasons", {"officer"}),
    ("GET", "seasons/{other}", EVERYBODY),
    ("PUT", "seasons/{other}", {"officer"}),
]


def test_who_may(sign_in: Callable[..., Client], venue: UUID) -> None:
    people = {role: sign_in(role) for role in EVERYBODY}
    for method, path, allowed in MAY:
        address = "/v1/admin/" + path.format(venue=venue, other=uuid4())
        for role, person in people.items():
            answer = person.request(method, address, json={})
            assert (answer.status_code != 403) == (role in allowed), (method, path, role)
        nobody = people["officer"].request(method, address, headers={"Authorization": ""})
        assert nobody.status_code == 401, (method, path)


def test_licensing_assesses_safety_thirst_only(licensing: Client, venue: UUID) -> None:
    asked = {"scheme": "safe_haven", "findings": findings()}
    answer = licensing.post(f"/v1/admin/venues/{venue}/assessments", json=asked)
    assert refused(answer, 422, "invalid") == {"scheme": "is assessed by officers only"}


def test_days_are_londons(officer: Client, venue: UUID) -> None:
    made = decide(
        officer, venue, "awarded", "womens_night_safety_charter", on=date(2025, 7, 1).isoformat()
    ).json()
    assert (made["effective_at"], made["on"]) == ("2025-06-30T23:00:00Z", "2025-07-01")
