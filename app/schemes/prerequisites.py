"""What a scheme asks of a venue before it is awarded or reinstated."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlmodel import Session

from app.core.errors import DomainError, FieldError
from app.schemes.registry import Scheme, Trained
from app.training.actions import trained_in_date


class PrerequisiteLacking(DomainError):
    """The venue lacks what the scheme asks for on the day of the award or reinstatement."""

    status = 409
    code = "prerequisite-lacking"
    title = "The venue lacks what this scheme asks for"


@dataclass(frozen=True)
class Prerequisite:
    """What a scheme asks for, and how many of the venue's staff are in date for it."""

    asked: Trained
    trained: int


def prerequisites(
    session: Session, venue_id: UUID, scheme: Scheme, on: date, known_at: datetime | None = None
) -> list[Prerequisite]:
    """What a scheme asks for before it is awarded, as a venue has it on a London day."""
    return [
        Prerequisite(asked, trained_in_date(session, venue_id, asked.course, on, known_at))
        for asked in scheme.prerequisites
    ]


def refuse_lacking(session: Session, venue_id: UUID, scheme: Scheme, on: date) -> None:
    """Raises `PrerequisiteLacking` where a venue does not have it all on a London day."""
    errors = [
        FieldError(field="scheme", message=f"{one.asked.title}: nobody is in date on {on}")
        for one in prerequisites(session, venue_id, scheme, on)
        if not one.trained
    ]
    if errors:
        raise PrerequisiteLacking(errors)
