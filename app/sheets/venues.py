"""Venues as a sheet, one in each row, with the first award of their Safe Haven accreditation."""

import re
from collections.abc import Iterable, Sequence
from datetime import date
from enum import StrEnum
from functools import lru_cache, partial
from typing import Any, TypeVar
from uuid import uuid4

from sqlmodel import Session

from app.core.batch import Batch, made
from app.core.journal import now
from app.core.london import effective, last_day, london_day
from app.core.places import Point
from app.core.settings import settings
from app.core.text import key, line
from app.schemes.imported import awards_from_import
from app.schemes.models import Decision
from app.sheets.import_report import CellChange, ImportReport, Track, degrees, line_of
from app.sheets.lookup import Lookup
from app.sheets.rows import Column, DayColumn, Row, Sheet, Values
from app.venues import osm_hours
from app.venues.duplicates import likely_twins
from app.venues.facts import take_effect
from app.venues.fields import postcode
from app.venues.hours import Hours, keep_exceptions
from app.venues.kinds import Category, Facility, StepFree
from app.venues.models import Business, Venue, VenueStatus, Ward, searched
from app.venues.wards import Misplaced

_AWARD = ("safe_haven_from", "safe_haven_until")
_PLACE = ("latitude", "longitude")

# --- cells -----------------------------------------------------------------------------------

_Word = TypeVar("_Word", bound=StrEnum)


def _word(kind: type[_Word], text: str) -> _Word:
    try:
        return kind(text)
    except ValueError:
        raise ValueError(f"must be one of {', '.join(kind)}") from None


# The same few are in many rows; nobody changes them in place.
@lru_cache(maxsize=1000)
def _hours(text: str) -> Hours:
    return osm_hours.parse(line(text))


def _facilities(text: str) -> list[Facility]:
    named = {_word(Facility, word.strip()) for word in text.split(";") if word.strip()}
    return [facility for facility in Facility if facility in named]


def _yes(text: str) -> bool:
    if text.lower() not in ("yes", "no", "true", "false"):
        raise ValueError("must be yes or no")
    return text.lower() in ("yes", "true")


def _uprn(text: str) -> str:
    if not re.fullmatch(r"[0-9]{1,12}", text):
        raise ValueError("must be up to 12 digits")
    return text


_TextColumn = partial(Column, empty="")
_YES_OR_NO = Column(_yes, lambda value: "yes" if value else "no", empty=False)
_reference = line_of(Venue, "reference")

_COLUMNS = {
    "reference": Column(lambda text: _reference(key(text)), required=True),
    "name": Column(line_of(Venue, "name"), required=True),
    "category": Column(partial(_word, Category), required=True),
    "business": _TextColumn(line_of(Business, "name")),
    "address": _TextColumn(line_of(Venue, "address")),
    "postcode": _TextColumn(postcode),
    "latitude": Column(lambda text: degrees(text, 90), is_text=False, required=True),
    "longitude": Column(lambda text: degrees(text, 180), is_text=False, required=True),
    "opening_hours": Column(_hours, osm_hours.text, empty=None),
    "phone": _TextColumn(line_of(Venue, "phone")),
    "entrance": _TextColumn(line_of(Venue, "entrance")),
    "facilities": Column(_facilities, ";".join, empty=[]),
    "step_free": Column(partial(_word, StepFree), empty=StepFree.UNKNOWN),
    "licensed": _YES_OR_NO,
    "late_night": _YES_OR_NO,
    "premises_licence": _TextColumn(line_of(Venue, "premises_licence")),
    "uprn": _TextColumn(_uprn),
    "fhrs_id": _TextColumn(line_of(Venue, "fhrs_id")),
    "safe_haven_from": DayColumn(empty=None),
    "safe_haven_until": DayColumn(empty=None),
}
"""A new venue needs those that are required; in the others an empty cell clears what there is."""

# --- the sheet -------------------------------------------------------------------------------


