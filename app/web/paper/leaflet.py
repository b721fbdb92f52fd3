"""The leaflet: every haven that is listed, by ward, and whom to call."""

from collections import defaultdict
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any

import orjson

from app.core.london import effective, london_day
from app.core.settings import Settings
from app.core.text import folded
from app.directory.engine.search import Search
from app.http.languages import Language
from app.schemes.registry import SchemeKey
from app.web.dates import written
from app.web.paper.press import Sheet
from app.web.paper.qr import qr_code
from app.web.paper.words import (
    hours_in_words,
    numbers_to_call,
    printable,
    words,
)

Haven = dict[str, Any]
"""A haven as the directory holds it: a `Haven` of the public API."""


class LeafletSize(StrEnum):
    """How it is printed: on A4, or on both sides of A4 that is folded to A5."""

    A4 = "a4"
    A5 = "a5"


def leaflet(
    search: Search, now: float, language: Language, size: LeafletSize, ours: Settings
) -> Sheet:
    """The leaflet of what is listed at an instant, with the London day of it."""
    language = printable(language)
    said = words(language.gettext)
    day = london_day(datetime.fromtimestamp(now, UTC))
    havens = [
        haven_of(search, row)
        for row in range(len(search.snapshot))
        if search.is_listed(row, int(now))
    ]
    wards: defaultdict[str, list[Haven]] = defaultdict(list)
    for haven in sorted(havens, key=lambda haven: (folded(haven["name"]), haven["id"])):
        wards[haven.get("ward", "")].append(haven)
    address, printed = ours.address("/"), said["leaflet"]
    return Sheet(
        "leaflet.typ",
        {
            "language": language.code,
            "direction": language.direction,
            "size": size,
            "words": printed | {"dated": printed["dated"].format(day=written(language, day))},
            "numbers": numbers_to_call(ours.help_contacts, said),
            "address": address.partition("://")[2].rstrip("/"),
            "qr": qr_code(address),
            "is_sample": search.snapshot.demonstration,
            "unreviewed": "" if language.is_reviewed else said["unreviewed"],
            "with_angela": any(map(is_angela, havens)),
            "wards": [
                {"name": name, "havens": [_entry(h, language, day) for h in wards[name]]}
                # What lies in no ward comes last.
                for name in sorted(wards, key=lambda name: (not name, folded(name), name))
            ],
        },
        made_at=int(effective(day).timestamp()),
    )


def haven_of(search: Search, row: int) -> Haven:
    """What the directory says of a haven."""
    haven: Haven = orjson.loads(b"{" + search.snapshot.fragment(row))
    return haven


def is_angela(haven: Haven) -> bool:
    """Whether one can ask for Angela there."""
    return any(held["scheme"] == SchemeKey.ASK_FOR_ANGELA for held in haven["schemes"])


def _entry(haven: Haven, language: Language, day: date) -> dict[str, Any]:
    said = words(language.gettext)
    hours = haven.get("opening_hours")
    place = [haven[part] for part in ("address", "postcode") if part in haven]
    return {
        "name": haven["name"],
        "where": ". ".join(filter(None, (", ".join(place), haven.get("entrance")))),
        "hours": hours_in_words(hours, language, day) if hours else said["hours"]["unknown"],
        "has": [
            said["step_free"][haven["step_free"]],
            *(name for key, name in said["facilities"].items() if key in haven["facilities"]),
        ],
        "angela": said["angela"] if is_angela(haven) else "",
    }
