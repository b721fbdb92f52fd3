"""A venue's opening hours on the officer's desk: what can be done with them, and the routes."""

from collections.abc import Callable
from datetime import date
from typing import Annotated, TypeVar
from uuid import UUID

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, Field, ValidationError, model_validator
from sqlmodel import Session

from app.accounts.guards import Officer, Reader
from app.core.db import find, none_such
from app.core.errors import DomainError, Invalid, NotFound, responses, wrong
from app.core.london import today
from app.http.conditional import PreconditionRequired, Register, Stale
from app.http.fields import Absent, Maybe
from app.venues import osm_hours
from app.venues.fields import OpeningHours
from app.venues.hours import Closure, DatedException, Hours
from app.venues.models import Venue
from app.venues.words import days_in_words

_Entry = TypeVar("_Entry", DatedException, Closure)


class HoursUnknown(DomainError):
    """An exception to hours that nobody knows."""

    status = 409
    code = "hours-unknown"
    title = "Say first when the venue usually opens"


class NoSuchEntry(NotFound):
    title = "The venue's hours have no such entry"


class HoursIn(Hours):
    """Opening hours: structured, or as OpenStreetMap text alone."""

    text: Maybe[OpeningHours] = Field(
        default=None, examples=["Mo-Th 11:00-23:00; Fr,Sa 11:00-02:00; PH off"]
    )

    @model_validator(mode="after")
    def _one_way(self) -> "HoursIn":
        if self.text is not None and self.model_fields_set != {"text"}:
            raise ValueError("give either text or structured hours")
        if not self.model_fields_set:
            raise ValueError("give text or structured hours")
        return self

    @property
    def meant(self) -> Hours:
        """The hours that are given, either way."""
        if self.text is not None:
            return osm_hours.parse(self.text)
        return Hours.model_validate(self.model_dump(exclude={"text"}))


class DayOut(BaseModel):
    """One day's opening in words."""

    day: date = Field(examples=["2026-11-27"])
    words: str = Field(examples=["Friday 27 November: 11:00 to 02:00 (Saturday)"])


class HoursOut(BaseModel):
    """Opening hours; without any, nobody knows them and the venue is never shown as open."""

    hours: Hours | Absent = None
    text: str | Absent = Field(default=None, examples=["Mo-Th 11:00-23:00; Fr,Sa 11:00-02:00"])
    next_seven_days: list[DayOut] = Field(description="From today on, London's time")


# --- actions ---------------------------------------------------------------------------------


def preview(hours: Hours | None, today: date) -> HoursOut:
    """Hours, and what they come to in the next seven days."""
    if hours is None:
        return HoursOut(next_seven_days=[])
    days = days_in_words(hours, today)
    return HoursOut(
        hours=hours,
        text=osm_hours.text(hours),
        next_seven_days=[DayOut(day=day, words=words) for day, words in days.items()],
    )


def show_hours(session: Session, venue_id: UUID) -> HoursOut:
    """A venue's hours. Raises `NotFound`."""
    return preview(find(session, Venue, venue_id).hours, today())


def set_hours(session: Session, venue_id: UUID, hours: Hours | None) -> None:
    """Replace all of a venue's hours; None says that nobody knows them. Raises `NotFound`."""
    find(session, Venue, venue_id).hours = hours


def add_exception(session: Session, venue_id: UUID, asked: DatedException) -> None:
    """Have other times on some days, in place of an exception for just these days.

    Raises `NotFound`, `HoursUnknown`, or `Invalid` where there would be too many.
    """
    hours = _known(session, venue_id)
    others = (old for old in hours.exceptions if (old.first, old.last) != (asked.first, asked.last))
    set_hours(session, venue_id, _with(hours, exceptions=(*others, asked)))


def remove_exception(session: Session, venue_id: UUID, first: str, last: str) -> None:
    """Take the exception for just these days out. Raises `NotFound` or `NoSuchEntry`."""
    hours = _known(session, venue_id)
    left = tuple(old for old in hours.exceptions if (old.first, old.last) != (first, last))
    if left == hours.exceptions:
        raise NoSuchEntry
    set_hours(session, venue_id, _with(hours, exceptions=left))


def add_closure(session: Session, venue_id: UUID, asked: Closure) -> None:
    """Shut the venue for some hours.

    Raises `NotFound`, `HoursUnknown`, or `Invalid` where there would be too many.
    """
    hours = _known(session, venue_id)
    others = (old for old in hours.closures if old != asked)
    set_hours(session, venue_id, _with(hours, closures=(*others, asked)))


def remove_closure(session: Session, venue_id: UUID, start: str, until: str) -> None:
    """Take a timed closure out. Raises `NotFound` or `NoSuchEntry`."""
    hours = _known(session, venue_id)
    left = tuple(old for old in hours.closures if (old.from_, old.until) != (start, until))
    if left == hours.closures:
        raise NoSuchEntry
    set_hours(session, venue_id, _with(hours, closures=left))


def _known(session: Session, venue_id: UUID) -> Hours:
    hours = find(session, Venue, venue_id).hours
    if hours is None:
        raise HoursUnknown
    return hours


