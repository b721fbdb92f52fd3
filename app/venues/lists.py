"""What is listed of venues: the wards that they lie in, and what each was counted by over time."""

from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Bundle
from sqlmodel import Session, col

from app.http.paging import Page, Paging, page
from app.venues.models import Business, VenueFacts, Ward
from app.venues.schemas import BusinessName, FactsOut, WardOut, WardsOut

_OF_FACTS = (
    *("effective_at", "recorded_at", "recorded_by", "category", "status"),
    *("licensed", "late_night", "refresh_months"),
)


def venue_history(session: Session, venue_id: UUID, asked: Paging) -> Page[FactsOut]:
    """A page of all that was recorded of what reports count a venue by, newest first."""
    version: Bundle[Any] = Bundle(
        "version",
        *(getattr(VenueFacts, name) for name in _OF_FACTS),
        col(Ward.name).label("ward"),
        col(Business.id).label("business_id"),
        col(Business.name).label("business_name"),
    )
    statement = (
        sa.select(version)
        .select_from(VenueFacts)
        .outerjoin(Ward, col(VenueFacts.ward_id) == col(Ward.id))
        .outerjoin(Business, col(VenueFacts.business_id) == col(Business.id))
        .where(col(VenueFacts.venue_id) == venue_id)
    )
    order: list[Any] = [col(VenueFacts.effective_at), col(VenueFacts.recorded_at)]
    return page(session, statement, order, asked, _version, newest_first=True)


def _version(row: Any) -> FactsOut:
    business = BusinessName(id=row.business_id, name=row.business_name) if row.business_id else None
    return FactsOut(
        **{name: getattr(row, name) for name in _OF_FACTS}, ward=row.ward, business=business
    )


def wards(session: Session) -> WardsOut:
    """The wards by code, without their boundaries."""
    rows = session.execute(sa.select(col(Ward.code), col(Ward.name)).order_by(col(Ward.code)))
    return WardsOut(wards=[WardOut(code=code, name=name) for code, name in rows])
