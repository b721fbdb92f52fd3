"""Kinds of values that the register's routes take and give."""

import re
from collections.abc import Collection
from typing import Annotated, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
)
from pydantic.json_schema import JsonSchemaValue, SkipJsonSchema
from pydantic_core.core_schema import CoreSchema

from app.text import Key, Line, Prose
from app.venues import osm_hours
from app.venues.models import Facility

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

A_VENUE_ID = "6f1c0c5e-2f6e-4d4b-9a57-0f7c3f1f2a10"
A_BUSINESS_ID = "0b8f6c1e-7f44-4c3e-8a55-2d1f9be0a7c3"


# The letters that each place can have, so that an O is not taken for a nought, or an I for a one.
_POSTCODE = "[A-PR-UWYZ][A-HK-Y]?[0-9][0-9A-HJKMNPR-Y]?[0-9][ABD-HJLNP-UW-Z]{2}"


def postcode(text: str) -> str:
    """A postcode as it is always written, or nothing. Raises ValueError with the reason."""
    joined = "".join(text.upper().split())
    if joined and not re.fullmatch(_POSTCODE, joined):
        raise ValueError("must be a postcode, like EC2V 7HH")
    return f"{joined[:-3]} {joined[-3:]}".strip()


def _opening_hours(text: str) -> str:
    osm_hours.parse(text)
    return text


def _in_order(facilities: Collection[Facility]) -> list[Facility]:
    return [facility for facility in Facility if facility in facilities]


def _email(value: str) -> str:
    if value and not re.fullmatch(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+", value):
        raise ValueError("must be an e-mail address")
    return value


def _absent(value: object) -> object:
    return None if value == "" else value


Name = Annotated[Line, Field(min_length=1, max_length=200)]
Reference = Annotated[Key, Field(min_length=1, max_length=50)]
Reason = Annotated[Prose, Field(min_length=3, max_length=500)]
OpeningHours = Annotated[Line, AfterValidator(_opening_hours)]
Postcode = Annotated[Line, Field(max_length=10), AfterValidator(postcode)]
Email = Annotated[Line, Field(max_length=200), AfterValidator(_email)]
Facilities = Annotated[list[Facility], Field(max_length=50), AfterValidator(_in_order)]
Months = Annotated[int, Field(ge=1, le=60)]

Text = Annotated[str | Absent, BeforeValidator(_absent)]
"""What the database keeps as a text, shown unless it is empty."""


class Given(BaseModel):
    """A base for what is sent."""

    model_config = ConfigDict(extra="forbid")
