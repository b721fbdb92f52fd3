"""How good the data is: what is missing, old or in contradiction, venue by venue.

What reports count venues by, headcounts and accreditations are taken as at the day asked for, as
known then. Names, coordinates, hours, licence numbers and the day of the last check are not dated:
they are today's, and so are the wards' boundaries. Each check says by which it judges.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cached_property
from operator import attrgetter
from statistics import median
from typing import Any, TypeAlias
from uuid import UUID

import sqlalchemy as sa
from pydantic import Field
from sqlmodel import Session, col, select

from app.audit.frame.names import WardNames, ward_names
from app.audit.frame.question import View
from app.audit.frame.report import Report, Row, about
from app.audit.frame.rows import AtVenue, grouped
from app.core.events import known
from app.core.london import last_day, london_day
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
    """The venues that are looked at, by reference: what they are counted by, and today's record."""

    session: Session
    view: View
    facts: dict[UUID, Facts]
    records: dict[UUID, Any]
    wards: WardNames

    @cached_property
    def active(self) -> dict[UUID, Any]:
        """The records without those of prospects, of which little has to be known yet."""
        return {
            venue_id: record
            for venue_id, record in self.records.items()
            if self.facts[venue_id].status == VenueStatus.ACTIVE
        }

    @cached_property
    def declared(self) -> dict[UUID, date]:
        """The day of each active venue's last headcount."""
        rows = self.session.execute(
            sa.select(col(Headcount.venue_id), sa.func.max(col(Headcount.effective_at)))
            .where(
                known(Headcount, self.view.known_at), col(Headcount.effective_at) <= self.view.at
            )
            .group_by(col(Headcount.venue_id))
        )
        last = {venue_id: london_day(declared_at) for venue_id, declared_at in rows}
        return {venue_id: last[venue_id] for venue_id in self.active if venue_id in last}

    def is_old(self, day: date) -> bool:
        """Whether a headcount or a check of a day is recent no more."""
        return last_day(day, FRESH_MONTHS) < self.view.as_at


_Findings: TypeAlias = tuple[Collection[Any], Mapping[UUID, str]]
"""The venues that a check looked at, and a detail of each that it found, in the order to show."""


def quality(session: Session, view: View, checks: Collection[Check] = tuple(Check)) -> Quality:
    """What these checks find, in their order; at most one query each, and three for the venues."""
    register = _register(session, view)
    results, findings = [], []
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
                venue_id=venue_id,
                reference=register.records[venue_id].reference,
                name=register.records[venue_id].name,
                ward=register.wards[register.facts[venue_id].ward_id].name,
                detail=detail,
            )
            for venue_id, detail in details.items()
        ]
    sources = ["venue facts", "venues", "headcounts", "decisions", "wards"]
    return Quality(
        about=about(session, "Data quality", view, sources), checks=results, findings=findings
    )


def _register(session: Session, view: View) -> _Register:
    columns = ("id", "reference", "name", "postcode", "location", "premises_licence")
    rows = session.execute(
        sa.select(
            *(getattr(Venue, name) for name in (*columns, "last_checked")),
            sa.cast(Venue.hours, sa.Text).label("hours"),
        )
    )
    every = facts_as(session, view.at, view.known_at)
    records = {
        record.id: record
        for record in sorted(rows, key=attrgetter("reference"))
        if (facts := every.get(record.id))
        and facts.status != VenueStatus.CLOSED
        and view.counts(facts._replace(status=VenueStatus.ACTIVE))
    }
    facts_of = {venue_id: every[venue_id] for venue_id in records}
    return _Register(session, view, facts_of, records, ward_names(session))


# --- what officers keep up to date -----------------------------------------------------------


def _headcount_missing(register: _Register) -> _Findings:
    missing = [venue_id for venue_id in register.active if venue_id not in register.declared]
    return register.active, dict.fromkeys(missing, "never declared")


def _headcount_stale(register: _Register) -> _Findings:
    return register.declared, {
        venue_id: f"last declared on {day}"
        for venue_id, day in register.declared.items()
        if register.is_old(day)
    }


def _not_checked(register: _Register) -> _Findings:
    checked = {venue_id: record.last_checked for venue_id, record in register.active.items()}
    never = [venue_id for venue_id, day in checked.items() if day is None]
    return register.active, dict.fromkeys(never, "never checked") | {
        venue_id: f"last checked on {day}"
        for venue_id, day in checked.items()
        if day and register.is_old(day)
    }


def _hours_unknown(register: _Register) -> _Findings:
    documents = {venue_id: record.hours for venue_id, record in register.active.items()}
    # Many venues have the same hours, which are read once.
    refused = {text: stored_hours(text) for text in {*documents.values()} - {None}}
    reasons = {None: ""} | {
        text: f"; what is stored is refused: {why}"
        for text, why in refused.items()
        if not isinstance(why, Hours)
    }
    unknown = [venue_id for venue_id, text in documents.items() if text in reasons]
    view = register.view
    spans = timelines(register.session, view.known_at, schemes=[LISTS_PUBLICLY], venues=unknown)
    listed = {venue_id for venue_id, _ in spans.in_force(view.at)}
    return register.active, {
        venue_id: said + reasons[documents[venue_id]]
        for said, is_listed in (("listed to the public", True), ("not listed", False))
        for venue_id in unknown
        if (venue_id in listed) is is_listed
    }


# --- where venues are ------------------------------------------------------------------------


def _outside_ward(register: _Register) -> _Findings:
    wards, names = WardMap(register.session.exec(select(Ward))), register.wards
    if not wards:
        return (), {}
    lies_in = wards.wards_of([record.location for record in register.records.values()])
    return register.records, {
        venue_id: f"counted in {names[facts.ward_id].name}, lies in {names[ward_id].name}"
        for (venue_id, facts), ward_id in zip(register.facts.items(), lies_in, strict=True)
        if facts.ward_id != ward_id
    }


def _far_from_postcode(register: _Register) -> _Findings:
    """Against the other venues with the same outward code (`EC2V`), where there are enough.

    The middle is the median of their coordinates, so that a few wrong ones don't move it.
    """
    areas = grouped(register.records.values(), lambda record: _outward(record.postcode))
    judged: list[Any] = []
    far: dict[UUID, str] = {}
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
    return judged, {venue_id: far[venue_id] for venue_id in register.records if venue_id in far}


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
        (venue_id, str(facts.status))
        for venue_id, facts in register.facts.items()
        if facts.business_id is None
    ]
    return register.facts, dict(sorted(nobody, key=lambda row: row[1] != VenueStatus.ACTIVE))


def _no_premises_licence(register: _Register) -> _Findings:
    licensed = [record for id_, record in register.records.items() if register.facts[id_].licensed]
    unnumbered = [record.id for record in licensed if not record.premises_licence]
    return licensed, dict.fromkeys(unnumbered, "licensed, without a premises licence number")


def _late_night_not_licensed(register: _Register) -> _Findings:
    late_night = {id_: facts for id_, facts in register.facts.items() if facts.late_night}
    unlicensed = [venue_id for venue_id, facts in late_night.items() if not facts.licensed]
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
