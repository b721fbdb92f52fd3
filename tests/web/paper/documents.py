"""What a PDF holds, as a reader, a screen reader and a telephone's camera find it."""

from typing import Any

import pypdfium2  # type: ignore[import-untyped]
import zxingcpp


def pages_of(pdf: bytes) -> list[str]:
    """What each page says, on one line."""
    with pypdfium2.PdfDocument(pdf) as document:
        return [_text(document[number]) for number in range(len(document))]


def _text(page: Any) -> str:
    text = page.get_textpage()
    try:
        return " ".join(text.get_text_bounded().split())
    finally:
        text.close()
        page.close()


def codes_of(pdf: bytes) -> list[str]:
    """What the QR codes on all pages say, as they are printed at 100 dots an inch."""
    found = []
    with pypdfium2.PdfDocument(pdf) as document:
        for number in range(len(document)):
            page = document[number]
            drawn = page.render(scale=100 / 72)
            found += [code.text for code in zxingcpp.read_barcodes(drawn.to_numpy())]
            drawn.close()
            page.close()
    return found


def size_of(pdf: bytes) -> tuple[int, int]:
    """How wide and high the first page is, in millimetres."""
    with pypdfium2.PdfDocument(pdf) as document:
        page = document[0]
        width, height = page.get_size()
        page.close()
    return round(width / 72 * 25.4), round(height / 72 * 25.4)


def check_tagged(pdf: bytes, title: str, language: str) -> None:
    """That it has a structure, a title and a language, to the rules of PDF/UA-1."""
    for mark in (b"/StructTreeRoot", b"/MarkInfo", b"pdfuaid:part", f"({language})".encode()):
        assert mark in pdf, mark
    with pypdfium2.PdfDocument(pdf) as document:
        assert pypdfium2.raw.FPDFCatalog_IsTagged(document)
        assert document.get_metadata_value("Title") == title
