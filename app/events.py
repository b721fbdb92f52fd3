"""What happened to a venue, recorded once and never overwritten."""

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, TypeVar
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict
from pydantic import Field as Described
from sqlmodel import Field, Session, SQLModel, col

from app.db import Instant
from app.errors import DomainError, FieldError, Invalid
from app.journal import actor, dated_ahead, now
from app.text import Line

LONDON = ZoneInfo("Europe/London")
_Dated = TypeVar("_Dated", bound=date)
_Out = TypeVar("_Out", bound=BaseModel)


def _iso_date(value: object) -> object:
    # Pydantic would also take a number, for seconds since 1970.
    if isinstance(value, str) and not re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        raise ValueError("must be a date, like 2026-11-27")
    if isinstance(value, int | float):
        raise ValueError("must be a date, like 2026-11-27")
    return value


def in_our_time(value: _Dated) -> _Dated:
    """A day or an instant of the years 2000 to 2099. Raises ValueError."""
    if not 2000 <= value.year <= 2099:
        raise ValueError("must lie in the years 2000 to 2099")
    return value


def instant(value: object) -> datetime:
    """An instant as RFC 3339 writes it, with its offset. Raises ValueError.

    In an address a `+` reads as a space. A leap second counts as the second before it.
    """
    if isinstance(value, datetime):
        return value
    text = str(value).upper().replace(":59:60", ":59:59")
    if not (parts := _INSTANT.fullmatch(text)):
        raise ValueError(
            "must be a date and time such as 2026-11-27T23:30:00Z (in an address write + as %2B)"
        )
    if not parts["offset"]:
        raise ValueError("must carry an offset, as in 2026-11-27T23:30:00Z")
    try:
        return datetime.fromisoformat(parts["local"] + parts["offset"].replace(" ", "+"))
    except ValueError:
        raise ValueError("must be a day of the calendar and a time of day") from None


_INSTANT = re.compile(
    r"(?P<local>[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?)"
    "(?P<offset>Z|[ +-][0-9]{2}:?[0-5][0-9])?"
)


def _past(value: datetime) -> datetime:
    if not datetime(2000, 1, 1, tzinfo=UTC) <= value <= datetime.now(UTC):
        raise ValueError("must lie in the past, in the year 2000 or later")
    return value


Day = Annotated[date, BeforeValidator(_iso_date), AfterValidator(in_our_time)]
"""A London day on which something happened, or is to."""

GivenInstant = Annotated[AwareDatetime, BeforeValidator(instant)]

KnownAt = Annotated[GivenInstant, AfterValidator(_past)]
"""An instant as known at which something is asked; in the future the answer would change."""


class Voided(BaseModel):
    """That it was a mistake."""

    at: datetime
    by: str = Described(examples=["account j.okafor"])
    reason: str = Described(examples=["Entered for the wrong venue"])


class Event(SQLModel):
    """A base for what is recorded: when it took effect, when and by whom it was recorded.

    A mistake is voided, with the reason, and recorded anew. What was known at an instant is what
    had been recorded by then and not yet voided.
    """

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    effective_at: datetime = Field(sa_type=Instant, index=True)
    recorded_at: datetime = Field(sa_type=Instant)
    recorded_by: str = Field(max_length=100)
    voided_at: datetime | None = Field(default=None, sa_type=Instant)
    voided_by: str | None = Field(default=None, max_length=100)
    void_reason: str | None = Field(default=None, max_length=500)

    @property
    def on(self) -> date:
        """The London day on which it took effect."""
        return self.effective_at.astimezone(LONDON).date()

    @property
    def voided(self) -> Voided | None:
        """That it was a mistake, if it was one."""
        if self.voided_at is None:
            return None
        return Voided(at=self.voided_at, by=self.voided_by or "", reason=self.void_reason or "")


class AlreadyVoid(DomainError):
    """Voiding what is void."""

    status = 409
    code = "already-void"
    title = "It has been voided already"


class VoidReason(BaseModel):
    """Why something recorded was a mistake."""

    model_config = ConfigDict(extra="forbid")

    reason: Line = Described(min_length=3, max_length=500, examples=["Entered for the wrong venue"])


def recorded(session: Session) -> dict[str, Any]:
    """The fields that say when and by whom an event is recorded."""
    return {"recorded_at": now(session), "recorded_by": actor(session)}


def void(session: Session, event: Event, reason: str) -> None:
    """Mark an event as a mistake. Raises `AlreadyVoid`."""
    if event.voided_at is not None:
        raise AlreadyVoid
    event.voided_at, event.voided_by = now(session), actor(session)
    event.void_reason = reason


def shown(out: type[_Out], event: Event, **more: Any) -> _Out:
    """An event as a model shows it: by its own fields, and what `more` says beside or instead."""
    own = {name: getattr(event, name) for name in out.model_fields if name not in more}
    return out(**own, **more)


def in_effect(model: type[Event]) -> sa.ColumnElement[bool]:
    """SQL: the event has not been voided."""
    return col(model.voided_at).is_(None)


def known(model: type[Event], at: datetime | None) -> sa.ColumnElement[bool]:
    """SQL: the event was recorded by an instant, and not voided by then; None is now."""
    if at is None:
        return in_effect(model)
    return sa.and_(recorded_by(model, at), sa.or_(in_effect(model), ~voided_by(model, at)))


def recorded_by(model: type[Event], at: datetime) -> sa.ColumnElement[bool]:
    """SQL: the event was recorded by an instant, even if a clock that was ahead dated it later."""
    return _by(col(model.recorded_at), at)


def voided_by(model: type[Event], at: datetime) -> sa.ColumnElement[bool]:
    """SQL: the event was voided by an instant, as `recorded_by`; NULL where it never was."""
    return _by(col(model.voided_at), at)


def _by(column: Any, at: datetime) -> sa.ColumnElement[bool]:
    return sa.or_(column <= at, column.in_(dated_ahead(at)))


def within(
    model: type[Event], first: date | None, last: date | None
) -> list[sa.ColumnElement[bool]]:
    """SQL: the event took effect from one London day to another, both included."""
    effective_at = col(model.effective_at)
    return [
        *([effective_at >= effective(first)] if first else []),
        *([effective_at < effective(last + timedelta(days=1))] if last else []),
    ]


def effective(day: date) -> datetime:
    """A date takes effect at its first instant in London."""
    return datetime.combine(day, time.min, LONDON).astimezone(UTC)


def last_day(first: date, months: int) -> date:
    """The last day of so many months from the day `first` on: the one before the anniversary."""
    year, month = divmod(first.year * 12 + first.month - 1 + months, 12)
    try:
        anniversary = date(year, month + 1, first.day)
    except ValueError:
        # A month without that day: the anniversary of 29 February is 1 March.
        year, month = divmod(year * 12 + month + 1, 12)
        anniversary = date(year, month + 1, 1)
    return anniversary - timedelta(days=1)


def not_in_future(session: Session, day: date, field: str = "on") -> datetime:
    """When something that happened on a day took effect. Raises `Invalid` if that is to come."""
    at = effective(day)
    if at > now(session):
        raise Invalid([FieldError(field=field, message="lies in the future")])
    return at
