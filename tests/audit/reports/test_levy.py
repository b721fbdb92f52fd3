"""Who gets the levy's discount: on which days of a levy year, and who just misses it."""

from datetime import UTC, date, datetime
from io import BytesIO
from typing import Any

import httpx
from openpyxl import load_workbook
from sqlalchemy import Engine, insert

from app.schemes.models import Decision
from app.schemes.registry import SchemeKey
from app.venues.models import Business, Venue, VenueStatus
from tests.audit.records import add, add_venue, change_facts, morning_of
from tests.factories import make_ward

YEAR = {"year": "2024", "as_at": "2025-03-31"}
"""The levy year from 1 October 2024 on, half of it gone."""


def day(text: str) -> date:
    return date.fromisoformat(text)


def late(engine: Engine, since: str = "2020-01-01", **details: Any) -> Venue:
    """A venue that may sell alcohol late at night."""
    return add_venue(engine, day(since), licensed=True, late_night=True, **details)


def decide(engine: Engine, venue: Venue, kind: str, on: str, **details: Any) -> Decision:
    usual = {"venue_id": venue.id, "scheme": SchemeKey.SAFETY_THIRST, "kind": kind}
    return add(engine, Decision, day(on), **usual | details)


def award(engine: Engine, venue: Venue, on: str, until: str, **details: Any) -> Decision:
    return decide(engine, venue, "awarded", on, until=day(until), **details)


