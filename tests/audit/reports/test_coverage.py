"""Coverage, its trend, what turned it, and its map: over HTTP, on both databases."""

from datetime import date
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import Engine

from app.schemes.models import Decision
from app.schemes.registry import SchemeKey
from app.schemes.rules import Kind
from app.training.courses import CourseKey, StaffRole
from app.training.models import Attendance, Headcount, TrainingSession
from app.venues.kinds import Category
from app.venues.models import VenueStatus
from tests.audit.records import add, add_venue, change_facts, morning_of
from tests.factories import make_ward

COVERAGE, TREND = "/v1/audit/coverage", "/v1/audit/trend"


def trained(
    engine: Engine, venue: UUID, on: date, new: int = 0, refresher: int = 0, **details: Any
) -> Attendance:
    """An attendance at a session of its own."""
    course = details.pop("course", CourseKey.WAVE)
    session = add(engine, TrainingSession, on, course=course, **details)
    return add(
        engine,
        Attendance,
        on,
        session_id=session.id,
        venue_id=venue,
        role=StaffRole.BAR_STAFF,
        new_count=new,
        refresher_count=refresher,
        **details,
    )


def declared(engine: Engine, venue: UUID, on: date, staff: int, left: int = 0) -> Headcount:
    return add(engine, Headcount, on, venue_id=venue, staff=staff, left=left)


def awarded(engine: Engine, venue: UUID, on: date, until: date, **details: Any) -> Decision:
    usual: dict[str, Any] = {"scheme": SchemeKey.SAFE_HAVEN, "kind": Kind.AWARDED}
    return add(engine, Decision, on, venue_id=venue, until=until, **usual | details)


