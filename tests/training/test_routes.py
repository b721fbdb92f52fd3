from datetime import date, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI
from httpx import Client
from sqlalchemy import Engine

from app.core.london import LONDON
from app.training.courses import COURSES
from app.venues.models import Business, Venue
from tests.factories import make_venue

SESSIONS = "/v1/admin/training/sessions"
ATTENDANCES = "/v1/admin/training/attendances"
HEADCOUNTS = "/v1/admin/headcounts"
FIGURES = "/v1/admin/training/figures"


@pytest.fixture
def venue(engine: Engine) -> UUID:
    return make_venue(engine).id


def attended(venue: UUID, new: int = 0, refresher: int = 0, role: str = "bar_staff") -> Any:
    return {"venue_id": str(venue), "role": role, "new": new, "refresher": refresher}


def delivered(officer: Client, on: str, *attendances: Any, course: str = "wave") -> Any:
    asked = {"course": course, "on": on, "attendances": attendances}
    answer = officer.post(SESSIONS, json=asked)
    assert answer.status_code == 201, answer.text
    return answer.json()


def declared(officer: Client, venue: UUID, on: str, staff: int, left: int = 0) -> Any:
    asked = {"on": on, "staff": staff, "left": left}
    answer = officer.post(f"/v1/admin/venues/{venue}/headcounts", json=asked)
    assert answer.status_code == 201, answer.text
    return answer.json()


def voided(officer: Client, path: str, reason: str = "entered by mistake") -> Any:
    tag = officer.get(path).headers["ETag"]
    answer = officer.post(f"{path}/void", json={"reason": reason}, headers={"If-Match": tag})
    assert answer.status_code == 200, answer.text
    return answer.json()


def standing(officer: Client, venue: UUID, course: str = "wave", **asked: Any) -> Any:
    answer = officer.get(f"/v1/admin/venues/{venue}/training", params=asked)
    assert answer.status_code == 200, answer.text
    return next(one for one in answer.json()["courses"] if one["course"] == course)


def problem(answer: Any) -> tuple[int, str, list[str]]:
    body = answer.json()
    fields = [error["field"] for error in body.get("errors", [])]
    return answer.status_code, body["type"].rpartition(":")[2], fields


def test_courses_and_roles(licensing: Client) -> None:
    answer = licensing.get("/v1/admin/courses").json()
    assert [course["key"] for course in answer["courses"]] == list(COURSES)
    assert "door_supervisor" in answer["roles"]


# --- sessions --------------------------------------------------------------------------------


def test_a_session_is_recorded_with_its_attendances(officer: Client, venue: UUID) -> None:
    asked = {
        "course": "wave",
        "on": "2025-03-14",
        "place": "  Bishopsgate   Police Station ",
        "provider": "Safer Business Network",
        "attendances": [attended(venue, 10), attended(venue, 2, 1, role="manager")],
    }
    answer = officer.post(SESSIONS, json=asked)
    made = answer.json()
    assert answer.status_code == 201
    assert (made["on"], made["place"]) == ("2025-03-14", "Bishopsgate Police Station")
    assert made["trained"] == {"new": 12, "refresher": 1, "total": 13}
    assert {one["role"]: one["new"] for one in made["attendances"]} == {
        "bar_staff": 10,
        "manager": 2,
    }
    assert made["recorded_by"].startswith("account ")
    assert "note" not in made
    assert "voided" not in made
    read = officer.get(answer.headers["Location"])
    assert read.json() == made
    assert read.headers["ETag"] == answer.headers["ETag"]
    (again,) = officer.get(SESSIONS).json()["items"]
    assert again == made


BAD_SESSIONS: list[tuple[dict[str, Any], list[str], str]] = [
    ({"course": "karate"}, ["course"], "not a course"),
    ({"on": "1999-12-31"}, ["on"], "before there was anything"),
    ({"on": "2199-01-01"}, ["on"], "beyond what is known"),
    ({"attendances": []}, ["attendances"], "nobody came"),
    ({"trainee": "A. Name"}, ["trainee"], "names have no place"),
    ({"note": "a" * 4001}, ["note"], "too long"),
    ({"provider": "a\x00b"}, ["provider"], "a control character"),
    ({"counts": {"new": 0}}, ["attendances.0"], "counts nobody"),
    ({"counts": {"new": -1, "refresher": 2}}, ["attendances.0.new"], "below nobody"),
    ({"counts": {"new": 10_001}}, ["attendances.0.new"], "a slip of the finger"),
    ({"counts": {"name": "A. Name"}}, ["attendances.0.name"], "names have no place"),
    ({"counts": {"role": "friend"}}, ["attendances.0.role"], "not a role"),
    ({"counts": {"venue_id": str(uuid4())}}, ["attendances.0.venue_id"], "no such venue"),
]


