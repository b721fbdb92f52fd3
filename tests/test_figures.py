"""The figures of one officer's first nineteen months: entered in full, asked for in one request."""

import random
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import httpx
from fastapi import FastAPI
from sqlmodel import Session

from app.core.events import void
from app.core.journal import Journal, now
from app.core.places import Point
from app.outreach.engagements import record_engagement
from app.outreach.models import EngagementKind, Outcome
from app.outreach.schemas import EngagementIn
from app.training.actions import add_attendance, record_session
from app.training.courses import CourseKey, StaffRole
from app.training.schemas import AttendanceIn, SessionIn
from app.venues.kinds import Category
from app.venues.models import Business, Venue

FIRST, LAST = date(2023, 10, 1), date(2025, 4, 30)
PERIOD = {"from": str(FIRST), "until": str(LAST)}
BUSINESSES, PEOPLE = 380, 366
OUTSIDE = (FIRST - timedelta(days=1), LAST + timedelta(days=1))
"""The days next to the period; both its ends lie in British Summer Time."""


class Register:
    """What the officer enters: businesses, most of them with a venue, and venues of nobody's."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.chance = random.Random(380)
        numbers = range(BUSINESSES + 60)
        businesses = {n: Business(name=f"Business {n} Ltd") for n in numbers if n % 19}
        session.add_all(businesses.values())
        session.flush()
        self.parties = [self._party(n, businesses.get(n)) for n in numbers]
        self.engaged, self.others = self.parties[:BUSINESSES], self.parties[BUSINESSES:]
        session.flush()

    def _party(self, number: int, business: Business | None) -> dict[str, UUID]:
        """Whom an engagement is with, as it is entered: a venue, its business, or both."""
        if business and number % 4 == 0:
            return {"business_id": business.id}
        venue = Venue(
            reference=f"V-{number:06}",
            name=f"The {number} Lanterns",
            category=Category.PUB,
            location=Point(51.51, -0.09),
            business_id=business.id if business else None,
        )
        self.session.add(venue)
        # Of a venue that a business runs, the venue alone will do.
        both = {"business_id": business.id} if business and number % 3 == 0 else {}
        return both | {"venue_id": venue.id}

    def some_day(self) -> date:
        return FIRST + timedelta(days=self.chance.randrange((LAST - FIRST).days + 1))

    def engage(self, party: dict[str, UUID], on: date, *, mistake: bool = False) -> None:
        given = EngagementIn(
            on=on,
            kind=self.chance.choice(list(EngagementKind)),
            outcome=self.chance.choice(list(Outcome)),
            venue_id=party.get("venue_id"),
            business_id=party.get("business_id"),
        )
        made = record_engagement(self.session, given)
        if mistake:
            void(self.session, made, "Entered for the wrong venue")

    def train(self, on: date, counts: Iterable[tuple[int, int]]) -> Any:
        """A session that so many new and so many trained people attended, venue by venue."""
        with_venue = [party["venue_id"] for party in self.engaged if "venue_id" in party]
        counts = list(counts)
        attendances = [
            AttendanceIn(
                venue_id=venue_id,
                role=self.chance.choice(list(StaffRole)),
                new=new,
                refresher=refresher,
            )
            for venue_id, (new, refresher) in zip(
                self.chance.sample(with_venue, len(counts)), counts, strict=True
            )
        ]
        course = self.chance.choice(list(CourseKey))
        return record_session(
            self.session, SessionIn(course=course, on=on, attendances=attendances)
        )


def enter_engagements(register: Register) -> int:
    """Each business once or more in the period, and much besides; returns how many count."""
    days = [FIRST, LAST, *(register.some_day() for _ in register.engaged[2:])]
    again = register.chance.sample(register.engaged, 150)
    for party, day in zip(register.engaged, days, strict=True):
        register.engage(party, day)
    for party in again:
        register.engage(party, register.some_day())
    for number, party in enumerate(register.others):
        register.engage(party, OUTSIDE[number % 2])
        register.engage(party, register.some_day(), mistake=True)
    for party in again:
        register.engage(party, register.chance.choice(OUTSIDE))
    return len(days) + len(again)


def enter_training(register: Register) -> int:
    """Sessions that trained just so many people, and much besides; returns how many count."""
    left = PEOPLE
    sessions = 0
    while left:
        counts = []
        for _ in range(register.chance.randint(1, 4)):
            people = min(left, register.chance.randint(1, 9))
            left -= people
            refreshed = register.chance.randint(0, people)
            counts += [(people - refreshed, refreshed)] if people else []
        day = (FIRST, LAST)[sessions] if sessions < 2 else register.some_day()
        made = register.train(day, counts)
        sessions += 1
        if sessions % 5 == 0:
            extra = AttendanceIn(venue_id=_other_venue(register), role=StaffRole.OTHER, new=7)
            attendance = add_attendance(register.session, made.id, extra)
            void(register.session, attendance, "They did not come")
    for _ in range(10):
        for day in OUTSIDE:
            register.train(day, [(5, 2), (1, 0)])
        void(register.session, register.train(register.some_day(), [(9, 9)]), "It was cancelled")
    return sessions


def _other_venue(register: Register) -> UUID:
    return next(party["venue_id"] for party in register.others if "venue_id" in party)


def ask(officer: httpx.Client, figures: str, **known: str) -> dict[str, Any]:
    answer = officer.get(f"/v1/admin/{figures}/figures", params=PERIOD | known)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def test_one_request_tells_what_was_done_in_a_period(app: FastAPI, officer: httpx.Client) -> None:
    journal: Journal = app.state.journal
    with journal.writing("account p.okafor") as session:
        register = Register(session)
        engagements = enter_engagements(register)
        sessions = enter_training(register)
        then = now(session).isoformat()
    assert journal.length() > 1900

    outreach = ask(officer, "outreach")
    assert outreach["businesses_engaged"] == BUSINESSES
    assert outreach["engagements"] == engagements
    assert sum(kind["engagements"] for kind in outreach["by_kind"]) == engagements
    training = ask(officer, "training")
    assert training["trained"]["total"] == PEOPLE
    assert training["trained"]["new"] + training["trained"]["refresher"] == PEOPLE
    assert training["sessions"] == sessions
    assert sum(course["trained"]["total"] for course in training["courses"]) == PEOPLE

    with journal.writing("account p.okafor") as session:
        register.session = session
        register.engage(register.others[0], LAST)
        register.train(LAST, [(1, 0)])
    assert ask(officer, "outreach")["businesses_engaged"] == BUSINESSES + 1
    assert ask(officer, "training")["trained"]["total"] == PEOPLE + 1
    assert ask(officer, "outreach", known_at=then)["businesses_engaged"] == BUSINESSES
    assert ask(officer, "training", known_at=then)["trained"]["total"] == PEOPLE
    assert journal.verify() is None
