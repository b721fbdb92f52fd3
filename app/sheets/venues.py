"""Import of the venue CSV: the columns of `CELLS`, one venue in each row."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from functools import partial
from typing import Any, TypeVar

from sqlmodel import Session, col, select

from app.core.geo import Point
from app.core.journal import Journal, now
from app.core.london import effective, last_day, london_day
from app.core.settings import settings
from app.core.text import key
from app.schemes.imported import award_from_import, imported_window
from app.sheets.csv_file import day, meant, read_rows
from app.sheets.imports import (
    BadCell,
    Change,
    ImportRejected,
    ImportReport,
    Remark,
    Track,
    degrees,
    import_session,
    longest,
    one_line,
)
from app.venues import osm_hours
from app.venues.duplicates import likely_twins
from app.venues.facts import take_effect
from app.venues.fields import postcode
from app.venues.hours import Hours, keep_exceptions
from app.venues.models import Business, Category, Facility, StepFree, Venue, VenueStatus, Ward
from app.venues.wards import Misplaced, WardMap

_Word = TypeVar("_Word", bound=StrEnum)


def _word(kind: type[_Word], text: str) -> _Word:
    try:
        return kind(text)
    except ValueError:
        raise ValueError(f"must be one of {', '.join(kind)}") from None


def _hours(text: str) -> Hours | None:
    return osm_hours.parse(text) if text else None


def _facilities(text: str) -> list[Facility]:
    named = {_word(Facility, word.strip()) for word in text.split(";") if word.strip()}
    return [facility for facility in Facility if facility in named]


def _step_free(text: str) -> StepFree:
    return _word(StepFree, text or StepFree.UNKNOWN)


def _yes(text: str) -> bool:
    if text.lower() not in ("yes", "no", "true", "false", ""):
        raise ValueError("must be yes or no")
    return text.lower() in ("yes", "true")


def _uprn(text: str) -> str:
    if not re.fullmatch(r"[0-9]{0,12}", text):
        raise ValueError("must be up to 12 digits")
    return text


def _date(text: str) -> date | None:
    return day(text) if text else None


CELLS: dict[str, Callable[[str], Any]] = {
    "reference": str,
    "name": str,
    "category": partial(_word, Category),
    "business": str,
    "address": str,
    "postcode": postcode,
    "latitude": lambda text: degrees(text, 90),
    "longitude": lambda text: degrees(text, 180),
    "opening_hours": _hours,
    "phone": str,
    "entrance": str,
    "facilities": _facilities,
    "step_free": _step_free,
    "licensed": _yes,
    "late_night": _yes,
    "premises_licence": str,
    "uprn": _uprn,
    "fhrs_id": str,
    "safe_haven_from": _date,
    "safe_haven_until": _date,
}
"""What each column's text stands for. An empty text is what clears it."""

REQUIRED = ("reference", "name", "category", "latitude", "longitude")
"""The columns that a new venue needs, and that nothing clears."""

_LONGEST = {
    column: longest(Business, "name") if column == "business" else longest(Venue, column)
    for column, read in CELLS.items()
    if read is str
}


_AWARD = ("safe_haven_from", "safe_haven_until")
_PLACE = ("latitude", "longitude")
_FIGURES = (*_PLACE, *_AWARD)


