"""The public's two questions: did you feel safer, were you helped? Only how many said what is kept.

That is by ward and quarter, and nothing else: no answer can be told from another, so none can be
traced, taken back or counted anew.
"""

from datetime import date
from uuid import UUID

from sqlmodel import Session, select

from app.core.db import find
from app.core.journal import now
from app.core.london import london_day
from app.outreach.models import SurveyCount
from app.venues.models import Venue


def quarter_of(day: date) -> date:
    """The first day of the calendar quarter that a day lies in."""
    return date(day.year, (day.month - 1) // 3 * 3 + 1, 1)


def count_answers(session: Session, venue_id: UUID, *, felt_safer: bool, was_helped: bool) -> None:
    """Count what somebody answered about a venue, where it lies, today. Raises `NotFound`."""
    ward_id = find(session, Venue, venue_id).ward_id
    quarter = quarter_of(london_day(now(session)))
    counts = session.exec(
        select(SurveyCount).where(SurveyCount.quarter == quarter, SurveyCount.ward_id == ward_id)
    ).first()
    if counts is None:
        counts = SurveyCount(quarter=quarter, ward_id=ward_id)
        session.add(counts)
    counts.answers += 1
    counts.safer += felt_safer
    counts.helped += was_helped
