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
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.audit.frame.question import View
from app.core.events import known, within
from app.core.london import effective, london_day
from app.outreach.models import Engagement, ProblemReport, ReportKind, ReportStep, Step
from app.training.models import Attendance, TrainingSession
from app.venues.facts import Facts, FactsOn, facts_on
from app.venues.models import Category, Venue, VenueStatus

AS_A_WHOLE = "whole"
"""Where an engagement with a business belongs that was not at one of its venues."""

Place = UUID | str | None
"""A ward, none, or `AS_A_WHOLE`."""


@dataclass
class Done:
    """What was done, in all or of one sort; who was trained twice counts twice.

    A venue of no known business counts as one business.
    """

    engagements: int = 0
    businesses: set[UUID] = field(default_factory=set)
    sessions: set[UUID] = field(default_factory=set)
    venues: set[UUID] = field(default_factory=set)
    new: int = 0
    refresher: int = 0

    @property
    def people(self) -> int:
        """People trained, for the first time or again."""
        return self.new + self.refresher


@dataclass
class Activity:
    """What was done, in all and by its sorts."""

    whole: Done = field(default_factory=Done)
    by_kind: Counter[str] = field(default_factory=Counter)
    by_outcome: Counter[str] = field(default_factory=Counter)
    by_course: defaultdict[str, Done] = field(default_factory=lambda: defaultdict(Done))
    by_ward: defaultdict[Place, Done] = field(default_factory=lambda: defaultdict(Done))


@dataclass
class Problems:
    """What became of problem reports. Those open before and those reported are either resolved
    by now or open still; `days` are those from the report to its resolution."""

    open_before: int = 0
    reported: int = 0
    days: list[int] = field(default_factory=list)
    open: int = 0

    @property
    def median_days(self) -> float | None:
        return float(median(self.days)) if self.days else None

    @property
    def ninety_days(self) -> int | None:
        """The 90th percentile, by nearest rank: so many days or fewer took nine in ten."""
        return sorted(self.days)[ceil(len(self.days) * 9 / 10) - 1] if self.days else None


@dataclass(frozen=True)
class Involved:
    """Which venues and businesses a report on activity is about, and where they lie."""

    facts: dict[UUID, Facts]
    venues: frozenset[UUID] | None
    businesses: frozenset[UUID]

    def venue(self, venue_id: UUID) -> bool:
        """Whether it is about a venue."""
        return self.venues is None or venue_id in self.venues

    def business(self, business_id: UUID) -> bool:
        """Whether it is about a business as a whole: one that runs such a venue."""
        return self.venues is None or business_id in self.businesses

    def ward(self, venue_id: UUID) -> UUID | None:
        """Where a venue lies."""
        facts = self.facts.get(venue_id)
        return facts.ward_id if facts else None

    def businesses_of(self, venues: Iterable[UUID]) -> set[UUID]:
        """The businesses that run some venues, as far as they are known."""
        held = (self.facts[venue_id] for venue_id in venues if venue_id in self.facts)
        return {facts.business_id for facts in held if facts.business_id}


def involved(session: Session, seen: View) -> Involved:
    """Whom a report on activity is about, whatever their status.

    Before a venue's first facts those count: history is often entered for the time before.
    """
    venues = session.exec(select(Venue.id)).all()
    found = facts_on(session, venues, [seen.as_at], seen.known_at, every=True)
    return involved_by(seen, venues, found, 0)


def involved_by(seen: View, venues: Sequence[UUID], found: FactsOn, day: int) -> Involved:
    """As `involved`, by facts that have been read, on one of their days."""
    facts = _facts(venues, found, day)
    chosen = seen.chosen
    of_venues = (
        seen.wards is not None
        or bool(chosen.category)
        or (chosen.licensed, chosen.late_night) != (None, None)
    )
    if not of_venues and not chosen.business:
        return Involved(facts, None, frozenset())
    counted = frozenset(
        venue_id
        for venue_id, held in facts.items()
        if seen.counts(held._replace(status=VenueStatus.ACTIVE))
    )
    businesses = {held.business_id for venue_id in counted if (held := facts[venue_id]).business_id}
    # A business may have no venue yet.
    named = set() if of_venues else set(chosen.business)
    return Involved(facts, counted, frozenset(businesses | named))


