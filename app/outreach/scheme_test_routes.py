"""Scheme tests over HTTP. Nothing about a single venue's tests is public."""

from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response
from sqlmodel import Session, col, select

from app.accounts.guards import Officer, Reader
from app.core.db import find, none_such
from app.core.errors import Invalid, responses
from app.core.events import AlreadyVoid, VoidReason, in_effect, shown, void, within
from app.core.london import effective, today
from app.core.settings import settings
from app.http.conditional import KeyReused, PreconditionRequired, Register, Stale
from app.http.paging import Page, page_together
from app.outreach import scheme_tests, show
from app.outreach.asked import RetestsAsked, SchemeTestsAsked
from app.outreach.models import SchemeTest
from app.outreach.routes import BAD_DAY, NOT_IN_REGISTER
from app.outreach.schemas import DebriefIn, DebriefOut, RetestOut, SchemeTestIn, SchemeTestOut

router = APIRouter(prefix="/v1/admin/scheme-tests", tags=["outreach"])


@router.post(
    "",
    status_code=201,
    summary="Record a scheme test",
    response_model=SchemeTestOut,
    responses=responses(NOT_IN_REGISTER, scheme_tests.RetestedAlready(), KeyReused()),
)
def record_scheme_test(given: SchemeTestIn, register: Register, officer: Officer) -> Response:
    """Record what happened when an officer asked. A failed test asks for a debrief and a retest."""

    def make(session: Session) -> tuple[str, SchemeTestOut]:
        made = scheme_tests.record_test(session, given)
        return f"/v1/admin/scheme-tests/{made.id}", show.scheme_test(session, made)

    return register.create(officer, given, make)


@router.get(
    "",
    summary="Scheme tests, newest first",
    response_model=Page[SchemeTestOut],
    responses=responses(Invalid()),
)
def list_scheme_tests(
    asked: Annotated[SchemeTestsAsked, Query()], register: Register, _: Reader
) -> Response:
    """Unannounced visits, by venue, scheme, result and day."""
    statement = select(SchemeTest).where(*within(SchemeTest, asked.from_, asked.until))
    for name in ("venue_id", "scheme", "result"):
        if (value := getattr(asked, name)) is not None:
            statement = statement.where(getattr(SchemeTest, name) == value)
    if not asked.voided:
        statement = statement.where(in_effect(SchemeTest))
    return register.read(
        lambda session: page_together(
            session, statement, _BY_DAY, asked, show.scheme_tests, newest_first=True
        )
    )


_BY_DAY: list[Any] = [col(SchemeTest.effective_at), col(SchemeTest.id)]


@router.get(
    "/retests",
    summary="Which venues are to be tested again?",
    response_model=Page[RetestOut],
    responses=responses(Invalid()),
)
def list_retests(
    asked: Annotated[RetestsAsked, Query()], register: Register, _: Reader
) -> Response:
    """Failed tests that nobody has repeated yet, the earliest first, and which are overdue."""
    on = today()
    statement = select(SchemeTest).where(scheme_tests.asks_for_retest())
    if asked.overdue:
        in_time = effective(on - timedelta(days=settings().retest_days))
        statement = statement.where(col(SchemeTest.effective_at) < in_time)
    return register.read(
        lambda session: page_together(
            session,
            statement,
            _BY_DAY,
            asked,
            lambda session, found: show.retests(session, found, on),
        )
    )


@router.get(
    "/{test_id}",
    summary="One scheme test",
    response_model=SchemeTestOut,
    responses=responses(none_such(SchemeTest)),
)
def one_scheme_test(test_id: UUID, register: Register, _: Reader) -> Response:
    """One unannounced visit, with its debrief and retest."""
    return register.read(lambda session: _shown(session, test_id))


def _shown(session: Session, test_id: UUID) -> SchemeTestOut:
    return show.scheme_test(session, find(session, SchemeTest, test_id))


@router.post(
    "/{test_id}/void",
    summary="Void a scheme test",
    response_model=SchemeTestOut,
    responses=responses(none_such(SchemeTest), AlreadyVoid(), Stale(), PreconditionRequired()),
)
def void_scheme_test(
    test_id: UUID, given: VoidReason, register: Register, officer: Officer
) -> Response:
    """Say that a test was recorded by mistake; what it repeated asks for a retest again."""
    return register.change(
        officer,
        lambda session: _shown(session, test_id),
        lambda session: void(session, find(session, SchemeTest, test_id), given.reason),
    )


@router.post(
    "/{test_id}/debrief",
    status_code=201,
    summary="Record a debrief",
    response_model=DebriefOut,
    responses=responses(
        none_such(SchemeTest),
        scheme_tests.NothingToDebrief(),
        scheme_tests.DebriefedAlready(),
        BAD_DAY,
        KeyReused(),
    ),
)
def record_debrief(
    test_id: UUID, given: DebriefIn, register: Register, officer: Officer
) -> Response:
    """Record the talk with a venue about a test that it failed."""

    def make(session: Session) -> tuple[str, DebriefOut]:
        test = find(session, SchemeTest, test_id)
        made = scheme_tests.record_debrief(session, test, given)
        return f"/v1/admin/scheme-tests/{test_id}", shown(DebriefOut, made)

    return register.create(officer, given, make)


@router.post(
    "/{test_id}/debrief/void",
    summary="Void a debrief",
    response_model=SchemeTestOut,
    responses=responses(scheme_tests.NoSuchDebrief(), Stale(), PreconditionRequired()),
)
def void_debrief(
    test_id: UUID, given: VoidReason, register: Register, officer: Officer
) -> Response:
    """Say that a debrief was recorded by mistake."""
    return register.change(
        officer,
        lambda session: _shown(session, test_id),
        lambda session: void(session, scheme_tests.one_debrief(session, test_id), given.reason),
    )
