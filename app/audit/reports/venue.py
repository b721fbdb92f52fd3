"""Everything about one venue on one page of data, each figure with the events behind it."""

from collections.abc import Sequence
from itertools import groupby, pairwise
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from sqlmodel import Session, col, select

from app.audit.frame.names import business_names, ward_names
from app.audit.frame.question import Moment, Output, View
from app.audit.frame.report import about
from app.audit.frame.rows import grouped
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
from app.core.events import Event, recorded_by, shown, voided_by
from app.outreach.models import (
    Debrief,
    Engagement,
    ProblemReport,
    ReportStep,
    SchemeTest,
    Step,
    StepDone,
)
from app.outreach.rules import asks_for_retest, days_to_resolve, is_overdue, report_state, retest_by
from app.outreach.scheme_tests import known_tests
from app.schemes.models import Decision
from app.schemes.registry import schemes
from app.schemes.timelines import standings, timelines
from app.training.courses import COURSES, CourseKey, StaffRole
from app.training.evidence import evidence
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


class SheetQuestion(Moment, Output):
    """What a venue's audit sheet can be asked."""


class _Part(NamedTuple):
    """How many of one role took part in a session."""

    training: TrainingSession
    attendance: Attendance


class _History:
    """What had happened at a venue, and been recorded by then: what of it stands, and all of it."""

    def __init__(self, session: Session, view: View, venue_id: UUID) -> None:
        self.session, self.view, self.venue_id = session, view, venue_id
        self._all: list[Event] = []
        self._voided: set[UUID] = set()

    def read(self, model: type[E], part_of: Any = None, whole: Any = None) -> list[E]:
        """The events of one kind that stand, oldest first.

        They are the venue's own, or those that are `part_of` such a `whole` of the venue's.
        """
        table: Any = model if whole is None else whole.class_
        is_of_venue = table.venue_id == self.venue_id
        if table is ProblemReport:
            is_of_venue &= ~table.set_apart
        if whole is not None:
            is_of_venue = col(part_of).in_(select(whole).where(is_of_venue))
        known_at = self.view.known_at
        rows = self.session.exec(
            select(model, voided_by(model, known_at))
            .where(
                col(model.effective_at) <= self.view.at, recorded_by(model, known_at), is_of_venue
            )
            .order_by(col(model.effective_at), col(model.recorded_at), col(model.id))
        ).all()
        self._all += [event for event, _ in rows]
        self._voided.update(event.id for event, voided in rows if voided)
        return [event for event, voided in rows if not voided]

    def events(self) -> list[SourceEvent]:
        """All that was asked for so far, by kind."""
        not_voided = dict.fromkeys(("voided_at", "voided_by", "void_reason"))
        return [
            shown(
                SourceEvent,
                event,
                kind=str(event.__tablename__),
                **({} if event.id in self._voided else not_voided),
            )
            for event in self._all
        ]


def venue_sheet(session: Session, view: View, venue_id: UUID) -> VenueSheet:
    """Everything about a venue. Raises `NotFound`, `NotKnownThen`."""
    venue = find(session, Venue, venue_id)
    known = select(VenueFacts.id).where(
        VenueFacts.venue_id == venue_id, recorded_by(VenueFacts, view.known_at)
    )
    if session.exec(known).first() is None:
        raise NotKnownThen
    history = _History(session, view, venue_id)
    facts = _facts(history)
    is_closed = bool(facts) and facts[-1].status is VenueStatus.CLOSED
    in_schemes = _standings(history)
    headcounts = history.read(Headcount)
    attended = _attended(history)
    return VenueSheet(
        about=about(session, f"Audit sheet of {venue.reference}", view, SOURCES),
        identity=[_identity(venue)],
        facts=facts,
        standings=in_schemes,
        training=_training(history, attended, headcounts),
        roles=_roles(attended),
        headcounts=[
            shown(HeadcountHeld, headcount, sources=[headcount.id]) for headcount in headcounts
        ],
        sessions=_sessions(attended),
        tests=_tests(history, is_closed=is_closed),
        engagements=_engagements(history),
        problems=_problems(history),
        conditions=[LicenceCondition.model_validate(condition) for condition in venue.conditions],
        events=history.events(),
    )


def _identity(venue: Venue) -> Identity:
    names = Identity.model_fields.keys() - {"venue_id", "hours_known"}
    return Identity(
        venue_id=venue.id,
        hours_known=venue.hours is not None,
        **{name: getattr(venue, name) for name in names},
    )


def _facts(history: _History) -> list[FactsHeld]:
    wards, businesses = ward_names(history.session), business_names(history.session)
    # Of those that begin together, what was recorded last holds.
    versions = {version.effective_at: version for version in history.read(VenueFacts)}
    rows = []
    for facts, same in groupby(versions.values(), Facts.of):
        events = list(same)
        rows.append(
            FactsHeld(
                since=events[0].effective_at,
                ward_code=wards[facts.ward_id].code,
                ward=wards[facts.ward_id].name,
                business=businesses[facts.business_id],
                sources=_ids(*events),
                **facts._asdict(),
            )
        )
    for row, following in pairwise(rows):
        row.until = following.since
    return rows


