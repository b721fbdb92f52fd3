"""How good the data is: what is missing, old or in contradiction, venue by venue.

What reports count venues by, headcounts and accreditations are taken as at the day asked for, as
known then. Names, coordinates, hours, licence numbers and the day of the last check are not dated:
they are today's, and so are the wards' boundaries. Each check says by which it judges.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cached_property
from statistics import median
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from pydantic import Field
from sqlmodel import Session, col, select

from app.audit.frame.names import FORMER_WARD, WardName, ward_names
from app.audit.frame.question import View
from app.audit.frame.report import Report, Row, about
from app.core.events import known
from app.core.geo import haversine_m
from app.core.london import last_day, london_day
from app.schemes.known import standings, timelines
from app.schemes.registry import LISTS_PUBLICLY
from app.schemes.rules import State
from app.training.models import Headcount
from app.venues.duplicates import likely_twins
from app.venues.facts import Facts, facts_as
from app.venues.fields import A_VENUE_ID
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


class CheckResult(Row):
    """How many venues a check found, of how many it looked at."""

    check: Check = Field(title="Check", examples=["hours_unknown"])
    title: str = Field(title="What is looked for", examples=["Opening hours are unknown"])
    found: int = Field(title="Venues found", examples=[3])
    of: int = Field(title="Of so many", examples=[120])
    judged_by: str = Field(title="Judged by", examples=["today's record"])


class QualityFinding(Row):
    """One venue that a check found."""

    check: Check = Field(title="Check", examples=["hours_unknown"])
    venue_id: UUID = Field(title="Venue id", examples=[A_VENUE_ID])
    reference: str = Field(title="Reference", examples=["V-000124"])
    name: str = Field(title="Venue", examples=["The Lantern"])
    ward: str = Field(title="Ward", examples=["Bishopsgate"])
    detail: str = Field(title="Detail", examples=["listed to the public"])


class Quality(Report):
    """How good the data on active venues is, and on prospects where nobody has to have visited."""

    checks: list[CheckResult] = Field(title="Checks")
    findings: list[QualityFinding] = Field(title="Findings")


class _Found(NamedTuple):
    """What a check found; those of a lower `rank` come first."""

    venue_id: UUID
    detail: str
    rank: int = 0


class _Looked(NamedTuple):
    """At how many venues a check looked, and what it found."""

    of: int
    found: list[_Found]


@dataclass(frozen=True)
class _Register:
    """The venues that are looked at: what they are counted by, and today's record of each."""

    session: Session
    seen: View
    facts: dict[UUID, Facts]
    venues: dict[UUID, Any]
    wards: dict[UUID | None, WardName]

    @cached_property
    def active(self) -> dict[UUID, Facts]:
        """Without prospects, of which little has to be known yet."""
        return {
            venue_id: facts
            for venue_id, facts in self.facts.items()
            if facts.status == VenueStatus.ACTIVE
        }

    @cached_property
    def declared(self) -> dict[UUID, date]:
        """The day of each active venue's last headcount."""
        rows = self.session.execute(
            sa.select(col(Headcount.venue_id), sa.func.max(col(Headcount.effective_at)))
            .where(
                known(Headcount, self.seen.known_at), col(Headcount.effective_at) <= self.seen.at
            )
            .group_by(col(Headcount.venue_id))
        )
        return {venue_id: london_day(at) for venue_id, at in rows if venue_id in self.active}

    def ward(self, ward_id: UUID | None) -> str:
        """What a ward is called."""
        return self.wards[ward_id].name if ward_id in self.wards else FORMER_WARD


