"""Every sheet as a file: out of the register, into it (all or nothing), or to begin with."""

from enum import StrEnum
from pathlib import Path

from sqlmodel import Session

from app.core.batch import Batch
from app.core.journal import Journal
from app.sheets.cells import read_rows, write_rows
from app.sheets.decisions import DECISIONS
from app.sheets.engagements import ENGAGEMENTS
from app.sheets.events import EventSheet
from app.sheets.import_report import Import, ImportRejected, ImportReport, Track
from app.sheets.rows import Row
from app.sheets.training import ATTENDANCE, HEADCOUNTS
from app.sheets.venues import VENUES, VenueSheet


class SheetName(StrEnum):
    VENUES = "venues"
    ATTENDANCE = "attendance"
    HEADCOUNTS = "headcounts"
    DECISIONS = "decisions"
    ENGAGEMENTS = "engagements"


EVENT_SHEETS = {
    SheetName.ATTENDANCE: ATTENDANCE,
    SheetName.HEADCOUNTS: HEADCOUNTS,
    SheetName.DECISIONS: DECISIONS,
    SheetName.ENGAGEMENTS: ENGAGEMENTS,
}
SHEETS: dict[SheetName, EventSheet | VenueSheet] = {SheetName.VENUES: VENUES, **EVENT_SHEETS}
"""Every sheet, in an order in which each finds what it rests on."""

_TEMPLATES = Path(__file__).parent / "templates"


def template(name: SheetName) -> bytes:
    """A file to begin with: the columns, and rows to show what goes into them."""
    return (_TEMPLATES / f"{name}.csv").read_bytes()


def export_sheet(session: Session, name: SheetName) -> bytes:
    """A sheet with all that is in the register and was not voided."""
    sheet = SHEETS[name]
    return write_rows(sheet.columns, (sheet.cells(values) for values in sheet.stored(session)))


def import_sheet(
    name: SheetName,
    journal: Journal,
    content: bytes,
    *,
    actor: str,
    dry_run: bool = False,
    track: Track = iter,
    most_rows: int | None = None,
) -> ImportReport:
    """Bring what a file says into the register, all of it or nothing.

    Raises `ImportRejected` with what is wrong with the file.
    """
    asked = import_of(name, content, track, most_rows)
    return asked.carry_out(journal, actor, dry_run=dry_run)


def import_of(
    name: SheetName, content: bytes, track: Track = iter, most_rows: int | None = None
) -> Import:
    """What a file asks for. Raises `ImportRejected` for one that can't be read."""
    sheet = SHEETS[name]
    cells, unread = read_rows(content, sheet.columns, sheet.needed, most_rows)

    def plan(batch: Batch, report: ImportReport) -> None:
        rows = [Row(*numbered) for numbered in cells]
        for row in track(rows):
            row.read(sheet)
        sheet.take_over(batch, rows, report, track)
        if bad := [*unread, *(cell for row in rows for cell in row.bad)]:
            raise ImportRejected(bad)

    return Import(plan, sheet.rests_on)
