"""Import of the Food Standards Agency's food hygiene register: places worth a visit."""

import re
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from sqlalchemy.orm import defer
from sqlmodel import select

from app.core.batch import Batch, made
from app.core.journal import Journal
from app.core.places import Point
from app.core.settings import settings
from app.sheets.import_report import (
    Import,
    ImportReport,
    Skipped,
    Track,
    bring_up_to,
    degrees,
    line_of,
    read_json,
    rejected,
)
from app.venues.fields import postcode
from app.venues.kinds import Category
from app.venues.models import Venue, VenueStatus, Ward, searched
from app.venues.wards import WardMap

CATEGORIES = {
    "Hotel/bed & breakfast/guest house": Category.HOTEL,
    "Pub/bar/nightclub": Category.PUB,
    "Restaurant/Cafe/Canteen": Category.RESTAURANT,
    "Retailers - other": Category.SHOP,
    "Retailers - supermarkets/hypermarkets": Category.SHOP,
    "Takeaway/sandwich shop": Category.CAFE,
}
OTHERWISE = Category.COMMUNITY
"""For "Other catering premises", which are halls, clubs and meeting places, and for new types."""

NOT_FOR_THE_PUBLIC = {
    "Caring Premises": "is a nursery or care home, not open to the public",
    "Hospitals/Childcare/Caring Premises": "is a hospital or care home, not open to the public",
    "School/college/university": "is a school or college, not open to the public",
    "Distributors/Transporters": "is a depot, not open to the public",
    "Farmers/growers": "is a farm, not open to the public",
    "Importers/Exporters": "is a warehouse, not open to the public",
    "Manufacturers/packers": "is a factory, not open to the public",
    "Mobile caterer": "has no fixed place",
}


def import_fhrs(
    journal: Journal,
    content: bytes,
    *,
    actor: str,
    dry_run: bool = False,
    track: Track = iter,
) -> ImportReport:
    """Take the places of an FHRS file over as prospects: the JSON of the agency's API, or its open
    data file.

    An entry that can't be taken is skipped with the reason. What is already an active or closed
    venue, or was a prospect and is missing now, stays as it is. Raises `ImportRejected`.
    """
    return import_of(content, track).carry_out(journal, actor, dry_run=dry_run)


def import_of(content: bytes, track: Track = iter, most_entries: int | None = None) -> Import:
    """What an FHRS file asks for. Raises `ImportRejected` for one that can't be read."""
    entries = _entries(content)
    if most_entries is not None and len(entries) > most_entries:
        raise rejected(f"has more than {most_entries} entries: divide it into several")

    def plan(batch: Batch, report: ImportReport) -> None:
        session = batch.session
        prospects: dict[str, Venue] = {}
        registered: set[str] = set()
        for venue in session.exec(select(Venue).options(defer(Venue.hours))):  # type: ignore[arg-type]
            if venue.status == VenueStatus.PROSPECT:
                prospects[venue.reference] = venue
            else:
                registered |= {venue.reference, f"fhrs-{venue.fhrs_id}"}
        wards = WardMap(session.exec(select(Ward)))
        references: set[str] = set()
        edited = []
        for number, entry in enumerate(track(entries), start=1):
            reference, name = f"entry {number}", ""
            try:
                if not isinstance(entry, dict):
                    raise ValueError("is not an establishment")
                name = " ".join(str(entry.get("BusinessName") or "").split())
                fhrs_id = _fhrs_id(entry)
                reference = f"fhrs-{fhrs_id}"
                if reference in references:
                    raise ValueError("is in the file twice")
                references.add(reference)
                if reference in registered:
                    raise ValueError("is already registered")
                facts = _facts(entry)
                facts["ward_id"] = wards.ward_of(facts["location"])
                if wards and facts["ward_id"] is None:
                    raise ValueError("lies outside the wards")
            except ValueError as error:
                report.skipped.append(Skipped(reference=reference, name=name, reason=str(error)))
                continue
            if not facts["postcode"] and (given := _text(entry, "PostCode")):
                reason = f"its postcode {given!r} is left out: it is no whole postcode"
                report.remark(reference, reason)
            prospect = made(
                Venue,
                id=uuid4(),
                facilities=[],
                conditions=[],
                reference=reference,
                fhrs_id=fhrs_id,
                status=VenueStatus.PROSPECT,
                demonstration=settings().demonstration,
                folded_name=searched(facts["name"]),
                **facts,
            )
            stored, columns = prospects.get(reference), []
            if stored is None:
                batch.add(prospect)
            elif columns := bring_up_to(stored, prospect, facts):
                edited.append(stored)
            report.count(reference, is_new=stored is None, columns=columns)
        for venue in edited:
            batch.edit(venue)

    return Import(plan, (Venue, Ward))


def _entries(content: bytes) -> list[Any]:
    """The entries of the file, whatever they are. Raises `ImportRejected`."""
    match read_json(content):
        # The open data file has its entries in a list of their own, or had.
        case {"establishments": list(entries)} | {
            "FHRSEstablishment": {
                "EstablishmentCollection": list(entries) | {"EstablishmentDetail": list(entries)}
            }
        }:
            return entries
    raise rejected(
        "must be a list of establishments: take the JSON of the agency's API (establishments), or "
        "its open data file as JSON (FHRSEstablishment)",
        column="establishments",
    )


# --- an entry: each of these raises ValueError with the reason to skip it ----------------------


def _fhrs_id(entry: Mapping[str, Any]) -> str:
    number = str(entry.get("FHRSID"))
    if not re.fullmatch("[1-9][0-9]{0,14}", number):
        raise ValueError("has no FHRSID that is a number")
    return number


def _facts(entry: Mapping[str, Any]) -> dict[str, Any]:
    """What a prospect takes from it."""
    kind = _text(entry, "BusinessType")
    if reason := NOT_FOR_THE_PUBLIC.get(kind):
        raise ValueError(reason)
    lines = filter(None, (_text(entry, f"AddressLine{number}") for number in range(1, 5)))
    facts: dict[str, Any] = {}
    for column, text in (("name", _text(entry, "BusinessName")), ("address", ", ".join(lines))):
        try:
            facts[column] = line_of(Venue, column)(text)
        except ValueError as error:
            raise ValueError(f"{column} {error}") from None
    if not facts["name"]:
        raise ValueError("has no name")
    if not kind:
        raise ValueError("has no business type")
    facts |= {"category": CATEGORIES.get(kind, OTHERWISE), "location": _location(entry)}
    given = _text(entry, "PostCode")
    try:
        return {**facts, "postcode": postcode(given)}
    except ValueError:
        # The agency gives a part of some; the place is known without.
        return {**facts, "postcode": ""}


def _text(entry: Mapping[str, Any], name: str) -> str:
    value = entry.get(name)
    if not isinstance(value, str | None):
        raise ValueError(f"{name} must be a text")
    return " ".join((value or "").split())


def _location(entry: Mapping[str, Any]) -> Point:
    # The API writes the names small, the open data file with capitals.
    geocode = entry.get("geocode") or entry.get("Geocode") or {}
    if not isinstance(geocode, dict):
        raise ValueError("has coordinates that are no place on the earth")
    given = {key.lower(): str(value).strip() for key, value in geocode.items() if value is not None}
    lat, lon = given.get("latitude"), given.get("longitude")
    if not lat or not lon:
        raise ValueError("has no coordinates")
    try:
        place = Point(degrees(lat, 90), degrees(lon, 180))
    except ValueError:
        raise ValueError("has coordinates that are no place on the earth") from None
    if place == Point(0, 0):
        raise ValueError("has coordinates 0, 0")
    return place
