"""What the public may know of accreditations, straight from the decisions."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from math import ceil, floor
from operator import attrgetter
from typing import Any

from sqlmodel import Session

from app.schemes.history import decisions_that_list
from app.schemes.registry import LISTS_PUBLICLY
from app.schemes.rules import Decided, State, in_force_intervals, in_order, standing

Interval = tuple[int, int]
"""Half-open, in whole seconds since 1970 UTC."""

Shown = dict[str, Any]
"""A scheme in which a venue stands: `scheme`, and `until` and `grade` where there are any, as JSON
shows them."""


@dataclass(frozen=True)
class Listing:
    """What the public may know of one venue's accreditations.

    `windows` are when its Safe Haven accreditation is in force, in order and apart from each other,
    and never a part of a second in which it is not.
    """

    windows: tuple[Interval, ...]
    schemes: tuple[Shown, ...]


def listings(session: Session, within: Interval, at: datetime) -> dict[str, Listing]:
    """Each venue's windows inside a span of time, and its schemes at an instant; a venue without
    either is left out. A venue is named by its id's `hex`.

    Many are decided alike: what the same decisions come to is worked out once.
    """
    found: dict[str, Listing] = {}
    alike: dict[Any, Listing] = {}
    for venue_id, rows in groupby(decisions_that_list(session), attrgetter("venue_id")):
        by_scheme = [
            (scheme, in_order(decisions))
            for scheme, decisions in groupby(rows, attrgetter("scheme"))
        ]
        key = tuple((scheme, tuple(map(_decided, some))) for scheme, some in by_scheme)
        if key not in alike:
            alike[key] = Listing(
                windows=tuple(
                    window
                    for scheme, decisions in by_scheme
                    if scheme == LISTS_PUBLICLY
                    for window in _windows(decisions, within)
                ),
                schemes=tuple(
                    shown for scheme, some in by_scheme for shown in _shown(scheme, some, at)
                ),
            )
        if alike[key] != _NOTHING:
            found[venue_id] = alike[key]
    return found


_decided = attrgetter("kind", "effective_at", "until", "grade")
_NOTHING = Listing((), ())


def _windows(decisions: Iterable[Decided], within: Interval) -> Iterator[Interval]:
    first, last = within
    for start, end in in_force_intervals(decisions):
        begin = max(first, ceil(start.timestamp()))
        until = min(last, floor(end.timestamp())) if end else last
        if begin < until:
            yield begin, until


def _shown(scheme: str, decisions: Iterable[Decided], at: datetime) -> Iterator[Shown]:
    there = standing(decisions, at)
    if there.state is State.IN_FORCE:
        until = there.until and there.until.isoformat()
        shown = {"scheme": str(scheme), "until": until, "grade": there.grade}
        yield {k: v for k, v in shown.items() if v is not None}
