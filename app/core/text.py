"""Text that people write: cleaned where it comes in, so that the register holds what can be shown.

Use them with a length, which counts after the cleaning: `name: Line = Field(max_length=200)`.
"""

import re
import unicodedata
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BeforeValidator

# What shows nothing of its own. It comes along when text is copied, and makes texts differ that
# look the same: soft hyphens, joiners, marks of direction, selectors of variants, blank letters.
_UNSEEN = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202c\u2060-\u206f"
    "\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff"
)
# Joiners and selectors do show within Persian or Hindi words and in pictures of several parts, and
# so stay between such characters; as do those after a digit for a key, and within a flag.
_SIGN = f"[^\u0000-\u058f\u1e00-\u218f{_UNSEEN}]"
_VARIANT = "[\u180b-\u180d\ufe00-\ufe0f\U000e0100-\U000e01ef]"
_FLAG = "\U0001f3f4[\U000e0020-\U000e007e]+\U000e007f"
_MEANT = (
    f"{_FLAG}|{_SIGN}{_VARIANT}?(?:[\u200c\u200d]{_SIGN}{_VARIANT}?)*"
    "|[#*0-9]\ufe0f\u20e3|[©®\u203c\u2049\u2122\u2139]\ufe0f"
)
_CLEANING = re.compile(f"({_MEANT})|[{_UNSEEN}]")

_REFUSED = [
    # NUL, which PostgreSQL can't store, and halves of characters, which UTF-8 can't, are of these.
    (re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]"), "must not contain control characters"),
    (
        re.compile("[\u202d\u202e]"),
        "must not contain characters that turn the writing round: type it anew",
    ),
    (
        re.compile("[\ue000-\uf8ff\ufdd0-\ufdef\ufffd-\uffff\U000f0000-\U0010ffff]"),
        "has a character that can't be read, perhaps for one that was lost: type it anew",
    ),
]
_DASHES = re.compile("[\u058a\u2010-\u2015\u2043\u2212]")


def marked(message: str) -> str:
    """The message as it is; the mark has it taken into the catalogues, to be shown in a language
    that is known later."""
    return message


def shown(text: str) -> str:
    """The text with its letters composed and without what nobody sees."""
    if text.isascii():
        return text
    composed = unicodedata.normalize("NFC", text)
    return unicodedata.normalize("NFC", _CLEANING.sub(r"\1", composed))


def line(text: str) -> str:
    """The text as one line. Raises ValueError with the reason for what can't be shown."""
    return _readable(" ".join(shown(text).split()))


def prose(text: str) -> str:
    """The text as lines. Raises ValueError with the reason for what can't be shown."""
    return _readable(re.sub("\r\n?|\u2028|\u2029", "\n", shown(text)).strip())


def key(text: str) -> str:
    """The text as one line in which what looks the same is the same: plain hyphens and digits."""
    if not text.isascii():
        plain = _DASHES.sub("-", unicodedata.normalize("NFKC", text))
        text = re.sub(f"[{_UNSEEN}]", "", plain)
    return line(text)


def _readable(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    for pattern, reason in _REFUSED:
        if pattern.search(text):
            raise ValueError(reason)
    return text


def _of_text(clean: Callable[[str], str]) -> BeforeValidator:
    def cleaned(value: Any) -> Any:
        return clean(value) if isinstance(value, str) else value

    return BeforeValidator(cleaned)


Line = Annotated[str, _of_text(line)]
"""One line: stripped, every run of white space one space."""

Prose = Annotated[str, _of_text(prose)]
"""Several lines: stripped, line ends as `\\n`, tabs kept."""

Key = Annotated[str, _of_text(key)]
"""One line by which something is found."""


def folded(text: str) -> str:
    """The words of a text in lower case without accents or marks, to search and compare by.

    An apostrophe joins, `&` reads as "and", every other mark parts: `O'Neill's Café-Bar` is
    `oneills cafe bar`.
    """
    text = re.sub("['\u2018\u2019`]", "", text.replace("&", " and "))
    if text.isascii():
        return re.sub("[^0-9a-z]+", " ", text.lower()).strip()
    text = unicodedata.normalize("NFKD", text)
    kept = (c if c.isalnum() else " " for c in text if not unicodedata.combining(c))
    return " ".join("".join(kept).casefold().split())
