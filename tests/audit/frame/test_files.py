"""Reports as files: what a spreadsheet opens is what the register says, and nothing runs in it."""

import csv
import io
from datetime import UTC, date, datetime
from uuid import UUID

import openpyxl
import pytest
from httpx import Client
from openpyxl.worksheet.worksheet import Worksheet
from pydantic import Field
from sqlalchemy import Engine

from app.audit.frame.files import as_csv, as_xlsx
from app.audit.frame.question import Limits
from app.audit.frame.report import About, Report, Row, Share, columns
from app.core.errors import Invalid
from app.outreach.models import Result, SchemeTest, SchemeTested
from app.sheets.cells import cell_text, read_rows
from tests.audit.records import add, add_venue
from tests.factories import make_ward

HOSTILE = [
    '=HYPERLINK("http://x","y")',
    "+1",
    "-1",
    "@x",
    "\t=1+1",
    "=1+1",
    "{=1+1}",
    "007",
    "1234567890123456",
    "1E5",
    "http://example.org",
    "Ångström's Café “Zoë”",
]


class _Line(Row):
    venue_id: UUID = Field(title="Venue id")
    reference: str = Field(title="Reference")
    name: str = Field(title="Venue")
    on: date = Field(title="Declared on")
    recorded_at: datetime = Field(title="Recorded")
    staff: int = Field(title="Staff")
    coverage: Share = Field(default=None, title="Coverage")
    is_late: bool = Field(title="Late-night")
    schemes: list[str] = Field(default=[], title="Schemes")


class _Other(Row):
    number: int = Field(title="Number")


class _Report(Report):
    lines: list[_Line] = Field(title="By venue")
    others: list[_Other] = Field(title="Others, with a title that is longer than a sheet's name")


def _report(*names: str) -> _Report:
    limits = Limits(rag_green=75, rag_amber=50, due_days=60, retest_days=28)
    return _Report(
        about=About(
            title="Coverage",
            as_at=date(2025, 3, 31),
            known_at=datetime(2025, 4, 1, 8, tzinfo=UTC),
            filters=["ward: Bishopsgate", "late night: yes"],
            limits=limits,
            sources=["attendances", "headcounts"],
        ),
        lines=[
            _Line(
                venue_id=UUID(int=number + 1),
                reference=f"{number:05}",
                name=name,
                on=date(2025, 3, 20),
                recorded_at=datetime(2025, 3, 30, 23, 30, tzinfo=UTC),
                staff=12,
                coverage=None if number else 0.75,
                is_late=True,
                schemes=["safe_haven", "ask_for_angela"],
            )
            for number, name in enumerate(names)
        ],
        others=[],
    )


def _sheets(content: bytes) -> dict[str, Worksheet]:
    book = openpyxl.load_workbook(io.BytesIO(content))
    return {sheet.title: sheet for sheet in book.worksheets}


# --- CSV -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", HOSTILE)
def test_a_csv_cell_is_never_a_formula_and_reads_back(name: str) -> None:
    content = as_csv(_report(name), None)
    titles = [column.title for column in columns(_Line)]
    _, cells = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))
    cell = cells[titles.index("Venue")]
    assert cell.lstrip("'")[:1] not in ("=", "+", "-", "@", "\t") or cell[0] == "'"
    ((_, row),), bad = read_rows(content, titles, titles)
    assert (cell_text(row["Venue"]), bad) == (name, [])


def test_a_csv_file_has_accents_leading_zeros_and_titles() -> None:
    content = as_csv(_report("Ångström's Café “Zoë”"), "lines")
    assert content.startswith("\ufeff".encode())
    header, cells = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))
    assert dict(zip(header, cells, strict=True)) == {
        "Venue id": "00000000-0000-0000-0000-000000000001",
        "Reference": "'00000",
        "Venue": "Ångström's Café “Zoë”",
        "Declared on": "2025-03-20",
        "Recorded": "2025-03-30T23:30:00Z",
        "Staff": "12",
        "Coverage": "0.75",
        "Late-night": "yes",
        "Schemes": "safe_haven; ask_for_angela",
    }


def test_a_csv_file_has_one_table_and_says_which_there_are() -> None:
    assert as_csv(_report(), "others") == "\ufeffNumber\r\n".encode()
    with pytest.raises(Invalid) as refused:
        as_csv(_report(), "nothing")
    assert refused.value.errors[0].message == "must be one of lines, others"


