"""Training over HTTP: what was delivered to whom, in numbers, and what it comes to."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response
from sqlmodel import Session, col

from app.accounts.guards import Officer, Reader
from app.core.db import find, none_such
from app.core.errors import responses, wrong
from app.core.events import AlreadyVoid, VoidReason, void
from app.core.london import today
from app.http.conditional import PreconditionRequired, Register, Stale
from app.http.paging import Page, page
from app.training import actions, record, show
from app.training.courses import COURSES, StaffRole
from app.training.models import Attendance, Headcount, TrainingSession
from app.training.record import (
    CountedAlready,
    DeclaredAlready,
    SessionIsVoid,
)
from app.training.schemas import (
    AttendanceIn,
    AttendanceOut,
    CourseOut,
    CoursesOut,
    HeadcountIn,
    HeadcountOut,
    HeadcountsAsked,
    SessionIn,
    SessionOut,
    SessionsAsked,
    StandingAsked,
    VenueTraining,
)
from app.venues.models import Venue

router = APIRouter(prefix="/v1/admin", tags=["training"])

_SESSIONS = "/v1/admin/training/sessions"
_ATTENDANCES = "/v1/admin/training/attendances"
_HEADCOUNTS = "/v1/admin/headcounts"


_TO_COME = wrong("on", "lies in the future")
_NO_DATE = wrong("until", "Input should be a valid date")
_NO_REASON = wrong("reason", "is required")


@router.get(
    "/courses",
    summary="Courses and roles",
    response_model=CoursesOut,
)
def training_courses(register: Register, _: Reader) -> Response:
    """What staff can be trained in, and the roles by which they are counted."""
    courses = [
        CourseOut(key=course.key, name=course.name, validity_months=course.validity_months)
        for course in COURSES.values()
    ]
    return register.read(lambda _: CoursesOut(courses=courses, roles=list(StaffRole)))


# --- sessions --------------------------------------------------------------------------------


@router.post(
    "/training/sessions",
    summary="Record a training session",
    status_code=201,
    response_model=SessionOut,
    responses=responses(_TO_COME),
)
def record_training_session(register: Register, officer: Officer, asked: SessionIn) -> Response:
    """Records one delivery of a course with all who attended it, in numbers and never names."""

    def make(session: Session) -> tuple[str, SessionOut]:
        made = record.record_session(session, asked)
        return f"{_SESSIONS}/{made.id}", show.training_session(made)

    return register.create(officer, asked, make)


@router.get(
    "/training/sessions",
    summary="Training sessions",
    response_model=Page[SessionOut],
    responses=responses(_NO_DATE),
)
def training_sessions(
    register: Register, _: Reader, asked: Annotated[SessionsAsked, Query()]
) -> Response:
    """Sessions with their attendances, newest first."""
    statement = actions.delivered(
        asked.course, asked.venue_id, asked.from_, asked.until, voided=asked.voided
    )
    order: list[Any] = [col(TrainingSession.effective_at), col(TrainingSession.id)]
    return register.read(
        lambda session: page(
            session, statement, order, asked, show.training_session, newest_first=True
        )
    )


@router.get(
    "/training/sessions/{session_id}",
    summary="One training session",
    response_model=SessionOut,
    responses=responses(none_such(TrainingSession)),
)
def training_session(register: Register, _: Reader, session_id: UUID) -> Response:
    """A session with its attendances, those that were voided too."""
    return register.read(lambda session: _session(session, session_id))


@router.post(
    "/training/sessions/{session_id}/void",
    summary="Void a training session",
    response_model=SessionOut,
    responses=responses(
        none_such(TrainingSession), AlreadyVoid(), Stale(), PreconditionRequired(), _NO_REASON
    ),
)
def void_training_session(
    register: Register, officer: Officer, session_id: UUID, asked: VoidReason
) -> Response:
    """Marks a session as a mistake: nobody was trained by it."""
    return register.change(
        officer,
        lambda session: _session(session, session_id),
        lambda session: void(session, find(session, TrainingSession, session_id), asked.reason),
    )


@router.post(
    "/training/sessions/{session_id}/attendances",
    summary="Add an attendance",
    status_code=201,
    response_model=AttendanceOut,
    responses=responses(
        none_such(TrainingSession),
        SessionIsVoid(),
        CountedAlready(),
        wrong("venue_id", "is not a venue of this register"),
    ),
)
def add_attendance(
    register: Register, officer: Officer, session_id: UUID, asked: AttendanceIn
) -> Response:
    """Records people of a session who were left out, or those of a voided attendance anew."""

    def make(session: Session) -> tuple[str, AttendanceOut]:
        made = record.add_attendance(session, session_id, asked)
        return f"{_ATTENDANCES}/{made.id}", show.attendance(made)

    return register.create(officer, asked, make)


@router.get(
    "/training/attendances/{attendance_id}",
    summary="One attendance",
    response_model=AttendanceOut,
    responses=responses(none_such(Attendance)),
)
def attendance(register: Register, _: Reader, attendance_id: UUID) -> Response:
    """How many people of one role, from one venue, took part in a session."""
    return register.read(lambda session: _attendance(session, attendance_id))


@router.post(
    "/training/attendances/{attendance_id}/void",
    summary="Void an attendance",
    response_model=AttendanceOut,
    responses=responses(
        none_such(Attendance), AlreadyVoid(), Stale(), PreconditionRequired(), _NO_REASON
    ),
)
def void_attendance(
    register: Register, officer: Officer, attendance_id: UUID, asked: VoidReason
) -> Response:
    """Marks one attendance as a mistake; the rest of the session stands."""
    return register.change(
        officer,
        lambda session: _attendance(session, attendance_id),
        lambda session: void(session, find(session, Attendance, attendance_id), asked.reason),
    )


# --- headcounts ------------------------------------------------------------------------------


@router.post(
    "/venues/{venue_id}/headcounts",
    summary="Declare a headcount",
    status_code=201,
    response_model=HeadcountOut,
    responses=responses(none_such(Venue), DeclaredAlready(), _TO_COME),
)
def declare_headcount(
    register: Register, officer: Officer, venue_id: UUID, asked: HeadcountIn
) -> Response:
    """Records how many relevant staff a venue has, and how many trained ones have left."""

    def make(session: Session) -> tuple[str, HeadcountOut]:
        made = record.declare_headcount(session, venue_id, asked)
        return f"{_HEADCOUNTS}/{made.id}", show.headcount(made)

    return register.create(officer, asked, make)


@router.get(
    "/venues/{venue_id}/headcounts",
    summary="A venue's headcounts",
    response_model=Page[HeadcountOut],
    responses=responses(none_such(Venue)),
)
def headcounts(
    register: Register, _: Reader, venue_id: UUID, asked: Annotated[HeadcountsAsked, Query()]
) -> Response:
    """What a venue has declared, newest first."""
    order: list[Any] = [col(Headcount.effective_at), col(Headcount.id)]

    def listed(session: Session) -> Page[HeadcountOut]:
        venue = find(session, Venue, venue_id)
        statement = actions.declared_at(venue.id, voided=asked.voided)
        return page(session, statement, order, asked, show.headcount, newest_first=True)

    return register.read(listed)


@router.get(
    "/headcounts/{headcount_id}",
    summary="One headcount",
    response_model=HeadcountOut,
    responses=responses(none_such(Headcount)),
)
def headcount(register: Register, _: Reader, headcount_id: UUID) -> Response:
    """What a venue declared on a day."""
    return register.read(lambda session: _headcount(session, headcount_id))


@router.post(
    "/headcounts/{headcount_id}/void",
    summary="Void a headcount",
    response_model=HeadcountOut,
    responses=responses(
        none_such(Headcount), AlreadyVoid(), Stale(), PreconditionRequired(), _NO_REASON
    ),
)
def void_headcount(
    register: Register, officer: Officer, headcount_id: UUID, asked: VoidReason
) -> Response:
    """Marks a headcount as a mistake; its leavers come back."""
    return register.change(
        officer,
        lambda session: _headcount(session, headcount_id),
        lambda session: void(session, find(session, Headcount, headcount_id), asked.reason),
    )


def _session(session: Session, session_id: UUID) -> SessionOut:
    return show.training_session(find(session, TrainingSession, session_id))


def _attendance(session: Session, attendance_id: UUID) -> AttendanceOut:
    return show.attendance(find(session, Attendance, attendance_id))


def _headcount(session: Session, headcount_id: UUID) -> HeadcountOut:
    return show.headcount(find(session, Headcount, headcount_id))


# --- what it comes to ------------------------------------------------------------------------


@router.get(
    "/venues/{venue_id}/training",
    summary="A venue's training",
    response_model=VenueTraining,
    responses=responses(none_such(Venue), wrong("on", "Input should be a valid date")),
)
def venue_training(
    register: Register, _: Reader, venue_id: UUID, asked: Annotated[StandingAsked, Query()]
) -> Response:
    """Status, coverage and rating in every course at the end of a day, and what made it so."""
    on = asked.on or today()
    return register.read(lambda session: show.venue_training(session, venue_id, on, asked.known_at))
