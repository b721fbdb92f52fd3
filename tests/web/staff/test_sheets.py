"""Spreadsheets by clicking: sent, looked at, confirmed; and nothing before that."""

import csv
import io
import re
from html import unescape
from urllib.parse import unquote

import httpx
import pytest

from app.accounts.models import Role
from app.http.middleware import body_limit
from app.sheets.files import SheetName, template
from app.sheets.staging import FileKind
from tests.sheets.test_fhrs import HERON, WARD, written
from tests.sheets.test_need import POINTS
from tests.web.staff.conftest import Browser, Staff, text

BULK = "/console/bulk"


@pytest.fixture(scope="module")
def browser(staff: Staff) -> Browser:
    return staff.browser(Role.OFFICER)


def sent(browser: Browser, kind: str, content: bytes) -> httpx.Response:
    """The answer to a file that was chosen and sent."""
    path = f"{BULK}/{kind}/staged"
    form = browser.fields(browser.get(path))
    return browser.client.post(path, data=form, files={"file": ("a file", content)})


def looked_at(browser: Browser, answer: httpx.Response) -> httpx.Response:
    assert answer.status_code == 303, text(answer)
    return browser.get(answer.headers["location"])


def confirmed(browser: Browser, page: httpx.Response) -> httpx.Response:
    """The answer when the button on the page of a file is pressed."""
    return browser.client.post(f"{page.url.path}/confirm", data=browser.fields(page))


def test_every_kind_is_offered_shown_and_recorded(staff: Staff, browser: Browser) -> None:
    offered = browser.get(BULK).text
    files = {name: template(SheetName(name)) for name in SheetName}
    others = {"wards": WARD, "fhrs": written(HERON), "need": POINTS.encode()}
    for kind in FileKind:
        assert f'href="{BULK}/{kind}/staged"' in offered
        content = others.get(kind) or files[SheetName(kind)]
        length = staff.app.state.journal.length()
        page = looked_at(browser, sent(browser, kind, content))
        assert "Nothing has been recorded" in text(page)
        assert staff.app.state.journal.length() == length
        done = looked_at(browser, confirmed(browser, page))
        assert "Recorded on" in text(done)
        assert "Record these changes" not in done.text
        assert staff.app.state.journal.length() > length
        # Pressed again, from the page as it was, it is done once.
        length = staff.app.state.journal.length()
        assert confirmed(browser, page).status_code == 303
        assert staff.app.state.journal.length() == length


def test_mistakes_are_named_and_can_be_taken_away(browser: Browser) -> None:
    file = b"on,venue,staff,left\r\n2025-03-01,<b>nowhere</b>,20,3\r\n2025-02-30,=1+1,x,0\r\n"
    page = sent(browser, "headcounts", file)
    assert page.status_code == 422
    assert "Nothing has been recorded" in text(page)
    for part in ("<b>nowhere</b>", "2025-02-30"):
        assert part in unescape(page.text)
    assert "<b>nowhere" not in page.text
    [address] = re.findall(r'href="data:text/csv;charset=utf-8,([^"]*)"', page.text)
    rows = list(csv.DictReader(io.StringIO(unquote(unescape(address)).lstrip("\ufeff"))))
    assert (rows[0]["line"], rows[0]["column"]) == ("2", "venue")
    # The spreadsheet that opens it works nothing out.
    assert not any(row["value"].startswith("=") for row in rows)


def test_what_changes_is_shown_from_what_to_what(browser: Browser) -> None:
    new = b"reference,name,category,latitude,longitude,phone\nV-9,The Heron,pub,51.5,-0.1,102\n"
    confirmed(browser, looked_at(browser, sent(browser, "venues", new)))
    page = looked_at(browser, sent(browser, "venues", b"reference,phone\nV-9,101\n"))
    assert "V-9 Phone 102 101" in text(page).partition("Record What Now Then")[2]


def test_a_file_that_was_not_chosen_or_is_no_text(browser: Browser) -> None:
    for content in (b"", b"\xff\xfe\x00", b"\x00" * 100):
        page = sent(browser, "venues", content)
        assert page.status_code == 422
        assert "Nothing has been recorded" in text(page)
    path = f"{BULK}/venues/staged"
    large = b"x" * body_limit(path)
    form = browser.fields(browser.get(path))
    assert browser.client.post(path, data=form, files={"file": large}).status_code == 413
    assert browser.get(f"{BULK}/nonsense/staged").status_code == 404


def test_what_changed_meanwhile_is_shown_first(staff: Staff, browser: Browser) -> None:
    head = "on,venue,staff,left\r\n"
    reference = next(csv.DictReader(template(SheetName.VENUES).decode("utf-8-sig").splitlines()))[
        "reference"
    ]
    first = f"{head}2024-01-02,{reference},7,0\r\n"
    both = f"{first}2024-01-03,{reference},8,0\r\n"
    page = looked_at(browser, sent(browser, "headcounts", both.encode()))
    other = staff.browser(Role.OFFICER)
    other_page = looked_at(other, sent(other, "headcounts", first.encode()))
    assert confirmed(other, other_page).status_code == 303
    late = confirmed(browser, page)
    assert late.status_code == 409
    assert "The register has changed since you looked" in text(late)
    length = staff.app.state.journal.length()
    path = page.url.path
    assert confirmed(browser, browser.get(path)).status_code == 303
    assert staff.app.state.journal.length() > length


def test_who_may_not_import_sees_and_does_nothing(staff: Staff) -> None:
    browser = staff.browser(Role.LICENSING)
    assert browser.get(f"{BULK}/venues/staged").status_code == 403
    officer = staff.browser(Role.OFFICER)
    path = f"{BULK}/headcounts/staged"
    form = officer.fields(officer.get(path))
    file = {"file": ("a file", template(SheetName.HEADCOUNTS))}
    stranger = staff.browser()
    assert stranger.client.post(path, data=form, files=file).headers["location"][:9] == "/sign-in?"
    for wrong in ({"token": ""}, {"token": "another"}):
        assert officer.client.post(path, data=form | wrong, files=file).status_code == 403
    evil = {"Origin": "https://evil.example"}
    assert officer.client.post(path, data=form, files=file, headers=evil).status_code == 403