def test_a_bad_session_is_refused(officer: Client, venue: UUID) -> None:
    for wrong, fields, why in BAD_SESSIONS:
        counts = attended(venue, 1) | wrong.get("counts", {})
        asked = {"course": "wave", "on": "2025-03-14", "attendances": [counts]} | wrong
        asked.pop("counts", None)
        assert problem(officer.post(SESSIONS, json=asked)) == (422, "invalid", fields), why
    assert officer.get(SESSIONS).json() == {"items": []}


def test_nobody_is_counted_twice(officer: Client, venue: UUID) -> None:
    twice = [attended(venue, 1), attended(venue, 2)]
    asked = {"course": "wave", "on": "2025-03-14", "attendances": twice}
    assert problem(officer.post(SESSIONS, json=asked)) == (422, "invalid", ["attendances.1"])
    made = delivered(officer, "2025-03-14", attended(venue, 1))
    more = f"{SESSIONS}/{made['id']}/attendances"
    answer = officer.post(more, json=attended(venue, 2))
    assert problem(answer) == (409, "counted-already", [])
    voided(officer, f"{ATTENDANCES}/{made['attendances'][0]['id']}")
    assert officer.post(more, json=attended(venue, 2)).status_code == 201
    assert officer.get(f"{SESSIONS}/{made['id']}").json()["trained"]["total"] == 2


def test_nothing_is_recorded_for_days_to_come(officer: Client, venue: UUID) -> None:
    tomorrow = (datetime.now(LONDON).date() + timedelta(days=1)).isoformat()
    session = {"course": "wave", "on": tomorrow, "attendances": [attended(venue, 1)]}
    assert problem(officer.post(SESSIONS, json=session)) == (422, "invalid", ["on"])
    headcount = {"on": tomorrow, "staff": 5, "left": 0}
    answer = officer.post(f"/v1/admin/venues/{venue}/headcounts", json=headcount)
    assert problem(answer) == (422, "invalid", ["on"])


def test_an_attendance_can_be_added_and_voided_alone(officer: Client, venue: UUID) -> None:
    made = delivered(officer, "2025-03-14", attended(venue, 10))
    asked = attended(venue, 3, role="security")
    added = officer.post(f"{SESSIONS}/{made['id']}/attendances", json=asked)
    assert officer.get(added.headers["Location"]).json() == added.json()
    assert (added.json()["on"], added.json()["course"]) == ("2025-03-14", "wave")
    path = f"{ATTENDANCES}/{made['attendances'][0]['id']}"
    gone = voided(officer, path, "Another pub of that name")
    assert gone["voided"]["reason"] == "Another pub of that name"
    read = officer.get(f"{SESSIONS}/{made['id']}").json()
    assert read["trained"] == {"new": 3, "refresher": 0, "total": 3}
    assert len(read["attendances"]) == 2
    assert standing(officer, venue, on="2025-04-01")["trained"] == 3
    tag = officer.get(path).headers["ETag"]
    answer = officer.post(f"{path}/void", json={"reason": "once more"}, headers={"If-Match": tag})
    assert problem(answer) == (409, "already-void", [])


def test_a_voided_session_trained_nobody(officer: Client, venue: UUID) -> None:
    made = delivered(officer, "2025-03-14", attended(venue, 10))
    path = f"{SESSIONS}/{made['id']}"
    assert problem(officer.post(f"{path}/void", json={"reason": "wrong"}))[0] == 428
    stale = officer.post(f"{path}/void", json={"reason": "wrong"}, headers={"If-Match": '"x"'})
    assert problem(stale) == (412, "stale", [])
    assert voided(officer, path)["trained"]["total"] == 0
    assert standing(officer, venue, on="2025-04-01")["status"] == "never"
    answer = officer.post(f"{path}/attendances", json=attended(venue, 1, role="manager"))
    assert problem(answer) == (409, "session-is-void", [])
    assert officer.get(SESSIONS).json()["items"] == []
    (listed,) = officer.get(SESSIONS, params={"voided": True}).json()["items"]
    assert listed["voided"]["reason"] == "entered by mistake"


