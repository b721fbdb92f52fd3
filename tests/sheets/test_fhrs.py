"""The food hygiene register: what becomes a prospect, what is skipped and why."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from app.core.places import Point
from app.sheets.import_report import Change, ImportRejected, ImportReport
from app.venues.kinds import Category
from app.venues.models import Venue, VenueStatus
from tests.factories import journal_of
from tests.sheets.register import import_fhrs, import_wards, stored, version

HERON: dict[str, Any] = {
    "FHRSID": 1,
    "BusinessName": "The Brass  Heron ",
    "BusinessType": "Pub/bar/nightclub",
    "AddressLine1": "1 Lantern Passage",
    "AddressLine2": "London",
    "AddressLine3": " ",
    "AddressLine4": None,
    "PostCode": "EC2V 0ZZ",
    "geocode": {"longitude": "-0.0922", "latitude": "51.5136"},
}

WARD = b"""{"type": "FeatureCollection", "features": [{"type": "Feature",
"properties": {"code": "W", "name": "Ward"}, "geometry": {"type": "Polygon", "coordinates":
[[[-0.1, 51.5], [-0.09, 51.5], [-0.09, 51.52], [-0.1, 51.52], [-0.1, 51.5]]]}}]}"""


def written(*establishments: Any) -> bytes:
    return json.dumps({"establishments": establishments}).encode()


def test_an_establishment_becomes_a_prospect(engine: Engine) -> None:
    import_wards(engine, WARD)
    assert import_fhrs(engine, written(HERON)).created == ["fhrs-1"]
    venue = stored(engine)["fhrs-1"]
    assert venue.ward_id
    assert (venue.status, venue.demonstration) == (VenueStatus.PROSPECT, False)
    assert (venue.name, venue.category, venue.address, venue.postcode, venue.fhrs_id) == (
        "The Brass Heron",
        Category.PUB,
        "1 Lantern Passage, London",
        "EC2V 0ZZ",
        "1",
    )
    assert venue.location == Point(51.5136, -0.0922)


@pytest.mark.usefixtures("demo")
def test_prospects_of_a_demo_are_marked(engine: Engine) -> None:
    import_fhrs(engine, written(HERON))
    assert stored(engine)["fhrs-1"].demonstration


def test_a_prospect_follows_the_register(engine: Engine) -> None:
    import_fhrs(engine, written(HERON))
    import_wards(engine, WARD)
    before = version(engine)
    assert import_fhrs(engine, written(HERON)) == ImportReport(dry_run=False, unchanged=1)
    assert version(engine) == before
    changed = {**HERON, "BusinessType": "Takeaway/sandwich shop", "AddressLine2": ""}
    expected = [Change(reference="fhrs-1", columns=["address", "category"])]
    assert import_fhrs(engine, written(changed), dry_run=True).updated == expected
    assert version(engine) == before
    assert import_fhrs(engine, written(changed)).updated == expected
    assert stored(engine)["fhrs-1"].category == Category.CAFE
    assert import_fhrs(engine, written()) == ImportReport(dry_run=False)
    assert stored(engine).keys() == {"fhrs-1"}, "what is missing from a later file stays"


@pytest.mark.parametrize("status", [VenueStatus.ACTIVE, VenueStatus.CLOSED])
@pytest.mark.parametrize(("reference", "fhrs_id"), [("A-1", "1"), ("fhrs-1", "")])
def test_a_registered_venue_is_not_doubled(
    sqlite_engine: Engine, status: VenueStatus, reference: str, fhrs_id: str
) -> None:
    import_fhrs(sqlite_engine, written(HERON))
    with journal_of(sqlite_engine).writing("test") as session:
        venue = session.exec(select(Venue)).one()
        venue.status, venue.reference, venue.fhrs_id = status, reference, fhrs_id
        venue.name = "Kept"
    [skipped] = import_fhrs(sqlite_engine, written(HERON)).skipped
    assert skipped.reason == "is already registered"
    assert [venue.name for venue in stored(sqlite_engine).values()] == ["Kept"]


@pytest.mark.parametrize(
    ("business_type", "category"),
    [
        ("Restaurant/Cafe/Canteen", Category.RESTAURANT),
        ("Hotel/bed & breakfast/guest house", Category.HOTEL),
        ("Retailers - supermarkets/hypermarkets", Category.SHOP),
        ("Retailers - other", Category.SHOP),
        ("Other catering premises", Category.COMMUNITY),
        ("A type that the agency may invent", Category.COMMUNITY),
    ],
)
def test_categories(sqlite_engine: Engine, business_type: str, category: Category) -> None:
    import_fhrs(sqlite_engine, written({**HERON, "BusinessType": business_type}))
    assert stored(sqlite_engine)["fhrs-1"].category == category


def place(latitude: Any, longitude: Any = "-0.0922") -> dict[str, Any]:
    return {"geocode": {"latitude": latitude, "longitude": longitude}}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"geocode": None}, "has no coordinates"),
        (place(None, None), "has no coordinates"),
        (place(""), "has no coordinates"),
        (place("51.5136", None), "has no coordinates"),
        (place("north"), "has coordinates that are no place on the earth"),
        (place("NaN"), "has coordinates that are no place on the earth"),
        (place("Infinity"), "has coordinates that are no place on the earth"),
        (place("91"), "has coordinates that are no place on the earth"),
        (place(51.5136, 181), "has coordinates that are no place on the earth"),
        (place("0", "0.0"), "has coordinates 0, 0"),
        (place(0, 0), "has coordinates 0, 0"),
        (place("51.6"), "lies outside the wards"),
        ({"geocode": "51.5"}, "has coordinates that are no place on the earth"),
        ({"geocode": [51.5136, -0.0922]}, "has coordinates that are no place on the earth"),
        (place([51.5136]), "has coordinates that are no place on the earth"),
        (place(True), "has coordinates that are no place on the earth"),
        (place("51,5136"), "has coordinates that are no place on the earth"),
        (place(float("nan")), "has coordinates that are no place on the earth"),
        (place(float("inf")), "has coordinates that are no place on the earth"),
        (place("-0.0922", "51.5136"), "lies outside the wards"),
        ({"BusinessType": "Mobile caterer"}, "has no fixed place"),
        ({"BusinessType": None}, "has no business type"),
        ({"BusinessType": 7843}, "BusinessType must be a text"),
        ({"BusinessName": None}, "has no name"),
        ({"BusinessName": ["A"]}, "BusinessName must be a text"),
        ({"BusinessName": 1847}, "BusinessName must be a text"),
        ({"BusinessName": "\ud800"}, "name must not contain control characters"),
        ({"AddressLine3": {}}, "AddressLine3 must be a text"),
        ({"BusinessType": "Manufacturers/packers"}, "is a factory, not open to the public"),
        ({"BusinessName": " "}, "has no name"),
        ({"BusinessName": "A\0B"}, "name must not contain control characters"),
        ({"BusinessName": "N" * 201}, "name must be at most 200 characters long, not 201"),
        ({"AddressLine1": "A" * 300}, "address must be at most 300 characters long, not 308"),
        ({"PostCode": 20}, "PostCode must be a text"),
    ],
)
def test_what_is_skipped(sqlite_engine: Engine, changes: dict[str, Any], reason: str) -> None:
    import_wards(sqlite_engine, WARD)
    report = import_fhrs(sqlite_engine, written({**HERON, **changes}, {**HERON, "FHRSID": 2}))
    assert [(skipped.reference, skipped.reason) for skipped in report.skipped] == [
        ("fhrs-1", reason)
    ]
    assert report.created == ["fhrs-2"]


@pytest.mark.parametrize(
    ("given", "kept"),
    [("ec4n0zz", "EC4N 0ZZ"), (" ", ""), (None, ""), *((bad, "") for bad in ("EC4N", "x" * 99))],
)
def test_a_prospect_comes_with_a_whole_postcode_or_none(
    sqlite_engine: Engine, given: str | None, kept: str
) -> None:
    report = import_fhrs(sqlite_engine, written({**HERON, "PostCode": given}))
    assert stored(sqlite_engine)["fhrs-1"].postcode == kept
    lost = f"its postcode {given!r} is left out: it is no whole postcode"
    assert [(remark.reference, remark.reason) for remark in report.remarks] == (
        [] if kept or not (given or "").strip() else [("fhrs-1", lost)]
    )


def test_a_second_entry_is_skipped(sqlite_engine: Engine) -> None:
    again = {**HERON, "FHRSID": "1", "BusinessName": "Again" * 100}
    report = import_fhrs(sqlite_engine, written(HERON, again))
    assert report.created == ["fhrs-1"]
    [skipped] = report.skipped
    assert (skipped.name[:10], len(skipped.name)) == ("AgainAgain", 100)
    assert skipped.reason == "is in the file twice"


def without(key: str) -> dict[str, Any]:
    return {k: v for k, v in HERON.items() if k != key}


NUMBERS: list[Any] = [
    None,
    -1,
    0,
    1.5,
    10**15,
    10**30,
    True,
    "",
    "one",
    "1\n",
    "1_0",
    "\u0661",
    [1],
    {},
]


@pytest.mark.parametrize(
    ("entry", "name", "reason"),
    [
        *(
            ({**HERON, "FHRSID": number}, "The Brass Heron", "has no FHRSID that is a number")
            for number in NUMBERS
        ),
        (without("FHRSID"), "The Brass Heron", "has no FHRSID that is a number"),
        ({}, "", "has no FHRSID that is a number"),
        (None, "", "is not an establishment"),
        (7, "", "is not an establishment"),
        ([HERON], "", "is not an establishment"),
        ("\ud800", "", "is not an establishment"),
    ],
)
def test_an_entry_without_a_number_is_skipped(
    sqlite_engine: Engine, entry: Any, name: str, reason: str
) -> None:
    report = import_fhrs(sqlite_engine, written(HERON, entry))
    assert report.created == ["fhrs-1"]
    [skipped] = report.skipped
    assert (skipped.reference, skipped.name, skipped.reason) == ("entry 2", name, reason)


@pytest.mark.parametrize("missing", ["AddressLine1", "AddressLine4", "PostCode"])
def test_what_may_be_missing(sqlite_engine: Engine, missing: str) -> None:
    for number, entry in enumerate((without(missing), {**HERON, missing: None}), start=1):
        assert import_fhrs(sqlite_engine, written({**entry, "FHRSID": number})).created


OPEN_DATA = {
    **without("geocode"),
    "FHRSID": "1",
    "Geocode": {"Longitude": "-0.0922", "Latitude": "51.5136"},
}


@pytest.mark.parametrize(
    "collection", [[OPEN_DATA], {"EstablishmentDetail": [OPEN_DATA]}], ids=["now", "once"]
)
def test_the_open_data_file_holds_the_same(sqlite_engine: Engine, collection: Any) -> None:
    header = {"ExtractDate": "2027-01-04", "ItemCount": 1, "ReturnCode": "Success"}
    document = {"FHRSEstablishment": {"Header": header, "EstablishmentCollection": collection}}
    content = json.dumps(document).encode("utf-8-sig")
    assert import_fhrs(sqlite_engine, content).created == ["fhrs-1"]
    assert import_fhrs(sqlite_engine, written(HERON)).unchanged == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is not JSON"),
        (b"FHRSID,BusinessName", "is not JSON"),
        (b'<?xml version="1.0"?><FHRSEstablishment/>', "is XML or a web page: download it as JSON"),
        (b"[]", "must be a list of establishments"),
        (b'{"establishments": {}}', "must be a list of establishments"),
        (b'{"FHRSEstablishment": {"EstablishmentCollection": null}}', "must be a list of"),
    ],
)
def test_another_kind_of_file_is_refused(
    sqlite_engine: Engine, content: bytes, reason: str
) -> None:
    with pytest.raises(ImportRejected) as rejected:
        import_fhrs(sqlite_engine, content)
    [cell] = rejected.value.cells
    assert cell.reason.startswith(reason)
    assert not stored(sqlite_engine)


def test_the_real_register(engine: Engine, real_data: Path) -> None:
    import_wards(engine, (real_data / "city_wards_2013.geojson").read_bytes())
    content = (real_data / "fhrs_city_of_london_2021.json").read_bytes()
    report = import_fhrs(engine, content)
    assert len(report.created) == 1533
    assert Counter(skipped.reason for skipped in report.skipped) == {
        "lies outside the wards": 137,
        "has no coordinates": 21,
        "has no fixed place": 10,
        "is a nursery or care home, not open to the public": 8,
        "is a school or college, not open to the public": 7,
        "is a depot, not open to the public": 3,
        "is a factory, not open to the public": 1,
    }
    assert not report.remarks
    assert {venue.status for venue in stored(engine).values()} == {VenueStatus.PROSPECT}
    before = version(engine)
    again = import_fhrs(engine, content)
    assert again == ImportReport(dry_run=False, unchanged=1533, skipped=report.skipped)
    assert version(engine) == before


def test_the_copy_of_the_journals_head_covers_all_that_an_import_wrote(engine: Engine) -> None:
    assert import_fhrs(engine, written(HERON)).created
    journal = journal_of(engine)
    assert journal.covered() == journal.length() > 0
    assert journal.verify() is None
