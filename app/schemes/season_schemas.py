"""What the routes of seasons take and give."""

from typing import Self
from uuid import UUID

from pydantic import BaseModel, Field, model_validator

from app.core.london import Day
from app.http.fields import Given, Maybe
from app.http.paging import Paging
from app.schemes.fields import AN_ID, Key, Title
from app.schemes.registry import SchemeKey


class _SeasonFacts(BaseModel):
    name: Title = Field(examples=["Safety Thirst 2026"], max_length=100)
    invitations_from: Day = Field(examples=["2026-03-16"])
    assessments_from: Day = Field(examples=["2026-04-01"])
    assessments_until: Day = Field(examples=["2026-06-30"])
    ceremony_on: Maybe[Day] = Field(default=None, examples=["2026-07-14"])


class SeasonEdit(_SeasonFacts, Given):
    """All that can be changed of a season. Decisions made so far keep their areas and grades."""

    areas: dict[Key, Title] = Field(
        min_length=1, max_length=60, examples=[{"drink_spiking": "Drink spiking"}]
    )
    grades: list[Key] = Field(
        min_length=1, max_length=20, examples=[["commended", "highly_commended"]]
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.invitations_from <= self.assessments_from <= self.assessments_until:
            raise ValueError("invitations, first and last assessment must follow each other")
        if self.ceremony_on and self.ceremony_on < self.assessments_from:
            raise ValueError("the ceremony must not be before the assessments")
        return self


class SeasonIn(SeasonEdit):
    """A new season; without areas or grades it has the scheme's usual ones."""

    scheme: SchemeKey = Field(examples=["safety_thirst"])
    year: int = Field(ge=2000, le=2099, examples=[2026])
    areas: dict[Key, Title] = Field(default={}, max_length=60)
    grades: list[Key] = Field(default=[], max_length=20)


class SeasonOut(_SeasonFacts):
    """A year's round of a scheme."""

    id: UUID = Field(examples=[AN_ID])
    scheme: SchemeKey = Field(examples=["safety_thirst"])
    year: int = Field(examples=[2026])
    areas: dict[str, str]
    grades: list[str]


class SeasonsQuestion(Given, Paging):
    """Which seasons to list."""

    scheme: Maybe[SchemeKey] = None