def test_sessions_are_found(officer: Client, engine: Engine, venue: UUID) -> None:
    other = make_venue(engine).id
    delivered(officer, "2025-03-29", attended(venue, 1))
    delivered(officer, "2025-03-30", attended(venue, 2), attended(other, 1), course="bystander")
    delivered(officer, "2025-03-31", attended(other, 3))
    last = delivered(officer, "2025-04-01", attended(venue, 1), attended(other, 1))
    (mistake,) = (one["id"] for one in last["attendances"] if one["venue_id"] == str(venue))
    voided(officer, f"{ATTENDANCES}/{mistake}")

    def found(**asked: Any) -> list[str]:
        answer = officer.get(SESSIONS, params=asked)
        assert answer.status_code == 200, answer.text
        return [item["on"][5:] for item in answer.json()["items"]]

    assert found() == ["04-01", "03-31", "03-30", "03-29"]
    assert found(course="wave") == ["04-01", "03-31", "03-29"]
    # The clocks went forward on the 30th: days are London's.
    assert found(**{"from": "2025-03-30", "until": "2025-03-30"}) == ["03-30"]
    assert found(until="2025-03-29") == ["03-29"]
    assert found(venue_id=venue) == ["03-30", "03-29"]
    assert found(venue_id=venue, voided=True) == ["04-01", "03-30", "03-29"]
    assert found(course="makesafe") == []
    first = officer.get(SESSIONS, params={"limit": 3}).json()
    second = officer.get(SESSIONS, params={"limit": 3, "after": first["next"]}).json()
    assert [item["on"][5:] for item in first["items"] + second["items"]] == found()
    assert "next" not in second
    for wrong in ({"cours": "wave"}, {"from": "2025-02-01", "until": "2025-01-01"}):
        assert officer.get(SESSIONS, params=wrong).status_code == 422


# --- headcounts and standing -----------------------------------------------------------------


def test_headcounts(officer: Client, venue: UUID) -> None:
    first = declared(officer, venue, "2025-01-01", 20)
    second = declared(officer, venue, "2025-02-01", 18, 2)
    path = f"/v1/admin/venues/{venue}/headcounts"
    assert officer.get(path).json()["items"] == [second, first]
    assert officer.get(f"{HEADCOUNTS}/{first['id']}").json() == first
    for staff, left in ((18, 2), (17, 3)):
        again = {"on": "2025-02-01", "staff": staff, "left": left}
        assert problem(officer.post(path, json=again)) == (409, "declared-already", [])
    voided(officer, f"{HEADCOUNTS}/{second['id']}")
    assert officer.get(path).json()["items"] == [first]
    assert len(officer.get(path, params={"voided": True}).json()["items"]) == 2
    wrong = {"on": "2025-01-01", "staff": -1, "left": 0}
    assert problem(officer.post(path, json=wrong)) == (422, "invalid", ["staff"])


def test_a_venues_training_and_what_made_it_so(officer: Client, venue: UUID) -> None:
    declared(officer, venue, "2025-01-01", 20)
    session = delivered(officer, "2025-01-10", attended(venue, 12))
    declared(officer, venue, "2025-06-01", 20, 2)
    answer = officer.get(f"/v1/admin/venues/{venue}/training", params={"on": "2025-06-01"}).json()
    assert (answer["on"], answer["headcount"]) == ("2025-06-01", 20)
    assert [one["left"] for one in answer["headcounts"]] == [0, 2]
    wave, angela, *_ = answer["courses"]
    assert {**wave, "attendances": [one["session_id"] for one in wave["attendances"]]} == {
        "course": "wave",
        "name": COURSES["wave"].name,
        "status": "current",
        "validity_months": 12,
        "trained": 10,
        "coverage": 0.5,
        "rag": "amber",
        "in_date_until": "2026-01-09",
        "attendances": [session["id"]],
    }
    assert (angela["status"], angela["rag"], angela["attendances"]) == ("never", "red", [])
    before = standing(officer, venue, on="2025-05-31")
    assert (before["trained"], before["coverage"]) == (12, 0.6)
    # Today, which is long after.
    assert standing(officer, venue)["status"] == "lapsed"


