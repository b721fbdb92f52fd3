"""The venue CSV: what it stores, what it refuses, and that it does so wholly or not at all."""

import csv
import io
import shutil
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlmodel import select

from app.core.db import connected, read_session
from app.core.london import effective, last_day
from app.core.places import Point
from app.sheets.import_report import BadCell, CellChange, Change, ImportRejected, ImportReport
from app.sheets.venues import VENUES
from app.venues import osm_hours
from app.venues.kinds import Category, Facility, StepFree
from app.venues.models import Business, Venue, VenueFacts, VenueStatus
from tests.factories import journal_of, make_venue
from tests.sheets.register import awards, import_fhrs, import_venues, import_wards, stored, version

NEW = {
    "reference": "A-1",
    "name": "The Brass Heron",
    "category": "pub",
    "latitude": "51.5136",
    "longitude": "-0.0922",
}
"""The least that a new venue needs."""

FULL = {
    **NEW,
    "name": "Caffè “Tŷ Ŵyn”, the Heron's",
    "business": "Heron & Sons, Inns",
    "address": "1 Lantern Passage",
    "postcode": "EC2V 0ZZ",
    "opening_hours": "Mo-Fr 11:00-23:00; Sa 11:00-02:00; PH off; 2027 Dec 24 11:00-15:00",
    "phone": "020 7946 0001",
    "entrance": "Green door; ring",
    "facilities": "toilet;water",
    "step_free": "yes",
    "licensed": "yes",
    "late_night": "TRUE",
    "premises_licence": "LN/1",
    "uprn": "100023336956",
    "fhrs_id": "294048",
    "safe_haven_from": "2026-01-01",
    "safe_haven_until": "2026-06-30",
}
"""A venue with something in every column."""

PROSPECT = b"""{"establishments": [{"FHRSID": 294048, "BusinessName": "HERON LTD",
"BusinessType": "Pub/bar/nightclub", "AddressLine1": "1 Lantern Passage", "PostCode": "EC2V 0ZZ",
"geocode": {"latitude": "51.5136", "longitude": "-0.0922"}}]}"""


def written(*rows: dict[str, str]) -> bytes:
    """A file with a row for each of the venues, which have the same columns."""
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


AWARD = ("safe_haven_from", "safe_haven_until")
NOT_IMPORTED = {
    *("folded_name", "refresh_months", "conditions", "last_checked", "closed_on", "closed_reason")
}
"""What a file says nothing of."""


def facts(venue: Venue) -> dict[str, Any]:
    names = Venue.model_fields.keys() - NOT_IMPORTED
    return {column: getattr(venue, column) for column in names}


def refused(engine: Engine, content: bytes) -> list[BadCell]:
    """What is wrong with a file, of which nothing was stored."""
    before = version(engine)
    with pytest.raises(ImportRejected) as rejected:
        import_venues(engine, content)
    assert version(engine) == before
    return rejected.value.cells


# --- what is stored --------------------------------------------------------------------------


def test_every_column_is_stored(engine: Engine) -> None:
    report = import_venues(engine, written(FULL))
    assert report == ImportReport(dry_run=False, created=["A-1"])
    venue = stored(engine)["A-1"]
    assert facts(venue) == {
        "id": venue.id,
        "business_id": venue.business_id,
        "hours": osm_hours.parse(FULL["opening_hours"]),
        "reference": "A-1",
        "name": "Caffè “Tŷ Ŵyn”, the Heron's",
        "category": Category.PUB,
        "status": VenueStatus.ACTIVE,
        "demonstration": False,
        "address": "1 Lantern Passage",
        "postcode": "EC2V 0ZZ",
        "location": Point(51.5136, -0.0922),
        "ward_id": None,
        "phone": "020 7946 0001",
        "entrance": "Green door; ring",
        "facilities": [Facility.WATER, Facility.TOILET],
        "step_free": StepFree.YES,
        "licensed": True,
        "late_night": True,
        "premises_licence": "LN/1",
        "uprn": "100023336956",
        "fhrs_id": "294048",
    }
    assert awards(engine) == {"A-1": (date(2026, 1, 1), date(2026, 6, 30))}
    with read_session(engine) as session:
        business = session.get_one(Business, venue.business_id)
        assert business.name == "Heron & Sons, Inns"