class VenueSheet(Sheet):
    """Venues, created and changed by what a file says of them.

    A row is about the venue with its reference, or else the prospect with its FHRS number, which
    takes the reference. A prospect becomes active.
    """

    columns = _COLUMNS
    needed = ("reference",)
    rests_on = (Venue, Business, Ward, Decision)

    def stored(self, session: Session) -> Iterable[Values]:
        """The rows of the active venues, by reference.

        A file can't say that a venue is a prospect, or closed: whatever it names becomes active.
        """
        lookup = Lookup(session)
        for _, venue in sorted(lookup.venues_by_reference.items()):
            if venue.status == VenueStatus.ACTIVE:
                yield _values(lookup, venue)

    def take_over(
        self, batch: Batch, rows: Sequence[Row], report: ImportReport, track: Track
    ) -> None:
        """Create and update venues, if there is nothing wrong with any."""
        lookup = Lookup(batch.session)
        _find_venues(lookup, rows)
        names = {name.casefold(): name for name in lookup.business_ids}
        placed: list[tuple[Row, Point]] = []
        for row in track(rows):
            # A business as the register spells it, or else as the file first does.
            if (name := row.values.get("business")) and name not in lookup.business_ids:
                row.values["business"] = names.setdefault(name.casefold(), name)
            stored = _values(lookup, row.record) if row.record else {}
            _compare(row, stored, is_decided=row.record and row.record.id in lookup.awards)
            if place := _new_place(row, stored):
                placed.append((row, place))
        if placed:
            _locate(lookup, placed, report)
        if any(row.bad for row in rows):
            return
        for row in rows:
            reference, is_new = row.values["reference"], row.record is None
            cells = [] if is_new else list(_cells(lookup, row))
            report.count(reference, is_new=is_new, columns=row.changes, cells=cells)
        _write(lookup, batch, [row for row in rows if row.changes])
        _remark_twins(lookup, rows, report)


VENUES = VenueSheet()


def _values(lookup: Lookup, venue: Venue) -> Values:
    """What the values of a row would be for a venue as it is."""
    first, last = lookup.awards.get(venue.id, (None, None))
    elsewhere = {
        "business": lookup.businesses[venue.business_id] if venue.business_id else "",
        "latitude": venue.location.lat,
        "longitude": venue.location.lon,
        "opening_hours": venue.hours,
        "safe_haven_from": first,
        "safe_haven_until": last,
    }
    return {c: elsewhere[c] if c in elsewhere else getattr(venue, c) for c in _COLUMNS}


def _cells(lookup: Lookup, row: Row) -> Iterable[CellChange]:
    """What each column that a row changes says of its venue now, and then."""
    now = {**_values(lookup, row.record), "status": row.record.status}
    for column, then in row.changes.items():
        write = _COLUMNS[column].write if column in _COLUMNS else str
        before, after = (
            "" if value is None else str(write(value)) for value in (now[column], then)
        )
        yield CellChange(column=column, now=before, then=after)


# --- what a row changes ----------------------------------------------------------------------


def _find_venues(lookup: Lookup, rows: Iterable[Row]) -> None:
    """Fill in the venue that each row is about; a prospect has its FHRS number, and once."""
    # A prospect that the file names by its own reference is not there for another row.
    references = {row.values.get("reference") for row in rows}
    prospects = {
        venue.fhrs_id: venue
        for venue in lookup.venues.values()
        if venue.status == VenueStatus.PROSPECT
        and venue.fhrs_id
        and venue.reference not in references
    }
    first: dict[tuple[bool, str], Row] = {}
    for row in rows:
        reference = row.values.get("reference", "")
        row.record = lookup.venues_by_reference.get(reference)
        if not row.record and (spelling := lookup.spelling(reference)):
            row.refuse("reference", f"is {spelling} in the register: write it so")
        # Of venues of old that differ in capitals alone, each may have its row.
        spelled = reference if row.record else reference.casefold()
        twin = first.setdefault((row.record is None, spelled), row)
        if reference and twin is not row:
            same = twin.values["reference"] == reference
            row.refuse_as_twin("reference", twin, "" if same else ", but for its capitals")
        if not row.record:
            row.record = prospects.pop(row.values.get("fhrs_id", ""), None)


def _compare(row: Row, stored: Values, *, is_decided: bool) -> None:
    """Fill in `changes` to the venue as it is; a new one has no stored values.

    Once its accreditation has been decided on, a file may repeat that but not change it.
    """
    if not stored and "reference" in row.values:
        for name, column in _COLUMNS.items():
            if column.required and name not in row.cells:
                row.refuse(name, "is needed for a new venue")
    if hours := row.values.get("opening_hours"):
        try:
            row.values["opening_hours"] = keep_exceptions(hours, stored.get("opening_hours"))
        except ValueError:
            row.refuse("opening_hours", "has too many exceptions, with those already stored")
    if not row.is_bad_in(*_AWARD):
        _complete_award(row, stored)
    row.changes = (
        {name: value for name, value in row.values.items() if stored[name] != value}
        if stored
        else row.values
    )
    for name in _AWARD:
        if is_decided and name in row.changes:
            row.refuse(name, "is not what was decided: record a decision instead")
    if row.record and row.record.status == VenueStatus.PROSPECT:
        row.changes["status"] = VenueStatus.ACTIVE


