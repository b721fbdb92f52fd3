"""Need from files: what becomes a source, what replaces one, and what is refused."""

import csv
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine
from sqlmodel import select

from app.core.db import read_session
from app.outreach.need import NeedSource
from app.sheets.import_report import ImportRejected, ImportReport
from app.sheets.need import import_need
from tests.factories import journal_of

POLICE = (
    "Crime ID,Month,Reported by,Falls within,Longitude,Latitude,Location,LSOA code,LSOA name,"
    "Crime type,Last outcome category,Context\r\n"
    "1e5,2026-02,Lantern Police,Lantern Police,-0.0922,51.5136,On or near Bow Lane,E1,City 1A,"
    "Robbery,Under investigation,\r\n"
    ",2026-02,Lantern Police,Lantern Police,-0.0922,51.5136,On or near Bow Lane,E1,City 1A,"
    "Anti-social behaviour,,\r\n"
    "2f,2026-02,Lantern Police,Lantern Police,,,No Location,,,Other theft,,\r\n"
    "3f,2026-03,Lantern Police,Lantern Police,-0.0800,51.5150,On or near Gracechurch Street,E2,"
    "City 1B,Robbery,,\r\n"
)
POINTS = (
    "source,on,latitude,longitude,weight,hours\r\n"
    "Street pastors,2026-01-31,51.5136,-0.0922,2.5,Sa 23:00-03:00; Fr 23:00-03:00\r\n"
    "Street pastors,2026-01-31,51.5136,-0.0922,,Fr-Sa 23:00-03:00\r\n"
    "Street pastors,2026-01-31,51.5136,-0.0922,,\r\n"
)


def take(engine: Engine, text: str, **options: Any) -> ImportReport:
    return import_need(journal_of(engine), text.encode(), actor="test", **options)


def sources(engine: Engine) -> list[NeedSource]:
    with read_session(engine) as session:
        found = session.exec(select(NeedSource)).all()
    return sorted(found, key=lambda source: (source.effective_at, source.recorded_at))


def test_a_month_of_the_police_is_a_source(engine: Engine) -> None:
    report = take(engine, POLICE)
    assert report.created == [
        "Lantern Police, street level, 2026-02-01",
        "Lantern Police, street level, 2026-03-01",
    ]
    assert [(one.reference, one.reason) for one in report.skipped] == [
        ("line 4", "has no coordinates")
    ]
    february, march = sources(engine)
    assert (february.rows, february.unplaced, march.rows, march.unplaced) == (3, 1, 1, 0)
    assert [tuple(point) for point in february.points] == [(51.5136, -0.0922, 2.0, "")]
    assert journal_of(engine).verify() is None


def test_points_have_weights_and_hours(sqlite_engine: Engine) -> None:
    take(sqlite_engine, POINTS)
    [source] = sources(sqlite_engine)
    assert [tuple(point) for point in source.points] == [
        (51.5136, -0.0922, 1.0, ""),
        (51.5136, -0.0922, 3.5, "Fr-Sa 23:00-03:00"),
    ]


def test_the_same_file_changes_nothing_and_a_newer_one_replaces(sqlite_engine: Engine) -> None:
    take(sqlite_engine, POLICE)
    assert take(sqlite_engine, POLICE).unchanged == 2
    assert len(sources(sqlite_engine)) == 2
    newer = POLICE.replace("51.5150", "51.5151")
    assert take(sqlite_engine, newer, dry_run=True).updated
    assert len(sources(sqlite_engine)) == 2
    [change] = take(sqlite_engine, newer).updated
    assert change.reference == "Lantern Police, street level, 2026-03-01"
    _, old, new = sources(sqlite_engine)
    assert old.voided_at == new.recorded_at
    assert new.voided_at is None
    # A source of another name or date stays.
    take(sqlite_engine, POINTS)
    assert len(sources(sqlite_engine)) == 4


