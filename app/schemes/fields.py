"""Kinds of values that the routes of schemes take and give."""

from datetime import UTC, date, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, Field

from app.text import Line, Prose
from app.venues import fields


def _past(value: datetime) -> datetime:
    if not datetime(2000, 1, 1, tzinfo=UTC) <= value <= datetime.now(UTC):
        raise ValueError("must lie in the past, in the year 2000 or later")
    return value


Day = Annotated[fields.Day, Field(le=date(2099, 12, 31))]
KnownAt = Annotated[AwareDatetime, AfterValidator(_past)]
Key = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Title = Annotated[Line, Field(min_length=1, max_length=200)]
Note = Annotated[Prose, Field(max_length=4000)]
Reason = Annotated[Prose, Field(min_length=3, max_length=4000)]

AN_ID = "6f1c0c5e-2f6e-4d4b-9a57-0f7c3f1f2a10"
