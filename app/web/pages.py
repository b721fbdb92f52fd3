"""How every page is made: from a template, in a language, under headers that let in nothing else.

A page runs no script and shows no style that is not a file of ours, fetched or held by the page and
named by its hash, so what somebody typed can't become one either.
"""

import gzip
import hashlib
from collections.abc import Iterable
from functools import cache, partial
from typing import Any

import orjson
from fastapi import Request, Response
from fastapi.routing import APIRoute
from jinja2 import (
    ChainableUndefined,
    ChoiceLoader,
    Environment,
    PackageLoader,
    PrefixLoader,
    select_autoescape,
)
from markupsafe import Markup, escape

from app.core.settings import Settings
from app.directory.contacts import Contacts
from app.http.headers import is_known, takes_gzip
from app.http.languages import LANGUAGES, SOURCE, Language, language_code
from app.web.assets import MEDIA_TYPES, Assets, File

NOTHING_ELSE = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " manifest-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
)
TRUSTED_TYPES = "; require-trusted-types-for 'script'; trusted-types havens"
"""No script may turn text into markup or code; the one policy names scripts of ours."""

HEADERS = {
    "Permissions-Policy": "geolocation=(self), camera=(), microphone=(), payment=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Vary": "Accept-Language, Accept-Encoding",
}


class PageRoute(APIRoute):
    """A route that answers a person: its errors are pages, too."""


def page(
    request: Request,
    language: Language,
    template: str,
    status: int = 200,
    *,
    csp: str = NOTHING_ELSE + TRUSTED_TYPES,
    within: tuple[str, ...] = (),
    **values: Any,
) -> Response:
    """A template as a page, compressed for those who accept that, with a tag if it is found.

    What it holds `within` itself is not fetched, for pages that must be there at once.
    """
    settings: Settings = request.app.state.settings
    assets: Assets = request.app.state.assets
    contacts: Contacts = request.app.state.contacts
    held = {name: assets.named(name) for name in within}
    body = (
        _environment(language)
        .get_template(template)
        .render(
            language=language,
            languages=LANGUAGES.values(),
            link=partial(link, request),
            in_language=partial(_in_language, request),
            asset=assets.url,
            within={name: file.content.decode() for name, file in held.items()},
            exit_url=settings.exit_url,
            demonstration=settings.demonstration,
            contacts=orjson.loads(contacts.of(language).body),
            **values,
        )
        .encode()
    )
    headers = HEADERS | {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Language": language.code,
        "Content-Security-Policy": _naming(csp, held.values()),
        "Cache-Control": "no-store",
    }
    return _sent(request, body, status, headers)


def _naming(csp: str, held: Iterable[File]) -> str:
    """A policy that lets a page use what it holds, and nothing else that stands in it."""
    for file in held:
        kind = "style-src" if file.media_type == MEDIA_TYPES[".css"] else "script-src"
        csp = csp.replace(f"{kind} 'self'", f"{kind} 'self' '{file.digest}'")
    return csp


def script(request: Request, name: str, **values: Any) -> Response:
    """A template as a script, under an address that stays as it is."""
    body = _environment(LANGUAGES[SOURCE]).get_template(name).render(**values).encode()
    headers = {"Content-Type": "text/javascript; charset=utf-8", "Vary": "Accept-Encoding"}
    return _sent(request, body, 200, headers)


def _sent(request: Request, body: bytes, status: int, headers: dict[str, str]) -> Response:
    """Compressed for those who accept that; what was asked for and is there, only if it changed."""
    gzipped = takes_gzip(request.headers)
    if status == 200 and request.method == "GET":
        headers["Cache-Control"] = "no-cache"
        headers["ETag"] = f'"{hashlib.sha256(body).hexdigest()[:32]}{"-gzip" * gzipped}"'
        if is_known(request.headers, headers["ETag"]):
            return Response(status_code=304, headers=headers)
    if gzipped:
        headers["Content-Encoding"] = "gzip"
        body = gzip.compress(body, 6, mtime=0)
    return Response(body, status, headers)


def link(request: Request, path: str) -> str:
    """The address of one of our pages, in the language that the request's says, if it says one."""
    code = language_code(request.url.path)
    return f"/{code}{path}".rstrip("/") if code else path


def _in_language(request: Request, code: str) -> str:
    """The address of the page that was asked for, in another language."""
    here = language_code(request.url.path)
    path = request.url.path.removeprefix(f"/{here}") if here else request.url.path
    return f"/{code}{path}".rstrip("/")


@cache
def _environment(language: Language) -> Environment:
    """The templates in one language."""
    made = Environment(
        loader=ChoiceLoader(
            [
                PackageLoader("app.web"),
                PrefixLoader({"govuk_frontend_jinja": PackageLoader("govuk_frontend_jinja")}),
            ]
        ),
        autoescape=select_autoescape(default=True),
        # What does not apply to a haven is absent from it.
        undefined=ChainableUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    made.install_gettext_callables(  # type: ignore[attr-defined]
        language.gettext, language.ngettext, newstyle=True
    )
    made.filters["with_links"] = _with_links
    return made


def _with_links(text: str, *addresses: str) -> Markup:
    """A message in which `<a>…</a>` marks, in order, what leads to each of the addresses."""
    before, *marked = str(text).replace("</a>", "<a>").split("<a>")
    made = escape(before)
    for address, linked, after in zip(addresses, marked[::2], marked[1::2], strict=True):
        made += Markup('<a class="govuk-link" href="{}">{}</a>{}').format(address, linked, after)
    return made
