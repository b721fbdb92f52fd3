"""What the rows of several reports have in common: columns, groups, shares and changes."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar
from uuid import UUID

from pydantic import Field

from app.audit.frame.report import Row
from app.venues.fields import A_VENUE_ID

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
N = TypeVar("N", int, float)


class AtVenue(Row):
    """A base for rows about one venue."""

    venue_id: UUID = Field(title="Venue id", examples=[A_VENUE_ID])
    reference: str = Field(title="Reference", examples=["COL-0042"])
    name: str = Field(title="Venue", examples=["The Lantern"])


def grouped(values: Iterable[V], key: Callable[[V], K]) -> defaultdict[K, list[V]]:
    """The values with each key, groups and values in the order in which they come."""
    groups: defaultdict[K, list[V]] = defaultdict(list)
    for value in values:
        groups[key(value)].append(value)
    return groups


def share(part: float, whole: float) -> float | None:
    """A part of a whole, None where the whole is nothing."""
    return part / whole if whole else None


def change(now: N | None, before: N | None) -> N | None:
    """How far a figure is from what it was, None where it is or was none."""
    return None if now is None or before is None else now - before