def _complete_award(row: Row, stored: Values) -> None:
    """Give an award the scheme's usual end where the row names none."""
    first: date | None = row.values.get("safe_haven_from", stored.get("safe_haven_from"))
    last: date | None = row.values.get("safe_haven_until")
    if last and not first:
        row.refuse("safe_haven_until", "must not be given without safe_haven_from")
    elif last and first and last < first:
        row.refuse("safe_haven_until", "must not be before safe_haven_from")
    elif not last and ("safe_haven_until" in row.cells or first != stored.get("safe_haven_from")):
        months = settings().safe_haven_months
        row.values["safe_haven_until"] = last_day(first, months) if first else None


def _new_place(row: Row, stored: Values) -> Point | None:
    """Where a row puts its venue, if that is new to the public."""
    is_new = row.changes.keys() & {*_PLACE, "status"}
    place = {**stored, **row.values}
    if not is_new or row.is_bad_in(*_PLACE) or not place.keys() >= {*_PLACE}:
        return None
    return Point(place["latitude"], place["longitude"])


def _locate(lookup: Lookup, placed: Sequence[tuple[Row, Point]], report: ImportReport) -> None:
    """Find the wards of new places; refuse or remark on those that lie in none."""
    places = [place for _, place in placed]
    lookup.ward_at = dict(zip(places, lookup.wards.wards_of(places), strict=True))
    for row, place in placed:
        if lookup.ward_at[place]:
            continue
        try:
            remark = lookup.wards.remark(place)
        except Misplaced as error:
            row.refuse("latitude", str(error))
            continue
        if remark:
            report.remark(row.values.get("reference", ""), remark)


# --- writing ---------------------------------------------------------------------------------


def _write(lookup: Lookup, batch: Batch, rows: Sequence[Row]) -> None:
    """Have stored what the rows change."""
    names = {name for row in rows if (name := row.changes.get("business"))}
    for name in sorted(names - lookup.business_ids.keys()):
        business = made(Business, name=name, folded_name=searched(name))
        batch.add(business)
        lookup.business_ids[name] = business.id
    new = [row for row in rows if row.record is None]
    old = [row for row in rows if row.record is not None]
    for row in new:
        # What a model makes by itself, it makes slowly.
        own: dict[str, Any] = {"id": uuid4(), "facilities": [], "conditions": []}
        own["folded_name"] = searched(row.values["name"])
        own["demonstration"] = settings().demonstration
        row.record = made(Venue, **own | _columns(lookup, None, row.changes))
        batch.add(row.record)
    for row in old:
        for column, value in _columns(lookup, row.record, row.changes).items():
            setattr(row.record, column, value)
        batch.edit(row.record)
    awards = [
        (row.record.id, first, row.changes["safe_haven_until"])
        for row in rows
        if (first := row.changes.get("safe_haven_from"))
    ]
    awards_from_import(batch, awards)
    today = london_day(now(batch.session))
    for row in new:
        first = row.changes.get("safe_haven_from")
        if first and first < today:
            # What was accredited then was there then, for reports on that time.
            take_effect(batch.session, row.record, effective(first))


def _columns(lookup: Lookup, venue: Venue | None, changes: Values) -> dict[str, Any]:
    """What the changes come to in columns of a venue, or of a new one."""
    columns: dict[str, Any] = {}
    for column, value in changes.items():
        if column == "business":
            columns["business_id"] = lookup.business_ids[value] if value else None
        elif column == "opening_hours":
            columns["hours"] = value
        elif column not in (*_PLACE, *_AWARD):
            columns[column] = value
    if changes.keys() & {*_PLACE}:
        lat, lon = (venue.location.lat, venue.location.lon) if venue else (0.0, 0.0)
        place = Point(changes.get("latitude", lat), changes.get("longitude", lon))
        columns |= {"location": place, "ward_id": lookup.ward_at[place]}
    return columns


def _remark_twins(lookup: Lookup, rows: Iterable[Row], report: ImportReport) -> None:
    """Have somebody look at what may be there twice by a new name or place."""
    new = {row.values["reference"] for row in rows if row.changes.keys() & {"name", *_PLACE}}
    if not new:
        return
    venues = [*lookup.venues.values()]
    venues += [row.record for row in rows if row.record and row.record.id not in lookup.venues]
    references = [venue.reference for venue in venues]
    names, places = [venue.name for venue in venues], [venue.location for venue in venues]
    for place, (twin, metres) in likely_twins(names, places).items():
        if references[place] in new:
            reason = f"may be {references[twin]} {names[twin]}, {metres:.0f} m away, once more"
            report.remark(references[place], reason)
    report.remarks.sort(key=lambda remark: remark.reference)
