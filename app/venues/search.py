"""The register's list of venues, and what can be asked of it."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import numpy as np
import sqlalchemy as sa
from sqlalchemy.orm import Bundle
from sqlmodel import Session, col

from app.events import LONDON
from app.schemes.history import standing_at
from app.schemes.models import Accreditation
from app.schemes.rules import State
from app.text import folded
from app.training.grid import training_grid
from app.training.rules import Status
from app.venues.models import Business, Venue, VenueFacts, Ward
from app.venues.schemas import BusinessName, FactsOut, VenueSearch, VenueSummary, WardOut, WardsOut
from app.work import Page, Paging, page

Condition = Callable[[VenueSearch], sa.ColumnElement[bool]]


def _in_ward(asked: VenueSearch) -> sa.ColumnElement[bool]:
    ward = asked.ward or ""
    return sa.or_(col(Ward.code) == ward, sa.func.lower(col(Ward.name)) == ward.lower())


def _of_standing(asked: VenueSearch) -> sa.ColumnElement[bool]:
    decided = sa.select(col(Accreditation.venue_id)).where(
        col(Accreditation.scheme) == asked.scheme, *standing_at(datetime.now(UTC))
    )
    if asked.standing is State.NONE:
        return col(Venue.id).not_in(decided.where(col(Accreditation.state) != State.NONE))
    return col(Venue.id).in_(decided.where(col(Accreditation.state) == asked.standing))


CONDITIONS: dict[str, Condition] = {
    "name": lambda asked: col(Venue.folded_name).contains(
        folded(asked.name or ""), autoescape=True
    ),
    "postcode": lambda asked: sa.func.replace(col(Venue.postcode), " ", "").startswith(
        (asked.postcode or "").upper().replace(" ", ""), autoescape=True
    ),
    "ward": _in_ward,
    "category": lambda asked: col(Venue.category) == asked.category,
    "status": lambda asked: col(Venue.status) == asked.status,
    "business": lambda asked: col(Venue.business_id) == asked.business,
    "licensed": lambda asked: col(Venue.licensed) == asked.licensed,
    "late_night": lambda asked: col(Venue.late_night) == asked.late_night,
    "standing": _of_standing,
}
"""What each parameter of `VenueSearch` asks of a venue (and its ward and business) in SQL."""

_OF_FACTS = (
    *("effective_at", "recorded_at", "recorded_by", "category", "status"),
    *("licensed", "late_night", "refresh_months"),
)
_SHOWN = (
    *("id", "reference", "name", "category", "status", "address", "postcode"),
    *("licensed", "late_night", "last_checked"),
)


def search_venues(session: Session, asked: VenueSearch) -> Page[VenueSummary]:
    """A page of the venues that are asked for, by name."""
    # As one entity of just these columns: reading a venue's hours costs more than all the rest.
    summary: Bundle[Any] = Bundle(
        "summary",
        *(getattr(Venue, name) for name in _SHOWN),
        col(Ward.name).label("ward"),
        col(Business.name).label("business"),
    )
    statement = (
        sa.select(summary)
        .select_from(Venue)
        .outerjoin(Ward, col(Venue.ward_id) == col(Ward.id))
        .outerjoin(Business, col(Venue.business_id) == col(Business.id))
        .where(
            *(ask(asked) for name, ask in CONDITIONS.items() if getattr(asked, name) is not None)
        )
    )
    if asked.training is not None:
        found = set(session.scalars(statement.with_only_columns(col(Venue.id))))
        statement = statement.where(col(Venue.id).in_(_of_training(session, asked, found)))
    order: list[Any] = [col(Venue.folded_name), col(Venue.id)]
    return page(session, statement, order, asked, _summary)


def _of_training(session: Session, asked: VenueSearch, among: set[UUID]) -> list[UUID]:
    """Those venues whose training in a course stands as asked: the decay rule, not SQL, says."""
    grid = training_grid(session, [datetime.now(LONDON).date()], venues=among)
    status = grid.standings.status[0, :, grid.courses.index(asked.course or "")]
    wanted = list(Status).index(asked.training or Status.NEVER)
    return [grid.venues[place] for place in np.flatnonzero(status == wanted)]


def _summary(row: Any) -> VenueSummary:
    return VenueSummary.model_validate(row, from_attributes=True)


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