@dataclass
class _Row:
    """A row of the file: its cells as they stand there, and what comes of them step by step."""

    line: int
    cells: dict[str, str]
    values: dict[str, Any] = field(default_factory=dict)
    venue: Venue | None = None
    changes: dict[str, Any] = field(default_factory=dict)
    remark: str = ""
    bad: list[BadCell] = field(default_factory=list)

    def refuse(self, column: str, reason: str) -> None:
        value = self.cells.get(column, "")
        self.bad.append(BadCell(line=self.line, column=column, value=value, reason=reason))

    def read(self) -> None:
        """Fill in `values` from the good cells."""
        for column, cell in self.cells.items():
            try:
                text = meant(cell, is_text=column not in _FIGURES)
                if column == "reference":
                    text = key(text)
                text = one_line(text, _LONGEST.get(column, len(text)))
                if not text and column in REQUIRED:
                    raise ValueError("must not be empty")
                self.values[column] = CELLS[column](text)
            except ValueError as error:
                self.refuse(column, str(error))

    def compare(self, stored: dict[str, Any], *, decided: bool) -> None:
        """Fill in `changes` to the values of a venue as stored; a new one has none.

        Once its accreditation has been `decided` on, a file may repeat that but not change it.
        """
        if not stored and "reference" in self.values:
            for column in REQUIRED:
                if column not in self.cells:
                    self.refuse(column, "is needed for a new venue")
        if hours := self.values.get("opening_hours"):
            try:
                self.values["opening_hours"] = keep_exceptions(hours, stored.get("opening_hours"))
            except ValueError:
                self.refuse("opening_hours", "has too many exceptions, with those already stored")
        if not {*_AWARD} & {cell.column for cell in self.bad}:
            self._complete_award(stored)
        self.changes = {
            column: value
            for column, value in self.values.items()
            if not stored or stored[column] != value
        }
        for column in _AWARD:
            if decided and column in self.changes:
                self.refuse(column, "is not what was decided: record a decision instead")

    def locate(self, stored: dict[str, Any], wards: WardMap) -> None:
        """Fill in the `remark` on a place that is new to the public."""
        given = stored | self.values
        wrong = {*_PLACE} - given.keys() | {*_PLACE} & {cell.column for cell in self.bad}
        if wrong or not self.changes.keys() & {*_PLACE, "status"}:
            return
        try:
            self.remark = wards.remark(Point(given["latitude"], given["longitude"]))
        except Misplaced as error:
            self.refuse("latitude", str(error))

    def _complete_award(self, stored: dict[str, Any]) -> None:
        first = self.values.get("safe_haven_from", stored.get("safe_haven_from"))
        last = self.values.get("safe_haven_until")
        if last and not first:
            self.refuse("safe_haven_until", "must not be given without safe_haven_from")
        elif last and last < first:
            self.refuse("safe_haven_until", "must not be before safe_haven_from")
        elif not last and (
            "safe_haven_until" in self.cells or first != stored.get("safe_haven_from")
        ):
            self.values["safe_haven_until"] = (
                last_day(first, settings().safe_haven_months) if first else None
            )


class _Register:
    """What the database holds, by the keys that a row may name."""

    def __init__(self, session: Session, references: Collection[str]) -> None:
        self.session = session
        venues = session.exec(select(Venue)).all()
        self.venues = {venue.reference: venue for venue in venues}
        self.spelled = {reference.casefold(): reference for reference in self.venues}
        # A prospect that the file names by its own reference is not there for another row.
        self.prospects = {
            venue.fhrs_id: venue
            for venue in venues
            if venue.status == VenueStatus.PROSPECT
            and venue.fhrs_id
            and venue.reference not in references
        }
        self.businesses = {business.name: business for business in session.exec(select(Business))}
        self.business_names = {business.id: name for name, business in self.businesses.items()}
        self._names = {name.casefold(): name for name in self.businesses}
        self.wards = WardMap(session.exec(select(Ward)))
        self.awards = imported_window(session)

    def find(self, row: _Row) -> None:
        """Fill in the `venue` that a row is about; a prospect has its FHRS number, and once."""
        reference = row.values.get("reference", "")
        row.venue = self.venues.get(reference)
        if not row.venue and (other := self.spelled.get(reference.casefold())):
            row.refuse("reference", f"is {other} in the register: write it so")
        elif not row.venue:
            row.venue = self.prospects.pop(row.values.get("fhrs_id", ""), None)

    def named(self, business: str) -> str:
        """A business as the register spells it, or else as the file first does."""
        if business in self.businesses:
            return business
        return self._names.setdefault(business.casefold(), business)

    def stored(self, venue: Venue) -> dict[str, Any]:
        """What the values of a row would be for a venue as it is."""
        elsewhere = {
            "business": self.business_names[venue.business_id] if venue.business_id else "",
            "latitude": venue.location.lat,
            "longitude": venue.location.lon,
            "opening_hours": venue.hours,
            **dict(zip(_AWARD, self.awards.get(venue.id, (None, None)), strict=True)),
        }
        return {c: elsewhere[c] if c in elsewhere else getattr(venue, c) for c in CELLS}

    def write(self, rows: Iterable[_Row]) -> None:
        """Store what the rows change."""
        rows = list(rows)
        names = {row.changes["business"] for row in rows if row.changes.get("business")}
        for name in sorted(names - self.businesses.keys()):
            self.businesses[name] = Business(name=name)
            self.session.add(self.businesses[name])
        # Nothing else tells the session that venues must come after their businesses.
        self.session.flush()
        venues = [(row.venue or _new(row.changes), row.changes) for row in rows]
        for venue, changes in venues:
            self._write(venue, changes)
        self.session.flush()
        today = london_day(now(self.session))
        for row, (venue, changes) in zip(rows, venues, strict=True):
            if first := changes.get("safe_haven_from"):
                award_from_import(self.session, venue, first, changes["safe_haven_until"])
                if row.venue is None and first < today:
                    # What was accredited then was there then, for reports on that time.
                    take_effect(self.session, venue, effective(first))

    def _write(self, venue: Venue, changes: dict[str, Any]) -> None:
        for column, value in changes.items():
            if column == "business":
                venue.business_id = self.businesses[value].id if value else None
            elif column == "opening_hours":
                venue.hours = value
            elif column not in ("latitude", "longitude", *_AWARD):
                setattr(venue, column, value)
        if changes.keys() & {"latitude", "longitude"}:
            lat = changes.get("latitude", venue.location.lat)
            lon = changes.get("longitude", venue.location.lon)
            venue.location = Point(lat, lon)
            venue.ward_id = self.wards.ward_of(venue.location)
        self.session.add(venue)