def test_the_columns_are_the_published_ones() -> None:
    assert ",".join(VENUES.columns) == (
        "reference,name,category,business,address,postcode,latitude,longitude,opening_hours,phone,"
        "entrance,facilities,step_free,licensed,late_night,premises_licence,uprn,fhrs_id,"
        "safe_haven_from,safe_haven_until"
    )


def test_a_second_import_changes_nothing(engine: Engine) -> None:
    content = written(FULL, {**FULL, "reference": "A-2", "latitude": "51.1", "longitude": "-1e-05"})
    import_venues(engine, content)
    before = version(engine)
    assert import_venues(engine, content) == ImportReport(dry_run=False, unchanged=2)
    assert version(engine) == before


def test_venues_share_their_business_by_name(engine: Engine) -> None:
    capitals = {**FULL, "business": FULL["business"].upper()}
    import_venues(engine, written(FULL, {**capitals, "reference": "A-2"}))
    import_venues(engine, written({**FULL, "reference": "A-3"}, {**capitals, "reference": "A-4"}))
    assert len({venue.business_id for venue in stored(engine).values()}) == 1
    assert import_venues(engine, written({**capitals, "reference": "A-1"})).unchanged == 1


@pytest.mark.parametrize("content", ["a-1", "A-1"])
def test_capitals_make_no_second_venue(engine: Engine, content: str) -> None:
    other = content.swapcase()
    [cell] = refused(engine, written({**NEW, "reference": content}, {**NEW, "reference": other}))
    assert (cell.line, cell.column, cell.value, cell.reason) == (
        *(3, "reference", other),
        "is on line 2 too, but for its capitals",
    )
    import_venues(engine, written({**NEW, "reference": content}))
    [cell] = refused(engine, written({**NEW, "reference": other}))
    assert cell.reason == f"is {content} in the register: write it so"


def test_two_venues_of_old_that_differ_in_capitals_go_on(sqlite_engine: Engine) -> None:
    for reference in ("a-1", "A-1"):
        make_venue(sqlite_engine, reference=reference, safe_haven_from=None)
    rows = [{"reference": reference, "phone": "1"} for reference in ("a-1", "A-1")]
    report = import_venues(sqlite_engine, written(*rows))
    assert [change.reference for change in report.updated] == ["a-1", "A-1"]
    [cell] = refused(sqlite_engine, written(*rows, rows[1]))
    assert (cell.line, cell.reason) == (4, "is on line 3 too")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("ec4n0zz", "EC4N 0ZZ"),
        (" Ec4N\u00a00zZ ", "EC4N 0ZZ"),
        ("w1a 1aa", "W1A 1AA"),
        ("EC4N OZZ", None),
        ("ECIA 1BB", None),
        ("EC4N 0ZO", None),
        ("EC4N", None),
        ("x", None),
    ],
)
def test_a_postcode_has_one_spelling(sqlite_engine: Engine, given: str, kept: str | None) -> None:
    content = written({**NEW, "postcode": given})
    if kept is None:
        assert refused(sqlite_engine, content)[0].reason == "must be a postcode, like EC2V 7HH"
    else:
        import_venues(sqlite_engine, content)
        assert stored(sqlite_engine)["A-1"].postcode == kept


WARDS = b"""{"type": "FeatureCollection", "features": [{"type": "Feature",
"properties": {"code": "W", "name": "Ward"}, "geometry": {"type": "Polygon", "coordinates":
[[[-0.1, 51.5], [-0.09, 51.5], [-0.09, 51.52], [-0.1, 51.52], [-0.1, 51.5]]]}}]}"""


