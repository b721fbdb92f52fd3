"""Sheets out of the register, and into it: all of a file, or nothing."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from sqlmodel import Session, col

from app.core.events import Event, in_effect
from app.core.journal import Journal, tick
from app.core.london import effective
from app.sheets.csv_file import read_rows, written
from app.sheets.decisions import DECISIONS
from app.sheets.engagements import ENGAGEMENTS
from app.sheets.imports import Change, ImportRejected, ImportReport, Track, import_session
from app.sheets.sheet import Book, Row, Sheet, SheetName, Values
from app.sheets.training import ATTENDANCE, HEADCOUNTS
from app.sheets.venues import CELLS, import_venues, venue_rows

SHEETS = {
    SheetName.ATTENDANCE: ATTENDANCE,
    SheetName.HEADCOUNTS: HEADCOUNTS,
    SheetName.DECISIONS: DECISIONS,
    SheetName.ENGAGEMENTS: ENGAGEMENTS,
}
"""Every sheet of events, in an order in which each finds what it rests on."""

_TEMPLATES = Path(__file__).parent / "templates"


def template(name: SheetName) -> bytes:
    """A file to begin with: the columns, and rows to show what goes into them."""
    return (_TEMPLATES / f"{name}.csv").read_bytes()


# --- out -------------------------------------------------------------------------------------


def export_sheet(session: Session, name: SheetName) -> bytes:
    """A sheet with all that is in the register and was not voided."""
    if name is SheetName.VENUES:
        return written(list(CELLS), venue_rows(session))
    sheet, book = SHEETS[name], Book(session)
    rows = (sheet.cells(sheet.values(book, event)) for event in _stored(sheet, session))
    return written([column.name for column in sheet.columns], rows)


def _stored(sheet: Sheet, session: Session, days: Sequence[date] = ()) -> Iterable[Any]:
    """What counts now; of the time from the first of the days to the last."""
    at = col(sheet.model.effective_at)
    statement = sheet.stored.where(in_effect(sheet.model))
    if days:
        end = effective(max(days) + timedelta(days=1))
        statement = statement.where(at >= effective(min(days)), at < end)
    return session.scalars(statement)


# --- in --------------------------------------------------------------------------------------


def import_sheet(
    name: SheetName,
    journal: Journal,
    content: bytes,
    *,
    actor: str,
    dry_run: bool = False,
    track: Track = iter,
) -> ImportReport:
    """Record what a file says and the register does not know yet, all of it or nothing.

    Raises `ImportRejected` with all that is wrong with the file.
    """
    if name is SheetName.VENUES:
        return import_venues(journal, content, actor=actor, dry_run=dry_run, track=track)
    sheet = SHEETS[name]
    columns = [column.name for column in sheet.columns]
    cells, bad = read_rows(content, columns, [c.name for c in sheet.columns if c.required])
    rows = [Row(*numbered) for numbered in cells]
    for row in rows:
        row.read(sheet)
    report = ImportReport(dry_run=dry_run)
    with import_session(journal, actor, dry_run=dry_run) as session:
        book = Book(session)
        good = [row for row in rows if not row.bad]
        good.sort(key=lambda row: sheet.order(row.values))
        _find(sheet, book, good)
        good = [row for row in good if not row.bad]
        if sheet.prepare:
            sheet.prepare(book, good)
        for row in track(good):
            # Of what happened on one day, the row that comes later is what holds.
            tick(session)
            with row.refusing(sheet), session.begin_nested():
                _take_over(sheet, book, row, report)
        bad += [cell for row in rows for cell in row.bad]
        if bad:
            raise ImportRejected(sorted(bad, key=lambda cell: cell.line or 0))
    report.created += book.made
    return report


def _take_over(sheet: Sheet, book: Book, row: Row, report: ImportReport) -> None:
    known, reference = row.event, _reference(row.values)
    row.event = known or sheet.record(book, row.values)
    changed = sheet.complete(book, row.event, row.values) if sheet.complete else ()
    if not known:
        report.created.append(reference)
    elif changed:
        report.updated.append(Change(reference=reference, columns=list(changed)))
    else:
        report.unchanged += 1


def _reference(values: Values) -> str:
    return f"{values.get('venue') or values.get('business')} {values['on']}"


def _find(sheet: Sheet, book: Book, rows: Sequence[Row]) -> None:
    """Give each row an event that says the same, if there is one, and none to two rows.

    A row without, of what another row speaks of too, is refused: it would count twice.
    """
    if not rows:
        return
    filled_in = [column.name for column in sheet.columns if column.filled_in]
    said = [c.name for c in sheet.columns if c.compared and not c.filled_in]
    events: dict[tuple[str, ...], list[tuple[Event, Values]]] = defaultdict(list)
    for event in _stored(sheet, book.session, [row.values["on"] for row in rows]):
        cells = sheet.cells(sheet.values(book, event))
        events[_key(cells, said)].append((event, cells))
    others: dict[tuple[str, ...], list[tuple[Row, Values]]] = defaultdict(list)
    # The rows that say most come first, so that the others don't take what these need.
    for row in sorted(rows, key=lambda row: -len(row.values)):
        cells = sheet.cells(row.values)
        alike = events[_key(cells, said)]
        for place, (event, there) in enumerate(alike):
            if all(cells[name] == "" or _same(cells[name], there[name]) for name in filled_in):
                row.event = event
                del alike[place]
                break
        twins = others[_key(cells, sheet.once or said)]
        for other, there in twins:
            agree = ("" in (cells[n], there[n]) or _same(cells[n], there[n]) for n in filled_in)
            if not row.event and not row.bad and all(agree):
                numbers = "" if _key(cells, said) == _key(there, said) else ", with other numbers"
                row.refuse("", f"is on line {other.line} too{numbers}")
        twins.append((row, cells))


def _key(cells: Values, columns: Iterable[str]) -> tuple[str, ...]:
    return tuple(str(cells[name]) for name in columns)


def _same(cell: Any, other: Any) -> bool:
    """Whether cells name the same: a business is the same in whatever capitals."""
    return str(cell).casefold() == str(other).casefold()
