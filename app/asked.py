"""What is asked of recorded events, whatever they are."""

from typing import Self

from pydantic import Field, model_validator

from app.events import Day, KnownAt
from app.venues.fields import Given, Maybe


class Period(Given):
    """From which London day to which, both included; without one there is no bound."""

    from_: Maybe[Day] = Field(
        default=None, alias="from", description="First day", examples=["2023-10-01"]
    )
    until: Maybe[Day] = Field(
        default=None, description="Last day, included", examples=["2025-04-30"]
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.from_ and self.until and self.from_ > self.until:
            raise ValueError("from must not be after until")
        return self


class FiguresAsked(Period):
    """Which period the figures are for, both days included."""

    from_: Day = Field(alias="from", description="First day", examples=["2023-10-01"])
    until: Day = Field(description="Last day, included", examples=["2025-04-30"])
    known_at: Maybe[KnownAt] = Field(
        default=None,
        description="As known at this instant; without it, as known now",
        examples=["2025-04-30T17:00:00Z"],
    )