def test_as_known_at(officer: Client, venue: UUID) -> None:
    def at(**asked: Any) -> tuple[str, int]:
        found = standing(officer, venue, on="2025-06-01", **asked)
        return found["status"], found["trained"]

    made = delivered(officer, "2025-01-10", attended(venue, 12))
    after_first = made["recorded_at"]
    before_first = datetime.fromisoformat(after_first) - timedelta(microseconds=1)
    added = officer.post(
        f"{SESSIONS}/{made['id']}/attendances", json=attended(venue, 3, role="manager")
    ).json()
    gone = voided(officer, f"{ATTENDANCES}/{made['attendances'][0]['id']}")
    gone_session = voided(officer, f"{SESSIONS}/{made['id']}")
    assert at() == ("never", 0)
    assert at(known_at=before_first.isoformat()) == ("never", 0)
    assert at(known_at=after_first) == ("current", 12)
    assert at(known_at=added["recorded_at"]) == ("current", 15)
    assert at(known_at=gone["voided"]["at"]) == ("current", 3)
    assert at(known_at=gone_session["voided"]["at"]) == ("never", 0)
    whole = {"from": "2025-01-01", "until": "2025-12-31"}
    assert officer.get(FIGURES, params=whole).json()["trained"]["total"] == 0
    known = officer.get(FIGURES, params=whole | {"known_at": added["recorded_at"]}).json()
    assert (known["sessions"], known["trained"]["total"], known["venues"]) == (1, 15, 1)


def test_what_was_known_says_nothing_of_what_was_voided_later(officer: Client, venue: UUID) -> None:
    made = delivered(officer, "2025-01-10", attended(venue, 12))
    counted = officer.post(
        f"/v1/admin/venues/{venue}/headcounts", json={"on": "2025-01-10", "staff": 20, "left": 0}
    ).json()
    path = f"/v1/admin/venues/{venue}/training"
    asked = {"on": "2025-06-01", "known_at": counted["recorded_at"]}
    told = officer.get(path, params=asked).json()
    voided(officer, f"{ATTENDANCES}/{made['attendances'][0]['id']}")
    voided(officer, f"/v1/admin/headcounts/{counted['id']}")
    assert officer.get(path, params=asked).json() == told
    (of_course,) = [one for one in told["courses"] if one["attendances"]]
    assert len(of_course["attendances"]) == len(told["headcounts"]) == 1


def test_only_past_instants_can_be_asked_for(officer: Client, venue: UUID) -> None:
    path = f"/v1/admin/venues/{venue}/training"
    for known_at, why in (
        ("2099-01-01T00:00:00Z", "it would say something else when the time comes"),
        ("2025-01-01T00:00:00", "in which time zone?"),
        ("0001-01-01T00:00:00+14:00", "before the first instant there is"),
        ("soon", "not an instant"),
    ):
        answer = officer.get(path, params={"known_at": known_at})
        assert problem(answer) == (422, "invalid", ["known_at"]), why


def test_what_is_not_there(officer: Client) -> None:
    nobody = uuid4()
    for path in (
        f"{SESSIONS}/{nobody}",
        f"{ATTENDANCES}/{nobody}",
        f"{HEADCOUNTS}/{nobody}",
        f"/v1/admin/venues/{nobody}/headcounts",
        f"/v1/admin/venues/{nobody}/training",
    ):
        assert officer.get(path).status_code == 404, path
    headcount = {"on": "2025-01-01", "staff": 5, "left": 0}
    path = f"/v1/admin/venues/{nobody}/headcounts"
    assert officer.post(path, json=headcount).status_code == 404
    match = {"If-Match": '"x"'}
    for path in (f"{SESSIONS}/{nobody}", f"{ATTENDANCES}/{nobody}", f"{HEADCOUNTS}/{nobody}"):
        answer = officer.post(f"{path}/void", json={"reason": "wrong"}, headers=match)
        assert answer.status_code == 404, path


