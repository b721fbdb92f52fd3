"""CSV files: what spreadsheets make of them, and that every text comes back or is refused."""

import csv
import io
import re
from collections.abc import Callable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.core.text import line, prose
from app.sheets.cells import cell_text, read_rows, write_rows
from app.sheets.import_report import BadCell, ImportRejected

ROW = {"a": "1", "b": "2", "c": "3"}


def rows_of(content: str | bytes) -> list[dict[str, str]]:
    """The rows of a file with columns a, b and c in which nothing is wrong."""
    content = content.encode() if isinstance(content, str) else content
    rows, bad = read_rows(content, ["a", "b", "c"], ["a"])
    assert not bad
    return [row for _, row in rows]


def refused(content: bytes) -> list[BadCell]:
    try:
        return read_rows(content, ["a", "b", "c"], ["a"])[1]
    except ImportRejected as rejected:
        return rejected.cells


# --- cells -----------------------------------------------------------------------------------

CHANGED = [
    *("=1", "+1", "-1", "@a", "\ta", "\ra", " =1", "\uff1d1", "\uff0b1", "\uff0d1", "\uff20a"),
    *("007", "00", "1.10", "0.5", "1,234", "(5)", "5-", "\u22125", "\uff11\uff12", "12 1/2"),
    *("100023336956", "1E5", "12e3", "1 E5", "1.5e-3", "0x1F", "£5", "5 €", "50%"),
    *("1-2", "1/2", "24/7", "7-11", "1.5.2026", "2026-01-01", "MAR-1", "5 Mar", "Dec 24"),
    *("Sept 11", "Friday 5 March 2027", "2026 Dec 24 11:00-15:00"),
    *("10:30", "10:30 PM", "10 a", "2026-01-01T10:30", "TRUE", "false"),
    *("#REF!", "#N/A", "#DIV/0!", "#NAME?", "#VALUE!", "#####", "Err:502", "1.00023E+11"),
    *("01-Mar", "Mar-99", "01/02/2003", "CafÃ©", "TÅ·"),
]
KEPT = [
    *("a=1", "E5", "1E", "1E5a", "0", "7", "12345678901", "0a", "020 7946 0001", f"{16 * '9'}a"),
    *("Mo-Su 10:00-23:00; PH off", "12 Poultry", "10a", "1 May Street", "March", "EC2R 8AJ"),
    *("LN/000012345", "True Brew", "#MeToo", "# x", "'Til Late", "São João", "CAFÉ\u2019S"),
]


@pytest.mark.parametrize("shield", ["", "'", "''"])
@pytest.mark.parametrize("text", CHANGED + KEPT)
def test_every_text_comes_back(text: str, shield: str) -> None:
    text = shield + text
    (row,) = rows_of(write_rows(["a", "b"], [{"a": text, "b": -1.5}]))
    assert (cell_text(row["a"]), row["b"]) == (text, "-1.5")


@pytest.mark.parametrize(
    ("text", "cell"), [*((text, f"'{text}") for text in CHANGED), *((text, text) for text in KEPT)]
)
def test_a_text_is_shielded_if_a_spreadsheet_would_change_it(text: str, cell: str) -> None:
    _, (there,) = csv.reader(io.StringIO(write_rows(["a"], [{"a": text}]).decode("utf-8-sig")))
    assert there == cell


def test_numbers_are_not_shielded() -> None:
    _, row = csv.reader(io.StringIO(write_rows(["a", "b"], [{"a": 10**16, "b": -1}]).decode()))
    assert row == [str(10**16), "-1"]


def saved(cell: str) -> str:
    """A cell after a spreadsheet has opened a file and saved it."""
    if re.match("[=+@-]", cell):
        return "#NAME?"
    if re.fullmatch(r"[0-9]{1,2}[-/][0-9]{1,2}", cell):
        return "01-Feb"
    if re.fullmatch(r"[0-9]{1,2}:[0-9]{2}", cell):
        return f"{cell}:00"
    if re.fullmatch(r"(?i)true|false", cell):
        return cell.upper()
    if re.fullmatch(r"£?[0-9,]*\.?[0-9]+%?([Ee][+-]?[0-9]+)?", cell):
        return f"{float(cell.strip('£%').replace(',', '')):.11G}"
    return cell


ODD = st.text("aAeE019'=+-/:.,;%£# \n\t\"é\u0301\u200b\u200d\u202a\ufeff\u00a0\uff1d")
TEXT = st.one_of(
    st.text(), ODD, st.sampled_from(CHANGED + KEPT), st.from_regex("[0-9]+[-/:.Ee][0-9]+")
)