def _standings(history: _History) -> list[SchemeStanding]:
    spans = timelines(history.session, history.view.known_at, venues=[history.venue_id])
    decisions = grouped(history.read(Decision), lambda decision: decision.scheme)
    rows = []
    for key, scheme in schemes().items():
        (standing,) = standings(spans.get((history.venue_id, key), ()), [history.view.at])
        sources = _ids(*decisions[key])
        rows.append(
            SchemeStanding(scheme=key, name=scheme.name, sources=sources, **standing._asdict())
        )
    return rows


def _attended(history: _History) -> list[_Part]:
    """Who took part from the venue, in sessions that stand."""
    attendances = history.read(Attendance)
    sessions = {
        training.id: training
        for training in history.read(TrainingSession, TrainingSession.id, Attendance.session_id)
    }
    return [
        _Part(sessions[attendance.session_id], attendance)
        for attendance in attendances
        if attendance.session_id in sessions
    ]


def _training(
    history: _History, attended: Sequence[_Part], headcounts: Sequence[Headcount]
) -> list[CourseTraining]:
    view = history.view
    known = evidence(history.session, history.venue_id, view.as_at, view.known_at)
    states = known.states(view.limits.thresholds)
    return [
        CourseTraining(
            course=CourseKey(key),
            name=course.name,
            sources=_ids(
                *(part.attendance for part in attended if part.training.course == key),
                *headcounts,
            ),
            **vars(states[key]),
        )
        for key, course in COURSES.items()
    ]


def _roles(attended: Sequence[_Part]) -> list[RoleTraining]:
    by_role = grouped(attended, lambda part: (part.training.course, part.attendance.role))
    return [
        RoleTraining(
            course=course,
            role=role,
            **_counts(parts),
            last_on=max(part.attendance.on for part in parts),
            sources=_ids(*(part.attendance for part in parts)),
        )
        for course in CourseKey
        for role in StaffRole
        if (parts := by_role[course, role])
    ]


def _sessions(attended: Sequence[_Part]) -> list[SessionAttended]:
    return [
        shown(
            SessionAttended,
            parts[0].training,
            **_counts(parts),
            sources=_ids(parts[0].training, *(part.attendance for part in parts)),
        )
        for parts in grouped(attended, lambda part: part.training.id).values()
    ]


def _counts(parts: Sequence[_Part]) -> dict[str, int]:
    return {
        "new": sum(part.attendance.new_count for part in parts),
        "refresher": sum(part.attendance.refresher_count for part in parts),
    }


def _tests(history: _History, *, is_closed: bool) -> list[TestHeld]:
    history.read(SchemeTest)
    history.read(Debrief, Debrief.test_id, SchemeTest.id)
    view = history.view
    rows = []
    for test in known_tests(history.session, view.at, view.known_at, venue_id=history.venue_id):
        is_due = asks_for_retest(test, is_closed=is_closed)
        by = retest_by(test.on, view.limits.retest_days) if is_due else None
        sources = (test.id, test.debrief_id, test.retest_id)
        rows.append(
            TestHeld(
                **test._asdict(),
                retest_by=by,
                retest_overdue=is_overdue(by, view.as_at) if by else None,
                sources=[UUID(source) for source in sources if source],
            )
        )
    return rows


def _engagements(history: _History) -> list[EngagementHeld]:
    engagements = history.read(Engagement)
    done = {
        step.engagement_id: step
        for step in history.read(StepDone, StepDone.engagement_id, Engagement.id)
    }
    rows = []
    for engagement in engagements:
        step = done.get(engagement.id)
        sources = _ids(engagement, step) if step else _ids(engagement)
        done_on = step.on if step else None
        rows.append(shown(EngagementHeld, engagement, done_on=done_on, sources=sources))
    return rows


def _problems(history: _History) -> list[ProblemHeld]:
    reports = history.read(ProblemReport)
    steps = grouped(
        history.read(ReportStep, ReportStep.report_id, ProblemReport.id),
        lambda step: step.report_id,
    )
    rows = []
    for report in reports:
        its_steps = steps[report.id]
        resolved_on = next((step.on for step in its_steps if step.step == Step.RESOLVED), None)
        rows.append(
            shown(
                ProblemHeld,
                report,
                state=report_state([Step(step.step) for step in its_steps]),
                resolved_on=resolved_on,
                days_to_resolve=days_to_resolve(report.on, resolved_on) if resolved_on else None,
                sources=_ids(report, *its_steps),
            )
        )
    return rows


def _ids(*events: Event) -> list[UUID]:
    return [event.id for event in events]
