"""Spreadsheets: out of the register, and into it: sent, looked at, confirmed."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID, uuid4

from fastapi import File, Form, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse

from app.accounts.models import Role
from app.core.errors import FieldError, NotFound
from app.sheets.cells import write_rows
from app.sheets.files import SheetName
from app.sheets.import_report import BadCell, Change, ImportRejected, ImportReport
from app.sheets.staging import IMPORTS, FileKind
from app.web.forms import from_our_pages
from app.web.staff.api import Told
from app.web.staff.pages import staff_page
from app.web.staff.shown import NOTHING, Part, moment_of, name, wording
from app.web.staff.visits import Somebody, Visitor

MEDIA_TYPES = {FileKind.WARDS: "application/geo+json", FileKind.FHRS: "application/json"}
"""Of what is no CSV."""

TITLES = {FileKind.FHRS: "Food hygiene register", FileKind.NEED: "Where help is needed"}

MOST_ROWS = 200
"""How many records of each kind the page lists; the numbers above them are of all."""

REJECTED = "urn:safe-havens:problem:import-rejected"
MISTAKES = ("line", "column", "value", "reason")

Typed = Annotated[str, Form()]


async def show(request: Request, visitor: Somebody) -> Response:
    """All sheets, each as it is now, empty, and to be sent."""
    _for_officers(visitor)
    own = {str(name) for name in SheetName}
    sheets = [(_title(kind), kind, kind in own, kind not in MEDIA_TYPES) for kind in FileKind]
    return staff_page(request, visitor, "sheets.html", "Spreadsheets", sheets=sheets)


async def show_upload(request: Request, visitor: Somebody, kind: str) -> Response:
    """Where a file is chosen."""
    return _upload(request, visitor, _kind(visitor, kind))


async def upload(
    request: Request,
    visitor: Somebody,
    kind: str,
    token: Typed = "",
    key: Typed = "",
    file: Annotated[bytes, File()] = b"",
) -> Response:
    """Keep a file to be looked at, or say what is wrong with it."""
    await from_our_pages(request)
    visitor.check(token)
    chosen = _kind(visitor, kind)
    if not file:
        errors = [FieldError(field="file", message="Choose a file that is not empty")]
        return _upload(request, visitor, chosen, errors=errors)
    told = await visitor.api.send(
        "POST",
        f"/v1/admin/bulk/{chosen}/staged",
        content=file,
        key=key,
        headers={"Content-Type": MEDIA_TYPES.get(chosen, "text/csv")},
    )
    if told.is_done:
        return RedirectResponse(f"/console/bulk/staged/{told.body['id']}", 303)
    if told.body.get("type") != REJECTED:
        return _upload(request, visitor, chosen, errors=told.errors, status=told.status)
    cells, more = await run_in_threadpool(_mistakes, request, visitor, chosen, file)
    return _upload(request, visitor, chosen, errors=told.errors, cells=cells, more=more)


async def show_staged(request: Request, visitor: Somebody, staged_id: UUID) -> Response:
    """What a file would bring; once it was confirmed, what it brought."""
    return _staged(request, visitor, await visitor.api.get(f"/v1/admin/bulk/staged/{staged_id}"))


async def show_unconfirmed(request: Request, visitor: Somebody, staged_id: UUID) -> Response:
    """The same to whoever may confirm it, as they come back to after signing in again."""
    _for_officers(visitor)
    return await show_staged(request, visitor, staged_id)


async def confirm(
    request: Request, visitor: Somebody, staged_id: UUID, token: Typed = "", seen: Typed = ""
) -> Response:
    """Carry out what was shown; what is not the same any more is shown anew."""
    await from_our_pages(request)
    visitor.check(token)
    _for_officers(visitor)
    path = f"/v1/admin/bulk/staged/{staged_id}"
    told = await visitor.api.send("POST", f"{path}/confirm", seen=seen)
    if told.is_done:
        return RedirectResponse(f"/console/bulk/staged/{staged_id}", 303)
    return _staged(request, visitor, await visitor.api.get(path), refused=told)


def _upload(
    request: Request,
    visitor: Visitor,
    kind: FileKind,
    *,
    errors: Sequence[FieldError] = (),
    cells: Sequence[BadCell] = (),
    more: int = 0,
    status: int = 422,
) -> Response:
    mistakes = [[str(getattr(cell, key) or "") for key in MISTAKES] for cell in cells]
    lines = write_rows(MISTAKES, (dict(zip(MISTAKES, row, strict=True)) for row in mistakes))
    return staff_page(
        request,
        visitor,
        "sheet.html",
        "Check the file" if cells else f"Send {_title(kind).lower()}",
        status if errors else 200,
        kind=kind,
        is_csv=kind not in MEDIA_TYPES,
        key=str(uuid4()),
        errors=errors,
        mistakes=Part(
            columns=["Line", "Column", "What it says", "What is wrong"],
            rows=[[Part(text) for text in row] for row in mistakes],
        ),
        more=more,
        # As an address, for what was refused is kept nowhere.
        mistakes_file=f"data:text/csv;charset=utf-8,{quote(lines)}",
    )


def _staged(
    request: Request, visitor: Visitor, told: Told, refused: Told | None = None
) -> Response:
    report = ImportReport.model_validate(told.body["report"])
    is_done = "confirmed_at" in told.body
    kind = FileKind(told.body["kind"])
    return staff_page(
        request,
        visitor,
        "staged.html",
        f"{_title(kind)}: {'what was done' if is_done else 'look at the changes'}",
        409 if refused else 200,
        kind=kind,
        staged=told.body,
        seen=told.etag,
        is_done=is_done,
        is_stale=refused is not None and refused.status == 412,
        refused=refused.errors if refused and refused.status != 412 else (),
        when=moment_of(told.body["confirmed_at" if is_done else "until"]),
        figures=_figures(report, is_done=is_done),
        tables=[table for table in _tables(report) if table[1].rows],
        may_confirm=Role.OFFICER in visitor.account.roles and not is_done,
    )


def _figures(report: ImportReport, *, is_done: bool) -> list[tuple[str, int]]:
    verbs = ("are new", "changed", "removed") if is_done else ("are new", "change", "go")
    counts = (len(report.created), len(report.updated), len(report.removed))
    return [
        *zip(verbs, counts, strict=True),
        ("say what we have", report.unchanged),
        ("are passed over", len(report.skipped)),
    ]


def _tables(report: ImportReport) -> Iterable[tuple[str, Part, int]]:
    """A title, the first rows, and how many more there are."""
    some: list[tuple[str, list[str], list[tuple[str, ...]]]] = [
        ("What is to be looked at", ["Record", "Why"], _rows(report.remarks, "reason")),
        ("Passed over", ["Record", "Name", "Why"], _rows(report.skipped, "name", "reason")),
        ("Changed", *_changed(report.updated)),
        ("New", ["Record"], [(one,) for one in report.created]),
        ("Removed", ["Record"], [(one,) for one in report.removed]),
        ("In another ward", ["Record"], [(one,) for one in report.moved]),
        ("Outside the wards", ["Record"], [(one,) for one in report.outside]),
    ]
    for title, columns, rows in some:
        shown = [[Part(text) for text in row] for row in rows[:MOST_ROWS]]
        yield title, Part(columns=columns, rows=shown), max(0, len(rows) - MOST_ROWS)


def _changed(changes: Sequence[Change]) -> tuple[list[str], list[tuple[str, ...]]]:
    """Columns and rows: from what to what, where the import says so."""
    if not any(one.cells for one in changes):
        return ["Record", "What"], _rows(changes, "columns")
    return ["Record", "What", "Now", "Then"], [
        (one.reference, name(cell.column), cell.now or NOTHING, cell.then or NOTHING)
        for one in changes
        for cell in one.cells
    ]


def _rows(records: Iterable[Any], *keys: str) -> list[tuple[str, ...]]:
    return [(one.reference, *(_said(getattr(one, key)) for key in keys)) for one in records]


def _said(value: Any) -> str:
    return ", ".join(map(name, value)) if isinstance(value, list) else str(value)


def _mistakes(
    request: Request, visitor: Visitor, kind: FileKind, content: bytes
) -> tuple[list[BadCell], int]:
    """What is wrong with a file, with what stands in it: that no answer of the API repeats."""
    journal = request.app.state.journal
    try:
        IMPORTS[kind](content).planned(journal, visitor.account.actor, dry_run=True)
    except ImportRejected as rejected:
        return rejected.cells, rejected.more
    # Somebody has changed what it did not agree with.
    return [], 0


def _kind(visitor: Visitor, kind: str) -> FileKind:
    """Raises `Forbidden`, and `NotFound` for a word that is no kind of file."""
    _for_officers(visitor)
    if kind not in set(FileKind):
        raise NotFound
    return FileKind(kind)


def _for_officers(visitor: Visitor) -> None:
    visitor.must_be([Role.OFFICER])


def _title(kind: FileKind) -> str:
    return TITLES.get(kind, wording(kind))