def _new(values: dict[str, Any]) -> Venue:
    return Venue(
        reference=values["reference"],
        name=values["name"],
        category=values["category"],
        location=Point(values["latitude"], values["longitude"]),
        demonstration=settings().demonstration,
    )


def import_venues(
    journal: Journal,
    content: bytes,
    *,
    actor: str,
    dry_run: bool = False,
    track: Track = iter,
) -> ImportReport:
    """Create and update venues from a CSV file, all of it or nothing.

    A row is about the venue with its reference, or else the prospect with its FHRS number, which
    takes the reference. A prospect becomes active. Raises `ImportRejected` with every bad cell.
    """
    cells, bad = read_rows(content, CELLS, ["reference"])
    rows = [_Row(*numbered) for numbered in cells]
    for row in track(rows):
        row.read()
    report = ImportReport(dry_run=dry_run)
    with import_session(journal, actor, dry_run=dry_run) as session:
        register = _Register(session, {row.values.get("reference", "") for row in rows})
        for row in rows:
            register.find(row)
            if business := row.values.get("business"):
                row.values["business"] = register.named(business)
            stored = register.stored(row.venue) if row.venue else {}
            decided = row.venue is not None and row.venue.id in register.awards
            row.compare(stored, decided=decided)
            if row.venue and row.venue.status == VenueStatus.PROSPECT:
                row.changes["status"] = VenueStatus.ACTIVE
            row.locate(stored, register.wards)
        _refuse_duplicates(rows)
        bad += [cell for row in rows for cell in row.bad]
        if bad:
            raise ImportRejected(sorted(bad, key=lambda cell: cell.line or 0))
        for row in rows:
            reference = row.values["reference"]
            if not row.venue:
                report.created.append(reference)
            elif row.changes:
                report.updated.append(Change(reference=reference, columns=list(row.changes)))
            else:
                report.unchanged += 1
        register.write(row for row in rows if row.changes)
        report.remarks = _remarks(session, rows)
    return report


def _refuse_duplicates(rows: Iterable[_Row]) -> None:
    same: dict[str, int] = {}
    but_for_capitals: dict[str, int] = {}
    for row in rows:
        if not (reference := row.values.get("reference")):
            continue
        if (line := same.setdefault(reference, row.line)) != row.line:
            row.refuse("reference", f"is on line {line} too")
        elif not row.venue:
            line = but_for_capitals.setdefault(reference.casefold(), row.line)
            if line != row.line:
                row.refuse("reference", f"is on line {line} too, but for its capitals")


def _remarks(session: Session, rows: Iterable[_Row]) -> list[Remark]:
    """What to look at in the rows that bring a venue, or a new name or place of one."""
    remarks = [
        Remark(reference=row.values["reference"], reason=row.remark) for row in rows if row.remark
    ]
    new = {row.values["reference"] for row in rows if row.changes.keys() & {"name", *_PLACE}}
    if not new:
        return remarks
    venues = session.exec(select(Venue.reference, Venue.name, col(Venue.location))).all()
    references, names, places = zip(*venues, strict=True)
    for place, (other, metres) in likely_twins(names, places).items():
        if references[place] in new:
            reason = f"may be {references[other]} {names[other]}, {metres:.0f} m away, once more"
            remarks.append(Remark(reference=references[place], reason=reason))
    return sorted(remarks, key=lambda remark: remark.reference)


def venue_rows(session: Session) -> Iterator[dict[str, Any]]:
    """The active venues as rows that an import would find unchanged, by reference.

    A file can't say that a venue is a prospect, or closed: whatever it names becomes active.
    """
    register = _Register(session, ())
    for _, venue in sorted(register.venues.items()):
        if venue.status == VenueStatus.ACTIVE:
            yield {column: _text(value) for column, value in register.stored(venue).items()}


def _text(value: Any) -> Any:
    match value:
        case bool():
            return "yes" if value else "no"
        case list():
            return ";".join(value)
        case Hours():
            return osm_hours.text(value)
        case _:
            return value
