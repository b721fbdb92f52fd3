"""Reports as files that spreadsheets open."""

import io
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from app.audit.frame.report import Mark, Report, Table, tables, title_of
from app.core.errors import wrong
from app.core.london import LONDON
from app.sheets.cells import write_rows

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def as_csv(report: Report, name: str | None) -> bytes:
    """One table of a report, the first when none is named. Raises `Invalid`."""
    table = _named(report, name)
    titles = [column.title for column in table.columns]
    rows = (dict(zip(titles, map(_text, values), strict=True)) for values in table.values())
    return write_rows(titles, rows)


def _named(report: Report, name: str | None) -> Table:
    """A table of a report by its name; the first without one. Raises `Invalid`."""
    by_name = {table.name: table for table in tables(report)}
    if name is not None and name not in by_name:
        raise wrong("table", f"must be one of {', '.join(by_name)}")
    return by_name[name or next(iter(by_name))]


def _text(value: Any) -> Any:
    """A value as a CSV cell: numbers and dates as they are, what has no form of its own as text."""
    match value:
        case bool():
            return "yes" if value else "no"
        case datetime():
            return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        case None | int() | float() | date() | UUID():
            return value
        case list():
            return "; ".join(map(str, value))
        case _:
            return str(value)


def as_xlsx(report: Report, name: str | None = None) -> bytes:
    """A workbook: what the report is about, then a sheet for each table, or for one of a name.

    Numbers, dates and instants (in London's time) are typed; headers stay in view.
    """
    # Not for reports that are read on a page.
    import xlsxwriter  # noqa: PLC0415

    file = io.BytesIO()
    # As the one who writes it says: no text becomes a formula, a link or a number.
    options = {
        "in_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    with xlsxwriter.Workbook(file, options) as book:
        # The same report makes the same file, whenever it is made.
        book.set_properties({"title": report.about.title, "created": report.about.known_at})
        formats = {
            "header": book.add_format({"bold": True, "bottom": 1, "text_wrap": True}),
            "date": book.add_format({"num_format": "yyyy-mm-dd"}),
            "instant": book.add_format({"num_format": "yyyy-mm-dd hh:mm"}),
            "percent": book.add_format({"num_format": "0.0%"}),
        }
        _write_about(book, report, formats)
        for table in tables(report) if name is None else [_named(report, name)]:
            _write_table(book, table, formats)
    return file.getvalue()


def _write_about(book: Any, report: Report, formats: dict[str, Any]) -> None:
    sheet = book.add_worksheet("About")
    sheet.set_column(0, 0, 24)
    sheet.set_column(1, 1, 90)
    line = 0
    for name, field in type(report.about).model_fields.items():
        for part in _lines(getattr(report.about, name)):
            sheet.write_string(line, 0, title_of(name, field), formats["header"])
            _write(sheet, line, 1, part, formats)
            line += 1


def _lines(value: Any) -> list[Any]:
    match value:
        case None:
            return []
        case BaseModel():
            return [f"{name}: {limit}" for name, limit in value]
        case list():
            return value or ["none"]
        case _:
            return [value]


def _write_table(book: Any, table: Table, formats: dict[str, Any]) -> None:
    sheet = book.add_worksheet(table.title[:31])
    sheet.freeze_panes(1, 0)
    for place, column in enumerate(table.columns):
        sheet.set_column(place, place, max(10, min(40, len(column.title) + 2)))
        sheet.write_string(0, place, column.title, formats["header"])
    for line, values in enumerate(table.values(), 1):
        for place, (column, value) in enumerate(zip(table.columns, values, strict=True)):
            number_format = formats["percent"] if Mark.PERCENT in column.marks else None
            _write(sheet, line, place, value, formats, number_format)
    if table.rows:
        sheet.autofilter(0, 0, len(table.rows), len(table.columns) - 1)


def _write(
    sheet: Any,
    line: int,
    place: int,
    value: Any,
    formats: dict[str, Any],
    number_format: Any = None,
) -> None:
    match value:
        case None:
            pass
        case bool():
            sheet.write_boolean(line, place, value)
        case int() | float():
            sheet.write_number(line, place, value, number_format)
        case datetime():
            # Spreadsheets know no zones.
            local = value.astimezone(LONDON).replace(tzinfo=None)
            sheet.write_datetime(line, place, local, formats["instant"])
        case date():
            sheet.write_datetime(line, place, value, formats["date"])
        case _:
            sheet.write_string(line, place, str(_text(value)))
