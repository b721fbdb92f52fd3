"""The whole directory in columns: built from the database, kept on disk, read by the search."""

import hashlib
import io
import logging
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import orjson
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlmodel import Session, col, select

from app.directory.rules import Interval, availability
from app.schemes.listing import listing_windows, schemes_in_force
from app.venues import osm_hours
from app.venues.hours import Hours
from app.venues.models import DirectoryState, Facility, StepFree, Venue, VenueStatus, Ward

log = logging.getLogger(__name__)

MINUTE = 60
HOUR = 3600
HORIZON = 14 * 24 * HOUR
"""How far ahead availability is worked out, in seconds; past it every state is unknown."""

UNKNOWN_HOURS = -1
DEMONSTRATION_HAVEN = "demonstration data: not a real haven"

PROVIDES = {facility: 1 << bit for bit, facility in enumerate(Facility)}
STEP_FREE = 1 << len(Facility)

Windows = dict[UUID, tuple[Interval, ...]]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Snapshot:
    """Every haven that is listed at some time before the horizon, one row each, near ones together.

    Times are seconds since 1970 UTC. `opens` and `lists` name a row's schedule: the intervals
    `starts[offsets[s]:offsets[s + 1]]` to `ends[…]`, in order; havens with equal hours share one.
    `opens` is `UNKNOWN_HOURS` where nobody knows. `provides` has a bit for each facility and one
    for step-free access. `text[cuts[i]:cuts[i + 1]]` is what stays the same in every answer with
    this haven in it, as JSON without its opening brace.
    """

    database: str
    version: int
    generated_at: int
    demonstration: bool
    ids: NDArray[np.void]
    lat: Floats
    lon: Floats
    provides: Ints
    opens: Ints
    lists: Ints
    offsets: Ints
    starts: Ints
    ends: Ints
    cuts: Ints
    text: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def start(self) -> int:
        """The first instant that is worked out."""
        return _start(self.generated_at)

    @property
    def horizon(self) -> int:
        """The first instant that is not worked out any more."""
        return self.start + HORIZON

    def availability(self, row: int) -> list[Interval] | None:
        """When a haven is open and listed, in order; None when its hours are unknown."""
        return None if self.opens[row] == UNKNOWN_HOURS else self._schedule(self.opens[row])

    def listing(self, row: int) -> list[Interval]:
        """When the public may see a haven, in order."""
        return self._schedule(self.lists[row])

    def _schedule(self, number: int) -> list[Interval]:
        part = slice(self.offsets[number], self.offsets[number + 1])
        return list(zip(self.starts[part].tolist(), self.ends[part].tolist(), strict=True))

    def fragment(self, row: int) -> bytes:
        """What stays the same in every answer: `"id":…}`."""
        return self.text[self.cuts[row] : self.cuts[row + 1]].tobytes()

    def uuid(self, row: int) -> UUID:
        """The haven's id."""
        return UUID(bytes=self.ids[row].tobytes())


def _start(now: float) -> int:
    """The start of the hour before the one `now` lies in, because `at` may look back a little."""
    return int(now) // HOUR * HOUR - HOUR


# --- from the database -----------------------------------------------------------------------


def build(session: Session, now: float) -> Snapshot:
    """Work out the directory from one moment of the database."""
    state = session.exec(select(DirectoryState)).one()
    within = _start(now), _start(now) + HORIZON
    schedules = _Schedules(within, _on_whole_minutes(listing_windows(session, within), int(now)))
    schemes = schemes_in_force(session, datetime.fromtimestamp(now, UTC))
    venues = [venue for venue in _active_venues(session) if venue.id in schedules.windows]
    lat = np.array([venue.location.lat for venue in venues], dtype=float)
    lon = np.array([venue.location.lon for venue in venues], dtype=float)
    order = np.argsort(_nearness(lat, lon), kind="stable")
    venues = [venues[i] for i in order]
    texts = [_fragment(venue, schedules.text(venue), schemes.get(venue.id, [])) for venue in venues]
    return Snapshot(
        database=str(state.database),
        version=state.version,
        generated_at=int(now),
        demonstration=any(venue.demonstration for venue in venues),
        ids=np.array([venue.id.bytes for venue in venues], dtype="V16"),
        lat=lat[order],
        lon=lon[order],
        provides=_ints(_provides(venue) for venue in venues),
        opens=_ints(schedules.opens(venue) for venue in venues),
        lists=_ints(schedules.number(schedules.windows[venue.id]) for venue in venues),
        cuts=np.cumsum([0, *map(len, texts)]),
        text=np.frombuffer(b"".join(texts), dtype=np.uint8),
        **schedules.columns(),
    )


def _active_venues(session: Session) -> list[Any]:
    """Rows of what the directory shows, the hours as JSON text; equal texts are parsed once."""
    columns = [getattr(Venue, name) for name in _COLUMNS]
    rows = session.execute(
        sa.select(
            *columns,
            sa.cast(Venue.hours, sa.Text).label("hours"),
            col(Ward.name).label("ward"),
        )
        .outerjoin(Ward)
        .where(col(Venue.status) == VenueStatus.ACTIVE)
        .order_by(col(Venue.id))
    )
    return list(rows)


_COLUMNS = (
    *("id", "name", "category", "address", "postcode", "location", "phone", "entrance"),
    *("facilities", "step_free", "demonstration", "last_checked"),
)


