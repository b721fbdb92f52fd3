"""What the API answers, as somebody reads it: by its JSON schema, so that it holds for all of it.

A part is a text, a link, lines with a name before each, or a table.
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from app.core.london import LONDON, instant
from app.training.courses import COURSES

Schema = Mapping[str, Any]

NAMES = {
    "on": "Date",
    "at": "When",
    "id": "Id",
    "uprn": "UPRN",
    "fhrs_id": "Food hygiene number",
    "rag": "Light",
    "recorded_at": "Recorded",
    "recorded_by": "Recorded by",
    "lat": "Latitude",
    "lon": "Longitude",
    "business_id": "Business",
    "venue_id": "Venue",
    "season_id": "Season",
    "left": "Trained staff who left",
    "staff": "Staff to be trained",
    "new": "Trained for the first time",
    "refresher": "Refreshers",
    "text": "As text",
    "next_step_on": "By when",
    "subject_id": "Its id",
    "known_at": "As known at",
    "as_at": "As at",
    "said_at": "Said",
    "decided_at": "Decided",
    "decided_by": "By",
    "sent_at": "Sent",
    "made_at": "Written",
    "revoked_at": "Link revoked",
    "about": "What ends",
    "says": "What was found",
    "remedy": "What to do",
    "severity": "How it is",
    "of": "Scheme or course",
    "from": "From",
}
"""What fields are called on a page, where their own name would not do."""

WORDS = {key: course.short_name for key, course in COURSES.items()} | {
    "safe_haven": "Safe Haven",
    "safety_thirst": "Safety Thirst",
    "womens_night_safety_charter": "Women’s Night Safety Charter",
    "true": "Yes",
    "false": "No",
    "commended": "Commended",
    "highly_commended": "Highly commended",
    "cctv": "CCTV",
    "wifi": "Wi-Fi",
    "cafe": "Café",
    "phone_charging": "Phone charger",
    "step_free": "Step-free",
    "look": "Look at it",
    "as_usual": "As usual",
}
"""Words of the contract that people write otherwise than with capitals and blanks."""

NOTHING = "–"

HIDDEN = {"id", "next", "account_id", "session_id", "venue_id", "letter_id", "contact_id"}
"""What is of use to programs alone, unless a record stands in its place."""

SHARES = {"coverage", "share"}
"""Numbers that are parts of a whole."""

FIRST = ("venue_id", "course")
"""What is said before all else: a table that is wider than a phone begins with what a row is."""

LAST = {"recorded_at", "recorded_by"}
"""What is said after all else."""

LIGHTS = {
    "good": (
        "green",
        "in_force",
        "current",
        "awarded",
        "passed",
        "resolved",
        "reinstated",
        "active",
        "accepted",
        "well",
    ),
    "warn": ("amber", "due", "pending", "assessed", "applied", "prospect", "look"),
    "bad": (
        "red",
        "lapsed",
        "suspended",
        "failed",
        "overdue",
        "withdrawn",
        "refused",
        "expired",
        "declined",
        "wrong",
    ),
}
"""Words that are shown with a colour and a shape."""


@dataclass(frozen=True)
class Part:
    """A value as it is shown. One of `text`, `lines` and `rows` is given."""

    text: str = ""
    href: str = ""
    light: str = ""
    lines: Sequence[tuple[str, "Part"]] = ()
    columns: Sequence[str] = ()
    rows: Sequence[Sequence["Part"]] = ()
    is_number: bool = field(default=False)

    @property
    def is_text(self) -> bool:
        """Whether it is a text and nothing else."""
        return not (self.href or self.light or self.lines or self.rows)

    @property
    def is_plain(self) -> bool:
        return not self.lines and not self.rows


def name(key: str) -> str:
    """What a field is called."""
    words = key.removesuffix("_id").replace("_", " ")
    return NAMES.get(key, words[:1].upper() + words[1:])


def wording(value: str) -> str:
    """A word of the contract, as people write it."""
    words = value.replace("_", " ")
    return WORDS.get(value, words[:1].upper() + words[1:])


def light_of(word: str) -> str:
    """The colour and shape that a word is shown with, if any."""
    return next((light for light, words in LIGHTS.items() if word in words), "")


def resolved(schema: Schema, root: Schema) -> Schema:
    """A schema with what it refers to, and without that it may be null."""
    while "$ref" in schema:
        target = root["$defs"][schema["$ref"].rpartition("/")[2]]
        schema = {**target, **{k: v for k, v in schema.items() if k != "$ref"}}
    some = [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]
    if len(some) == 1:
        rest = {k: v for k, v in schema.items() if k != "anyOf"}
        return {**resolved(some[0], root), **rest, "nullable": len(schema["anyOf"]) > 1}
    return schema


def shown(value: Any, schema: Schema, root: Schema) -> Part:
    """A value of a schema, which is a part of `root`."""
    schema = resolved(schema, root)
    if value in (None, "", [], {}):
        return Part(NOTHING)
    match value:
        case bool():
            return Part("Yes" if value else "No")
        case int():
            return Part(f"{value:,}", is_number=True)
        case float():
            return Part(_decimal(value), is_number=True)
        case str():
            return _text(value, schema)
        case list():
            return _list(value, schema.get("items", {}), root)
        case dict():
            return _record(value, schema, root)
    return Part(str(value))


def day(value: date) -> str:
    """A day as people write it: 3 Nov 2026."""
    return f"{value.day} {value:%b %Y}"


def day_of(text: str | None) -> str:
    """A day or an instant of the API, as the day that people write."""
    return day(date.fromisoformat(text[:10])) if text else ""


def moment(value: datetime) -> str:
    """An instant as London's clocks show it; within an hour of their change, with the zone."""
    there = value.astimezone(LONDON)
    shows_zone = there.utcoffset() != (there.replace(fold=1 - there.fold)).utcoffset()
    return f"{day(there)}, {there:%H:%M}" + (f" {there:%Z}" if shows_zone else "")


