"""What a scheme asks of a venue before it is awarded or reinstated."""

from collections.abc import Callable, Mapping
from datetime import date
from uuid import UUID

from app.core.errors import DomainError, FieldError
from app.schemes.registry import Prerequisite, Scheme
from app.training.evidence import most_trained
from app.training.rules import CourseState

Trained = Callable[[UUID, str | None, date], int]
"""How many of a venue's staff are in date in a course on a London day; None is any course."""


class PrerequisiteLacking(DomainError):
    """The venue lacks what the scheme asks for on the day of the award or reinstatement."""

    status = 409
    code = "prerequisite-lacking"
    title = "The venue lacks what this scheme asks for"


def prerequisites(
    scheme: Scheme, states: Mapping[str, CourseState]
) -> list[tuple[Prerequisite, int]]:
    """What a scheme asks for, and how many staff are in date for each, by how courses stand."""
    return [(one, most_trained(states, one.course)) for one in scheme.prerequisites]


def refuse_lacking(venue_id: UUID, scheme: Scheme, on: date, trained: Trained) -> None:
    """Raises `PrerequisiteLacking` where a venue does not have it all on a London day."""
    errors = [
        FieldError(field="scheme", message=f"{prerequisite.title}: nobody is in date on {on}")
        for prerequisite in scheme.prerequisites
        if not trained(venue_id, prerequisite.course, on)
    ]
    if errors:
        raise PrerequisiteLacking(errors)
