"""What is printed in which language, and the hours as people read them."""

from datetime import date

import pytest

from app.core.settings import HELP, Contact
from app.core.typesetting import has_letters
from app.http.languages import LANGUAGES, Language
from app.web.paper.words import hours_in_words, numbers_to_call, printable, words

ENGLISH = LANGUAGES["en"]
TODAY = date(2026, 11, 27)

HOURS = [
    ("24/7", "Open day and night"),
    ("24/7; Dec 25 off", "Open day and night, 25 Dec closed"),
    ("off", "closed"),
    ("Mo-Su 10:00-22:00", "Every day 10:00–22:00"),
    ("Mo-Su 10:00-22:00; Dec Mo-Su 21:00-04:00", "Every day 10:00–22:00, Dec 21:00–04:00"),
    (
        "Mo,We 11:00-15:00,17:00-23:00; Fr-Sa 11:00-02:00; PH off",
        "Mon, Wed 11:00–15:00, 17:00–23:00, Fri–Sat 11:00–02:00, bank holidays closed",
    ),
    (
        "May-Sep Mo-Fr 10:00-18:00; PH 12:00-17:00",
        "May–Sep Mon–Fri 10:00–18:00, bank holidays 12:00–17:00",
    ),
    ("2026 Dec 24-2027 Jan 02 off", "24 Dec 2026–2 Jan 2027 closed"),
    ("2026 Nov 24-27 off; 2026 Nov 24-26 off", "24–27 Nov 2026 closed"),
    ("2025 Dec 24 14:00-16:00 off; 2027 Dec 24 off", "24 Dec 2027 closed"),
    (
        "Mo 10:00-12:00; 2026 Nov 20-2026 Dec 02 off",
        "Mon 10:00–12:00, 20 Nov 2026–2 Dec 2026 closed",
    ),
]


@pytest.mark.parametrize(("text", "said"), HOURS)
def test_hours_as_people_read_them(text: str, said: str) -> None:
    assert hours_in_words(text, ENGLISH, TODAY) == said


@pytest.mark.parametrize("code", LANGUAGES)
def test_the_fonts_have_the_letters_of_our_languages(code: str) -> None:
    assert printable(LANGUAGES[code]) is LANGUAGES[code]


@pytest.mark.parametrize(
    ("text", "has"),
    [
        ("Safe places at night “Angela” – 24/7 · ’", True),
        ("Zażółć gęślą jaźń, ŁÓDŹ", True),
        ("¿Dónde está? ¡Aquí! Año", True),
        ("أماكن آمنة في الليل، ادخل.", True),
        ("უსაფრთხო ადგილები", False),
        ("夜の安全な場所", False),
        ("", True),
    ],
)
def test_which_letters_the_fonts_have(text: str, has: bool) -> None:
    assert has_letters(text) is has


class _Georgian(Language):
    """A language that our fonts can't show."""

    def __init__(self) -> None:
        super().__init__("en", "ქართული")
        self.code = "ka"

    def gettext(self, message: str) -> str:
        return "უსაფრთხო"


def test_what_the_fonts_cannot_show_is_printed_in_english() -> None:
    assert printable(_Georgian()) is ENGLISH


def test_whom_to_call() -> None:
    said = words(ENGLISH.gettext)
    assert "Victim Support" in numbers_to_call(HELP, said)
    own = (Contact(name="Night wardens", phone="020 7946 0000"), Contact(name="Us", text="61000"))
    assert numbers_to_call(own, said) == "Night wardens: 020 7946 0000. Us: 61000."