def quality(session: Session, seen: View, checks: Collection[Check] = tuple(Check)) -> Quality:
    """What these checks find, in their order; at most one query each, and three for the venues."""
    register = _register(session, seen)
    results, findings = [], []
    for check in checks:
        title, judged_by, look = _CHECKS[check]
        of, found = look(register)
        results.append(
            CheckResult(check=check, title=title, found=len(found), of=of, judged_by=judged_by)
        )
        for one in sorted(found, key=lambda f: (f.rank, register.venues[f.venue_id].reference)):
            venue = register.venues[one.venue_id]
            findings.append(
                QualityFinding(
                    check=check,
                    venue_id=one.venue_id,
                    reference=venue.reference,
                    name=venue.name,
                    ward=register.ward(register.facts[one.venue_id].ward_id),
                    detail=one.detail,
                )
            )
    sources = ["venue facts", "venues", "headcounts", "decisions", "wards"]
    return Quality(
        about=about(session, "Data quality", seen, sources), checks=results, findings=findings
    )


def _register(session: Session, seen: View) -> _Register:
    facts = {
        venue_id: held
        for venue_id, held in facts_as(session, seen.at, seen.known_at).items()
        if held.status != VenueStatus.CLOSED
        and seen.counts(held._replace(status=VenueStatus.ACTIVE))
    }
    shown = ("id", "reference", "name", "postcode", "location", "premises_licence", "last_checked")
    rows = session.execute(
        sa.select(
            *(getattr(Venue, name) for name in shown),
            sa.cast(Venue.hours, sa.Text).label("hours"),
        )
    )
    venues = {row.id: row for row in rows if row.id in facts}
    return _Register(session, seen, facts, venues, ward_names(session))


# --- what officers keep up to date -----------------------------------------------------------


def _headcount_missing(register: _Register) -> _Looked:
    undeclared = [id_ for id_ in register.active if id_ not in register.declared]
    return _Looked(len(register.active), [_Found(id_, "never declared") for id_ in undeclared])


def _headcount_stale(register: _Register) -> _Looked:
    stale = [
        _Found(id_, f"last declared on {on}")
        for id_, on in register.declared.items()
        if _is_old(on, register.seen.as_at)
    ]
    return _Looked(len(register.declared), stale)


def _is_old(day: date, as_at: date) -> bool:
    return last_day(day, FRESH_MONTHS) < as_at


def _not_checked(register: _Register) -> _Looked:
    found = []
    for venue_id in register.active:
        checked = register.venues[venue_id].last_checked
        if checked is None:
            found.append(_Found(venue_id, "never checked"))
        elif _is_old(checked, register.seen.as_at):
            found.append(_Found(venue_id, f"last checked on {checked}", 1))
    return _Looked(len(register.active), found)


def _hours_unknown(register: _Register) -> _Looked:
    documents = {id_: register.venues[id_].hours for id_ in register.active}
    # Many venues have the same hours, which are read once.
    refused = {text: stored_hours(text) for text in {*documents.values()} - {None}}
    reasons = {None: ""} | {
        text: f"; what is stored is refused: {why}"
        for text, why in refused.items()
        if not isinstance(why, Hours)
    }
    unknown = [id_ for id_, text in documents.items() if text in reasons]
    seen = register.seen
    stand = timelines(register.session, seen.known_at, schemes=[LISTS_PUBLICLY], venues=unknown)
    listed = {
        venue_id
        for (venue_id, _), spans in stand.items()
        if standings(spans, [seen.at])[0].state is State.IN_FORCE
    }
    found = [
        _Found(
            id_,
            ("listed to the public" if id_ in listed else "not listed") + reasons[documents[id_]],
            rank=int(id_ not in listed),
        )
        for id_ in unknown
    ]
    return _Looked(len(register.active), found)


# --- where venues are ------------------------------------------------------------------------


def _outside_ward(register: _Register) -> _Looked:
    wards = WardMap(register.session.exec(select(Ward)))
    if not wards:
        return _Looked(0, [])
    places = [register.venues[id_].location for id_ in register.facts]
    found = [
        _Found(id_, f"counted in {register.ward(held.ward_id)}, lies in {register.ward(lies_in)}")
        for (id_, held), lies_in in zip(register.facts.items(), wards.wards_of(places), strict=True)
        if held.ward_id != lies_in
    ]
    return _Looked(len(places), found)


