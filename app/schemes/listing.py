"""What the public may know of accreditations, straight from the decisions."""

from collections import defaultdict
from datetime import datetime
from math import ceil, floor
from typing import Any
from uuid import UUID

from sqlmodel import Session

from app.schemes.history import decisions_that_list
from app.schemes.registry import LISTS_PUBLICLY
from app.schemes.rules import State, in_force_intervals, standing

Interval = tuple[int, int]
"""Half-open, in whole seconds since 1970 UTC."""


def listing_windows(session: Session, within: Interval) -> dict[UUID, tuple[Interval, ...]]:
    """When each venue's Safe Haven accreditation is in force inside a span of time.

    In order and apart from each other; a venue without any is left out. Never a part of a second
    in which it is not in force.
    """
    first, last = within
    windows = {}
    for (venue_id, _), decisions in decisions_that_list(session, LISTS_PUBLICLY):
        inside = [
            (max(first, ceil(start.timestamp())), min(last, floor(end.timestamp())))
            if end
            else (max(first, ceil(start.timestamp())), last)
            for start, end in in_force_intervals(decisions)
        ]
        if listed := tuple((start, end) for start, end in inside if start < end):
            windows[venue_id] = listed
    return windows


def schemes_in_force(session: Session, at: datetime) -> dict[UUID, list[dict[str, Any]]]:
    """The schemes in which each venue stands at an instant: `scheme`, and `until` and `grade`
    where there are any, as JSON shows them; a venue without any is left out."""
    found: defaultdict[UUID, list[dict[str, Any]]] = defaultdict(list)
    for (venue_id, scheme), decisions in decisions_that_list(session):
        there = standing(decisions, at)
        if there.state is State.IN_FORCE:
            until = there.until and there.until.isoformat()
            shown = {"scheme": str(scheme), "until": until, "grade": there.grade}
            found[venue_id].append({k: v for k, v in shown.items() if v is not None})
    return dict(found)