def read(auditor: httpx.Client, **asked: Any) -> Any:
    answer = auditor.get("/v1/audit/levy", params=YEAR | asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


def figures(shown: Any) -> dict[str, tuple[int, int]]:
    return {row["when"]: (row["paying"], row["holding"]) for row in shown["figures"]}


def periods(shown: Any) -> list[tuple[str, str]]:
    return [(row["first"], row["last"]) for row in shown["periods"]]


def misses(shown: Any) -> list[tuple[str, str, str, int]]:
    return [(row["on"], row["reason"], row["why"], row["days_off"]) for row in shown["misses"]]


def test_an_empty_register(auditor: httpx.Client) -> None:
    shown = read(auditor)
    assert figures(shown) == dict.fromkeys(
        ("first_day", "last_day", "any_day", "every_day"), (0, 0)
    )
    assert all("share" not in row for row in shown["figures"])
    assert (shown["holders"], shown["periods"], shown["misses"]) == ([], [], [])


def test_a_holder(auditor: httpx.Client, engine: Engine) -> None:
    business = Business(name="Lantern Taverns")
    with engine.execution_options(writes=True).begin() as connection:
        row = {"folded_name": "", "notes": "", "closed_reason": ""}
        connection.execute(insert(Business), row | {"id": business.id, "name": business.name})
    lantern = late(
        engine,
        reference="V-1",
        name="The Lantern",
        business_id=business.id,
        premises_licence="LN/0042",
    )
    late(engine, reference="V-2")
    award(
        engine, lantern, "2024-07-09", "2025-07-08", certificate="ST-2024-0007", grade="commended"
    )
    shown = read(auditor)
    assert figures(shown) == dict.fromkeys(
        ("first_day", "last_day", "any_day", "every_day"), (2, 1)
    )
    assert {row["share"] for row in shown["figures"]} == {0.5}
    assert [row.get("on") for row in shown["figures"]] == ["2024-10-01", "2025-03-31", None, None]
    at_venue = {
        "venue_id": str(lantern.id),
        "reference": "V-1",
        "name": "The Lantern",
        "business": "Lantern Taverns",
        "premises_licence": "LN/0042",
    }
    assert shown["holders"] == [
        at_venue
        | {"late_night_days": 182, "held_days": 182}
        | {"on_first_day": True, "on_last_day": True, "on_every_day": True}
    ]
    assert shown["periods"] == [
        at_venue
        | {"certificate": "ST-2024-0007", "grade": "commended"}
        | {"awarded_on": "2024-07-09", "until": "2025-07-08"}
        | {"first": "2024-10-01", "last": "2025-03-31"}
    ]
    assert shown["misses"] == [], "who has no award at all does not just miss"
    assert (shown["first"], shown["last"]) == ("2024-10-01", "2025-09-30")
    assert shown["counted_until"] == "2025-03-31"


EXPIRED = "expired: in force only until"
TOLD: list[tuple[str, str, list[str], list[tuple[str, str, str, int]]]] = [
    ("throughout", "awarded 2024-07-01 2025-06-30", ["10-01 03-31"], []),
    (
        "its last day is included",
        "awarded 2024-02-01 2025-01-31",
        ["10-01 01-31"],
        [("2025-03-31", "expired", f"{EXPIRED} 31 January 2025, 59 days before", 59)],
    ),
    (
        "by one day; the other day is too far off",
        "awarded 2023-10-01 2024-09-30",
        [],
        [("2024-10-01", "expired", f"{EXPIRED} 30 September 2024, 1 day before", 1)],
    ),
    ("93 days before", "awarded 2023-07-01 2024-06-30", [], []),
    (
        "92 days before",
        "awarded 2023-07-02 2024-07-01",
        [],
        [("2024-10-01", "expired", f"{EXPIRED} 1 July 2024, 92 days before", 92)],
    ),
    (
        "awarded a day too late",
        "awarded 2024-10-02 2025-10-01",
        ["10-02 03-31"],
        [("2024-10-01", "not_yet", "in force only from 2 October 2024, 1 day after", 1)],
    ),
    (
        "withdrawn",
        "awarded 2024-01-02 2025-01-01; withdrawn 2024-09-01",
        [],
        [
            (
                *("2024-10-01", "withdrawn"),
                *("withdrawn: in force only until 31 August 2024, 31 days before", 31),
            )
        ],
    ),
    (
        "suspended, later reinstated",
        "awarded 2024-07-01 2025-06-30; suspended 2024-09-01; reinstated 2025-03-01",
        ["03-01 03-31"],
        [("2024-10-01", "suspended", "suspended on 1 September 2024", 0)],
    ),
    (
        "suspended however long ago",
        "awarded 2024-07-01 2025-06-30; suspended 2024-12-01",
        ["10-01 11-30"],
        [("2025-03-31", "suspended", "suspended on 1 December 2024", 0)],
    ),
    (
        "suspended on the very day of the award",
        "awarded 2024-07-01 2025-06-30; suspended 2024-07-01",
        [],
        [
            ("2024-10-01", "suspended", "suspended on 1 July 2024", 0),
            ("2025-03-31", "suspended", "suspended on 1 July 2024", 0),
        ],
    ),
    (
        "two awards are two periods",
        "awarded 2023-12-01 2024-11-30; awarded 2024-12-01 2025-11-30",
        ["10-01 11-30", "12-01 03-31"],
        [],
    ),
    (
        "an application changes nothing",
        "awarded 2024-07-01 2025-06-30; applied 2024-12-01",
        ["10-01 03-31"],
        [],
    ),
    (
        "the nearer of two awards",
        "awarded 2023-09-21 2024-09-20; awarded 2024-10-05 2025-10-04",
        ["10-05 03-31"],
        [("2024-10-01", "not_yet", "in force only from 5 October 2024, 4 days after", 4)],
    ),
    ("what happens after as_at is not known", "awarded 2025-04-01 2026-03-31", [], []),
    ("never awarded", "applied 2024-09-01; refused 2024-09-20", [], []),
]


def test_days(auditor: httpx.Client, engine: Engine) -> None:
    for why, decisions, _, _ in TOLD:
        venue = late(engine, reference=why)
        for kind, on, *until in map(str.split, decisions.split(";")):
            decide(engine, venue, kind, on, until=day(until[0]) if until else None)
    shown = read(auditor)

    def of(why: str) -> dict[str, list[Any]]:
        tables = ("holders", "periods", "misses")
        return {table: [r for r in shown[table] if r["reference"] == why] for table in tables}

    for why, _, held, missed in TOLD:
        mine = of(why)
        assert [f"{first[5:]} {last[5:]}" for first, last in periods(mine)] == held, why
        assert misses(mine) == missed, why
        assert len(mine["holders"]) == bool(held), why
        for row in mine["holders"]:
            assert row["late_night_days"] == 182
            assert row["on_every_day"] is (row["held_days"] == 182), why
            assert row["on_first_day"] is held[0].startswith("10-01"), why
            assert row["on_last_day"] is held[-1].endswith("03-31"), why


def test_a_venue_that_becomes_late_night(auditor: httpx.Client, engine: Engine) -> None:
    venue = add_venue(engine, licensed=True, late_night=False)
    change_facts(engine, venue, day("2024-11-01"), licensed=True, late_night=True)
    award(engine, venue, "2024-07-01", "2025-06-30", certificate="ST-1")
    shown = read(auditor)
    assert figures(shown) == {
        "first_day": (0, 0),
        "last_day": (1, 1),
        "any_day": (1, 1),
        "every_day": (1, 1),
    }
    assert periods(shown) == [("2024-11-01", "2025-03-31")]
    why = "late-night only from 1 November 2024"
    assert misses(shown) == [("2024-10-01", "not_late_night", why, 31)]
    assert shown["misses"][0]["certificate"] == "ST-1"
    assert misses(read(auditor, near_days=30)) == []


def test_a_venue_that_is_late_night_no_more(auditor: httpx.Client, engine: Engine) -> None:
    venue = late(engine)
    change_facts(engine, venue, day("2025-03-01"), late_night=False)
    closing = late(engine)
    change_facts(engine, closing, day("2025-03-15"), status=VenueStatus.CLOSED)
    for one in (venue, closing):
        award(engine, one, "2024-07-01", "2025-02-28")
    shown = read(auditor)
    assert figures(shown)["last_day"] == (0, 0)
    assert figures(shown)["every_day"] == (2, 1)
    assert periods(shown) == [("2024-10-01", "2025-02-28")] * 2
    expired = "expired: in force only until 28 February 2025, 31 days before"
    assert {why for _, _, why, _ in misses(shown)} == {
        f"{expired}; late-night only until {last}" for last in ("28 February 2025", "14 March 2025")
    }


def test_only_late_night_venues_pay(auditor: httpx.Client, engine: Engine) -> None:
    for facts in ({"licensed": True}, {"late_night": True}, {"status": VenueStatus.PROSPECT}):
        never = {"licensed": False, "late_night": False} if "status" not in facts else {}
        usual = {"licensed": True, "late_night": True} | never
        award(engine, add_venue(engine, **usual | facts), "2024-07-01", "2025-06-30")
    shown = read(auditor)
    assert figures(shown)["any_day"] == (0, 0)
    assert (shown["holders"], shown["misses"]) == ([], [])


def test_other_schemes_do_not_count(auditor: httpx.Client, engine: Engine) -> None:
    award(engine, late(engine), "2024-07-01", "2025-06-30", scheme=SchemeKey.SAFE_HAVEN)
    assert figures(read(auditor))["any_day"] == (1, 0)


def test_the_filters_go_by_the_facts_of_each_day(auditor: httpx.Client, engine: Engine) -> None:
    old, new = (make_ward(engine, code=code) for code in ("W-OLD", "W-NEW"))
    venue = late(engine, ward_id=old.id)
    change_facts(engine, venue, day("2025-01-01"), ward_id=new.id)
    award(engine, venue, "2024-07-01", "2025-06-30")
    assert periods(read(auditor, ward="W-OLD")) == [("2024-10-01", "2024-12-31")]
    assert periods(read(auditor, ward="W-NEW")) == [("2025-01-01", "2025-03-31")]
    assert periods(read(auditor)) == [("2024-10-01", "2025-03-31")]
    assert figures(read(auditor, late_night=False))["any_day"] == (0, 0)


def test_what_was_recorded_late_or_voided(auditor: httpx.Client, engine: Engine) -> None:
    venue = late(engine, known=day("2024-09-15"))
    award(engine, venue, "2024-07-01", "2025-06-30", voided=day("2025-02-01"))
    award(engine, venue, "2024-12-01", "2025-11-30", known=day("2025-02-01"))
    change_facts(engine, venue, day("2024-11-01"), late_night=False, known=day("2025-03-10"))

    def known(text: str) -> list[tuple[str, str]]:
        return periods(read(auditor, as_at="2025-01-31", known_at=morning_of(day(text))))

    assert known("2024-09-14") == []
    assert known("2025-01-31") == [("2024-10-01", "2025-01-31")]
    assert known("2025-02-01") == [("2024-12-01", "2025-01-31")]
    assert known("2025-03-10") == []


def test_the_day_that_known_at_lies_in(auditor: httpx.Client, engine: Engine) -> None:
    venue = late(engine)
    award(engine, venue, "2024-07-01", "2025-06-30")
    noon = datetime(2025, 3, 31, 12, tzinfo=UTC)
    decide(engine, venue, "suspended", "2025-03-31", effective_at=noon)
    assert periods(read(auditor)) == [("2024-10-01", "2025-03-30")]
    before = read(auditor, known_at="2025-03-31T11:59:00Z")
    assert periods(before) == [("2024-10-01", "2025-03-31")]
    assert periods(read(auditor, known_at="2025-03-31T12:00:00Z")) == periods(read(auditor))


def test_which_year(auditor: httpx.Client) -> None:
    for asked, first, last, counted_until in (
        ({"as_at": "2024-09-30"}, "2023-10-01", "2024-09-30", "2024-09-30"),
        ({"as_at": "2024-10-01"}, "2024-10-01", "2025-09-30", "2024-10-01"),
        ({"as_at": "2024-12-31"}, "2024-10-01", "2025-09-30", "2024-12-31"),
        ({"as_at": "2025-12-31", "year": "2023"}, "2023-10-01", "2024-09-30", "2024-09-30"),
    ):
        shown = auditor.get("/v1/audit/levy", params=asked).json()
        assert (shown["first"], shown["last"], shown["counted_until"]) == (
            *(first, last),
            counted_until,
        )
        days = [row["on"] for row in shown["figures"] if "on" in row]
        assert days == [first, counted_until]


def test_what_can_not_be_asked(auditor: httpx.Client) -> None:
    for asked in (
        {"year": "2025", "as_at": "2025-09-30"},
        {"year": "1999"},
        {"year": "all"},
        {"near_days": "-1"},
        {"near_days": "367"},
    ):
        answer = auditor.get("/v1/audit/levy", params=asked)
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json()["errors"]] == [next(iter(asked))]


def test_as_files(auditor: httpx.Client, engine: Engine) -> None:
    award(engine, late(engine, reference="007"), "2024-10-02", "2025-06-30")
    for table, lines in (("figures", 5), ("holders", 2), ("periods", 2), ("misses", 2)):
        asked = YEAR | {"format": "csv", "table": table}
        answer = auditor.get("/v1/audit/levy", params=asked)
        assert answer.status_code == 200
        assert len(answer.text.splitlines()) == lines
        assert ("007" in answer.text) is (table != "figures")
    workbook = auditor.get("/v1/audit/levy", params=YEAR | {"format": "xlsx"})
    sheets = load_workbook(BytesIO(workbook.content)).sheetnames
    assert sheets == ["About", "Figures", "Holders", "Periods held", "Just missed"]