def read(client: httpx.Client, path: str = COVERAGE, **asked: Any) -> Any:
    answer = client.get(path, params=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


def wave(rows: list[Any]) -> Any:
    (row,) = [row for row in rows if row["course"] == "wave"]
    return row


def test_an_empty_register(auditor: httpx.Client) -> None:
    shown = read(auditor)
    assert [row["course"] for row in shown["courses"]] == list(CourseKey)
    assert {row["venues"] for row in shown["courses"]} == {0}
    assert not any("coverage" in row or "rag" in row for row in shown["courses"])
    assert [(row["in_force"], row.get("share")) for row in shown["schemes"]] == [(0, None)] * 4
    assert shown["courses_by"] == shown["schemes_by"] == []
    assert len(read(auditor, TREND)["courses"]) == 24 * len(CourseKey)


def test_a_figure_and_all_that_it_stands_on(auditor: httpx.Client, engine: Engine) -> None:
    green, amber, red = (add_venue(engine) for _ in range(3))
    undeclared, nobody, idle = (add_venue(engine) for _ in range(3))
    closed = add_venue(engine, status=VenueStatus.CLOSED)
    for venue, staff in ((green, 4), (amber, 4), (red, 4), (nobody, 0), (idle, 8), (closed, 4)):
        declared(engine, venue.id, date(2025, 1, 10), staff)
    for venue, people in ((green, 3), (amber, 2), (red, 1), (undeclared, 5), (closed, 4)):
        trained(engine, venue.id, date(2025, 2, 1), people)
    row = wave(read(auditor, as_at="2025-03-31")["courses"])
    assert row == {
        "course": "wave",
        "venues": 6,
        "with_headcount": 5,
        "without_headcount": 1,
        "nobody": 1,
        "trained": 6,
        "headcount": 20,
        "coverage": 0.3,
        "rag": "red",
        "green": 1,
        "amber": 1,
        "red": 2,
        "trained_without_headcount": 5,
        "current": 4,
        "due": 0,
        "lapsed": 0,
        "never": 2,
    }
    # Two months before the training lapses it is due, and after that it has lapsed.
    assert wave(read(auditor, as_at="2025-12-20")["courses"])["due"] == 4
    assert wave(read(auditor, as_at="2026-02-01")["courses"])["lapsed"] == 4


def test_groups_and_filters(auditor: httpx.Client, engine: Engine) -> None:
    aldgate, tower = make_ward(engine, code="W-A", name="Aldgate"), make_ward(engine, code="W-T")
    make_ward(engine, code="W-Z", name="Empty")
    pub = add_venue(engine, ward_id=aldgate.id, licensed=True, late_night=True)
    hotel = add_venue(engine, ward_id=tower.id, category=Category.HOTEL, licensed=True)
    nowhere = add_venue(engine, category=Category.LIBRARY)
    for venue, people in ((pub, 1), (hotel, 2), (nowhere, 3)):
        declared(engine, venue.id, date(2025, 1, 1), 4)
        trained(engine, venue.id, date(2025, 2, 1), people)
    awarded(engine, pub.id, date(2025, 1, 1), date(2025, 12, 31))
    shown = read(auditor, as_at="2025-03-31")
    groups = [
        (row["by"], row["group"], row["name"], row["venues"], row["trained"])
        for row in shown["courses_by"]
        if row["course"] == "wave"
    ]
    assert groups == [
        ("ward", "", "outside the wards", 1, 3),
        ("ward", "W-A", "Aldgate", 1, 1),
        ("ward", "W-T", tower.name, 1, 2),
        ("ward", "W-Z", "Empty", 0, 0),
        ("category", "pub", "Pub", 1, 1),
        ("category", "hotel", "Hotel", 1, 2),
        ("category", "library", "Library", 1, 3),
        ("late_night", "yes", "Late-night", 1, 1),
        ("late_night", "no", "Not late-night", 2, 5),
    ]
    in_force = [
        (row["group"], row["in_force"])
        for row in shown["schemes_by"]
        if row["scheme"] == "safe_haven" and row["in_force"]
    ]
    assert in_force == [("W-A", 1), ("pub", 1), ("yes", 1)]
    for asked, people in (
        ({"ward": ["W-A", "W-T"]}, 3),
        ({"category": ["pub", "library"]}, 4),
        ({"licensed": "true"}, 3),
        ({"late_night": "false"}, 5),
        ({"ward": "W-A", "late_night": "false"}, 0),
    ):
        shown = read(auditor, as_at="2025-03-31", **asked)
        assert wave(shown["courses"])["trained"] == people, asked
    assert shown["about"]["filters"] == ["ward: Aldgate", "late night: no"]
    features = read(auditor, "/v1/audit/wards.geojson", as_at="2025-03-31")["features"]
    assert [(one["id"], wave(one["properties"]["courses"])["trained"]) for one in features] == [
        ("W-A", 1),
        ("W-T", 2),
        ("W-Z", 0),
    ]


def test_late_records_and_voided_ones(auditor: httpx.Client, engine: Engine) -> None:
    venue = add_venue(engine)
    declared(engine, venue.id, date(2025, 1, 1), 10)
    trained(engine, venue.id, date(2025, 3, 20), 4, known=date(2025, 4, 5))
    trained(engine, venue.id, date(2025, 3, 1), 2, voided=date(2025, 4, 20))
    awarded(engine, venue.id, date(2025, 3, 1), date(2026, 2, 28), known=date(2025, 4, 5))

    def figures(known: date) -> tuple[int, int]:
        shown = read(auditor, as_at="2025-03-31", known_at=morning_of(known))
        assert shown["about"]["known_at"].startswith(str(known))
        return wave(shown["courses"])["trained"], shown["schemes"][0]["in_force"]

    assert figures(date(2025, 4, 1)) == (2, 0)
    assert figures(date(2025, 4, 10)) == (6, 1)
    assert figures(date(2025, 4, 21)) == (4, 1)


def test_a_month_and_what_turned_it(auditor: httpx.Client, engine: Engine) -> None:
    steady, lapsing, leaving = (add_venue(engine) for _ in range(3))
    for venue in (steady, lapsing, leaving):
        declared(engine, venue.id, date(2024, 1, 1), 10)
        trained(engine, venue.id, date(2024, 3, 10), 6)
    trained(engine, steady.id, date(2025, 3, 1), refresher=6)
    late = trained(engine, lapsing.id, date(2025, 3, 5), 1, known=date(2025, 5, 2))
    change_facts(engine, leaving, date(2025, 3, 15), status=VenueStatus.CLOSED)
    shown = read(auditor, TREND, **{"from": "2025-01", "until": "2025-03"})
    months = [row for row in shown["courses"] if row["course"] == "wave"]
    assert [(row["day"], row["trained"], row["headcount"]) for row in months] == [
        ("2025-01-31", 18, 30),
        ("2025-02-28", 18, 30),
        ("2025-03-31", 7, 20),
    ]
    assert [row.get("change") for row in months] == [None, 0, pytest.approx(0.35 - 0.6)]

    asked = {"month": "2025-03", "course": "wave"}
    turned = read(auditor, f"{TREND}/turn", **asked)
    assert [row["trained"] for row in turned["totals"]] == [18, 7]
    moved = {
        row["reference"]: (
            *(row["trained_before"], row["trained_after"], row["lapsed"], row["events"]),
            row["counted_after"],
        )
        for row in turned["venues"]
    }
    assert moved == {
        steady.reference: (6, 6, 6, 1, True),
        lapsing.reference: (6, 1, 6, 1, True),
        leaving.reference: (6, 0, 6, 1, False),
    }
    assert [(e["on"], e["what"], e["details"]) for e in turned["events"]] == [
        ("2025-03-01", "attendance", "0 new, 6 again"),
        ("2025-03-05", "attendance", "1 new, 0 again"),
        ("2025-03-15", "facts", "closed pub"),
    ]
    assert turned["events"][1]["event_id"] == str(late.id)
    before = read(auditor, f"{TREND}/turn", **asked, known_at=morning_of(date(2025, 4, 1)))
    assert str(late.id) not in {event["event_id"] for event in before["events"]}
    elsewhere = read(auditor, f"{TREND}/turn", month="2025-03", course="bystander")
    assert [event["what"] for event in elsewhere["events"]] == ["facts"]


@pytest.mark.parametrize(
    ("path", "asked", "field"),
    [
        (COVERAGE, {"as_at": "2999-01-01"}, "as_at"),
        (COVERAGE, {"known_at": "2098-01-01T00:00:00Z"}, "known_at"),
        (COVERAGE, {"known_at": "2025-01-01T00:00:00"}, "known_at"),
        (COVERAGE, {"ward": "nowhere"}, "ward"),
        (COVERAGE, {"business": "0b8f6c1e-7f44-4c3e-8a55-2d1f9be0a7c3"}, "business"),
        (COVERAGE, {"format": "csv", "table": "nothing"}, "table"),
        (COVERAGE, {"as_off": "2025-01-01"}, "as_off"),
        (TREND, {"from": "2025-13"}, "from"),
        (TREND, {"from": "2025-03", "until": "2025-01"}, "from"),
        (TREND, {"from": "2005-01", "until": "2025-01"}, "from"),
        (TREND, {"until": "2099-01"}, "until"),
        (f"{TREND}/turn", {"month": "2025-01"}, "course"),
        (f"{TREND}/turn", {"month": "2099-01", "course": "wave"}, "month"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_can_not_be_asked(
    asking: httpx.Client, path: str, asked: dict[str, str], field: str
) -> None:
    answer = asking.get(path, params=asked)
    assert answer.status_code == 422
    assert field in [error["field"] for error in answer.json()["errors"]]
