"""How good the data is: what is missing, old or in contradiction, venue by venue.

What reports count venues by, headcounts and accreditations are taken as at the day asked for, as
known then. Names, coordinates, hours, licence numbers and the day of the last check are not dated:
they are today's, and so are the wards' boundaries. Each check says by which it judges.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cache, cached_property
from operator import attrgetter
from statistics import median
from typing import Any, TypeAlias
from uuid import UUID

import numpy as np
import sqlalchemy as sa
from pydantic import Field
from sqlmodel import Session, col, select

from app.audit.frame.names import WardNames, ward_names
from app.audit.frame.question import View
from app.audit.frame.report import Report, Row, about
from app.audit.frame.rows import AtVenue, grouped
from app.core.columns import london_dates, read_columns
from app.core.db import as_hex, many_rows
from app.core.events import known
from app.core.london import last_day
from app.core.places import haversine_m
from app.schemes.registry import LISTS_PUBLICLY
from app.schemes.timelines import timelines
from app.training.models import Headcount
from app.venues.duplicates import likely_twins
from app.venues.facts import Facts, facts_as
from app.venues.hours import Hours, stored_hours
from app.venues.models import Venue, VenueStatus, Ward
from app.venues.wards import WardMap

FRESH_MONTHS = 12
"""How long a headcount, or an officer's check of a venue, is recent: to the day before the
anniversary."""

FEWEST, SPREAD, NEVER_FAR_M = 5, 5, 1_000
"""A postcode area is judged by at least so many venues; far is more than so many times their
median distance from the middle, and more than so many metres."""


class Check(StrEnum):
    """What is looked for, in the order of reports."""

    HEADCOUNT_MISSING = "headcount_missing"
    HEADCOUNT_STALE = "headcount_stale"
    NOT_CHECKED = "not_checked"
    HOURS_UNKNOWN = "hours_unknown"
    OUTSIDE_WARD = "outside_ward"
    FAR_FROM_POSTCODE = "far_from_postcode"
    LIKELY_DUPLICATE = "likely_duplicate"
    NO_BUSINESS = "no_business"
    NO_PREMISES_LICENCE = "no_premises_licence"
    LATE_NIGHT_NOT_LICENSED = "late_night_not_licensed"


class _OfCheck(Row):
    check: Check = Field(title="Check", examples=["hours_unknown"])


class CheckResult(_OfCheck):
    """How many venues a check found, of how many it looked at."""

    title: str = Field(title="What is looked for", examples=["Opening hours are unknown"])
    found: int = Field(title="Venues found", examples=[3])
    of: int = Field(title="Of so many", examples=[120])
    judged_by: str = Field(title="Judged by", examples=["today's record"])


class QualityFinding(AtVenue, _OfCheck):
    """One venue that a check found."""

    ward: str = Field(title="Ward", examples=["Bishopsgate"])
    detail: str = Field(title="Detail", examples=["listed to the public"])


class Quality(Report):
    """How good the data on active venues is, and on prospects where nobody has to have visited."""

    checks: list[CheckResult] = Field(title="Checks")
    findings: list[QualityFinding] = Field(title="Findings")


@dataclass(frozen=True)
class _Register:
    """The venues that are looked at, by reference: what they are counted by, and today's record.

    A venue is named by its id's `hex`.
    """

    session: Session
    view: View
    facts: dict[str, Facts]
    records: dict[str, Any]
    wards: WardNames

    @cached_property
    def active(self) -> dict[str, Any]:
        """The records without those of prospects, of which little has to be known yet."""
        return {
            venue: record
            for venue, record in self.records.items()
            if self.facts[venue].status == VenueStatus.ACTIVE
        }

    @cached_property
    def declared(self) -> dict[str, date]:
        """The day of each active venue's last headcount."""
        venue, declared_at = read_columns(
            self.session,
            sa.select(col(Headcount.venue_id), col(Headcount.effective_at)).where(
                known(Headcount, self.view.known_at), col(Headcount.effective_at) <= self.view.at
            ),
        )
        days = london_dates(declared_at)
        # The last one stays.
        last = {venue[row]: days[row] for row in np.argsort(declared_at).tolist()}
        return {venue: last[venue] for venue in self.active if venue in last}

    @cached_property
    def is_old(self) -> Callable[[date], bool]:
        """Whether a headcount or a check of a day is recent no more."""
        return cache(lambda day: last_day(day, FRESH_MONTHS) < self.view.as_at)


