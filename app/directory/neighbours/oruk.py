"""An Open Referral UK feed, read as a directory: the services that its operator's term means.

The profile leaves much open, and so it is read: a service is a haven when it is active, has the
term, and a place with coordinates; each of its places is one. Its hours are those of its schedules,
by the clock in London: what closes before it opens closes on the next day, what closes as it opens
is closed, and a schedule that can't be read opens nothing. Without schedules nobody knows.
"""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, TypeVar
from uuid import UUID

from dateutil.rrule import rrulestr
from pydantic import BaseModel, BeforeValidator, Field

from app.core.settings import WALKING_FACTOR, Neighbour
from app.directory.beyond import CONFIRM_WITHIN
from app.directory.neighbours.checks import MOST, Held
from app.directory.render import directions_url
from app.directory.rules import Interval, availability
from app.directory.schemas import DirectoryHaven, Location, Span, WholeDirectory, WholeDirectoryInfo
from app.directory.snapshot import HORIZON, HOUR, start_of
from app.venues.hours import MOST_ENTRIES, DatedException, Hours, Times
from app.venues.kinds import Category, Facility, StepFree

_PER_PAGE = 100
STEP_FREE = "step_free"

Read = Callable[..., bytes]
"""What is at an address below the base, with these parameters."""


# --- what the profile says, as far as it is of use -------------------------------------------


_Item = TypeVar("_Item")
_Several = Annotated[list[_Item], BeforeValidator(lambda value: [] if value is None else value)]


class _Term(BaseModel):
    id: str


class _Attribute(BaseModel):
    taxonomy_term_id: str | None = None
    taxonomy_term: _Term | None = None

    @property
    def term(self) -> str:
        named = self.taxonomy_term.id if self.taxonomy_term else self.taxonomy_term_id
        return (named or "").lower()


class _Schedule(BaseModel):
    valid_from: date | None = None
    valid_to: date | None = None
    dtstart: date | None = None
    until: date | None = None
    count: int | None = None
    interval: int | None = Field(default=None, ge=1)
    wkst: str | None = None
    freq: str | None = None
    byday: str | None = None
    byweekno: str | None = None
    bymonthday: str | None = None
    byyearday: str | None = None
    opens_at: str | None = None
    closes_at: str | None = None


class _Address(BaseModel):
    address_1: str | None = None
    postal_code: str | None = None


class _Phone(BaseModel):
    number: str


class _Location(BaseModel):
    latitude: float | None = None
    longitude: float | None = None
    addresses: _Several[_Address] = []


class _Contact(BaseModel):
    phones: _Several[_Phone] = []


class _ServiceAtLocation(BaseModel):
    id: UUID
    location: _Location | None = None
    schedules: _Several[_Schedule] = []


class _Service(BaseModel):
    id: UUID
    name: str
    status: str | None = None
    alert: str | None = None
    attributes: _Several[_Attribute] = []
    schedules: _Several[_Schedule] = []
    phones: _Several[_Phone] = []
    contacts: _Several[_Contact] = []
    service_at_locations: _Several[_ServiceAtLocation] = []


class _Listed(BaseModel):
    id: UUID


class _Page(BaseModel):
    total_pages: int
    contents: list[_Listed]


# --- reading ---------------------------------------------------------------------------------


