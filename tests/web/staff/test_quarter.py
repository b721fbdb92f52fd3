"""A quarter of the licensing team by following links, without script."""

import re
from datetime import UTC, datetime
from html import unescape

import httpx
import pytest

from app.accounts.models import Role
from app.sheets.files import SheetName, template
from tests.web.staff.conftest import Browser, Staff, text
from tests.web.staff.test_sheets import confirmed, looked_at, sent

NAMED = [("wave", "WAVE"), ("ask_for_angela", "Ask for Angela"), ("makesafe", "MakeSafe")]


@pytest.fixture(scope="module")
def officer(staff: Staff) -> Browser:
    """Who has brought in what the templates of the spreadsheets have as examples."""
    browser = staff.browser(Role.OFFICER)
    for name in SheetName:
        done = confirmed(browser, looked_at(browser, sent(browser, name, template(name))))
        assert done.status_code == 303
    return browser


@pytest.fixture(scope="module")
def browser(staff: Staff, officer: Browser) -> Browser:
    return staff.browser(Role.LICENSING)


def followed(browser: Browser, page: httpx.Response, words: str) -> httpx.Response:
    """The page that the first link with these words leads to."""
    for href, inside in re.findall(r'<a [^>]*?href="([^"]+)"[^>]*>(.*?)</a>', page.text):
        if words in " ".join(unescape(re.sub("<[^>]+>", "", inside)).split()):
            found = browser.client.get(page.url.join(unescape(href)))
            assert found.status_code == 200, text(found)
            return found
    raise AssertionError(f"no link says {words}")


def test_the_quarter(officer: Browser, browser: Browser) -> None:
    front = browser.get("/audit?as_at=2025-03-31")
    said = text(front)
    assert "As at the end of: 31 Mar 2025" in said
    assert re.search(r"\d+ of \d+ venues in force", said)
    file = followed(browser, front, "CSV of By ward: venues in force")
    assert file.headers["content-type"].startswith("text/csv")
    assert "attachment" in followed(browser, front, "XLSX").headers["content-disposition"]

    offered = followed(browser, front, "Packs")
    form = followed(browser, offered, "Issue it")
    asked = browser.fields(form) | {"quarter": "2025-Q1"}
    issued = browser.client.post("/audit/packs/new", data=asked)
    assert issued.status_code == 303
    paper = browser.get(issued.headers["location"])
    assert "January to March 2025" in text(paper)
    assert "<svg" in paper.text

    packs = browser.get("/audit/packs")
    assert "every figure is as it was issued" in text(followed(browser, packs, "Check"))
    assert "figures" in text(followed(browser, packs, "to print"))
    assert followed(browser, packs, "PDF").content.startswith(b"%PDF")
    same = followed(browser, packs, "Difference")
    assert "has changed a figure" in text(same)

    late = b"on,venue,kind,outcome\r\n2025-03-30,V-000123,visit,training_booked\r\n"
    assert confirmed(officer, looked_at(officer, sent(officer, "engagements", late))).is_redirect
    other = text(followed(browser, packs, "Difference"))
    assert "not what they were" in other
    assert "Engagement 30 Mar 2025 V-000123 Kind: Visit" in other
    assert "Engagements by kind, Visit, Engagements 1 2" in other
    assert "fault" not in other
    assert "every figure is as it was issued" in text(followed(browser, packs, "Check"))


def test_a_month_s_turn_is_explained_venue_by_venue(browser: Browser) -> None:
    # The venue of the example is known from today on.
    trend = browser.get("/audit/trend")
    assert "<svg" in trend.text
    turns = re.findall(r'href="(/audit/trend/turn\?[^"]+)"', trend.text)
    turn = browser.get(unescape(turns[0]))
    assert turn.status_code == 200
    assert "As at the end of" in text(turn)
    assert "The Lantern" in text(turn)


@pytest.mark.parametrize(("course", "said"), NAMED)
def test_a_heading_says_a_course_s_name_as_people_write_it(
    browser: Browser, course: str, said: str
) -> None:
    turn = browser.get(f"/audit/trend/turn?month=2025-03&course={course}")
    assert re.search(rf"<h1[^>]*>{said} in Mar 2025</h1>", turn.text)


@pytest.mark.parametrize(
    "report",
    [
        "/audit",
        "/audit/trend",
        "/audit/trend/turn?month=2025-03&course=wave",
        "/audit/quality",
        "/audit/levy",
        "/audit/due?read=yes",
        "/audit/scheme-tests?read=yes",
        "/audit/scheme-tests/venues?read=yes",
        "/audit/night",
        "/audit/venues/{venue_id}?read=yes",
    ],
)
def test_a_page_says_what_programs_are_told(
    staff: Staff, browser: Browser, monkeypatch: pytest.MonkeyPatch, report: str
) -> None:
    # A page takes the report as it is, and programs its JSON.
    listed = staff.browser(Role.OFFICER).get("/console/venues?text=Lantern").text
    [venue_id] = {*re.findall(r"/console/venues/([0-9a-f-]{36})", listed)}
    now = {"known_at": datetime.now(UTC).isoformat()}
    address = httpx.URL(report.format(venue_id=venue_id)).copy_merge_params(now)
    as_it_is = browser.client.get(address)
    assert as_it_is.status_code == 200
    monkeypatch.setattr("app.web.staff.api.HANDED_BACK", "havens.taken_by_nobody")
    assert browser.client.get(address).text == as_it_is.text


def test_what_is_journalled_is_said_first(staff: Staff, browser: Browser) -> None:
    def length() -> int:
        found: int = staff.app.state.journal.length()
        return found

    before = length()
    may_be = browser.get("/audit/scheme-tests")
    assert "If it does, that you read it is written into the journal" in text(may_be)
    warning = followed(browser, followed(browser, may_be, "Read it"), "at each venue")
    assert "That you read it is written into the journal" in text(warning)
    assert length() == before
    assert "As at the end of" in text(followed(browser, warning, "Read it"))


@pytest.mark.parametrize(
    "question", ["as_at=2099-01-01", "known_at=never", "as_at=x&known_at=2025-01-01T10:00&ward=E0"]
)
def test_a_wrong_question_is_answered_with_what_is_wrong(browser: Browser, question: str) -> None:
    page = browser.get(f"/audit?{question}")
    assert page.status_code == 422
    assert "There is a problem" in text(page) or "There are" in text(page)


def test_a_time_is_one_of_london_s_clocks(browser: Browser) -> None:
    page = browser.get("/audit?as_at=2025-06-30&known_at=2025-07-01T10:00")
    assert "by what was known on 1 Jul 2025, 10:00" in text(page)
