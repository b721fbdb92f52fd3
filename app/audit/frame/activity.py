"""What was done in some London days: engagements, training, and what became of problem reports.

Unlike coverage it counts whatever the status of a venue: officers engage those that are only known
of, and what was done at one that has closed since was done.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from math import ceil
from statistics import median
from typing import Self
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.audit.frame.question import View
from app.core.db import as_hex
from app.core.events import known, within
from app.core.london import effective, london_day
from app.outreach.models import Engagement, ProblemReport, ReportKind, ReportStep, Step
from app.training.models import Attendance, TrainingSession
from app.venues.facts import Facts, FactsOn, all_facts

AS_A_WHOLE = "whole"
"""Where an engagement with a business belongs that was not at one of its venues."""

Place = UUID | str | None
"""A ward, none, or `AS_A_WHOLE`."""

Hex = str
"""Of the id of a venue, a business or a session: of many, to make and compare ids takes long."""


@dataclass
class Tally:
    """What was done, in all or of one sort; who was trained twice counts twice.

    A venue of no known business counts as one business.
    """

    engagements: int = 0
    businesses: set[Hex] = field(default_factory=set)
    sessions: set[Hex] = field(default_factory=set)
    venues: set[Hex] = field(default_factory=set)
    new: int = 0
    refresher: int = 0

    @property
    def people(self) -> int:
        """People trained, for the first time or again."""
        return self.new + self.refresher

    def numbers(self) -> dict[str, int]:
        """How many there were of each."""
        counts = {name: n if isinstance(n, int) else len(n) for name, n in vars(self).items()}
        return counts | {"people": self.people}


@dataclass
class Activity:
    """What was done, in all and by its sorts."""

    whole: Tally = field(default_factory=Tally)
    by_kind: Counter[str] = field(default_factory=Counter)
    by_outcome: Counter[str] = field(default_factory=Counter)
    by_course: defaultdict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    by_ward: defaultdict[Place, Tally] = field(default_factory=lambda: defaultdict(Tally))


@dataclass
class Problems:
    """What became of problem reports. Those open before and those reported are either resolved
    by now or open still; `days` are those from the report to its resolution."""

    open_before: int = 0
    reported: int = 0
    days: list[int] = field(default_factory=list)
    open: int = 0

    @property
    def resolved(self) -> int:
        return len(self.days)

    @property
    def median_days(self) -> float | None:
        return float(median(self.days)) if self.days else None

    @property
    def ninety_days(self) -> int | None:
        """The 90th percentile, by nearest rank: so many days or fewer took nine in ten."""
        return sorted(self.days)[ceil(len(self.days) * 9 / 10) - 1] if self.days else None


@dataclass(frozen=True)
class Scope:
    """Which venues and businesses a report on activity is about, and where they lie.

    They count whatever their status; `venues` is None where all do.
    """

    facts: dict[Hex, Facts]
    venues: frozenset[Hex] | None
    businesses: frozenset[Hex]

    @classmethod
    def read(cls, session: Session, view: View) -> Self:
        """The scope of a view.

        Before a venue's first facts those count: history is often entered for the time before.
        """
        facts = all_facts(session, view.known_at)
        return cls.on(0, view, facts.venues, facts.on([view.as_at]))

    @classmethod
    def on(cls, day: int, view: View, venues: Sequence[Hex], columns: FactsOn) -> Self:
        """As `read`, by facts that have been read, on one of their days."""
        facts = {
            venue: of_venue
            for venue, of_venue in zip(venues, columns.on(day), strict=True)
            if of_venue
        }
        if view.criteria.keys() == {"status"}:
            return cls(facts, None, frozenset())
        counted = {venue: of_venue for venue, of_venue in facts.items() if view.chooses(of_venue)}
        businesses = {one.business_id.hex for one in counted.values() if one.business_id}
        if view.criteria.keys() == {"status", "business_id"}:
            # A business may have no venue yet.
            businesses.update(business_id.hex for business_id in view.filters.business)
        return cls(facts, frozenset(counted), frozenset(businesses))

    def has_venue(self, venue: Hex) -> bool:
        return self.venues is None or venue in self.venues

    def has_business(self, business: Hex) -> bool:
        """Whether it is about a business as a whole: one that runs such a venue."""
        return self.venues is None or business in self.businesses

    def ward_of(self, venue: Hex) -> UUID | None:
        """Where a venue lies."""
        facts = self.facts.get(venue)
        return facts.ward_id if facts else None

    def businesses_of(self, venues: Iterable[Hex]) -> set[UUID]:
        """The businesses that run some venues, as far as they are known."""
        known_facts = (self.facts[venue] for venue in venues if venue in self.facts)
        return {facts.business_id for facts in known_facts if facts.business_id}


def activity(session: Session, view: View, first: date, scope: Scope) -> Activity:
    """What was done from a London day until `view.as_at`, both included."""
    done = Activity()
    _count_engagements(done, session, view, first, scope)
    _count_training(done, session, view, first, scope)
    return done


def _count_engagements(
    done: Activity, session: Session, view: View, first: date, scope: Scope
) -> None:
    ids, sorts = (
        [col(getattr(Engagement, name)) for name in names]
        for names in (("venue_id", "business_id"), ("kind", "outcome"))
    )
    for venue, business, kind, outcome, number in session.execute(
        sa.select(*map(as_hex, ids), *sorts, sa.func.count())
        .where(*within(Engagement, first, view.as_at), known(Engagement, view.known_at))
        .group_by(*ids, *sorts)
    ):
        if not (scope.has_venue(venue) if venue else scope.has_business(business)):
            continue
        done.by_kind[kind] += number
        done.by_outcome[outcome] += number
        place = scope.ward_of(venue) if venue else AS_A_WHOLE
        for tally in (done.whole, done.by_ward[place]):
            tally.engagements += number
            tally.businesses.add(business or venue)


def _count_training(
    done: Activity, session: Session, view: View, first: date, scope: Scope
) -> None:
    of_time = within(TrainingSession, first, view.as_at)
    delivered = (*of_time, known(TrainingSession, view.known_at))
    if scope.venues is None:
        # Those that nobody attended were delivered too.
        for session_id, course in session.execute(
            sa.select(as_hex(TrainingSession.id), col(TrainingSession.course)).where(*delivered)
        ):
            done.whole.sessions.add(session_id)
            done.by_course[course].sessions.add(session_id)
    for session_id, course, venue, new, refresher in session.execute(
        sa.select(
            as_hex(Attendance.session_id),
            col(TrainingSession.course),
            as_hex(Attendance.venue_id),
            col(Attendance.new_count),
            col(Attendance.refresher_count),
        )
        .join(TrainingSession)
        .where(*delivered, known(Attendance, view.known_at))
    ):
        if scope.has_venue(venue):
            by_ward = done.by_ward[scope.ward_of(venue)]
            for tally in (done.whole, done.by_course[course], by_ward):
                tally.sessions.add(session_id)
                tally.venues.add(venue)
                tally.new += new
                tally.refresher += refresher


def problems(session: Session, view: View, first: date, scope: Scope) -> dict[ReportKind, Problems]:
    """What became of problem reports from a London day until `view.as_at`, by their kind.

    A report counts from the end of its day on, and is resolved when an officer says so. One that
    was set apart as likely junk never counts.
    """
    resolved = (
        sa.select(col(ReportStep.report_id), sa.func.min(col(ReportStep.effective_at)).label("at"))
        .where(
            col(ReportStep.step) == Step.RESOLVED,
            col(ReportStep.effective_at) <= view.at,
            known(ReportStep, view.known_at),
        )
        .group_by(col(ReportStep.report_id))
        .subquery()
    )
    rows = session.execute(
        sa.select(
            as_hex(ProblemReport.venue_id),
            col(ProblemReport.kind),
            col(ProblemReport.effective_at),
            resolved.c.at,
        )
        .outerjoin(resolved, resolved.c.report_id == col(ProblemReport.id))
        .where(
            col(ProblemReport.effective_at) <= view.at,
            known(ProblemReport, view.known_at),
            ~col(ProblemReport.set_apart),
            resolved.c.at.is_(None) | (resolved.c.at >= effective(first)),
        )
    )
    by_kind = {kind: Problems() for kind in ReportKind}
    for venue, kind, reported_at, resolved_at in rows:
        if not scope.has_venue(venue):
            continue
        problems_of_kind, reported_on = by_kind[kind], london_day(reported_at)
        if reported_on < first:
            problems_of_kind.open_before += 1
        else:
            problems_of_kind.reported += 1
        if resolved_at is None:
            problems_of_kind.open += 1
        else:
            problems_of_kind.days.append((london_day(resolved_at) - reported_on).days)
    return by_kind
