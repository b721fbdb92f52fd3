"""Training sessions, who attended them in numbers, and headcounts, as the database keeps them."""

from uuid import UUID

from sqlalchemy import CheckConstraint, Index, String, Text
from sqlmodel import Field, Relationship

from app.core.db import one_of
from app.core.events import Event
from app.training.courses import StaffRole


class TrainingSession(Event, table=True):
    """One delivery of a course. `provider` is an organisation; a voided one trained nobody."""

    __tablename__ = "training_session"
    __table_args__ = (Index("training_session_course", "course", "effective_at"),)

    # Not constrained here: a new course is one line in the registry.
    course: str = Field(max_length=40)
    place: str = Field(default="", max_length=200)
    provider: str = Field(default="", max_length=200)
    note: str = Field(default="", sa_type=Text)
    attendances: list["Attendance"] = Relationship(back_populates="session")


class Attendance(Event, table=True):
    """How many people of one role, from one venue, took part in a session.

    It takes effect with its session and can be voided alone. A person's name has no place here.
    """

    __table_args__ = (
        one_of("attendance", "role", StaffRole),
        CheckConstraint(
            "new_count >= 0 AND refresher_count >= 0 AND new_count + refresher_count > 0",
            name="attendance_counts",
        ),
    )

    session_id: UUID = Field(foreign_key="training_session.id", index=True)
    venue_id: UUID = Field(foreign_key="venue.id", index=True)
    role: StaffRole = Field(sa_type=String(20))
    new_count: int
    refresher_count: int
    session: TrainingSession = Relationship(back_populates="attendances")

    @property
    def course(self) -> str:
        """What its session was about."""
        return self.session.course


class Headcount(Event, table=True):
    """How many relevant staff a venue has, and how many trained ones left since the last time."""

    __table_args__ = (
        CheckConstraint('staff >= 0 AND "left" >= 0', name="headcount_counts"),
        Index("headcount_venue", "venue_id", "effective_at"),
    )

    venue_id: UUID = Field(foreign_key="venue.id")
    staff: int
    left: int
