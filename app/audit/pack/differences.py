"""What was recorded or voided between two instants, event by event: why figures differ."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from pydantic import BaseModel, Field
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from app.audit.frame.activity import Involved, involved
from app.audit.frame.names import venue_names
from app.audit.frame.question import View
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


@dataclass(frozen=True)
class _Kind:
    """Where one kind of event is kept. What a scheme test found is none of its details."""

    model: type[Event]
    details: tuple[str, ...]
    venue: Any = None
    part_of: Any = None

    @property
    def name(self) -> str:
        return str(self.model.__tablename__)


_KINDS = (
    _Kind(TrainingSession, ("course",)),
    _Kind(
        Attendance,
        ("role", "new_count", "refresher_count"),
        col(Attendance.venue_id),
        col(Attendance.session_id),
    ),
    _Kind(Headcount, ("staff", "left"), col(Headcount.venue_id)),
    _Kind(Decision, ("scheme", "kind", "until"), col(Decision.venue_id)),
    _Kind(VenueFacts, FACTS, col(VenueFacts.venue_id)),
    _Kind(Engagement, ("kind", "outcome", "business_id"), col(Engagement.venue_id)),
    _Kind(SchemeTest, ("scheme",), col(SchemeTest.venue_id)),
    _Kind(Debrief, (), col(SchemeTest.venue_id), col(Debrief.test_id)),
    _Kind(ProblemReport, ("kind",), col(ProblemReport.venue_id)),
    _Kind(ReportStep, ("step",), col(ProblemReport.venue_id), col(ReportStep.report_id)),
)
"""Every kind of event that a report counts."""

REVEALING = ("scheme_test", "debrief")
"""The kinds that can tell, beside a ward's figures, how a test at one venue went."""

_RECORDED = ("recorded_at", "recorded_by")
_VOIDED = ("voided_at", "voided_by", "void_reason")


def recorded_between(session: Session, before: View, after: View) -> list[Recorded]:
    """What made two views of one day differ, in the order in which it was recorded or voided."""
    who = (involved(session, before), involved(session, after))
    found = [
        event
        for kind in _KINDS
        for event in _of_kind(session, kind, before, after)
        if _concerns(session, event, who)
    ]
    names = venue_names(session, {event.venue_id for event in found if event.venue_id})
    for event in found:
        if event.venue_id:
            event.reference = names[event.venue_id].reference
    return sorted(found, key=lambda event: (_told_at(event, before), event.kind, event.id))


def _told_at(event: Recorded, before: View) -> datetime:
    if event.recorded_at > before.known_at or event.voided_at is None:
        return event.recorded_at
    return event.voided_at


def _of_kind(session: Session, kind: _Kind, before: View, after: View) -> Iterator[Recorded]:
    model = kind.model
    since, until = before.known_at, after.known_at
    voided = voided_by(model, until)
    in_time: sa.ColumnElement[bool] = col(model.effective_at) <= after.at
    if model is VenueFacts:
        in_time |= _counts_early(after)
    asked = sa.select(
        col(model.id),
        col(model.effective_at),
        (sa.null() if kind.part_of is None else kind.part_of).label("part_of"),
        (sa.null() if kind.venue is None else kind.venue).label("of_venue"),
        *(col(getattr(model, name)) for name in _RECORDED),
        *(sa.case((voided, col(getattr(model, name)))).label(name) for name in _VOIDED),
        *(col(getattr(model, name)).label(f"its_{name}") for name in kind.details),
    ).where(
        in_time,
        sa.or_(
            recorded_by(model, until) & ~recorded_by(model, since),
            voided & ~voided_by(model, since),
        ),
    )
    if model is Debrief:
        asked = asked.join(SchemeTest, col(SchemeTest.id) == col(Debrief.test_id))
    elif model is ReportStep:
        asked = asked.join(ProblemReport, col(ProblemReport.id) == col(ReportStep.report_id))
    for row in session.execute(asked):
        details = {name: getattr(row, f"its_{name}") for name in kind.details}
        yield Recorded(
            kind=kind.name,
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


def _concerns(session: Session, event: Recorded, who: tuple[Involved, Involved]) -> bool:
    """Whether an event is about a venue or business that either of two reports is about."""
    if event.venue_id:
        return any(one.venue(event.venue_id) for one in who)
    if business_id := event.details.get("business_id"):
        return any(one.business(business_id) for one in who)
    if any(one.venues is None for one in who):
        return True
    attended = session.scalars(
        sa.select(col(Attendance.venue_id)).where(col(Attendance.session_id) == event.id)
    )
    return any(one.venue(venue_id) for venue_id in attended for one in who)
