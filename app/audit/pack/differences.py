"""What was recorded or voided between two instants, event by event: why figures differ."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from pydantic import BaseModel, Field
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from app.audit.frame.activity import Scope
from app.audit.frame.names import venue_names
from app.audit.frame.question import View
from app.core.db import as_hex
from app.core.events import Event, known, recorded_by, voided_by
from app.core.london import london_day
from app.http.fields import Absent
from app.outreach.models import Debrief, Engagement, ProblemReport, ReportStep, SchemeTest
from app.schemes.models import Decision
from app.training.models import Attendance, Headcount, TrainingSession
from app.venues.facts import FACTS
from app.venues.models import VenueFacts


class Recorded(BaseModel):
    """One event. `part_of` is the session, test or report that it belongs to."""

    kind: str = Field(examples=["training_session"])
    id: UUID
    on: date = Field(description="The London day on which it took effect", examples=["2025-03-20"])
    part_of: UUID | Absent = None
    venue_id: UUID | Absent = None
    reference: str | Absent = Field(default=None, examples=["COL-0042"])
    details: dict[str, Any] = Field(examples=[{"course": "wave"}])
    recorded_at: datetime
    recorded_by: str = Field(examples=["account j.okafor"])
    voided_at: datetime | Absent = None
    voided_by: str | Absent = Field(default=None, examples=["account j.okafor"])
    void_reason: str | Absent = Field(default=None, examples=["Entered for the wrong venue"])


_DETAILS: dict[type[Event], Sequence[str]] = {
    TrainingSession: ("course",),
    Attendance: ("role", "new_count", "refresher_count"),
    Headcount: ("staff", "left"),
    Decision: ("scheme", "kind", "until"),
    VenueFacts: FACTS,
    Engagement: ("kind", "outcome", "business_id"),
    SchemeTest: ("scheme",),
    Debrief: (),
    ProblemReport: ("kind",),
    ReportStep: ("step",),
}
"""Every kind of event that a report counts, and what a list tells of one.

What a scheme test found is none of its details.
"""

_PARTS: dict[type[Event], tuple[Any, Any]] = {
    Attendance: (col(Attendance.session_id), TrainingSession),
    Debrief: (col(Debrief.test_id), SchemeTest),
    ReportStep: (col(ReportStep.report_id), ProblemReport),
}
"""The kinds that are part of another event, by which column of which kind."""

REVEALING = ("scheme_test", "debrief")
"""The kinds that can tell, beside a ward's figures, how a test at one venue went."""

_RECORDED = ("recorded_at", "recorded_by")
_VOIDED = ("voided_at", "voided_by", "void_reason")


def recorded_between(session: Session, before: View, after: View) -> list[Recorded]:
    """What made two views of one day differ, in the order in which it was recorded or voided."""
    scopes = [Scope.read(session, view) for view in (before, after)]
    events = [
        event
        for model in _DETAILS
        for event in _of_kind(session, model, before, after)
        if any(_concerns(session, event, scope) for scope in scopes)
    ]
    names = venue_names(session, {event.venue_id for event in events if event.venue_id})
    for event in events:
        if event.venue_id:
            event.reference = names[event.venue_id.hex].reference

    def became_known(event: Recorded) -> datetime:
        is_old = event.recorded_at <= before.known_at
        return (event.voided_at if is_old else None) or event.recorded_at

    return sorted(events, key=lambda event: (became_known(event), event.kind, event.id))


def _of_kind(session: Session, model: type[Event], before: View, after: View) -> Iterator[Recorded]:
    part_of, whole = _PARTS.get(model, (sa.null(), model))
    at_venue = model if hasattr(model, "venue_id") else whole
    since, until = before.known_at, after.known_at
    voided = voided_by(model, until)
    in_time: sa.ColumnElement[bool] = col(model.effective_at) <= after.at
    if model is VenueFacts:
        in_time |= _counts_early(after)
    if whole is ProblemReport:
        in_time &= ~col(ProblemReport.set_apart)
    statement = sa.select(
        col(model.id),
        col(model.effective_at),
        part_of.label("part_of"),
        getattr(at_venue, "venue_id", sa.null()).label("of_venue"),
        *(col(getattr(model, name)) for name in _RECORDED),
        *(sa.case((voided, col(getattr(model, name)))).label(name) for name in _VOIDED),
        *(col(getattr(model, name)).label(f"its_{name}") for name in _DETAILS[model]),
    ).where(
        in_time,
        sa.or_(
            recorded_by(model, until) & ~recorded_by(model, since),
            voided & ~voided_by(model, since),
        ),
    )
    if at_venue is not model:
        statement = statement.join(whole, whole.id == part_of)
    for row in session.execute(statement):
        details = {name: getattr(row, f"its_{name}") for name in _DETAILS[model]}
        yield Recorded(
            kind=str(model.__tablename__),
            id=row.id,
            on=london_day(row.effective_at),
            part_of=row.part_of,
            venue_id=row.of_venue,
            details={name: value for name, value in details.items() if value is not None},
            **{name: getattr(row, name) for name in (*_RECORDED, *_VOIDED)},
        )


def _counts_early(after: View) -> sa.ColumnElement[bool]:
    """SQL: facts are of a venue that has none by then, for which its first ones count."""
    other = aliased(VenueFacts)
    return ~sa.exists().where(
        col(other.venue_id) == col(VenueFacts.venue_id),
        col(other.effective_at) <= after.at,
        known(other, after.known_at),
    )


def _concerns(session: Session, event: Recorded, scope: Scope) -> bool:
    """Whether an event is about a venue or business that a report is about."""
    if event.venue_id:
        return scope.has_venue(event.venue_id.hex)
    if business_id := event.details.get("business_id"):
        return scope.has_business(business_id.hex)
    attended = sa.select(as_hex(Attendance.venue_id)).where(col(Attendance.session_id) == event.id)
    return scope.venues is None or any(map(scope.has_venue, session.scalars(attended)))