@pytest.mark.parametrize(
    ("latitude", "longitude", "reason"),
    [
        ("-0.0922", "51.5136", "latitude and longitude look swapped"),
        ("51.5136", "0.0922", "did its minus get lost? It is - west of Greenwich, + east"),
        ("0", "0", "look its latitude and longitude up anew"),
    ],
)
def test_a_venue_far_from_the_wards_is_refused(
    sqlite_engine: Engine, latitude: str, longitude: str, reason: str
) -> None:
    import_venues(sqlite_engine, written(NEW))
    import_wards(sqlite_engine, WARDS)
    place = {"latitude": latitude, "longitude": longitude}
    for reference in ("A-1", "A-2"):
        [cell] = refused(sqlite_engine, written({**NEW, **place, "reference": reference}))
        assert (cell.line, cell.column) == (2, "latitude")
        assert cell.reason == f"lies over 2000 m outside the wards: {reason}"


def test_a_place_that_is_wrong_from_before_stays_till_it_moves(sqlite_engine: Engine) -> None:
    # Another lies inside, for wards that hold none at all are refused.
    import_venues(sqlite_engine, written({**NEW, "latitude": "52"}, {**NEW, "reference": "A-2"}))
    import_wards(sqlite_engine, WARDS)
    row = {**NEW, "latitude": "52", "name": "Another"}
    assert import_venues(sqlite_engine, written(row)).updated
    assert refused(sqlite_engine, written({"reference": "A-1", "longitude": "-0.0921"}))


def test_a_report_names_what_to_look_at(engine: Engine) -> None:
    import_wards(engine, WARDS)
    import_venues(engine, written(NEW))
    near = {**NEW, "reference": "A-2", "name": "Brass Heron Pub", "latitude": "51.5137"}
    outside = {**NEW, "reference": "A-3", "longitude": "-0.0799"}
    content = written(near, outside)
    dry = import_venues(engine, content, dry_run=True)
    assert [(remark.reference, remark.reason) for remark in dry.remarks] == [
        ("A-2", "may be A-1 The Brass Heron, 11 m away, once more"),
        ("A-3", "lies outside the wards"),
    ]
    assert import_venues(engine, content).remarks == dry.remarks
    assert import_venues(engine, content).remarks == []


def test_a_dry_run_reports_the_same_and_writes_nothing(engine: Engine) -> None:
    import_venues(engine, written(NEW))
    before = version(engine)
    content = written({**FULL, "uprn": "1"}, {**FULL, "reference": "A-2"})
    dry = import_venues(engine, content, dry_run=True)
    assert version(engine) == before
    assert stored(engine).keys() == {"A-1"}
    with read_session(engine) as session:
        assert not session.exec(select(Business)).all()
    assert dry == import_venues(engine, content).model_copy(update={"dry_run": True})


def test_an_update_changes_only_what_differs_in_the_columns_there_are(engine: Engine) -> None:
    import_venues(engine, written(FULL))
    before = facts(stored(engine)["A-1"])
    report = import_venues(engine, written({"reference": "A-1", "name": "Heron", "phone": "101"}))
    cells = [
        CellChange(column="name", now=FULL["name"], then="Heron"),
        CellChange(column="phone", now=FULL["phone"], then="101"),
    ]
    assert report.updated == [Change(reference="A-1", columns=["name", "phone"], cells=cells)]
    assert facts(stored(engine)["A-1"]) == {**before, "name": "Heron", "phone": "101"}


def test_half_a_position_moves_only_that_half(engine: Engine) -> None:
    import_venues(engine, written(NEW))
    import_venues(engine, written({"reference": "A-1", "longitude": "-0.08"}))
    assert stored(engine)["A-1"].location == Point(51.5136, -0.08)


