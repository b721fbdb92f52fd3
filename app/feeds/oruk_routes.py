"""The feed for Open Referral UK, at `/oruk`: nine addresses, as the profile has them.

Answered from the directory in memory. What the profile leaves open is decided so: ages leave
nothing out, for a haven takes in everybody; a day or a time asks for a schedule of the next seven
days that has all that is asked for; a postcode lies where the imported ones say, or else where the
havens are that have it.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, timedelta
from typing import Annotated, Any, TypeVar
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BeforeValidator, Field

from app.core.errors import NotFound, wrong
from app.core.places import Point, haversine_m
from app.core.postcodes import Postcodes
from app.core.settings import Settings
from app.core.text import folded
from app.directory.live import Directory
from app.directory.routes import Known, Live
from app.feeds import oruk
from app.feeds.listed import Haven, Json, Listed, hours_of, listed, today_of, told
from app.feeds.terms import BY_ID, TAXONOMIES
from app.feeds.weekly import Pattern
from app.http.fields import Given
from app.venues.hours import DAY, WEEKDAYS, Weekday

router = APIRouter(prefix="/oruk", include_in_schema=False)

_T = TypeVar("_T")
_WEEK = timedelta(days=7)


def _weekday(value: str) -> Weekday:
    for day, name in zip(WEEKDAYS, _DAYS, strict=True):
        if value.lower() in (day.lower(), name[:3], name):
            return day
    raise ValueError("must be a day of the week, like MO")


_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def _minute(value: str) -> int:
    if not re.fullmatch("([01][0-9]|2[0-3]):[0-5][0-9](:00)?", value):
        raise ValueError("must be a time of day, like 22:00")
    return int(value[:2]) * 60 + int(value[3:5])


Age = Annotated[float | None, Field(ge=0, le=150)]


class PageQuestion(Given):
    """Which page of a list."""

    page: int = Field(default=1, ge=1, le=1_000_000)
    per_page: int = Field(default=50, ge=1, le=500)


Minute = Annotated[int | None, BeforeValidator(_minute)]


class ServicesQuestion(PageQuestion):
    """Which services."""

    search: str = Field(default="", max_length=200)
    taxonomy_term_id: UUID | None = None
    taxonomy_id: UUID | None = None
    minimum_age: Age = None
    maximum_age: Age = None
    start_time: Minute = None
    end_time: Minute = None
    day: Annotated[Weekday | None, BeforeValidator(_weekday)] = None


class PlacesQuestion(ServicesQuestion):
    """Which services, near a postcode."""

    postcode: str = Field(default="", max_length=10)
    proximity: float | None = Field(default=None, gt=0, le=100_000)


Pages = Annotated[PageQuestion, Query()]


def _page(items: Iterable[_T], asked: PageQuestion, show: Callable[[_T], Json]) -> Json:
    everything = list(items)
    first = (asked.page - 1) * asked.per_page
    here = everything[first : first + asked.per_page]
    pages = -(-len(everything) // asked.per_page)
    return {
        "total_items": len(everything),
        "total_pages": pages,
        "page_number": asked.page,
        "size": len(here),
        "first_page": asked.page == 1,
        "last_page": asked.page >= pages,
        "empty": not here,
        "contents": [show(item) for item in here],
    }


# --- which -----------------------------------------------------------------------------------


def _found(
    whole: Listed, asked: ServicesQuestion, today: date, postcodes: Postcodes | None
) -> list[Haven]:
    found: Mapping[UUID, Haven] = whole.havens
    if asked.search:
        keys = whole.search(asked.search)
        found = {key: haven for key, haven in found.items() if key in keys}
    wanted = [haven for haven in found.values() if _has_terms(haven, asked)]
    if asked.day or asked.start_time is not None or asked.end_time is not None:
        soon = today + _WEEK
        wanted = [
            haven
            for haven in wanted
            if any(p.first < soon and _suits(p, asked) for p in hours_of(haven, today))
        ]
    if isinstance(asked, PlacesQuestion):
        wanted = _near(whole, wanted, asked, postcodes)
    return wanted


def _has_terms(haven: Haven, asked: ServicesQuestion) -> bool:
    if not (asked.taxonomy_term_id or asked.taxonomy_id):
        return True
    terms = oruk.terms_of(haven)
    return asked.taxonomy_term_id in (None, *(term.id for term in terms)) and (
        asked.taxonomy_id in (None, *(term.taxonomy.id for term in terms))
    )


def _suits(pattern: Pattern, asked: ServicesQuestion) -> bool:
    opens, closes = (int(t[:2]) * 60 + int(t[3:]) for t in (pattern.opens, pattern.closes))
    if closes <= opens:
        closes += DAY
    return (
        (asked.day is None or asked.day in pattern.days)
        and (asked.start_time is None or opens >= asked.start_time)
        and (asked.end_time is None or closes <= asked.end_time)
    )


def _near(
    whole: Listed, havens: list[Haven], asked: PlacesQuestion, postcodes: Postcodes | None
) -> list[Haven]:
    if asked.proximity is None:
        return havens
    if not asked.postcode:
        raise wrong("postcode", "is needed with proximity")
    centre = _centre(whole, folded(asked.postcode).replace(" ", "").upper(), postcodes)
    if centre is None:
        raise wrong("postcode", "is none that is known here")
    return [
        haven
        for haven in havens
        if haversine_m(centre.lat, centre.lon, haven["location"]["lat"], haven["location"]["lon"])
        <= asked.proximity
    ]


def _centre(whole: Listed, code: str, postcodes: Postcodes | None) -> Point | None:
    """Where a postcode, written without spaces, lies: if need be, amid the havens that have it."""
    if postcodes and (known := postcodes.places.get(f"{code[:-3]} {code[-3:]}")):
        return known
    there = [
        haven["location"]
        for haven in whole.havens.values()
        if haven.get("postcode", "").replace(" ", "") == code
    ]
    if not there:
        return None
    return Point(*(sum(place[axis] for place in there) / len(there) for axis in ("lat", "lon")))


# --- the addresses ---------------------------------------------------------------------------


@router.get("")
async def version(request: Request) -> Response:
    """Which profile this is."""
    about = {"version": oruk.VERSION, "profile": oruk.PROFILE, "openapi_url": oruk.OPENAPI}
    return await told(request, about)


@router.get("/services")
async def services(
    request: Request, directory: Live, asked: Annotated[ServicesQuestion, Query()]
) -> Response:
    """Havens, one service each."""
    show = _shown(request, oruk.service_in_list)
    return await told(request, await run_in_threadpool(_listing, directory, asked, show))


@router.get("/services/{service_id}")
async def service(request: Request, directory: Live, service_id: UUID) -> Response:
    """One haven with its hours. Raises `NotFound`."""
    whole = await run_in_threadpool(listed, directory)
    if service_id not in whole.havens:
        raise NotFound("service")
    haven, today = whole.havens[service_id], today_of(directory)
    url = _url(request, haven)
    return await told(request, await run_in_threadpool(oruk.service, haven, today, url))


@router.get("/service_at_locations")
async def places(
    request: Request,
    directory: Live,
    postcodes: Known,
    asked: Annotated[PlacesQuestion, Query()],
) -> Response:
    """Havens with where they are."""
    show = _shown(request, oruk.service_at_location_in_list)
    return await told(request, await run_in_threadpool(_listing, directory, asked, show, postcodes))


@router.get("/service_at_locations/{place_id}")
async def place(request: Request, directory: Live, place_id: UUID) -> Response:
    """One haven with where it is and its hours. Raises `NotFound`."""
    whole = await run_in_threadpool(listed, directory)
    haven = next((h for key, h in whole.havens.items() if oruk.location_id(key) == place_id), None)
    if haven is None:
        raise NotFound("service at a location")
    today, url = today_of(directory), _url(request, haven)
    return await told(request, await run_in_threadpool(oruk.service_at_location, haven, today, url))


@router.get("/taxonomies")
async def taxonomies(request: Request, asked: Pages) -> Response:
    """The lists of terms."""
    return await told(request, _page(TAXONOMIES.values(), asked, oruk.taxonomy))


@router.get("/taxonomies/{taxonomy_id}")
async def taxonomy(request: Request, taxonomy_id: UUID) -> Response:
    """One list of terms. Raises `NotFound`."""
    if taxonomy_id not in TAXONOMIES:
        raise NotFound("taxonomy")
    return await told(request, oruk.taxonomy_with_terms(TAXONOMIES[taxonomy_id]))


@router.get("/taxonomy_terms")
async def taxonomy_terms(request: Request, asked: Pages) -> Response:
    """All terms."""
    return await told(request, _page(BY_ID.values(), asked, oruk.taxonomy_term))


@router.get("/taxonomy_terms/{term_id}")
async def taxonomy_term(request: Request, term_id: UUID) -> Response:
    """One term. Raises `NotFound`."""
    if term_id not in BY_ID:
        raise NotFound("term")
    return await told(request, oruk.taxonomy_term(BY_ID[term_id]))


def _listing(
    directory: Directory,
    asked: ServicesQuestion,
    show: Callable[[Haven], Json],
    postcodes: Postcodes | None = None,
) -> Json:
    found = _found(listed(directory), asked, today_of(directory), postcodes)
    return _page(found, asked, show)


def _shown(request: Request, show: Callable[[Haven, str], Json]) -> Callable[[Haven], Json]:
    return lambda haven: show(haven, _url(request, haven))


def _url(request: Request, haven: Mapping[str, Any]) -> str:
    settings: Settings = request.app.state.settings
    return settings.address(f"/havens/{haven['id']}")
