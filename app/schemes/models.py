"""Decisions, seasons, and what the decisions come to, as the database keeps them."""

from datetime import date, datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import JSON, CheckConstraint, Index, String, Text
from sqlmodel import Field, Relationship, SQLModel

from app.core.db import Instant, one_of
from app.core.events import Event
from app.schemes.registry import SchemeKey
from app.schemes.rules import Kind, State
from app.venues.models import Venue

NO_LAST_DAY = date.max
"""Stands for the last day of an award without end, so that a list can be ordered by it."""


class Season(SQLModel, table=True):
    """A year's round of a scheme that is awarded in seasons, with its own areas and grades."""

    __table_args__ = (
        one_of("season", "scheme", SchemeKey),
        Index("season_year", "scheme", "year", unique=True),
        CheckConstraint(
            "invitations_from <= assessments_from AND assessments_from <= assessments_until"
            " AND (ceremony_on IS NULL OR assessments_from <= ceremony_on)",
            name="season_dates",
        ),
    )

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    scheme: SchemeKey = Field(sa_type=String(40))
    year: int
    name: str = Field(max_length=100)
    invitations_from: date
    assessments_from: date
    assessments_until: date
    ceremony_on: date | None = None
    areas: dict[str, str] = Field(sa_type=JSON)
    grades: list[str] = Field(sa_type=JSON)


class Decision(Event, table=True):
    """One step of a venue in a scheme. `until` is an award's last day, None for no end.

    `findings` are an assessment's: `criterion`, `met`, and `score` and `note` where there are any.
    """

    __table_args__ = (
        one_of("decision", "scheme", SchemeKey),
        one_of("decision", "kind", Kind),
        Index("decision_by_scheme", "scheme", "venue_id"),
    )

    venue_id: UUID = Field(foreign_key="venue.id", index=True)
    scheme: SchemeKey = Field(sa_type=String(40))
    kind: Kind = Field(sa_type=String(12))
    until: date | None = None
    grade: str | None = Field(default=None, max_length=40)
    certificate: str | None = Field(default=None, unique=True, max_length=20)
    season_id: UUID | None = Field(default=None, foreign_key="season.id", index=True)
    reason: str | None = Field(default=None, sa_type=Text)
    override_reason: str | None = Field(default=None, sa_type=Text)
    findings: list[dict[str, Any]] | None = Field(default=None, sa_type=JSON(none_as_null=True))


class Accreditation(SQLModel, table=True):
    """A venue's standing in a scheme from one instant to another, so that lists can look it up.

    Made from the decisions whenever one is recorded or voided, from then on; never by hand. What
    lies before, and what was known once, is worked out from the decisions themselves.
    """

    __unjournalled__ = True
    __table_args__ = (
        Index("accreditation_by_until", "until", "venue_id", "scheme"),
        Index("accreditation_by_state", "state", "until", "venue_id", "scheme"),
        Index("accreditation_by_scheme", "scheme", "state", "until", "venue_id"),
    )

    venue_id: UUID = Field(foreign_key="venue.id", primary_key=True)
    scheme: SchemeKey = Field(sa_type=String(40), primary_key=True)
    starts_at: datetime = Field(sa_type=Instant, primary_key=True)
    ends_at: datetime | None = Field(default=None, sa_type=Instant)
    state: State = Field(sa_type=String(12))
    since: datetime = Field(sa_type=Instant)
    until: date = NO_LAST_DAY
    grade: str | None = Field(default=None, max_length=40)
    certificate: str | None = Field(default=None, max_length=20)
    pending: Kind | None = Field(default=None, sa_type=String(12))
    venue: Venue = Relationship()
