"""Problem reports: taken from anybody without a trace, worked through by officers."""

import re
from datetime import datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from sqlalchemy import Engine

from app.core.db import read_session
from app.core.journal_chain import Entry
from app.core.london import LONDON
from app.core.settings import Settings
from app.outreach import reports
from app.outreach.models import ProblemReport
from tests.conftest import SignIn
from tests.factories import make_venue
from tests.servers import until

QUEUE = "/v1/admin/problem-reports"


@pytest.fixture
def haven(anybody: httpx.Client, engine: Engine) -> UUID:
    """A haven that the public can see."""
    venue = make_venue(engine, name="The Lantern").id
    until(lambda: anybody.get(f"/v1/havens/{venue}").status_code == 200)
    return venue


def report(anybody: httpx.Client, haven: UUID, **given: Any) -> httpx.Response:
    return anybody.post(f"/v1/havens/{haven}/problem-reports", json={"kind": "closed"} | given)


def queue(officer: httpx.Client, **asked: Any) -> list[Any]:
    answer = officer.get(QUEUE, params=asked)
    assert answer.status_code == 200, answer.text
    found: list[Any] = answer.json()["items"]
    return found


def step(officer: httpx.Client, path: str, what: str, note: str = "Rang the manager") -> Any:
    etag = officer.get(path).headers["ETag"]
    return officer.post(f"{path}/{what}", json={"note": note}, headers={"If-Match": etag})


def test_anybody_may_report_and_is_told_whom_to_call(
    anybody: httpx.Client, officer: httpx.Client, haven: UUID
) -> None:
    answer = report(anybody, haven, comment=" Door locked \r\n at 11 ")
    assert answer.status_code == 202, answer.text
    assert "Nobody reads it live" in answer.json()["notice"]
    assert answer.json()["help"] == anybody.get("/v1/help").json()["help"]
    assert set(answer.json()) == {"notice", "help"}
    assert answer.headers["Cache-Control"] == "no-store"
    (found,) = queue(officer)
    assert found["venue"] == {"id": str(haven), "name": "The Lantern"}
    assert found["comment"] == "Door locked \n at 11"
    assert found["on"] == datetime.now(LONDON).date().isoformat()
    assert (found["kind"], found["state"], found["steps"]) == ("closed", "new", [])


def test_nothing_says_who_reported_or_when_in_the_day(
    anybody: httpx.Client, haven: UUID, engine: Engine, tmp_path: Path
) -> None:
    traces = {
        "User-Agent": "Phone-of-Sam/7",
        "X-Forwarded-For": "203.0.113.77",
        "Referer": "https://a.test/?lat=51.5137",
        "Cookie": "who=sam",
    }
    answer = anybody.post(
        f"/v1/havens/{haven}/problem-reports", json={"kind": "felt_unsafe"}, headers=traces
    )
    assert answer.status_code == 202
    with engine.connect() as connection:
        row = connection.execute(sa.select(ProblemReport.__table__)).mappings().one()  # type: ignore[attr-defined]
        assert connection.execute(sa.select(Entry.__table__)).all() == []  # type: ignore[attr-defined]
    assert set(row) == {
        *("id", "venue_id", "kind", "comment", "state", "set_apart", "recorded_by"),
        *("effective_at", "recorded_at", "voided_at", "voided_by", "void_reason"),
    }
    assert row["recorded_by"] == "public"
    for at in (row["effective_at"], row["recorded_at"]):
        local = at.astimezone(LONDON)
        assert local.date() == datetime.now(LONDON).date()
        assert local.time().isoformat() == "23:59:59.999999"
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert not re.search(rb"Phone-of-Sam|203\.0\.113|51\.5137|who=sam", path.read_bytes())


def test_what_is_no_report_is_refused_without_an_echo(
    anybody: httpx.Client, officer: httpx.Client, haven: UUID
) -> None:
    bodies: list[Any] = [
        {},
        {"kind": "great"},
        {"comment": "No kind"},
        {"kind": "closed", "comment": "x" * 1001},
        {"kind": "closed", "comment": "51.5137246813\x00"},
        {"kind": "closed", "lat": 51.5137246813, "lon": -0.0981357913},
        {"kind": "closed", "51.5137246813": 1},
        ["closed"],
        "closed",
        None,
    ]
    for body in bodies:
        answer = anybody.post(f"/v1/havens/{haven}/problem-reports", json=body)
        assert answer.status_code == 422, body
        assert "5137246813" not in answer.text
    broken = anybody.post(
        f"/v1/havens/{haven}/problem-reports",
        content=b'{"kind": "\xed\xa0\x80',
        headers={"Content-Type": "application/json"},
    )
    assert broken.status_code in (400, 422)
    assert queue(officer) == []


def test_only_a_listed_haven_can_be_reported(
    anybody: httpx.Client, engine: Engine, haven: UUID
) -> None:
    hidden = make_venue(engine, safe_haven_from=None, safe_haven_until=None).id
    for nowhere in (hidden, uuid4()):
        assert report(anybody, nowhere).status_code == 404
    answer = anybody.post("/v1/havens/not-a-uuid/problem-reports", json={"kind": "closed"})
    assert answer.status_code == 422


