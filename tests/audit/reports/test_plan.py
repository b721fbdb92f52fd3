"""Where the next havens should be: who may be chosen, what is met, and what nobody can meet."""

from dataclasses import replace
from datetime import UTC, date, datetime
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
from app.venues.open_week import Floats
from app.walking.extract import read_extract
from app.walking.made import streets
from app.walking.streets import Streets
from tests.audit.records import add_venue
from tests.factories import BANK, award, journal_of
from tests.sheets.register import import_fhrs, import_wards
from tests.walking.dijkstra import Dijkstra
from tests.walking.test_streets import DATA

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


def real(engine: Engine, real_data: Path) -> Planning:
    """The City's places and need, from the files that are published."""
    import_wards(engine, (real_data / "city_wards_2013.geojson").read_bytes())
    import_fhrs(engine, (real_data / "fhrs_city_of_london_2021.json").read_bytes())
    police = (real_data / "police_street_city_2024_02.csv").read_bytes()
    import_need(journal_of(engine), police, actor="test")
    with read_session(engine) as session:
        return planned(session)


def on_streets(planning: Planning, made: Streets) -> Planning:
    """What of it lies on some streets, with minutes over them."""
    ground, need = planning.ground, planning.ground.need
    kept = [number for number, place in enumerate(need.places) if made.tie(place.lat, place.lon)]
    on = replace(
        need,
        places=[need.places[number] for number in kept],
        wards=[need.wards[number] for number in kept],
        by_hour=need.by_hour[kept],
    )
    return replace(
        planning,
        ground=replace(ground, need=on, on_foot=OnFoot(1.7, made)),
        candidates=[
            one
            for one in planning.candidates
            if made.tie(one.door.location.lat, one.door.location.lon)
        ],
    )


def most_met(planning: Planning, metres: Floats, number: int) -> float:
    """The most that so many of the candidates meet within five minutes, of all need, whichever
    they are; `metres` is of [candidate, place]."""
    need = planning.ground.need.by_hour
    open_ = planning.ground.open_by_hour([one.hours for one in planning.candidates])
    meets = (metres <= 5 * 80)[:, :, np.newaxis] & open_[:, np.newaxis, :]
    # What the same ones meet is one column, and who meet the same are one line.
    sorts, sort = np.unique(meets.reshape(len(meets), -1), axis=1, return_inverse=True)
    weight: Floats = np.bincount(sort, need.ravel()).astype(np.float64)
    return most(np.unique(sorts, axis=0).astype(np.float64), weight, number) / float(need.sum())


def most(meets: Floats, weight: Floats, number: int) -> float:
    """The most that any so many, of two or more, meet together."""
    alone = meets @ weight
    if number == 2:
        both = (meets * weight) @ meets.T
        return float((alone[:, np.newaxis] + alone - both).max())
    return max(
        float(met) + most(meets, weight * (1 - of), number - 1)
        for met, of in zip(alone.tolist(), meets, strict=True)
    )


@pytest.mark.drill
def test_the_city_from_real_files(sqlite_engine: Engine, real_data: Path) -> None:
    """Of all pairs of the City's places none meets more than the plan's."""
    planning = real(sqlite_engine, real_data)
    report = planning.plan(2, [5])
    assert planning.plan(2, [5]) == report
    metres = [
        [1.7 * haversine_m(a.lat, a.lon, b.lat, b.lon) for b in planning.ground.need.places]
        for a in (one.door.location for one in planning.candidates)
    ]
    assert report.steps[1].met == pytest.approx(most_met(planning, np.array(metres), 2), abs=1e-8)
    assert len(report.steps) == 20
    assert all((step.shortfall or 0) >= 0 for step in report.steps)
    assert {place.category for place in report.places} <= {*Category} - {Category.COMMUNITY}


@pytest.mark.drill
@pytest.mark.skipif(not DATA.exists(), reason="needs ../shared/data/streets")
def test_two_square_kilometres_over_the_streets(sqlite_engine: Engine, real_data: Path) -> None:
    """No pair and no three of the places there meet more, by ways that SciPy has measured."""
    file = DATA / "london.osm.pbf"
    made = streets(read_extract(file, None), file)
    planning = on_streets(real(sqlite_engine, real_data), made)
    doors = [one.door for one in planning.candidates]
    ties = (
        [made.tie(at.location.lat, at.location.lon, at.address) for at in doors],
        [made.tie(at.lat, at.lon) for at in planning.ground.need.places],
    )
    metres = Dijkstra(made).cm(*map(np.array, ties)) / 100
    steps = planning.plan(3, [5]).steps
    for number in (2, 3):
        found = most_met(planning, metres, number)
        assert steps[number - 1].met == pytest.approx(found, abs=1e-8)
    # It must have made a difference that ways are not as the crow flies.
    by_crow = replace(planning, ground=replace(planning.ground, on_foot=OnFoot(1.7)))
    assert by_crow.plan(3, [5]).steps[2].references != steps[2].references
