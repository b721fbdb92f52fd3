"""What an officer records about contacts with businesses, and whom they owe a next step."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from app.core.db import many_rows
from app.core.errors import DomainError, NotFound, wrong
from app.core.events import in_effect, keep, not_in_future, recorded, void
from app.outreach.models import Engagement, StepDone
from app.outreach.schemas import DoneIn, EngagementIn
from app.venues.models import Business, Venue


class NoSuchStepDone(NotFound):
    title = "That next step has not been said to be done"


class EngagementIsVoid(DomainError):
    """What was a mistake leaves nothing to do."""

    status = 409
    code = "engagement-is-void"
    title = "This engagement was voided"


class NoNextStep(DomainError):
    status = 409
    code = "no-next-step"
    title = "This engagement has no next step"


class DoneAlready(DomainError):
    """The next step was said to be done, or a later engagement took its place."""

    status = 409
    code = "done-already"
    title = "This next step is not open any more"


def record_engagement(session: Session, given: EngagementIn) -> Engagement:
    """Record a contact with a venue and whoever runs it, or with a business. Raises `Invalid`."""
    venue = _named(session, Venue, given.venue_id, "venue_id")
    business = _named(session, Business, given.business_id, "business_id")
    return keep(session, new_engagement(session, given, venue, business))


def new_engagement(
    session: Session, given: EngagementIn, venue: Venue | None, business: Business | None
) -> Engagement:
    """A contact with a venue and whoever runs it, or with a business. Raises `Invalid`."""
    if venue and business and venue.business_id not in (None, business.id):
        raise wrong("venue_id", "is not run by that business")
    if given.next_step_on and given.next_step_on < given.on:
        raise wrong("next_step_on", "must not be before on")
    fields = given.model_dump(exclude={"on"})
    if venue and not business:
        fields["business_id"] = venue.business_id
    return Engagement(effective_at=not_in_future(session, given.on), **fields, **recorded(session))


def _named(session: Session, model: Any, id_: UUID | None, field: str) -> Any:
    record = session.get(model, id_) if id_ else None
    if id_ and record is None:
        raise wrong(field, "is not in the register")
    return record


def record_done(session: Session, engagement: Engagement, given: DoneIn) -> StepDone:
    """Record that a next step is done. Raises as `new_step_done` does."""

    def still_open() -> bool:
        open_ = is_open(engagement.venue_id, engagement.business_id)
        found = select(Engagement.id).where(Engagement.id == engagement.id, open_)
        return session.exec(found).first() is not None

    return keep(session, new_step_done(session, engagement, given, still_open))


def new_step_done(
    session: Session, engagement: Engagement, given: DoneIn, still_open: Callable[[], bool]
) -> StepDone:
    """That a next step is done.

    Raises `Invalid`, `EngagementIsVoid`, `NoNextStep`, `DoneAlready`.
    """
    if engagement.voided_at is not None:
        raise EngagementIsVoid
    if engagement.next_step is None:
        raise NoNextStep
    if not still_open():
        raise DoneAlready
    if given.on < engagement.on:
        raise wrong("on", "must not be before the engagement")
    at = not_in_future(session, given.on)
    return StepDone(
        effective_at=at, engagement_id=engagement.id, note=given.note, **recorded(session)
    )


class NewestEngagements:
    """As `is_open` asks, for many engagements and those that are about to be recorded."""

    def __init__(self, session: Session) -> None:
        self._at_venue: dict[UUID, tuple[Any, ...]] = {}
        self._with_business: dict[UUID, tuple[Any, ...]] = {}
        newest = sa.select(
            col(Engagement.effective_at),
            col(Engagement.recorded_at),
            col(Engagement.id),
            col(Engagement.venue_id),
            col(Engagement.business_id),
        )
        rows: Iterable[Any] = many_rows(session, newest.where(in_effect(Engagement)))
        for row in rows:
            self._add(*row)

    def add(self, engagement: Engagement) -> None:
        """Know one that is about to be recorded."""
        order = engagement.effective_at, engagement.recorded_at, engagement.id
        self._add(*order, engagement.venue_id, engagement.business_id)

    def _add(self, at: datetime, recorded_at: datetime, id_: UUID, *parties: UUID | None) -> None:
        ranked = at, recorded_at, id_
        for newest, party in zip((self._at_venue, self._with_business), parties, strict=True):
            if party:
                newest[party] = max(newest.get(party, ranked), ranked)

    def leave_open(self, engagement: Engagement) -> bool:
        """Whether no later engagement took the place of this one's next step."""
        ranked = engagement.effective_at, engagement.recorded_at, engagement.id
        # One with a venue says nothing of what was agreed with the business as a whole.
        if engagement.venue_id:
            return self._at_venue.get(engagement.venue_id, ranked) <= ranked
        if engagement.business_id:
            return self._with_business.get(engagement.business_id, ranked) <= ranked
        return False


def void_done(session: Session, engagement: Engagement, reason: str) -> None:
    """Say that a next step was called done by mistake. Raises `NoSuchStepDone`."""
    done = session.exec(
        select(StepDone).where(StepDone.engagement_id == engagement.id, in_effect(StepDone))
    ).first()
    if done is None:
        raise NoSuchStepDone
    void(session, done, reason)


def is_open(
    venue_id: UUID | None = None, business_id: UUID | None = None
) -> sa.ColumnElement[bool]:
    """SQL: an engagement's next step is still to be taken.

    Quicker where only those are asked of that are with one venue, or with one business as a whole.

    Looks for the newest engagement of each venue and business, which are far fewer than all.
    """
    newest = aliased(Engagement)
    # One with a venue says nothing of what was agreed with the business as a whole.
    as_a_whole = sa.case((col(newest.venue_id).is_(None), col(newest.id)))
    at_venues = _of_newest(col(newest.id), newest, newest.venue_id, Venue)
    with_businesses = _of_newest(as_a_whole, newest, newest.business_id, Business)
    if venue_id or business_id:
        at_venues = at_venues.where(col(Venue.id) == venue_id)
        with_businesses = with_businesses.where(col(Business.id) == business_id)
    done = sa.exists().where(col(StepDone.engagement_id) == Engagement.id, in_effect(StepDone))
    return sa.and_(
        # Not UNION ALL: PostgreSQL would go through the whole list for each engagement.
        col(Engagement.id).in_(sa.union(at_venues, with_businesses)),
        col(Engagement.next_step_on).is_not(None),
        ~done,
    )


def _of_newest(column: Any, newest: Any, party_id: Any, party: Any) -> sa.Select[Any]:
    """SQL: a column of the newest engagement with each venue or business."""
    engagement = (
        sa.select(column)
        .where(party_id == party.id, newest.voided_at.is_(None))
        # Those of one day follow each other as they were recorded.
        .order_by(newest.effective_at.desc(), newest.recorded_at.desc(), newest.id.desc())
        .limit(1)
        .correlate(party)
    )
    return sa.select(engagement.scalar_subquery()).select_from(party)