@pytest.mark.parametrize(
    ("column", "cleared"),
    [
        ("business", {"business_id": None}),
        ("address", {"address": ""}),
        ("postcode", {"postcode": ""}),
        ("opening_hours", {"hours": None}),
        ("phone", {"phone": ""}),
        ("entrance", {"entrance": ""}),
        ("facilities", {"facilities": []}),
        ("step_free", {"step_free": StepFree.UNKNOWN}),
        ("licensed", {"licensed": False}),
        ("late_night", {"late_night": False}),
        ("premises_licence", {"premises_licence": ""}),
        ("uprn", {"uprn": ""}),
        ("fhrs_id", {"fhrs_id": ""}),
    ],
)
def test_an_empty_cell_clears(sqlite_engine: Engine, column: str, cleared: dict[str, Any]) -> None:
    import_venues(sqlite_engine, written(FULL))
    before = facts(stored(sqlite_engine)["A-1"])
    import_venues(sqlite_engine, written({"reference": "A-1", column: " "}))
    assert facts(stored(sqlite_engine)["A-1"]) == {**before, **cleared}


def test_dated_exceptions_that_the_text_does_not_name_survive(engine: Engine) -> None:
    import_venues(engine, written(FULL))
    changed = {"reference": "A-1", "opening_hours": "Mo-Su 12:00-22:00; 2027 Dec 25 off"}
    assert import_venues(engine, written(changed)).updated
    hours = stored(engine)["A-1"].hours
    assert hours
    assert [exception.first for exception in hours.exceptions] == ["2027-12-24", "2027-12-25"]
    assert import_venues(engine, written(changed)).unchanged == 1


def test_white_space_is_one_space(engine: Engine) -> None:
    import_venues(engine, written({**NEW, "name": " The\tBrass \r\n Heron\u00a0"}))
    assert stored(engine)["A-1"].name == "The Brass Heron"


def test_what_looks_the_same_is_one_venue(sqlite_engine: Engine) -> None:
    cafe = {**NEW, "reference": "CAFÉ-1", "business": "Café Group"}
    import_venues(sqlite_engine, written(cafe))
    with_marks = {
        **cafe,
        "reference": "\u200eCAFE\u0301\u20111",
        "business": "Cafe\u0301 \u200bGroup",
    }
    assert import_venues(sqlite_engine, written(with_marks)).unchanged == 1
    for same in (
        "CAFE\u0301-1",
        "CAFÉ-1\u200b",
        "\u202aCAFÉ-1\u202c",
        "CAFÉ\u00ad-1",
        "CAFÉ\u20131",
    ):
        [cell] = refused(sqlite_engine, written(cafe, {**cafe, "reference": same}))
        assert cell.reason == "is on line 2 too"
    new = {**with_marks, "reference": "A-2", "name": "Cafe\u0301"}
    import_venues(sqlite_engine, written(new))
    with read_session(sqlite_engine) as session:
        assert [one.name for one in session.exec(select(Business))] == ["Café Group"]
    assert stored(sqlite_engine)["A-2"].name == "Café"


def test_what_a_spreadsheet_makes_of_an_apostrophe_is_taken_off(sqlite_engine: Engine) -> None:
    row = {
        **NEW,
        "reference": "'1-2",
        "name": "'#N/A",
        "latitude": "'51.5136",
        "uprn": "'100023336956",
    }
    import_venues(sqlite_engine, written(row))
    venue = stored(sqlite_engine)["1-2"]
    assert (venue.name, venue.location.lat, venue.uprn) == ("#N/A", 51.5136, "100023336956")


def test_a_short_row_clears_what_it_lacks(sqlite_engine: Engine) -> None:
    import_venues(sqlite_engine, written(FULL))
    [change] = import_venues(sqlite_engine, b"reference,phone,entrance\nA-1,101\n").updated
    assert [(one.column, one.now, one.then) for one in change.cells] == [
        ("phone", FULL["phone"], "101"),
        ("entrance", FULL["entrance"], ""),
    ]
    [cell] = refused(sqlite_engine, b"reference,phone,uprn\nA-1,101")
    assert (cell.line, cell.reason) == (2, "ends too soon: the file may have been cut off")


def test_a_byte_order_mark_and_windows_lines_are_fine(engine: Engine) -> None:
    content = b"\xef\xbb\xbf" + written(NEW).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    assert import_venues(engine, content + b"\r\n\r\n").created == ["A-1"]


