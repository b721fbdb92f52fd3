"""Whatever officers do, in whatever order: the register holds together, and so does the directory.

Hypothesis draws what is done. Every few steps the journal verifies, each row is what its entries
say, nothing is in force while suspended, and the public is shown what the rules make of it all;
what was known at an instant is told alike ever after.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from shutil import copyfile
from tempfile import mkdtemp
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from sqlmodel import col, select

from app.core.db import read_session
from app.core.journal_proof import strays
from app.core.london import today
from app.schemes.models import Decision
from app.schemes.rules import State, standing
from app.venues.hours import open_intervals
from app.venues.models import DirectoryState, Venue, VenueStatus
from tests.accounts import make_app, signed_in
from tests.databases import Postgres
from tests.servers import client_of, serving, until

STEPS = 2_000
LOOK_EVERY = 8
"""Steps between looks at all that must hold: the directory takes a second to follow."""

AN_ID = re.compile("[0-9a-f]{8}-[0-9a-f-]{27}")
CHANGES = 24
"""How many kinds of change officers try: each has to be allowed at times."""

PAST_THE_JOURNAL = {"account", "sign_in"}
"""What this test stores so, to sign in."""

Json = dict[str, Any]
NewDatabase = Callable[[ExitStack], str]

businesses, venues, decisions = Bundle("businesses"), Bundle("venues"), Bundle("decisions")
sessions, attendances, headcounts = Bundle("sessions"), Bundle("attendances"), Bundle("headcounts")
engagements, scheme_tests = Bundle("engagements"), Bundle("scheme_tests")

ago = st.one_of(st.just(0), st.integers(0, 3), st.integers(0, 500))
hours = st.sampled_from(["24/7", "Mo-Su 10:00-22:00", "Fr,Sa 20:00-04:00; PH off"])
categories = st.sampled_from(["pub", "cafe", "shop", "nightclub"])
scheme_keys = st.sampled_from(["safe_haven", "safe_haven", "ask_for_angela"])
courses = st.sampled_from(["wave", "ask_for_angela", "bystander"])
roles = st.sampled_from(["bar_staff", "door_supervisor", "manager"])
few = st.integers(0, 30)
kinds = st.sampled_from(
    ["applied", "assessed", "awarded", "awarded", "suspended", "reinstated", "withdrawn", "refused"]
)
REASON = {"reason": "Entered for the wrong venue"}


def day(days_ago: int) -> str:
    return (today() - timedelta(days=days_ago)).isoformat()


class Register(RuleBasedStateMachine):
    """Officers at work, on a database and a service of their own."""

    new_database: NewDatabase
    data_dir: Path
    taken = 0
    """Steps of all machines together."""
    done: Counter[str]
    """How often each kind of change was allowed."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.steps = self.look_at = 0
        self.told: list[tuple[str, Json, Any]] = []
        self.names = (f"Venue {number}" for number in count(1))

    @initialize(target=venues)
    def open_office(self) -> Any:
        url = self.new_database(self.stack)
        app = make_app(url, Path(mkdtemp(dir=self.data_dir)))
        self.journal = app.state.journal
        self.stack.callback(self.journal.engine.dispose)
        public = self.stack.enter_context(serving(app))
        headers = signed_in(app, "officer", "licensing")
        self.client = self.stack.enter_context(client_of(public.base_url, headers))
        first: Any = self.add_venue("24/7", "pub", late=True)
        self.note_what_is_known(first.values[0], 0)
        return first

    def teardown(self) -> None:
        Register.taken += self.steps
        self.stack.close()

    # --- asking --------------------------------------------------------------------------------

    def see(self, path: str, **asked: Any) -> Json:
        answer = self.client.get(path, params=asked)
        assert answer.status_code == 200, (path, asked, answer.text)
        seen: Json = answer.json()
        return seen

    def record(self, path: str, body: Json) -> Any:
        """The id of what was recorded, in as many places as a bundle takes it: none if refused."""
        made = self.heard(self.client.post(path, json=body), 201)
        return multiple(made["id"]) if made else multiple()

    def change(self, of: str, to: str, body: Json | None, method: str = "POST") -> Json | None:
        """What something became, if it was allowed to."""
        there = self.client.get(of)
        assert there.status_code == 200, (of, there.text)
        headers = {"If-Match": there.headers["ETag"]}
        return self.heard(self.client.request(method, of + to, json=body, headers=headers), 200)

    def heard(self, answer: httpx.Response, done: int) -> Json | None:
        self.steps += 1
        assert answer.status_code in (done, 409, 422), (answer.request.url, answer.text)
        heard: Json = answer.json()
        if answer.status_code != done:
            assert heard["title"]
            return None
        self.done[f"{answer.request.method} {AN_ID.sub('{id}', answer.request.url.path)}"] += 1
        return heard

    # --- what officers do ----------------------------------------------------------------------

    @rule(target=businesses)
    def add_business(self) -> Any:
        return self.record("/v1/admin/businesses", {"name": next(self.names)})

    @rule(business=businesses, on=ago)
    def close_business(self, business: str, on: int) -> None:
        body = {"on": day(on), "reason": "Sold"}
        self.change(f"/v1/admin/businesses/{business}", "/close", body)

    @rule(business=businesses)
    def reopen_business(self, business: str) -> None:
        self.change(f"/v1/admin/businesses/{business}", "/reopen", None)

    @rule(target=venues, text=st.none() | hours, category=categories, late=st.booleans())
    def add_venue(self, text: str | None, category: str, late: bool) -> Any:
        name = next(self.names)
        place = {"lat": 51.51 + int(name.split()[1]) / 1e4, "lon": -0.09}
        body = {"name": name, "category": category, "location": place, "late_night": late}
        if text:
            body["opening_hours"] = text
        return self.record("/v1/admin/venues", body | {"licensed": late})

    @rule(venue=venues, business=businesses, category=categories, since=st.none() | ago)
    def edit_venue(self, venue: str, business: str, category: str, since: int | None) -> None:
        body: Json = {"business_id": business, "category": category}
        if since is not None:
            body["as_from"] = day(since)
        self.change(f"/v1/admin/venues/{venue}", "", body, "PUT")

    @rule(venue=venues, text=hours)
    def set_hours(self, venue: str, text: str) -> None:
        self.change(f"/v1/admin/venues/{venue}/hours", "", {"text": text}, "PUT")

    @rule(venue=venues, first=st.integers(-2, 5), days=st.integers(0, 3))
    def shut_for_days(self, venue: str, first: int, days: int) -> None:
        body = {"first": day(-first), "last": day(-first - days), "times": []}
        self.change(f"/v1/admin/venues/{venue}/hours", "/exceptions", body)

    @rule(venue=venues, on=ago)
    def check(self, venue: str, on: int) -> None:
        self.change(f"/v1/admin/venues/{venue}", "/checked", {"on": day(on)})

    @rule(venue=venues, on=ago)
    def close_venue(self, venue: str, on: int) -> None:
        self.change(f"/v1/admin/venues/{venue}", "/close", {"on": day(on), "reason": "Sold"})

    @rule(venue=venues, on=ago)
    def reopen_venue(self, venue: str, on: int) -> None:
        self.change(f"/v1/admin/venues/{venue}", "/reopen", {"on": day(on)})

    @rule(target=decisions, venue=venues, scheme=scheme_keys, kind=kinds, on=ago, lasts=ago)
    def decide(self, venue: str, scheme: str, kind: str, on: int, lasts: int) -> Any:
        body: Json = {"scheme": scheme, "kind": kind, "on": day(on)}
        if kind in ("suspended", "withdrawn", "refused"):
            body["reason"] = "Nobody knew of Angela"
        if kind == "awarded":
            body |= {"override_reason": "The socket is being fitted", "until": day(-lasts)}
        if kind == "assessed" and scheme == "safe_haven":
            (checklist,) = [
                one["criteria"]
                for one in self.see("/v1/admin/schemes")["items"]
                if one["key"] == scheme
            ]
            body["findings"] = [{"criterion": one["key"], "met": lasts > 0} for one in checklist]
        return self.record(f"/v1/admin/venues/{venue}/decisions", body)

    @rule(decision=decisions)
    def void_decision(self, decision: str) -> None:
        self.change(f"/v1/admin/decisions/{decision}", "/void", REASON)

    @rule(target=headcounts, venue=venues, on=ago, staff=few, left=few)
    def count_heads(self, venue: str, on: int, staff: int, left: int) -> Any:
        body = {"on": day(on), "staff": staff, "left": left}
        return self.record(f"/v1/admin/venues/{venue}/headcounts", body)

    @rule(headcount=headcounts)
    def void_headcount(self, headcount: str) -> None:
        self.change(f"/v1/admin/headcounts/{headcount}", "/void", REASON)

    @rule(target=sessions, venue=venues, course=courses, role=roles, on=ago, new=few)
    def train(self, venue: str, course: str, role: str, on: int, new: int) -> Any:
        some = [{"venue_id": venue, "role": role, "new": new, "refresher": 1}]
        body = {"course": course, "on": day(on), "attendances": some}
        return self.record("/v1/admin/training/sessions", body)

    @rule(target=attendances, session=sessions, venue=venues, role=roles, new=few, again=few)
    def attend(self, session: str, venue: str, role: str, new: int, again: int) -> Any:
        body = {"venue_id": venue, "role": role, "new": new, "refresher": again}
        return self.record(f"/v1/admin/training/sessions/{session}/attendances", body)

    @rule(attendance=attendances)
    def void_attendance(self, attendance: str) -> None:
        self.change(f"/v1/admin/training/attendances/{attendance}", "/void", REASON)

    @rule(session=sessions)
    def void_session(self, session: str) -> None:
        self.change(f"/v1/admin/training/sessions/{session}", "/void", REASON)

    @rule(target=engagements, venue=venues, on=ago, due=st.none() | ago)
    def visit(self, venue: str, on: int, due: int | None) -> Any:
        body: Json = {"venue_id": venue, "on": day(on), "kind": "visit", "outcome": "no_answer"}
        if due is not None:
            body |= {"next_step": "Call again", "next_step_on": day(-due)}
        return self.record("/v1/admin/engagements", body)

    @rule(engagement=engagements, on=ago)
    def do_next_step(self, engagement: str, on: int) -> None:
        self.record(f"/v1/admin/engagements/{engagement}/done", {"on": day(on)})

    @rule(engagement=engagements)
    def void_engagement(self, engagement: str) -> None:
        self.change(f"/v1/admin/engagements/{engagement}", "/void", REASON)

    @rule(target=scheme_tests, venue=venues, on=ago, passed=st.booleans())
    def test_scheme(self, venue: str, on: int, passed: bool) -> Any:
        result = "passed" if passed else "failed"
        body = {"venue_id": venue, "on": day(on), "result": result}
        return self.record("/v1/admin/scheme-tests", body)

    @rule(test=scheme_tests, on=ago)
    def debrief(self, test: str, on: int) -> None:
        self.record(f"/v1/admin/scheme-tests/{test}/debrief", {"on": day(on)})

    @rule(test=scheme_tests)
    def void_test(self, test: str) -> None:
        self.change(f"/v1/admin/scheme-tests/{test}", "/void", REASON)

    @rule(venue=venues)
    def report_problem(self, venue: str) -> None:
        # Nothing but what is listed can be reported, and nothing more than a few times.
        path = f"/v1/havens/{venue}/problem-reports"
        answer = self.client.post(path, json={"kind": "closed"})
        assert answer.status_code in (202, 404, 429, 503), answer.text

    # --- what was known ------------------------------------------------------------------------

    @rule(venue=venues, back=ago)
    def note_what_is_known(self, venue: str, back: int) -> None:
        """Ask about a day that is over, as known now: the answer must never be another."""
        known_at = datetime.now(UTC).isoformat()
        first, last = day(back + 91), day(back + 1)
        period = {"from": first, "until": last}
        questions: list[tuple[str, Json]] = [
            (f"/v1/admin/venues/{venue}/standing", {"on": last}),
            (f"/v1/admin/venues/{venue}/training", {"on": last}),
            ("/v1/admin/training/figures", period),
            ("/v1/audit/coverage", {"as_at": last}),
            ("/v1/audit/scheme-tests", period | {"as_at": last}),
            (f"/v1/audit/venues/{venue}", {"as_at": last}),
        ]
        for path, asked in questions:
            known = asked | {"known_at": known_at}
            self.told.append((path, known, self.see_dated(path, **known)))

    def what_was_known_is_told_alike(self) -> None:
        for path, asked, answer in self.told[:: 1 + len(self.told) // 6]:
            assert self.see_dated(path, **asked) == answer, (path, asked)

    def see_dated(self, path: str, **asked: Any) -> Json:
        """Without a venue's identity, which is today's whatever is asked."""
        return self.see(path, **asked) | {"identity": None}

    # --- what always holds ---------------------------------------------------------------------

    @invariant()
    def all_holds(self) -> None:
        if self.steps >= self.look_at:
            self.look_at = self.steps + LOOK_EVERY
            self.the_journal_verifies()
            self.what_was_known_is_told_alike()
            self.nothing_is_in_force_while_suspended()
            self.the_directory_is_what_the_rules_make_of_the_register()

    def the_journal_verifies(self) -> None:
        assert self.journal.verify() is None
        with read_session(self.journal.engine) as session:
            found = [stray for stray in strays(session) if stray.subject not in PAST_THE_JOURNAL]
        assert found == []

    def nothing_is_in_force_while_suspended(self) -> None:
        now = datetime.now(UTC)
        with read_session(self.journal.engine) as session:
            of: dict[Any, list[Decision]] = {}
            for decision in session.exec(select(Decision)):
                of.setdefault((decision.venue_id, decision.scheme), []).append(decision)
        for (venue, scheme), history in of.items():
            (shown,) = [
                one
                for one in self.see(f"/v1/admin/venues/{venue}/standing")["schemes"]
                if one["scheme"] == scheme
            ]
            # Another when the day has ended in between, and an award with it.
            then = datetime.now(UTC)
            assert shown["state"] in {standing(history, at).state for at in (now, then)}
            counting = [
                one
                for one in sorted(history, key=lambda one: (one.effective_at, one.recorded_at))
                if one.voided_at is None
                and one.effective_at <= now
                and one.kind in ("awarded", "suspended", "reinstated", "withdrawn")
            ]
            if counting and counting[-1].kind in ("suspended", "withdrawn"):
                assert shown["state"] != "in_force"

    def the_directory_is_what_the_rules_make_of_the_register(self) -> None:
        with read_session(self.journal.engine) as session:
            version = session.exec(select(DirectoryState.version)).one()
            is_active = col(Venue.status) == VenueStatus.ACTIVE
            active = session.exec(select(Venue).where(is_active)).all()
            of: dict[Any, list[Decision]] = {venue.id: [] for venue in active}
            for decision in session.exec(select(Decision).where(Decision.scheme == "safe_haven")):
                if decision.venue_id in of:
                    of[decision.venue_id].append(decision)

        def published() -> Json | None:
            answer = self.client.get("/v1/havens")
            whole = answer.json() if answer.status_code == 200 else None
            return whole if whole and whole["directory"]["version"] == version else None

        whole = until(published)
        now = datetime.now(UTC)
        in_force = {
            str(venue.id): venue
            for venue in active
            if standing(of[venue.id], now).state is State.IN_FORCE
        }
        assert {haven["id"] for haven in whole["havens"]} == in_force.keys()
        for haven in whole["havens"]:
            venue = in_force[haven["id"]]
            shown = [
                tuple(map(datetime.fromisoformat, (one["from"], one["until"])))
                for one in haven.get("availability", ())
            ]
            for hour in range(1, 6 * 24, 5):
                at = now + timedelta(hours=hour)
                is_open = venue.hours is not None and _is_open(venue.hours, at)
                expected = is_open and standing(of[venue.id], at).state is State.IN_FORCE
                assert any(start <= at < end for start, end in shown) is expected, (haven, at)


def _is_open(hours: Any, at: datetime) -> bool:
    on = at.date()
    opened = open_intervals(hours, on - timedelta(days=1), on + timedelta(days=1))
    return any(start <= at < end for start, end in opened)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def new_database(request: pytest.FixtureRequest, tmp_path: Path) -> NewDatabase:
    """Makes migrated databases with nothing in them, of one kind."""
    numbers = count(1)
    if request.param == "sqlite":
        template: Path = request.getfixturevalue("sqlite_template")
        return lambda _: f"sqlite:///{copyfile(template, tmp_path / f'{next(numbers)}.sqlite')}"
    server: Postgres = request.getfixturevalue("postgres")
    migrated: str = request.getfixturevalue("postgresql_template")

    def made(stack: ExitStack) -> str:
        name = f"machine_{next(numbers)}"
        stack.callback(server.drop, name)
        return server.create(name, migrated)

    return made


@pytest.mark.drill
def test_whatever_officers_do_the_register_holds(new_database: NewDatabase, tmp_path: Path) -> None:
    class Machine(Register):
        data_dir = tmp_path

    Machine.new_database = staticmethod(new_database)
    Register.taken, Register.done = 0, Counter()
    several = settings(
        database=None,
        # To make a failure smaller takes longer here than to read it as it is.
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        max_examples=20,
        stateful_step_count=100,
    )
    while Register.taken < STEPS:
        run_state_machine_as_test(Machine, settings=several)
    assert len(Register.done) == CHANGES, Register.done
