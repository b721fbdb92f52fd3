"""Schemes, decisions and seasons over HTTP."""

from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Body, Depends, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from sqlalchemy.orm import joinedload
from sqlmodel import col, select

from app.accounts.guards import Guard, Officer, Reader
from app.accounts.models import Account, Role
from app.core.db import none_such
from app.core.errors import FieldError, responses, wrong
from app.core.events import VoidReason
from app.core.london import end_of, london_day
from app.http.conditional import Register
from app.http.paging import Page, page
from app.http.records import Records, matching, read_of
from app.schemes import actions, views
from app.schemes.history import standing_at
from app.schemes.models import Accreditation, Decision
from app.schemes.prerequisites import PrerequisiteLacking
from app.schemes.rules import Kind, State
from app.schemes.schemas import (
    AccreditationOut,
    AccreditationsQuestion,
    Assessment,
    DecisionIn,
    DecisionOut,
    DecisionsQuestion,
    SchemesOut,
    StandingQuestion,
    VenueStandings,
)
from app.venues.models import Venue


class _PlainFields(APIRoute):
    """Names a field of a decision as it was sent: `on`, without the kind that chose its model."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                return await handle(request)
            except RequestValidationError as error:
                raise RequestValidationError(
                    [{**fault, "loc": _without_kind(fault["loc"])} for fault in error.errors()]
                ) from None

        return handler


def _without_kind(location: tuple[str | int, ...]) -> tuple[str | int, ...]:
    return location[:1] + location[2:] if location[1:2] in [(k,) for k in Kind] else location


router = APIRouter(prefix="/v1/admin", tags=["schemes"], route_class=_PlainFields)

Assessor = Annotated[Account, Depends(Guard(frozenset({Role.OFFICER, Role.LICENSING})))]
"""Who may assess in the schemes that the licensing team assesses."""

DECISIONS = Records(Decision, DecisionOut, "decisions", order=("effective_at", "recorded_at", "id"))

_BAD_PAGE = wrong("after", "is not a page of this list")
_ILLEGAL = actions.IllegalStep(
    [FieldError(field="kind", message="can be one of applied, assessed, awarded")]
)
_DEPENDS = actions.LaterDecisionDepends(
    [FieldError(field="kind", message="suspended on 2026-05-01 would not stand")]
)
_LACKING = PrerequisiteLacking(
    [FieldError(field="scheme", message="At least one trained member of staff: nobody is in date")]
)


@router.get("/schemes", summary="The schemes", response_model=SchemesOut)
def list_schemes(register: Register, _: Reader) -> Response:
    """Every scheme with its checklist, its validity and what it asks for."""
    return register.read(lambda _: views.all_schemes())


@router.get(
    "/venues/{venue_id}/decisions",
    **DECISIONS.lists("A venue's decisions", none_such(Venue), _BAD_PAGE),
)
def list_decisions(
    venue_id: UUID, question: Annotated[DecisionsQuestion, Query()], register: Register, _: Reader
) -> Response:
    """All that was ever decided about a venue, newest first, mistakes too."""
    statement = select(Decision).where(
        col(Decision.venue_id) == venue_id, *matching(Decision, question)
    )
    return read_of(
        register, Venue, venue_id, lambda session, _: DECISIONS.page(session, question, statement)
    )


@router.post(
    "/venues/{venue_id}/decisions",
    **DECISIONS.creates(
        "Record a decision",
        none_such(Venue),
        _ILLEGAL,
        _DEPENDS,
        actions.NotPassed([FieldError(field="findings", message="does not meet seat")]),
        _LACKING,
        actions.NotActive(),
        wrong("on", "lies in the future"),
    ),
    response_description="The decision as it was recorded",
)
def add_decision(
    venue_id: UUID, asked: Annotated[DecisionIn, Body()], register: Register, officer: Officer
) -> Response:
    """Record a step in a scheme: applied, assessed, awarded, suspended, reinstated, withdrawn or
    refused.

    A step that can't follow what was decided before is refused, and the answer says which can. An
    award needs a passed assessment or an `override_reason`; it and a reinstatement need what the
    scheme asks for (409 `prerequisite-lacking`).
    """
    return DECISIONS.create(register, officer, asked, actions.decide, venue_id)


@router.post(
    "/venues/{venue_id}/assessments",
    **DECISIONS.creates(
        "Record an assessment",
        none_such(Venue),
        _ILLEGAL,
        _DEPENDS,
        wrong("scheme", "is assessed by officers only"),
    ),
    response_description="The assessment as it was recorded",
)
def add_assessment(
    venue_id: UUID, given: Assessment, register: Register, assessor: Assessor
) -> Response:
    """Record an assessment in a scheme that the licensing team assesses too, Safety Thirst."""
    return DECISIONS.create(register, assessor, given, actions.assess, venue_id)


@router.get("/decisions/{decision_id}", **DECISIONS.shows("One decision"))
def one_decision(decision_id: UUID, register: Register, _: Reader) -> Response:
    """A decision as it was recorded, and whether it was voided."""
    return DECISIONS.read(register, decision_id)


@router.post(
    "/decisions/{decision_id}/void",
    **DECISIONS.voids("Void a decision", _DEPENDS, wrong("reason", "is required")),
)
def void_decision(
    decision_id: UUID, given: VoidReason, register: Register, officer: Officer
) -> Response:
    """Mark a decision as a mistake; then record what should have been. Needs `If-Match`.

    One on which a later decision rests can't be voided before that.
    """
    return DECISIONS.change(register, officer, decision_id, actions.void_decision, given.reason)


@router.get(
    "/venues/{venue_id}/standing",
    summary="A venue's standing in every scheme",
    response_model=VenueStandings,
    responses=responses(none_such(Venue), wrong("known_at", "lies in the future")),
)
def venue_standing(
    venue_id: UUID, question: Annotated[StandingQuestion, Query()], register: Register, _: Reader
) -> Response:
    """How a venue stands, what can be decided next, and whether it has what an award needs.

    At the end of a London day, as known at an instant; now, as known now, when neither is given.
    """
    at = datetime.now(UTC)
    if question.on and question.on != london_day(at):
        at = end_of(question.on) - timedelta(microseconds=1)
    return register.read(
        lambda session: views.venue_standings(session, venue_id, at, question.known_at)
    )


@router.get(
    "/accreditations",
    summary="Accreditations of the whole register",
    response_model=Page[AccreditationOut],
    responses=responses(_BAD_PAGE),
)
def list_accreditations(
    question: Annotated[AccreditationsQuestion, Query()], register: Register, _: Reader
) -> Response:
    """How every venue that ever took a step stands now, in every scheme.

    The one that ends first comes first, those without an end last.
    """
    until = col(Accreditation.until)
    named = joinedload(Accreditation.venue, innerjoin=True).load_only(  # type: ignore[arg-type]
        Venue.reference,  # type: ignore[arg-type]
        Venue.name,  # type: ignore[arg-type]
        Venue.status,  # type: ignore[arg-type]
    )
    conditions = [*standing_at(datetime.now(UTC)), *matching(Accreditation, question)]
    if question.expiring_before:
        conditions += [
            until < question.expiring_before,
            col(Accreditation.state).in_((State.IN_FORCE, State.SUSPENDED)),
        ]
    statement = select(Accreditation).where(*conditions).options(named)
    order: list[Any] = [until, col(Accreditation.venue_id), col(Accreditation.scheme)]

    def shown(accreditation: Accreditation) -> AccreditationOut:
        return AccreditationOut.model_validate(accreditation, from_attributes=True)

    return register.read(lambda session: page(session, statement, order, question, shown))
