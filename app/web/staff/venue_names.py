"""Venues by their names, where the API tells their ids alone."""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

from app.web.staff.visits import Visitor

ID = "venue_id"
MOST = 30
"""Of how many venues a page asks for the names."""


async def with_venues(visitor: Visitor, body: Mapping[str, Any]) -> dict[str, Any]:
    """What the API told of a record, with the venue itself in place of each `venue_id`."""
    ids = [*dict.fromkeys(_ids(body))][:MOST]
    told = await asyncio.gather(
        *(visitor.api.send("GET", f"/v1/admin/venues/{one}") for one in ids)
    )
    shown = ("id", "name", "reference")
    venues = {
        one: {key: venue.body[key] for key in shown if key in venue.body}
        for one, venue in zip(ids, told, strict=True)
        if venue.is_done
    }
    named: dict[str, Any] = _named(body, venues)
    return named


def _ids(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for one in value:
            yield from _ids(one)
    elif isinstance(value, dict):
        for key, one in value.items():
            if key == ID and "venue" not in value:
                yield one
            else:
                yield from _ids(one)


def _named(value: Any, venues: Mapping[str, Any]) -> Any:
    if isinstance(value, list):
        return [_named(one, venues) for one in value]
    if isinstance(value, dict):
        return {
            key: venues.get(one, one) if key == ID else _named(one, venues)
            for key, one in value.items()
        }
    return value
