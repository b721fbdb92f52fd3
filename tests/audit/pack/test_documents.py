"""The pack as a page and as a PDF: all of it there, read by anybody, and nothing in it markup."""

import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from itertools import pairwise

import openpyxl
import pypdfium2  # type: ignore[import-untyped]
import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from app.audit.frame import files, report
from app.audit.frame.question import Filters
from app.audit.pack import charts, documents
from app.audit.pack.pack import QuarterlyPack, compose, parameters
from app.audit.pack.svg import Bar, Line, bars, lines
from app.core.db import connected, read_session
from app.core.settings import Settings
from tests.audit.records import add_venue
from tests.factories import award, make_ward

HOSTILE = '<b>*_#$=HYPERLINK("x")\\ `a` @b [c] {{ d }} & café'
LONG = "Worshipful " * 18
KNOWN_AT = datetime(2025, 4, 10, 9, 30, 15, 123456, tzinfo=UTC)


@pytest.fixture
def engine(sqlite_url: str) -> Iterator[Engine]:
    with connected(sqlite_url) as engine:
        yield engine


@pytest.fixture
def pack(engine: Engine) -> QuarterlyPack:
    """One whose names try to be something else."""
    ward = make_ward(engine, code="=1+1", name=f"Ward {HOSTILE}")
    for reference, name in (("=2+2", HOSTILE), ("<i>", LONG.strip())):
        venue = add_venue(engine, reference=reference, name=name, ward_id=ward.id)
        award(engine, venue.id, date(2025, 2, 3), date(2026, 2, 2))
    return made(engine)


def made(engine: Engine) -> QuarterlyPack:
    with read_session(engine) as session:
        return _made(session)


def _made(session: Session) -> QuarterlyPack:
    what, known_at = parameters(session, "2025-Q1", Filters(), KNOWN_AT, KNOWN_AT)
    return compose(session, what, known_at)


def text_of(pdf: bytes) -> list[str]:
    """What each page says, on one line."""
    with pypdfium2.PdfDocument(pdf) as document:
        return [_text(document[number]) for number in range(len(document))]


def _text(page: pypdfium2.PdfPage) -> str:
    text = page.get_textpage()
    try:
        return " ".join(text.get_text_bounded().split())
    finally:
        text.close()
        page.close()