def test_a_header_alone_is_no_venues(engine: Engine) -> None:
    assert import_venues(engine, b"reference,name\n") == ImportReport(dry_run=False)


# --- accreditation ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "months", "last", "why"),
    [
        ("2025-01-01", 12, "2025-12-31", "to the day before the anniversary"),
        ("2025-06-15", 12, "2026-06-14", "over the new year"),
        ("2023-03-01", 12, "2024-02-29", "the day before is a leap day"),
        ("2024-02-29", 12, "2025-02-28", "no such day: the anniversary is 1 March"),
        ("2024-02-29", 48, "2028-02-28", "there is such a day"),
        ("2025-01-31", 1, "2025-02-28", "no 31 February"),
        ("2025-12-31", 2, "2026-02-28", "no such day, in the next year"),
        ("2025-10-31", 1, "2025-11-30", "no 31 November"),
        ("2025-12-05", 1, "2026-01-04", "December is followed by January"),
    ],
)
def test_last_day(first: str, months: int, last: str, why: str) -> None:
    assert last_day(date.fromisoformat(first), months) == date.fromisoformat(last), why


@pytest.mark.parametrize(
    ("cells", "expected", "why"),
    [
        ({"safe_haven_from": "2027-03-01"}, ("2027-03-01", "2028-02-29"), "a new award"),
        (
            {"safe_haven_from": "2026-01-01", "safe_haven_until": ""},
            ("2026-01-01", "2026-12-31"),
            "no end is the usual end",
        ),
        (
            {"safe_haven_from": "2026-05-05", "safe_haven_until": "2026-05-05"},
            ("2026-05-05", "2026-05-05"),
            "one day",
        ),
    ],
)
def test_an_award_is_completed(
    sqlite_engine: Engine, cells: dict[str, str], expected: tuple[str, str], why: str
) -> None:
    import_venues(sqlite_engine, written(NEW))
    import_venues(sqlite_engine, written({"reference": "A-1", **cells}))
    first, last = awards(sqlite_engine)["A-1"]
    assert (str(first), str(last)) == expected, why


def test_a_new_venue_was_there_when_it_was_accredited(engine: Engine) -> None:
    accredited = NEW | {"safe_haven_from": "2025-01-01"}
    to_come = NEW | {"reference": "A-2", "safe_haven_from": "2095-01-01"}
    before = datetime.now(UTC)
    import_venues(engine, written(accredited, to_come))
    with read_session(engine) as session:
        since = {
            venue.reference: facts.effective_at
            for venue, facts in session.exec(select(Venue, VenueFacts).join(VenueFacts))
        }
    assert since["A-1"] == effective(date(2025, 1, 1))
    assert before <= since["A-2"] <= datetime.now(UTC)


@pytest.mark.parametrize(
    ("cells", "bad", "why"),
    [
        ({"safe_haven_from": "2026-01-01"}, [], "what was decided"),
        ({"safe_haven_until": "2026-06-30"}, [], "what was decided"),
        ({"safe_haven_from": "2027-03-01"}, [*AWARD], "a file never renews"),
        ({"safe_haven_until": "2026-07-31"}, ["safe_haven_until"], "nor makes it longer"),
        ({"safe_haven_until": ""}, ["safe_haven_until"], "nor gives it the usual end"),
        ({"safe_haven_from": ""}, [*AWARD], "nor takes it back"),
    ],
)
def test_a_file_repeats_what_was_decided_or_is_refused(
    sqlite_engine: Engine, cells: dict[str, str], bad: list[str], why: str
) -> None:
    import_venues(sqlite_engine, written(FULL))
    content = written({"reference": "A-1", **cells})
    if bad:
        assert [cell.column for cell in refused(sqlite_engine, content)] == bad, why
    else:
        assert import_venues(sqlite_engine, content).unchanged == 1, why


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"safe_haven_until": "2026-12-31"}, "must not be given without safe_haven_from"),
        (
            {"safe_haven_from": "2026-01-02", "safe_haven_until": "2026-01-01"},
            "must not be before safe_haven_from",
        ),
    ],
)
def test_an_award_without_sense_is_refused(
    sqlite_engine: Engine, cells: dict[str, str], reason: str
) -> None:
    [cell] = refused(sqlite_engine, written({**NEW, **cells}))
    assert (cell.line, cell.column, cell.value, cell.reason) == (
        2,
        "safe_haven_until",
        cells["safe_haven_until"],
        reason,
    )


