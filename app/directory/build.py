"""The directory's columns, worked out from one moment of the database."""

import json
from array import array
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from functools import cache, lru_cache
from itertools import starmap
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
import orjson
import sqlalchemy as sa
from sqlalchemy.orm import configure_mappers
from sqlmodel import Session, col, select

from app.core.db import as_hex, many_rows
from app.core.places import Point, nearness
from app.directory.engine.columns import LEAF
from app.directory.engine.tree import blocks
from app.directory.outlines import outlines
from app.directory.render import DEMONSTRATION_HAVEN, directions_url
from app.directory.rules import Interval, availability
from app.directory.snapshot import (
    HORIZON,
    MINUTE,
    PROVIDES,
    STEP_FREE,
    UNKNOWN_HOURS,
    Ints,
    Snapshot,
    start_of,
)
from app.schemes.listing import Shown, listings
from app.venues import osm_hours
from app.venues.hours import Hours, bank_holidays, stored_hours
from app.venues.kinds import Facility, StepFree
from app.venues.models import DirectoryState, Venue, VenueStatus, Ward
from app.walking.streets import Streets


def build(session: Session, now: float, streets: Streets | None = None) -> Snapshot:
    """Work out the directory from one moment of the database, its havens tied to the streets."""
    state = session.exec(select(DirectoryState)).one()
    within = start_of(now), start_of(now) + HORIZON
    schedules = Schedules(within)
    listed = listings(session, within, datetime.fromtimestamp(now, UTC))
    distinct = {listing.windows for listing in listed.values()}
    windows = {exact: _on_whole_minutes(exact, int(now)) for exact in distinct}
    found = Found(bytearray(), array("d"), array("q"), array("q"), [])
    ids, places, rows, ties, texts = found
    demonstration = False
    for venue in _active_venues(session):
        listing = listed.get(venue.id)
        if listing and (window := windows[listing.windows]):
            ids += bytes.fromhex(venue.id)
            places.extend((venue.location.lat, venue.location.lon))
            provided = _facilities(venue.facilities)[1]
            provided |= STEP_FREE * (venue.step_free == StepFree.YES)
            opens = schedules.opens(venue.hours, window)
            rows.extend((provided, opens, schedules.number(window)))
            demonstration |= venue.demonstration
            if streets:
                tie = streets.tie(venue.location.lat, venue.location.lon, venue.address)
                ties.extend(tie or (-1, 0, 0))
            texts.append(_fragment(venue, schedules.text(venue.hours), listing.schemes))
    return assembled(
        found,
        schedules,
        database=str(state.database),
        version=state.version,
        generated_at=int(now),
        streets=streets.checksum if streets else "",
        demonstration=demonstration,
        wards=np.frombuffer(outlines(_wards(session)), dtype=np.uint8),
    )


class Found(NamedTuple):
    """What a snapshot is made of, row after row in any order: ids of 16 bytes; places as latitude
    and longitude; what it provides, and the numbers of the schedules by which it opens and is
    listed; three numbers that tie it to the streets, if there are any; its text."""

    ids: bytearray
    places: "array[float]"
    rows: "array[int]"
    ties: "array[int]"
    texts: list[bytes]