def _far_from_postcode(register: _Register) -> _Looked:
    """Against the other venues with the same outward code (`EC2V`), where there are enough.

    The middle is the median of their coordinates, so that a few wrong ones don't move it.
    """
    areas: defaultdict[str, list[UUID]] = defaultdict(list)
    for venue_id in register.facts:
        if outward := _outward(register.venues[venue_id].postcode):
            areas[outward].append(venue_id)
    judged = {outward: ids for outward, ids in areas.items() if len(ids) >= FEWEST}
    found = [one for area in judged.items() for one in _far(register, *area)]
    return _Looked(sum(map(len, judged.values())), found)


def _outward(postcode: str) -> str:
    return postcode.upper().replace(" ", "")[:-3]


def _far(register: _Register, outward: str, venues: Sequence[UUID]) -> Iterator[_Found]:
    places = [register.venues[venue_id].location for venue_id in venues]
    lat, lon = median(place.lat for place in places), median(place.lon for place in places)
    metres = [haversine_m(lat, lon, place.lat, place.lon) for place in places]
    limit = max(NEVER_FAR_M, SPREAD * median(metres))
    for venue_id, away in zip(venues, metres, strict=True):
        if away > limit:
            yield _Found(venue_id, f"{away / 1000:.1f} km from the middle of {outward}")


def _likely_duplicate(register: _Register) -> _Looked:
    venues = sorted(
        (register.venues[venue_id] for venue_id in register.facts), key=lambda row: row.reference
    )
    twins = likely_twins([row.name for row in venues], [row.location for row in venues])
    found = []
    for place, (other, metres) in twins.items():
        like = f"like {venues[other].reference} {venues[other].name}, {metres:.0f} m away"
        found.append(_Found(venues[place].id, like))
    return _Looked(len(venues), found)


# --- what contradicts itself -----------------------------------------------------------------


def _no_business(register: _Register) -> _Looked:
    found = [
        _Found(id_, str(held.status), rank=int(held.status != VenueStatus.ACTIVE))
        for id_, held in register.facts.items()
        if held.business_id is None
    ]
    return _Looked(len(register.facts), found)


def _no_premises_licence(register: _Register) -> _Looked:
    licensed = [id_ for id_, held in register.facts.items() if held.licensed]
    return _Looked(
        len(licensed),
        [
            _Found(id_, "licensed, without a premises licence number")
            for id_ in licensed
            if not register.venues[id_].premises_licence
        ],
    )


def _late_night_not_licensed(register: _Register) -> _Looked:
    late = {id_: held for id_, held in register.facts.items() if held.late_night}
    return _Looked(
        len(late),
        [
            _Found(id_, "late-night, not licensed")
            for id_, held in late.items()
            if not held.licensed
        ],
    )


_AS_AT, _TODAY = "the day asked for", "today's record"
_BOTH = f"{_AS_AT}, and {_TODAY}"

_CHECKS: dict[Check, tuple[str, str, Callable[[_Register], _Looked]]] = {
    Check.HEADCOUNT_MISSING: (
        "No headcount was ever declared",
        _AS_AT,
        _headcount_missing,
    ),
    Check.HEADCOUNT_STALE: (
        "The last headcount is a year old or older",
        _AS_AT,
        _headcount_stale,
    ),
    Check.NOT_CHECKED: (
        "No officer has checked it for a year",
        _TODAY,
        _not_checked,
    ),
    Check.HOURS_UNKNOWN: (
        "Opening hours are unknown: never shown as open",
        _TODAY,
        _hours_unknown,
    ),
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
    Check.LIKELY_DUPLICATE: (
        "Another venue near by has such a name",
        _TODAY,
        _likely_duplicate,
    ),
    Check.NO_BUSINESS: (
        "Nobody is known to run it",
        _AS_AT,
        _no_business,
    ),
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
