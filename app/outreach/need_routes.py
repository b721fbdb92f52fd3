"""Sources of need over HTTP; they come in as files."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from app.accounts.guards import Officer, Reader
from app.core.events import VoidReason
from app.http.conditional import Register
from app.http.records import Records
from app.outreach.need import NeedQuestion, NeedSource, NeedSourceOut

router = APIRouter(prefix="/v1/admin/need", tags=["outreach"])

SOURCES = Records(NeedSource, NeedSourceOut, "need")


@router.get("", **SOURCES.lists("Sources of need, newest first"))
def list_need(
    question: Annotated[NeedQuestion, Query()], register: Register, _: Reader
) -> Response:
    """Where help is needed, as each source has it, and those that newer files replaced."""
    return register.read(lambda session: SOURCES.page(session, question))


@router.get("/{source_id}", **SOURCES.shows("A source of need"))
def one_source_of_need(source_id: UUID, register: Register, _: Reader) -> Response:
    """What a file said of where help is needed, without its points."""
    return SOURCES.read(register, source_id)


@router.post("/{source_id}/void", **SOURCES.voids("Void a source of need"))
def void_source_of_need(
    source_id: UUID, given: VoidReason, register: Register, officer: Officer
) -> Response:
    """Have a source count no more; figures as known before still have it."""
    return SOURCES.void(register, officer, source_id, given)
