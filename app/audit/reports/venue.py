"""Everything about one venue on one page of data, each figure with the events behind it."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from sqlmodel import Session, col, select

from app.audit.frame.names import FORMER_WARD, WardName, business_names, ward_names
from app.audit.frame.question import Formed, Moment, View
from app.audit.frame.report import about
from app.audit.reports.venue_rows import (
    CourseTraining,
    EngagementHeld,
    FactsHeld,
    HeadcountHeld,
    Identity,
    LicenceCondition,
    ProblemHeld,
    RoleTraining,
    SchemeStanding,
    SessionAttended,
    SourceEvent,
    TestHeld,
    VenueSheet,
)
from app.core.db import find
from app.core.errors import NotFound
from app.core.events import Event, recorded_by, voided_by
from app.core.london import london_day
from app.outreach.models import (
    Debrief,
    Engagement,
    ProblemReport,
    ReportStep,
    SchemeTest,
    Step,
    StepDone,
)
from app.outreach.rules import (
    KnownTest,
    asks_for_retest,
    days_to_resolve,
    is_overdue,
    report_state,
    retest_by,
)
from app.outreach.scheme_tests import known_tests
from app.schemes.known import standings, timelines
from app.schemes.models import Decision
from app.schemes.registry import SchemeKey, schemes
from app.training.courses import COURSES, CourseKey, StaffRole
from app.training.grid import training_grid
from app.training.models import Attendance, Headcount, TrainingSession
from app.venues.facts import Facts
from app.venues.models import Venue, VenueFacts, VenueStatus

SOURCES = [
    *("venue facts", "decisions", "training sessions", "attendances", "headcounts"),
    *("scheme tests", "debriefs", "engagements", "problem reports", "today's record"),
]

E = TypeVar("E", bound=Event)


class NotKnownThen(NotFound):
    """The venue was recorded later than the instant asked for."""

    code = "not-known-then"
    title = "There was no such venue in the register at that instant"


class SheetAsked(Moment, Formed):
    """What a venue's audit sheet can be asked."""


class _Recorded:
    """What had happened and been recorded by then: what of it stands, and all of it."""

    def __init__(self, session: Session, seen: View) -> None:
        self._session, self._seen = session, seen
        self.all: list[Event] = []
        self._voided: set[UUID] = set()

    def standing(self, model: type[E], *conditions: Any) -> list[E]:
        """The events of one kind that stand, oldest first."""
        seen = self._seen
        found = self._session.exec(
            select(model, voided_by(model, seen.known_at))
            .where(
                col(model.effective_at) <= seen.at,
                recorded_by(model, seen.known_at),
                *conditions,
            )
            .order_by(col(model.effective_at), col(model.recorded_at), col(model.id))
        ).all()
        self.all += [event for event, _ in found]
        self._voided.update(event.id for event, voided in found if voided)
        return [event for event, voided in found if not voided]

    def events(self) -> list[SourceEvent]:
        """All that was asked for so far, by kind."""
        return [
            SourceEvent(
                id=event.id,
                kind=str(event.__tablename__),
                on=london_day(event.effective_at),
                recorded_at=event.recorded_at,
                recorded_by=event.recorded_by,
                **self._how_voided(event),
            )
            for event in self.all
        ]

    def _how_voided(self, event: Event) -> dict[str, Any]:
        names = ("voided_at", "voided_by", "void_reason")
        return {name: getattr(event, name) for name in names} if event.id in self._voided else {}


def venue_sheet(session: Session, seen: View, venue_id: UUID) -> VenueSheet:
    """Everything about a venue. Raises `NotFound`, `NotKnownThen`."""
    venue = find(session, Venue, venue_id)
    known = select(VenueFacts.id).where(
        VenueFacts.venue_id == venue_id, recorded_by(VenueFacts, seen.known_at)
    )
    if session.exec(known).first() is None:
        raise NotKnownThen
    recorded = _Recorded(session, seen)
    facts = _facts(session, recorded, venue_id)
    is_closed = bool(facts) and facts[-1].status is VenueStatus.CLOSED
    stands = _standings(session, seen, recorded, venue_id)
    headcounts = recorded.standing(Headcount, Headcount.venue_id == venue_id)
    attended = _attended(recorded, venue_id)
    return VenueSheet(
        about=about(session, f"Audit sheet of {venue.reference}", seen, SOURCES),
        identity=[_identity(venue)],
        facts=facts,
        standings=stands,
        training=_training(session, seen, venue_id, attended, headcounts),
        roles=_roles(attended),
        headcounts=[
            HeadcountHeld(on=one.on, staff=one.staff, left=one.left, sources=[one.id])
            for one in headcounts
        ],
        sessions=_sessions(attended),
        tests=_tests(session, seen, recorded, venue_id, is_closed=is_closed),
        engagements=_engagements(recorded, venue_id),
        problems=_problems(recorded, venue_id),
        conditions=[LicenceCondition.model_validate(one) for one in venue.conditions],
        events=recorded.events(),
    )