def test_who_may_record(licensing: Client, venue: UUID) -> None:
    asked = {"course": "wave", "on": "2025-03-14", "attendances": [attended(venue, 1)]}
    assert licensing.post(SESSIONS, json=asked).status_code == 403
    headcount = {"on": "2025-01-01", "staff": 5, "left": 0}
    path = f"/v1/admin/venues/{venue}/headcounts"
    assert licensing.post(path, json=headcount).status_code == 403
    assert licensing.get(f"/v1/admin/venues/{venue}/training").status_code == 200


def test_a_repeated_create_has_one_effect(officer: Client, venue: UUID) -> None:
    asked = {"course": "wave", "on": "2025-03-14", "attendances": [attended(venue, 12)]}
    key = {"Idempotency-Key": "march"}
    first, second = (officer.post(SESSIONS, json=asked, headers=key) for _ in range(2))
    assert first.content == second.content
    assert standing(officer, venue, on="2025-04-01")["trained"] == 12


# --- figures ---------------------------------------------------------------------------------


def test_366_people_were_trained_between_october_2023_and_april_2025(
    app: FastAPI, officer: Client, engine: Engine
) -> None:
    chance = Random(366)
    with app.state.journal.writing("test") as session:
        businesses = [Business(name=f"Business {n}") for n in range(40)]
        session.add_all(businesses)
        run_by = [business.id for business in businesses]
    venues = [make_venue(engine, business_id=run_by[n % 40]).id for n in range(60)]
    first, last = date(2023, 10, 1), date(2025, 4, 30)
    days = [first, last, *(first + timedelta(chance.randrange(577)) for _ in range(20))]
    left, seen, count = 366, set(), 0
    while left:
        guests = chance.sample(venues, min(left, chance.randint(5, 30)))
        attendances = []
        for guest in guests:
            people = min(left, chance.randint(1, 4))
            again = chance.randint(0, people - 1) if people > 1 else 0
            left -= people
            seen |= {guest} if people else set()
            attendances += [attended(guest, people - again, again)] if people else []
        course = chance.choice(list(COURSES))
        delivered(officer, days[count % len(days)].isoformat(), *attendances, course=course)
        count += 1
    # What lies outside the period, and what was a mistake.
    delivered(officer, "2023-09-30", attended(venues[0], 50))
    delivered(officer, "2025-05-01", attended(venues[0], 50))
    mistake = delivered(officer, "2024-06-01", attended(venues[0], 50))
    voided(officer, f"{SESSIONS}/{mistake['id']}")

    asked = {"from": first.isoformat(), "until": last.isoformat()}
    found = officer.get(FIGURES, params=asked).json()
    trained = found["trained"]
    assert trained["total"] == 366
    assert trained["new"] + trained["refresher"] == 366
    assert trained["refresher"] > 0
    assert (found["sessions"], found["venues"]) == (count, len(seen))
    assert (found["from"], found["until"]) == ("2023-10-01", "2025-04-30")
    assert sum(one["trained"]["total"] for one in found["courses"]) == 366
    assert sum(one["sessions"] for one in found["courses"]) == count


def test_businesses_are_those_that_ran_the_venues_at_the_end_of_the_period(
    app: FastAPI, officer: Client, engine: Engine
) -> None:

    with app.state.journal.writing("test") as session:
        one, another = Business(name="One"), Business(name="Another")
        session.add_all([one, another])
        ids = [one.id, another.id]
    venues = [make_venue(engine).id for _ in range(3)]
    with app.state.journal.writing("test") as session:
        for venue, business in zip(venues, [ids[0], ids[0], ids[1]], strict=True):
            session.get(Venue, venue).business_id = business
    for venue in venues:
        delivered(officer, "2025-03-14", attended(venue, 2))
    asked = {"from": "2025-03-01", "until": "2025-03-31"}
    found = officer.get(FIGURES, params=asked).json()
    assert (found["venues"], found["businesses"]) == (3, 2)


def test_figures_need_a_period(officer: Client) -> None:
    assert problem(officer.get(FIGURES)) == (422, "invalid", ["from", "until"])
    backwards = officer.get(FIGURES, params={"from": "2025-02-01", "until": "2025-01-01"})
    assert backwards.status_code == 422
