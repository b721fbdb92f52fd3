"""Where the next havens should be: who may be chosen, what is met, and what nobody can meet."""

from datetime import UTC, date, datetime
from itertools import combinations
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from app.audit.cover import solver
from app.audit.cover.on_foot import OnFoot
from app.audit.frame.question import View
from app.audit.reports.plan import Planning
from app.core.db import read_session
from app.core.london import today
from app.core.places import haversine_m
from app.sheets.need import import_need
from app.venues import osm_hours
from app.venues.kinds import Category
from app.venues.models import Venue, VenueStatus
from tests.audit.records import add_venue
from tests.factories import BANK, award, journal_of
from tests.sheets.register import import_fhrs, import_wards

PLAN = "/v1/audit/plan"
FAR = 0.01
"""So many degrees are 1,112 m: no minutes on foot away."""


def add_need(engine: Engine, *points: tuple[float, str], on: str = "2026-01-31") -> None:
    """Need at places so many degrees north of the Bank, in some hours."""
    rows = [f"Test,{on},{BANK.lat + north},{BANK.lon},1,{hours}" for north, hours in points]
    header = "source,on,latitude,longitude,weight,hours"
    import_need(journal_of(engine), "\r\n".join([header, *rows]).encode(), actor="test")


def add_place(engine: Engine, reference: str, north: float, **details: Any) -> Venue:
    """A prospect that is open all day so many degrees north of the Bank."""
    usual: dict[str, Any] = {
        "hours": osm_hours.parse("24/7"),
        "status": VenueStatus.PROSPECT,
        "address": f"{reference} Bow Lane",
    }
    return add_venue(engine, reference=reference, lat=BANK.lat + north, **usual | details)