def _on_whole_minutes(windows: Windows, now: int) -> Windows:
    """The same windows, as the search wants them: never longer at any instant still to come."""
    whole: Windows = {}
    for venue, several in windows.items():
        snapped = [
            # What began within this very second has been rounded up to its end.
            (start // MINUTE if start <= now + 1 else -(-start // MINUTE), end // MINUTE)
            for start, end in several
        ]
        kept = [(s * MINUTE, e * MINUTE) for s, e in snapped if s < e]
        # What is over is left out, or whoever asks of a moment ago would still be sent there.
        if left := tuple(window for window in kept if window[1] > now):
            whole[venue] = left
    return whole


class _Schedules:
    """The distinct lists of intervals within a span of time, numbered as they come up."""

    def __init__(self, within: Interval, windows: Windows) -> None:
        self.windows = windows
        self._within = within
        self._numbers: dict[tuple[Interval, ...], int] = {}
        self._hours: dict[str, tuple[Hours, str]] = {}
        self._open: dict[tuple[str, tuple[Interval, ...]], int] = {}

    def number(self, intervals: tuple[Interval, ...]) -> int:
        return self._numbers.setdefault(intervals, len(self._numbers))

    def opens(self, venue: Any) -> int:
        if venue.hours is None:
            return UNKNOWN_HOURS
        key = venue.hours, self.windows[venue.id]
        if key not in self._open:
            hours, _ = self._parsed(venue.hours)
            self._open[key] = self.number(tuple(availability(hours, key[1], self._within)))
        return self._open[key]

    def text(self, venue: Any) -> str | None:
        """The hours as OpenStreetMap writes them."""
        return None if venue.hours is None else self._parsed(venue.hours)[1]

    def _parsed(self, document: str) -> tuple[Hours, str]:
        if document not in self._hours:
            hours = Hours.model_validate_json(document)
            self._hours[document] = hours, osm_hours.text(hours)
        return self._hours[document]

    def columns(self) -> dict[str, Ints]:
        """Every schedule so far, one after the other."""
        return {
            "offsets": np.cumsum([0, *map(len, self._numbers)]),
            "starts": _ints(start for schedule in self._numbers for start, _ in schedule),
            "ends": _ints(end for schedule in self._numbers for _, end in schedule),
        }


def _provides(venue: Any) -> int:
    bits = sum(PROVIDES[Facility(facility)] for facility in venue.facilities)
    return bits | (STEP_FREE if venue.step_free == StepFree.YES else 0)


def _fragment(venue: Any, opening_hours: str | None, schemes: list[dict[str, Any]]) -> bytes:
    lat, lon = venue.location.lat, venue.location.lon
    haven = {
        "id": str(venue.id),
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
        "facilities": venue.facilities,
        "step_free": venue.step_free,
        "schemes": schemes,
        "directions_url": "https://www.google.com/maps/dir/?api=1&travelmode=walking"
        f"&destination={lat:.6f},{lon:.6f}",
        "last_checked": venue.last_checked,
    }
    return orjson.dumps({k: v for k, v in haven.items() if v not in (None, "")})[1:]


def _ints(values: Iterable[int]) -> Ints:
    return np.fromiter(values, dtype=np.int64)


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


# --- on disk ---------------------------------------------------------------------------------

_CURRENT, _PREVIOUS = "directory.snapshot", "directory.previous.snapshot"
_FORMAT = b"havens directory 1"


class Unusable(Exception):
    """A snapshot file that is missing, damaged, or of another format."""


def save(snapshot: Snapshot, folder: Path) -> None:
    """Replace the snapshot on disk in one step; a good one it replaces is kept as the previous."""
    payload = io.BytesIO()
    np.savez(payload, allow_pickle=False, **vars(snapshot))
    body = payload.getvalue()
    current, previous = folder / _CURRENT, folder / _PREVIOUS
    fresh, spare = current.with_suffix(".new"), previous.with_suffix(".new")
    with fresh.open("wb") as file:
        file.write(b" ".join([_FORMAT, hashlib.sha256(body).hexdigest().encode()]) + b"\n" + body)
        file.flush()
        os.fsync(file.fileno())
    try:
        _body(current)
    except Unusable:
        pass
    else:
        shutil.copyfile(current, spare)
        spare.replace(previous)
    fresh.replace(current)


def load(folder: Path) -> Snapshot:
    """The last good snapshot: the current one, else the previous. Raises `Unusable`."""
    try:
        return _read(folder / _CURRENT)
    except Unusable as error:
        if (folder / _CURRENT).exists():
            log.warning("directory snapshot not used: %s", error)
        return _read(folder / _PREVIOUS)


def _read(path: Path) -> Snapshot:
    with np.load(io.BytesIO(_body(path)), allow_pickle=False) as columns:
        content = {n: column if column.ndim else column.item() for n, column in columns.items()}
    try:
        return Snapshot(**content)
    except TypeError:
        raise Unusable(f"{path.name}: written by another version") from None


def _body(path: Path) -> bytes:
    """What a snapshot file holds, once its checksum is found right."""
    try:
        head, _, body = path.read_bytes().partition(b"\n")
    except OSError as error:
        raise Unusable(f"{path.name}: {error.strerror}") from None
    if head != b" ".join([_FORMAT, hashlib.sha256(body).hexdigest().encode()]):
        raise Unusable(f"{path.name}: damaged, or written by another version")
    return body
