"""The languages of public pages, and which of them a request is answered in.

An address may begin with a language (`/pl/help`); without one, `Accept-Language` decides. Nothing
is kept on the phone for it. English is the source; the catalogues of the others lie in `locale/`,
none yet reviewed by a native speaker, which every page in it says.
"""

import gettext
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request
from starlette.convertors import Convertor, register_url_convertor

from app.http.headers import preferred

CATALOGUES = Path(__file__).parent / "locale"
DOMAIN = "havens"
SOURCE = "en"


class Language:
    """One of our languages: its code (BCP 47), its own name, its direction, and its words."""

    def __init__(self, code: str, name: str, direction: str = "ltr") -> None:
        self.code = code
        self.name = name
        self.direction = direction
        self.is_reviewed = code == SOURCE
        self._catalogue = (
            gettext.NullTranslations()
            if code == SOURCE
            else gettext.translation(DOMAIN, CATALOGUES, [code])
        )

    def gettext(self, message: str) -> str:
        """A message in this language."""
        return self._catalogue.gettext(message)

    def ngettext(self, one: str, other: str, n: int) -> str:
        """The form of a message that goes with a number."""
        return self._catalogue.ngettext(one, other, n)

    def forms(self, one: str, other: str) -> list[str]:
        """All forms of a message with a number, in the catalogue's order, for who counts later."""
        # Each of our catalogues has met all its forms below 200.
        first = {self._form(n): n for n in reversed(range(200))}
        return [self.ngettext(one, other, first[form]) for form in sorted(first)]

    def _form(self, n: int) -> int:
        # The standard library keeps the rule of a catalogue there, and gives no other way to it.
        rule = getattr(self._catalogue, "plural", None)
        return int(rule(n)) if rule else int(n != 1)


LANGUAGES = {
    language.code: language
    for language in (
        Language(SOURCE, "English"),
        Language("pl", "Polski"),
        Language("es", "Español"),
        Language("ar", "العربية", "rtl"),
    )
}
"""By code, in the order in which they are offered."""


class _Code(Convertor[str]):
    regex = "|".join(LANGUAGES)

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("language", _Code())
IN_LANGUAGE = "/{language:language}"
"""How an address begins that says its language."""


def wanted(accepted: Sequence[str]) -> Language:
    """What `Accept-Language` headers like best of ours; English if they like none."""
    wishes = [wish.partition(";") for wish in ",".join(accepted).split(",")]
    # `pl-PL` is Polish enough.
    by_language = ",".join(f"{tag.partition('-')[0]};{weight}" for tag, _, weight in wishes)
    return LANGUAGES[preferred(by_language, tuple(LANGUAGES))]


def language_code(path: str) -> str:
    """The code of the language that an address begins with; empty if it says none."""
    code = path.removeprefix("/").partition("/")[0]
    return code if code in LANGUAGES else ""


def request_language(request: Request) -> Language:
    """The language that a request is answered in."""
    code = language_code(request.url.path)
    return LANGUAGES[code] if code else wanted(request.headers.getlist("accept-language"))


# Awaits nothing: the framework runs plain functions in a thread, at many times the price.
async def _request_language(request: Request) -> Language:
    return request_language(request)


InLanguage = Annotated[Language, Depends(_request_language)]
