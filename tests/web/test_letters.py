"""What a letter's link shows and takes: once, about its own venues, and nothing to anybody else."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI
from playwright.sync_api import Browser, expect
from sqlalchemy import Engine
from sqlmodel import Session, select

from app.core.journal import Journal, personal_in
from app.core.london import today
from app.core.settings import Settings
from app.outreach.models import Letter, Statement
from app.outreach.statements import LINK_DAYS, link_secret
from app.register.tidy import tidy
from app.training.models import Headcount
from app.venues.models import Contact, Venue
from tests.reminders.conftest import add_business
from tests.servers import until
from tests.web.phones import phone
from tests.web.test_accessibility import as_everybody_sees_it

OURS = {"Sec-Fetch-Site": "same-origin"}
RIGHT = {"hours_are": "right", "facilities_are": "right"}
SAID = "On Sundays <we> shut at 23:00 & Kim sleeps"


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """One kind is enough: what is written is written elsewhere on both."""
    return sqlite_url


@pytest.fixture
def settings(app: FastAPI) -> Settings:
    found: Settings = app.state.settings
    return found


@pytest.fixture
def letter(journal: Journal) -> UUID:
    """A letter about two venues of a business."""
    return sent(journal, "Lantern", venues=2)


def sent(journal: Journal, name: str, venues: int = 1) -> UUID:
    business = add_business(journal, name, email="sam@lantern.test", venues=venues)
    with journal.writing("test") as session:
        contact = session.exec(select(Contact).where(Contact.business_id == business)).one()
        about = [
            {"venue_id": str(id_), "kind": "accreditation", "of": "safe_haven", "on": f"{today()}"}
            for id_ in session.exec(select(Venue.id).where(Venue.business_id == business))
        ]
        at = datetime.now(UTC)
        made = Letter(
            contact_id=contact.id, business_id=business, about=about, made_at=at, sent_at=at
        )
        session.add(made)
        session.flush()
        return made.id


@pytest.fixture
def path(settings: Settings, letter: UUID) -> str:
    return f"/letters/{link_secret(settings, letter)}"


def venue_in(page: httpx.Response) -> str:
    found = re.search('name="venue" value="(.+?)"', page.text)
    assert found, page.text
    return found[1]


def send(client: httpx.Client, path: str, **typed: str) -> httpx.Response:
    """Fill in the form at a path as it is now, and send it."""
    about = {"venue": venue_in(client.get(path))}
    return client.post(path, data=about | RIGHT | typed, headers=OURS)


def statements(officer: httpx.Client, **asked: str) -> list[Any]:
    found: list[Any] = officer.get("/v1/admin/statements", params=asked).json()["items"]
    return found


def shown_of(anybody: httpx.Client) -> list[Any]:
    """What the public is told of each haven that a statement speaks of."""
    havens = anybody.get("/v1/havens").json()["havens"]
    return sorted((one["name"], one["opening_hours"], one["facilities"]) for one in havens)


@contextmanager
def only(journal: Journal, model: type[Any]) -> Iterator[Any]:
    """The one record of a kind, to be changed."""
    with journal.writing("test") as session:
        yield session.exec(select(model)).one()


def test_each_venue_is_asked_about_once_and_nothing_changes_by_itself(
    anybody: httpx.Client, officer: httpx.Client, engine: Engine, path: str
) -> None:
    page = anybody.get(path)
    assert page.headers["Cache-Control"] == "private, no-store"
    assert page.headers["X-Robots-Tag"].startswith("noindex")
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert "ETag" not in page.headers
    for words in ("Venue 1 of 2", "Is this right about Lantern 1?", "10:00\u201322:00", "Water"):
        assert words in page.text
    assert "Lantern 2" not in page.text
    until(lambda: anybody.get("/v1/havens").is_success)
    public = shown_of(anybody)
    first = send(anybody, path, hours_are="changed", hours=SAID, staff="12", left="3")
    assert (first.status_code, first.headers["location"]) == (303, path)
    assert "Venue 2 of 2" in anybody.get(path).text
    assert send(anybody, path).status_code == 303
    assert "<title>Thank you</title>" in anybody.get(path).text
    said = {
        (one["venue"]["name"], one["subject"]): (one["unchanged"], one.get("changed"), one["state"])
        for one in statements(officer)
    }
    assert said == {
        ("Lantern 1", "hours"): (False, SAID, "new"),
        ("Lantern 1", "facilities"): (True, None, "new"),
        ("Lantern 1", "headcount"): (False, None, "new"),
        ("Lantern 2", "hours"): (True, None, "new"),
        ("Lantern 2", "facilities"): (True, None, "new"),
    }
    with Session(engine) as session:
        assert not session.exec(select(Headcount)).all()
    assert shown_of(anybody) == public


def test_an_officer_accepts_or_declines_each(
    anybody: httpx.Client, officer: httpx.Client, licensing: httpx.Client, path: str
) -> None:
    send(anybody, path, hours="Later on Fridays", staff="12", left="3")
    by_subject = {
        one["subject"]: f"/v1/admin/statements/{one['id']}" for one in statements(officer)
    }

    def decide(act: str, of: str, client: httpx.Client = officer, **given: str) -> httpx.Response:
        seen = {"If-Match": client.get(by_subject[of]).headers["ETag"]}
        return client.post(f"{by_subject[of]}/{act}", json=given, headers=seen)

    assert decide("accept", "headcount", licensing).status_code == 403
    assert decide("decline", "hours").status_code == 422
    declined = decide("decline", "hours", note="They mean the bar next door").json()
    assert (declined["state"], declined["note"]) == ("declined", "They mean the bar next door")
    accepted = decide("accept", "headcount").json()
    assert accepted["state"] == "accepted"
    assert accepted["decided_by"].startswith("account ")
    (headcount,) = officer.get(f"/v1/admin/venues/{accepted['venue']['id']}/headcounts").json()[
        "items"
    ]
    assert (headcount["staff"], headcount["left"]) == (12, 3)
    assert headcount["on"] == today().isoformat()
    assert decide("decline", "headcount", note="No, after all").status_code == 409
    assert decide("accept", "hours").status_code == 409
    assert [one["subject"] for one in statements(officer, state="new")] == ["facilities"]


def test_a_replay_changes_nothing(anybody: httpx.Client, officer: httpx.Client, path: str) -> None:
    venue = {"venue": venue_in(anybody.get(path))}
    for hours in ("Shut on Mondays", "Shut on Tuesdays", "Shut on Mondays"):
        answer = anybody.post(path, data=venue | RIGHT | {"hours": hours}, headers=OURS)
        assert answer.status_code == 303
    assert [one.get("changed") for one in statements(officer, subject="hours")] == [
        "Shut on Mondays"
    ]
    assert len(statements(officer)) == 2


def ended(page: httpx.Response) -> str:
    """What a page says where there is no link that is good: the same, whatever the reason."""
    assert page.status_code == 404
    assert page.headers["Cache-Control"] == "private, no-store"
    assert "This link has ended" in page.text
    assert "Lantern" not in page.text
    return re.sub(r"/letters/[^\"]*", "", page.text)


def test_links_that_are_forged_revoked_expired_or_too_late_all_say_the_same(
    anybody: httpx.Client,
    officer: httpx.Client,
    journal: Journal,
    settings: Settings,
    letter: UUID,
    path: str,
) -> None:
    data = {"venue": venue_in(anybody.get(path)), **RIGHT}

    def both(at: str) -> set[str]:
        return {ended(anybody.get(at)), ended(anybody.post(at, data=data, headers=OURS))}

    other = settings.model_copy(update={"environment": "demo"})
    last = path[-1]
    said = set()
    for forged in (
        *(path[:-1] + one for one in "AEI" if one != last),
        *(path[:-1], f"{path}A", f"{path}=", f"/letters/{letter}", f"/letters/{'A' * 43}"),
        f"/letters/{link_secret(settings, uuid4())}",
        f"/letters/{link_secret(other, letter)}",
        f"/letters/{path[10:32]}{link_secret(settings, uuid4())[22:]}",
        "/letters/%00",
        "/letters/é",
        "/letters/" + "x" * 4000,
    ):
        said |= both(forged)
    with only(journal, Letter) as one:
        kept, one.sent_at = one.sent_at, one.sent_at - timedelta(days=LINK_DAYS)
    said |= both(path)
    with only(journal, Letter) as one:
        one.sent_at = kept
    with only(journal, Contact) as one:
        one.ended_on = today()
    said |= both(path)
    with only(journal, Contact) as one:
        one.ended_on = None
    assert anybody.get(path).status_code == 200
    at = f"/v1/admin/letters/{letter}"
    seen = {"If-Match": officer.get(at).headers["ETag"]}
    assert "revoked_at" in officer.post(f"{at}/revoke", headers=seen).json()
    said |= both(path)
    assert len(said) == 1
    assert statements(officer) == []


def test_a_link_is_worth_nothing_at_another_business(
    anybody: httpx.Client, officer: httpx.Client, journal: Journal, settings: Settings, path: str
) -> None:
    other = f"/letters/{link_secret(settings, sent(journal, 'Rival'))}"
    theirs = {"venue": venue_in(anybody.get(other))}
    ended(anybody.post(path, data=theirs | RIGHT, headers=OURS))
    # One that was taken over is no longer asked about.
    with journal.writing("test") as session:
        rival = session.exec(select(Venue).where(Venue.name == "Rival 1")).one()
        session.exec(
            select(Venue).where(Venue.name == "Lantern 1")
        ).one().business_id = rival.business_id
    assert "Is this right about Lantern 2?" in anybody.get(path).text
    assert statements(officer) == []


WRONG: list[tuple[dict[str, str], str]] = [
    ({"hours_are": ""}, "Say whether the opening hours are right"),
    ({"facilities_are": "?"}, "Say whether that is what people find there"),
    ({"hours_are": "changed"}, "Say how the hours are now"),
    ({"facilities_are": "changed", "facilities": " "}, "Say what people find there now"),
    ({"staff": "4"}, "Give both numbers, or leave both empty"),
    ({"staff": "many", "left": "0"}, "Type a whole number from 0 to 10,000"),
    ({"staff": "4", "left": "9" * 5000}, "Type a whole number from 0 to 10,000"),
    ({"staff": "4", "left": "-1"}, "Type a whole number from 0 to 10,000"),
    ({"facilities": "a" * 2001}, "must be 2000 characters or fewer"),
    ({"facilities": "\0"}, "has a character that can’t be kept"),
]


def test_what_can_t_be_kept_comes_back_with_all_that_was_typed(
    anybody: httpx.Client, officer: httpx.Client, path: str
) -> None:
    for typed, told in WRONG:
        is_typed = "hours_are" not in typed
        answer = send(anybody, path, **({"hours": SAID} if is_typed else {}) | typed)
        page = unescape(answer.text)
        assert answer.status_code == 422, told
        assert "<title>Error: Is this right about Lantern 1?" in page
        assert told in page
        for target in re.findall(r'govuk-error-summary__list">.*?href="#(\w+)"', page, re.DOTALL):
            assert f'id="{target}"' in page
        assert (SAID in page) == is_typed
    assert statements(officer) == []


def test_other_sites_can_t_send_the_form(
    anybody: httpx.Client, officer: httpx.Client, path: str
) -> None:
    data = {"venue": venue_in(anybody.get(path)), **RIGHT}
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://elsewhere.test"}):
        assert anybody.post(path, data=data, headers=headers).status_code == 403
    assert statements(officer) == []


def test_what_they_wrote_lies_outside_the_chain_and_goes_in_time(
    anybody: httpx.Client, officer: httpx.Client, journal: Journal, settings: Settings, path: str
) -> None:
    send(anybody, path, hours=SAID)
    statement = statements(officer, subject="hours")[0]["id"]
    asked = {"subject": "statement", "subject_id": statement}
    (entry,) = officer.get("/v1/admin/journal", params=asked).json()["items"]
    assert entry["actor"] == "reader of a letter"
    with Session(journal.engine) as session:
        assert personal_in(session, [entry["number"]])[entry["number"]]["after"] == {
            "changed": SAID
        }
    assert tidy(journal, settings.keep_days, "test")["statements"] == 0
    with journal.writing("test") as session:
        for one in session.exec(select(Statement)):
            one.said_at -= timedelta(days=366)
    assert tidy(journal, settings.keep_days, "test")["statements"] == 2
    assert statements(officer) == []
    with Session(journal.engine) as session:
        assert not personal_in(session, [entry["number"]])
    assert journal.verify() is None


def test_it_is_asked_in_each_language(anybody: httpx.Client, path: str) -> None:
    for language in ("pl", "es", "ar"):
        for letter in (path, "/letters/forged"):
            assert f'<html lang="{language}"' in anybody.get(f"/{language}{letter}").text
    about = {"venue": venue_in(anybody.get(f"/ar{path}")), **RIGHT}
    answer = anybody.post(f"/ar{path}", data=about, headers=OURS)
    assert answer.headers["location"] == f"/ar{path}"


# --- in a browser ----------------------------------------------------------------------------


def test_axe_finds_nothing_in_any_state(
    chromium: Browser, anybody: httpx.Client, path: str
) -> None:
    with phone(chromium) as held:
        page = held.page
        for language in ("en", "ar"):
            page.goto(f"{anybody.base_url}/{language}{path}")
            as_everybody_sees_it(page, language)
            page.locator("#send").click()
            expect(page.locator(".govuk-error-summary")).to_be_visible()
            as_everybody_sees_it(page, language)
            for question in ("hours_are", "facilities_are"):
                page.locator(f"#{question}").check()
            page.locator("#send").click()
            expect(page.locator(".govuk-error-summary")).to_have_count(0)
        as_everybody_sees_it(page, "ar")
        page.goto(f"{anybody.base_url}/letters/forged")
        as_everybody_sees_it(page, "en")
        assert [one for one in held.requests if not one.startswith(str(anybody.base_url))] == []
