"""Kinds of values that the register's routes take and give."""

import re
from collections.abc import Collection
from typing import Annotated

from pydantic import AfterValidator, Field

from app.core.text import Key, Line, Prose
from app.venues import osm_hours
from app.venues.kinds import Facility

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


Name = Annotated[Line, Field(min_length=1, max_length=200)]
Reference = Annotated[Key, Field(min_length=1, max_length=50)]
Reason = Annotated[Prose, Field(min_length=3, max_length=500)]
OpeningHours = Annotated[Line, AfterValidator(_opening_hours)]
Postcode = Annotated[Line, Field(max_length=10), AfterValidator(postcode)]
Email = Annotated[Line, Field(max_length=200), AfterValidator(_email)]
Facilities = Annotated[list[Facility], Field(max_length=50), AfterValidator(_in_order)]
Months = Annotated[int, Field(ge=1, le=60)]
