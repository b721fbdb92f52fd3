"""Outreach records as the routes show them, many at a time."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from uuid import UUID

from sqlmodel import Session, col, select

from app.core.events import in_effect, shown
from app.core.settings import settings
from app.outreach.models import Debrief, Engagement, ProblemReport, ReportStep, SchemeTest, StepDone
from app.outreach.rules import is_overdue, retest_by
from app.outreach.schemas import (
    EngagementOut,
    Named,
    ProblemReportOut,
    RetestOut,
    SchemeTestOut,
    VenueNamed,
)
from app.outreach.scheme_tests import asks_for_retest
from app.venues.models import Business, Venue, Ward


def engagement_views(session: Session, engagements: Sequence[Engagement]) -> list[EngagementOut]:
    """Engagements with the names of who they were with, and their next steps done."""
    venues = venues_named(session, (engagement.venue_id for engagement in engagements))
    business_ids = {engagement.business_id for engagement in engagements}
    businesses: dict[UUID | None, Named] = {
        id_: Named(id=id_, name=name)
        for id_, name in session.exec(
            select(Business.id, Business.name).where(col(Business.id).in_(business_ids - {None}))
        )
    }
    ids = [engagement.id for engagement in engagements]
    done = {
        done.engagement_id: done
        for done in session.exec(
            select(StepDone).where(col(StepDone.engagement_id).in_(ids), in_effect(StepDone))
        )
    }
    return [
        shown(
            EngagementOut,
            engagement,
            venue=venues.get(engagement.venue_id),
            business=businesses.get(engagement.business_id),
            done=done.get(engagement.id),
        )
        for engagement in engagements
    ]


def scheme_test_views(session: Session, tests: Sequence[SchemeTest]) -> list[SchemeTestOut]:
    """Scheme tests, with what followed them."""
    ids = [test.id for test in tests]
    venues = venues_named(session, (test.venue_id for test in tests))
    debriefs = {
        debrief.test_id: debrief
        for debrief in session.exec(
            select(Debrief).where(col(Debrief.test_id).in_(ids), in_effect(Debrief))
        )
    }
    retests = dict(
        session.exec(
            select(SchemeTest.retest_of_id, SchemeTest.id).where(
                col(SchemeTest.retest_of_id).in_(ids), in_effect(SchemeTest)
            )
        ).all()
    )
    asking = set(
        session.exec(select(SchemeTest.id).where(col(SchemeTest.id).in_(ids), asks_for_retest()))
    )
    return [
        shown(
            SchemeTestOut,
            test,
            venue=venues[test.venue_id],
            debrief=debriefs.get(test.id),
            retest_of=test.retest_of_id,
            retest=retests.get(test.id),
            retest_by=retest_by(test.on, settings().retest_days) if test.id in asking else None,
        )
        for test in tests
    ]


def retest_views(session: Session, failed: Sequence[SchemeTest], today: date) -> list[RetestOut]:
    """Failed tests that ask for a retest, and whether they do so in vain already."""
    days = settings().retest_days
    return [
        RetestOut(test=test, retest_by=by, overdue=is_overdue(by, today))
        for test in scheme_test_views(session, failed)
        for by in [retest_by(test.on, days)]
    ]


def problem_report_views(
    session: Session, reports: Sequence[ProblemReport]
) -> list[ProblemReportOut]:
    """Problem reports, with what officers did about them, oldest first."""
    venues = venues_named(session, (report.venue_id for report in reports))
    steps: defaultdict[UUID, list[ReportStep]] = defaultdict(list)
    for step in session.exec(
        select(ReportStep)
        .where(col(ReportStep.report_id).in_([report.id for report in reports]))
        .order_by(col(ReportStep.recorded_at))
    ):
        steps[step.report_id].append(step)
    return [
        shown(ProblemReportOut, report, venue=venues[report.venue_id], steps=steps[report.id])
        for report in reports
    ]


def venues_named(session: Session, ids: Iterable[UUID | None]) -> dict[UUID | None, VenueNamed]:
    """Venues by their ids, as records name them."""
    rows = session.exec(
        select(Venue.id, Venue.name, Ward.name)
        .outerjoin(Ward, col(Ward.id) == col(Venue.ward_id))
        .where(col(Venue.id).in_(set(ids) - {None}))
    )
    return {id_: VenueNamed(id=id_, name=name, ward=ward) for id_, name, ward in rows}
