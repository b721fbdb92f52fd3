"""A venue's opening hours on the officer's desk: what can be done with them, and the routes."""

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, Field, ValidationError, model_validator
from sqlmodel import Session

from app.accounts.guards import Officer, Reader
from app.core.db import none_such
from app.core.errors import DomainError, NotFound, responses, wrong
from app.core.london import today
from app.http.conditional import Register
from app.http.fields import Absent, Maybe
from app.http.records import Records, read_of
from app.venues import osm_hours
from app.venues.fields import OpeningHours
from app.venues.hours import Closure, DatedException, Hours
from app.venues.models import Venue
from app.venues.words import days_in_words


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

_Kind = Literal["exceptions", "closures"]


def hours_view(hours: Hours | None) -> HoursOut:
    """Hours, and what they come to in the next seven days."""
    if hours is None:
        return HoursOut(next_seven_days=[])
    days = days_in_words(hours, today())
    return HoursOut(
        hours=hours,
        text=osm_hours.text(hours),
        next_seven_days=[DayOut(day=day, words=words) for day, words in days.items()],
    )


def set_hours(_: Session, venue: Venue, hours: Hours | None) -> None:
    """Replace all of a venue's hours; None says that nobody knows them."""
    venue.hours = hours


def add_entry(_: Session, venue: Venue, given: DatedException | Closure) -> None:
    """Add an exception or a closure, in place of one that begins and ends with it.

    Raises `HoursUnknown`, or `Invalid` where there would be too many.
    """
    kind: _Kind = "closures" if isinstance(given, Closure) else "exceptions"
    try:
        venue.hours = _hours(venue).changed(**{kind: (*_others(venue, kind, *given.ends), given)})
    except ValidationError:
        raise wrong(kind, "there are too many already") from None


def remove_entry(_: Session, venue: Venue, kind: _Kind, first: str, last: str) -> None:
    """Take out the exception or closure with these ends. Raises `HoursUnknown`, `NoSuchEntry`."""
    others = _others(venue, kind, first, last)
    if others == getattr(_hours(venue), kind):
        raise NoSuchEntry
    venue.hours = _hours(venue).changed(**{kind: others})


def _hours(venue: Venue) -> Hours:
    if venue.hours is None:
        raise HoursUnknown
    return venue.hours


def _others(
    venue: Venue, kind: _Kind, first: str, last: str
) -> tuple[DatedException | Closure, ...]:
    entries: tuple[DatedException | Closure, ...] = getattr(_hours(venue), kind)
    return tuple(entry for entry in entries if entry.ends != (first, last))


# --- routes ----------------------------------------------------------------------------------

router = APIRouter(prefix="/v1/admin/venues", tags=["register"])
HOURS = Records(
    Venue,
    HoursOut,
    "venues",
    lambda _, venues: [hours_view(venue.hours) for venue in venues],
    shown="The hours",
    changed="The hours as they are now",
)

First = Annotated[str, Path(description="`first` of the exception", examples=["2026-12-24"])]
Last = Annotated[str, Path(description="`last` of the exception", examples=["2026-12-26"])]
Begin = Annotated[str, Path(description="`from` of the closure", examples=["2026-11-27T14:00"])]
Until = Annotated[str, Path(description="`until` of the closure", examples=["2026-11-27T17:00"])]


@router.get("/{venue_id}/hours", **HOURS.shows("A venue's opening hours"))
def hours_of_venue(venue_id: UUID, register: Register, _: Reader) -> Response:
    """When a venue opens: structured, as text, and what that comes to in the next seven days.

    As it shows those days, its `ETag` lasts until midnight in London.
    """
    return HOURS.read(register, venue_id)


@router.put("/{venue_id}/hours", **HOURS.changes("Set the opening hours"))
def put_hours(venue_id: UUID, given: HoursIn, register: Register, officer: Officer) -> Response:
    """Replace a venue's hours, with their exceptions and closures."""
    return HOURS.change(register, officer, venue_id, set_hours, given.meant)


@router.delete("/{venue_id}/hours", **HOURS.changes("Forget the opening hours"))
def forget_hours(venue_id: UUID, register: Register, officer: Officer) -> Response:
    """Say that nobody knows when a venue opens; it is then never shown as open."""
    return HOURS.change(register, officer, venue_id, set_hours, None)


@router.post(
    "/{venue_id}/hours/preview",
    summary="Try opening hours out",
    response_model=HoursOut,
    response_description="What the hours would come to",
    responses=responses(none_such(Venue), wrong("text", "9am: Write times as in 09:00 or 17:30.")),
)
def preview_hours(venue_id: UUID, given: HoursIn, register: Register, _: Reader) -> Response:
    """What hours would come to in the next seven days; nothing is stored."""
    return read_of(register, Venue, venue_id, lambda *_: hours_view(given.meant))


@router.post(
    "/{venue_id}/hours/exceptions",
    **HOURS.changes("Add a dated exception", HoursUnknown()),
)
def post_exception(
    venue_id: UUID, given: DatedException, register: Register, officer: Officer
) -> Response:
    """Have other times on some days, or none; an exception for just these days is replaced."""
    return HOURS.change(register, officer, venue_id, add_entry, given)


@router.delete(
    "/{venue_id}/hours/exceptions/{first}/{last}",
    **HOURS.changes("Remove a dated exception", NoSuchEntry(), HoursUnknown()),
)
def delete_exception(
    venue_id: UUID, first: First, last: Last, register: Register, officer: Officer
) -> Response:
    """Have the usual times on these days again."""
    return HOURS.change(register, officer, venue_id, remove_entry, "exceptions", first, last)


@router.post("/{venue_id}/hours/closures", **HOURS.changes("Add a timed closure", HoursUnknown()))
def post_closure(venue_id: UUID, given: Closure, register: Register, officer: Officer) -> Response:
    """Shut a venue for at most 24 hours, whatever its hours say."""
    return HOURS.change(register, officer, venue_id, add_entry, given)


@router.delete(
    "/{venue_id}/hours/closures/{begin}/{until}",
    **HOURS.changes("Remove a timed closure", NoSuchEntry(), HoursUnknown()),
)
def delete_closure(
    venue_id: UUID, begin: Begin, until: Until, register: Register, officer: Officer
) -> Response:
    """Have the usual times in these hours again."""
    return HOURS.change(register, officer, venue_id, remove_entry, "closures", begin, until)
