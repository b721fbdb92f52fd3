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
    listed: dict[str, Listing] = {}
    by_decisions: dict[Any, Listing] = {}
    for venue_id, of_venue in groupby(decisions_that_list(session), attrgetter("venue_id")):
        by_scheme = {
            scheme: in_order(decisions)
            for scheme, decisions in groupby(of_venue, attrgetter("scheme"))
        }
        key = tuple((scheme, *map(_content, decisions)) for scheme, decisions in by_scheme.items())
        if key not in by_decisions:
            by_decisions[key] = Listing(
                windows=tuple(_windows(by_scheme.get(LISTS_PUBLICLY, ()), within)),
                schemes=tuple(
                    shown
                    for scheme, decisions in by_scheme.items()
                    for shown in _shown(scheme, decisions, at)
                ),
            )
        if by_decisions[key] != _NOTHING:
            listed[venue_id] = by_decisions[key]
    return listed


_content = attrgetter("kind", "effective_at", "until", "grade")
_NOTHING = Listing((), ())


def _windows(decisions: Iterable[Decided], within: Interval) -> Iterator[Interval]:
    first, last = within
    for start, end in in_force_intervals(decisions):
        begin = max(first, ceil(start.timestamp()))
        until = min(last, floor(end.timestamp())) if end else last
        if begin < until:
            yield begin, until


def _shown(scheme: str, decisions: Iterable[Decided], at: datetime) -> Iterator[Shown]:
    held = standing(decisions, at)
    if held.state is State.IN_FORCE:
        until = held.until and held.until.isoformat()
        shown = {"scheme": str(scheme), "until": until, "grade": held.grade}
        yield {key: value for key, value in shown.items() if value is not None}
