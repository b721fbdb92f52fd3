"""Hours filled in as a week: kept as it was typed, tried out in words, and only then set."""

from datetime import datetime, timedelta

import pytest

from app.accounts.models import Role
from app.core.london import LONDON, today
from app.venues import osm_hours
from app.web.staff.venue import week_of
from tests.factories import make_venue
from tests.web.staff.conftest import Browser, Staff, text

WEEK = {
    f"{day}.0.{end}": time
    for day in ("Mo", "Fr")
    for end, time in (("opens", "9"), ("closes", "1:30"))
}


@pytest.fixture(scope="module")
def browser(staff: Staff) -> Browser:
    return staff.browser(Role.OFFICER)


@pytest.fixture
def address(staff: Staff) -> str:
    return f"/console/venues/{make_venue(staff.app.state.journal.engine, hours=None).id}/hours/edit"


def test_a_week_is_shown_in_words_before_it_counts(browser: Browser, address: str) -> None:
    tried = browser.send(address, WEEK, **{"try": "yes", "bank_holidays": "closed"})
    assert tried.status_code == 200, text(tried)
    assert "Mo,Fr 09:00-01:30; PH off" in text(tried)
    kept = browser.fields(tried)
    assert kept.items() >= (WEEK | {"bank_holidays": "closed"}).items()
    assert "Mo,Fr" not in text(browser.get(address))
    done = browser.client.post(address, data=kept)
    assert done.status_code == 303, text(done)
    assert browser.fields(browser.get(address))["text"] == "Mo,Fr 09:00-01:30; PH off"


def test_what_was_set_for_dates_stays(browser: Browser, address: str) -> None:
    said = "Mo-Su 10:00-22:00; Dec 25 off"
    assert browser.send(address, {"by": "text", "text": said}).status_code == 303
    page = browser.get(address)
    assert browser.fields(page)["Su.0.closes"] == "22:00"
    assert "What is set for some dates stays: exceptions." in text(page)
    assert browser.send(address, {"Su.0.closes": "20:00"}).status_code == 303
    assert browser.fields(browser.get(address))["text"] == (
        "Mo-Sa 10:00-22:00; Su 10:00-20:00; Dec 25 off"
    )


def test_what_is_wrong_is_said_at_its_time(browser: Browser, address: str) -> None:
    page = browser.send(
        address, {"We.1.opens": "<b>late", "We.1.closes": "25:00", "Th.0.opens": "9"}
    )
    assert page.status_code == 422
    assert "<title>3 errors: Change the hours" in page.text
    for place in ("We-1-opens", "We-1-closes", "Th-0-closes"):
        assert f'<a href="#{place}">' in page.text
        assert f'id="{place}-error"' in page.text
    assert browser.fields(page)["We.1.opens"] == "<b>late"


def test_who_saw_older_hours_sees_both(browser: Browser, address: str) -> None:
    first = browser.fields(browser.get(address))
    assert browser.send(address, WEEK).status_code == 303
    late = browser.client.post(address, data=first | {"Su.0.opens": "8", "Su.0.closes": "12"})
    assert late.status_code == 409
    assert "Mo,Fr 09:00-01:30" in text(late)
    assert browser.fields(late)["Su.0.opens"] == "8"


@pytest.mark.parametrize(
    ("now", "hours", "first", "told", "why"),
    [
        (
            "2026-11-26T16:30",
            "Th 10:00-15:00,17:00-02:00",
            "Thursday",
            [["10:00–15:00", "17:00–02:00"], [], []],
            "all of today, not only what is left of it",
        ),
        (
            "2026-11-28T01:00",
            "Fr 17:00-02:00",
            "Friday",
            [["17:00–02:00"], [], []],
            "in the night, the day on which it began",
        ),
        (
            "2026-11-28T03:00",
            "Fr 17:00-02:00",
            "Saturday",
            [[], [], []],
            "but no day that is over",
        ),
        ("2026-11-28T03:00", "24/7", "Saturday", [["Open day and night"]] * 3, "without an end"),
    ],
)
def test_a_venue_s_week(now: str, hours: str, first: str, told: list[list[str]], why: str) -> None:
    days = week_of(osm_hours.parse(hours), datetime.fromisoformat(now).replace(tzinfo=LONDON))
    assert len(days) == 7
    assert days[0]["name"] == first, why
    assert [day["openings"] for day in days[:3]] == told, why


def test_what_is_out_of_the_usual_stands_beside_its_day(staff: Staff, browser: Browser) -> None:
    christmas = datetime(2026, 12, 24, 12, tzinfo=LONDON)
    days = week_of(osm_hours.parse("Mo-Su 17:00-02:00; PH off"), christmas)
    assert [day["note"] for day in days[:3]] == ["", "bank holiday", "bank holiday"]
    assert [day["openings"] for day in days[:3]] == [["17:00–02:00"], [], []]
    venue = make_venue(staff.app.state.journal.engine)
    address = f"/console/venues/{venue.id}"
    shut = f"{today() + timedelta(days=1)}T00:00"
    done = browser.send(f"{address}/hours/closures", {"from": shut, "until": f"{shut[:11]}05:00"})
    assert done.status_code == 303
    assert "shut from 00:00 to 05:00" in text(browser.get(address))
