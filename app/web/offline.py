"""What lets the finder start without a connection: the worker that keeps it on the phone."""

import hashlib
from functools import cache
from pathlib import Path

import orjson
from fastapi import APIRouter, Request, Response

from app.directory.routes import Help
from app.http.languages import CATALOGUES, IN_LANGUAGE, LANGUAGES, InLanguage
from app.web.assets import Assets
from app.web.finder import InListing
from app.web.pages import PageRoute, link, script

router = APIRouter(route_class=PageRoute, include_in_schema=False)

_PAGES = ["/", "/help", *(f"/{code}{page}" for code in LANGUAGES for page in ("", "/help"))]
_LATER = ["streets.js", "streets.css"]
"""What a page asks for later, if at all; it is kept from then on."""

_FILES = ["first.css", "finder.css", "finder.js", "page.js", "mark.svg"]


@router.get("/worker.js")
async def worker(request: Request, contacts: Help, listing: InListing) -> Response:
    """The service worker. It changes with whatever it keeps, and so has a phone keep that anew."""
    assets: Assets = request.app.state.assets
    files, later = ([assets.url(name) for name in names] for names in (_FILES, _LATER))
    by_ward = [(ward.name, len(ward.havens)) for ward in listing.wards]
    door = assets.url("door.js")  # which the finder holds itself
    kept = orjson.dumps([_written(), files, later, door, by_ward]) + contacts.body
    build = hashlib.sha256(kept).hexdigest()[:16]
    return script(request, "worker.js", build=build, files=files, later=later, pages=_PAGES)


@router.get("/havens.webmanifest")
@router.get(f"{IN_LANGUAGE}/havens.webmanifest")
async def manifest(request: Request, language: InLanguage) -> Response:
    """What the phone shows when the finder is installed on it."""
    assets: Assets = request.app.state.assets
    icons = [
        {"src": assets.url(f"icon-{size}.png"), "sizes": f"{size}x{size}", "type": "image/png"}
        for size in (192, 512)
    ]
    about = {
        "name": "Safe Havens",
        "short_name": "Safe Havens",
        "description": language.gettext("A safe place, open now, near you"),
        "lang": language.code,
        "dir": language.direction,
        "start_url": link(request, "/"),
        "scope": "/",
        "display": "standalone",
        "background_color": "#082a34",
        "theme_color": "#082a34",
        "icons": [*icons, icons[-1] | {"purpose": "maskable"}],
    }
    headers = {
        "Cache-Control": "public, max-age=86400",
        "Vary": "Accept-Language",
    }
    return Response(orjson.dumps(about), 200, headers, "application/manifest+json")


@cache
def _written() -> str:
    """Stands for all that pages are made of."""
    here = Path(__file__).parent
    parts = sorted([*here.glob("templates/*.*"), *CATALOGUES.glob("*/LC_MESSAGES/*.mo")])
    return hashlib.sha256(b"".join(part.read_bytes() for part in parts)).hexdigest()
