"""Import of the Food Standards Agency's food hygiene register: places worth a visit."""

from typing import Any

from pydantic import BaseModel, Field, ValidationError
from sqlmodel import select

from app.geo import Point
from app.journal import Journal
from app.settings import settings
from app.venues.imports import (
    BadCell,
    Change,
    ImportRejected,
    ImportReport,
    Skipped,
    Track,
    degrees,
    import_session,
    longest,
    one_line,
    read_text,
)
from app.venues.models import Category, Venue, VenueStatus, Ward
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


class _Geocode(BaseModel):
    longitude: str | float | None = None
    latitude: str | float | None = None


class _Establishment(BaseModel):
    """The part of the agency's record that is used."""

    FHRSID: int = Field(ge=1, lt=10**15)
    BusinessName: str
    BusinessType: str
    AddressLine1: str | None = None
    AddressLine2: str | None = None
    AddressLine3: str | None = None
    AddressLine4: str | None = None
    PostCode: str | None = None
    geocode: _Geocode | None = None

    @property
    def reference(self) -> str:
        return f"fhrs-{self.FHRSID}"

    def facts(self) -> dict[str, Any]:
        """What a prospect takes from it. Raises ValueError with the reason to skip it."""
        if reason := NOT_FOR_THE_PUBLIC.get(self.BusinessType):
            raise ValueError(reason)
        lines = (self.AddressLine1, self.AddressLine2, self.AddressLine3, self.AddressLine4)
        texts = {
            "name": self.BusinessName,
            "address": ", ".join(line for line in lines if line and not line.isspace()),
            "postcode": self.PostCode or "",
        }
        facts: dict[str, Any] = {}
        for column, text in texts.items():
            try:
                facts[column] = one_line(text, longest(Venue, column))
            except ValueError as error:
                raise ValueError(f"{column} {error}") from None
        if not facts["name"]:
            raise ValueError("has no name")
        category = CATEGORIES.get(self.BusinessType, OTHERWISE)
        return {**facts, "category": category, "location": self._location()}

    def _location(self) -> Point:
        given = self.geocode or _Geocode()
        if given.latitude in (None, "") or given.longitude in (None, ""):
            raise ValueError("has no coordinates")
        try:
            place = Point(degrees(str(given.latitude), 90), degrees(str(given.longitude), 180))
        except ValueError:
            raise ValueError("has coordinates that are no place on the earth") from None
        if place == Point(0, 0):
            raise ValueError("has coordinates 0, 0")
        return place


class _File(BaseModel):
    establishments: list[_Establishment]


def import_fhrs(
    journal: Journal,
    content: bytes,
    *,
    actor: str,
    dry_run: bool = False,
    track: Track = iter,
) -> ImportReport:
    """Take the places of an FHRS file (JSON of the agency's API) over as prospects.

    What is already an active or closed venue, or was a prospect and is missing now, stays as it
    is. Raises `ImportRejected`.
    """
    establishments = _read(content)
    report = ImportReport(dry_run=dry_run)
    with import_session(journal, actor, dry_run=dry_run) as session:
        prospects: dict[str, Venue] = {}
        registered: set[str] = set()
        for venue in session.exec(select(Venue)):
            if venue.status == VenueStatus.PROSPECT:
                prospects[venue.reference] = venue
            else:
                registered |= {venue.reference, f"fhrs-{venue.fhrs_id}"}
        wards = WardMap(session.exec(select(Ward)))
        seen: set[str] = set()
        for establishment in track(establishments):
            reference = establishment.reference
            try:
                if reference in seen:
                    raise ValueError("is in the file twice")
                seen.add(reference)
                if reference in registered:
                    raise ValueError("is already registered")
                facts = establishment.facts()
                facts["ward_id"] = wards.ward_of(facts["location"])
                if wards and facts["ward_id"] is None:
                    raise ValueError("lies outside the wards")
            except ValueError as error:
                name = " ".join(establishment.BusinessName.split())
                report.skipped.append(Skipped(reference=reference, name=name, reason=str(error)))
                continue
            if not (prospect := prospects.get(reference)):
                session.add(
                    Venue(
                        reference=reference,
                        fhrs_id=str(establishment.FHRSID),
                        status=VenueStatus.PROSPECT,
                        demonstration=settings().demonstration,
                        **facts,
                    )
                )
                report.created.append(reference)
            elif changed := [key for key, fact in facts.items() if getattr(prospect, key) != fact]:
                for key in changed:
                    setattr(prospect, key, facts[key])
                report.updated.append(Change(reference=reference, columns=changed))
            else:
                report.unchanged += 1
    return report


def _read(content: bytes) -> list[_Establishment]:
    try:
        return _File.model_validate_json(read_text(content)).establishments
    except ValidationError as error:
        raise ImportRejected(
            [
                BadCell(column=".".join(str(part) for part in one["loc"]), reason=one["msg"])
                for one in error.errors()
            ]
        ) from None
