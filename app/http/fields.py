"""What is asked of recorded events, whatever they are."""

from typing import Annotated, Self, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue, SkipJsonSchema
from pydantic_core.core_schema import CoreSchema

from app.core.london import Day, KnownAt


def to_json(shown: BaseModel) -> bytes:
    """A model as JSON; what does not apply is absent."""
    return shown.model_dump_json(by_alias=True, exclude_none=True).encode()


_T = TypeVar("_T")


class _NeverNull:
    """Keeps null out of the contract of what may be left out."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        described = handler(schema)
        (kind,) = (kind for kind in described.pop("anyOf") if kind != {"type": "null"})
        return {**described, **kind}


Maybe = Annotated[_T | None, _NeverNull()]
"""For what may be left out of what is sent.

With `Absent` an error would speak of every member of the union.
"""

Absent = SkipJsonSchema[None]
"""For what is left out of an answer where it does not apply."""


def _absent(value: object) -> object:
    return None if value == "" else value


Text = Annotated[str | Absent, BeforeValidator(_absent)]
"""What the database keeps as a text, shown unless it is empty."""


class Given(BaseModel):
    """A base for what is sent."""

    model_config = ConfigDict(extra="forbid")


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


class FiguresQuestion(Period):
    """Which period the figures are for, both days included."""

    from_: Day = Field(alias="from", description="First day", examples=["2023-10-01"])
    until: Day = Field(description="Last day, included", examples=["2025-04-30"])
    known_at: Maybe[KnownAt] = Field(
        default=None,
        description="As known at this instant; without it, as known now",
        examples=["2025-04-30T17:00:00Z"],
    )
