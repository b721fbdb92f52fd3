"""The page of a haven, which outlives its listing, and the page of a ward.

Both are made from the directory snapshot alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Request, Response
from fastapi.concurrency import run_in_threadpool

from app.core.errors import NotFound
from app.core.london import london_day
from app.directory import render
from app.directory.engine.search import Search
from app.directory.live import Directory
from app.directory.nearest import answer
from app.directory.nearest_question import NearestQuestion
from app.directory.routes import Live
from app.feeds.listed import hours_of
from app.http.languages import InLanguage, Language
from app.schemes.registry import LISTS_PUBLICLY
from app.venues.kinds import Facility
from app.web import schema_org
from app.web.cards import Card, card
from app.web.dates import written
from app.web.finder import InListing, Listing
from app.web.pages import PageRoute, link, page
from app.web.sharing import sharing
from app.web.wards import slug
from app.web.week import Day, Opening, week
from app.web.words import weekday, words

router = APIRouter(route_class=PageRoute, include_in_schema=False)

Haven = dict[str, Any]

_DAYS = 7


async def asked_haven(haven_id: str) -> UUID:
    """The id in an address. Raises `NotFound`: to a person, a bad one leads nowhere."""
    try:
        return UUID(haven_id)
    except ValueError:
        raise NotFound from None


AskedHaven = Annotated[UUID, Depends(asked_haven)]


def listed(search: Search, haven: UUID, now: float) -> Haven | None:
    """A haven that is listed now, as the public API gives it."""
    row = search.row(haven)
    if row is None or not search.is_listed(row, int(now)):
        return None
    found: Haven = orjson.loads(render.one_haven(search, row, int(now)))
    return found


def haven_form(
    request: Request,
    asked: UUID,
    language: Language,
    directory: Directory,
    listing: Listing,
    template: str,
    status: int = 200,
    **state: Any,
) -> Response:
    """A form about a haven, as it begins or with what was `typed` and what is wrong, its
    `problems`; the page of one that is none where it is not listed now."""
    haven = listed(directory.search, asked, directory.clock())
    if haven is None:
        return unlisted(request, asked, language, directory, listing)
    return page(
        request,
        language,
        template,
        status,
        **{"typed": {}, "problems": {}} | state,
        name=haven["name"],
        haven_href=link(request, f"/havens/{asked}"),
    )


@router.get("/havens/{haven_id}")
async def haven_page(
    request: Request,
    asked: AskedHaven,
    language: InLanguage,
    directory: Live,
    listing: InListing,
) -> Response:
    """A haven: whether it is open, how to get in, what is there, and its hours."""
    search, now = directory.search, directory.clock()
    haven = listed(search, asked, now)
    if haven is None:
        return unlisted(request, asked, language, directory, listing)
    moment = datetime.fromtimestamp(now, UTC)
    say = words(language)
    days = _days(search, asked, now)
    about = sharing(
        request,
        f"/havens/{asked}",
        title=language.gettext("{name}: Safe Haven").format(name=haven["name"]),
        description=language.gettext("Its opening hours, its way in, and what is there."),
    )
    names = {facility.value: str(say[facility]) for facility in Facility}
    return page(
        request,
        language,
        "haven_page.html",
        haven=card(haven, request, language, moment),
        facilities=list(names.items()),
        ward=haven.get("ward", ""),
        ward_href=link(request, f"/wards/{slug(haven['ward'])}") if "ward" in haven else "",
        until=_last_day(haven, language),
        checked=_written(haven.get("last_checked"), language),
        days=None if days is None else week_table(days[:_DAYS], london_day(moment), language),
        report_href=link(request, f"/havens/{asked}/report"),
        place=schema_org.place(
            haven,
            # Worked out day by day for a year: nobody else waits for it.
            await run_in_threadpool(hours_of, haven, london_day(moment)),
            names | {"step_free": language.gettext("Step-free")},
            about["url"],
        ),
        about=about,
    )


def unlisted(
    request: Request,
    asked: UUID,
    language: Language,
    directory: Directory,
    listing: Listing,
) -> Response:
    """Says of a haven that it is none now, never why, and where to go instead."""
    search, now = directory.search, directory.clock()
    moment = datetime.fromtimestamp(now, UTC)
    nearest: list[tuple[str, list[Card]]] = []
    name = ""
    row = search.row(asked)
    if row is not None:
        # It is listed at another time, and so its name and place are known.
        known = orjson.loads(b"{" + search.snapshot.fragment(row))
        name, location = known["name"], known["location"]
        question = NearestQuestion(lat=location["lat"], lon=location["lon"], limit=3)
        told = orjson.loads(answer(question, directory, b"[]"))
        nearest = [
            (heading, [card(haven, request, language, moment) for haven in told[part]])
            for part, heading in (
                ("havens", language.gettext("Nearest open doors, from there")),
                ("opens_next", language.gettext("Opens next")),
            )
            if told[part]
        ]
    return page(
        request,
        language,
        "unlisted.html",
        status=404,
        name=name,
        nearest=nearest[:1],
        wards=[(ward, n) for ward in listing.wards if (n := _open(ward.havens, moment))],
    )


@router.get("/wards/{name}")
async def ward_page(
    request: Request, name: str, language: InLanguage, directory: Live, listing: InListing
) -> Response:
    """The havens of a ward, open ones first. Raises `NotFound`, `NotReady`."""
    _ = directory.search  # without it nobody knows which wards there are
    ward = next((ward for ward in listing.wards if ward.slug == name), None)
    if ward is None:
        raise NotFound
    cards = doors(request, language, directory, ward.havens)
    lit = [one for one in cards if not one["dark"]]
    return page(
        request,
        language,
        "ward.html",
        ward=ward,
        parts=[
            (language.gettext("Open now"), lit),
            (language.gettext("Not open now"), [one for one in cards if one["dark"]]),
        ],
        about=sharing(
            request,
            f"/wards/{ward.slug}",
            title=language.gettext("Safe Havens in {ward}").format(ward=ward.name),
        ),
    )


def doors(
    request: Request,
    language: Language,
    directory: Directory,
    havens: Iterable[Mapping[str, Any]],
) -> list[Card]:
    """Those of these havens that are listed now, open ones first. Raises `NotReady`."""
    search, now = directory.search, directory.clock()
    moment = datetime.fromtimestamp(now, UTC)
    found = [listed(search, UUID(haven["id"]), now) for haven in havens]
    return [
        card(haven, request, language, moment)
        for haven in sorted(filter(None, found), key=_by_opening)
    ]


def _by_opening(haven: Haven) -> tuple[bool, str]:
    """Open ones first, then what opens next; by name where that is the same."""
    state = haven["open"]
    return state["state"] != "open", "" if state["state"] == "open" else state.get("opens_at", "~")


def _open(havens: Iterable[Mapping[str, Any]], moment: datetime) -> int:
    """How many are open."""
    now = render.instant(int(moment.timestamp()))
    return sum(
        any(span["from"] <= now < span["until"] for span in haven.get("availability", ()))
        for haven in havens
    )


def _days(search: Search, haven: UUID, now: float) -> list[Day] | None:
    """From today on, as far as the page wants them; None when hours are unknown."""
    snapshot, row = search.snapshot, search.row(haven)
    spans = None if row is None else snapshot.availability(row)
    if spans is None:
        return None
    return week(spans, (snapshot.start, snapshot.horizon), now, days=_DAYS)


def week_table(days: Sequence[Day], today: date, language: Language) -> list[dict[str, Any]]:
    """Days as `week.html` shows them."""
    return [
        {
            "name": weekday(language, day.day),
            "is_today": day.day == today,
            "bar": day.bar,
            "openings": None
            if day.openings is None
            else [_opening(opening, language) for opening in day.openings],
        }
        for day in days
    ]


def _opening(opening: Opening, language: Language) -> str:
    match opening:
        case Opening(None, None):
            return str(words(language)["open_always"])
        case Opening(None, closes):
            return language.gettext("until {time}").format(time=closes)
        case Opening(opens, None):
            return language.gettext("from {time}").format(time=opens)
    return f"{opening.opens}\u2013{opening.closes}"


def _last_day(haven: Haven, language: Language) -> str:
    """Until when it is a Safe Haven; empty without an end."""
    ends = (s.get("until") for s in haven["schemes"] if s["scheme"] == LISTS_PUBLICLY)
    return _written(next(ends, None), language)


def _written(day: str | None, language: Language) -> str:
    return written(language, date.fromisoformat(day)) if day else ""
