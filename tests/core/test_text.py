"""Text is cleaned where it comes in, with the reason for each row."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, ValidationError

from app.core.text import Key, Line, Prose, folded, key, line, prose, shown


class _Note(BaseModel):
    line: Line = Field(default="", max_length=10)
    prose: Prose = Field(default="", max_length=10)


@pytest.mark.parametrize(
    ("given_", "line", "prose", "reason"),
    [
        ("  a   b ", "a b", "a   b", "ends are stripped; a line has single spaces"),
        ("a\r\nb\rc", "a b c", "a\nb\nc", "line ends are one kind"),
        ("a\u2028b\u2029c", "a b c", "a\nb\nc", "those of Unicode too"),
        ("a\tb", "a b", "a\tb", "a tab is white space"),
        (" " * 99 + "a", "a", "a", "the length counts after the cleaning"),
        ("cafe\u0301", "caf\u00e9", "caf\u00e9", "composed, so that equal texts are equal"),
        ("e\u200b\u0301", "\u00e9", "\u00e9", "and without what stood between the parts"),
        ("a\u00a0b", "a b", "a\u00a0b", "a hard space"),
        (" \u200b a", "a", "a", "nothing at the end is seen"),
        ("\U0001f37a", "\U0001f37a", "\U0001f37a", "pictures are text"),
        ("\U0001fa77", "\U0001fa77", "\U0001fa77", "those that are newer than this Python too"),
    ],
)
def test_text_is_cleaned(given_: str, line: str, prose: str, reason: str) -> None:
    note = _Note.model_validate({"line": given_, "prose": given_})
    assert (note.line, note.prose) == (line, prose), reason


@pytest.mark.parametrize("unseen", "\u00ad\u061c\u200b\u200c\u200d\u200e\u200f\u202a\u202c\u2060")
def test_what_nobody_sees_goes(unseen: str) -> None:
    assert line(f"{unseen}V-{unseen}1{unseen}") == "V-1"


@pytest.mark.parametrize("unseen", "\u2066\u2069\u2800\u3164\ufe0f\ufeff\U000e0041\U000e0100")
def test_what_nobody_sees_goes_from_prose(unseen: str) -> None:
    assert prose(f"{unseen}a\n{unseen}b{unseen}") == "a\nb"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "a Persian word of two parts"),
        ("\u0915\u094d\u200d\u0937", "Hindi letters that are joined otherwise"),
        ("\U0001f469\U0001f3fd\u200d\U0001f4bb", "a picture of two"),
        ("\u2764\ufe0f\u200d\U0001f525", "a picture with a variant"),
        ("\u260e\ufe0f \u00a9\ufe0f 1\ufe0f\u20e3", "signs as pictures"),
        ("\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "a flag"),
    ],
)
def test_what_shows_within_words_and_pictures_stays(text: str, reason: str) -> None:
    assert (line(text), prose(text)) == (text, text), reason


@pytest.mark.parametrize("field", ["line", "prose"])
@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("a\0b", "NUL, which PostgreSQL can't store"),
        ("a\x1b[31m", "an escape, which terminals obey"),
        ("a\x7f", "delete"),
        ("\ud800", "half of a character, which UTF-8 can't hold"),
        ("a\u202eb", "what follows is shown backwards"),
        ("caf\ufffd", "a letter was lost"),
        ("\uf8ff", "what it shows depends on the font"),
        ("\uffff", "no character at all"),
        ("12345678901", "too long"),
        (7, "not a text"),
        (None, "nothing"),
    ],
)
def test_text_is_refused(field: str, bad: object, reason: str) -> None:
    with pytest.raises(ValidationError):
        _Note.model_validate({field: bad})


class _Named(BaseModel):
    reference: Key = Field(min_length=1, max_length=4)


@pytest.mark.parametrize(
    "same", ["V-1", " V\u20111 ", "V\u20131", "V\u22121", "\uff36-\uff11", "V-\u200d1", "V-1\ufe0f"]
)
def test_what_looks_the_same_is_the_same_key(same: str) -> None:
    assert _Named(reference=same).reference == "V-1"


@pytest.mark.parametrize("bad", ["\u200b", "\u3164", "\0", "\ufdfa", 7])
def test_a_key_is_refused(bad: object) -> None:
    with pytest.raises(ValidationError):
        _Named.model_validate({"reference": bad})


ODD = st.lists(
    st.sampled_from(
        "aA1# \n\u00a0\u0301\u0323"
        "\u0628\u064e\u0915\u094d\u1100\u1161\u1eb9\u2adc\u3099\u304b\u00a9"
        "\u2764\U0001f525\U0001f3f4\u200b\u200c\u200d\u200e\u00ad\u034f\u2028\u20e3\u2066\ufe0f\ufeff"
        "\U000e0067\U000e007f\u2013\uff11\u00b4"
    )
).map("".join)


@given(st.text() | ODD)
def test_cleaning_twice_changes_nothing(text: str) -> None:
    for clean in (line, prose, key):
        try:
            cleaned = clean(text)
        except ValueError:
            continue
        assert clean(cleaned) == shown(cleaned) == cleaned


@given(st.text())
def test_folding_twice_changes_nothing(text: str) -> None:
    assert folded(folded(text)) == folded(text)
