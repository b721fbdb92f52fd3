"""Scheme tests over HTTP. Nothing about a single venue's tests is public."""

from datetime import timedelta
from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from sqlmodel import Session, col, select

from app.accounts.guards import Officer, Reader
from app.core.db import find, none_such
from app.core.events import VoidReason
from app.core.london import effective, today
from app.core.settings import settings
from app.http.conditional import Register
from app.http.paging import Page, page_together
from app.http.records import Records
from app.outreach import scheme_tests
from app.outreach.models import Debrief, SchemeTest
from app.outreach.routes import BAD_DAY, NOT_IN_REGISTER
from app.outreach.schemas import (
    DebriefIn,
    DebriefOut,
    RetestOut,
    RetestsQuestion,
    SchemeTestIn,
    SchemeTestOut,
    SchemeTestsQuestion,
)
from app.outreach.views import retest_views, scheme_test_views

router = APIRouter(prefix="/v1/admin/scheme-tests", tags=["outreach"])

TESTS = Records(SchemeTest, SchemeTestOut, "scheme-tests", scheme_test_views)
DEBRIEFS = Records(Debrief, DebriefOut, "scheme-tests", whole="test_id")


@router.post(
    "",
    **TESTS.creates("Record a scheme test", NOT_IN_REGISTER, scheme_tests.RetestedAlready()),
)
def record_scheme_test(given: SchemeTestIn, register: Register, officer: Officer) -> Response:
    """Record what happened when an officer asked. A failed test asks for a debrief and a retest."""
    return TESTS.create(register, officer, given, scheme_tests.record_test)


@router.get("", **TESTS.lists("Scheme tests, newest first"))
def list_scheme_tests(
    question: Annotated[SchemeTestsQuestion, Query()], register: Register, _: Reader
) -> Response:
    """Unannounced visits, by venue, scheme, result and day."""
    return register.read(lambda session: TESTS.page(session, question))


@router.get(
    "/retests", summary="Which venues are to be tested again?", response_model=Page[RetestOut]
)
def list_retests(
    question: Annotated[RetestsQuestion, Query()], register: Register, _: Reader
) -> Response:
    """Failed tests that nobody has repeated yet, the earliest first, and which are overdue."""
    on = today()
    statement = select(SchemeTest).where(scheme_tests.asks_for_retest())
    if question.overdue:
        in_time = effective(on - timedelta(days=settings().retest_days))
        statement = statement.where(col(SchemeTest.effective_at) < in_time)
    order = [col(SchemeTest.effective_at), col(SchemeTest.id)]

    views = partial(retest_views, today=on)
    return register.read(lambda session: page_together(session, statement, order, question, views))


@router.get("/{test_id}", **TESTS.shows("One scheme test"))
def one_scheme_test(test_id: UUID, register: Register, _: Reader) -> Response:
    """One unannounced visit, with its debrief and retest."""
    return TESTS.read(register, test_id)


@router.post("/{test_id}/void", **TESTS.voids("Void a scheme test"))
def void_scheme_test(
    test_id: UUID, given: VoidReason, register: Register, officer: Officer
) -> Response:
    """Say that a test was recorded by mistake; what it repeated asks for a retest again."""
    return TESTS.void(register, officer, test_id, given)


@router.post(
    "/{test_id}/debrief",
    **DEBRIEFS.creates(
        "Record a debrief",
        none_such(SchemeTest),
        scheme_tests.NothingToDebrief(),
        scheme_tests.DebriefedAlready(),
        BAD_DAY,
    ),
)
def record_debrief(
    test_id: UUID, given: DebriefIn, register: Register, officer: Officer
) -> Response:
    """Record the talk with a venue about a test that it failed."""

    def record(session: Session, given: DebriefIn) -> Debrief:
        return scheme_tests.record_debrief(session, find(session, SchemeTest, test_id), given)

    return DEBRIEFS.create(register, officer, given, record)


@router.post(
    "/{test_id}/debrief/void",
    **TESTS.changes("Void a debrief", scheme_tests.NoSuchDebrief()),
)
def void_debrief(
    test_id: UUID, given: VoidReason, register: Register, officer: Officer
) -> Response:
    """Say that a debrief was recorded by mistake."""
    return TESTS.change(register, officer, test_id, scheme_tests.void_debrief, given.reason)
