"""Training attendance and headcounts as sheets."""

from itertools import count
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import contains_eager
from sqlmodel import col

from app.core.events import in_effect
from app.core.text import key, prose
from app.sheets.events import EventSheet, of_model
from app.sheets.lookup import Lookup
from app.sheets.rows import Column, DayColumn, NumberColumn, Values
from app.training.actions import add_attendance, declare_headcount, record_session
from app.training.models import Attendance, Headcount, TrainingSession
from app.training.schemas import AttendanceIn, HeadcountIn, SessionIn

_OF_SESSION = ("course", "on", "place", "provider", "note")


def _session_key(values: Values, number: int) -> tuple[Any, ...]:
    """What tells a training session of a file from any other."""
    return (*(values.get(name) or "" for name in _OF_SESSION), number)


def _describe_attendance(lookup: Lookup, event: Attendance) -> Values:
    training = event.session
    values: dict[str, Any] = {name: getattr(training, name) for name in _OF_SESSION}
    ids = lookup.training_sessions
    number = next(n for n in count(1) if ids.get(_session_key(values, n)) in (None, training.id))
    ids[_session_key(values, number)] = training.id
    counts = {"new": event.new_count, "refresher": event.refresher_count}
    return values | counts | {"session": number}


def _record_attendance(lookup: Lookup, values: Values) -> Attendance:
    venue_id = lookup.venue_id(values)
    given = AttendanceIn(venue_id=venue_id, **of_model(AttendanceIn, values))
    key = _session_key(values, values.get("session", 1))
    if key in lookup.training_sessions:
        return add_attendance(lookup.session, lookup.training_sessions[key], given)
    session = SessionIn(attendances=[given], **of_model(SessionIn, values))
    recorded = record_session(lookup.session, session)
    lookup.training_sessions[key] = recorded.id
    return recorded.attendances[0]


ATTENDANCE = EventSheet(
    model=Attendance,
    columns={
        "on": DayColumn(required=True),
        "course": Column(required=True),
        "venue": Column(key, required=True),
        "role": Column(required=True),
        "new": NumberColumn(empty=0),
        "refresher": NumberColumn(empty=0),
        "place": Column(),
        "provider": Column(),
        "note": Column(prose),
        # Which of the day's sessions, where all else that is said of them is the same.
        "session": NumberColumn(lambda number: "" if number == 1 else number, compared=False),
    },
    statement=sa.select(Attendance)
    .join(TrainingSession)
    .options(contains_eager(Attendance.session))  # type: ignore[arg-type]
    .where(in_effect(TrainingSession))
    .order_by(
        col(TrainingSession.effective_at), col(TrainingSession.recorded_at), col(TrainingSession.id)
    ),
    describe=_describe_attendance,
    record=_record_attendance,
    once=(*_OF_SESSION, "session", "venue", "role"),
)


def _record_headcount(lookup: Lookup, values: Values) -> Headcount:
    given = HeadcountIn(**of_model(HeadcountIn, values))
    return declare_headcount(lookup.session, lookup.venue_id(values), given)


HEADCOUNTS = EventSheet(
    model=Headcount,
    columns={
        "on": DayColumn(required=True),
        "venue": Column(key, required=True),
        "staff": NumberColumn(required=True),
        "left": NumberColumn(required=True),
    },
    record=_record_headcount,
    once=("on", "venue"),
)
