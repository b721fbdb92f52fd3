"""What waits for an officer, by mail every day: where to, over HTTP; and what it says."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial

import sqlalchemy as sa
from fastapi import APIRouter, Response
from pydantic import BaseModel, Field
from sqlmodel import Session, SQLModel, col, select

from app.accounts.guards import Officer
from app.accounts.models import Account, Role
from app.audit.frame.question import Question, View
from app.audit.reports.due import DueKind, work_list
from app.core.errors import responses
from app.core.journal import erase
from app.core.london import london_day
from app.core.settings import Settings
from app.http.conditional import Register, Stale
from app.http.fields import Given, Text
from app.outreach.engagements import is_open
from app.outreach.models import (
    Digest,
    Engagement,
    Letter,
    ProblemReport,
    ReportState,
    SchemeTest,
    Statement,
    StatementState,
)
from app.outreach.scheme_tests import asks_for_retest
from app.venues.fields import Email

SOON_DAYS = 14

router = APIRouter(prefix="/v1/admin/digest", tags=["outreach"])


class DigestIn(Given):
    """Where to send it."""

    email: Email = Field(
        default="",
        description="Where what waits for you is sent every day; nowhere, when it is empty",
        examples=["j.okafor@city.example"],
    )


class DigestOut(BaseModel):
    """Where your daily mail goes."""

    email: Text = Field(default=None, examples=["j.okafor@city.example"])


def _shown(session: Session, account: Account) -> DigestOut:
    digest = session.get(Digest, account.id)
    return DigestOut(email=digest.email if digest else "")


def _set(session: Session, account: Account, given: DigestIn) -> None:
    digest = session.get(Digest, account.id)
    if digest and not given.email:
        erase(session, [digest])
    elif digest:
        digest.email = given.email
    elif given.email:
        session.add(Digest(account_id=account.id, email=given.email))


@router.get("", summary="Your daily mail", response_model=DigestOut)
def read_digest(register: Register, officer: Officer) -> Response:
    """Where what waits for you is sent every day, if anywhere."""
    return register.read(partial(_shown, account=officer))


@router.put(
    "", summary="Set your daily mail", response_model=DigestOut, responses=responses(Stale())
)
def put_digest(given: DigestIn, register: Register, officer: Officer) -> Response:
    """Have what waits for you sent to an address every day, or no longer."""
    return register.change(
        officer,
        partial(_shown, account=officer),
        partial(_set, account=officer, given=given),
    )


# --- what it says --------------------------------------------------------------------------------


def due(session: Session, at: datetime) -> list[tuple[Digest, Account]]:
    """Those whose mail of the London day at an instant has not gone."""
    today = london_day(at)
    rows = session.exec(
        select(Digest, Account)
        .join(Account)
        .where(~col(Account.disabled))
        .order_by(col(Account.name))
    )
    return [
        (digest, account)
        for digest, account in rows
        if Role.OFFICER in account.roles and (digest.sent_for is None or digest.sent_for < today)
    ]


def text(session: Session, at: datetime, ours: Settings) -> str:
    """What waits, in numbers alone, for mail is read in many places; empty when nothing does."""
    lines = [f"{number:>5}  {what}" for what, number in _counts(session, at) if number]
    if not lines:
        return ""
    head = ["DEMONSTRATION: nothing of this is real.", ""] if ours.demonstration else []
    return "\n".join([*head, "What waits for you:", "", *lines, "", ours.address("/console")])


def _counts(session: Session, at: datetime) -> Iterator[tuple[str, int]]:
    view = View.of(session, Question(), at)
    today, soon = view.as_at, view.as_at + timedelta(days=SOON_DAYS)
    items = work_list(session, view, SOON_DAYS)
    for kind, what in ((DueKind.ACCREDITATION, "awards"), (DueKind.TRAINING, "venues' courses")):
        days = [item.on for item in items if item.kind is kind and item.on and item.on >= today]
        yield f"{what} that end within {SOON_DAYS} days", len(days)

    def count(model: type[SQLModel], *conditions: sa.ColumnElement[bool]) -> int:
        counted = sa.select(sa.func.count()).select_from(model).where(*conditions)
        return session.scalar(counted) or 0

    steps, is_new = col(Engagement.next_step_on), col(ProblemReport.state) == ReportState.NEW
    yield "next steps overdue", count(Engagement, is_open(), steps < today)
    yield (
        f"next steps within {SOON_DAYS} days",
        count(Engagement, is_open(), steps.between(today, soon)),
    )
    yield "retests to do", count(SchemeTest, asks_for_retest())
    yield "new problem reports", count(ProblemReport, is_new, ~col(ProblemReport.set_apart))
    yield (
        "new statements of venues",
        count(Statement, col(Statement.state) == StatementState.NEW),
    )
    lately = col(Letter.made_at) > at - timedelta(days=SOON_DAYS)
    yield (
        "letters that the mail server refused lately",
        count(Letter, lately, col(Letter.refused) != ""),
    )
