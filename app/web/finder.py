"""The finder: one page that finds the nearest open door, with script on the phone alone, without
it for a place that is typed.

A place that is typed is answered from the directory and kept nowhere: no address holds it, no log.
"""

from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any, NamedTuple

import orjson
from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.concurrency import run_in_threadpool

from app.core.london import instant
from app.core.postcodes import Postcodes, postcodes_of
from app.directory.beyond import Doors
from app.directory.nearest import find
from app.directory.nearest_question import NearestQuestion
from app.directory.read_side import NotReady
from app.directory.render import Document
from app.directory.routes import Live
from app.http.languages import IN_LANGUAGE, InLanguage, Language
from app.venues.kinds import Facility
from app.walking.wording import phrases
from app.web.cards import Card, card
from app.web.pages import PageRoute, page
from app.web.places import Places
from app.web.wards import Ward, wards
from app.web.words import local, with_day, words

router = APIRouter(route_class=PageRoute, include_in_schema=False)


class Listing(NamedTuple):
    """What the directory lists now, its wards, and the places that somebody may type."""

    havens: list[dict[str, Any]]
    wards: list[Ward]
    places: Places
    postcodes: Postcodes | None

    @classmethod
    def of(cls, havens: list[dict[str, Any]], postcodes: Postcodes | None = None) -> "Listing":
        """Havens as the directory document has them, and the postcodes that are known."""
        places = Places(havens, postcodes.places if postcodes else None)
        return cls(havens, wards(havens), places, postcodes)


@lru_cache(maxsize=2)
def _listing(document: Document, postcodes: Postcodes | None) -> Listing:
    return Listing.of(orjson.loads(document.body)["havens"], postcodes)


async def _from_directory(request: Request, directory: Live) -> Listing:
    """Read once from the directory document. Raises `NotReady` where there is none."""
    folder = request.app.state.settings.data_dir
    # In a thread whole: thousands of postcodes take a while.
    return await run_in_threadpool(
        lambda: _listing(directory.document("json"), postcodes_of(folder))
    )


async def _if_there_is_one(request: Request, directory: Live) -> Listing:
    """The same; empty where there is none, for pages that must be there without it."""
    try:
        return await _from_directory(request, directory)
    except NotReady:
        return Listing.of([])


InListing = Annotated[Listing, Depends(_if_there_is_one)]


def finder(request: Request, language: Language, listing: Listing, **state: Any) -> Response:
    """The page, in one of its states."""
    say = words(language)
    return page(
        request,
        language,
        "finder.html",
        status=422 if state.get("problem") else 200,
        within=("first.css", "door.js"),
        **{"title": language.gettext("Safe Havens: the nearest open door"), "typed": ""} | state,
        words=say,
        phrases=phrases(language),
        facilities=[(facility.value, say[facility]) for facility in Facility],
        wards=listing.wards,
        postcodes=listing.postcodes,
    )


@router.get("/")
@router.get(IN_LANGUAGE)
async def start(request: Request, language: InLanguage, listing: InListing) -> Response:
    """The page as it begins."""
    return finder(request, language, listing)


@router.post("/")
@router.post(IN_LANGUAGE)
async def near_place(
    request: Request,
    language: InLanguage,
    listing: Annotated[Listing, Depends(_from_directory)],
    directory: Live,
    place: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """The nearest open havens to a place that was typed, or which places it could be. Raises
    `NotReady`: without a directory no place is known, and none should be called unknown."""
    say = words(language)
    if not place.strip():
        return finder(request, language, listing, problem=say["place_empty"])
    found = listing.places.find(place)
    if len(found.places) == 1 and not found.guessed:
        origin = found.places[0]
        question = NearestQuestion(lat=origin.lat, lon=origin.lon)
        nearest = find(question, directory)
        told = orjson.loads(nearest.rendered(directory.age_seconds, b"[]"))
        lists = with_neighbours(told, nearest.doors)
        shown = _answer(lists, instant(told["at"]), request, language, origin.name)
        return finder(request, language, listing, **shown)
    several = "place_meant" if found.guessed else "place_several"
    heading = str(say[several if found.places else "place_unknown"])
    return finder(
        request,
        language,
        listing,
        choices=[choice.name for choice in found.places],
        heading=heading.format(text=place),
        typed=place,
    )


Several = dict[str, list[dict[str, Any]]]
"""The lists of a `NearestAnswer`."""

_PARTS = "havens", "closing", "opens_next"


def with_neighbours(told: dict[str, Any], doors: Doors | None) -> Several:
    """The lists of a `NearestAnswer`, with those of neighbours among ours where there are any."""
    if doors is None:
        return {part: told[part] for part in _PARTS}
    several = {}
    for part, ranked in zip(_PARTS, doors, strict=True):
        known = {haven["id"]: haven for haven in told[part] + told["beyond"][part]}
        ids = [str(door.search.snapshot.uuid(door.match.row)) for door in ranked]
        several[part] = [known[one] for one in ids if one in known]
    return several


def _answer(
    several: Several, now: datetime, request: Request, language: Language, place: str
) -> dict[str, Any]:
    """The nearest havens as the page shows them."""
    say = words(language)
    parts: dict[str, list[Card]] = {
        part: [card(haven, request, language, now) for haven in havens]
        for part, havens in several.items()
    }
    first = next((one for cards in parts.values() for one in cards), None)
    shown: dict[str, Any] = {"first": first}
    if first in parts["closing"]:
        shown["notice"] = say["closing_soon"]
    if first and not first["dark"]:
        shown["heading"] = title = str(say["found"])
        shown["fresh"] = str(say["as_of"]).format(now=with_day(language, now), place=place)
    else:
        shown["heading"] = say["none_known"]
        if opening := next(iter(several["opens_next"]), None):
            time = local(language, instant(opening["open"]["opens_at"]), now)
            shown["heading"] = str(say["next_opens"]).format(time=time)
        shown["fresh"] = str(say["it_is"]).format(now=with_day(language, now))
        title = str(say["none_title"])
    shown |= {part: [one for one in cards if one is not first] for part, cards in parts.items()}
    return {"answer": shown, "title": title}