class _Page(HTMLParser):
    """The tags of a page, and what it says."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.said = ""
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.said += data


def test_nothing_written_by_people_becomes_markup(pack: QuarterlyPack) -> None:
    page = _Page(documents.as_html(pack))
    assert {"b", "i", "script"}.isdisjoint(tag for tag, _ in page.tags)
    assert HOSTILE in page.said
    assert LONG.strip() in page.said
    assert "<i>" in page.said
    pages = " ".join(text_of(documents.as_pdf(pack)))
    for words in (HOSTILE.split(" ", maxsplit=1)[0], "=2+2", "<i>", "{{ d }} & café"):
        assert words in pages, words
    assert pages.count("Worshipful") >= LONG.count("Worshipful")
    book = openpyxl.load_workbook(io.BytesIO(files.as_xlsx(pack)))
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
    assert HOSTILE in {cell.value for cell in cells}
    assert "f" not in {cell.data_type for cell in cells}


def test_a_page_needs_nothing_but_itself(pack: QuarterlyPack) -> None:
    content = documents.as_html(pack)
    page = _Page(content)
    assert {"img", "link", "iframe", "object", "script", "a"}.isdisjoint(
        tag for tag, _ in page.tags
    )
    assert not {"src", "href", "srcset"}.intersection(name for _, had in page.tags for name in had)
    assert not re.search(rb"@import|url\(", content)
    assert set(re.findall(rb"https?://[^\"\s]+", content)) == {b"http://www.w3.org/2000/svg"}
    assert ("html", {"lang": "en-GB"}) in page.tags
    assert content.decode().count("<title>Quarterly report, January to March 2025</title>") == 1
    scopes = {had.get("scope") for tag, had in page.tags if tag == "th"}
    assert scopes == {"col", "row"}


def test_a_pdf_is_tagged_and_says_what_it_is(pack: QuarterlyPack) -> None:
    content = documents.as_pdf(pack)
    for mark in (b"/StructTreeRoot", b"/MarkInfo", b"/Lang", b"pdfuaid:part", b"/Figure", b"/TH"):
        assert mark in content, mark
    with pypdfium2.PdfDocument(content) as document:
        assert pypdfium2.raw.FPDFCatalog_IsTagged(document)
        assert document.get_metadata_value("Title") == pack.about.title
    assert b"en-GB" in content


def test_the_same_pack_makes_the_same_files(pack: QuarterlyPack) -> None:
    for form in (documents.as_html, documents.as_pdf, files.as_xlsx):
        again = QuarterlyPack.model_validate_json(pack.model_dump_json(exclude_none=True))
        assert form(pack) == form(again)


def test_documents_say_where_the_figures_come_from(pack: QuarterlyPack) -> None:
    about = pack.about
    for said in (_Page(documents.as_html(pack)).said, " ".join(text_of(documents.as_pdf(pack)))):
        for words in (
            about.figures_hash,
            "2025-04-10T09:30:15.123456+00:00",
            "green from 75% of staff trained, amber from 50%",
            "scheme tests and debriefs",
            "up to entry 0",
            "not issued: a preview",
            "To 31 March 2025, by what was known on 10 April 2025 at 10:30:15",
            "As they stood when this was made",
        ):
            assert words in said, words


def test_demonstration_data_says_so_on_every_page(
    engine: Engine, pack: QuarterlyPack, monkeypatch: pytest.MonkeyPatch
) -> None:
    notice = "demonstration data"
    assert notice not in _Page(documents.as_html(pack)).said
    assert not any(notice in page for page in text_of(documents.as_pdf(pack)))
    monkeypatch.setattr(report, "settings", lambda: Settings(environment="demo"))
    shown = made(engine)
    pages = text_of(documents.as_pdf(shown))
    assert len(pages) > 2
    assert all(notice in page for page in pages)
    assert notice in _Page(documents.as_html(shown)).said


def test_every_table_is_in_the_documents_with_its_figures(pack: QuarterlyPack) -> None:
    said = _Page(documents.as_html(pack)).said
    pages = " ".join(text_of(documents.as_pdf(pack)))
    for table in report.tables(pack):
        assert table.title in said, table.title
        assert table.title in pages, table.title
    assert set(charts.CHARTS) <= {table.name for table in report.tables(pack)}
    # In force, won and lost in the quarter.
    assert "Safe Havens in force" in said
    assert "2 won, 0 lost" in pages


def test_what_no_font_can_show_keeps_nobody_from_the_rest(
    engine: Engine, pack: QuarterlyPack
) -> None:
    venue = add_venue(engine, name="The Lantern 酒吧 🍺")
    award(engine, venue.id, date(2025, 2, 4), None)
    shown = made(engine)
    content = documents.as_pdf(shown)
    assert any("The Lantern" in page for page in text_of(content))
    assert b"/StructTreeRoot" in content
    assert "The Lantern 酒吧 🍺" in _Page(documents.as_html(shown)).said


# --- charts ----------------------------------------------------------------------------------

SVG = "{http://www.w3.org/2000/svg}"


def texts(svg: str) -> list[str | None]:
    return [text.text for text in ET.fromstring(svg).iter(f"{SVG}text")]  # noqa: S314


def widths(svg: str) -> list[float]:
    """How wide each bar is, those of the legend and the marks left out."""
    boxes = ET.fromstring(svg).iter(f"{SVG}rect")  # noqa: S314
    return [width for box in boxes if (width := float(box.get("width", ""))) > 12]


def test_bars_are_as_long_as_what_they_stand_for() -> None:
    drawn = [Bar("One", (10, 30), "10 + 30", 20), Bar("Two", (20,), "20", 80)]
    chart = bars("People <trained>", drawn, ("new", "again", "before"))
    new, again, two = widths(chart.svg)
    assert again == pytest.approx(3 * new, abs=0.2)
    assert two == pytest.approx(2 * new, abs=0.2)
    assert chart.about == "People <trained>. One: 10 + 30; Two: 20."
    root = ET.fromstring(chart.svg)  # noqa: S314
    assert root.findtext(f"{SVG}title") == "People <trained>"
    assert root.findtext(f"{SVG}desc") == chart.about
    assert {"One", "Two", "10 + 30", "20", "new", "again", "before"} <= set(texts(chart.svg))


def test_bars_of_nothing_are_drawn() -> None:
    assert widths(bars("Nothing", [Bar("One", (0,), "0")], ("now",)).svg) == []
    assert widths(bars("Nothing", [], ("now",)).svg) == []


def test_lines_keep_their_names_apart() -> None:
    shares = [0.0, 0.01, 0.02, 0.99, 1.0, None]
    drawn = [Line(f"Course {n}", [None, 0.5, share]) for n, share in enumerate(shares)]
    chart = lines("Staff trained", ["Q1", "Q2", "Q3"], drawn)
    named = [
        float(text.get("y", ""))
        for text in ET.fromstring(chart.svg).iter(f"{SVG}text")  # noqa: S314
        if (text.text or "").startswith("Course")
    ]
    assert len(named) == len(drawn)
    heights = sorted(named)
    assert all(low - high >= 12.9 for high, low in pairwise(heights))
    assert "Course 5: none, 50.0%, none" in chart.about
    assert "Course 1: none, 50.0%, 1.0%" in chart.about
