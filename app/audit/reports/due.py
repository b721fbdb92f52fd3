"""What lapses soon and what has lapsed: a work list of accreditations, reviews, training, retests.

Lapsed accreditations and training leave the list when they are renewed, or `LAPSED_MONTHS` after
their last day. Reviews and retests stay until they are held.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

import numpy as np
import sqlalchemy as sa
from pydantic import Field
from sqlmodel import Session, col

from app.audit.frame.names import FORMER_WARD, WardName, business_names, venue_names, ward_names
from app.audit.frame.question import Asked, View, counted
from app.audit.frame.report import Report, Row, about
from app.core.events import known, within
from app.core.london import last_day, london_day
from app.http.fields import Absent
from app.outreach.models import SchemeTested
from app.outreach.rules import asks_for_retest, retest_by
from app.outreach.scheme_tests import known_tests
from app.schemes.known import standings, timelines
from app.schemes.registry import SchemeKey, schemes
from app.schemes.rules import NOTHING, Kind, Span, Standing, State, review_due
from app.training.courses import COURSES
from app.training.grid import training_grid
from app.training.models import Attendance, TrainingSession
from app.training.rules import NOBODY, Status
from app.venues.facts import Facts
from app.venues.fields import A_VENUE_ID

LAPSED_MONTHS = 12
"""How long what has lapsed stays on the list: after that it is a new start, not a renewal."""

SOURCES = ("decisions", "training", "headcounts", "scheme tests", "venue facts")


class DueAsked(Asked):
    """How far ahead the list looks."""

    days: int = Field(
        default=90, ge=1, le=366, description="What is due within so many days from `as_at` on"
    )


class DueKind(StrEnum):
    ACCREDITATION = "accreditation"
    REVIEW = "review"
    TRAINING = "training"
    RETEST = "retest"


class Bucket(StrEnum):
    """When something is due; `overdue` is also what has lapsed."""

    OVERDUE = "overdue"
    WITHIN_30 = "within_30"
    WITHIN_60 = "within_60"
    WITHIN_90 = "within_90"
    LATER = "later"


_WITHIN = {30: Bucket.WITHIN_30, 60: Bucket.WITHIN_60, 90: Bucket.WITHIN_90}


def bucket(days: int) -> Bucket:
    """The bucket of what is due in so many days; what was due before today is overdue."""
    if days < 0:
        return Bucket.OVERDUE
    return next((found for most, found in _WITHIN.items() if days <= most), Bucket.LATER)


class DueCount(Row):
    """How much of one sort there is to do; nothing is in two columns."""

    kind: DueKind = Field(title="Kind", examples=["accreditation"])
    of: str = Field(title="Scheme or course", examples=["safe_haven"])
    title: str = Field(title="Name", examples=["Safe Haven"])
    overdue: int = Field(title="Lapsed or overdue", examples=[3])
    within_30: int = Field(title="Within 30 days", examples=[5])
    within_60: int = Field(title="In 31 to 60 days", examples=[4])
    within_90: int = Field(title="In 61 to 90 days", examples=[6])
    later: int = Field(title="Later", examples=[0])


class DueItem(Row):
    """Something that is to be done at a venue, or was to be.

    `on` is the last day of what lapses, or on which to do what is asked for. It is absent where
    those who are trained have left before their training ran out.
    """

    kind: DueKind = Field(title="Kind", examples=["accreditation"])
    of: str = Field(title="Scheme or course", examples=["safe_haven"])
    title: str = Field(title="Name", examples=["Safe Haven"])
    bucket: Bucket = Field(title="When", examples=["within_30"])
    on: date | Absent = Field(default=None, title="Last day", examples=["2025-04-12"])
    days: int | Absent = Field(
        default=None, title="Days left", description="Below 0: so many ago", examples=[12]
    )
    venue_id: UUID = Field(title="Venue id", examples=[A_VENUE_ID])
    reference: str = Field(title="Reference", examples=["COL-0042"])
    name: str = Field(title="Venue", examples=["The Lantern"])
    ward: str = Field(title="Ward", examples=["Bishopsgate"])
    business: str | Absent = Field(default=None, title="Business", examples=["Lantern Taverns"])
    certificate: str | Absent = Field(default=None, title="Certificate", examples=["SH-2024-0007"])
    note: str | Absent = Field(default=None, title="Note", examples=["renewal applied for"])


class Due(Report):
    """What lapses within some days and what has lapsed, the most urgent first."""

    counts: list[DueCount] = Field(title="How much")
    items: list[DueItem] = Field(title="Work list")
    retests: list[DueItem] = Field(
        title="Retests", description="A test failed there, so that they are read is journalled"
    )


class _Found(NamedTuple):
    """Something that is due at a venue."""

    kind: DueKind
    of: str
    venue_id: UUID
    on: date | None
    certificate: str | None = None
    note: str | None = None


def due(session: Session, seen: View, days: int) -> Due:
    """The work list as at a day, of the venues that are active then."""
    facts = counted(session, seen)
    items = work_list(session, seen, facts, days)
    retests = _shown(session, seen, facts, _retests(session, seen, facts, days))
    return Due(
        about=about(session, f"Due within {days} days", seen, SOURCES),
        counts=list(_counts([*items, *retests])),
        items=items,
        retests=retests,
    )


def work_list(
    session: Session, seen: View, facts: Mapping[UUID, Facts], days: int
) -> list[DueItem]:
    """All there is to do at some venues but retests, so that it shows nothing of any test."""
    found = [*_accreditations(session, seen, facts, days), *_training(session, seen, facts, days)]
    return _shown(session, seen, facts, found)


_LAPSES = (State.IN_FORCE, State.SUSPENDED)
_IN_HAND = {Kind.APPLIED: "renewal applied for", Kind.ASSESSED: "renewal assessed"}


def _accreditations(
    session: Session, seen: View, venues: Collection[UUID], days: int
) -> Iterator[_Found]:
    for (venue_id, scheme), spans in timelines(session, seen.known_at, venues=venues).items():
        (there,) = standings(spans, [seen.at])
        award = there if there.state in _LAPSES else _lapsed(spans, seen.at)
        if award and award.until and _is_listed(seen, award.until, days):
            note = "suspended" if there.state is State.SUSPENDED else None
            if there.pending:
                note = _IN_HAND[there.pending]
            yield _Found(
                DueKind.ACCREDITATION, scheme, venue_id, award.until, award.certificate, note
            )
        review = review_due(there, schemes()[scheme].review_months)
        if review and (review - seen.as_at).days <= days:
            yield _Found(DueKind.REVIEW, scheme, venue_id, review, there.certificate)


def _lapsed(spans: Sequence[Span], at: datetime) -> Standing | None:
    """The award that ran out, and that nothing has been decided about since but to apply anew."""
    lapsed, before = None, NOTHING
    for start, _, there in spans:
        if start > at:
            break
        if there.state is State.EXPIRED:
            lapsed = there
        elif there.state not in (State.APPLIED, State.ASSESSED):
            lapsed = None
        elif before.state in _LAPSES:
            # Applied for at the very instant of its end.
            lapsed = before
        before = there
    return lapsed


def _is_listed(seen: View, on: date, days: int) -> bool:
    return on <= seen.as_at + timedelta(days=days) and seen.as_at <= last_day(on, LAPSED_MONTHS)


def _training(
    session: Session, seen: View, venues: Collection[UUID], days: int
) -> Iterator[_Found]:
    limits = seen.limits.thresholds
    grid = training_grid(session, [seen.as_at], seen.known_at, thresholds=limits)
    status, until, months = (
        column[0] for column in (grid.standings.status, grid.standings.until, grid.standings.months)
    )
    latest = _last_trained(session, seen)
    is_due = (until != NOBODY) & (until <= seen.as_at.toordinal() + days)
    is_lapsed = status == list(Status).index(Status.LAPSED)
    for place, number in np.argwhere(is_due | is_lapsed).tolist():
        venue_id, course = grid.venues[place], grid.courses[number]
        if venue_id not in venues:
            continue
        if is_due[place, number]:
            on = date.fromordinal(int(until[place, number]))
            yield _Found(DueKind.TRAINING, course, venue_id, on)
            continue
        on = last_day(latest[venue_id, course], int(months[place, number]))
        if on >= seen.as_at:
            yield _Found(DueKind.TRAINING, course, venue_id, None, note="those trained have left")
        elif _is_listed(seen, on, days):
            yield _Found(DueKind.TRAINING, course, venue_id, on)


def _last_trained(session: Session, seen: View) -> dict[tuple[UUID, str], date]:
    """When staff of each venue last took each course."""
    rows = session.execute(
        sa.select(
            col(Attendance.venue_id),
            col(TrainingSession.course),
            sa.func.max(Attendance.effective_at),
        )
        .join(TrainingSession)
        .where(
            known(TrainingSession, seen.known_at),
            known(Attendance, seen.known_at),
            *within(Attendance, None, seen.as_at),
        )
        .group_by(col(Attendance.venue_id), col(TrainingSession.course))
    )
    return {(venue_id, course): london_day(at) for venue_id, course, at in rows}


def _retests(session: Session, seen: View, venues: Collection[UUID], days: int) -> Iterator[_Found]:
    for test in known_tests(session, seen.at, seen.known_at):
        by = retest_by(test.on, seen.limits.retest_days)
        if (
            test.venue_id in venues
            and asks_for_retest(test, is_closed=False)
            and (by - seen.as_at).days <= days
        ):
            yield _Found(DueKind.RETEST, test.scheme, test.venue_id, by)


def _shown(
    session: Session, seen: View, facts: Mapping[UUID, Facts], found: Iterable[_Found]
) -> list[DueItem]:
    names, wards, businesses = venue_names(session), ward_names(session), business_names(session)
    items = []
    for one in found:
        ward_id, business_id = facts[one.venue_id].ward_id, facts[one.venue_id].business_id
        left = (one.on - seen.as_at).days if one.on else None
        items.append(
            DueItem(
                **one._asdict(),
                **names[one.venue_id]._asdict(),
                title=_title(one.kind, one.of),
                bucket=Bucket.OVERDUE if left is None else bucket(left),
                days=left,
                ward=wards.get(ward_id, WardName("", FORMER_WARD)).name,
                business=businesses[business_id] if business_id else None,
            )
        )
    kinds = list(DueKind)
    return sorted(
        items,
        key=lambda one: (one.on or seen.as_at, kinds.index(one.kind), one.of, one.reference),
    )


def _title(kind: DueKind, of: str) -> str:
    return COURSES[of].name if kind is DueKind.TRAINING else schemes()[SchemeKey(of)].name


def _counts(items: Iterable[DueItem]) -> Iterator[DueCount]:
    found = Counter((item.kind, item.of, item.bucket) for item in items)
    sorts: list[tuple[DueKind, str]] = [
        *((DueKind.ACCREDITATION, scheme) for scheme in schemes()),
        *((DueKind.REVIEW, key) for key, scheme in schemes().items() if scheme.review_months),
        *((DueKind.TRAINING, course) for course in COURSES),
        *((DueKind.RETEST, scheme) for scheme in SchemeTested),
    ]
    for kind, of in sorts:
        numbers = {str(one): found[kind, of, one] for one in Bucket}
        yield DueCount(kind=kind, of=of, title=_title(kind, of), **numbers)