def _identity(venue: Venue) -> Identity:
    names = ("reference", "name", "address", "postcode", "premises_licence", "last_checked")
    return Identity(
        venue_id=venue.id,
        hours_known=venue.hours is not None,
        closed_on=venue.closed_on,
        **{name: getattr(venue, name) for name in names},
    )


def _facts(session: Session, recorded: _Recorded, venue_id: UUID) -> list[FactsHeld]:
    wards, businesses = ward_names(session), business_names(session)
    held: list[tuple[datetime, Facts, list[UUID]]] = []
    for version in recorded.standing(VenueFacts, VenueFacts.venue_id == venue_id):
        facts, sources = Facts.of(version), [version.id]
        if held and held[-1][0] == version.effective_at:
            # Of those that begin together, what was recorded last holds.
            held.pop()
        if held and held[-1][1] == facts:
            since, _, before = held.pop()
            held.append((since, facts, before + sources))
        else:
            held.append((version.effective_at, facts, sources))
    ends = [*(since for since, *_ in held[1:]), None]
    rows = []
    for (since, facts, sources), until in zip(held, ends, strict=False):
        ward = wards.get(facts.ward_id, WardName("", FORMER_WARD))
        rows.append(
            FactsHeld(
                since=since,
                until=until,
                ward_code=ward.code,
                ward=ward.name,
                business=businesses[facts.business_id] if facts.business_id else None,
                sources=sources,
                **{k: v for k, v in facts._asdict().items() if k != "ward_id"},
            )
        )
    return rows


def _standings(
    session: Session, seen: View, recorded: _Recorded, venue_id: UUID
) -> list[SchemeStanding]:
    told = timelines(session, seen.known_at, venues=[venue_id])
    decisions = recorded.standing(Decision, Decision.venue_id == venue_id)
    rows = []
    for key, scheme in schemes().items():
        decided = [one for one in decisions if one.scheme == key]
        (there,) = standings(told.get((venue_id, key), ()), [seen.at])
        rows.append(
            SchemeStanding(scheme=key, name=scheme.name, sources=_ids(decided), **there._asdict())
        )
    return rows


def _attended(recorded: _Recorded, venue_id: UUID) -> list[tuple[TrainingSession, Attendance]]:
    """Who took part from the venue, in sessions that stand."""
    attendances = recorded.standing(Attendance, Attendance.venue_id == venue_id)
    sessions = {
        one.id: one
        for one in recorded.standing(
            TrainingSession,
            col(TrainingSession.id).in_(
                select(Attendance.session_id).where(Attendance.venue_id == venue_id)
            ),
        )
    }
    return [(sessions[one.session_id], one) for one in attendances if one.session_id in sessions]


def _training(
    session: Session,
    seen: View,
    venue_id: UUID,
    attended: Sequence[tuple[TrainingSession, Attendance]],
    headcounts: Sequence[Headcount],
) -> list[CourseTraining]:
    grid = training_grid(
        session,
        [seen.as_at],
        seen.known_at,
        venues=[venue_id],
        thresholds=seen.limits.thresholds,
    )
    rows = []
    for key, course in COURSES.items():
        taken = [one for training, one in attended if training.course == key]
        rows.append(
            CourseTraining(
                course=CourseKey(key),
                name=course.name,
                sources=_ids([*taken, *headcounts]),
                **vars(grid.state(seen.as_at, venue_id, key)),
            )
        )
    return rows


