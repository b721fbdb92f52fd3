"""All havens by ward, and the map that script draws of that list.

The map is of the havens alone: it never asks where anybody is, and begins the same for everybody.
"""

import re
from typing import NamedTuple

from fastapi import APIRouter, Request, Response
from pydantic import HttpUrl

from app.core.settings import Settings
from app.directory.routes import Live
from app.http.languages import InLanguage, Language
from app.web.cards import Card
from app.web.finder import InListing
from app.web.havens import doors
from app.web.pages import HEADERS, NOTHING_ELSE, PageRoute, link, page
from app.web.sharing import sharing

router = APIRouter(route_class=PageRoute, include_in_schema=False)

NOBODY_S_PLACE = HEADERS["Permissions-Policy"].replace("geolocation=(self)", "geolocation=()")


class TileSource(NamedTuple):
    """Whence phones fetch the pictures under the map, where an operator has chosen that."""

    template: str
    attribution: str
    origin: str
    host: str

    @classmethod
    def of(cls, settings: Settings) -> "TileSource | None":
        """The one in the settings, if there is one."""
        if not settings.map_tiles:
            return None
        url = HttpUrl(re.sub("[{][xyz][}]", "0", settings.map_tiles))
        origin = f"{url.scheme}://{url.host}:{url.port}"
        return cls(settings.map_tiles, settings.map_attribution, origin, str(url.host))

    def words(self, language: Language) -> str:
        """What the source gets to know."""
        return language.gettext(
            "The streets on the map come from {host}, which gets to know the address of your"
            " connection and which part of the map you look at, but not where you are."
        ).format(host=self.host)


class Part(NamedTuple):
    """The havens of a ward, or under no address those that lie in none."""

    name: str
    href: str
    havens: list[Card]


# Not `async`: of a large directory it takes a while, and nobody else's answer should wait for it.
@router.get("/map")
def map_of_havens(
    request: Request, language: InLanguage, directory: Live, listing: InListing
) -> Response:
    """Every haven and its door now, by ward. Raises `NotReady`."""
    in_none = [haven for haven in listing.havens if not haven.get("ward")]
    parts = [
        Part(
            ward.name,
            link(request, f"/wards/{ward.slug}"),
            doors(request, language, directory, ward.havens),
        )
        for ward in listing.wards
    ]
    elsewhere = language.gettext("Outside the wards")
    parts.append(Part(elsewhere, "", doors(request, language, directory, in_none)))
    cards = [one for part in parts for one in part.havens]
    title = language.ngettext(
        "{n} Safe Haven and its ward", "All {n} Safe Havens and their wards", len(cards)
    ).format(n=len(cards))
    tiles = TileSource.of(request.app.state.settings)
    response = page(
        request,
        language,
        "map.html",
        csp=_policy(tiles),
        parts=[part for part in parts if part.havens],
        places={haven["id"]: haven["location"] for haven in listing.havens},
        open_now=sum(not one["dark"] for one in cards),
        tiles=tiles,
        about=sharing(request, "/map", title),
    )
    response.headers["Permissions-Policy"] = NOBODY_S_PLACE
    return response


def _policy(tiles: TileSource | None) -> str:
    """Without Trusted Types, for Leaflet writes its own signs as markup; and the tiles' origin."""
    images = f"img-src 'self' {tiles.origin}" if tiles else "img-src 'self'"
    return NOTHING_ELSE.replace("img-src 'self'", images)
