"""Coverage by night: how much has an open haven near, by hour, by ward, and a quarter before."""

from datetime import date
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine

from app.venues import osm_hours
from tests.audit.records import add_venue
from tests.audit.reports.test_plan import add_need
from tests.factories import BANK, award, make_ward

NIGHT = "/v1/audit/night"


def read(client: httpx.Client, **asked: Any) -> Any:
    answer = client.get(NIGHT, params=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


def add_haven(engine: Engine, north: float, hours: str, since: date, **details: Any) -> None:
    venue = add_venue(engine, lat=BANK.lat + north, hours=osm_hours.parse(hours), **details)
    award(engine, venue.id, since, None)


def test_by_hour_by_ward_and_since_the_quarter_before(
    auditor: httpx.Client, engine: Engine
) -> None:
    # By the walking factor of 1.7, five minutes are 235 m: 0.0021 of a degree.
    ward = make_ward(engine, name="Cheap")
    add_need(engine, (0, "Fr 22:00-02:00"), (0.004, "Fr 22:00-02:00"), (0.006, ""))
    add_haven(engine, 0, "Fr 20:00-01:30", date(2020, 1, 1), ward_id=ward.id, licensed=True)
    add_haven(engine, 0.003, "Fr 20:00-23:00", date(2026, 4, 1), category="cafe")
    shown = read(auditor, as_at="2026-06-30")
    hours = {(row["night"], row["hour"]): row for row in shown["hours"]}
    assert len(hours) == 168
    assert next(iter(hours)) == ("Monday", "12:00")
    ten, late, after = (hours["Friday", hour] for hour in ("22:00", "00:00", "01:00"))
    assert (ten["havens"], late["havens"], after["havens"]) == (2, 1, 0)
    # The third place has a little of the need of each hour, and no haven near.
    assert late["five"] == pytest.approx(0.25 / late["need"] / 3)
    assert ten["five"] == pytest.approx(0.5 / ten["need"] / 3)
    assert ten["before"] == pytest.approx(0.25 / ten["need"] / 3)
    assert after["five"] == 0
    assert (late["licensed_five"], after["licensed_five"]) == (1, 0)
    totals = {(row["of"], row["hours"]): row for row in shown["totals"]}
    week = totals["need", "week"]
    assert week["five"] == pytest.approx((3 * 0.25 + 0.25) / 3)
    assert week["change"] == pytest.approx(0.25 / 3)
    assert totals["licensed", "week"]["five"] == pytest.approx(5 / 168)
    by_ward = {(row["ward"], row["of"], row["hours"]): row for row in shown["wards"]}
    assert by_ward["Cheap", "need", "week"]["five"] == week["five"]
    assert len(shown["ward_hours"]) == 168
    assert [row["source"] for row in shown["need"]] == ["Test"]
    # The filters say which havens count, not which need.
    only = read(auditor, as_at="2026-06-30", category="cafe")["totals"][0]
    assert only["five"] == pytest.approx(0.25 / 3)
    # As at a day before the need is dated there is none.
    assert read(auditor, as_at="2026-01-30")["hours"][0].get("five") is None


def test_a_table_of_it_is_a_file(auditor: httpx.Client) -> None:
    for table in ("totals", "wards", "hours", "ward_hours", "need"):
        answer = auditor.get(NIGHT, params={"format": "csv", "table": table})
        assert answer.status_code == 200
    assert auditor.get(NIGHT, params={"format": "xlsx"}).status_code == 200
