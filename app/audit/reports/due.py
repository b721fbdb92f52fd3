"""What lapses soon and what has lapsed: a work list of accreditations, reviews, training, retests.

Lapsed accreditations and training leave the list when they are renewed, or `LAPSED_MONTHS` after
their last day. Reviews and retests stay until they are held.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from enum import StrEnum
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
from pydantic import Field
from sqlmodel import Session

from app.audit.frame.names import business_names, venue_names, ward_names
from app.audit.frame.question import ReportQuestion, View
from app.audit.frame.report import Report, Row, about
from app.audit.frame.rows import AtVenue
from app.audit.reports.coverage import counted_on
from app.core.london import last_day
from app.http.fields import Absent
from app.outreach.models import SchemeTested
from app.outreach.rules import asks_for_retest, retest_by
from app.outreach.scheme_tests import known_tests
from app.schemes.registry import SchemeKey, schemes
from app.schemes.rules import Kind, State, review_due
from app.schemes.timelines import Timelines, timelines
from app.training.columns import NOBODY
from app.training.courses import COURSES
from app.training.grid import training_grid
from app.training.rules import Status
from app.venues.facts import KnownFacts, all_facts

LAPSED_MONTHS = 12
"""How long what has lapsed stays on the list: after that it is a new start, not a renewal."""

SOURCES = ("decisions", "training", "headcounts", "scheme tests", "venue facts")


class DueQuestion(ReportQuestion):
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
    return next((bucket for most, bucket in _WITHIN.items() if days <= most), Bucket.LATER)


class _OfKind(Row):
    kind: DueKind = Field(title="Kind", examples=["accreditation"])
    of: str = Field(title="Scheme or course", examples=["safe_haven"])
    title: str = Field(title="Name", examples=["Safe Haven"])


class DueCount(_OfKind):
    """How much of one sort there is to do; nothing is in two columns."""

    overdue: int = Field(title="Lapsed or overdue", examples=[3])
    within_30: int = Field(title="Within 30 days", examples=[5])
    within_60: int = Field(title="In 31 to 60 days", examples=[4])
    within_90: int = Field(title="In 61 to 90 days", examples=[6])
    later: int = Field(title="Later", examples=[0])


class _DueOn(_OfKind):
    bucket: Bucket = Field(title="When", examples=["within_30"])
    on: date | Absent = Field(default=None, title="Last day", examples=["2025-04-12"])
    days: int | Absent = Field(
        default=None, title="Days left", description="Below 0: so many ago", examples=[12]
    )


class DueItem(AtVenue, _DueOn):
    """Something that is to be done at a venue, or was to be.

    `on` is the last day of what lapses, or on which to do what is asked for. It is absent where
    those who are trained have left before their training ran out.
    """

    ward: str = Field(title="Ward", examples=["Bishopsgate"])
    business: str | Absent = Field(default=None, title="Business", examples=["Lantern Taverns"])
    certificate: str | Absent = Field(default=None, title="Certificate", examples=["SH-2024-0007"])
    note: str | Absent = Field(default=None, title="Note", examples=["renewal applied for"])


class Due(Report):
    """What lapses within some days and what has lapsed, the most urgent first."""

    counts: list[DueCount] = Field(title="How much")
    items: list[DueItem] = Field(title="Work list")
    retests: list[DueItem] = Field(
        description="A test failed there, so that they are read is journalled"
    )


class _Task(NamedTuple):
    """Something that is due at a venue, which is named by its id's `hex`."""

    kind: DueKind
    of: str
    venue_id: str
    on: date | None
    certificate: str | None = None
    note: str | None = None


def due(session: Session, view: View, days: int) -> Due:
    """The work list as at a day, of the venues that are active then."""
    facts = all_facts(session, view.known_at)
    venues = _venues(session, view, facts)
    items = _items(view, venues, _tasks(session, view, facts, days))
    retests = _items(view, venues, _retests(session, view, days))
    return Due(
        about=about(session, f"Due within {days} days", view, SOURCES),
        counts=list(_counts([*items, *retests])),
        items=items,
        retests=retests,
    )


def work_list(session: Session, view: View, days: int) -> list[DueItem]:
    """The same without retests, so that it shows nothing of any test."""
    facts = all_facts(session, view.known_at)
    return _items(view, _venues(session, view, facts), _tasks(session, view, facts, days))


def _tasks(session: Session, view: View, facts: KnownFacts, days: int) -> Iterator[_Task]:
    yield from _accreditations(session, view, days)
    yield from _training(session, view, facts, days)


_LAPSES = (State.IN_FORCE, State.SUSPENDED, State.EXPIRED)
_IN_HAND = {Kind.APPLIED: "renewal applied for", Kind.ASSESSED: "renewal assessed"}


def _accreditations(session: Session, view: View, days: int) -> Iterator[_Task]:
    known_timelines = timelines(session, view.known_at)
    yield from _lapsing(known_timelines, view, days)
    yield from _reviews(known_timelines, view, days)


def _lapsing(timelines: Timelines, view: View, days: int) -> Iterator[_Task]:
    stands = timelines.at(view.at)
    # What has run out is due for as long as nothing is decided about it but to apply anew.
    last = timelines.at(view.at, besides=(State.APPLIED, State.ASSESSED))
    listed = [
        end
        for end, on in timelines.last_days.items()
        if on is not None and _is_listed(view, on, days)
    ]
    which = np.flatnonzero(timelines.are(last, _LAPSES))
    which = which[np.isin(timelines.spans.ends[last[which]], listed)]
    for history, standing, award in zip(
        which.tolist(),
        timelines.standings(stands[which]),
        timelines.standings(last[which]),
        strict=True,
    ):
        venue, scheme = timelines.key(history)
        note = "suspended" if standing.state is State.SUSPENDED else None
        if standing.pending:
            note = _IN_HAND[standing.pending]
        yield _Task(DueKind.ACCREDITATION, scheme, venue, award.until, award.certificate, note)


