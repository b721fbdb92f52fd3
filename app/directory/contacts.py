"""Whom to call, in the language of whoever asks.

The words of the contacts that come with the service are in the catalogues. Those that an operator
has set stay as they were written, in whatever language that is.
"""

from collections.abc import Iterable
from typing import NamedTuple

import orjson

from app.core.settings import HELP, Contact
from app.http.languages import LANGUAGES, SOURCE, Language, wanted


class HelpJson(NamedTuple):
    """Whom to call as a JSON array, with the headers that say in which language."""

    body: bytes
    headers: dict[str, str]


class Contacts:
    """Whom to call, made once in each language."""

    def __init__(self, contacts: tuple[Contact, ...]) -> None:
        is_ours = contacts == HELP
        self._by_language = {
            language.code: _in(language, contacts) if is_ours else _as_written(contacts)
            for language in LANGUAGES.values()
        }
        self._by_wish = {"": self._by_language[SOURCE]}

    def of(self, language: Language) -> HelpJson:
        """For who reads a language."""
        return self._by_language[language.code]

    def wanted(self, accept_language: str) -> HelpJson:
        """For who sends an `Accept-Language`."""
        found = self._by_wish.get(accept_language)
        if found is None:
            found = self.of(wanted([accept_language]))
            # There are a few of them, unless somebody makes them up.
            if len(self._by_wish) < 1000 and len(accept_language) < 100:
                self._by_wish[accept_language] = found
        return found


def _in(language: Language, contacts: Iterable[Contact]) -> HelpJson:
    said = [
        contact.model_copy(
            update={
                "name": language.gettext(contact.name),
                "note": contact.note and language.gettext(contact.note),
            }
        )
        for contact in contacts
    ]
    headers = {"Content-Language": language.code, "Vary": "Accept-Language"}
    return HelpJson(_json(said), headers)


def _as_written(contacts: Iterable[Contact]) -> HelpJson:
    return HelpJson(_json(contacts), {})


def _json(contacts: Iterable[Contact]) -> bytes:
    return orjson.dumps([contact.model_dump(exclude_none=True) for contact in contacts])
