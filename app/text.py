"""Text that people write: cleaned where it comes in, so that the register holds what can be shown.

Use them with a length, which counts after the cleaning: `name: Line = Field(max_length=200)`.
"""

import re
import unicodedata
from typing import Annotated

from pydantic import BeforeValidator


def _line(value: object) -> object:
    return _without_controls(" ".join(value.split())) if isinstance(value, str) else value


def _prose(value: object) -> object:
    return (
        _without_controls(re.sub("\r\n?", "\n", value).strip(), "\n\t")
        if isinstance(value, str)
        else value
    )


def _without_controls(text: str, but: str = "") -> str:
    # Cc has NUL, which PostgreSQL can't store; Cs the halves of characters, which UTF-8 can't.
    if any(unicodedata.category(c) in ("Cc", "Cs") and c not in but for c in text):
        raise ValueError("must not contain control characters")
    return unicodedata.normalize("NFC", text)


Line = Annotated[str, BeforeValidator(_line)]
"""One line: stripped, every run of white space one space."""

Prose = Annotated[str, BeforeValidator(_prose)]
"""Several lines: stripped, line ends as `\\n`, tabs kept."""


def folded(text: str) -> str:
    """The words of a text in lower case without accents or marks, to search and compare by.

    An apostrophe joins, `&` reads as "and", every other mark parts: `O'Neill's Café-Bar` is
    `oneills cafe bar`.
    """
    text = unicodedata.normalize("NFKD", re.sub("['\u2018\u2019`]", "", text.replace("&", " and ")))
    kept = (c if c.isalnum() else " " for c in text if not unicodedata.combining(c))
    return " ".join("".join(kept).casefold().split())