def _facts(venues: Sequence[UUID], found: FactsOn, day: int) -> dict[UUID, Facts]:
    # What is in none has the place -1: the last one's.
    wards, businesses = [*found.wards, None], [*found.businesses, None]
    categories, statuses = list(Category), list(VenueStatus)
    columns = (
        found.ward,
        found.category,
        found.status,
        found.business,
        found.licensed,
        found.late_night,
        found.refresh_months,
    )
    return {
        venue_id: Facts(
            wards[ward],
            categories[category],
            statuses[status],
            businesses[business],
            licensed,
            late_night,
            refresh_months or None,
        )
        for venue_id, ward, category, status, business, licensed, late_night, refresh_months in zip(
            venues, *(column[day].tolist() for column in columns), strict=True
        )
        if status >= 0
    }


def activity(session: Session, seen: View, first: date, who: Involved) -> Activity:
    """What was done from a London day until `seen.as_at`, both included."""
    found = Activity()
    _count_engagements(session, seen, first, who, found)
    _count_training(session, seen, first, who, found)
    return found


def _count_engagements(
    session: Session, seen: View, first: date, who: Involved, found: Activity
) -> None:
    columns = [
        col(column)
        for column in (
            Engagement.venue_id,
            Engagement.business_id,
            Engagement.kind,
            Engagement.outcome,
        )
    ]
    for venue_id, business_id, kind, outcome, number in session.execute(
        sa.select(*columns, sa.func.count())
        .where(*within(Engagement, first, seen.as_at), known(Engagement, seen.known_at))
        .group_by(*columns)
    ):
        if not (who.venue(venue_id) if venue_id else who.business(business_id)):
            continue
        found.by_kind[kind] += number
        found.by_outcome[outcome] += number
        place = who.ward(venue_id) if venue_id else AS_A_WHOLE
        for done in (found.whole, found.by_ward[place]):
            done.engagements += number
            done.businesses.add(business_id or venue_id)


def _count_training(
    session: Session, seen: View, first: date, who: Involved, found: Activity
) -> None:
    delivered = (
        *within(TrainingSession, first, seen.as_at),
        known(TrainingSession, seen.known_at),
    )
    if who.venues is None:
        # Those that nobody attended were delivered too.
        for session_id, course in session.execute(
            sa.select(col(TrainingSession.id), col(TrainingSession.course)).where(*delivered)
        ):
            found.whole.sessions.add(session_id)
            found.by_course[course].sessions.add(session_id)
    for session_id, course, venue_id, new, refresher in session.execute(
        sa.select(
            col(Attendance.session_id),
            col(TrainingSession.course),
            col(Attendance.venue_id),
            col(Attendance.new_count),
            col(Attendance.refresher_count),
        )
        .join(TrainingSession)
        .where(*delivered, known(Attendance, seen.known_at))
    ):
        if who.venue(venue_id):
            by_ward = found.by_ward[who.ward(venue_id)]
            for done in (found.whole, found.by_course[course], by_ward):
                done.sessions.add(session_id)
                done.venues.add(venue_id)
                done.new += new
                done.refresher += refresher


def problems(
    session: Session, seen: View, first: date, who: Involved
) -> dict[ReportKind, Problems]:
    """What became of problem reports from a London day until `seen.as_at`, by their kind.

    A report counts from the end of its day on, and is resolved when an officer says so.
    """
    resolved = (
        sa.select(col(ReportStep.report_id), sa.func.min(col(ReportStep.effective_at)).label("at"))
        .where(
            col(ReportStep.step) == Step.RESOLVED,
            col(ReportStep.effective_at) <= seen.at,
            known(ReportStep, seen.known_at),
        )
        .group_by(col(ReportStep.report_id))
        .subquery()
    )
    rows = session.execute(
        sa.select(
            col(ProblemReport.venue_id),
            col(ProblemReport.kind),
            col(ProblemReport.effective_at),
            resolved.c.at,
        )
        .outerjoin(resolved, resolved.c.report_id == col(ProblemReport.id))
        .where(
            col(ProblemReport.effective_at) <= seen.at,
            known(ProblemReport, seen.known_at),
            resolved.c.at.is_(None) | (resolved.c.at >= effective(first)),
        )
    )
    found = {kind: Problems() for kind in ReportKind}
    for venue_id, kind, reported_at, resolved_at in rows:
        if not who.venue(venue_id):
            continue
        problem = found[kind]
        reported_on = london_day(reported_at)
        if reported_on < first:
            problem.open_before += 1
        else:
            problem.reported += 1
        if resolved_at is None:
            problem.open += 1
        else:
            problem.days.append((london_day(resolved_at) - reported_on).days)
    return found
