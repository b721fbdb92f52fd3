"""The survey on a page: counted once, and nothing else kept; and what staff are told of it."""

import re
from datetime import date, timedelta
from html import unescape
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from playwright.sync_api import Browser, expect
from sqlalchemy import Engine
from sqlmodel import Session, select

from app.core.journal import Journal
from app.core.journal_chain import Entry
from app.core.london import today
from app.http.languages import LANGUAGES
from app.outreach.models import SurveyCount
from app.outreach.survey import quarter_of
from tests.factories import make_venue, make_ward
from tests.servers import until
from tests.web.phones import phone
from tests.web.test_accessibility import as_everybody_sees_it

OURS = {"Sec-Fetch-Site": "same-origin"}
YES = {"safer": "yes", "helped": "yes"}


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """One kind is enough: sums are the same on both."""
    return sqlite_url


@pytest.fixture
def ward(engine: Engine) -> UUID:
    return make_ward(engine, name="Lanternside").id


@pytest.fixture
def path(anybody: httpx.Client, engine: Engine, ward: UUID) -> str:
    """The address of the survey of a haven that the public can see."""
    venue = make_venue(engine, name="The Lantern", ward_id=ward).id
    until(lambda: anybody.get(f"/v1/havens/{venue}").status_code == 200)
    return f"/havens/{venue}/survey"


def form(page: httpx.Response) -> dict[str, str]:
    found = re.search('name="form" value="([0-9a-f]+)"', page.text)
    assert found, page.text
    return {"form": found[1]}


def send(client: httpx.Client, path: str, **chosen: str) -> httpx.Response:
    return client.post(path, data=form(client.get(path)) | chosen, headers=OURS)


def counts(engine: Engine) -> list[tuple[Any, ...]]:
    with Session(engine) as session:
        return [
            (one.quarter, one.ward_id, one.answers, one.safer, one.helped)
            for one in session.exec(select(SurveyCount))
        ]


def test_it_is_counted_by_ward_and_quarter_and_nothing_else_is_kept(
    anybody: httpx.Client, engine: Engine, ward: UUID, path: str
) -> None:
    for chosen in (YES, {"safer": "yes", "helped": "no"}, {"safer": "no", "helped": "no"}):
        answer = send(anybody, path, **chosen)
        assert (answer.status_code, answer.headers["location"]) == (303, f"{path}/sent")
    assert "Your answers are counted" in anybody.get(f"{path}/sent").text
    assert counts(engine) == [(quarter_of(today()), ward, 3, 2, 1)]
    with Session(engine) as session:
        assert not session.exec(select(Entry).where(Entry.subject == "survey_count")).all()


def test_what_is_sent_twice_counts_once(anybody: httpx.Client, engine: Engine, path: str) -> None:
    data = form(anybody.get(path)) | YES
    for _ in range(3):
        assert anybody.post(path, data=data, headers=OURS).status_code == 303
    assert [one[2] for one in counts(engine)] == [1]


def test_a_flood_from_one_address_is_turned_away(
    anybody: httpx.Client, engine: Engine, path: str
) -> None:
    statuses = [send(anybody, path, **YES).status_code for _ in range(7)]
    assert statuses == [303] * 5 + [429] * 2
    assert "too many were sent from your connection" in send(anybody, path, **YES).text
    assert [one[2] for one in counts(engine)] == [5]


def test_both_questions_are_asked_for(anybody: httpx.Client, engine: Engine, path: str) -> None:
    safer, helped = "Say whether you felt safer", "Say whether you were helped"
    wrong: list[tuple[dict[str, str], list[str]]] = [
        ({}, [safer, helped]),
        ({"safer": "yes"}, [helped]),
        ({"safer": "\0", "helped": "<script>"}, [safer, helped]),
    ]
    for chosen, words in wrong:
        answer = send(anybody, path, **chosen)
        assert answer.status_code == 422
        assert "<title>Error: How was it at The Lantern?</title>" in answer.text
        for text in words:
            assert text in unescape(answer.text)
        assert answer.text.count(" checked") == ("yes" in chosen.values())
    assert counts(engine) == []