@pytest.mark.parametrize(
    ("old", "new", "where", "reason"),
    [
        ("51.5136", "north", "line 2, latitude", "must be decimal degrees"),
        ("51.5136", "", "line 2", "has one of latitude and longitude"),
        ("51.5136,-0.0922", "0,0", "line 2", "has coordinates 0, 0"),
        ("2.5", "-1", "line 2, weight", "must be a number above 0"),
        ("2.5", "0", "line 2, weight", "must be a number above 0"),
        ("2.5", "1e9", "line 2, weight", "must be a number above 0"),
        ("2026-01-31", "31/01/2026", "line 2, on", "must be a date"),
        ("Fr-Sa 23:00-03:00", "sometimes", "line 3, hours", ""),
        ("Fr-Sa 23:00-03:00", "Fr 23:00-03:00; PH off", "line 3, hours", "hours of the week"),
        ("Fr-Sa 23:00-03:00", "off", "line 3, hours", ""),
        ("Street pastors", "", "line 2, source", "must not be empty"),
        ("Street pastors", "S" * 101, "line 2, source", "must be at most 100 characters"),
        ("latitude", "lat", "line 1, lat", "is not one of the columns"),
    ],
)
def test_what_is_refused(
    sqlite_engine: Engine, old: str, new: str, where: str, reason: str
) -> None:
    with pytest.raises(ImportRejected) as refused:
        take(sqlite_engine, POINTS.replace(old, new, 1))
    cell = refused.value.cells[0]
    assert cell.where == where
    assert reason in cell.reason
    assert sources(sqlite_engine) == []


def test_a_month_that_a_spreadsheet_has_changed_is_refused(sqlite_engine: Engine) -> None:
    for bad in ("Feb-26", "2026-13", "2026"):
        with pytest.raises(ImportRejected) as refused:
            take(sqlite_engine, POLICE.replace("2026-02", bad, 1))
        assert refused.value.cells[0].where == "line 2, Month"


def test_sources_over_http(officer: httpx.Client) -> None:
    path = "/v1/admin/bulk/need/staged"
    sent = officer.post(path, content=POLICE.encode(), headers={"Content-Type": "text/csv"})
    assert sent.status_code == 201
    seen = {"If-Match": sent.headers["ETag"]}
    confirm = f"/v1/admin/bulk/staged/{sent.json()['id']}/confirm"
    assert officer.post(confirm, headers=seen).status_code == 200
    march, february = officer.get("/v1/admin/need").json()["items"]
    assert (february["on"], february["rows"], february["unplaced"]) == ("2026-02-01", 3, 1)
    one = officer.get(f"/v1/admin/need/{march['id']}")
    assert "points" not in one.json()
    void = f"/v1/admin/need/{march['id']}/void"
    reason = {"reason": "Another area's"}
    answer = officer.post(void, json=reason, headers={"If-Match": one.headers["ETag"]})
    assert answer.json()["voided"]["reason"] == "Another area's"
    assert [one["on"] for one in officer.get("/v1/admin/need").json()["items"]] == ["2026-02-01"]
    assert len(officer.get("/v1/admin/need?voided=true").json()["items"]) == 2


def test_the_real_file(sqlite_engine: Engine, real_data: Path) -> None:
    content = (real_data / "police_street_city_2024_02.csv").read_bytes()
    report = import_need(journal_of(sqlite_engine), content, actor="test")
    rows = list(csv.DictReader(content.decode("utf-8-sig").splitlines()))
    placed = Counter((row["Latitude"], row["Longitude"]) for row in rows if row["Latitude"])
    [source] = sources(sqlite_engine)
    assert (source.rows, source.unplaced) == (len(rows), len(rows) - placed.total())
    assert len(report.skipped) == source.unplaced
    expected = {(float(lat), float(lon)): float(n) for (lat, lon), n in placed.items()}
    assert {(lat, lon): weight for lat, lon, weight, _ in source.points} == expected