def _reviews(timelines: Timelines, view: View, days: int) -> Iterator[_Task]:
    stands = timelines.at(view.at)
    reviewed = [place for place, key in enumerate(SchemeKey) if schemes()[key].review_months]
    which = np.flatnonzero(
        timelines.are(stands, (State.IN_FORCE,)) & np.isin(timelines.schemes, reviewed)
    )
    for history, standing in zip(which.tolist(), timelines.standings(stands[which]), strict=True):
        venue, scheme = timelines.key(history)
        review = review_due(standing, schemes()[scheme].review_months)
        if review and (review - view.as_at).days <= days:
            yield _Task(DueKind.REVIEW, scheme, venue, review, standing.certificate)


def _is_listed(view: View, on: date, days: int) -> bool:
    return on <= view.as_at + timedelta(days=days) and view.as_at <= last_day(on, LAPSED_MONTHS)


def _training(session: Session, view: View, facts: KnownFacts, days: int) -> Iterator[_Task]:
    grid = training_grid(
        session, [view.as_at], view.known_at, due_days=view.limits.due_days, facts=facts
    )
    trained = grid.standings
    until, is_lapsed = trained.until[0], trained.status[0] == list(Status).index(Status.LAPSED)
    is_due = (until != NOBODY) & (until <= view.as_at.toordinal() + days)
    which = is_due | is_lapsed
    columns = is_due, until, grid.last_trained(), trained.months[0]
    # Many were trained on the same few days.
    day_of, last_of = cache(date.fromordinal), cache(last_day)
    is_listed = cache(lambda on: _is_listed(view, on, days))
    for (place, number), lapses, last, trained_on, months in zip(
        np.argwhere(which).tolist(), *(column[which].tolist() for column in columns), strict=True
    ):
        venue, course = grid.venues[place], grid.courses[number]
        if lapses:
            yield _Task(DueKind.TRAINING, course, venue, day_of(last))
            continue
        on = last_of(day_of(trained_on), months)
        if on >= view.as_at:
            yield _Task(DueKind.TRAINING, course, venue, None, note="those trained have left")
        elif is_listed(on):
            yield _Task(DueKind.TRAINING, course, venue, on)


def _retests(session: Session, view: View, days: int) -> Iterator[_Task]:
    for test in known_tests(session, view.at, view.known_at):
        by = retest_by(test.on, view.limits.retest_days)
        if asks_for_retest(test, is_closed=False) and (by - view.as_at).days <= days:
            yield _Task(DueKind.RETEST, test.scheme, test.venue_id, by)


def _venues(session: Session, view: View, facts: KnownFacts) -> dict[str, dict[str, Any]]:
    """What is shown of each venue that the report is about, by its id's `hex`."""
    then, names = facts.at(view.at), venue_names(session)
    ward_of, business_of = ward_names(session), business_names(session)
    # What is in none has the place -1: the last one's.
    wards = [ward_of[ward_id].name for ward_id in (*then.wards, None)]
    businesses = [business_of[business_id] for business_id in (*then.businesses, None)]
    return {
        venue: {
            "venue_id": UUID(venue),
            "reference": names[venue].reference,
            "name": names[venue].name,
            "ward": wards[then.ward[0, place]],
            "business": businesses[then.business[0, place]],
        }
        for place in np.flatnonzero(counted_on(view, then)[0]).tolist()
        for venue in (facts.venues[place],)
    }


def _items(
    view: View, venues: Mapping[str, dict[str, Any]], tasks: Iterable[_Task]
) -> list[DueItem]:
    """The tasks at some venues as they are shown, the most urgent first."""

    @cache
    def when(on: date | None) -> dict[str, Any]:
        left = (on - view.as_at).days if on else None
        return {"on": on, "days": left, "bucket": Bucket.OVERDUE if left is None else bucket(left)}

    title, kinds = cache(_title), {kind: place for place, kind in enumerate(DueKind)}
    items = [
        DueItem(
            kind=task.kind,
            of=task.of,
            title=title(task.kind, task.of),
            certificate=task.certificate,
            note=task.note,
            **when(task.on),
            **venues[task.venue_id],
        )
        for task in tasks
        if task.venue_id in venues
    ]
    return sorted(
        items, key=lambda item: (item.on or view.as_at, kinds[item.kind], item.of, item.reference)
    )


def _title(kind: DueKind, of: str) -> str:
    return COURSES[of].name if kind is DueKind.TRAINING else schemes()[SchemeKey(of)].name


def _counts(items: Iterable[DueItem]) -> Iterator[DueCount]:
    numbers = Counter((item.kind, item.of, item.bucket) for item in items)
    sorts: list[tuple[DueKind, str]] = [
        *((DueKind.ACCREDITATION, scheme) for scheme in schemes()),
        *((DueKind.REVIEW, key) for key, scheme in schemes().items() if scheme.review_months),
        *((DueKind.TRAINING, course) for course in COURSES),
        *((DueKind.RETEST, scheme) for scheme in SchemeTested),
    ]
    for kind, of in sorts:
        by_bucket = {bucket.value: numbers[kind, of, bucket] for bucket in Bucket}
        yield DueCount(kind=kind, of=of, title=_title(kind, of), **by_bucket)
