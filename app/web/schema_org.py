"""A haven as schema.org describes a place, for programs that read pages.

The hours are weekly patterns, each with the days between which it holds, so that seasons, bank
holidays and closures are in them: those of a year, and none after an accreditation ends. By
schema.org a `closes` before its `opens` is on the next day.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from app.feeds.weekly import Pattern
from app.venues.hours import Weekday
from app.venues.kinds import Category, StepFree

Json = dict[str, Any]

TYPES: Mapping[str, str] = MappingProxyType(
    {
        Category.PUB: "BarOrPub",
        Category.BAR: "BarOrPub",
        Category.NIGHTCLUB: "NightClub",
        Category.RESTAURANT: "Restaurant",
        Category.CAFE: "CafeOrCoffeeShop",
        Category.HOTEL: "Hotel",
        Category.OFFICE: "LocalBusiness",
        Category.LIBRARY: "Library",
        Category.CULTURE: "CivicStructure",
        Category.SHOP: "Store",
        Category.WORSHIP: "PlaceOfWorship",
        Category.TRANSPORT: "CivicStructure",
        Category.COMMUNITY: "CivicStructure",
        Category.HELP_POINT: "CivicStructure",
    }
)
"""None is an `EmergencyService`: a haven is no substitute for one."""


def place(
    haven: Mapping[str, Any], hours: Iterable[Pattern], facilities: Mapping[str, str], url: str
) -> Json:
    """A haven, as the public API gives it; `facilities` are their names, `url` its page's."""
    location = haven["location"]
    address = {
        "streetAddress": haven.get("address"),
        "postalCode": haven.get("postcode"),
        "addressCountry": "GB",
    }
    described = {
        "@context": "https://schema.org",
        "@type": TYPES[haven["category"]],
        "name": haven["name"],
        "description": haven.get("notice"),
        "url": url,
        "telephone": haven.get("phone"),
        "address": {"@type": "PostalAddress", **_present(address)},
        "geo": {
            "@type": "GeoCoordinates",
            "latitude": location["lat"],
            "longitude": location["lon"],
        },
        "containedInPlace": {"@type": "AdministrativeArea", "name": haven["ward"]}
        if "ward" in haven
        else None,
        "amenityFeature": _amenities(haven, facilities),
        "openingHoursSpecification": [_hours(pattern) for pattern in hours],
    }
    return _present(described)


def _present(values: Json) -> Json:
    return {name: value for name, value in values.items() if value not in (None, "", [])}


def _amenities(haven: Mapping[str, Any], facilities: Mapping[str, str]) -> list[Json]:
    has = {facilities[key]: True for key in haven["facilities"]}
    if haven["step_free"] != StepFree.UNKNOWN:
        has[facilities["step_free"]] = haven["step_free"] == StepFree.YES
    return [
        {"@type": "LocationFeatureSpecification", "name": name, "value": value}
        for name, value in has.items()
    ]


_DAYS: Mapping[Weekday, str] = MappingProxyType(
    {
        "Mo": "Monday",
        "Tu": "Tuesday",
        "We": "Wednesday",
        "Th": "Thursday",
        "Fr": "Friday",
        "Sa": "Saturday",
        "Su": "Sunday",
    }
)


def _hours(pattern: Pattern) -> Json:
    return {
        "@type": "OpeningHoursSpecification",
        "dayOfWeek": [_DAYS[day] for day in pattern.days],
        "opens": pattern.opens,
        # There is no 24:00 in it, and by equal times some mean that it is closed.
        "closes": "23:59:59" if pattern.is_whole_day else pattern.closes,
        "validFrom": pattern.first.isoformat(),
        "validThrough": pattern.last.isoformat(),
    }
