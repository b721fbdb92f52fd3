"""Training records as the routes show them, and what they come to."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, datetime
from operator import attrgetter
from uuid import UUID

from sqlmodel import Session

from app.core.db import find
from app.core.events import shown, shown_as_known
from app.training.courses import COURSES
from app.training.evidence import evidence
from app.training.models import TrainingSession
from app.training.schemas import (
    AttendanceOut,
    CourseStanding,
    HeadcountOut,
    SessionOut,
    Trained,
    VenueTraining,
)
from app.venues.models import Venue


def session_views(_: Session, sessions: Sequence[TrainingSession]) -> list[SessionOut]:
    """Sessions with all their attendances as they were recorded, those that were voided too."""
    return [_session(training) for training in sessions]


def _session(training: TrainingSession) -> SessionOut:
    attendances = sorted(training.attendances, key=attrgetter("recorded_at", "id"))
    counted = [each for each in attendances if not (training.voided_at or each.voided_at)]
    new = sum(attendance.new_count for attendance in counted)
    refresher = sum(attendance.refresher_count for attendance in counted)
    trained = Trained(new=new, refresher=refresher, total=new + refresher)
    return shown(SessionOut, training, trained=trained, attendances=attendances)


def venue_training(
    session: Session, venue_id: UUID, on: date, known_at: datetime | None
) -> VenueTraining:
    """A venue's standing in every course, and what made it so. Raises `NotFound`."""
    venue = find(session, Venue, venue_id)
    known = evidence(session, venue.id, on, known_at)
    states, headcounts = known.states(), known.headcounts
    courses = [
        CourseStanding.model_validate(
            asdict(states[key])
            | {
                "course": course.key,
                "name": course.name,
                "attendances": [
                    shown_as_known(AttendanceOut, each)
                    for each in known.attendances
                    if each.course == key
                ],
            }
        )
        for key, course in COURSES.items()
    ]
    return VenueTraining.model_validate(
        {
            "venue_id": venue.id,
            "on": on,
            "known_at": known_at,
            "headcount": headcounts[-1].staff if headcounts else None,
            "courses": courses,
            "headcounts": [shown_as_known(HeadcountOut, each) for each in headcounts],
        }
    )