# --- prospects -------------------------------------------------------------------------------


def test_a_row_takes_over_the_prospect_with_its_fhrs_number(engine: Engine) -> None:
    import_fhrs(engine, PROSPECT)
    prospect = stored(engine)["fhrs-294048"]
    row = {**NEW, "fhrs_id": "294048"}
    report = import_venues(engine, written(row, {**row, "reference": "A-2"}))
    [change] = report.updated
    assert (change.reference, change.columns) == ("A-1", ["reference", "name", "status"])
    assert change.cells[-1] == CellChange(column="status", now="prospect", then="active")
    assert report.created == ["A-2"], "a prospect is taken over once"
    taken = stored(engine)["A-1"]
    assert (taken.id, taken.status, taken.name, taken.address) == (
        prospect.id,
        VenueStatus.ACTIVE,
        "The Brass Heron",
        "1 Lantern Passage",
    )
    assert [skipped.reason for skipped in import_fhrs(engine, PROSPECT).skipped] == [
        "is already registered"
    ]


def test_a_prospect_named_by_its_own_reference_becomes_active(engine: Engine) -> None:
    import_fhrs(engine, PROSPECT)
    other = {**NEW, "fhrs_id": "294048"}
    import_venues(engine, written(other, {**other, "reference": "fhrs-294048"}))
    assert {r: venue.status for r, venue in stored(engine).items()} == {
        "A-1": VenueStatus.ACTIVE,
        "fhrs-294048": VenueStatus.ACTIVE,
    }


def test_an_empty_fhrs_number_takes_nothing_over(engine: Engine) -> None:
    import_fhrs(engine, PROSPECT)
    with journal_of(engine).writing("test") as session:
        session.exec(select(Venue)).one().fhrs_id = ""
    assert import_venues(engine, written({**FULL, "fhrs_id": ""})).created == ["A-1"]


def test_a_closed_venue_stays_closed(engine: Engine) -> None:
    import_venues(engine, written(NEW))
    with journal_of(engine).writing("test") as session:
        session.exec(select(Venue)).one().status = VenueStatus.CLOSED
    import_venues(engine, written({**NEW, "name": "Another"}))
    assert stored(engine)["A-1"].status == VenueStatus.CLOSED


# --- demonstration ---------------------------------------------------------------------------


@pytest.mark.usefixtures("demo")
def test_venues_of_a_demo_are_marked(engine: Engine) -> None:
    import_venues(engine, written(NEW))
    assert stored(engine)["A-1"].demonstration


@pytest.mark.parametrize("there", [False, True])
def test_demonstration_and_real_venues_do_not_mix(
    engine: Engine, there: bool, request: pytest.FixtureRequest
) -> None:
    import_venues(engine, written(NEW))
    if not there:
        request.getfixturevalue("demo")
    else:
        with journal_of(engine).writing("test") as session:
            session.exec(select(Venue)).one().demonstration = True
    [cell] = refused(engine, written(NEW))
    assert "must not join" in cell.reason