def test_other_sites_and_other_places_count_nothing(
    anybody: httpx.Client, engine: Engine, path: str
) -> None:
    elsewhere = {"Sec-Fetch-Site": "cross-site"}
    assert anybody.post(path, data=YES, headers=elsewhere).status_code == 403
    assert anybody.post(f"/havens/{uuid4()}/survey", data=YES, headers=OURS).status_code == 404
    assert anybody.get(f"/havens/{uuid4()}/survey").status_code == 404
    assert counts(engine) == []


def test_it_follows_a_problem_report(anybody: httpx.Client, path: str) -> None:
    sent = anybody.get(path.replace("/survey", "/report/sent"))
    assert f'href="{path}"' in sent.text


def test_it_is_asked_in_each_language(anybody: httpx.Client, engine: Engine, path: str) -> None:
    for code in LANGUAGES:
        assert f'<html lang="{code}"' in anybody.get(f"/{code}{path}").text
        answer = send(anybody, f"/{code}{path}", **YES)
        assert answer.headers["location"] == f"/{code}{path}/sent"
    assert [one[2] for one in counts(engine)] == [len(LANGUAGES)]


def test_axe_finds_nothing_in_any_state(
    chromium: Browser, anybody: httpx.Client, path: str
) -> None:
    with phone(chromium) as held:
        for language in ("en", "ar"):
            held.page.goto(f"{anybody.base_url}/{language}{path}")
            as_everybody_sees_it(held.page, language)
            held.page.locator("#send").click()
            expect(held.page.locator(".govuk-error-summary")).to_be_visible()
            as_everybody_sees_it(held.page, language)
        held.page.locator("#safer").check()
        held.page.locator("#helped").check()
        held.page.locator("#send").click()
        expect(held.page.locator(".govuk-error-summary")).to_have_count(0)
        as_everybody_sees_it(held.page, "ar")


# --- what staff are told ---------------------------------------------------------------------


@pytest.fixture
def quarters(journal: Journal, ward: UUID) -> tuple[date, date]:
    """The quarter before this one, and this one: in both people answered about two wards."""
    now = quarter_of(today())
    before = quarter_of(now - timedelta(days=1))
    with journal.writing("test") as session:
        for quarter in (before, now):
            session.add(SurveyCount(quarter=quarter, ward_id=ward, answers=30, safer=20, helped=28))
            session.add(SurveyCount(quarter=quarter, answers=6, safer=3, helped=6))
    return before, now


def name(quarter: date) -> str:
    return f"{quarter.year}-Q{(quarter.month + 2) // 3}"


def test_staff_see_what_may_be_told_of_the_quarters_that_are_over(
    officer: httpx.Client, licensing: httpx.Client, quarters: tuple[date, date]
) -> None:
    before, _ = quarters
    for client in (officer, licensing):
        assert client.get("/v1/admin/survey/figures").json()["figures"] == [
            {"quarter": name(before), "ward": "In all", "answers": 36, "felt_safer": 23},
            {"quarter": name(before), "ward": "Lanternside", "answers": 30},
            {"quarter": name(before), "ward": "outside the wards", "answers": 6},
        ]


def test_the_pack_has_it_by_ward_once_the_quarter_is_over(
    licensing: httpx.Client, quarters: tuple[date, date], engine: Engine, ward: UUID
) -> None:
    before, now = quarters

    def told(quarter: date, **filters: str) -> Any:
        asked = {"quarter": name(quarter), **filters}
        return licensing.get("/v1/audit/pack", params=asked).json()["survey"]

    rows = told(before)
    assert [
        (one["ward"], one.get("answers"), one.get("safer"), one.get("helped")) for one in rows
    ] == [
        ("In all", 36, 23, None),
        ("Lanternside", 30, None, None),
        ("outside the wards", 6, None, None),
    ]
    assert rows[0]["safer_share"] == pytest.approx(23 / 36)
    assert told(now) == []
    assert told(before, licensed="true") == []
    asked = {"quarter": name(before), "format": "html"}
    assert "What people said" in licensing.get("/v1/audit/pack", params=asked).text
    issued = licensing.post("/v1/audit/packs", json={"quarter": name(before)}).json()
    with engine.execution_options(writes=True).begin() as connection:
        connection.exec_driver_sql("UPDATE survey_count SET answers = answers + 10")
    checked = licensing.get(f"/v1/audit/packs/{issued['id']}/check").json()
    assert checked["as_issued"], checked
