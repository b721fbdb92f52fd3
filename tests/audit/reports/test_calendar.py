"""The private calendar: what is in it, who can read it, and for how long."""

import json
import logging
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest
import vobject
from fastapi import FastAPI
from sqlalchemy import Engine, text, update
from sqlmodel import Session, col, select

from app.accounts.models import Account, CalendarAddress, Role
from app.core.journal_chain import Entry
from app.core.london import today
from app.core.settings import settings
from app.outreach.models import Result, SchemeTest, SchemeTested
from app.schemes.models import Decision
from app.schemes.registry import SchemeKey
from app.training.courses import CourseKey, StaffRole
from app.training.models import Attendance, TrainingSession
from app.venues.models import Venue
from tests.accounts import add_account, sign_in
from tests.audit.records import add, add_venue
from tests.servers import METRICS, client_of

ADDRESS, REVOKE = "/v1/audit/calendar", "/v1/audit/calendar/revoke"


def days(number: int) -> date:
    return today() + timedelta(days=number)


def award(engine: Engine, venue: Venue, on: date, until: date | None, **details: Any) -> Decision:
    usual = {"venue_id": venue.id, "scheme": SchemeKey.SAFE_HAVEN, "kind": "awarded"}
    return add(engine, Decision, on, until=until, **usual | details)


def train(engine: Engine, venue: Venue, on: date) -> None:
    session = add(engine, TrainingSession, on, course=CourseKey.WAVE)
    told = {"role": StaffRole.BAR_STAFF, "new_count": 2, "refresher_count": 0}
    add(engine, Attendance, on, session_id=session.id, venue_id=venue.id, **told)


def change(client: httpx.Client, path: str) -> httpx.Response:
    """Ask for a change of the address as it is now."""
    tag = client.get(ADDRESS).headers["ETag"]
    return client.post(path, headers={"If-Match": tag})


def make_address(client: httpx.Client) -> str:
    answer = change(client, ADDRESS)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "private, no-store"
    address: str = answer.json()["address"]
    return address


def events(content: str) -> dict[str, Any]:
    """The events by their summaries, as another library reads them."""
    read = vobject.readOne(content)
    read.validate(raiseException=True)
    assert read.version.value == "2.0"
    found = {event.summary.value: event for event in read.contents.get("vevent", [])}
    for event in found.values():
        assert isinstance(event.dtstart.value, date)
        assert not isinstance(event.dtstart.value, datetime)
        assert event.dtstamp.value.tzinfo is not None
    return found


def gone(answer: httpx.Response) -> bool:
    return (answer.status_code, answer.json()["title"]) == (
        404,
        "There is no calendar at this address",
    )


def test_what_is_in_it(auditor: httpx.Client, anybody: httpx.Client, engine: Engine) -> None:
    venue = add_venue(engine, reference="COL-0042", name="Ünder, the; Lantern\\ «" + "é" * 60)
    award(engine, venue, days(-300), days(40), certificate="SH-2025-0042")
    charter = {"scheme": SchemeKey.WOMENS_NIGHT_SAFETY_CHARTER}
    award(engine, venue, days(-500), None, **charter)
    train(engine, venue, days(-400))
    late = add_venue(engine, name="Too late")
    award(engine, late, days(-300), days(91))
    told = {"scheme": SchemeTested.ASK_FOR_ANGELA, "result": Result.FAILED}
    add(engine, SchemeTest, days(-10), venue_id=late.id, **told)

    answer = anybody.get(make_address(auditor))
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
    assert answer.headers["Cache-Control"] == "private, no-store"
    lines = answer.content.split(b"\r\n")
    assert b"\n" not in b"".join(lines)
    assert max(map(len, lines)) <= 75
    assert b"X-WR-CALNAME:Safe Havens: due" in lines
    assert b"REFRESH-INTERVAL;VALUE=DURATION:PT6H" in lines

    found = events(answer.text)
    assert set(found) == {
        f"{venue.name}: Safe Haven lapses",
        f"{venue.name}: Women's Night Safety Charter review overdue",
        f"{venue.name}: Welfare And Vulnerability Engagement (WAVE) training lapsed",
    }
    award_ = found[f"{venue.name}: Safe Haven lapses"]
    assert award_.dtstart.value == days(40)
    assert award_.description.value.splitlines() == [
        "Reference: COL-0042",
        "Ward: outside the wards",
        "Certificate: SH-2025-0042",
    ]
    uids = {event.uid.value for event in found.values()}
    assert len(uids) == 3
    again = events(anybody.get(make_address(auditor)).text)
    assert {event.uid.value for event in again.values()} == uids, "the same for the same"
    assert "test" not in answer.text.lower()


def test_nothing_is_due(auditor: httpx.Client, anybody: httpx.Client) -> None:
    assert events(anybody.get(make_address(auditor)).text) == {}


