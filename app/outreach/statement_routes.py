"""Letters and what is said by their links over HTTP, as officers work through them."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from sqlmodel import Session, col, select

from app.accounts.guards import Officer, Reader
from app.core.events import shown
from app.http.conditional import Register
from app.http.records import Records
from app.outreach import statements
from app.outreach.models import Letter, Statement
from app.outreach.schemas import Named
from app.outreach.statement_schemas import (
    AcceptanceIn,
    DeclineIn,
    EndingOut,
    LetterOut,
    LettersQuestion,
    StatementOut,
    StatementsQuestion,
)
from app.outreach.views import venues_named
from app.training.actions import DeclaredAlready
from app.venues.models import Business, Contact

router = APIRouter(prefix="/v1/admin", tags=["outreach"])


def _statements(session: Session, found: Sequence[Statement]) -> list[StatementOut]:
    venues = venues_named(session, (statement.venue_id for statement in found))
    return [shown(StatementOut, one, venue=venues[one.venue_id]) for one in found]


def _letters(session: Session, found: Sequence[Letter]) -> list[LetterOut]:
    about = {letter.id: [(UUID(one["venue_id"]), one) for one in letter.about] for letter in found}
    venues = venues_named(session, (id_ for some in about.values() for id_, _ in some))
    ids = {letter.business_id for letter in found}
    businesses = {
        business.id: Named(id=business.id, name=business.name)
        for business in session.exec(select(Business).where(col(Business.id).in_(ids)))
    }
    contact_ids = {letter.contact_id for letter in found}
    names = select(Contact.id, Contact.name).where(col(Contact.id).in_(contact_ids))
    contacts = dict(session.exec(names).all())
    return [
        shown(
            LetterOut,
            letter,
            contact=contacts.get(letter.contact_id),
            business=businesses.get(letter.business_id) if letter.business_id else None,
            about=[
                EndingOut.model_validate(one | {"venue": venues[id_]})
                for id_, one in about[letter.id]
            ],
            link_ends_at=statements.ends_at(letter),
        )
        for letter in found
    ]


STATEMENTS = Records(Statement, StatementOut, "statements", _statements, order=("said_at", "id"))
LETTERS = Records(Letter, LetterOut, "letters", _letters, order=("made_at", "id"))


@router.get("/statements", **STATEMENTS.lists("What venues say"))
def list_statements(
    question: Annotated[StatementsQuestion, Query()], register: Register, _: Reader
) -> Response:
    """What those who look after venues said when a letter asked them, newest first."""
    return register.read(lambda session: STATEMENTS.page(session, question))


@router.get("/statements/{statement_id}", **STATEMENTS.shows("One statement"))
def one_statement(statement_id: UUID, register: Register, _: Reader) -> Response:
    """What somebody who looks after a venue says about it. Nothing has changed by that."""
    return STATEMENTS.read(register, statement_id)


@router.post(
    "/statements/{statement_id}/accept",
    **STATEMENTS.changes("Accept the statement", statements.DecidedAlready(), DeclaredAlready()),
)
def accept_statement(
    statement_id: UUID, given: AcceptanceIn, register: Register, officer: Officer
) -> Response:
    """Take it for true. A headcount is declared by that; what else changed, edit at the venue."""
    return STATEMENTS.change(register, officer, statement_id, statements.accept, given)


@router.post(
    "/statements/{statement_id}/decline",
    **STATEMENTS.changes("Decline the statement", statements.DecidedAlready()),
)
def decline_statement(
    statement_id: UUID, given: DeclineIn, register: Register, officer: Officer
) -> Response:
    """Leave things as they are, and say why."""
    return STATEMENTS.change(register, officer, statement_id, statements.decline, given)


@router.get("/letters", **LETTERS.lists("Letters to contacts"))
def list_letters(
    question: Annotated[LettersQuestion, Query()], register: Register, _: Reader
) -> Response:
    """Letters about what ends soon, sent and waiting, newest first."""
    return register.read(lambda session: LETTERS.page(session, question))


@router.get("/letters/{letter_id}", **LETTERS.shows("One letter"))
def one_letter(letter_id: UUID, register: Register, _: Reader) -> Response:
    """What a letter is about, and how long its link is good for."""
    return LETTERS.read(register, letter_id)


@router.post(
    "/letters/{letter_id}/revoke",
    **LETTERS.changes("Revoke the link of a letter", statements.LetterEnded()),
)
def revoke_letter(letter_id: UUID, register: Register, officer: Officer) -> Response:
    """End its link at once; a letter that still waits is not sent."""
    return LETTERS.change(register, officer, letter_id, statements.revoke)
