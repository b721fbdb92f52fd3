"""Outreach records as the routes give them, many at a time."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.core.events import in_effect, shown
from app.core.settings import settings
from app.outreach.models import Debrief, Engagement, ProblemReport, ReportStep, SchemeTest, StepDone
from app.outreach.rules import is_overdue, retest_by
from app.outreach.schemas import (
    DebriefOut,
    DoneOut,
    EngagementOut,
    Named,
    ProblemReportOut,
    RetestOut,
    SchemeTestOut,
    StepOut,
    VenueNamed,
)
from app.outreach.scheme_tests import asks_for_retest
from app.venues.models import Business, Venue, Ward


def engagements(session: Session, found: Sequence[Engagement]) -> list[EngagementOut]:
    """Engagements with the names of who they were with."""
    venues = _venues(session, (one.venue_id for one in found))
    businesses = _businesses(session, (one.business_id for one in found))
    done = {
        one.engagement_id: one
        for one in session.exec(
            select(StepDone).where(
                col(StepDone.engagement_id).in_([one.id for one in found]), in_effect(StepDone)
            )
        )
    }
    return [
        shown(
            EngagementOut,
            one,
            venue=venues[one.venue_id] if one.venue_id else None,
            business=businesses[one.business_id] if one.business_id else None,
            done=shown(DoneOut, done[one.id]) if one.id in done else None,
        )
        for one in found
    ]


def engagement(session: Session, found: Engagement) -> EngagementOut:
    """One engagement."""
    return engagements(session, [found])[0]


def scheme_tests(session: Session, found: Sequence[SchemeTest]) -> list[SchemeTestOut]:
    """Scheme tests, with what followed them."""
    ids = [one.id for one in found]
    venues = _venues(session, (one.venue_id for one in found))
    debriefs = {
        one.test_id: one
        for one in session.exec(
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
            one,
            venue=venues[one.venue_id],
            debrief=shown(DebriefOut, debriefs[one.id]) if one.id in debriefs else None,
            retest_of=one.retest_of_id,
            retest=retests.get(one.id),
            retest_by=retest_by(one.on, settings().retest_days) if one.id in asking else None,
        )
        for one in found
    ]


def scheme_test(session: Session, found: SchemeTest) -> SchemeTestOut:
    """One scheme test."""
    return scheme_tests(session, [found])[0]


def retests(session: Session, found: Sequence[SchemeTest], today: date) -> list[RetestOut]:
    """Failed tests that ask for a retest, and whether they do so in vain already."""
    days = settings().retest_days
    return [
        RetestOut(
            test=test,
            retest_by=retest_by(test.on, days),
            overdue=is_overdue(retest_by(test.on, days), today),
        )
        for test in scheme_tests(session, found)
    ]


def problem_reports(session: Session, found: Sequence[ProblemReport]) -> list[ProblemReportOut]:
    """Problem reports, with what officers did about them, oldest first."""
    venues = _venues(session, (one.venue_id for one in found))
    steps: defaultdict[UUID, list[ReportStep]] = defaultdict(list)
    for step in session.exec(
        select(ReportStep)
        .where(col(ReportStep.report_id).in_([one.id for one in found]))
        .order_by(col(ReportStep.recorded_at))
    ):
        steps[step.report_id].append(step)
    return [
        shown(
            ProblemReportOut,
            one,
            venue=venues[one.venue_id],
            steps=[shown(StepOut, step) for step in steps[one.id]],
        )
        for one in found
    ]


def problem_report(session: Session, found: ProblemReport) -> ProblemReportOut:
    """One problem report."""
    return problem_reports(session, [found])[0]


def _venues(session: Session, ids: Iterable[UUID | None]) -> dict[UUID, VenueNamed]:
    rows = session.execute(
        sa.select(col(Venue.id), col(Venue.name), col(Ward.name))
        .outerjoin(Ward, col(Ward.id) == col(Venue.ward_id))
        .where(col(Venue.id).in_(set(ids) - {None}))
    )
    return {id_: VenueNamed(id=id_, name=name, ward=ward) for id_, name, ward in rows}


def _businesses(session: Session, ids: Iterable[UUID | None]) -> dict[UUID, Named]:
    rows = session.execute(
        sa.select(col(Business.id), col(Business.name)).where(
            col(Business.id).in_(set(ids) - {None})
        )
    )
    return {id_: Named(id=id_, name=name) for id_, name in rows}
