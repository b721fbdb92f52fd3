"""What a page says of itself to those who list or share it, where it has a public address."""

from typing import Any

from fastapi import Request

from app.core.settings import Settings
from app.http.languages import IN_LANGUAGE, LANGUAGES
from app.web.pages import link

PREFIXES = ("", IN_LANGUAGE)
"""Where each page is: under an address without a language, and under one that says it."""


def sharing(request: Request, path: str, title: str, description: str = "") -> dict[str, Any]:
    """What `sharing.html` calls `about`: the page at a path. It holds no position."""
    settings: Settings = request.app.state.settings
    base = settings.public_url
    return {
        "title": title,
        "description": description,
        "public_url": base,
        "url": f"{base}{link(request, path)}" if base else "",
        "alternates": alternates(base, path) if base else {},
    }


def alternates(base: str, path: str) -> dict[str, str]:
    """The addresses of a page by language, as `hreflang` names them."""
    here = {code: f"{base}/{code}{path}".rstrip("/") for code in LANGUAGES}
    return here | {"x-default": f"{base}{path}"}
