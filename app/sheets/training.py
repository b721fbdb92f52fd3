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
from app.training.actions import new_attendance, new_headcount, new_session
from app.training.models import Attendance, Headcount, TrainingSession
from app.training.schemas import AttendanceIn, HeadcountIn, SessionIn
from app.venues.models import Venue

_OF_SESSION = ("course", "on", "place", "provider", "note")


def _session_key(values: Values, number: int) -> tuple[Any, ...]:
    """What tells a training session of a file from any other."""
    return (*(values.get(name) or "" for name in _OF_SESSION), number)


def _describe_attendance(lookup: Lookup, event: Attendance) -> Values:
    training = event.session
    values: dict[str, Any] = {name: getattr(training, name) for name in _OF_SESSION}
    ids = lookup.training_sessions
    number = next(n for n in count(1) if ids.get(_session_key(values, n)) in (None, training))
    ids[_session_key(values, number)] = training
    lookup.counted.add((training.id, event.venue_id, event.role))
    counts = {"new": event.new_count, "refresher": event.refresher_count}
    return values | counts | {"session": number}


def _record_attendance(lookup: Lookup, values: Values) -> Attendance:
    venue_id = lookup.venue_id(values)
    given = AttendanceIn(venue_id=venue_id, **of_model(AttendanceIn, values))
    key = _session_key(values, values.get("session", 1))
    if training := lookup.training_sessions.get(key):
        made = new_attendance(
            lookup.session, training, given, lambda *counted: counted in lookup.counted
        )
    else:
        session = SessionIn(attendances=[given], **of_model(SessionIn, values))
        training = new_session(lookup.session, session, lookup.venues)
        lookup.training_sessions[key] = training
        lookup.fresh.append(training)
        made = training.attendances[0]
    lookup.counted.add((training.id, made.venue_id, made.role))
    lookup.fresh.append(made)
    return made


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
    rests_on=(Venue, TrainingSession, Attendance),
)


def _record_headcount(lookup: Lookup, values: Values) -> Headcount:
    given = HeadcountIn(**of_model(HeadcountIn, values))
    venue_id = lookup.venue_id(values)
    made = new_headcount(
        lookup.session, venue_id, given, lambda *declared: declared in lookup.declared
    )
    lookup.declared.add((venue_id, made.effective_at))
    lookup.fresh.append(made)
    return made


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
    rests_on=(Venue, Headcount),
)