@pytest.mark.parametrize("clean", [line, prose])
@given(text=TEXT)
def test_what_the_register_takes_comes_back_from_a_spreadsheet(
    clean: Callable[[str], str], text: str
) -> None:
    try:
        text = clean(text)
    except ValueError:
        assume(False)
    _, (cell, _) = csv.reader(
        io.StringIO(write_rows(["a", "b"], [{"a": text, "b": 1}]).decode("utf-8-sig"), newline="")
    )
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerows([["a", "b"], [saved(cell), 1]])
    (row,) = rows_of(buffer.getvalue())
    assert clean(cell_text(row["a"])) == text


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        *((error, "is an error of the spreadsheet") for error in ("#REF!", "#N/A", "#NAME?", "##")),
        *((error, "is an error of the spreadsheet") for error in ("#VALUE!", "#DIV/0!", "Err:508")),
        *((number, "is what a spreadsheet makes") for number in ("1.00023E+11", "2,005E+11")),
        *((day, "is what a spreadsheet makes") for day in ("01-Feb", "Mar-01", "24/07/2026")),
        *(
            (text, "has letters that were garbled")
            for text in ("CafÃ©", "the\nTÅ·", "Â£5", "aâ€™s")
        ),
    ],
)
def test_what_a_spreadsheet_made_is_no_text_unless_it_is_cell_text(cell: str, reason: str) -> None:
    with pytest.raises(ValueError, match=f"{reason}.*; or put an apostrophe before it"):
        cell_text(cell)
    assert cell_text(f"'{cell}") == cell
    assert cell_text(cell, is_text=False) == cell


# --- rows and columns ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("a,b,c\n1,2,3\n", "plain"),
        (",,\n\na,b,c\n,,\n \n  ,\u00a0,\u200b\n1,2,3\n\n,,,,\n", "blank rows"),
        ("a,b,c,,\n1,2,3,,\n", "blank columns at the end"),
        ("a,,b, ,c\n1,,2, ,3\n", "and in between"),
        ("a,b,c\n1,2,3,,\n", "blank cells beyond the last column"),
        ("\ufeff\ufeffa, b,c\u00a0\n1,2,3\n", "a mark twice, and spaces about names"),
        ("a;b;c\n1;2;3\n", "semicolons"),
        ("a\tb\tc\n1\t2\t3\n", "tabs"),
        (";;\na;b;c\n1;2;3\n", "semicolons behind a blank row"),
        ("sep=;\r\na;b;c\r\n1;2;3\r\n", "a separator that is declared"),
        ('"SEP=,"\na,b,c\n1,2,3\n', "and in quotation marks"),
        ("sep=|\na|b|c\n1|2|3\n", "and is a rare one"),
        ("a,b,c\r1,2,3\r", "lines of an old Mac"),
    ],
)
def test_a_file_is_read_as_spreadsheets_write_it(content: str, reason: str) -> None:
    assert rows_of(content) == [ROW], reason


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_file_is_read_in_an_encoding_that_is_certain(encoding: str) -> None:
    assert rows_of("a\tb\r\nCafé ŵ\t2\r\n".encode(encoding)) == [{"a": "Café ŵ", "b": "2"}]


def test_cells_that_lack_at_the_end_are_empty() -> None:
    assert rows_of("a,b,c\n1\n1,2\n1,2,3") == [{"a": "1", "b": "", "c": ""}, ROW | {"c": ""}, ROW]


def test_a_separator_in_a_cell_is_quoted() -> None:
    assert rows_of('a;b\n"x;y";"1,2"\n') == [{"a": "x;y", "b": "1,2"}]


@pytest.mark.parametrize(
    ("content", "line_", "column", "reason"),
    [
        (b"a,b\n1,2,3\n", 2, "column 3", "has no name in the header"),
        (b"a,,b\n1,2,3\n", 2, "column 2", "has no name in the header"),
        (b"a,b,c\n1,2,3\n4,5", 3, "", "ends too soon: the file may have been cut off"),
        (b'a,b\n1,"2\n', 2, "", "can't be read as CSV"),
        (b",,\n \n", None, "", "is empty"),
        (b"a,b,d\n", 1, "d", "is not one of the columns"),
        (b"b,c\n", 1, "a", "is missing"),
        ("a,b\n1,2\nCafé,2\n".encode("cp1252"), 3, "", "is not UTF-8 text: save the file as UTF-8"),
        ("a,b\n1,2\n".encode("utf-16-le"), 1, "", "is not UTF-8 text: save the file as UTF-8"),
        ("a,b\n1,2\n".encode("utf-16-be"), 1, "", "is not UTF-8 text: save the file as UTF-8"),
        (b"\xff\xfea\0,\0b\0\n", 1, "", "is not UTF-8 text: save the file as UTF-8"),
        (b"PK\x03\x04\x14\0\x06\0\x08\0\xff\xfe", 1, "", "is not UTF-8 text: save the file as"),
    ],
)
def test_what_is_wrong_with_a_file_is_named(
    content: bytes, line_: int | None, column: str, reason: str
) -> None:
    (cell,) = refused(content)
    assert (cell.line, cell.column) == (line_, column)
    assert cell.reason.startswith(reason)
