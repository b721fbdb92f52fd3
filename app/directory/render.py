"""Answers as JSON bytes, put together from each haven's prepared fragment."""

import gzip
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from typing import Any, Literal

import orjson

from app.core.settings import Contact
from app.directory.engine.search import Answer, Question, Search
from app.directory.rules import CLOSES_SOON, intersect
from app.directory.snapshot import HOUR, Snapshot

DEMONSTRATION = "demonstration data: no haven here is real"
DEMONSTRATION_HAVEN = "demonstration data: not a real haven"
AHEAD = 7 * 24 * HOUR + HOUR
"""The whole directory covers this many seconds from the hour for which it is drawn up."""
CONFIRM_WITHIN = 24 * HOUR

Form = Literal["json", "geojson"]


def instant(second: int) -> str:
    """Seconds since 1970 as RFC 3339 in UTC."""
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def help_json(contacts: Iterable[Contact]) -> bytes:
    """Whom to call, as a JSON array."""
    return orjson.dumps([contact.model_dump(exclude_none=True) for contact in contacts])


def directions_url(lat: float, lon: float) -> str:
    """An address that shows the way on foot to a place, from wherever it is opened."""
    maps = "https://www.google.com/maps/dir/?api=1&travelmode=walking"
    return f"{maps}&destination={lat:.6f},{lon:.6f}"


def nearest(
    snapshot: Snapshot, question: Question, answer: Answer, age_seconds: int, contacts: bytes
) -> bytes:
    """A `NearestAnswer`.

    Whatever is the same in many answers is kept as bytes, and the rest put between.
    """
    fragments, at = snapshot.fragments, question.at
    parts: list[bytes | memoryview] = [
        _about(snapshot.version, snapshot.demonstration, snapshot.generated_at, at, age_seconds)
    ]
    for name, matches in zip(_PARTS, answer, strict=True):
        parts.append(name)
        for _, begin, end, bearing, walking, until, opens_at, metres in matches:
            state = _open_state(until, 0 < until <= at + CLOSES_SOON, opens_at)
            parts += _NEAR % (round(metres), bearing, walking, state), fragments[begin:end], b","
        if matches:
            parts.pop()
    return b"".join([*parts, b'],"help":', contacts, b"}"])


_PARTS = b',"havens":[', b'],"closing":[', b'],"opens_next":['
_NEAR = b'{"distance_m":%d,"bearing_deg":%d,"walking_minutes":%d,"open":%b,'


@lru_cache(maxsize=64)
def _about(version: int, demonstration: bool, generated_at: int, at: int, age: int) -> bytes:
    info = _directory(version, demonstration) | {
        "generated_at": instant(generated_at),
        "age_seconds": age,
    }
    return b'{"at":"%b","directory":%b' % (instant(at).encode(), orjson.dumps(info))


# Only whether it closes soon depends on the minute: many havens share one state.
@lru_cache(maxsize=4096)
def _open_state(until: int, closes_soon: bool, opens_at: int) -> bytes:
    """An `OpenState` in JSON, of what the search says of a haven."""
    state: dict[str, Any] = {"state": "open" if until else "closed"}
    if until > 0:
        state["until"] = instant(until)
    if until:
        state["closes_soon"] = closes_soon
    if opens_at:
        state["opens_at"] = instant(opens_at)
    return orjson.dumps(state)


def one_haven(search: Search, row: int, now: int) -> bytes:
    """An `OneHaven`."""
    open_state = b'{"state":"unknown"}'
    if state := search.state(row, now):
        open_state = _open_state(state.until, 0 < state.until <= now + CLOSES_SOON, state.opens_at)
    details = {"open": orjson.Fragment(open_state)} | _availability(search, row, now // HOUR * HOUR)
    return _joined(details, search.snapshot.fragment(row))


@dataclass(frozen=True)
class Document:
    """The whole directory in one form, compressed when first asked for that way."""

    body: bytes

    @cached_property
    def compressed(self) -> bytes:
        return gzip.compress(self.body, 6, mtime=0)

    @cached_property
    def tag(self) -> str:
        return hashlib.sha256(self.body).hexdigest()[:32]


def whole_directory(search: Search, hour: int, confirmed_hour: int, form: Form) -> Document:
    """The directory for seven days and an hour from a full hour, last confirmed in another.

    It depends on nothing else, so every process renders the same bytes.
    """
    info = _directory(search.snapshot.version, search.snapshot.demonstration) | {
        "generated_at": instant(hour),
        "valid_from": instant(hour),
        "valid_until": instant(min(hour + AHEAD, search.snapshot.horizon)),
        "confirm_by": instant(confirmed_hour + CONFIRM_WITHIN),
        "walking_factor": search.walking_factor,
    }
    # What was decided within the hour counts from the snapshot that knows of it.
    at = max(hour, search.snapshot.generated_at)
    rows = (row for row in range(len(search.snapshot)) if search.is_listed(row, at))
    havens = (
        (row, _joined(_availability(search, row, hour), search.snapshot.fragment(row)))
        for row in rows
    )
    if form == "json":
        head, members = b'{"directory":%b,"havens":[', (haven for _, haven in havens)
    else:
        head = b'{"type":"FeatureCollection","directory":%b,"features":['
        members = (_feature(search.snapshot, row, haven) for row, haven in havens)
    return Document(head % orjson.dumps(info) + b",".join(members) + b"]}")


def _feature(snapshot: Snapshot, row: int, haven: bytes) -> bytes:
    geometry = {
        "type": "Point",
        "coordinates": [float(snapshot.lon[row]), float(snapshot.lat[row])],
    }
    feature = {"type": "Feature", "id": str(snapshot.uuid(row)), "geometry": geometry}
    return orjson.dumps(feature | {"properties": orjson.Fragment(haven)})


def _directory(version: int, demonstration: bool) -> dict[str, Any]:
    return {"version": version, **({"notice": DEMONSTRATION} if demonstration else {})}


def _availability(search: Search, row: int, hour: int) -> dict[str, Any]:
    spans = search.snapshot.availability(row)
    if spans is None:
        return {}
    ahead = intersect(spans, [(hour, hour + AHEAD)])
    return {
        "availability": [{"from": instant(start), "until": instant(end)} for start, end in ahead]
    }


def _joined(details: dict[str, Any], fragment: bytes) -> bytes:
    return orjson.dumps(details)[:-1] + b"," + fragment if details else b"{" + fragment
