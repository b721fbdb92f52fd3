"""Spreadsheets over HTTP: a sheet out, a sheet in, and a file to begin with."""

from hashlib import sha256
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel

from app.accounts.guards import Officer, Reader
from app.core.batch import Outdated
from app.core.db import read_session
from app.core.errors import DomainError, FieldError, responses
from app.http.conditional import Register, TheJournal, answer, download
from app.http.fields import to_json
from app.http.middleware import TooLarge, body_limit
from app.http.records import Records
from app.sheets import files, staging
from app.sheets.files import SheetName
from app.sheets.import_report import ImportReport, rejected
from app.sheets.staging import IMPORTS, MOST_ROWS, FileKind, StagedOut, StagedUpload

router = APIRouter(prefix="/v1/admin/bulk", tags=["bulk"])

_CSV = "text/csv"
_JSON = ("application/json", "application/geo+json")
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


class NotAFile(DomainError):
    """A body that is not said to be what is asked for."""

    status = 415
    code = "unsupported-media-type"
    title = "The body must be a file of the right kind"

    def __init__(self, *media_types: str) -> None:
        message = f"must be {' or '.join(media_types)}"
        super().__init__([FieldError(field="Content-Type", message=message)])


async def _content(request: Request) -> bytes:
    wanted = _JSON if request.path_params.get("kind") in ("wards", "fhrs") else (_CSV,)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() not in wanted:
        raise NotAFile(*wanted)
    return await request.body()


Content = Annotated[bytes, Depends(_content)]


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
        Outdated(),
        TooLarge(body_limit(router.prefix + "/")),
        NotAFile(_CSV),
    ),
    openapi_extra={"requestBody": {"required": True, "content": {_CSV: _FILE}}},
)
def import_sheet(
    sheet: SheetName,
    journal: TheJournal,
    officer: Officer,
    content: Content,
    dry_run: Annotated[bool, Query(description="Say what it would bring; keep nothing")] = False,
) -> ImportReport:
    """Record what a file says and the register does not know yet: all of it, or nothing.

    A file has at most 10,000 rows. Of what is wrong with it the first 100 cells are listed.
    """
    return files.import_sheet(
        sheet, journal, content, actor=officer.actor, dry_run=dry_run, most_rows=MOST_ROWS
    )


# --- staged, looked at, confirmed ------------------------------------------------------------

_STAGED = Records(
    StagedUpload,
    StagedOut,
    "bulk/staged",
    lambda _, uploads: [staging.shown(upload) for upload in uploads],
)


class _FileIn(BaseModel):
    """What an `Idempotency-Key` stands for: the kind and the digest of a file."""

    kind: FileKind
    digest: str


@router.post(
    "/{kind}/staged",
    **_STAGED.creates(
        "A file to look at before it changes the register",
        rejected("must be a date that exists", line=2, column="on"),
        TooLarge(body_limit(router.prefix + "/")),
        NotAFile(_CSV, *_JSON),
    ),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {_CSV: _FILE, **{media: {"schema": {"type": "object"}} for media in _JSON}},
        }
    },
)
def stage_file(kind: FileKind, register: Register, officer: Officer, content: Content) -> Response:
    """Keep a file for seven days, and show what it would bring; nothing is recorded yet.

    A file of which something is wrong is refused, and not kept. Wards and the food hygiene register
    are JSON, all else is CSV.
    """
    report, _ = IMPORTS[kind](content).planned(register.journal, officer.actor, dry_run=True)
    given = _FileIn(kind=kind, digest=sha256(content).hexdigest())
    return _STAGED.create(
        register,
        officer,
        given,
        lambda session, _: staging.stage(session, kind, content, report),
    )


@router.get("/staged/{staged_id}", **_STAGED.shows("A file that was staged"))
def read_staged_file(staged_id: UUID, register: Register, _: Reader) -> Response:
    """What a file would bring; once it was confirmed, what it brought."""
    return register.read(lambda session: staging.shown(staging.staged(session, staged_id)))


@router.post(
    "/staged/{staged_id}/confirm",
    **_STAGED.changes(
        "Carry out what a staged file brings",
        rejected("must be a date that exists", line=2, column="on"),
        Outdated(),
    ),
)
def confirm_staged_file(staged_id: UUID, register: Register, officer: Officer) -> Response:
    """Record what was shown, all of it, once: confirmed again, the same is answered.

    Where it would bring something else by now, for the register has changed, nothing is recorded,
    and what it would bring now is shown instead.
    """
    out = staging.confirm(register.journal, officer.actor, staged_id, register.seen)
    return answer(to_json(out))
