"""What search engines may read, and which pages there are."""

from collections.abc import Iterable
from xml.etree.ElementTree import Element, SubElement, tostring

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse

from app.core.errors import NotFound
from app.core.settings import Settings
from app.web.about import ABOUT
from app.web.finder import InListing
from app.web.pages import PageRoute
from app.web.sharing import alternates

router = APIRouter(route_class=PageRoute, include_in_schema=False)

_HEADERS = {"Cache-Control": "public, max-age=3600"}


@router.get("/robots.txt")
async def robots(request: Request) -> Response:
    """Everything may be read, but of a demonstration nothing: no place in it is real."""
    settings: Settings = request.app.state.settings
    lines = ["User-agent: *", "Disallow: /" if settings.demonstration else "Disallow:"]
    if address := _sitemap(settings):
        lines.append(f"Sitemap: {address}")
    return PlainTextResponse("\n".join([*lines, ""]), headers=_HEADERS)


@router.get("/sitemap.xml")
async def sitemap(request: Request, listing: InListing) -> Response:
    """Every page, in each language. Raises `NotFound` where there is no public address."""
    settings: Settings = request.app.state.settings
    if not _sitemap(settings):
        raise NotFound
    paths = [
        "/",
        "/map",
        *ABOUT,
        *(f"/wards/{ward.slug}" for ward in listing.wards),
        *(f"/havens/{haven['id']}" for haven in listing.havens),
    ]
    return Response(_pages(settings.public_url, paths), 200, _HEADERS, "application/xml")


def _sitemap(settings: Settings) -> str:
    return "" if settings.demonstration else settings.address("/sitemap.xml")


def _pages(base: str, paths: Iterable[str]) -> bytes:
    schemas = {
        "xmlns": "http://www.sitemaps.org/schemas/sitemap/0.9",
        "xmlns:xhtml": "http://www.w3.org/1999/xhtml",
    }
    root = Element("urlset", schemas)
    for path in paths:
        entry = SubElement(root, "url")
        SubElement(entry, "loc").text = f"{base}{path}"
        for code, address in alternates(base, path).items():
            attributes = {"rel": "alternate", "hreflang": code, "href": address}
            SubElement(entry, "xhtml:link", attributes)
    document: bytes = tostring(root, encoding="UTF-8", xml_declaration=True)
    return document