def _with(hours: Hours, **entries: tuple[_Entry, ...]) -> Hours:
    try:
        # Built anew, because copying would skip the limits.
        return Hours.model_validate(dict(hours) | entries)
    except ValidationError:
        (name,) = entries
        raise wrong(name, "there are too many already") from None


# --- routes ----------------------------------------------------------------------------------

router = APIRouter(prefix="/v1/admin/venues", tags=["register"])

First = Annotated[str, Path(description="`first` of the exception", examples=["2026-12-24"])]
Last = Annotated[str, Path(description="`last` of the exception", examples=["2026-12-26"])]
Begin = Annotated[str, Path(description="`from` of the closure", examples=["2026-11-27T14:00"])]
Until = Annotated[str, Path(description="`until` of the closure", examples=["2026-11-27T17:00"])]
_READS = responses(none_such(Venue), Invalid())
_CHANGES = _READS | responses(Stale(), PreconditionRequired())
_WRONG = wrong("text", "9am: Write times as in 09:00 or 17:30.")
_NOW = "The hours as they are now"


def _show(venue_id: UUID) -> Callable[[Session], HoursOut]:
    return lambda session: show_hours(session, venue_id)


@router.get(
    "/{venue_id}/hours",
    summary="A venue's opening hours",
    response_model=HoursOut,
    response_description="The hours",
    responses=_READS,
)
def hours_of_venue(venue_id: UUID, register: Register, _: Reader) -> Response:
    """When a venue opens: structured, as text, and what that comes to in the next seven days.

    As it shows those days, its `ETag` lasts until midnight in London.
    """
    return register.read(_show(venue_id))


@router.put(
    "/{venue_id}/hours",
    summary="Set the opening hours",
    response_model=HoursOut,
    response_description=_NOW,
    responses=_CHANGES | responses(_WRONG),
)
def put_hours(venue_id: UUID, asked: HoursIn, register: Register, officer: Officer) -> Response:
    """Replace a venue's hours, with their exceptions and closures."""
    return register.change(
        officer, _show(venue_id), lambda session: set_hours(session, venue_id, asked.meant)
    )


@router.delete(
    "/{venue_id}/hours",
    summary="Forget the opening hours",
    response_model=HoursOut,
    response_description=_NOW,
    responses=_CHANGES,
)
def forget_hours(venue_id: UUID, register: Register, officer: Officer) -> Response:
    """Say that nobody knows when a venue opens; it is then never shown as open."""
    return register.change(
        officer, _show(venue_id), lambda session: set_hours(session, venue_id, None)
    )


@router.post(
    "/{venue_id}/hours/preview",
    summary="Try opening hours out",
    response_model=HoursOut,
    response_description="What the hours would come to",
    responses=responses(none_such(Venue), _WRONG),
)
def preview_hours(venue_id: UUID, asked: HoursIn, register: Register, _: Reader) -> Response:
    """What hours would come to in the next seven days; nothing is stored."""

    def show(session: Session) -> HoursOut:
        find(session, Venue, venue_id)
        return preview(asked.meant, today())

    return register.read(show)


@router.post(
    "/{venue_id}/hours/exceptions",
    summary="Add a dated exception",
    response_model=HoursOut,
    response_description=_NOW,
    responses=_CHANGES | responses(HoursUnknown()),
)
def post_exception(
    venue_id: UUID, asked: DatedException, register: Register, officer: Officer
) -> Response:
    """Have other times on some days, or none; an exception for just these days is replaced."""
    return register.change(
        officer, _show(venue_id), lambda session: add_exception(session, venue_id, asked)
    )


@router.delete(
    "/{venue_id}/hours/exceptions/{first}/{last}",
    summary="Remove a dated exception",
    response_model=HoursOut,
    response_description=_NOW,
    responses=_CHANGES | responses(NoSuchEntry(), HoursUnknown()),
)
def delete_exception(
    venue_id: UUID, first: First, last: Last, register: Register, officer: Officer
) -> Response:
    """Have the usual times on these days again."""
    return register.change(
        officer, _show(venue_id), lambda session: remove_exception(session, venue_id, first, last)
    )


@router.post(
    "/{venue_id}/hours/closures",
    summary="Add a timed closure",
    response_model=HoursOut,
    response_description=_NOW,
    responses=_CHANGES | responses(HoursUnknown()),
)
def post_closure(venue_id: UUID, asked: Closure, register: Register, officer: Officer) -> Response:
    """Shut a venue for at most 24 hours, whatever its hours say."""
    return register.change(
        officer, _show(venue_id), lambda session: add_closure(session, venue_id, asked)
    )


@router.delete(
    "/{venue_id}/hours/closures/{begin}/{until}",
    summary="Remove a timed closure",
    response_model=HoursOut,
    response_description=_NOW,
    responses=_CHANGES | responses(NoSuchEntry(), HoursUnknown()),
)
def delete_closure(
    venue_id: UUID, begin: Begin, until: Until, register: Register, officer: Officer
) -> Response:
    """Have the usual times in these hours again."""
    return register.change(
        officer, _show(venue_id), lambda session: remove_closure(session, venue_id, begin, until)
    )
