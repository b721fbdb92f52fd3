"""Opening hours at the officer's desk, on both databases."""

from typing import Any

import httpx
import pytest

from tests.venues.desk import VENUES, a_venue, change, create, problem

CHRISTMAS = {"first": "2026-12-24", "last": "2026-12-26", "times": []}
STOCKTAKING = {"from": "2026-11-27T14:00", "until": "2026-11-27T17:00"}


@pytest.fixture
def hours(officer: httpx.Client) -> str:
    """Where the hours of a venue are that has none yet."""
    return f"{VENUES}/{create(officer, VENUES, a_venue())['id']}/hours"


def _change(officer: httpx.Client, hours: str, method: str, more: str, body: Any = None) -> Any:
    return change(officer, method, hours + more, body, of=hours)


def test_hours_are_set_as_text(officer: httpx.Client, hours: str) -> None:
    assert officer.get(hours).json() == {"next_seven_days": []}
    shown = change(officer, "PUT", hours, {"text": "Mo-Su  11:00-23:00; PH off"}).json()
    assert shown["text"] == "Mo-Su 11:00-23:00; PH off"
    assert shown["hours"]["bank_holidays"] == "closed"
    assert len(shown["next_seven_days"]) == 7
    assert officer.get(hours).json() == shown
    assert officer.get(hours.removesuffix("/hours")).json()["opening_hours"] == shown["text"]


def test_hours_are_set_as_structure(officer: httpx.Client, hours: str) -> None:
    weekly = [{"days": ["Sa", "Fr"], "opens": "22:00", "closes": "04:00"}]
    shown = change(officer, "PUT", hours, {"weekly": weekly, "exceptions": [CHRISTMAS]}).json()
    assert shown["text"] == "Fr-Sa 22:00-04:00; 2026 Dec 24-26 off"
    again = change(officer, "PUT", hours, shown["hours"]).json()
    assert again == shown


def test_wrong_hours_are_refused(officer: httpx.Client, hours: str) -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"text": "9am to 5pm"}, "text"),
        ({"text": "Mo-Fr 09:00-17:00", "weekly": []}, "body"),
        ({}, "body"),
        ({"weekly": [{"days": ["Mo"], "opens": "9", "closes": "17:00"}]}, "weekly.0.opens"),
        ({"weekly": [], "holidays": "off"}, "holidays"),
        ({"weekly": [{"days": ["Mo"], "opens": "10:00", "closes": "10:00"}]}, "weekly.0"),
        ({"text": "Mo-Fr 09:00-17:00; Sa,Su 00:00-00:00"}, "text"),
        ({"text": "Mo-Fr 09:00-17:00; 18:00-22:00"}, "text"),
    ]
    for body, field in wrong:
        set_, tried = (
            change(officer, "PUT", hours, body),
            officer.post(f"{hours}/preview", json=body),
        )
        assert problem(set_) == problem(tried) == (422, "invalid")
        assert [error["field"] for error in set_.json()["errors"]] == [field]


def test_a_preview_stores_nothing(officer: httpx.Client, hours: str) -> None:
    shown = officer.post(f"{hours}/preview", json={"text": "24/7"}).json()
    assert "open all day" in shown["next_seven_days"][0]["words"]
    assert officer.get(hours).json() == {"next_seven_days": []}


def test_an_exception_comes_and_goes(officer: httpx.Client, hours: str) -> None:
    refused = _change(officer, hours, "POST", "/exceptions", CHRISTMAS)
    assert problem(refused) == (409, "hours-unknown")
    change(officer, "PUT", hours, {"text": "Mo-Su 11:00-23:00"})
    added = _change(officer, hours, "POST", "/exceptions", CHRISTMAS).json()
    assert added["hours"]["exceptions"] == [CHRISTMAS]
    shorter = CHRISTMAS | {"times": [{"opens": "12:00", "closes": "15:00"}]}
    replaced = _change(officer, hours, "POST", "/exceptions", shorter).json()
    assert replaced["hours"]["exceptions"] == [shorter]
    gone = _change(officer, hours, "DELETE", "/exceptions/2026-12-24/2026-12-26").json()
    assert gone["text"] == "Mo-Su 11:00-23:00"
    neither = CHRISTMAS | {"times": [{"opens": "10:00", "closes": "10:00"}]}
    wrong = _change(officer, hours, "POST", "/exceptions", neither).json()["errors"]
    assert [error["field"] for error in wrong] == ["times.0"]
    assert "10:00-10:00 opens and closes at the same time" in wrong[0]["message"]
    again = _change(officer, hours, "DELETE", "/exceptions/2026-12-24/2026-12-26")
    assert again.status_code == 404


def test_a_timed_closure_comes_and_goes(officer: httpx.Client, hours: str) -> None:
    change(officer, "PUT", hours, {"text": "Mo-Su 11:00-23:00"})
    for _ in range(2):
        added = _change(officer, hours, "POST", "/closures", STOCKTAKING).json()
        assert added["hours"]["closures"] == [STOCKTAKING]
    path = "/closures/2026-11-27T14:00/2026-11-27T17:00"
    assert _change(officer, hours, "DELETE", path).json()["hours"]["closures"] == []
    assert _change(officer, hours, "DELETE", path).status_code == 404


def test_there_are_not_too_many_exceptions(officer: httpx.Client, hours: str) -> None:
    many = [
        {"first": f"{year}-01-{day:02}", "last": f"{year}-01-{day:02}", "times": []}
        for year in range(2026, 2046)
        for day in range(1, 21)
    ]
    change(officer, "PUT", hours, {"exceptions": many}).raise_for_status()
    answer = _change(officer, hours, "POST", "/exceptions", CHRISTMAS)
    assert answer.json()["errors"][0]["field"] == "exceptions"


def test_hours_are_forgotten(officer: httpx.Client, hours: str) -> None:
    change(officer, "PUT", hours, {"text": "24/7"})
    assert change(officer, "DELETE", hours).json() == {"next_seven_days": []}


def test_hours_need_the_newest_state(officer: httpx.Client, hours: str) -> None:
    etag = officer.get(hours).headers["ETag"]
    change(officer, "PUT", hours, {"text": "24/7"})
    stale = officer.put(hours, json={"text": "off"}, headers={"If-Match": etag})
    assert stale.status_code == 412
    assert officer.put(hours, json={"text": "off"}).status_code == 428
