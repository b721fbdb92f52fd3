"""A haven as Open Referral UK describes a service (profile HSDS-UK-3.0).

Each haven is one service at one location. What does not apply is absent, never null, and there is
nothing that the profile's schemas don't name; they have no place for a phone, so a description
tells it. Ids of what is no haven are made from the haven's, so they stay the same.

A schedule is a weekly pattern with the days between which it holds: `valid_from`, `valid_to`,
`byday`. Where they say nothing it is closed. Times are by the clock in London. A `closes_at` before
its `opens_at` is on the next day, as a night's; a whole day is 00:00 to 12:00 and 12:00 to 00:00,
since some read equal times as closed.
"""

from collections.abc import Iterator
from datetime import date
from typing import Any
from uuid import UUID, uuid5

from app.feeds.listed import Haven, hours_of
from app.feeds.terms import (
    BY_ID,
    NAMESPACE,
    REFUGE,
    STEP_FREE,
    TERMS,
    Taxonomy,
    Term,
)
from app.feeds.weekly import Pattern
from app.schemes.registry import LISTS_PUBLICLY, schemes
from app.venues.kinds import StepFree

Json = dict[str, Any]

VERSION = "HSDS-UK-3.0"
PROFILE = "https://github.com/OpenReferralUK/uk-profile"
OPENAPI = "https://raw.githubusercontent.com/OpenReferralUK/uk-profile/main/schema/openapi.json"

ORGANIZATION = {
    "id": str(uuid5(NAMESPACE, "organization")),
    "name": "Safe Havens",
    "description": "Those who accredit places whose trained staff offer refuge",
}

_CONVENTION = (
    "Times are by the clock in London. A closing time before the opening time is on the next day."
)


def service(haven: Haven, today: date, url: str = "") -> Json:
    """The whole service; `url` is that of the haven's page."""
    return {
        **service_in_list(haven, url),
        "schedules": [
            schedule
            for pattern in hours_of(haven, today)
            for schedule in _schedules(haven, pattern)
        ],
        "service_at_locations": [{**_at_location(haven), "location": _location(haven)}],
        "attributes": [
            {
                "id": _id(haven, f"attribute {term.key}"),
                "link_id": haven["id"],
                "link_type": "service",
                "taxonomy_term_id": str(term.id),
                "taxonomy_term": taxonomy_term(term),
            }
            for term in terms_of(haven)
        ],
    }


def service_in_list(haven: Haven, url: str = "") -> Json:
    """What a list shows of a service."""
    return {
        "id": haven["id"],
        "organization_id": ORGANIZATION["id"],
        "name": haven["name"],
        "description": _description(haven),
        **({"url": url} if url else {}),
        "status": "active",
        "fees": "Free",
        "accreditations": _accreditations(haven),
        **({"assured_date": haven["last_checked"]} if "last_checked" in haven else {}),
        **({"alert": haven["notice"]} if "notice" in haven else {}),
        "organization": ORGANIZATION,
    }


def service_at_location(haven: Haven, today: date, url: str = "") -> Json:
    """The service with the place where it is, as the profile has it the other way round."""
    whole = service(haven, today, url)
    (there,) = whole.pop("service_at_locations")
    return {**there, "service": whole}


def service_at_location_in_list(haven: Haven, url: str = "") -> Json:
    """What a list shows of it."""
    location = _location(haven)
    for name in ("addresses", "accessibility"):
        location.pop(name, None)
    return {
        **_at_location(haven),
        "location": location,
        "service": service_in_list(haven, url),
    }


def taxonomy(shown: Taxonomy) -> Json:
    """A list of terms, without these."""
    return {"id": str(shown.id), "name": shown.name, "description": shown.description}


def taxonomy_with_terms(shown: Taxonomy) -> Json:
    """A list of terms."""
    terms = [taxonomy_term(term) for term in BY_ID.values() if term.taxonomy == shown]
    return {**taxonomy(shown), "taxonomy_terms": terms}


def taxonomy_term(term: Term) -> Json:
    """A term."""
    return {
        "id": str(term.id),
        "name": term.name,
        "description": term.description,
        "taxonomy": term.taxonomy.name,
        "taxonomy_id": str(term.taxonomy.id),
        "term": term.name,
    }


def terms_of(haven: Haven) -> list[Term]:
    """What a haven is and has."""
    step_free = [STEP_FREE] if haven["step_free"] == StepFree.YES else []
    keys = [REFUGE, haven["category"], *haven["facilities"], *step_free]
    return [TERMS[key] for key in keys]


def location_id(haven_id: UUID) -> UUID:
    """The id of a haven's `service_at_location`."""
    return uuid5(haven_id, "service_at_location")


def _id(haven: Haven, what: str) -> str:
    return str(uuid5(UUID(haven["id"]), what))


def _at_location(haven: Haven) -> Json:
    return {
        "id": str(location_id(UUID(haven["id"]))),
        "service_id": haven["id"],
        "location_id": _id(haven, "location"),
    }


def _location(haven: Haven) -> Json:
    place = haven["location"]
    location: Json = {
        "id": _id(haven, "location"),
        "location_type": "physical",
        "name": haven["name"],
        "latitude": place["lat"],
        "longitude": place["lon"],
    }
    if "entrance" in haven:
        location["description"] = haven["entrance"]
    if "uprn" in haven:
        location |= {"external_identifier": haven["uprn"], "external_identifier_type": "UPRN"}
    # The profile has no address without each of these.
    if "address" in haven and "postcode" in haven:
        location["addresses"] = [
            {
                "id": _id(haven, "address"),
                "location_id": location["id"],
                "address_1": haven["address"],
                "city": "London",
                "state_province": "Greater London",
                "postal_code": haven["postcode"],
                "country": "GB",
                "address_type": "physical",
            }
        ]
    if haven["step_free"] != StepFree.UNKNOWN:
        is_step_free = haven["step_free"] == StepFree.YES
        location["accessibility"] = [
            {
                "id": _id(haven, "accessibility"),
                "location_id": location["id"],
                "description": "Step-free access" if is_step_free else "No step-free access",
            }
        ]
    return location


def _description(haven: Haven) -> str:
    parts = [
        f"{haven['notice'].capitalize()}." if "notice" in haven else "",
        f"{TERMS[REFUGE].description}. In an emergency call 999.",
        f"By phone: {haven['phone']}." if "phone" in haven else "",
        f"Hours, as OpenStreetMap writes them: {haven['opening_hours']}."
        if "opening_hours" in haven
        else "Nobody has said when it is open.",
    ]
    return " ".join(filter(None, parts))


def _accreditations(haven: Haven) -> str:
    name = schemes()[LISTS_PUBLICLY].name
    ends = [s["until"] for s in haven["schemes"] if s["scheme"] == LISTS_PUBLICLY and "until" in s]
    return f"{name}, until {ends[0]}" if ends else name


def _schedules(haven: Haven, pattern: Pattern) -> Iterator[Json]:
    times = [(pattern.opens, pattern.closes)]
    if pattern.is_whole_day:
        times = [("00:00", "12:00"), ("12:00", "00:00")]
    for opens, closes in times:
        byday = ",".join(pattern.days).upper()
        yield {
            "id": _id(haven, f"schedule {pattern.first} {byday} {opens} {closes}"),
            "service_id": haven["id"],
            "valid_from": pattern.first.isoformat(),
            "valid_to": pattern.last.isoformat(),
            "freq": "WEEKLY",
            "byday": byday,
            "opens_at": opens,
            "closes_at": closes,
            "description": _CONVENTION,
        }