# --- XLSX ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", HOSTILE)
def test_an_xlsx_cell_is_never_a_formula(name: str) -> None:
    cell = _sheets(as_xlsx(_report(name)))["By venue"]["C2"]
    assert (cell.value, cell.data_type, cell.hyperlink) == (name, "s", None)


def test_an_xlsx_file_has_typed_cells_below_a_header_that_stays() -> None:
    sheet = _sheets(as_xlsx(_report("Café", "Bar")))["By venue"]
    assert sheet.freeze_panes == "A2"
    assert sheet.auto_filter.ref == "A1:I3"
    header, first, second = sheet.iter_rows()
    assert [cell.value for cell in header] == [column.title for column in columns(_Line)]
    assert [(cell.data_type, cell.value, cell.number_format) for cell in first] == [
        ("s", "00000000-0000-0000-0000-000000000001", "General"),
        ("s", "00000", "General"),
        ("s", "Café", "General"),
        ("d", datetime(2025, 3, 20), "yyyy-mm-dd"),  # noqa: DTZ001
        # In London's time, which had just become summer's.
        ("d", datetime(2025, 3, 31, 0, 30), "yyyy-mm-dd hh:mm"),  # noqa: DTZ001
        ("n", 12, "General"),
        ("n", 0.75, "0.0%"),
        ("b", True, "General"),
        ("s", "safe_haven; ask_for_angela", "General"),
    ]
    assert second[6].value is None


def test_an_xlsx_file_says_what_it_is_about() -> None:
    sheets = _sheets(as_xlsx(_report("Café")))
    assert list(sheets) == ["About", "By venue", "Others, with a title that is lo"]
    assert [(row[0].value, row[1].value) for row in sheets["About"].iter_rows()] == [
        ("Title", "Coverage"),
        ("As at", datetime(2025, 3, 31)),  # noqa: DTZ001
        ("Known at", datetime(2025, 4, 1, 9)),  # noqa: DTZ001
        ("Filters", "ward: Bishopsgate"),
        ("Filters", "late night: yes"),
        ("Limits", "rag_green: 75"),
        ("Limits", "rag_amber: 50"),
        ("Limits", "due_days: 60"),
        ("Limits", "retest_days: 28"),
        ("Sources", "attendances"),
        ("Sources", "headcounts"),
    ]


def test_an_xlsx_file_is_the_same_whenever_it_is_made() -> None:
    assert as_xlsx(_report("Café")) == as_xlsx(_report("Café"))


# --- over HTTP -------------------------------------------------------------------------------


def test_a_report_over_http_is_a_file_with_a_name(engine: Engine, auditor: Client) -> None:
    formula = HOSTILE[0]
    ward = make_ward(engine, name="Bishopsgate")
    venue = add_venue(engine, reference="00042", name=formula, ward_id=ward.id)
    on, test = date(2025, 3, 20), SchemeTested.ASK_FOR_ANGELA
    add(engine, SchemeTest, on, venue_id=venue.id, scheme=test, result=Result.PASSED)
    asked = {"as_at": "2025-03-31", "ward": ward.code}

    answer = auditor.get("/v1/audit/scheme-tests/venues", params=asked | {"format": "csv"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"].endswith('.csv"')
    assert answer.headers["cache-control"] == "private, no-store"
    header, cells = csv.reader(io.StringIO(answer.content.decode("utf-8-sig"), newline=""))
    row = dict(zip(header, cells, strict=True))
    assert (row["Reference"], row["Venue"], row["Pass rate"]) == ("'00042", f"'{formula}", "1.0")

    answer = auditor.get("/v1/audit/scheme-tests/venues", params=asked | {"format": "xlsx"})
    assert answer.headers["content-disposition"].endswith('.xlsx"')
    about, venues = _sheets(answer.content).values()
    said = [(row[0].value, row[1].value) for row in about.iter_rows()]
    assert ("As at", datetime(2025, 3, 31)) in said  # noqa: DTZ001
    assert ("Filters", "ward: Bishopsgate") in said
    assert ("Sources", "scheme tests") in said
    titles, found = venues.iter_rows()
    shown = dict(zip((cell.value for cell in titles), found, strict=True))
    assert (shown["Reference"].value, shown["Venue"].value) == ("00042", formula)
    assert shown["Venue"].data_type == "s"
    assert (shown["Pass rate"].value, shown["Pass rate"].number_format) == (1, "0.0%")

    refused = auditor.get("/v1/audit/coverage", params={"format": "csv", "table": "nothing"})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "table")
