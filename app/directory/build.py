"""The directory's columns, worked out from one moment of the database."""

import json
from array import array
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from itertools import starmap
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
import orjson
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.orm import configure_mappers
from sqlmodel import Session, col, select

from app.core.db import as_hex, many_rows
from app.core.geo import Point
from app.directory.engine import nearest
from app.directory.engine.nearest import FAN_OUT, LEAF, WORD
from app.directory.rules import Interval, availability
from app.directory.snapshot import (
    DEMONSTRATION_HAVEN,
    HORIZON,
    MINUTE,
    PROVIDES,
    STEP_FREE,
    UNKNOWN_HOURS,
    Floats,
    Ints,
    Snapshot,
    start,
)
from app.schemes.listing import Shown, listings
from app.venues import osm_hours
from app.venues.hours import Hours, bank_holidays, stored_hours
from app.venues.models import DirectoryState, Facility, StepFree, Venue, VenueStatus, Ward


def build(session: Session, now: float) -> Snapshot:
    """Work out the directory from one moment of the database."""
    state = session.exec(select(DirectoryState)).one()
    within = start(now), start(now) + HORIZON
    schedules = _Schedules(within)
    listed = listings(session, within, datetime.fromtimestamp(now, UTC))
    windows = {w: _on_whole_minutes(w, int(now)) for w in {one.windows for one in listed.values()}}
    ids, places, rows = bytearray(), array("d"), array("q")
    texts: list[bytes] = []
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
            text = schedules.text(venue.hours)
            texts.append(_fragment(venue, text, listing.schemes))
    lat, lon = np.array(places).reshape(-1, 2).T
    provides, available, lists = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    id_column = np.frombuffer(ids, dtype="V16")
    halves = id_column.view(">u8").reshape(-1, 2)
    order = np.lexsort((halves[:, 1], halves[:, 0], _nearness(lat, lon)))
    texts = [texts[i] for i in order.tolist()]
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
        "cuts": np.cumsum([0, *map(len, texts)]),
        "text": np.frombuffer(b"".join(texts), dtype=np.uint8),
        **schedules.columns(),
    }
    # The tree takes its memory beside one copy of them, not two.
    texts.clear()
    columns |= _tree(columns, within[0])
    for column in columns.values():
        column.flags.writeable = False
    return Snapshot(
        database=str(state.database),
        version=state.version,
        generated_at=int(now),
        demonstration=demonstration,
        leaves=-(-len(order) // LEAF),
        **columns,
    )


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
    demonstration: bool
    last_checked: date | None


def _active_venues(session: Session) -> Iterable[_Active]:
    """All that can be listed, in no order."""
    found = many_rows(
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
    return starmap(_Active, found)


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


class _Schedules:
    """The distinct lists of intervals within a span of time, numbered as they come up."""

    def __init__(self, within: Interval) -> None:
        self._within = within
        self._numbers: dict[tuple[Interval, ...], int] = {}
        self._hours: dict[str | None, tuple[Hours, str] | None] = {None: None}
        self._open: dict[tuple[str | None, tuple[Interval, ...]], int] = {}

    def number(self, intervals: tuple[Interval, ...]) -> int:
        return self._numbers.setdefault(intervals, len(self._numbers))

    def opens(self, document: str | None, windows: tuple[Interval, ...]) -> int:
        key = document, windows
        if key not in self._open:
            known = self._parsed(document)
            self._open[key] = (
                self.number(tuple(availability(known[0], windows, self._within)))
                if known
                else UNKNOWN_HOURS
            )
        return self._open[key]

    def text(self, document: str | None) -> str | None:
        """The hours as OpenStreetMap writes them; None where nobody knows them."""
        known = self._parsed(document)
        return known[1] if known else None

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
    named = json.loads(document)
    return named, sum(PROVIDES[Facility(facility)] for facility in named)


def _fragment(venue: _Active, opening_hours: str | None, schemes: Sequence[Shown]) -> bytes:
    lat, lon = venue.location.lat, venue.location.lon
    haven = {
        "id": UUID(venue.id),
        "name": venue.name,
        "category": venue.category,
        "notice": DEMONSTRATION_HAVEN if venue.demonstration else None,
        "address": venue.address,
        "postcode": venue.postcode,
        "ward": venue.ward,
        "location": {"lat": lat, "lon": lon},
        "opening_hours": opening_hours,
        "phone": venue.phone,
        "entrance": venue.entrance,
        "facilities": _facilities(venue.facilities)[0],
        "step_free": venue.step_free,
        "schemes": schemes,
        "directions_url": "https://www.google.com/maps/dir/?api=1&travelmode=walking"
        f"&destination={lat:.6f},{lon:.6f}",
        "last_checked": venue.last_checked,
    }
    return orjson.dumps({k: v for k, v in haven.items() if v not in (None, "")})[1:]


def _ints(values: Iterable[int]) -> Ints:
    return np.fromiter(values, dtype=np.int64)


# --- the tree --------------------------------------------------------------------------------


def _nearness(lat: Floats, lon: Floats) -> NDArray[np.uint64]:
    """A key that sorts near places near each other: the bits of both degrees interleaved."""
    key = np.zeros(len(lat), dtype=np.uint64)
    for shift, degrees in enumerate((lat + 90, lon + 180)):
        bits = (degrees * (2**31 / 360)).astype(np.uint64)
        for step, mask in (
            (16, 0x0000FFFF0000FFFF),
            (8, 0x00FF00FF00FF00FF),
            (4, 0x0F0F0F0F0F0F0F0F),
            (2, 0x3333333333333333),
            (1, 0x5555555555555555),
        ):
            bits = (bits | (bits << np.uint64(step))) & np.uint64(mask)
        key |= bits << np.uint64(shift)
    return key


_SUMMED_UP: dict[str, np.ufunc] = {
    "low": np.minimum,
    "high": np.maximum,
    "any_provides": np.bitwise_or,
    "open_in": np.bitwise_or,
    "opens_in": np.bitwise_or,
    "longest": np.maximum,
    "last_opening": np.maximum,
    "last_shutting": np.maximum,
}
"""What a block says of what it holds, and how that follows from what its parts say."""


def _tree(rows: dict[str, Any], begin: int) -> dict[str, Any]:
    """The blocks over rows that are in order: see `nearest.Columns`."""
    places = np.empty((len(rows["lat"]), 3))
    nearest.directions(rows["lat"], rows["lon"], places)
    cuts = np.arange(0, len(places), LEAF)
    level = {
        "low": np.minimum.reduceat(places, cuts),
        "high": np.maximum.reduceat(places, cuts),
        "any_provides": np.bitwise_or.reduceat(rows["provides"], cuts),
    }
    minutes = np.zeros((2, len(cuts), HORIZON // MINUTE // WORD), dtype=np.uint32)
    lasting = np.zeros((3, len(cuts)), dtype=np.int64)
    schedules = (rows[name] for name in ("opens", "offsets", "starts", "ends"))
    nearest.summarise(begin, *schedules, *minutes, *lasting)
    level |= dict(zip(list(_SUMMED_UP)[3:], [*minutes, *lasting], strict=True))
    levels, children, first, parts = [level], [_spans(cuts, len(places), 0)], 0, len(cuts)
    while parts > 1:
        cuts = np.arange(0, parts, FAN_OUT)
        below = levels[-1]
        levels.append({n: how.reduceat(below[n], cuts) for n, how in _SUMMED_UP.items()})
        children.append(_spans(cuts, parts, first))
        first, parts = first + parts, len(cuts)
    whole = {name: np.concatenate([level[name] for level in levels]) for name in _SUMMED_UP}
    for name in ("open_in", "opens_in"):
        # A search asks many blocks about one minute.
        whole[name] = np.ascontiguousarray(whole[name].T)
    sizes = [len(level["longest"]) for level in levels]
    shutting = _shutting(rows, sizes)
    return {"places": places, "children": np.concatenate(children), **whole, **shutting}


def _shutting(rows: dict[str, Any], sizes: list[int]) -> dict[str, Ints]:
    """When something shuts in each block of each level, and since when at the earliest it is open
    then: to tell whether anything that is open now shuts at a certain time."""
    offsets, known = rows["offsets"], np.flatnonzero(rows["opens"] >= 0)
    pairs = np.stack((known // LEAF, rows["opens"][known]), axis=-1)
    block, schedule = np.unique(pairs, axis=0).T if len(pairs) else pairs.T
    lengths = offsets[schedule + 1] - offsets[schedule]
    # The place of each interval of each of these schedules, one after the other.
    within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    place = np.repeat(offsets[schedule], lengths) + within
    level = np.repeat(block, lengths), rows["ends"][place], rows["starts"][place]
    levels, first = [], 0
    for size in sizes:
        block, shuts, since = (column[np.lexsort(level[::-1])] for column in level)
        is_first = (np.diff(block, prepend=-1) != 0) | (np.diff(shuts, prepend=-1) != 0)
        block, shuts, since = (column[is_first] for column in (block, shuts, since))
        levels.append((block + first, shuts, since))
        level, first = (block // FAN_OUT, shuts, since), first + size
    block, shuts, since = map(np.concatenate, zip(*levels, strict=True))
    return {
        "shutting": np.searchsorted(block, np.arange(first + 1)),
        "shuts": shuts,
        "since": since,
    }


def _spans(cuts: Ints, parts: int, first: int) -> Ints:
    """From where to where the parts of each block go, counted from the first of all."""
    return first + np.stack((cuts, np.append(cuts, parts)[1:]), axis=-1)


def warm_up() -> None:
    """Load what a build needs, and compile it or read it from disk."""
    configure_mappers()
    bank_holidays(2000)
    nothing = np.zeros(0)
    none = np.zeros(0, dtype=np.int64)
    rows = {"lat": nothing, "lon": nothing, "provides": none, "opens": none}
    _tree(rows | {"offsets": np.zeros(1, dtype=np.int64), "starts": none, "ends": none}, 0)
