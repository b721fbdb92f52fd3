"""Reporting a problem on a page: three taps, nothing typed lost, and truth when nothing is kept."""

import re
from html import unescape
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import Engine

from app.core.settings import Settings
from app.outreach import reports
from app.outreach.models import ReportKind
from tests.databases import Postgres
from tests.factories import make_venue
from tests.servers import add_venue, serving_directory, until

SAID = "They laughed & sent me <away>"


@pytest.fixture
def form(anybody: httpx.Client, engine: Engine) -> str:
    """The address of the form of a haven that the public can see."""
    venue = make_venue(engine, name="The Lantern").id
    until(lambda: anybody.get(f"/v1/havens/{venue}").status_code == 200)
    return f"/havens/{venue}/report"


def kept(officer: httpx.Client) -> list[Any]:
    found: list[Any] = officer.get("/v1/admin/problem-reports").json()["items"]
    return found


def refused(page: httpx.Response, status: int, *words: str) -> None:
    """The form comes back, says what is wrong, and holds what was typed."""
    assert page.status_code == status
    assert re.search("<title>Error: Report a problem at The Lantern</title>", page.text)
    assert "There is a problem" in page.text
    for target in re.findall(r'govuk-error-summary__list">.*?href="#(\w+)"', page.text, re.DOTALL):
        assert f'id="{target}"' in page.text
    for text in (*words, SAID):
        assert text in unescape(page.text)
    assert "Emergency services" in page.text
    assert page.headers["Cache-Control"] == "no-store"


def test_every_kind_is_offered(anybody: httpx.Client, form: str) -> None:
    page = anybody.get(form).text
    assert set(re.findall(r'type="radio" value="(\w+)"', page)) == set(ReportKind)
    assert "checked" not in page
    assert page.count(' type="submit"') == 1
    assert "<title>Report a problem at The Lantern</title>" in page


def test_a_report_is_kept_and_thanked_for(
    anybody: httpx.Client, officer: httpx.Client, form: str
) -> None:
    ours = {"Sec-Fetch-Site": "same-origin", "Origin": "null"}
    sent = anybody.post(f"/pl{form}", data={"kind": "turned_away", "comment": SAID}, headers=ours)
    assert (sent.status_code, sent.headers["Location"]) == (303, f"/pl{form}/sent")
    thanks = anybody.get(sent.headers["Location"])
    assert thanks.status_code == 200
    assert "tel:999" in thanks.text
    (found,) = kept(officer)
    assert (found["kind"], found["comment"]) == ("turned_away", SAID)
    assert anybody.post(form, data={"kind": "closed"}).status_code == 303


def test_what_is_no_report_comes_back_with_what_was_typed(
    anybody: httpx.Client, officer: httpx.Client, form: str
) -> None:
    refused(anybody.post(form, data={"comment": SAID}), 422, "Choose what was wrong")
    refused(anybody.post(form, data={"kind": "great", "comment": SAID}), 422, "Choose what")
    long = anybody.post(form, data={"kind": "closed", "comment": SAID + "x" * 1000})
    refused(long, 422, "What you add must be 1000 characters or fewer")
    assert re.search('value="closed" checked', long.text)
    odd = anybody.post(form, data={"kind": "closed", "comment": SAID + "\x00"})
    refused(odd, 422, "has a character that can\u2019t be kept")
    for body in (b"kind=closed&comment=%ff%fe", b"%", b"\x00"):
        as_form = {"Content-Type": "application/x-www-form-urlencoded"}
        assert anybody.post(form, content=body, headers=as_form).status_code == 422
    broken = {"Content-Type": "multipart/form-data; boundary=x"}
    page = anybody.post(form, content=b"--y\r\n", headers=broken)
    assert page.status_code == 422
    assert page.headers["Content-Type"].startswith("text/html")
    a_file = anybody.post(form, files={"kind": ("a.txt", b"closed")}, data={"comment": SAID})
    assert a_file.status_code == 422
    assert kept(officer) == []


def test_no_other_site_can_send_one(
    anybody: httpx.Client, officer: httpx.Client, form: str
) -> None:
    host = anybody.base_url.netloc.decode()
    strangers = [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://elsewhere.example"},
        {"Origin": "http://[broken"},
        {"Origin": ""},
    ]
    ours = [
        {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": f"http://{host}"},
        {"Origin": "null"},
        {},
    ]
    for headers in strangers:
        page = anybody.post(form, data={"kind": "closed"}, headers=headers)
        assert page.status_code == 403, headers
        assert "Nothing was kept" in page.text
    assert kept(officer) == []
    for headers in ours:
        assert anybody.post(form, data={"kind": "closed"}, headers=headers).status_code == 303
    assert len(kept(officer)) == len(ours)


def test_only_a_listed_haven_can_be_reported(anybody: httpx.Client, form: str) -> None:
    page = anybody.post(f"/havens/{uuid4()}/report", data={"kind": "closed"})
    assert page.status_code == 404
    assert "This is not a Safe Haven now" in page.text


def test_a_flood_is_told_so(
    anybody: httpx.Client, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = Settings.model_validate({"reports_per_day": 1})
    monkeypatch.setattr(reports, "settings", lambda: few)
    with monkeypatch.context() as full:
        full.setattr(reports, "ROOM_APART", 1)
        assert anybody.post(form, data={"kind": "closed"}).status_code == 303
        again = anybody.post(form, data={"kind": "closed", "comment": SAID})
        refused(again, 429, "no more is kept. In danger, call 999.")
    for _ in range(23):
        assert anybody.post(form, data={"kind": "closed"}).status_code == 303
    last = anybody.post(form, data={"kind": "closed", "comment": SAID})
    refused(last, 429, "too many were sent from your connection", "In danger, call 999.")


def test_without_the_database_it_says_that_nothing_is_kept(
    private_postgres: Postgres, tmp_path: Path
) -> None:
    url = private_postgres.url("havens")
    haven: UUID = add_venue(url, name="The Lantern")
    with serving_directory(tmp_path / "data", url) as client:
        private_postgres.stop()
        form = f"/havens/{haven}/report"
        assert client.get(form).status_code == 200
        page = client.post(form, data={"kind": "closed", "comment": SAID})
        refused(page, 503, "Your report is not kept", "call 999")
        private_postgres.start()
        until(lambda: client.post(form, data={"kind": "closed"}).status_code == 303)
