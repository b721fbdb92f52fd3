"""Training records as the routes give them."""

from collections.abc import Iterable
from datetime import date, datetime
from uuid import UUID

from sqlmodel import Session

from app.core.db import find
from app.core.events import shown
from app.training import actions
from app.training.courses import COURSES
from app.training.models import Attendance, Headcount, TrainingSession
from app.training.schemas import (
    AttendanceOut,
    CourseStanding,
    HeadcountOut,
    SessionOut,
    Trained,
    VenueTraining,
)
from app.venues.models import Venue


def training_session(found: TrainingSession) -> SessionOut:
    """A session with all its attendances as they were recorded, those that were voided too."""
    attendances = sorted(found.attendances, key=lambda one: (one.recorded_at, one.id))
    return shown(
        SessionOut,
        found,
        trained=_trained(attendances if found.voided_at is None else ()),
        attendances=[attendance(one) for one in attendances],
    )


def attendance(found: Attendance) -> AttendanceOut:
    """One attendance."""
    return shown(
        AttendanceOut,
        found,
        course=found.session.course,
        new=found.new_count,
        refresher=found.refresher_count,
    )


def headcount(found: Headcount) -> HeadcountOut:
    """One headcount."""
    return shown(HeadcountOut, found)


def venue_training(
    session: Session, venue_id: UUID, on: date, known_at: datetime | None
) -> VenueTraining:
    """A venue's standing in every course, and what made it so. Raises `NotFound`."""
    venue = find(session, Venue, venue_id)
    states = actions.training_states(session, on, known_at, venues=[venue.id])[venue.id]
    attendances, headcounts = actions.evidence(session, venue.id, on, known_at)
    return VenueTraining(
        venue_id=venue.id,
        on=on,
        known_at=known_at,
        headcount=headcounts[-1].staff if headcounts else None,
        courses=[
            CourseStanding(
                course=course.key,
                name=course.name,
                status=(state := states[key]).status,
                validity_months=state.validity_months,
                trained=state.trained,
                coverage=state.coverage,
                rag=state.rag,
                in_date_until=state.in_date_until,
                attendances=[attendance(one) for one in attendances if one.session.course == key],
            )
            for key, course in COURSES.items()
        ],
        headcounts=[headcount(one) for one in headcounts],
    )


def _trained(attendances: Iterable[Attendance]) -> Trained:
    counted = [one for one in attendances if one.voided_at is None]
    new = sum(one.new_count for one in counted)
    refresher = sum(one.refresher_count for one in counted)
    return Trained(new=new, refresher=refresher, total=new + refresher)
