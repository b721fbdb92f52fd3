"""Engagements over HTTP, and whom the officer owes a next step."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response
from sqlmodel import Session, col, select

from app.accounts.guards import Officer, Reader
from app.core.db import find, none_such
from app.core.errors import Invalid, responses, wrong
from app.core.events import AlreadyVoid, VoidReason, in_effect, shown, void, within
from app.http.conditional import KeyReused, PreconditionRequired, Register, Stale
from app.http.paging import Page, page_together
from app.outreach import engagements, show
from app.outreach.asked import EngagementsAsked, NextStepsAsked
from app.outreach.models import Engagement
from app.outreach.schemas import DoneIn, DoneOut, EngagementIn, EngagementOut

router = APIRouter(prefix="/v1/admin", tags=["outreach"])

NOT_IN_REGISTER = wrong("venue_id", "is not in the register")
BAD_DAY = wrong("on", "lies in the future")


@router.post(
    "/engagements",
    status_code=201,
    summary="Log a visit, call, email or event",
    response_model=EngagementOut,
    responses=responses(NOT_IN_REGISTER, KeyReused()),
)
def record_engagement(given: EngagementIn, register: Register, officer: Officer) -> Response:
    """Log a contact with a business; it takes the place of the next step agreed before."""

    def make(session: Session) -> tuple[str, EngagementOut]:
        made = engagements.record_engagement(session, given)
        return f"/v1/admin/engagements/{made.id}", show.engagement(session, made)

    return register.create(officer, given, make)


@router.get(
    "/engagements",
    summary="Engagements, newest first",
    response_model=Page[EngagementOut],
    responses=responses(Invalid()),
)
def list_engagements(
    asked: Annotated[EngagementsAsked, Query()], register: Register, _: Reader
) -> Response:
    """Contacts with businesses, by whom they were with, of what kind and when."""
    statement = select(Engagement).where(*within(Engagement, asked.from_, asked.until))
    for name in ("business_id", "venue_id", "kind", "outcome"):
        if (value := getattr(asked, name)) is not None:
            statement = statement.where(getattr(Engagement, name) == value)
    if not asked.voided:
        statement = statement.where(in_effect(Engagement))
    order: list[Any] = [col(Engagement.effective_at), col(Engagement.id)]
    return register.read(
        lambda session: page_together(
            session, statement, order, asked, show.engagements, newest_first=True
        )
    )


@router.get(
    "/engagements/{engagement_id}",
    summary="One engagement",
    response_model=EngagementOut,
    responses=responses(none_such(Engagement)),
)
def one_engagement(engagement_id: UUID, register: Register, _: Reader) -> Response:
    """One contact with a business, with its next step and whether that is done."""
    return register.read(lambda session: _shown(session, engagement_id))


def _shown(session: Session, engagement_id: UUID) -> EngagementOut:
    return show.engagement(session, find(session, Engagement, engagement_id))


@router.post(
    "/engagements/{engagement_id}/void",
    summary="Void an engagement",
    response_model=EngagementOut,
    responses=responses(none_such(Engagement), AlreadyVoid(), Stale(), PreconditionRequired()),
)
def void_engagement(
    engagement_id: UUID, given: VoidReason, register: Register, officer: Officer
) -> Response:
    """Say that an engagement was recorded by mistake; what it took the place of is open again."""
    return register.change(
        officer,
        lambda session: _shown(session, engagement_id),
        lambda session: void(session, find(session, Engagement, engagement_id), given.reason),
    )


@router.post(
    "/engagements/{engagement_id}/done",
    status_code=201,
    summary="Say that a next step is done",
    response_model=DoneOut,
    responses=responses(
        none_such(Engagement),
        engagements.EngagementIsVoid(),
        engagements.NoNextStep(),
        engagements.DoneAlready(),
        BAD_DAY,
        KeyReused(),
    ),
)
def record_step_done(
    engagement_id: UUID, given: DoneIn, register: Register, officer: Officer
) -> Response:
    """Complete the next step of an engagement where no later engagement does so by itself."""

    def make(session: Session) -> tuple[str, DoneOut]:
        engagement = find(session, Engagement, engagement_id)
        done = engagements.record_done(session, engagement, given)
        return f"/v1/admin/engagements/{engagement_id}", shown(DoneOut, done)

    return register.create(officer, given, make)


@router.post(
    "/engagements/{engagement_id}/done/void",
    summary="Void that a next step is done",
    response_model=EngagementOut,
    responses=responses(engagements.NoSuchStepDone(), Stale(), PreconditionRequired()),
)
def void_step_done(
    engagement_id: UUID, given: VoidReason, register: Register, officer: Officer
) -> Response:
    """Say that a next step was called done by mistake, so that it is open again."""
    return register.change(
        officer,
        lambda session: _shown(session, engagement_id),
        lambda session: void(session, engagements.one_done(session, engagement_id), given.reason),
    )


@router.get(
    "/next-steps",
    summary="Whom do I owe a call?",
    response_model=Page[EngagementOut],
    responses=responses(Invalid()),
)
def list_next_steps(
    asked: Annotated[NextStepsAsked, Query()], register: Register, _: Reader
) -> Response:
    """Engagements whose next step is still open, the earliest due first.

    It is open until it is said to be done, or until a later engagement with the same venue (or the
    same business, where it was agreed with the business as a whole) says what comes next.
    """
    statement = select(Engagement).where(engagements.is_open())
    if asked.due_by:
        statement = statement.where(col(Engagement.next_step_on) <= asked.due_by)
    for name in ("business_id", "venue_id"):
        if (value := getattr(asked, name)) is not None:
            statement = statement.where(getattr(Engagement, name) == value)
    order: list[Any] = [col(Engagement.next_step_on), col(Engagement.id)]
    return register.read(
        lambda session: page_together(session, statement, order, asked, show.engagements)
    )