def test_an_address_is_one_at_a_time_and_ends_at_once(
    auditor: httpx.Client, anybody: httpx.Client
) -> None:
    assert auditor.get(ADDRESS).json() == {}
    first = make_address(auditor)
    assert anybody.get(first).status_code == 200
    assert datetime.fromisoformat(auditor.get(ADDRESS).json()["made_at"]) <= datetime.now(UTC)
    second = make_address(auditor)
    assert gone(anybody.get(first))
    assert anybody.get(second).status_code == 200
    ended = change(auditor, REVOKE)
    assert (ended.status_code, ended.json()) == (200, {})
    assert gone(anybody.get(second))
    nothing = change(auditor, REVOKE)
    assert nothing.status_code == 404
    assert nothing.json()["title"] == "Your calendar has no address"


def test_a_change_of_what_somebody_changed_since(auditor: httpx.Client) -> None:
    tag = auditor.get(ADDRESS).headers["ETag"]
    make_address(auditor)
    for path in (ADDRESS, REVOKE):
        assert auditor.post(path, headers={"If-Match": tag}).status_code == 412
        assert auditor.post(path).status_code == 428


def test_whose_account_may_not_read_it_any_more(
    app: FastAPI, anybody: httpx.Client, engine: Engine
) -> None:
    for changed in (
        {"disabled": True},
        {"roles": [Role.OFFICER]},
        {"password_is_temporary": True},
    ):
        account = add_account(engine, "licensing", "officer")
        with client_of(anybody.base_url, sign_in(app, account)) as client:
            address = make_address(client)
        assert anybody.get(address).status_code == 200
        with engine.execution_options(writes=True).begin() as connection:
            connection.execute(
                update(Account).where(col(Account.id) == account.id).values(**changed)
            )
        assert gone(anybody.get(address)), changed


def test_each_account_has_its_own(app: FastAPI, anybody: httpx.Client, engine: Engine) -> None:
    addresses = []
    for role in ("licensing", "administrator"):
        headers = sign_in(app, add_account(engine, role))
        with client_of(anybody.base_url, headers) as client:
            assert client.get(ADDRESS).json() == {}
            addresses.append(make_address(client))
    assert [anybody.get(address).status_code for address in addresses] == [200, 200]


def test_addresses_that_never_were(anybody: httpx.Client, auditor: httpx.Client) -> None:
    real = make_address(auditor)
    for address in (
        "/v1/calendar/x.ics",
        "/v1/calendar/%00.ics",
        "/v1/calendar/%ff%ed%a0%80.ics",
        f"/v1/calendar/{'x' * 5000}.ics",
        real.replace(".ics", "x.ics"),
        real.swapcase().replace(".ICS", ".ics").replace("/V1/CALENDAR/", "/v1/calendar/"),
    ):
        assert gone(anybody.get(address)), address
    assert anybody.get("/v1/calendar/.ics").status_code == 404
    assert anybody.get(real.removesuffix(".ics")).status_code == 404
    assert anybody.post(real).status_code == 405


def test_the_secret_is_kept_nowhere(
    auditor: httpx.Client,
    anybody: httpx.Client,
    engine: Engine,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    address = make_address(auditor)
    secret = address.removeprefix("/v1/calendar/").removesuffix(".ics")
    assert len(secret) >= 43
    assert anybody.get(address).status_code == 200
    change(auditor, REVOKE)
    assert anybody.get(address).status_code == 404
    metrics = anybody.get("/metrics", headers=METRICS).text
    assert secret not in metrics
    assert 'route="/v1/calendar/{secret}.ics"' in metrics
    of_server = [r.getMessage() for r in caplog.records if not r.name.startswith("http")]
    assert secret not in "".join(of_server)
    with Session(engine) as session:
        (kept,) = session.exec(select(CalendarAddress)).all()
        assert secret not in kept.model_dump_json()
        found = select(Entry).where(col(Entry.subject) == "calendar_address")
        entries = session.exec(found.order_by(col(Entry.number))).all()
    made, ended = (json.loads(entry.after or "") for entry in entries)
    assert secret not in str(entries)
    assert kept.secret_hash not in json.dumps([made, ended]), "the journal keeps no secret"
    assert set(ended) == {"revoked_at"}
    with engine.connect() as connection:
        answered = connection.execute(text("SELECT count(*) FROM answered_create")).scalar_one()
    assert answered == 0


def test_a_demonstration_says_so(
    auditor: httpx.Client, anybody: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = make_address(auditor)
    assert "demonstration" not in anybody.get(address).text
    demo = settings().model_copy(update={"environment": "demo"})
    monkeypatch.setattr("app.audit.reports.calendar.settings", lambda: demo)
    read = vobject.readOne(anybody.get(address).text)
    assert read.x_wr_calname.value == "Safe Havens: due (demonstration)"
    assert read.description.value.endswith("demonstration data: no venue here is real")
