"""What a scheme asks of a venue before it is awarded or reinstated."""

from datetime import date, datetime
from uuid import UUID

from sqlmodel import Session

from app.core.errors import DomainError, FieldError
from app.schemes.registry import Prerequisite, Scheme
from app.training.evidence import trained_in_date


class PrerequisiteLacking(DomainError):
    """The venue lacks what the scheme asks for on the day of the award or reinstatement."""

    status = 409
    code = "prerequisite-lacking"
    title = "The venue lacks what this scheme asks for"


def prerequisites(
    session: Session, venue_id: UUID, scheme: Scheme, on: date, known_at: datetime | None = None
) -> list[tuple[Prerequisite, int]]:
    """What a scheme asks for, and how many staff a venue has in date for each on a London day."""
    return [
        (prerequisite, trained_in_date(session, venue_id, prerequisite.course, on, known_at))
        for prerequisite in scheme.prerequisites
    ]


def refuse_lacking(session: Session, venue_id: UUID, scheme: Scheme, on: date) -> None:
    """Raises `PrerequisiteLacking` where a venue does not have it all on a London day."""
    errors = [
        FieldError(field="scheme", message=f"{prerequisite.title}: nobody is in date on {on}")
        for prerequisite, trained in prerequisites(session, venue_id, scheme, on)
        if not trained
    ]
    if errors:
        raise PrerequisiteLacking(errors)
