"""Training over HTTP: what was delivered to whom, in numbers, and what it comes to."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from app.accounts.guards import Officer, Reader
from app.core.db import none_such
from app.core.errors import responses, wrong
from app.core.events import VoidReason
from app.core.london import today
from app.http.conditional import Register
from app.http.records import Records, read_of
from app.training import actions, evidence, views
from app.training.courses import COURSES, StaffRole
from app.training.models import Attendance, Headcount, TrainingSession
from app.training.schemas import (
    AttendanceIn,
    AttendanceOut,
    CourseOut,
    CoursesOut,
    HeadcountIn,
    HeadcountOut,
    HeadcountsQuestion,
    SessionIn,
    SessionOut,
    SessionsQuestion,
    TrainingQuestion,
    VenueTraining,
)
from app.venues.models import Venue

router = APIRouter(prefix="/v1/admin", tags=["training"])

SESSIONS = Records(TrainingSession, SessionOut, "training/sessions", views.session_views)
ATTENDANCES = Records(Attendance, AttendanceOut, "training/attendances")
HEADCOUNTS = Records(Headcount, HeadcountOut, "headcounts")

_TO_COME = wrong("on", "lies in the future")
_NO_REASON = wrong("reason", "is required")


@router.get("/courses", summary="Courses and roles", response_model=CoursesOut)
def training_courses(register: Register, _: Reader) -> Response:
    """What staff can be trained in, and the roles by which they are counted."""
    courses = [CourseOut.model_validate(course) for course in COURSES.values()]
    return register.read(lambda _: CoursesOut(courses=courses, roles=list(StaffRole)))


# --- sessions --------------------------------------------------------------------------------


@router.post("/training/sessions", **SESSIONS.creates("Record a training session", _TO_COME))
def record_training_session(given: SessionIn, register: Register, officer: Officer) -> Response:
    """Records one delivery of a course with all who attended it, in numbers and never names."""
    return SESSIONS.create(register, officer, given, actions.record_session)


@router.get(
    "/training/sessions",
    **SESSIONS.lists("Training sessions", wrong("until", "must be a valid date")),
)
def training_sessions(
    question: Annotated[SessionsQuestion, Query()], register: Register, _: Reader
) -> Response:
    """Sessions with their attendances, newest first."""
    statement = evidence.delivered(
        question.course, question.venue_id, question.from_, question.until, voided=question.voided
    )
    return register.read(lambda session: SESSIONS.page(session, question, statement))


@router.get("/training/sessions/{session_id}", **SESSIONS.shows("One training session"))
def training_session(session_id: UUID, register: Register, _: Reader) -> Response:
    """A session with its attendances, those that were voided too."""
    return SESSIONS.read(register, session_id)


@router.post(
    "/training/sessions/{session_id}/void", **SESSIONS.voids("Void a training session", _NO_REASON)
)
def void_training_session(
    session_id: UUID, given: VoidReason, register: Register, officer: Officer
) -> Response:
    """Marks a session as a mistake: nobody was trained by it."""
    return SESSIONS.void(register, officer, session_id, given)


@router.post(
    "/training/sessions/{session_id}/attendances",
    **ATTENDANCES.creates(
        "Add an attendance",
        none_such(TrainingSession),
        actions.SessionIsVoid(),
        actions.CountedAlready(),
        wrong("venue_id", actions.UNKNOWN_VENUE),
    ),
)
def add_attendance(
    session_id: UUID, given: AttendanceIn, register: Register, officer: Officer
) -> Response:
    """Records people of a session who were left out, or those of a voided attendance anew."""
    return ATTENDANCES.create(register, officer, given, actions.add_attendance, session_id)


@router.get("/training/attendances/{attendance_id}", **ATTENDANCES.shows("One attendance"))
def attendance(attendance_id: UUID, register: Register, _: Reader) -> Response:
    """How many people of one role, from one venue, took part in a session."""
    return ATTENDANCES.read(register, attendance_id)


@router.post(
    "/training/attendances/{attendance_id}/void",
    **ATTENDANCES.voids("Void an attendance", _NO_REASON),
)
def void_attendance(
    attendance_id: UUID, given: VoidReason, register: Register, officer: Officer
) -> Response:
    """Marks one attendance as a mistake; the rest of the session stands."""
    return ATTENDANCES.void(register, officer, attendance_id, given)


# --- headcounts ------------------------------------------------------------------------------


@router.post(
    "/venues/{venue_id}/headcounts",
    **HEADCOUNTS.creates(
        "Declare a headcount", none_such(Venue), actions.DeclaredAlready(), _TO_COME
    ),
)
def declare_headcount(
    venue_id: UUID, given: HeadcountIn, register: Register, officer: Officer
) -> Response:
    """Records how many relevant staff a venue has, and how many trained ones have left."""
    return HEADCOUNTS.create(register, officer, given, actions.declare_headcount, venue_id)


@router.get(
    "/venues/{venue_id}/headcounts", **HEADCOUNTS.lists("A venue's headcounts", none_such(Venue))
)
def headcounts(
    venue_id: UUID, question: Annotated[HeadcountsQuestion, Query()], register: Register, _: Reader
) -> Response:
    """What a venue has declared, newest first."""
    statement = evidence.declared_at(venue_id, voided=question.voided)
    return read_of(
        register, Venue, venue_id, lambda session, _: HEADCOUNTS.page(session, question, statement)
    )


@router.get("/headcounts/{headcount_id}", **HEADCOUNTS.shows("One headcount"))
def headcount(headcount_id: UUID, register: Register, _: Reader) -> Response:
    """What a venue declared on a day."""
    return HEADCOUNTS.read(register, headcount_id)


@router.post("/headcounts/{headcount_id}/void", **HEADCOUNTS.voids("Void a headcount", _NO_REASON))
def void_headcount(
    headcount_id: UUID, given: VoidReason, register: Register, officer: Officer
) -> Response:
    """Marks a headcount as a mistake; its leavers come back."""
    return HEADCOUNTS.void(register, officer, headcount_id, given)


# --- what it comes to ------------------------------------------------------------------------


@router.get(
    "/venues/{venue_id}/training",
    summary="A venue's training",
    response_model=VenueTraining,
    responses=responses(none_such(Venue), wrong("on", "must be a valid date")),
)
def venue_training(
    venue_id: UUID, question: Annotated[TrainingQuestion, Query()], register: Register, _: Reader
) -> Response:
    """Status, coverage and rating in every course at the end of a day, and what made it so."""
    on = question.on or today()
    return register.read(
        lambda session: views.venue_training(session, venue_id, on, question.known_at)
    )