def assembled(found: Found, schedules: "Schedules", **about: Any) -> Snapshot:
    """The snapshot of these rows, which are taken out of `found`; `about` are its other fields."""
    ids, places, rows, ties, texts = found
    lat, lon = np.array(places).reshape(-1, 2).T
    provides, available, lists = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    id_column = np.frombuffer(ids, dtype="V16")
    halves = id_column.view(">u8").reshape(-1, 2)
    order = np.lexsort((halves[:, 1], halves[:, 0], nearness(lat, lon)))
    ordered = [texts[i] for i in order.tolist()]
    by_id = np.lexsort((halves[order, 1], halves[order, 0]))
    columns = {
        "ids": id_column[order],
        "lat": lat[order],
        "lon": lon[order],
        "provides": provides[order],
        "opens": available[order],
        "lists": lists[order],
        "by_id": by_id,
        "rank": np.argsort(by_id),
        "cuts": np.cumsum([0, *map(len, ordered)]),
        "ties": np.array(ties, dtype=np.int64).reshape(-1, 3)[order if ties else ()],
        "text": np.frombuffer(b"".join(ordered), dtype=np.uint8),
        "wards": about.pop("wards"),
        **schedules.columns(),
    }
    # The tree takes its memory beside one copy of them, not two.
    ordered.clear()
    texts.clear()
    columns |= blocks(columns, start_of(about["generated_at"]))
    for column in columns.values():
        column.flags.writeable = False
    return Snapshot(leaves=-(-len(order) // LEAF), **about, **columns)


# --- the venues ------------------------------------------------------------------------------


class _Active(NamedTuple):
    """What the directory shows of a venue; documents as JSON text, for many are equal."""

    id: str
    hours: str | None
    facilities: str
    ward: str | None
    name: str
    category: str
    address: str
    postcode: str
    location: Point
    phone: str
    entrance: str
    step_free: str
    uprn: str
    demonstration: bool
    last_checked: date | None


def _active_venues(session: Session) -> Iterable[_Active]:
    """All that can be listed, in no order."""
    rows = many_rows(
        session,
        sa.select(
            as_hex(Venue.id),
            sa.cast(Venue.hours, sa.Text),
            sa.cast(Venue.facilities, sa.Text),
            col(Ward.name),
            *(getattr(Venue, name) for name in _Active._fields[4:]),
        )
        .outerjoin(Ward)
        .where(col(Venue.status) == VenueStatus.ACTIVE),
    )
    return starmap(_Active, rows)


def _wards(session: Session) -> Iterable[tuple[str, str, str]]:
    """Codes, names and boundaries, by code; boundaries as JSON text."""
    boundary = sa.cast(Ward.boundary, sa.Text)
    query = sa.select(col(Ward.code), col(Ward.name), boundary).order_by(col(Ward.code))
    return [(code, name, outline) for code, name, outline in session.execute(query)]


def _on_whole_minutes(windows: tuple[Interval, ...], now: int) -> tuple[Interval, ...]:
    """The same windows, as the search wants them: never longer at any instant still to come."""
    snapped = [
        # What began within this very second has been rounded up to its end.
        (start // MINUTE if start <= now + 1 else -(-start // MINUTE), end // MINUTE)
        for start, end in windows
    ]
    kept = [(s * MINUTE, e * MINUTE) for s, e in snapped if s < e]
    # What is over is left out, or whoever asks of a moment ago would still be sent there.
    return tuple(window for window in kept if window[1] > now)


class Schedules:
    """The distinct lists of intervals within a span of time, numbered as they come up."""

    def __init__(self, within: Interval) -> None:
        self._within = within
        self._numbers: dict[tuple[Interval, ...], int] = {}
        self._hours: dict[str | None, tuple[Hours, str] | None] = {None: None}
        self._open: dict[tuple[str | None, tuple[Interval, ...]], int] = {}

    def number(self, intervals: tuple[Interval, ...]) -> int:
        """The number of a list of intervals."""
        return self._numbers.setdefault(intervals, len(self._numbers))

    def opens(self, document: str | None, windows: tuple[Interval, ...]) -> int:
        """The number of when a venue with these hours is open within these windows."""
        key = document, windows
        if key not in self._open:
            parsed = self._parsed(document)
            self._open[key] = (
                self.number(tuple(availability(parsed[0], windows, self._within)))
                if parsed
                else UNKNOWN_HOURS
            )
        return self._open[key]

    def text(self, document: str | None) -> str | None:
        """The hours as OpenStreetMap writes them; None where nobody knows them."""
        parsed = self._parsed(document)
        return parsed[1] if parsed else None

    def _parsed(self, document: str | None) -> tuple[Hours, str] | None:
        if document not in self._hours:
            hours = stored_hours(document)
            self._hours[document] = (
                (hours, osm_hours.text(hours)) if isinstance(hours, Hours) else None
            )
        return self._hours[document]

    def columns(self) -> dict[str, Ints]:
        """Every schedule so far, one after the other."""
        return {
            "offsets": np.cumsum([0, *map(len, self._numbers)]),
            "starts": _ints(start for schedule in self._numbers for start, _ in schedule),
            "ends": _ints(end for schedule in self._numbers for _, end in schedule),
        }


@lru_cache(maxsize=1024)
def _facilities(document: str) -> tuple[list[str], int]:
    """What a venue has, and the bits for it."""
    facilities = json.loads(document)
    return facilities, sum(PROVIDES[Facility(facility)] for facility in facilities)


def _fragment(venue: _Active, opening_hours: str | None, schemes: Sequence[Shown]) -> bytes:
    lat, lon = venue.location.lat, venue.location.lon
    haven = {
        "id": UUID(venue.id),
        "name": venue.name,
        "category": venue.category,
        "notice": DEMONSTRATION_HAVEN if venue.demonstration else None,
        "address": venue.address,
        "postcode": venue.postcode,
        "uprn": venue.uprn,
        "ward": venue.ward,
        "location": {"lat": lat, "lon": lon},
        "opening_hours": opening_hours,
        "phone": venue.phone,
        "entrance": venue.entrance,
        "facilities": _facilities(venue.facilities)[0],
        "step_free": venue.step_free,
        "schemes": schemes,
        "directions_url": directions_url(lat, lon),
        "last_checked": venue.last_checked,
    }
    return orjson.dumps({k: v for k, v in haven.items() if v not in (None, "")})[1:]


def _ints(values: Iterable[int]) -> Ints:
    return np.fromiter(values, dtype=np.int64)


@cache
def warm_up() -> None:
    """Load what a build needs, and compile it or read it from disk."""
    configure_mappers()
    bank_holidays(2000)
    nowhere, none = np.zeros(0), np.zeros(0, dtype=np.int64)
    rows = {"lat": nowhere, "lon": nowhere, "provides": none, "opens": none}
    blocks(rows | {"offsets": np.zeros(1, dtype=np.int64), "starts": none, "ends": none}, 0)
