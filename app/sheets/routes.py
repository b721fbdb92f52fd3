"""Spreadsheets over HTTP: a sheet out, a sheet in, and a file to begin with."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from app.accounts.guards import Officer, Reader
from app.core.db import read_session
from app.core.errors import DomainError, FieldError, responses
from app.http.conditional import TheJournal, download
from app.http.middleware import TooLarge, body_limit
from app.sheets import files
from app.sheets.files import SheetName
from app.sheets.import_report import ImportReport, rejected

router = APIRouter(prefix="/v1/admin/bulk", tags=["bulk"])

_CSV = "text/csv"
_FILE = {
    "schema": {"type": "string"},
    "example": "on,venue,staff,left\r\n2025-03-01,V-000123,20,3\r\n",
}
_SHOWN: dict[int | str, dict[str, Any]] = {
    200: {"description": "A CSV file", "content": {_CSV: _FILE}}
}
_REPORT: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "What the file brought, or would bring",
        "content": {
            "application/json": {
                "example": ImportReport(
                    dry_run=True, created=["V-000123 2025-03-01"], unchanged=12
                ).model_dump()
            }
        },
    }
}


class NotCsv(DomainError):
    status = 415
    code = "unsupported-media-type"
    title = "The body must be a CSV file"

    def __init__(self) -> None:
        super().__init__([FieldError(field="Content-Type", message=f"must be {_CSV}")])


async def _content(request: Request) -> bytes:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _CSV:
        raise NotCsv
    return await request.body()


@router.get(
    "/{sheet}.csv",
    summary="A sheet out of the register",
    response_class=Response,
    responses=_SHOWN,
)
def export_sheet(sheet: SheetName, journal: TheJournal, _: Reader) -> Response:
    """All of one kind that is in the register and counts, as a spreadsheet takes it."""
    with read_session(journal.engine) as session:
        content = files.export_sheet(session, sheet)
    return download(content, _CSV, f"{sheet}.csv")


@router.get(
    "/{sheet}/template.csv",
    summary="A sheet to begin with",
    response_class=Response,
    responses=_SHOWN,
)
def sheet_template(sheet: SheetName, _: Reader) -> Response:
    """The columns of a sheet, and rows to show what goes into them."""
    return download(files.template(sheet), _CSV, f"{sheet}-template.csv")


@router.post(
    "/{sheet}",
    summary="A sheet into the register",
    response_model=ImportReport,
    responses=_REPORT
    | responses(
        rejected("must be a date that exists", line=2, column="on"),
        TooLarge(body_limit(router.prefix + "/")),
        NotCsv(),
    ),
    openapi_extra={"requestBody": {"required": True, "content": {_CSV: _FILE}}},
)
def import_sheet(
    sheet: SheetName,
    journal: TheJournal,
    officer: Officer,
    content: Annotated[bytes, Depends(_content)],
    dry_run: Annotated[bool, Query(description="Say what it would bring; keep nothing")] = False,
) -> ImportReport:
    """Record what a file says and the register does not know yet: all of it, or nothing."""
    return files.import_sheet(sheet, journal, content, actor=officer.actor, dry_run=dry_run)