def test_a_flood_is_set_apart_and_bounded_for_each_haven_and_day(
    anybody: httpx.Client, officer: httpx.Client, haven: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = Settings.model_validate({"reports_per_day": 3})
    monkeypatch.setattr(reports, "settings", lambda: few)
    monkeypatch.setattr(reports, "ROOM_APART", 2)
    sent = [report(anybody, haven, comment=f"{number}").status_code for number in range(7)]
    assert sent == [202] * 6 + [429]
    refused = report(anybody, haven)
    assert "999" in refused.json()["title"]
    assert refused.json()["help"] == anybody.get("/v1/help").json()["help"]
    assert {one["comment"] for one in queue(officer)} == {"0", "1", "2"}
    apart = queue(officer, set_apart=True)
    assert {one["comment"] for one in apart} == {"3", "4", "5"}
    assert all(one["set_apart"] and one["state"] == "new" for one in apart)
    honest = f"{QUEUE}/{apart[0]['id']}"
    assert step(officer, honest, "take-up").json()["state"] == "acting"
    assert honest in [f"{QUEUE}/{one['id']}" for one in queue(officer)]


def test_a_flood_from_one_address_or_many_keeps_no_honest_report_out(
    app: FastAPI, anybody: httpx.Client, officer: httpx.Client, haven: UUID
) -> None:
    app.state.trusted_proxies = (ip_network("127.0.0.1"),)

    def report_from(address: str) -> httpx.Response:
        return anybody.post(
            f"/v1/havens/{haven}/problem-reports",
            json={"kind": "closed", "comment": address},
            headers={"X-Forwarded-For": address},
        )

    flood = [report_from("203.0.113.1") for _ in range(30)]
    assert [one.status_code for one in flood] == [202] * 25 + [429] * 5
    assert flood[-1].json()["type"].endswith(":too-many-from-one-address")
    assert int(flood[-1].headers["Retry-After"]) > 0
    assert report_from("192.0.2.1").status_code == 202
    in_queue = [one["comment"] for one in queue(officer)]
    assert sorted(in_queue) == ["192.0.2.1"] + ["203.0.113.1"] * 5
    assert len(queue(officer, set_apart=True)) == 20
    for number in range(60):
        assert report_from(f"198.51.100.{number}").status_code == 202
    assert report_from("192.0.2.2").status_code == 202
    assert len(queue(officer, limit=100)) == 50
    apart = queue(officer, set_apart=True, limit=100)
    assert len(apart) == 20 + 6 + 60 + 1 - 50
    assert "192.0.2.2" in [one["comment"] for one in apart], "it is not lost"


# --- several at once -------------------------------------------------------------------------


def resolve(officer: httpx.Client, key: str = "", **asked: Any) -> httpx.Response:
    headers = {"Idempotency-Key": key} if key else {}
    return officer.post(f"{QUEUE}/resolve", json={"note": "Junk"} | asked, headers=headers)


def test_several_are_resolved_with_one_note_or_none_is(
    anybody: httpx.Client, officer: httpx.Client, haven: UUID, engine: Engine
) -> None:
    for _ in range(3):
        report(anybody, haven)
    ids = [one["id"] for one in queue(officer)]
    unknown = resolve(officer, ids=[*ids, str(uuid4())])
    assert unknown.status_code == 404
    assert len(queue(officer, state="new")) == 3
    done = resolve(officer, ids=[*ids[:2], ids[0]])
    assert done.status_code == 201, done.text
    assert done.json() == {"resolved": 2, "resolved_before": 0, "left": 0}
    assert resolve(officer, ids=ids).json() == {"resolved": 1, "resolved_before": 2, "left": 0}
    assert resolve(officer, ids=ids).json() == {"resolved": 0, "resolved_before": 3, "left": 0}
    for one in queue(officer, state="resolved"):
        (its_step,) = one["steps"]
        assert (its_step["step"], its_step["note"]) == ("resolved", "Junk")
    with read_session(engine) as session:
        subjects = session.scalars(sa.select(Entry.subject)).all()  # type: ignore[call-overload]
    assert subjects == ["report_step"] * 3, "each is in the journal"


def test_those_that_are_so_are_resolved_some_at_a_time(
    anybody: httpx.Client,
    officer: httpx.Client,
    haven: UUID,
    engine: Engine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reports, "RESOLVED_AT_ONCE", 15)
    assert {report(anybody, haven).status_code for _ in range(25)} == {202}
    assert len(queue(officer)) == 5
    today = datetime.now(LONDON).date()
    long_ago = resolve(officer, set_apart=True, until=str(today - timedelta(days=1)))
    assert long_ago.json()["resolved"] == 0
    for _ in range(2):
        first = resolve(officer, "one", set_apart=True, venue_id=str(haven), until=str(today))
        assert first.json() == {"resolved": 15, "resolved_before": 0, "left": 5}
    assert resolve(officer, "two", set_apart=True, kind="other").json()["resolved"] == 0
    rest = resolve(officer, "three", set_apart=True, kind="closed")
    assert rest.json() == {"resolved": 5, "resolved_before": 0, "left": 0}
    assert len(queue(officer, state="new")) == 5, "the queue is left alone"
    everything = resolve(officer, venue_id=str(haven))
    assert everything.json() == {"resolved": 5, "resolved_before": 0, "left": 0}
    assert len(queue(officer, state="resolved")) == 25


def test_nobody_resolves_everything_by_leaving_something_out(
    officer: httpx.Client, licensing: httpx.Client
) -> None:
    assert resolve(officer).status_code == 422
    assert resolve(officer, set_apart=True, ids=[str(uuid4())]).status_code == 422
    assert resolve(officer, set_apart=True, note="").status_code == 422
    assert resolve(licensing, set_apart=True).status_code == 403


def test_with_the_database_down_it_says_whom_to_call(
    anybody: httpx.Client, haven: UUID, engine: Engine
) -> None:
    with engine.execution_options(writes=True).begin() as connection:
        connection.execute(sa.text("ALTER TABLE problem_report RENAME TO out_of_reach"))
    answer = report(anybody, haven, comment="Sam was here")
    assert answer.status_code == 503
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:safe-havens:problem:report-not-kept"
    assert answer.json()["help"] == anybody.get("/v1/help").json()["help"]
    assert "Sam" not in answer.text


def test_an_officer_takes_a_report_up_and_resolves_it(
    anybody: httpx.Client, officer: httpx.Client, haven: UUID, engine: Engine
) -> None:
    for kind in ("closed", "turned_away"):
        assert report(anybody, haven, kind=kind).status_code == 202
    first, second = (f"{QUEUE}/{found['id']}" for found in queue(officer, state="new"))
    taken = step(officer, first, "take-up", "Asking the manager")
    assert taken.status_code == 200, taken.text
    assert taken.json()["state"] == "acting"
    assert step(officer, first, "take-up").status_code == 409
    done = step(officer, first, "resolve", "The sign gives the right time now").json()
    assert done["state"] == "resolved"
    assert [one["step"] for one in done["steps"]] == ["taken_up", "resolved"]
    assert done["steps"][1]["recorded_by"].startswith("account ")
    assert step(officer, first, "resolve").status_code == 409
    assert step(officer, first, "take-up").status_code == 409
    for state, paths in (("new", [second]), ("acting", []), ("resolved", [first])):
        found = queue(officer, state=state)
        assert [f"{QUEUE}/{one['id']}" for one in found] == paths, state
        assert all(one["state"] == state for one in found)
    with read_session(engine) as session:
        subjects = set(session.scalars(sa.select(Entry.subject)))  # type: ignore[call-overload]
    assert subjects == {"report_step"}, "what officers do is journalled, what people tell is not"


def test_a_step_recorded_by_mistake_is_voided(
    anybody: httpx.Client, officer: httpx.Client, haven: UUID
) -> None:
    report(anybody, haven)
    path = f"{QUEUE}/{queue(officer)[0]['id']}"
    resolved = step(officer, path, "resolve").json()["steps"][0]["id"]
    etag = officer.get(path).headers["ETag"]
    void = f"{path}/steps/{resolved}/void"
    answer = officer.post(void, json={"reason": "Another report"}, headers={"If-Match": etag})
    assert answer.status_code == 200, answer.text
    assert answer.json()["state"] == "new"
    assert answer.json()["steps"][0]["voided"]["reason"] == "Another report"
    assert officer.get(path).json()["kind"] == "closed"
    fresh = {"If-Match": officer.get(path).headers["ETag"]}
    elsewhere = officer.post(
        f"{path}/steps/{uuid4()}/void", json={"reason": "None such"}, headers=fresh
    )
    assert elsewhere.status_code == 404


def test_of_two_officers_the_one_who_saw_an_older_state_is_told(
    anybody: httpx.Client, officer: httpx.Client, haven: UUID
) -> None:
    report(anybody, haven)
    path = f"{QUEUE}/{queue(officer)[0]['id']}"
    seen = {"If-Match": officer.get(path).headers["ETag"]}
    for status in (200, 412):
        answer = officer.post(f"{path}/resolve", json={"note": "Rang them"}, headers=seen)
        assert answer.status_code == status
    assert officer.post(f"{path}/resolve", json={"note": "Rang them"}).status_code == 428


def test_only_the_register_reads_what_people_tell(
    anybody: httpx.Client, sign_in: SignIn, haven: UUID
) -> None:
    report(anybody, haven)
    assert anybody.get(QUEUE).status_code == 401
    licensing = sign_in("licensing")
    path = f"{QUEUE}/{queue(licensing)[0]['id']}"
    assert step(licensing, path, "resolve").status_code == 403
