"""What happened to a venue, recorded once and never overwritten."""

from datetime import date, datetime, timedelta
from inspect import signature
from typing import Any, TypeVar
from uuid import UUID, uuid4

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict
from pydantic import Field as Described
from pydantic.json_schema import SkipJsonSchema
from sqlmodel import Field, Session, SQLModel, col

from app.core.db import Instant
from app.core.errors import DomainError, wrong
from app.core.journal import actor, dated_ahead, now
from app.core.london import effective, london_day
from app.core.text import Line

_Event = TypeVar("_Event", bound="Event")
_Out = TypeVar("_Out", bound=BaseModel)
_Recorded = TypeVar("_Recorded", bound="RecordedOut")


class Voided(BaseModel):
    """That it was a mistake."""

    at: datetime
    by: str = Described(examples=["account j.okafor"])
    reason: str = Described(examples=["Entered for the wrong venue"])


class RecordedOut(BaseModel):
    """A base for how an event is shown: by its own fields."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    recorded_at: datetime
    recorded_by: str = Described(examples=["account j.okafor"])
    voided: Voided | SkipJsonSchema[None] = None


def _new_id() -> UUID:
    return uuid4()


# Pydantic wants to know it for each record anew, and to find out takes as long as all the rest.
setattr(_new_id, "__signature__", signature(_new_id))  # noqa: B010


class Event(SQLModel):
    """A base for what is recorded: when it took effect, when and by whom it was recorded.

    A mistake is voided, with the reason, and recorded anew. What was known at an instant is what
    had been recorded by then and not yet voided.
    """

    id: UUID = Field(default_factory=_new_id, primary_key=True)
    effective_at: datetime = Field(sa_type=Instant, index=True)
    recorded_at: datetime = Field(sa_type=Instant)
    recorded_by: str = Field(max_length=100)
    voided_at: datetime | None = Field(default=None, sa_type=Instant)
    voided_by: str | None = Field(default=None, max_length=100)
    void_reason: str | None = Field(default=None, max_length=500)

    @property
    def on(self) -> date:
        """The London day on which it took effect."""
        return london_day(self.effective_at)

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


def record(session: Session, model: type[_Event], at: datetime, **fields: Any) -> _Event:
    """Record an event that took effect at an instant."""
    return keep(session, model(effective_at=at, **fields, **recorded(session)))


def keep(session: Session, event: _Event) -> _Event:
    """Put an event into the register."""
    session.add(event)
    session.flush()
    return event


def void(session: Session, event: Event, reason: str) -> None:
    """Mark an event as a mistake. Raises `AlreadyVoid`."""
    if event.voided_at is not None:
        raise AlreadyVoid
    event.voided_at, event.voided_by = now(session), actor(session)
    event.void_reason = reason


def shown(out: type[_Out], record: object, **more: Any) -> _Out:
    """A record as a model shows it: by its own fields, and what `more` says beside or instead."""
    own = {name: getattr(record, name) for name in out.model_fields if name not in more}
    return out(**own, **more)


def shown_as_known(out: type[_Recorded], event: Event) -> _Recorded:
    """An event as a model showed it while it counted: that it was voided later nobody knew."""
    return out.model_validate(event).model_copy(update={"voided": None})


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


def not_in_future(session: Session, day: date, field: str = "on") -> datetime:
    """When something that happened on a day took effect. Raises `Invalid` if that is to come."""
    at = effective(day)
    if at > now(session):
        raise wrong(field, "lies in the future")
    return at


def day_or_today(session: Session, day: date | None) -> date:
    """The day on which something happened, today when absent. Raises `Invalid` if it is to come."""
    if day:
        not_in_future(session, day)
    return day or london_day(now(session))