def moment_of(text: str) -> str:
    """An instant of the API, as London's clocks show it."""
    return moment(instant(text))


def with_days(text: str) -> str:
    """A text in which days and months stand as people write them."""
    return _WITHIN.sub(_as_people_write, text)


def _as_people_write(found: re.Match[str]) -> str:
    is_day = found["day"] is not None
    try:
        written = day_of(found[0] if is_day else f"{found[0]}-01")
    except ValueError:  # of no calendar
        return found[0]
    return written if is_day else written.partition(" ")[2]


_WITHIN = re.compile(r"\b20\d\d-\d\d(?P<day>-\d\d)?\b")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_OF_LONDON = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?")
"""A time of London's clocks, as opening hours have them."""
_INSTANT = re.compile(rf"{_OF_LONDON.pattern}.*(Z|[+-]\d\d:\d\d)")


def _text(value: str, schema: Schema) -> Part:
    # What somebody has typed may look like a day that no calendar has.
    with suppress(ValueError):
        if _INSTANT.fullmatch(value):
            return Part(moment(instant(value)))
        if _OF_LONDON.fullmatch(value):
            return Part(moment(datetime.fromisoformat(value).replace(tzinfo=LONDON)))
        if _DAY.fullmatch(value):
            return Part(day(date.fromisoformat(value)))
    if "enum" not in schema and "const" not in schema:
        return Part(WORDS.get(value, value))
    return Part(wording(value), light=light_of(value))


def _decimal(value: float) -> str:
    return f"{value:.6f}".rstrip("0").rstrip(".")


def _list(values: list[Any], items: Schema, root: Schema) -> Part:
    items = resolved(items, root)
    parts = [shown(value, items, root) for value in values]
    if all(part.is_plain for part in parts):
        return Part(", ".join(part.text for part in parts))
    keys = [
        key
        for key in sorted(items.get("properties", {}), key=_rank)
        if any(_is_said(key, value.get(key)) for value in values)
    ]
    return Part(
        columns=[name(key) for key in keys],
        rows=[cells(value, keys, items, root) for value in values],
    )


def _is_said(key: str, value: Any) -> bool:
    return value not in (None, "", [], {}) and (key not in HIDDEN or isinstance(value, dict))


def _rank(key: str) -> tuple[bool, int]:
    """What it is about first; when and by whom it was recorded last."""
    return key in LAST, FIRST.index(key) if key in FIRST else len(FIRST)


def cells(
    value: Mapping[str, Any], keys: Sequence[str], schema: Schema, root: Schema
) -> list[Part]:
    """Some fields of a record, as the cells of a row."""
    properties = schema.get("properties", {})
    return [_field(key, value.get(key), properties.get(key, {}), root) for key in keys]


def _field(key: str, value: Any, schema: Schema, root: Schema) -> Part:
    """A field of a record, where its name says more of a number than its kind."""
    if key in SHARES and isinstance(value, float):
        return Part(f"{value:.0%}".replace("%", "\N{NO-BREAK SPACE}%"), is_number=True)
    if key == "year" and isinstance(value, int):
        return Part(str(value), is_number=True)
    if key == "subject" and isinstance(value, str):
        return Part(wording(value))
    return shown(value, schema, root)


def _record(value: Mapping[str, Any], schema: Schema, root: Schema) -> Part:
    if {"id", "name"} <= value.keys() and len(value) <= 4:
        kind = "venues" if {"reference", "status", "address"} & value.keys() else "businesses"
        kind = "venues" if "Venue" in schema.get("title", "") else kind
        return Part(value["name"], href=f"/console/{kind}/{value['id']}")
    if set(value) == {"code", "name"}:
        return Part(value["name"])
    if set(value) == {"new", "refresher", "total"}:
        return Part(f"{value['new']} new, {value['refresher']} again")
    if set(value) == {"lat", "lon"}:
        return Part(f"{value['lat']:.6f}, {value['lon']:.6f}")
    return in_full(value, schema, root)


def in_full(value: Mapping[str, Any], schema: Schema, root: Schema) -> Part:
    """A record with a line for each of its fields, where on other pages its name is enough."""
    schema = resolved(schema, root)
    if schema.get("additionalProperties") == {"type": "string"}:
        rows = [[Part(_called(key, text))] for key, text in value.items()]
        return Part(columns=["Name"], rows=rows)
    properties = schema.get("properties", {})
    keys = sorted((key for key in value if _is_said(key, value[key])), key=_rank)
    parts = [(name(key), _field(key, value[key], properties.get(key, {}), root)) for key in keys]
    return Part(lines=[(label, part) for label, part in parts if part.text != NOTHING])


def _called(key: str, text: str) -> str:
    """What somebody has called something, with its short name where that is another one."""
    return text if text == wording(key) else f"{text} ({wording(key)})"
