"""The register's rules on names and references: pure."""

import re
from collections.abc import Iterable
from difflib import SequenceMatcher

from app.text import folded

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


def alike(name: str, other: str) -> bool:
    """Whether two names may well be those of one place.

    They are if, without the words that many names share, the words of one are all in the other,
    or their letters hardly differ.
    """
    ours, theirs = _telling(name), _telling(other)
    if not ours or not theirs:
        return False
    if ours <= theirs or theirs <= ours:
        return True
    joined = "".join(sorted(ours)), "".join(sorted(theirs))
    unbroken = folded(name).replace(" ", ""), folded(other).replace(" ", "")
    return any(SequenceMatcher(None, *pair).ratio() >= ALIKE for pair in (joined, unbroken))


def _telling(name: str) -> set[str]:
    words = set(folded(name).split())
    return words - _SAYS_LITTLE or words


def next_reference(taken: Iterable[str]) -> str:
    """The reference after the highest of those made before: `V-000124` after `V-000123`."""
    numbers = (int(r[2:]) for r in taken if re.fullmatch("V-[0-9]{6,9}", r))
    return f"V-{max(numbers, default=0) + 1:06}"
