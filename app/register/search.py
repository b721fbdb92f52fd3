"""The register's list of venues, and what can be asked of it."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Self
from uuid import UUID

import numpy as np
import sqlalchemy as sa
from fastapi import APIRouter, Query, Response
from pydantic import ConfigDict, Field, model_validator
from sqlalchemy.orm import Bundle
from sqlmodel import Session, col

from app.accounts.guards import Reader
from app.core.errors import responses, wrong
from app.core.events import in_effect
from app.core.london import Day, end_of, today
from app.core.text import Line, folded
from app.http.conditional import Register
from app.http.fields import Maybe
from app.http.paging import Page, Paging, page
from app.schemes.history import standing_at
from app.schemes.models import Accreditation, Decision
from app.schemes.registry import SchemeKey
from app.schemes.rules import State
from app.training.courses import CourseKey
from app.training.grid import training_grid
from app.training.models import Attendance, Headcount, TrainingSession
from app.training.rules import Status
from app.venues.kinds import Category
from app.venues.models import Business, Venue, VenueStatus, Ward
from app.venues.schemas import VenueSummary


class VenueSearch(Paging):
    """What to look for among the venues: each that is given must hold.

    `app.register.search.CONDITIONS` says what each of them means.
    """

    model_config = ConfigDict(extra="forbid")

    text: Maybe[Line] = Field(
        default=None,
        max_length=200,
        description="Part of the name, reference, address, postcode, licence, certificate, or name"
        " of the business",
        examples=["EC4N 0ZZ"],
    )
    name: Maybe[Line] = Field(
        default=None, max_length=200, description="Part of the name", examples=["lantern"]
    )
    postcode: Maybe[Line] = Field(
        default=None, max_length=10, description="How the postcode begins", examples=["EC2"]
    )
    ward: Maybe[Line] = Field(
        default=None, max_length=100, description="A ward's code or name", examples=["Cheap"]
    )
    category: Maybe[Category] = None
    status: Maybe[VenueStatus] = None
    business: Maybe[UUID] = Field(default=None, description="The `id` of a business")
    licensed: Maybe[bool] = None
    late_night: Maybe[bool] = None
    scheme: Maybe[SchemeKey] = Field(default=None, description="Goes with `standing`")
    standing: Maybe[State] = Field(default=None, description="The standing in `scheme` now")
    course: Maybe[CourseKey] = Field(default=None, description="Goes with `training`")
    training: Maybe[Status] = Field(default=None, description="How training in `course` stands")
    headcount: Maybe[bool] = Field(default=None, description="Whether one was ever declared")
    not_checked_since: Maybe[Day] = Field(
        default=None, description="Last checked before this day, or never", examples=["2026-05-20"]
    )

    @model_validator(mode="after")
    def _in_pairs(self) -> Self:
        if (self.scheme is None) != (self.standing is None):
            raise ValueError("give scheme and standing together")
        if (self.course is None) != (self.training is None):
            raise ValueError("give course and training together")
        return self


Condition = Callable[[VenueSearch], sa.ColumnElement[bool]]


def _in_ward(search: VenueSearch) -> sa.ColumnElement[bool]:
    ward = search.ward or ""
    return sa.or_(col(Ward.code) == ward, sa.func.lower(col(Ward.name)) == ward.lower())


def _of_standing(search: VenueSearch) -> sa.ColumnElement[bool]:
    decided = sa.select(col(Accreditation.venue_id)).where(
        col(Accreditation.scheme) == search.scheme, *standing_at(datetime.now(UTC))
    )
    if search.standing is State.NONE:
        return col(Venue.id).not_in(decided.where(col(Accreditation.state) != State.NONE))
    return col(Venue.id).in_(decided.where(col(Accreditation.state) == search.standing))


def _with_text(search: VenueSearch) -> sa.ColumnElement[bool]:
    text = search.text or ""
    packed = text.replace(" ", "")
    return sa.or_(
        *(
            column.contains(folded(text), autoescape=True)
            for column in (col(Venue.folded_name), col(Business.folded_name))
        ),
        *(
            column.icontains(text, autoescape=True)
            for column in (col(Venue.reference), col(Venue.address), col(Venue.premises_licence))
        ),
        sa.func.replace(col(Venue.postcode), " ", "").icontains(packed, autoescape=True),
        col(Venue.id).in_(
            sa.select(col(Decision.venue_id)).where(col(Decision.certificate) == text.upper())
        ),
    )


def _with_headcount(search: VenueSearch) -> sa.ColumnElement[bool]:
    declared = sa.exists().where(col(Headcount.venue_id) == col(Venue.id), in_effect(Headcount))
    return declared if search.headcount else ~declared


CONDITIONS: dict[str, Condition] = {
    "text": _with_text,
    "name": lambda search: col(Venue.folded_name).contains(
        folded(search.name or ""), autoescape=True
    ),
    "postcode": lambda search: sa.func.replace(col(Venue.postcode), " ", "").startswith(
        (search.postcode or "").upper().replace(" ", ""), autoescape=True
    ),
    "ward": _in_ward,
    "category": lambda search: col(Venue.category) == search.category,
    "status": lambda search: col(Venue.status) == search.status,
    "business": lambda search: col(Venue.business_id) == search.business,
    "licensed": lambda search: col(Venue.licensed) == search.licensed,
    "late_night": lambda search: col(Venue.late_night) == search.late_night,
    "standing": _of_standing,
    "headcount": _with_headcount,
    "not_checked_since": lambda search: sa.or_(
        col(Venue.last_checked).is_(None), col(Venue.last_checked) < search.not_checked_since
    ),
}
"""What each parameter of `VenueSearch` asks of a venue (and its ward and business) in SQL."""

_SHOWN = (
    *("id", "reference", "name", "category", "status", "address", "postcode"),
    *("licensed", "late_night", "last_checked"),
)


def search_venues(session: Session, search: VenueSearch) -> Page[VenueSummary]:
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
            *(
                condition(search)
                for name, condition in CONDITIONS.items()
                if getattr(search, name) is not None
            )
        )
    )
    if search.training is not None:
        statement = statement.where(_of_training(session, search, statement))
    order: list[Any] = [col(Venue.folded_name), col(Venue.id)]
    return page(
        session,
        statement,
        order,
        search,
        lambda row: VenueSummary.model_validate(row, from_attributes=True),
    )


def _of_training(
    session: Session, search: VenueSearch, asked: sa.Select[Any]
) -> sa.ColumnElement[bool]:
    """SQL: how training in a course stands at venues, of those that all else asks for.

    Whether anybody was ever trained SQL says; how it stands since, the decay rule.
    """
    course, on = search.course or "", today()
    trained = col(Venue.id).in_(
        sa.select(col(Attendance.venue_id))
        .join(TrainingSession, col(TrainingSession.id) == col(Attendance.session_id))
        .where(
            in_effect(Attendance),
            in_effect(TrainingSession),
            col(TrainingSession.course) == course,
            col(Attendance.effective_at) < end_of(on),
        )
    )
    if search.training is Status.NEVER:
        return ~trained
    venues = set(session.scalars(asked.where(trained).with_only_columns(col(Venue.id))))
    grid = training_grid(session, [on], venues=venues, courses=[course])
    wanted = list(Status).index(search.training or Status.NEVER)
    places = np.flatnonzero(grid.standings.status[0, :, 0] == wanted)
    return col(Venue.id).in_([UUID(grid.venues[place]) for place in places])


router = APIRouter(prefix="/v1/admin", tags=["register"])


@router.get(
    "/venues",
    summary="Venues",
    response_model=Page[VenueSummary],
    response_description="A page of venues, by name",
    responses=responses(wrong("after", "is not a page of this list")),
)
def list_venues(search: Annotated[VenueSearch, Query()], register: Register, _: Reader) -> Response:
    """The venues of the register, prospects and closed ones too, for which all that is asked
    holds."""
    return register.read(lambda session: search_venues(session, search))
