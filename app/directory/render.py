"""Answers as JSON bytes, put together from each haven's prepared fragment."""

import gzip
import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Literal

import orjson

from app.directory.rules import Interval, intersect
from app.directory.search import Answer, Found, Question, Search, State
from app.directory.snapshot import HOUR, Snapshot
from app.geo import Point
from app.settings import HelpContact

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
    search: Search, question: Question, answer: Answer, age_seconds: int, contacts: bytes
) -> bytes:
    """A `NearestAnswer`."""
    info = _directory(search.snapshot) | {
        "generated_at": instant(search.snapshot.generated_at),
        "age_seconds": age_seconds,
    }
    parts = [b'{"at":"', instant(question.at).encode(), b'","directory":', orjson.dumps(info)]
    for name in ("havens", "closing", "opens_next"):
        found = [_near(search, question, haven) for haven in getattr(answer, name)]
        parts += [b',"', name.encode(), b'":[', b",".join(found), b"]"]
    return b"".join([*parts, b',"help":', contacts, b"}"])


def _near(search: Search, question: Question, found: Found) -> bytes:
    snapshot, row = search.snapshot, found.row
    place = Point(float(snapshot.lat[row]), float(snapshot.lon[row]))
    seen: dict[str, Any] = {
        "distance_m": round(found.distance_m),
        "bearing_deg": bearing_deg(question.origin, place),
        "walking_minutes": found.walking_minutes,
        "open": open_state(search.state(row, question.at), question.at),
    }
    if found.opens_at is not None:
        seen["open"]["opens_at"] = instant(found.opens_at)
    return _joined(seen, snapshot.fragment(row))


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


def bearing_deg(origin: Point, place: Point) -> int:
    """The direction in which the shortest way begins, in whole degrees clockwise from north."""
    phi1, phi2 = math.radians(origin.lat), math.radians(place.lat)
    turn = math.radians(place.lon - origin.lon)
    east = math.sin(turn) * math.cos(phi2)
    north = math.cos(phi1) * math.sin(phi2) - math.sin(phi1) * math.cos(phi2) * math.cos(turn)
    return round(math.degrees(math.atan2(east, north))) % 360


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
    info = _directory(search.snapshot) | {
        "generated_at": instant(hour),
        "valid_from": instant(hour),
        "valid_until": instant(min(hour + AHEAD, search.snapshot.horizon)),
        "confirm_by": instant(confirmed_hour + CONFIRM_WITHIN),
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


def _directory(snapshot: Snapshot) -> dict[str, Any]:
    notice = {"notice": DEMONSTRATION} if snapshot.demonstration else {}
    return {"version": snapshot.version, **notice}


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