_Findings: TypeAlias = tuple[Collection[Any], Mapping[str, str]]
"""The venues that a check looked at, and a detail of each that it found, in the order to show."""


def quality(session: Session, view: View, checks: Collection[Check] = tuple(Check)) -> Quality:
    """What these checks find, in their order; at most one query each, and three for the venues."""
    register = _register(session, view)
    results, findings = [], []
    ids = {venue: UUID(venue) for venue in register.records}
    for check in checks:
        title, judged_by, look_at = _CHECKS[check]
        venues, details = look_at(register)
        results.append(
            CheckResult(
                check=check, title=title, found=len(details), of=len(venues), judged_by=judged_by
            )
        )
        findings += [
            QualityFinding(
                check=check,
                venue_id=ids[venue],
                reference=register.records[venue].reference,
                name=register.records[venue].name,
                ward=register.wards[register.facts[venue].ward_id].name,
                detail=detail,
            )
            for venue, detail in details.items()
        ]
    sources = ["venue facts", "venues", "headcounts", "decisions", "wards"]
    return Quality(
        about=about(session, "Data quality", view, sources), checks=results, findings=findings
    )


def _register(session: Session, view: View) -> _Register:
    columns = ("reference", "name", "postcode", "location", "premises_licence", "last_checked")
    rows = many_rows(
        session,
        sa.select(
            as_hex(Venue.id).label("id"),
            *(getattr(Venue, name) for name in columns),
            sa.cast(Venue.hours, sa.Text).label("hours"),
        ),
    )
    every = facts_as(session, view.at, view.known_at)
    records = {
        record.id: record
        for record in sorted(rows, key=attrgetter("reference"))
        if (facts := every.get(record.id))
        and facts.status != VenueStatus.CLOSED
        and view.chooses(facts)
    }
    facts_of = {venue: every[venue] for venue in records}
    return _Register(session, view, facts_of, records, ward_names(session))


# --- what officers keep up to date -----------------------------------------------------------


def _headcount_missing(register: _Register) -> _Findings:
    missing = [venue for venue in register.active if venue not in register.declared]
    return register.active, dict.fromkeys(missing, "never declared")


def _headcount_stale(register: _Register) -> _Findings:
    return register.declared, {
        venue: f"last declared on {day}"
        for venue, day in register.declared.items()
        if register.is_old(day)
    }


def _not_checked(register: _Register) -> _Findings:
    checked = {venue: record.last_checked for venue, record in register.active.items()}
    never = [venue for venue, day in checked.items() if day is None]
    return register.active, dict.fromkeys(never, "never checked") | {
        venue: f"last checked on {day}"
        for venue, day in checked.items()
        if day and register.is_old(day)
    }


def _hours_unknown(register: _Register) -> _Findings:
    documents = {venue: record.hours for venue, record in register.active.items()}
    # Many venues have the same hours, which are read once.
    refused = {text: stored_hours(text) for text in {*documents.values()} - {None}}
    reasons = {None: ""} | {
        text: f"; what is stored is refused: {why}"
        for text, why in refused.items()
        if not isinstance(why, Hours)
    }
    unknown = [venue for venue, text in documents.items() if text in reasons]
    view = register.view
    spans = timelines(
        register.session, view.known_at, schemes=[LISTS_PUBLICLY], venues=[*map(UUID, unknown)]
    )
    listed = {venue for venue, _ in spans.in_force(view.at)}
    return register.active, {
        venue: said + reasons[documents[venue]]
        for said, is_listed in (("listed to the public", True), ("not listed", False))
        for venue in unknown
        if (venue in listed) is is_listed
    }


# --- where venues are ------------------------------------------------------------------------


def _outside_ward(register: _Register) -> _Findings:
    wards, names = WardMap(register.session.exec(select(Ward))), register.wards
    if not wards:
        return (), {}
    lies_in = wards.wards_of([record.location for record in register.records.values()])
    return register.records, {
        venue: f"counted in {names[facts.ward_id].name}, lies in {names[ward_id].name}"
        for (venue, facts), ward_id in zip(register.facts.items(), lies_in, strict=True)
        if facts.ward_id != ward_id
    }