# --- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("reference", "", "must not be empty"),
        ("reference", "A" * 51, "must be at most 50 characters long, not 51"),
        ("reference", "A\0B", "must not contain control characters"),
        ("name", " ", "must not be empty"),
        ("name", "N" * 201, "must be at most 200 characters long, not 201"),
        ("name", "\x1b[31mred", "must not contain control characters"),
        ("category", "", "must not be empty"),
        ("category", "tavern", "must be one of pub, bar, nightclub"),
        ("category", "Pub", "must be one of pub, bar, nightclub"),
        ("business", "B" * 201, "must be at most 200"),
        ("address", "A" * 301, "must be at most 300"),
        ("postcode", "EC2V 0ZZ 999", "must be a postcode, like EC2V 7HH"),
        ("latitude", "", "must not be empty"),
        ("latitude", "north", "must be decimal degrees"),
        ("latitude", "51,5136", "must be decimal degrees"),
        ("latitude", "nan", "must be decimal degrees"),
        ("latitude", "inf", "must be decimal degrees"),
        ("latitude", "5_1", "must be decimal degrees"),
        ("latitude", "\u0665\u0661", "must be decimal degrees"),
        ("latitude", "51.5136\u00b0", "must be decimal degrees"),
        ("latitude", "51\u00b030'49\"N", "must be decimal degrees"),
        ("longitude", "\u22120.0922", "must be decimal degrees, like 51.5136 or -0.0922"),
        ("latitude", "181234", "must lie between -90 and 90: degrees, not the metres of a grid"),
        ("latitude", "0", "is not in Britain: look its latitude and longitude up anew"),
        ("latitude", "90.001", "must lie between -90 and 90"),
        ("latitude", "1e999", "must lie between -90 and 90"),
        ("longitude", "-180.5", "must lie between -180 and 180"),
        ("longitude", "51° W", "must be decimal degrees"),
        ("opening_hours", "Mo-Fr 10:00+", "10:00+: "),
        ("opening_hours", "whenever", "whenever: "),
        ("opening_hours", "Mo-Fr 09:00-17:00; Sa,Su 00:00-00:00", "00:00-00:00: It opens and "),
        ("opening_hours", "Mo-Fr 09:00-17:00; 18:00-22:00", "18:00-22:00: Without days "),
        ("phone", "0" * 41, "must be at most 40"),
        ("entrance", "E" * 301, "must be at most 300"),
        ("facilities", "water;sauna", "must be one of water, seat"),
        ("step_free", "maybe", "must be one of yes, no, unknown"),
        ("licensed", "y", "must be yes or no"),
        ("late_night", "1", "must be yes or no"),
        ("premises_licence", "L" * 51, "must be at most 50"),
        ("uprn", "1000233369560", "must be up to 12 digits"),
        ("uprn", "1.00023E+11", "is what a spreadsheet makes of another text"),
        ("reference", "01-Mar", "is what a spreadsheet makes of another text"),
        ("opening_hours", "24-Jul", "is what a spreadsheet makes of another text"),
        ("phone", "2.07946E+09", "is what a spreadsheet makes of another text"),
        ("premises_licence", "#REF!", "is an error of the spreadsheet"),
        ("business", "CafÃ© Group", "has letters that were garbled on the way"),
        ("reference", "\u200b", "must not be empty"),
        ("name", "The \u202enretnaL", "must not contain characters that turn the writing round"),
        ("name", "Caf\ufffd", "has a character that can't be read"),
        ("fhrs_id", "9" * 21, "must be at most 20"),
        ("safe_haven_from", "01/01/2026", "must be a date from 2000 to 2099, like 2026-12-31"),
        ("safe_haven_from", "2026-W01-1", "must be a date from 2000 to 2099"),
        ("safe_haven_from", "1999-12-31", "must be a date from 2000 to 2099"),
        ("safe_haven_from", "2026-02-29", "must be a date that exists"),
        ("safe_haven_until", "20261231", "must be a date from 2000 to 2099"),
    ],
)
def test_a_bad_cell_is_refused(sqlite_engine: Engine, column: str, value: str, reason: str) -> None:
    [cell] = refused(sqlite_engine, written({**FULL, "reference": "A-0"}, {**FULL, column: value}))
    assert (cell.line, cell.column) == (3, column)
    assert cell.value == (value if len(value) <= 100 else value[:99] + "…")
    assert cell.reason.startswith(reason)


