"""The quarterly pack over HTTP: looked at, issued, proved and told apart from what is known now."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field
from sqlalchemy.orm import defer
from sqlmodel import Session, col, select

from app.accounts.guards import Auditor
from app.audit.cover.on_foot import OnFoot
from app.audit.frame import files
from app.audit.frame.disclosure import note_read
from app.audit.frame.question import AsKnownAt, Filters
from app.audit.models import Pack
from app.audit.pack import documents, issued
from app.audit.pack.issued import Difference, PackCheck, PackIn, PackOut
from app.audit.pack.pack import Parameters, QuarterlyPack, QuarterName, compose, parameters
from app.core.db import find, none_such, read_session, seen_until
from app.core.errors import Invalid, responses, wrong
from app.core.journal import WrongClock
from app.core.london import KnownAt
from app.http.conditional import Register, TheJournal, download, unstored
from app.http.fields import Given, Maybe, to_json
from app.http.idempotency import KeyReused
from app.http.paging import Page, Paged, page

router = APIRouter(prefix="/v1/audit", tags=["audit"])


class PackForm(StrEnum):
    """How a pack comes: to be read on a screen, printed, worked with, or read by a program."""

    JSON = "json"
    HTML = "html"
    PDF = "pdf"
    XLSX = "xlsx"


class PackOutput(Given):
    """In which form a pack comes."""

    format: PackForm = PackForm.JSON


class PackQuestion(Filters, PackOutput):
    """Which quarter, as known when, and about which venues."""

    quarter: QuarterName
    known_at: AsKnownAt = None


class DifferenceQuestion(Given):
    """Until when what was recorded counts."""

    known_at: Maybe[KnownAt] = Field(
        default=None, description="Now, when absent", examples=["2025-06-30T12:00:00Z"]
    )


_FORMS: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            media_type: {
                "schema": {"type": "string", "contentMediaType": media_type},
                "example": "(a document)",
            }
            for media_type in ("text/html", "application/pdf", files.XLSX)
        }
    }
}
_INVALID = wrong("quarter", "lies in the future")


@router.get(
    "/pack",
    summary="A quarter's report as it stands",
    response_model=QuarterlyPack,
    response_description="The partnership's quarterly report",
    responses=_FORMS | responses(_INVALID),
)
def preview_pack(
    question: Annotated[PackQuestion, Query()], journal: TheJournal, _: Auditor, request: Request
) -> Response:
    """The partnership's quarterly report, as it would be issued; nothing is kept of it.

    A quarter that is not over is reported so far.
    """
    with journal.reports() as session:
        now = seen_until(session)
        made_from, known_at = parameters(
            session, question.quarter, question, question.known_at, now
        )
        on_foot = OnFoot.of(request.app.state.settings)
        pack = compose(session, made_from, known_at, on_foot)
    return _in_form(to_json(pack), question.format)


@router.post(
    "/packs",
    status_code=201,
    summary="Issue a quarter's report",
    response_model=PackOut,
    responses=responses(_INVALID, KeyReused()),
)
def issue_pack(given: PackIn, register: Register, auditor: Auditor, request: Request) -> Response:
    """Make the report by all that is known at this instant, and keep it as it is for good."""

    def make(session: Session) -> tuple[str, PackOut]:
        pack = issued.issue(session, given, OnFoot.of(request.app.state.settings))
        return f"/v1/audit/packs/{pack.id}", PackOut.of(pack)

    return register.create(auditor, given, make)


@router.get(
    "/packs",
    summary="The reports that were issued",
    response_model=Page[PackOut],
    responses=responses(Invalid()),
)
def list_packs(paging: Paged, register: Register, _: Auditor) -> Response:
    """Every issued report, newest first, without what it says."""
    statement = select(Pack).options(defer(Pack.document))  # type: ignore[arg-type]
    order: list[Any] = [col(Pack.issued_at), col(Pack.id)]
    return register.read(
        lambda session: page(session, statement, order, paging, PackOut.of, newest_first=True)
    )


@router.get(
    "/packs/{pack_id}",
    summary="An issued report",
    response_model=QuarterlyPack,
    response_description="The partnership's quarterly report",
    responses=_FORMS | responses(none_such(Pack), Invalid()),
)
def read_pack(
    pack_id: UUID, output: Annotated[PackOutput, Query()], journal: TheJournal, _: Auditor
) -> Response:
    """The report as it was issued, in any form; it comes from what was kept, never made anew."""
    with read_session(journal.engine) as session:
        document = find(session, Pack, pack_id).document
    return _in_form(document.encode(), output.format)


@router.get(
    "/packs/{pack_id}/check",
    summary="Whether an issued report can be had again",
    response_model=PackCheck,
    responses=responses(none_such(Pack)),
)
def check_pack(pack_id: UUID, journal: TheJournal, _: Auditor) -> Response:
    """Make the report again by what was known then, and hold it against what was kept.

    `as_issued` is false when anything is not as it was; that is a fault, which the log tells too.
    """
    with read_session(journal.engine) as session:
        return unstored(to_json(issued.check(session, find(session, Pack, pack_id))))


@router.get(
    "/packs/{pack_id}/difference",
    summary="How an issued report and what is known now differ, and why",
    response_model=Difference,
    responses=responses(none_such(Pack), Invalid(), WrongClock()),
)
def explain_difference(
    pack_id: UUID,
    question: Annotated[DifferenceQuestion, Query()],
    journal: TheJournal,
    auditor: Auditor,
) -> Response:
    """Which figures are not what they were, and every event that was recorded or voided since.

    That somebody read of a scheme test at one venue is journalled.
    """
    with read_session(journal.engine) as session:
        pack = find(session, Pack, pack_id)
        known_at = question.known_at or datetime.now(UTC)
        difference = issued.difference(session, pack, known_at)
        view = Parameters.model_validate(pack.parameters).view(known_at)
    note_read(journal, auditor.actor, "difference", view, difference.tested())
    return unstored(to_json(difference))


def _in_form(document: bytes, form: PackForm) -> Response:
    if form is PackForm.JSON:
        return unstored(document)
    pack = QuarterlyPack.model_validate_json(document)
    name = f"safe-havens-{pack.about.quarter}.{form}"
    match form:
        case PackForm.HTML:
            answer = unstored(documents.as_html(pack), "text/html")
            answer.headers["Content-Disposition"] = f'inline; filename="{name}"'
            answer.headers["Content-Security-Policy"] = documents.POLICY
            return answer
        case PackForm.PDF:
            return download(documents.as_pdf(pack), "application/pdf", name)
        case PackForm.XLSX:
            return download(files.as_xlsx(pack), files.XLSX, name)
