"""The files that pages are made of, under names that change with what is in them."""

import gzip
import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path, PurePath
from types import MappingProxyType

from fastapi import APIRouter, Request, Response
from rcssmin import cssmin
from rjsmin import jsmin

from app.core.errors import NotFound
from app.http.headers import takes_gzip

STATIC = Path(__file__).parent / "static"

FIRST_SHEETS = ("css/tokens.css", "css/first.css")

BUNDLES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "first.css": ("vendor/govuk-first.css", *FIRST_SHEETS),
        "finder.css": ("vendor/govuk-finder.css", "css/public.css"),
        "console.css": (
            "vendor/govuk-frontend.css",
            *FIRST_SHEETS,
            "css/public.css",
            "css/console.css",
        ),
        "page.js": ("js/page.js",),
        "door.js": ("js/page.js", "js/door.js"),
        "finder.js": ("js/search.js", "js/places.js", "js/finder.js"),
        "streets.js": ("js/streets.js", "js/steps.js", "js/way.js"),
        "streets.css": ("css/streets.css",),
        "console.js": ("vendor/govuk-frontend.js",),
        "map.css": ("vendor/leaflet.css", "css/map.css"),
        "leaflet.js": ("vendor/leaflet.js",),
        "map.js": ("js/map.js",),
        "pin.js": ("js/pin.js",),
        "once.js": ("js/once.js",),
        "mark.svg": ("icons/mark.svg",),
        "icon-192.png": ("icons/icon-192.png",),
        "icon-512.png": ("icons/icon-512.png",),
        "apple-touch-icon.png": ("icons/apple-touch-icon.png",),
    }
)
"""What is served, and the files under `static/` that it is put together from."""

MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
}

_ADDRESS = re.compile(r"(?P<stem>[a-z0-9-]+)\.(?P<tag>[0-9a-f]{10})(?P<suffix>\.[a-z]+)")


@dataclass(frozen=True)
class File:
    """A file as it is served: under `/static/` and its address, compressed or not."""

    address: str
    media_type: str
    content: bytes
    compressed: bytes
    """By gzip."""
    digest: str
    """By which a page's policy knows what it holds itself (`'sha256-…'`)."""


class Assets:
    """Every file that is served, made once from those in the repository. It never changes."""

    def __init__(self) -> None:
        self._files = {name: _file(name, sources) for name, sources in BUNDLES.items()}

    def url(self, name: str) -> str:
        """Where a browser finds the file of a name. Raises `KeyError`."""
        return f"/static/{self.named(name).address}"

    def named(self, name: str) -> File:
        """The file of a name. Raises `KeyError`."""
        return self._files[name]

    def file(self, address: str) -> File | None:
        """The file whose address this is, or was while something else was in it."""
        found = _ADDRESS.fullmatch(address)
        return self._files.get(found["stem"] + found["suffix"]) if found else None


@cache
def assets() -> Assets:
    """The files of this process."""
    return Assets()


router = APIRouter(include_in_schema=False)


@router.get("/static/{name}")
async def static_file(name: str, request: Request) -> Response:
    """A file that a page names. Raises `NotFound`.

    The address that a file had before or will have after a change of version brings the file of
    now, for that page alone: while processes of two versions answer, a page of the other one must
    not stand there without its style.
    """
    assets: Assets = request.app.state.assets
    file = assets.file(name)
    if file is None:
        raise NotFound
    lasting = "public, max-age=31536000, immutable"
    headers = {
        "Cache-Control": lasting if file.address == name else "no-store",
        "Vary": "Accept-Encoding",
    }
    if not takes_gzip(request.headers):
        return Response(file.content, media_type=file.media_type, headers=headers)
    headers["Content-Encoding"] = "gzip"
    return Response(file.compressed, media_type=file.media_type, headers=headers)


def _file(name: str, sources: tuple[str, ...]) -> File:
    content = b"".join(map(_prepared, sources))
    stem, suffix = PurePath(name).stem, PurePath(name).suffix
    return File(
        address=f"{stem}.{sha256(content).hexdigest()[:10]}{suffix}",
        media_type=MEDIA_TYPES[suffix],
        content=content,
        compressed=gzip.compress(content, 9, mtime=0),
        digest=f"sha256-{b64encode(sha256(content).digest()).decode()}",
    )


def _prepared(source: str) -> bytes:
    content = (STATIC / source).read_bytes()
    match PurePath(source).parts[0]:  # what is vendored is as small as its makers made it
        case "css":
            return bytes(cssmin(content))
        case "js":
            return bytes(jsmin(content)) + b"\n"
        case _:
            return content