def test_every_bad_cell_is_listed_and_nothing_is_stored(engine: Engine) -> None:
    import_venues(engine, written(NEW))
    lines = [
        "reference,name,category,latitude,longitude,safe_haven_until,address",
        'A-1,"The Brass',  # line 2, a good row that would change what is stored
        'Heron",bar,51.5,-0.1,,"1 Lantern',
        'Passage"',
        "A-2,,inn,91,x,2026-01-01,",  # line 5
        "A-3,Short",  # line 6
        "",
        "A-1,Again,pub,51.5,-0.1,,",  # line 8
        "A-4,Good,pub,51.5,-0.1,,",
        'A-5,"Never closed,pub',  # line 10
        "A-6,Inside the quotation,pub,51.5,-0.1,,",
    ]
    cells = refused(engine, "\n".join(lines).encode())
    assert [(cell.line, cell.column, cell.value) for cell in cells] == [
        (5, "name", ""),
        (5, "category", "inn"),
        (5, "latitude", "91"),
        (5, "longitude", "x"),
        (5, "safe_haven_until", "2026-01-01"),
        (6, "category", ""),
        (6, "latitude", ""),
        (6, "longitude", ""),
        (8, "reference", "A-1"),
        (10, "", ""),
    ]
    assert {cell.reason for cell in cells[5:8]} == {"must not be empty"}
    assert cells[8].reason == "is on line 2 too"
    assert cells[9].reason.startswith("can't be read as CSV")
    assert stored(engine)["A-1"].name == "The Brass Heron"


def test_a_new_venue_needs_more_columns_than_an_old_one(engine: Engine) -> None:
    import_venues(engine, written(NEW))
    cells = refused(
        engine, written({"reference": "A-1", "phone": ""}, {"reference": "B", "phone": ""})
    )
    assert [(cell.line, cell.column, cell.reason) for cell in cells] == [
        (3, column, "is needed for a new venue")
        for column in ("name", "category", "latitude", "longitude")
    ]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", [(None, "", "is empty")]),
        (b"\n\n", [(None, "", "is empty")]),
        (b"\xef\xbb\xbf", [(None, "", "is empty")]),
        (
            b"reference,Name,colour\n",
            [(1, "Name", "is not one of the columns"), (1, "colour", "is not one of the columns")],
        ),
        (b"reference,name,name\n", [(1, "name", "is there twice")]),
        (b"name\n", [(1, "reference", "is missing")]),
        (b"reference,na\0me\n", [(1, "na\0me", "is not one of the columns")]),
    ],
)
def test_a_bad_file_is_refused(
    sqlite_engine: Engine, content: bytes, expected: list[tuple[int | None, str, str]]
) -> None:
    cells = refused(sqlite_engine, content)
    assert [(cell.line, cell.column, cell.reason) for cell in cells] == expected


# --- any file at all -------------------------------------------------------------------------

CELL = st.one_of(
    st.sampled_from([*FULL.values(), "", "A-1", "0", "-0.0", "1e400", "2026-02-30", "PH off", '"']),
    st.text(max_size=20),
)
FILE = st.one_of(
    st.binary(max_size=200),
    st.text(max_size=200).map(lambda text: f"reference,name\n{text}".encode(errors="replace")),
    st.lists(st.sampled_from(list(VENUES.columns)), min_size=1, max_size=6, unique=True).flatmap(
        lambda columns: st.lists(
            st.fixed_dictionaries(dict.fromkeys(columns, CELL)), min_size=1, max_size=4
        ).map(lambda rows: written(*rows))
    ),
    st.lists(
        st.fixed_dictionaries({c: st.just(v) | CELL for c, v in FULL.items()}),
        min_size=1,
        max_size=3,
    ).map(lambda rows: written(*rows)),
)


@pytest.fixture(scope="module")
def scratch(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    path = shutil.copyfile(sqlite_template, tmp_path_factory.mktemp("fuzz") / "havens.sqlite")
    with connected(f"sqlite:///{path}") as engine:
        yield engine


@given(content=FILE)
def test_any_file_is_imported_or_rejected(scratch: Engine, content: bytes) -> None:
    with suppress(ImportRejected):
        import_venues(scratch, content, dry_run=True)
    assert not stored(scratch)
