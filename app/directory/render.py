"""Answers as JSON bytes, put together from each haven's prepared fragment."""

import gzip
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from typing import Any, Literal

import orjson

from app.directory.beyond import CONFIRM_WITHIN, Beyond, Side, Sides
from app.directory.engine.search import Answer, Match, Question, Search
from app.directory.rules import CLOSES_SOON, Interval
from app.directory.snapshot import HORIZON, MINUTE, Snapshot

DEMONSTRATION = "demonstration data: no haven here is real"
DEMONSTRATION_HAVEN = "demonstration data: not a real haven"

Form = Literal["json", "geojson"]


# The hours of many havens share their instants, which lie on the minutes of two weeks.
@lru_cache(maxsize=HORIZON // MINUTE)
def instant(second: int) -> str:
    """Seconds since 1970 as RFC 3339 in UTC."""
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def directions_url(lat: float, lon: float) -> str:
    """An address that shows the way on foot to a place, from wherever it is opened."""
    maps = "https://www.google.com/maps/dir/?api=1&travelmode=walking"
    return f"{maps}&destination={lat:.6f},{lon:.6f}"


def nearest(
    snapshot: Snapshot,
    question: Question,
    answer: Answer,
    age_seconds: int,
    contacts: bytes,
    beyond: Beyond | None = None,
) -> bytes:
    """A `NearestAnswer`, without a word of neighbours where there are none.

    Whatever is the same in many answers is kept as bytes, and the rest put between.
    """
    fragments, at = snapshot.fragments, question.at
    parts: list[bytes | memoryview] = [
        _about(snapshot.version, snapshot.demonstration, snapshot.generated_at, at, age_seconds)
    ]
    for name, matches in zip(_PARTS, answer, strict=True):
        parts.append(name)
        _add(parts, matches, fragments, at)
        if matches:
            parts.pop()
    if beyond is not None:
        parts.append(b'],"beyond":{')
        for name, several in zip(_PARTS_BEYOND, beyond, strict=True):
            parts.append(name)
            for side, match in several:
                label = _label(side.neighbour.name, side.as_of, side.confirm_by)
                _add(parts, [match], side.search.snapshot.fragments, at, label)
            if several:
                parts.pop()
        parts.append(b"]}")
    else:
        parts.append(b"]")
    return b"".join([*parts, b',"help":', contacts, b"}"])


def _add(
    parts: list[bytes | memoryview],
    matches: Iterable[Match],
    fragments: memoryview,
    at: int,
    label: bytes = b"",
) -> None:
    """Add havens as seen from where somebody stands, with a comma after each."""
    for _, begin, end, bearing, minutes, until, opens_at, by_streets, metres, _ in matches:
        state = _open_state(until, 0 < until <= at + CLOSES_SOON, opens_at)
        near = _NEAR % (round(metres), bearing, minutes, _WALKING[by_streets], state)
        parts += near, label, fragments[begin:end], b","


@lru_cache(maxsize=64)
def _label(name: str, as_of: int, confirm_by: int) -> bytes:
    """Whose haven it is, as the beginning of what stays the same."""
    label = {"name": name, "as_of": instant(as_of), "confirm_by": instant(confirm_by)}
    return orjson.dumps({"neighbour": label})[1:-1] + b","


_PARTS = b',"havens":[', b'],"closing":[', b'],"opens_next":['
_PARTS_BEYOND = b'"havens":[', b'],"closing":[', b'],"opens_next":['
_NEAR = b'{"distance_m":%d,"bearing_deg":%d,"walking_minutes":%d,"walking":"%b","open":%b,'
_WALKING = b"estimate", b"streets"


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
    details = {"open": orjson.Fragment(open_state)} | schedules(search.snapshot, row)
    return _joined(details, search.snapshot.fragment(row))


@dataclass(frozen=True)
class Document:
    """The whole directory in one form, compressed when first asked for that way."""

    body: bytes

    @cached_property
    def compressed(self) -> bytes:
        return gzip.compress(self.body, 6, mtime=0)

    @property
    def is_compressed(self) -> bool:
        """Whether `compressed` has been asked for, and costs nothing any more."""
        return "compressed" in vars(self)

    @cached_property
    def tag(self) -> str:
        return hashlib.sha256(self.body).hexdigest()[:32]


def about_whole(search: Search, hour: int, confirmed_hour: int) -> dict[str, Any]:
    """What the directory document of a full hour says of itself, last confirmed in another."""
    snapshot, streets = search.snapshot, search.streets
    return _directory(snapshot.version, snapshot.demonstration) | {
        "generated_at": instant(hour),
        "valid_from": instant(snapshot.start),
        "valid_until": instant(snapshot.horizon),
        "confirm_by": instant(confirmed_hour + CONFIRM_WITHIN),
        "walking_factor": search.walking_factor,
        **({"streets": streets.checksum} if streets else {}),
    }


def rows_of_hour(search: Search, hour: int) -> tuple[list[int], list[int]]:
    """The havens that are listed at a full hour, and those that will be."""
    snapshot = search.snapshot
    # What was decided within the hour counts from the snapshot that knows of it.
    at = max(hour, snapshot.generated_at)
    listed, upcoming = [], []
    for row in range(len(snapshot)):
        if search.is_listed(row, at):
            listed.append(row)
        elif any(at < start for start, _ in snapshot.listing(row)):
            upcoming.append(row)
    return listed, upcoming


def whole_directory(
    search: Search, hour: int, confirmed_hour: int, form: Form, sides: Sides = ()
) -> Document:
    """The directory as it is at a full hour, last confirmed in another; in JSON with what
    neighbours tell.

    It covers what the snapshot does, so that whoever answers from it looks as far ahead as the
    search. It depends on nothing else, so every process renders the same bytes.
    """
    snapshot, info = search.snapshot, about_whole(search, hour, confirmed_hour)
    listed, upcoming = rows_of_hour(search, hour)
    if form == "json":
        told = b',"neighbours":[%b]' % b",".join(_neighbour(side, hour) for side in sides)
        whole = b'{"directory":%b,"havens":[%b],"upcoming":[%b]' + told * bool(sides) + b"}"
        parts = [[haven(snapshot, row) for row in rows] for rows in (listed, upcoming)]
    else:
        whole = b'{"type":"FeatureCollection","directory":%b,"features":[%b]}'
        parts = [[_feature(snapshot, row) for row in listed]]
    return Document(whole % (orjson.dumps(info), *map(b",".join, parts)))


def _neighbour(side: Side, hour: int) -> bytes:
    """A `NeighbourDirectory`."""
    snapshot, neighbour = side.search.snapshot, side.neighbour
    about: dict[str, Any] = {
        "name": neighbour.name,
        "as_of": instant(side.as_of),
        "confirm_by": instant(side.confirm_by),
        "valid_from": instant(snapshot.start),
        "valid_until": instant(snapshot.horizon),
        **({"notice": DEMONSTRATION} if snapshot.demonstration else {}),
        **({"attribution": neighbour.attribution} if neighbour.attribution else {}),
    }
    for name, rows in zip(("havens", "upcoming"), rows_of_hour(side.search, hour), strict=True):
        about[name] = [orjson.Fragment(haven(snapshot, row)) for row in rows]
    return orjson.dumps(about)


def wards(search: Search) -> Document:
    """The outlines of all wards as GeoJSON. Nothing else changes it: not an hour, not a haven."""
    notice = {"notice": DEMONSTRATION} if search.snapshot.demonstration else {}
    features = orjson.Fragment(search.snapshot.wards.tobytes())
    return Document(orjson.dumps({"type": "FeatureCollection", **notice, "features": features}))


def haven(snapshot: Snapshot, row: int) -> bytes:
    """A `DirectoryHaven`."""
    return _joined(schedules(snapshot, row), snapshot.fragment(row))


def _feature(snapshot: Snapshot, row: int) -> bytes:
    geometry = {
        "type": "Point",
        "coordinates": [float(snapshot.lon[row]), float(snapshot.lat[row])],
    }
    feature = {"type": "Feature", "id": str(snapshot.uuid(row)), "geometry": geometry}
    return orjson.dumps(feature | {"properties": orjson.Fragment(haven(snapshot, row))})


def _directory(version: int, demonstration: bool) -> dict[str, Any]:
    return {"version": version, **({"notice": DEMONSTRATION} if demonstration else {})}


def schedules(snapshot: Snapshot, row: int) -> dict[str, Any]:
    """When a haven is open, and when it is listed, as far as there is something to say."""
    found: dict[str, Any] = {}
    if (availability := snapshot.availability(row)) is not None:
        found["availability"] = _spans(availability)
    if not snapshot.is_always_listed(row):
        found["listed"] = _spans(snapshot.listing(row))
    return found


def _spans(intervals: Iterable[Interval]) -> list[dict[str, str]]:
    return [{"from": instant(start), "until": instant(end)} for start, end in intervals]


def _joined(details: dict[str, Any], fragment: bytes) -> bytes:
    return orjson.dumps(details)[:-1] + b"," + fragment if details else b"{" + fragment