def _roles(attended: Iterable[tuple[TrainingSession, Attendance]]) -> list[RoleTraining]:
    counted: defaultdict[tuple[str, str], list[Attendance]] = defaultdict(list)
    for training, one in attended:
        counted[training.course, one.role].append(one)
    courses, roles = list(CourseKey), list(StaffRole)
    return sorted(
        (
            RoleTraining(
                course=CourseKey(course),
                role=StaffRole(role),
                new=sum(one.new_count for one in several),
                refresher=sum(one.refresher_count for one in several),
                last_on=max(one.on for one in several),
                sources=_ids(several),
            )
            for (course, role), several in counted.items()
        ),
        key=lambda row: (courses.index(row.course), roles.index(row.role)),
    )


def _sessions(attended: Iterable[tuple[TrainingSession, Attendance]]) -> list[SessionAttended]:
    together: dict[UUID, tuple[TrainingSession, list[Attendance]]] = {}
    for training, one in attended:
        together.setdefault(training.id, (training, []))[1].append(one)
    return [
        SessionAttended(
            on=training.on,
            course=CourseKey(training.course),
            place=training.place,
            provider=training.provider,
            new=sum(one.new_count for one in several),
            refresher=sum(one.refresher_count for one in several),
            sources=_ids([training, *several]),
        )
        for training, several in together.values()
    ]


def _tests(
    session: Session, seen: View, recorded: _Recorded, venue_id: UUID, *, is_closed: bool
) -> list[TestHeld]:
    recorded.standing(SchemeTest, SchemeTest.venue_id == venue_id)
    recorded.standing(
        Debrief,
        col(Debrief.test_id).in_(select(SchemeTest.id).where(SchemeTest.venue_id == venue_id)),
    )
    return [
        _test(seen, test, is_closed=is_closed)
        for test in known_tests(session, seen.at, seen.known_at, venue_id=venue_id)
    ]


def _test(seen: View, test: KnownTest, *, is_closed: bool) -> TestHeld:
    by = (
        retest_by(test.on, seen.limits.retest_days)
        if asks_for_retest(test, is_closed=is_closed)
        else None
    )
    sources = (test.id, test.debrief_id, test.retest_id)
    return TestHeld(
        on=test.on,
        scheme=SchemeKey(test.scheme),
        passed=test.passed,
        debriefed_on=test.debriefed_on,
        retest_on=test.retest_on,
        retest_passed=test.retest_passed,
        retest_by=by,
        retest_overdue=is_overdue(by, seen.as_at) if by else None,
        sources=[source for source in sources if source],
    )


def _engagements(recorded: _Recorded, venue_id: UUID) -> list[EngagementHeld]:
    engagements = recorded.standing(Engagement, Engagement.venue_id == venue_id)
    of_venue = select(Engagement.id).where(Engagement.venue_id == venue_id)
    done = {
        one.engagement_id: one
        for one in recorded.standing(StepDone, col(StepDone.engagement_id).in_(of_venue))
    }
    rows = []
    for one in engagements:
        step = done.get(one.id)
        rows.append(
            EngagementHeld(
                on=one.on,
                kind=one.kind,
                outcome=one.outcome,
                next_step=one.next_step,
                next_step_on=one.next_step_on,
                done_on=step.on if step else None,
                sources=_ids([one, step] if step else [one]),
            )
        )
    return rows


def _problems(recorded: _Recorded, venue_id: UUID) -> list[ProblemHeld]:
    reports = recorded.standing(ProblemReport, ProblemReport.venue_id == venue_id)
    of_venue = select(ProblemReport.id).where(ProblemReport.venue_id == venue_id)
    taken: defaultdict[UUID, list[ReportStep]] = defaultdict(list)
    for step in recorded.standing(ReportStep, col(ReportStep.report_id).in_(of_venue)):
        taken[step.report_id].append(step)
    rows = []
    for one in reports:
        steps = taken[one.id]
        resolved = [london_day(s.effective_at) for s in steps if s.step == Step.RESOLVED]
        resolved_on = resolved[0] if resolved else None
        rows.append(
            ProblemHeld(
                on=one.on,
                kind=one.kind,
                state=report_state([Step(step.step) for step in steps]),
                resolved_on=resolved_on,
                days_to_resolve=days_to_resolve(one.on, resolved_on) if resolved_on else None,
                sources=_ids([one, *steps]),
            )
        )
    return rows


def _ids(events: Collection[Event]) -> list[UUID]:
    return [event.id for event in events]
