"""Training attendance and headcounts as sheets."""

from itertools import count
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import contains_eager
from sqlmodel import col

from app.core.events import in_effect
from app.sheets.csv_file import day
from app.sheets.sheet import Book, Column, Sheet, Values, amount, key, number, prose
from app.training.models import Attendance, Headcount, TrainingSession
from app.training.record import add_attendance, declare_headcount, record_session
from app.training.schemas import AttendanceIn, HeadcountIn, SessionIn

_OF_SESSION = ("course", "on", "place", "provider", "note")


def _delivery(values: Values, nth: int) -> tuple[Any, ...]:
    """What tells a training session of a file from any other."""
    return (*(values.get(name) or "" for name in _OF_SESSION), nth)


def _attendance(book: Book, event: Attendance) -> Values:
    training = event.session
    values: dict[str, Any] = {name: getattr(training, name) for name in _OF_SESSION}
    known = book.deliveries
    nth = next(n for n in count(1) if known.get(_delivery(values, n)) in (None, training.id))
    known[_delivery(values, nth)] = training.id
    return values | {
        "session": nth,
        "venue": book.venues[event.venue_id].reference,
        "role": event.role,
        "new": event.new_count,
        "refresher": event.refresher_count,
    }


def _record_attendance(book: Book, values: Values) -> Attendance:
    venue_id = book.venue(values)
    counted = {name: values[name] for name in ("role", "new", "refresher") if name in values}
    asked = AttendanceIn(venue_id=venue_id, **counted)
    delivery = _delivery(values, values.get("session", 1))
    if delivery in book.deliveries:
        return add_attendance(book.session, book.deliveries[delivery], asked)
    told = {name: values[name] for name in _OF_SESSION if name in values}
    made = record_session(book.session, SessionIn(**told, attendances=[asked]))
    book.deliveries[delivery] = made.id
    return made.attendances[0]


ATTENDANCE = Sheet(
    model=Attendance,
    columns=(
        Column("on", day, required=True),
        Column("course", required=True),
        Column("venue", key, required=True),
        Column("role", required=True),
        Column("new", number, amount),
        Column("refresher", number, amount),
        Column("place"),
        Column("provider"),
        Column("note", prose),
        # Which of the day's sessions, where all else that is said of them is the same.
        Column("session", number, lambda nth: None if nth == 1 else nth, compared=False),
    ),
    stored=sa.select(Attendance)
    .join(TrainingSession)
    .options(contains_eager(Attendance.session))  # type: ignore[arg-type]
    .where(in_effect(TrainingSession))
    .order_by(
        col(Attendance.effective_at),
        col(TrainingSession.recorded_at),
        col(TrainingSession.id),
        col(Attendance.recorded_at),
        col(Attendance.id),
    ),
    values=_attendance,
    record=_record_attendance,
    once=(*_OF_SESSION, "session", "venue", "role"),
)


def _headcount(book: Book, event: Headcount) -> Values:
    venue = book.venues[event.venue_id].reference
    return {"venue": venue, "on": event.on, "staff": event.staff, "left": event.left}


def _record_headcount(book: Book, values: Values) -> Headcount:
    venue_id = book.venue(values)
    asked = HeadcountIn(on=values["on"], staff=values["staff"], left=values["left"])
    return declare_headcount(book.session, venue_id, asked)


HEADCOUNTS = Sheet(
    model=Headcount,
    columns=(
        Column("on", day, required=True),
        Column("venue", key, required=True),
        Column("staff", number, required=True),
        Column("left", number, required=True),
    ),
    stored=sa.select(Headcount).order_by(
        col(Headcount.effective_at), col(Headcount.recorded_at), col(Headcount.id)
    ),
    values=_headcount,
    record=_record_headcount,
    once=("on", "venue"),
)
