"""Answers as JSON bytes, put together from each haven's prepared fragment."""

import gzip
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from typing import Any, Literal

import orjson

from app.core.settings import HelpContact
from app.directory.engine.search import Answer, Question, Search, State
from app.directory.rules import Interval, intersect
from app.directory.snapshot import HOUR, Snapshot

DEMONSTRATION = "demonstration data: no haven here is real"
CLOSES_SOON = 30 * 60
AHEAD = 7 * 24 * HOUR + HOUR
"""The whole directory covers this many seconds from the hour for which it is drawn up."""
CONFIRM_WITHIN = 24 * HOUR

Form = Literal["json", "geojson"]


def instant(second: int) -> str:
    """Seconds since 1970 as RFC 3339 in UTC."""
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def help_json(contacts: Iterable[HelpContact]) -> bytes:
    """Whom to call, as a JSON array."""
    return orjson.dumps([contact.model_dump(exclude_none=True) for contact in contacts])


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
    for name, several in zip(_PARTS, answer, strict=True):
        parts.append(name)
        for _, begin, end, bearing, walking, until, opens_at, metres in several:
            # Only whether it closes soon depends on the minute: many havens share one state.
            state = _state(until, 0 < until <= at + CLOSES_SOON, opens_at)
            seen = _SEEN % (round(metres), bearing, walking, state)
            parts += seen, fragments[begin:end], b","
        if several:
            parts.pop()
    return b"".join([*parts, b'],"help":', contacts, b"}"])


_PARTS = b',"havens":[', b'],"closing":[', b'],"opens_next":['
_SEEN = b'{"distance_m":%d,"bearing_deg":%d,"walking_minutes":%d,"open":%b,'


@lru_cache(maxsize=64)
def _about(version: int, demonstration: bool, generated_at: int, at: int, age: int) -> bytes:
    info = _directory(version, demonstration) | {
        "generated_at": instant(generated_at),
        "age_seconds": age,
    }
    return b'{"at":"%b","directory":%b' % (instant(at).encode(), orjson.dumps(info))


@lru_cache(maxsize=4096)
def _state(until: int, closes_soon: bool, opens_at: int) -> bytes:
    """An `OpenState` in JSON, of what the search found; as in `Found`, but for the minute."""
    state: dict[str, Any] = {"state": "open" if until else "closed"}
    if until > 0:
        state["until"] = instant(until)
    if until:
        state["closes_soon"] = closes_soon
    if opens_at:
        state["opens_at"] = instant(opens_at)
    return orjson.dumps(state)


def one(search: Search, row: int, now: int) -> bytes:
    """An `OneHaven`."""
    hour = now // HOUR * HOUR
    more = {"open": open_state(search.state(row, now), now)} | _availability(search, row, hour)
    return _joined(more, search.snapshot.fragment(row))


def open_state(state: State, at: int) -> dict[str, Any]:
    """An `OpenState`."""
    if state.open is None:
        return {"state": "unknown"}
    if not state.open:
        opens = {} if state.opens_at is None else {"opens_at": instant(state.opens_at)}
        return {"state": "closed", **opens}
    if state.until is None:
        return {"state": "open", "closes_soon": False}
    closes_soon = state.until - at <= CLOSES_SOON
    return {"state": "open", "until": instant(state.until), "closes_soon": closes_soon}


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


def whole(search: Search, hour: int, confirmed_hour: int, form: Form) -> Document:
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
    havens = ((row, _availability(search, row, hour)) for row in rows)
    if form == "json":
        head, tail = b'{"directory":' + orjson.dumps(info) + b',"havens":[', b"]}"
        members = [_joined(more, search.snapshot.fragment(row)) for row, more in havens]
    else:
        head = b'{"type":"FeatureCollection","directory":' + orjson.dumps(info) + b',"features":['
        members, tail = [_feature(search.snapshot, row, more) for row, more in havens], b"]}"
    return Document(head + b",".join(members) + tail)


def _feature(snapshot: Snapshot, row: int, more: dict[str, Any]) -> bytes:
    geometry = {
        "type": "Point",
        "coordinates": [float(snapshot.lon[row]), float(snapshot.lat[row])],
    }
    feature = {"type": "Feature", "id": str(snapshot.uuid(row)), "geometry": geometry}
    properties = _joined(more, snapshot.fragment(row))
    return orjson.dumps(feature)[:-1] + b',"properties":' + properties + b"}"


def _directory(version: int, demonstration: bool) -> dict[str, Any]:
    return {"version": version, **({"notice": DEMONSTRATION} if demonstration else {})}


def _availability(search: Search, row: int, hour: int) -> dict[str, Any]:
    spans = search.snapshot.availability(row)
    if spans is None:
        return {}
    ahead: Interval = (hour, hour + AHEAD)
    return {
        "availability": [
            {"from": instant(start), "until": instant(end)}
            for start, end in intersect(spans, [ahead])
        ]
    }


def _joined(more: dict[str, Any], fragment: bytes) -> bytes:
    return orjson.dumps(more)[:-1] + b"," + fragment if more else b"{" + fragment