def directory(read: Read, neighbour: Neighbour, now: float) -> WholeDirectory:
    """What a feed tells now, as a directory document. Raises `Held`, and ValueError for what is not
    as the profile has it."""
    for meant in neighbour.terms.values():
        if meant not in (*Category, *Facility, STEP_FREE):
            raise Held(f"HAVENS_NEIGHBOURS: {meant!r} is no category and no facility of ours")
    within = start_of(now), start_of(now) + HORIZON
    havens = [
        haven
        for key in _ids(read, neighbour)
        for haven in _havens(
            _Service.model_validate_json(read(f"/services/{key}")), neighbour, within
        )
    ]
    return WholeDirectory(
        directory=WholeDirectoryInfo(
            version=0,
            generated_at=_instant(int(now) // HOUR * HOUR),
            valid_from=_instant(within[0]),
            valid_until=_instant(within[1]),
            confirm_by=_instant(int(now) + CONFIRM_WITHIN),
            walking_factor=WALKING_FACTOR,
        ),
        havens=havens,
        upcoming=[],
    )


def _instant(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)


def _ids(read: Read, neighbour: Neighbour) -> list[UUID]:
    """Those of all services that are listed with the term, each once."""
    found: dict[UUID, None] = {}
    page, pages = 1, 1
    while page <= pages:
        asked = {"taxonomy_term_id": neighbour.term, "page": page, "per_page": _PER_PAGE}
        listed = _Page.model_validate_json(read("/services", **asked))
        found |= dict.fromkeys(one.id for one in listed.contents)
        if len(found) > MOST:
            raise Held(f"it tells of more than {MOST} havens")
        # Pages without an end are none.
        page, pages = page + 1, min(listed.total_pages, MOST // 10) if listed.contents else 0
    return list(found)


def _havens(service: _Service, neighbour: Neighbour, within: Interval) -> Iterator[DirectoryHaven]:
    terms = {attribute.term for attribute in service.attributes}
    # Some servers leave out nothing, whatever is asked for.
    if service.status != "active" or neighbour.term.lower() not in terms:
        return
    meant = {ours for theirs, ours in neighbour.terms.items() if theirs.lower() in terms}
    places = [one for one in service.service_at_locations if one.location]
    phones = [*service.phones, *(phone for one in service.contacts for phone in one.phones)]
    for at in places:
        place = at.location
        if place is None or place.latitude is None or place.longitude is None:
            continue
        address = place.addresses[0] if place.addresses else _Address()
        spans = _spans(at.schedules or service.schedules, within)
        about: dict[str, Any] = {
            "id": service.id if len(places) == 1 else at.id,
            "name": service.name,
            "category": next((c for c in Category if c in meant), Category.COMMUNITY),
            "notice": service.alert if "demonstration" in (service.alert or "").lower() else None,
            "address": address.address_1,
            "postcode": address.postal_code,
            "phone": phones[0].number if phones else None,
            "location": Location(lat=place.latitude, lon=place.longitude),
            "facilities": [facility for facility in Facility if facility in meant],
            "step_free": StepFree.YES if STEP_FREE in meant else StepFree.UNKNOWN,
            "schemes": [],
            "directions_url": directions_url(place.latitude, place.longitude),
            "availability": spans,
        }
        yield DirectoryHaven.model_validate(about)


# --- when it is open -------------------------------------------------------------------------


def _spans(schedules: list[_Schedule], within: Interval) -> list[Span] | None:
    """When these schedules open a place; None where there are none."""
    if not schedules:
        return None
    # A night that began on the day before still goes on.
    first = datetime.fromtimestamp(within[0], UTC).date() - timedelta(days=2)
    last = datetime.fromtimestamp(within[1], UTC).date() + timedelta(days=1)
    times: dict[date, list[Times]] = {}
    for schedule in schedules[:MOST_ENTRIES]:
        opening = _times(schedule)
        if opening is None:
            continue
        for day in _days(schedule, first, last):
            times.setdefault(day, []).append(opening)
    # As dated exceptions, so that a clock change is read as it is in our own hours.
    days = tuple(
        DatedException(first=day.isoformat(), last=day.isoformat(), times=tuple(opens[:48]))
        for day, opens in sorted(times.items())
    )
    return [
        Span(begin=_instant(begin), until=_instant(end))
        for begin, end in availability(Hours(exceptions=days), [within], within)
    ]


def _times(schedule: _Schedule) -> Times | None:
    written = [(text or "").strip() for text in (schedule.opens_at, schedule.closes_at)]
    clocks = [re.fullmatch("([0-9]{2}:[0-9]{2})(:00)?", text) for text in written]
    if not (clocks[0] and clocks[1]):
        return None
    try:
        return Times(opens=clocks[0][1], closes=clocks[1][1])
    except ValueError:
        return None


_PARTS = {
    "wkst": "[A-Z]{2}",
    "byday": "([+-]?[0-9]{0,2}[A-Z]{2},?)+",
    "byweekno": "([+-]?[0-9]{1,2},?)+",
    "bymonthday": "([+-]?[0-9]{1,2},?)+",
    "byyearday": "([+-]?[0-9]{1,3},?)+",
}


def _days(schedule: _Schedule, first: date, last: date) -> list[date]:
    """The days from the first to the last on which a schedule opens, as RFC 5545 repeats them."""
    freq = (schedule.freq or ("WEEKLY" if schedule.byday else "")).upper()
    if not freq:
        # It does not repeat: it is of one day.
        days = [schedule.dtstart] if schedule.dtstart else []
    else:
        days = _repeated(schedule, freq, first, last)
    ends = [day for day in (schedule.until, schedule.valid_to) if day]
    return [
        day
        for day in days
        if first <= day <= last
        and day >= (schedule.valid_from or day)
        and all(day <= end for end in ends)
    ]


def _repeated(schedule: _Schedule, freq: str, first: date, last: date) -> list[date]:
    parts = []
    for name, form in _PARTS.items():
        if value := (getattr(schedule, name) or "").replace(" ", "").upper().strip(","):
            if not re.fullmatch(form, value):
                return []
            parts.append(f"{name.upper()}={value}")
    begin = schedule.dtstart
    if freq == "DAILY" or any(part.startswith("BY") for part in parts):
        # Which days they are does not hang on the first one.
        begin = begin or schedule.valid_from
        if schedule.count is None and schedule.interval in (None, 1):
            begin = begin or first
    if begin is None or freq not in ("DAILY", "WEEKLY", "MONTHLY", "YEARLY"):
        return []
    parts += [f"FREQ={freq}", f"INTERVAL={schedule.interval or 1}"]
    if schedule.count is not None:
        parts.append(f"COUNT={schedule.count}")
    try:
        rule = rrulestr(";".join(parts), dtstart=_midnight(begin))
        return [one.date() for one in rule.between(_midnight(first), _midnight(last), inc=True)]
    except (ValueError, LookupError, ArithmeticError):
        return []


def _midnight(day: date) -> datetime:
    return datetime.combine(day, datetime.min.time())