def _far_from_postcode(register: _Register) -> _Findings:
    """Against the other venues with the same outward code (`EC2V`), where there are enough.

    The middle is the median of their coordinates, so that a few wrong ones don't move it.
    """
    areas = grouped(register.records.values(), lambda record: _outward(record.postcode))
    judged: list[Any] = []
    far: dict[str, str] = {}
    for outward, venues in areas.items():
        if not outward or len(venues) < FEWEST:
            continue
        judged += venues
        places = [venue.location for venue in venues]
        lat, lon = median(place.lat for place in places), median(place.lon for place in places)
        metres = [haversine_m(lat, lon, place.lat, place.lon) for place in places]
        limit = max(NEVER_FAR_M, SPREAD * median(metres))
        far |= {
            venue.id: f"{away / 1000:.1f} km from the middle of {outward}"
            for venue, away in zip(venues, metres, strict=True)
            if away > limit
        }
    return judged, {venue: far[venue] for venue in register.records if venue in far}


def _outward(postcode: str) -> str:
    return postcode.upper().replace(" ", "")[:-3]


def _likely_duplicate(register: _Register) -> _Findings:
    venues = list(register.records.values())
    twins = likely_twins([venue.name for venue in venues], [venue.location for venue in venues])
    details = {}
    for place, (other, metres) in sorted(twins.items()):
        twin = venues[other]
        details[venues[place].id] = f"like {twin.reference} {twin.name}, {metres:.0f} m away"
    return venues, details


# --- what contradicts itself -----------------------------------------------------------------


def _no_business(register: _Register) -> _Findings:
    nobody = [
        (venue, str(facts.status))
        for venue, facts in register.facts.items()
        if facts.business_id is None
    ]
    return register.facts, dict(sorted(nobody, key=lambda row: row[1] != VenueStatus.ACTIVE))


def _no_premises_licence(register: _Register) -> _Findings:
    licensed = [record for id_, record in register.records.items() if register.facts[id_].licensed]
    unnumbered = [record.id for record in licensed if not record.premises_licence]
    return licensed, dict.fromkeys(unnumbered, "licensed, without a premises licence number")


def _late_night_not_licensed(register: _Register) -> _Findings:
    late_night = {id_: facts for id_, facts in register.facts.items() if facts.late_night}
    unlicensed = [venue for venue, facts in late_night.items() if not facts.licensed]
    return late_night, dict.fromkeys(unlicensed, "late-night, not licensed")


_AS_AT, _TODAY = "the day asked for", "today's record"
_BOTH = f"{_AS_AT}, and {_TODAY}"

_CHECKS: dict[Check, tuple[str, str, Callable[[_Register], _Findings]]] = {
    Check.HEADCOUNT_MISSING: ("No headcount was ever declared", _AS_AT, _headcount_missing),
    Check.HEADCOUNT_STALE: ("The last headcount is a year old or older", _AS_AT, _headcount_stale),
    Check.NOT_CHECKED: ("No officer has checked it for a year", _TODAY, _not_checked),
    Check.HOURS_UNKNOWN: ("Opening hours are unknown: never shown as open", _TODAY, _hours_unknown),
    Check.OUTSIDE_WARD: (
        "Its coordinates lie outside the ward it is counted in",
        _BOTH,
        _outside_ward,
    ),
    Check.FAR_FROM_POSTCODE: (
        "Its coordinates lie far from others of its postcode area",
        _TODAY,
        _far_from_postcode,
    ),
    Check.LIKELY_DUPLICATE: ("Another venue near by has such a name", _TODAY, _likely_duplicate),
    Check.NO_BUSINESS: ("Nobody is known to run it", _AS_AT, _no_business),
    Check.NO_PREMISES_LICENCE: (
        "Licensed, but its premises licence has no number here",
        _BOTH,
        _no_premises_licence,
    ),
    Check.LATE_NIGHT_NOT_LICENSED: (
        "Late-night, but not licensed",
        _AS_AT,
        _late_night_not_licensed,
    ),
}
