"""The register's rules on names and references: pure."""

import re
from collections.abc import Iterable
from difflib import SequenceMatcher
from typing import NamedTuple, Self

from app.core.text import folded

ALIKE = 0.8
"""From which ratio of letters in common two names may be one, written differently."""

_SAYS_LITTLE = frozenset(
    (
        *("a", "an", "and", "at", "by", "in", "of", "on", "the"),
        *("city", "co", "company", "group", "limited", "llp", "london", "ltd", "plc", "uk"),
        *("bar", "cafe", "club", "hotel", "house", "inn", "pub", "restaurant", "room", "rooms"),
        "tavern",
    )
)


class Written(NamedTuple):
    """How a name is written, without marks and capitals.

    `words` are those that tell something, `sorted` these in order as one text, and `unbroken` is
    the whole name as one.
    """

    words: frozenset[str]
    sorted: str
    unbroken: str

    @classmethod
    def of(cls, name: str) -> Self:
        """As a name is written."""
        plain = folded(name)
        words = frozenset(plain.split())
        telling = words - _SAYS_LITTLE or words
        return cls(telling, "".join(sorted(telling)), plain.replace(" ", ""))


def alike(name: str, other: str) -> bool:
    """Whether two names may well be those of one place."""
    return written_alike(Written.of(name), Written.of(other))


def written_alike(name: Written, other: Written) -> bool:
    """Whether two names may well be those of one place, by how they are written.

    They are if, without the words that many names share, the words of one are all in the other,
    or their letters hardly differ.
    """
    if not name.words or not other.words:
        return False
    if name.words <= other.words or other.words <= name.words:
        return True
    pairs = (name.sorted, other.sorted), (name.unbroken, other.unbroken)
    return any(_hardly_differ(*pair) for pair in pairs)


def _hardly_differ(text: str, other: str) -> bool:
    # The lengths often say enough, and looking at the letters takes much longer.
    if 2 * min(len(text), len(other)) / (len(text) + len(other)) < ALIKE:
        return False
    letters = SequenceMatcher(None, text, other)
    return letters.quick_ratio() >= ALIKE and letters.ratio() >= ALIKE


def next_reference(taken: Iterable[str]) -> str:
    """The reference after the highest of those made before: `V-000124` after `V-000123`."""
    numbers = (int(r[2:]) for r in taken if re.fullmatch("V-[0-9]{6,9}", r))
    return f"V-{max(numbers, default=0) + 1:06}"
