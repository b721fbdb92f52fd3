"""Venues that may be there already: shown when one is registered, never decided for the officer."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.errors import DomainError, FieldError
from app.geo import Point, distance_m, within_m
from app.venues.models import Venue
from app.venues.rules import alike
from app.venues.schemas import Candidate

NEAR_M = 150
"""How far apart one venue may be recorded twice: some registers place it by its postcode only."""


class LikelyDuplicate(FieldError):
    """One of the venues that may be the one to be registered."""

    venue: Candidate

    def model_dump(self, **options: Any) -> dict[str, Any]:
        """As every answer: what does not apply is absent."""
        return super().model_dump(**options | {"exclude_none": True})


class LikelyDuplicates(DomainError):
    """Venues with such a name are near; `errors` shows each."""

    status = 409
    code = "likely-duplicates"
    title = "It may be registered already: name in not_a_duplicate_of those that are other places"

    def __init__(self, candidates: Collection[Candidate]) -> None:
        super().__init__(
            [
                LikelyDuplicate(
                    field="not_a_duplicate_of",
                    message=f"{found.reference} {found.name} is {found.distance_m} m away",
                    venue=found,
                )
                for found in candidates
            ]
        )


def refuse_likely_duplicates(
    session: Session, name: str, place: Point, besides: Collection[UUID]
) -> None:
    """Raise `LikelyDuplicates` if there are any but those that the officer knows of."""
    found = [c for c in likely_duplicates(session, name, place) if c.id not in besides]
    if found:
        raise LikelyDuplicates(found)


def likely_duplicates(session: Session, name: str, place: Point) -> list[Candidate]:
    """The venues of whatever status that are near and named alike, nearest first."""
    away = distance_m(col(Venue.location), place)
    shown = ("id", "reference", "name", "category", "status", "address", "postcode")
    near = session.execute(
        sa.select(away, *(getattr(Venue, column) for column in shown))
        .where(within_m(col(Venue.location), place, NEAR_M))
        .order_by(away, col(Venue.id))
    )
    return [
        Candidate.model_validate(dict(zip(shown, values, strict=True), distance_m=round(metres)))
        for metres, *values in near
        if alike(name, values[shown.index("name")])
    ]
