"""Data quality: what each check finds, as at a day, as known at an instant."""

from datetime import date
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine

from app.audit.reports.quality import Check
from app.schemes.models import Decision
from app.schemes.registry import SchemeKey
from app.schemes.rules import Kind
from app.training.models import Headcount
from app.venues.kinds import Category
from app.venues.models import Business, Venue, VenueStatus
from tests.audit.records import add, add_venue, change_facts, morning_of, store
from tests.factories import award, make_ward

QUALITY = "/v1/audit/quality"
IN_MARCH = {"as_at": "2025-03-31"}
NORTH = 0.001
"""So many degrees are 111 m."""


def read(client: httpx.Client, **asked: Any) -> Any:
    answer = client.get(QUALITY, params=IN_MARCH | asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


def found(shown: Any, check: Check) -> tuple[int, list[tuple[str, str]]]:
    """At how many venues a check looked, and which it found."""
    (result,) = (row for row in shown["checks"] if row["check"] == check)
    rows = [row for row in shown["findings"] if row["check"] == check]
    assert result["found"] == len(rows)
    return result["of"], [(row["reference"], row["detail"]) for row in rows]


def test_an_empty_register(auditor: httpx.Client) -> None:
    shown = read(auditor)
    assert [row["check"] for row in shown["checks"]] == [*Check]
    assert {(row["found"], row["of"]) for row in shown["checks"]} == {(0, 0)}
    assert shown["findings"] == []


def test_headcounts(auditor: httpx.Client, engine: Engine) -> None:
    def declared(reference: str, *days: date, **details: Any) -> Venue:
        venue = add_venue(engine, reference=reference)
        for day in days:
            add(engine, Headcount, day, venue_id=venue.id, staff=9, left=0, **details)
        return venue

    declared("V-1")
    declared("V-2", date(2024, 3, 31))
    declared("V-3", date(2024, 4, 1))
    declared("V-4", date(2023, 1, 1), date(2025, 3, 31))
    declared("V-5", date(2025, 3, 20), known=date(2025, 4, 5))
    declared("V-6", date(2025, 3, 20), voided=date(2025, 4, 10))
    declared("V-7", date(2025, 4, 1))
    add_venue(engine, reference="V-8", status=VenueStatus.PROSPECT)
    never = "never declared"

    shown = read(auditor)
    missing = [("V-1", never), ("V-6", never), ("V-7", never)]
    assert found(shown, Check.HEADCOUNT_MISSING) == (7, missing)
    stale = [("V-2", "last declared on 2024-03-31")]
    assert found(shown, Check.HEADCOUNT_STALE) == (4, stale), "a year ago to the day is too long"

    known = read(auditor, known_at=morning_of(date(2025, 4, 1)))
    missing = [("V-1", never), ("V-5", never), ("V-7", never)]
    assert found(known, Check.HEADCOUNT_MISSING) == (7, missing)


def test_checks_by_officers(auditor: httpx.Client, engine: Engine) -> None:
    for reference, day in (
        *(("V-1", date(2024, 4, 1)), ("V-2", date(2024, 3, 31))),
        *(("V-3", None), ("V-4", date(2025, 5, 1))),
    ):
        add_venue(engine, reference=reference, last_checked=day)
    assert found(read(auditor), Check.NOT_CHECKED) == (
        4,
        [("V-3", "never checked"), ("V-2", "last checked on 2024-03-31")],
    )


def test_unknown_hours_and_listed_venues_first(auditor: httpx.Client, engine: Engine) -> None:
    add_venue(engine, reference="V-1", hours=None)
    listed = add_venue(engine, reference="V-2", hours=None)
    award(engine, listed.id, date(2025, 1, 1), date(2025, 12, 31))
    add_venue(engine, reference="V-3", hours="24/7")
    unknown = found(read(auditor), Check.HOURS_UNKNOWN)
    assert unknown == (3, [("V-2", "listed to the public"), ("V-1", "not listed")])
    add(
        engine,
        Decision,
        date(2025, 3, 1),
        venue_id=listed.id,
        scheme=SchemeKey.SAFE_HAVEN,
        kind=Kind.WITHDRAWN,
        known=date(2025, 4, 5),
    )
    none_listed = [("V-1", "not listed"), ("V-2", "not listed")]
    assert found(read(auditor), Check.HOURS_UNKNOWN) == (3, none_listed)
    known = read(auditor, known_at=morning_of(date(2025, 4, 1)))
    assert found(known, Check.HOURS_UNKNOWN) == unknown


def test_coordinates_outside_the_ward(auditor: httpx.Client, engine: Engine) -> None:
    add_venue(engine, reference="V-0")
    assert found(read(auditor), Check.OUTSIDE_WARD) == (0, []), "without wards nobody can say"
    here = make_ward(engine, code="W-1", name="Aldgate")
    square = [[0.0, 51.5], [0.1, 51.5], [0.1, 51.6], [0.0, 51.6], [0.0, 51.5]]
    there = make_ward(
        engine, code="W-2", name="Portsoken", boundary={"type": "Polygon", "coordinates": [square]}
    )
    add_venue(engine, reference="V-1", ward_id=here.id)
    moved = add_venue(engine, reference="V-2", ward_id=here.id)
    change_facts(engine, moved, date(2025, 3, 1), ward_id=there.id)
    add_venue(engine, reference="V-3", ward_id=there.id, lon=0.05, lat=51.55)
    add_venue(engine, reference="V-4", ward_id=here.id, lon=1.0)
    shown = read(auditor)
    assert found(shown, Check.OUTSIDE_WARD) == (
        5,
        [
            ("V-0", "counted in outside the wards, lies in Aldgate"),
            ("V-2", "counted in Portsoken, lies in Aldgate"),
            ("V-4", "counted in Aldgate, lies in outside the wards"),
        ],
    )
    before = found(read(auditor, as_at="2025-02-28"), Check.OUTSIDE_WARD)
    assert [reference for reference, _ in before[1]] == ["V-0", "V-4"]


def test_coordinates_far_from_the_postcode_area(auditor: httpx.Client, engine: Engine) -> None:
    for number in range(4):
        lat = 51.51 + number * NORTH
        add_venue(engine, reference=f"A-{number}", postcode="EC2V 7HH", lat=lat)
    far: dict[str, Any] = {"postcode": "ec2v7hh", "lat": 51.51 + 20 * NORTH}
    add_venue(engine, reference="A-4", postcode="EC2V 7HH", lat=51.51 + 9 * NORTH)
    for number in range(4):
        add_venue(engine, reference=f"B-{number}", postcode="EC3A 1AA", lat=51.4 + number)
    add_venue(engine, reference="C-0", postcode="")
    assert found(read(auditor), Check.FAR_FROM_POSTCODE) == (5, []), "four are too few to judge by"
    add_venue(engine, reference="A-5", **far)
    assert found(read(auditor), Check.FAR_FROM_POSTCODE) == (
        6,
        [("A-5", "1.9 km from the middle of EC2V")],
    )


def test_likely_duplicates(auditor: httpx.Client, engine: Engine) -> None:
    for number, (name, lat) in enumerate(
        [
            ("The Lantern", 51.51),
            ("Lantern Bar", 51.51 + NORTH),
            ("Lantern", 51.51 - 2 * NORTH),
            ("The Mitre", 51.51),
        ],
        1,
    ):
        add_venue(engine, reference=f"V-{number}", name=name, lat=lat)
    gone = add_venue(engine, reference="V-5", name="Mitre", lat=51.51)
    change_facts(engine, gone, date(2025, 3, 1), status=VenueStatus.CLOSED)
    assert found(read(auditor), Check.LIKELY_DUPLICATE) == (
        4,
        [("V-1", "like V-2 Lantern Bar, 111 m away"), ("V-2", "like V-1 The Lantern, 111 m away")],
    )
    before = read(auditor, as_at="2025-02-28")
    assert [r for r, _ in found(before, Check.LIKELY_DUPLICATE)[1]] == ["V-1", "V-2", "V-4", "V-5"]


def test_contradictions(auditor: httpx.Client, engine: Engine) -> None:
    business = store(engine, Business(name="Lantern Inns")).id
    run: dict[str, Any] = {"business_id": business, "licensed": True, "premises_licence": "LN/1"}
    add_venue(engine, reference="V-1", **run, late_night=True)
    add_venue(engine, reference="V-2", **run | {"business_id": None})
    add_venue(engine, reference="V-3", **run | {"premises_licence": ""})
    add_venue(engine, reference="V-4", **run | {"licensed": False}, late_night=True)
    add_venue(engine, reference="V-0", status=VenueStatus.PROSPECT)
    shown = read(auditor)
    nobody = [("V-2", "active"), ("V-0", "prospect")]
    assert found(shown, Check.NO_BUSINESS) == (5, nobody)
    assert found(shown, Check.NO_PREMISES_LICENCE) == (
        3,
        [("V-3", "licensed, without a premises licence number")],
    )
    assert found(shown, Check.LATE_NIGHT_NOT_LICENSED) == (
        2,
        [("V-4", "late-night, not licensed")],
    )


def test_the_facts_of_the_day_say_which_venues_are_looked_at(
    auditor: httpx.Client, engine: Engine
) -> None:
    ward = make_ward(engine, code="W-1")
    pub = add_venue(engine, ward_id=ward.id, licensed=True)
    add_venue(engine, category=Category.CAFE)
    add_venue(engine, date(2025, 4, 1))
    add_venue(engine, known=date(2025, 4, 5))
    late = change_facts(engine, pub, date(2025, 3, 1), licensed=False, known=date(2025, 4, 5))
    assert late.recorded_at > late.effective_at

    def looked_at(**asked: Any) -> int:
        return found(read(auditor, **asked), Check.HEADCOUNT_MISSING)[0]

    known = morning_of(date(2025, 4, 1))
    assert (looked_at(), looked_at(known_at=known)) == (3, 2)
    assert (looked_at(licensed=True), looked_at(licensed=True, known_at=known)) == (0, 1)
    assert (looked_at(category="cafe"), looked_at(ward="W-1"), looked_at(ward=[])) == (1, 1, 3)


@pytest.mark.parametrize(
    ("asked", "title"),
    [({}, "Check,What is looked for"), ({"table": "findings"}, "Check,Venue id,Reference")],
    ids=["checks", "findings"],
)
def test_as_a_file(auditor: httpx.Client, asked: dict[str, str], title: str) -> None:
    answer = auditor.get(QUALITY, params={"format": "csv", **asked})
    assert answer.status_code == 200
    assert answer.content.decode("utf-8-sig").startswith(title)
