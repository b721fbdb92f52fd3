"""Engagements over HTTP, and whom the officer owes a next step."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from sqlmodel import Session, col, select

from app.accounts.guards import Officer, Reader
from app.core.db import find, none_such
from app.core.errors import wrong
from app.core.events import VoidReason
from app.http.conditional import Register
from app.http.paging import page_together
from app.http.records import Records, matching
from app.outreach import engagements
from app.outreach.models import Engagement, StepDone
from app.outreach.schemas import (
    DoneIn,
    DoneOut,
    EngagementIn,
    EngagementOut,
    EngagementsQuestion,
    NextStepsQuestion,
)
from app.outreach.views import engagement_views

router = APIRouter(prefix="/v1/admin", tags=["outreach"])

NOT_IN_REGISTER = wrong("venue_id", "is not in the register")
BAD_DAY = wrong("on", "lies in the future")

ENGAGEMENTS = Records(Engagement, EngagementOut, "engagements", engagement_views)
STEPS_DONE = Records(StepDone, DoneOut, "engagements", whole="engagement_id")


@router.post(
    "/engagements", **ENGAGEMENTS.creates("Log a visit, call, email or event", NOT_IN_REGISTER)
)
def record_engagement(given: EngagementIn, register: Register, officer: Officer) -> Response:
    """Log a contact with a business; it takes the place of the next step agreed before."""
    return ENGAGEMENTS.create(register, officer, given, engagements.record_engagement)


@router.get("/engagements", **ENGAGEMENTS.lists("Engagements, newest first"))
def list_engagements(
    question: Annotated[EngagementsQuestion, Query()], register: Register, _: Reader
) -> Response:
    """Contacts with businesses, by whom they were with, of what kind and when."""
    return register.read(lambda session: ENGAGEMENTS.page(session, question))


@router.get("/engagements/{engagement_id}", **ENGAGEMENTS.shows("One engagement"))
def one_engagement(engagement_id: UUID, register: Register, _: Reader) -> Response:
    """One contact with a business, with its next step and whether that is done."""
    return ENGAGEMENTS.read(register, engagement_id)


@router.post("/engagements/{engagement_id}/void", **ENGAGEMENTS.voids("Void an engagement"))
def void_engagement(
    engagement_id: UUID, given: VoidReason, register: Register, officer: Officer
) -> Response:
    """Say that an engagement was recorded by mistake; what it took the place of is open again."""
    return ENGAGEMENTS.void(register, officer, engagement_id, given)


@router.post(
    "/engagements/{engagement_id}/done",
    **STEPS_DONE.creates(
        "Say that a next step is done",
        none_such(Engagement),
        engagements.EngagementIsVoid(),
        engagements.NoNextStep(),
        engagements.DoneAlready(),
        BAD_DAY,
    ),
)
def record_step_done(
    engagement_id: UUID, given: DoneIn, register: Register, officer: Officer
) -> Response:
    """Complete the next step of an engagement where no later engagement does so by itself."""

    def record(session: Session, given: DoneIn) -> StepDone:
        return engagements.record_done(session, find(session, Engagement, engagement_id), given)

    return STEPS_DONE.create(register, officer, given, record)


@router.post(
    "/engagements/{engagement_id}/done/void",
    **ENGAGEMENTS.changes("Void that a next step is done", engagements.NoSuchStepDone()),
)
def void_step_done(
    engagement_id: UUID, given: VoidReason, register: Register, officer: Officer
) -> Response:
    """Say that a next step was called done by mistake, so that it is open again."""
    return ENGAGEMENTS.change(register, officer, engagement_id, engagements.void_done, given.reason)


@router.get("/next-steps", **ENGAGEMENTS.lists("Whom do I owe a call?"))
def list_next_steps(
    question: Annotated[NextStepsQuestion, Query()], register: Register, _: Reader
) -> Response:
    """Engagements whose next step is still open, the earliest due first.

    It is open until it is said to be done, or until a later engagement with the same venue (or the
    same business, where it was agreed with the business as a whole) says what comes next.
    """
    still_open = engagements.is_open(question.venue_id)
    statement = select(Engagement).where(still_open, *matching(Engagement, question))
    due = col(Engagement.next_step_on)
    if question.due_by:
        statement = statement.where(due <= question.due_by)
    order = [due, col(Engagement.id)]
    return register.read(
        lambda session: page_together(session, statement, order, question, engagement_views)
    )