def read(client: httpx.Client, **asked: Any) -> Any:
    answer = client.get(PLAN, params=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_places_that_meet_most(auditor: httpx.Client, engine: Engine) -> None:
    night = "Fr-Sa 22:00-04:00"
    add_need(engine, *[(0.0, night)] * 3, *[(FAR, night)] * 2, (2 * FAR, night), (3 * FAR, night))
    haven = add_place(engine, "H", 2 * FAR, status=VenueStatus.ACTIVE)
    award(engine, haven.id, date(2020, 1, 1), None)
    add_place(engine, "A", 0, category=Category.CAFE)
    add_place(engine, "B", 0.0001, hours=osm_hours.parse("Fr-Sa 22:00-02:00"))
    # By its name a hotel, by its kind a shop: it is taken to be shut by night.
    add_place(engine, "C", FAR, name="Hotel Cocoa", category=Category.SHOP, hours=None)
    add_place(engine, "D", FAR, category=Category.HOTEL, hours=None)
    add_place(engine, "E", FAR, category=Category.COMMUNITY, hours=None)
    add_place(engine, "F", FAR, category=Category.BAR, address="d bow lane", hours=None)
    shown = read(auditor, places=2)
    [total] = shown["total"]
    assert total["met"] == pytest.approx(1 / 7)
    assert total["planned"] == pytest.approx(6 / 7)
    assert total["out_of_reach"] == pytest.approx(1 / 7)
    assert (total["havens"], total["candidates"], total["left_out"]) == (1, 4, 1)
    assert total["assumed"] == 2
    a, d = shown["places"]
    assert (a["reference"], a["hours_are"], a["gain"]) == ("A", "known", pytest.approx(3 / 7))
    assert (d["reference"], d["hours_are"], d["hours"]) == ("D", "assumed", "24/7")
    assert a["in_greedy"]
    assert 25 <= a["chosen_again"] <= 30
    assert [step["references"] for step in shown["steps"]] == [["A"], ["A", "D"]]
    assert [step["shortfall"] for step in shown["steps"]] == [0, 0]
    dark = {(row["day"], row["hour"]): row.get("out_of_reach") for row in shown["hours"]}
    assert dark["Saturday", "02:00"] == pytest.approx(1 / 7)
    assert dark["Monday", "02:00"] is None
    assert [row["source"] for row in shown["need"]] == ["Test"]
    # Asked again, the same bytes.
    first = auditor.get(PLAN, params={"places": 2, "known_at": shown["about"]["known_at"]})
    again = auditor.get(PLAN, params={"places": 2, "known_at": shown["about"]["known_at"]})
    assert first.content == again.content
    only = read(auditor, places=1, category="cafe")
    assert only["total"][0]["candidates"] == 1


def test_without_the_solver_it_says_what_to_do(
    auditor: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(solver, "find_spec", lambda _: None)
    answer = auditor.get(PLAN)
    assert answer.status_code == 501
    assert "docs/planning.md" in answer.json()["title"]


def test_without_need_or_places_there_is_nothing_to_plan(auditor: httpx.Client) -> None:
    shown = read(auditor)
    assert (shown["places"], shown["steps"], shown["need"]) == ([], [], [])
    assert shown["total"][0].get("met") is None


def test_bad_questions(auditor: httpx.Client) -> None:
    for asked in ({"places": 0}, {"places": 21}, {"minutes": 16}, {"minutes": "x"}):
        assert auditor.get(PLAN, params=asked).status_code == 422


def test_hours_and_need_as_they_were_known(sqlite_engine: Engine) -> None:
    add_need(sqlite_engine, (0.0, "Fr-Sa 22:00-04:00"))
    journal = journal_of(sqlite_engine)
    with journal.writing("test") as session:
        venue = Venue(
            reference="A",
            name="A",
            category=Category.PUB,
            location=BANK,
            hours=osm_hours.parse("Mo-Su 10:00-22:00"),
        )
        session.add(venue)
        session.flush()
        venue_id = venue.id
        award(session, venue_id, date(2020, 1, 1), None)
    with read_session(sqlite_engine) as session:
        before = planned(session)
    with journal.writing("test") as session:
        changed = session.get(Venue, venue_id)
        assert changed
        changed.hours = osm_hours.parse("24/7")
    add_need(sqlite_engine, (FAR, ""))
    with read_session(sqlite_engine) as session:
        now = planned(session)
        then = planned(session, before.view)
    assert [door.hours for door in now.ground.doors] == [osm_hours.parse("24/7")]
    assert then.ground.doors == before.ground.doors
    assert then.ground.need.places == before.ground.need.places
    assert now.ground.need.places != before.ground.need.places


def planned(session: Session, view: View | None = None) -> Planning:
    if view is None:
        view = View(today(), datetime.now(UTC))
    return Planning.read(session, view, OnFoot(1.7))


@pytest.mark.drill
def test_the_city_from_real_files(sqlite_engine: Engine, real_data: Path) -> None:
    """All pairs of the City's places: none meets more than the plan's."""
    import_wards(sqlite_engine, (real_data / "city_wards_2013.geojson").read_bytes())
    import_fhrs(sqlite_engine, (real_data / "fhrs_city_of_london_2021.json").read_bytes())
    police = (real_data / "police_street_city_2024_02.csv").read_bytes()
    import_need(journal_of(sqlite_engine), police, actor="test")
    with read_session(sqlite_engine) as session:
        planning = planned(session)
    report = planning.plan(2, [5])
    assert planning.plan(2, [5]) == report
    need, some = planning.ground.need, planning.candidates
    open_ = planning.ground.open_by_hour([one.hours for one in some])
    near = np.array(
        [
            [
                haversine_m(one.door.location.lat, one.door.location.lon, at.lat, at.lon) * 1.7
                <= 5 * 80
                for at in need.places
            ]
            for one in some
        ]
    )
    # What each meets by itself, and of two of them together less what both do.
    sorts, sort = np.unique(open_, axis=0, return_inverse=True)
    both_open = np.array([[need.by_hour @ (a & b) for b in sorts] for a in sorts])
    alone = (near * both_open[sort, sort]).sum(axis=1)
    most = max(
        alone[i] + alone[j] - (near[i] & near[j]) @ both_open[sort[i], sort[j]]
        for i, j in combinations(range(len(some)), 2)
        if alone[i] + alone[j] >= (report.steps[1].met or 0) * need.by_hour.sum() - 1e-6
    )
    assert most / need.by_hour.sum() == pytest.approx(report.steps[1].met, abs=1e-8)
    assert len(report.steps) == 20
    assert all((step.shortfall or 0) >= 0 for step in report.steps)
    assert {place.category for place in report.places} <= {*Category} - {Category.COMMUNITY}
