"""Whole days of work: on a phone, on a desk, by keys alone, on both databases (`make journeys`)."""

import re
import time
from datetime import date
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import expect
from sqlalchemy import Engine

from app.accounts.models import Role
from app.schemes.registry import SchemeKey
from app.sheets.files import SheetName
from app.training.courses import CourseKey
from app.training.models import Headcount
from app.venues.models import Venue, VenueStatus
from tests.accounts import make_app, signed_in
from tests.audit.records import add, add_venue
from tests.audit.reports.test_due import award, train
from tests.factories import make_venue
from tests.servers import client_of, until
from tests.web.paper.documents import pages_of
from tests.web.staff.hands import SEATS, Hand, at_work

pytestmark = pytest.mark.journey

NAME = "The Lamp & Ladder <b>"


@pytest.fixture
def app(database_url: str, tmp_path: Path) -> FastAPI:
    return make_app(database_url, tmp_path)


@pytest.mark.parametrize("seat", SEATS)
def test_an_officer_s_day(chromium: Chromium, app: FastAPI, seat: str) -> None:
    engine = app.state.journal.engine
    venue = make_venue(
        engine, name=NAME, status=VenueStatus.PROSPECT, safe_haven_from=None, hours=None,
        address="1 Ladder Yard", licensed=True,
    )  # fmt: skip
    with at_work(chromium, app, SEATS[seat], Role.OFFICER, "/console") as hand:
        page = hand.page
        hand.is_well()
        hand.counted()
        hand.fill("Find a venue", "ladder")
        hand.button("Find")
        hand.link(NAME)
        hand.link("Register a prospect")
        hand.button("Register a prospect")
        expect(page.get_by_text("The prospect is registered.")).to_be_visible()
        print("registered from a prospect", hand.counted())

        hand.link("Change hours")
        hand.press(page.get_by_label("The text below it"))
        hand.fill("As text", "24/7")
        hand.button("Show in words")
        hand.is_well()
        hand.button("Change the hours")
        hand.counted()

        hand.link("Declare a headcount")
        hand.fill("Staff who should be trained", "4")
        hand.fill("Trained staff who left", "0")
        hand.button("Declare a headcount")
        print("headcount", hand.counted())

        for course in ("Safe Haven briefing", "Ask for Angela"):
            hand.link("Log training")
            hand.press(page.get_by_label(course, exact=True))
            hand.pick("Role", "Bar staff")
            hand.fill("New people", "4")
            hand.button("Log training")
            print("training", course, hand.counted())

        hand.link("Log a visit")
        hand.pick("What came of it", "Training booked")
        hand.button("Log a visit")
        expect(page.get_by_text("It is logged.")).to_be_visible()
        print("visit", hand.counted())

        for scheme in ("Safe Haven", "Ask for Angela"):
            hand.link(re.compile("^assess$", re.IGNORECASE), hand.standing(scheme))
            for yes in page.get_by_role("radio", name="Yes").all():
                hand.press(yes)
            hand.is_well()
            hand.press(page.locator("main").get_by_role("button", name=re.compile("^Assess")))
            print("assessed", scheme, hand.counted())
            hand.link(re.compile("^award$", re.IGNORECASE), hand.standing(scheme))
            hand.press(page.locator("main").get_by_role("button", name=re.compile("^Award")))
            expect(hand.standing(scheme).get_by_text("In force")).to_be_visible()
            print("awarded", scheme, hand.counted())

        found_by_the_public(hand, is_there=True)
        page.goto(f"{hand.base}/console/venues/{venue.id}")
        hand.link("Record a scheme test")
        hand.press(page.get_by_label("Failed", exact=True))
        hand.button("Record a scheme test")
        hand.link(re.compile("suspend", re.IGNORECASE), hand.standing("Safe Haven"))
        hand.fill("Reason", "Nobody on duty knew of it")
        hand.press(page.locator("main").get_by_role("button", name=re.compile("^Suspend")))
        expect(hand.standing("Safe Haven").get_by_text("Suspended")).to_be_visible()
        began = time.monotonic()
        until(lambda: NAME not in page.request.get(f"{hand.base}/v1/havens").text())
        print(f"gone from the list after {time.monotonic() - began:.1f} s")
        found_by_the_public(hand, is_there=False)
        page.goto(f"{hand.base}/console/venues/{venue.id}")
        hand.link(re.compile("reinstate", re.IGNORECASE), hand.standing("Safe Haven"))
        hand.fill("Reason", "All are briefed")
        hand.press(page.locator("main").get_by_role("button", name=re.compile("^Reinstate")))
        found_by_the_public(hand, is_there=True)
        page.goto(f"{hand.base}/console/venues/{venue.id}")
        told = page.locator(".sh-time h3").all_inner_texts()
        for said in ("Safe Haven reinstated", "Safe Haven suspended", "Ask for Angela test failed"):
            assert said in told, told
        hand.is_well()


def test_training_at_three_venues(chromium: Chromium, app: FastAPI) -> None:
    names = ("The Blue Door", "The Heron", "The Lamp")
    for name in names:
        make_venue(app.state.journal.engine, name=name)
    with at_work(chromium, app, SEATS["phone"], Role.OFFICER, "/console") as hand:
        hand.counted()
        hand.link("Training", hand.page.locator(".sh-log"))
        hand.press(hand.page.get_by_label("Ask for Angela", exact=True))
        for number, name in enumerate(names, 1):
            if number == len(names):
                hand.button("Another row")
            row = hand.page.get_by_role("group", name=f"Who was trained, {number}")
            hand.fill("Venue", name.rpartition(" ")[2], row)
            hand.pick("Role", "Bar staff", row)
            hand.fill("New people", "4", row)
        hand.button("Log training")
        expect(hand.page.get_by_role("alert")).to_contain_text("Done")
        print("training at three venues", hand.counted())
        for name in names:
            expect(hand.page.get_by_text(name).first).to_be_visible()


def found_by_the_public(hand: Hand, *, is_there: bool) -> None:
    """Whether the finder shows the venue to somebody who stands at the bank."""
    listed = f"{hand.base}/v1/havens"
    until(
        lambda: (
            (str(hand.base) and "Ladder Yard" in hand.page.request.get(listed).text()) == is_there
        )
    )
    hand.page.goto(hand.base)
    hand.press(hand.page.locator(".sh-door"))
    if is_there:
        expect(hand.page.get_by_text(NAME).first).to_be_visible()
    else:
        expect(hand.page.get_by_text(NAME)).to_have_count(0)


@pytest.mark.parametrize("seat", ["phone", "desk"])
def test_the_licensing_team_s_quarter(chromium: Chromium, app: FastAPI, seat: str) -> None:
    venue = a_year_s_work(app.state.journal.engine)
    with at_work(chromium, app, SEATS[seat], Role.LICENSING, "/audit") as hand:
        page = hand.page
        with client_of(hand.base, signed_in(app, *Role)) as desk:
            hand.ask("2025-03-31")
            expect(page.get_by_text("As at the end of 31 Mar 2025", exact=False)).to_be_visible()
            expect(page.get_by_text("1 of 1 venues in force").first).to_be_visible()
            hand.is_well()

            hand.link("Trend")
            hand.ask("2025-06-30")
            expect(page.get_by_role("heading", name="Trend")).to_be_visible()
            hand.is_well()
            hand.link(re.compile(r"75.% \(\+75"))
            expect(page.get_by_text("As at the end of 30 Jun 2025", exact=False)).to_be_visible()
            expect(page.get_by_role("link", name=venue.name).first).to_be_visible()
            hand.is_well()

            hand.link("Levy")
            hand.ask("2025-03-31")
            hand.is_well()
            with hand.file("CSV of Holders").open(encoding="utf-8-sig") as levy:
                assert venue.reference in levy.read()

            hand.link("Packs")
            hand.link("Another quarter")
            hand.fill("Quarter", "2025-Q1")
            hand.button("Show")
            expect(page.get_by_text("January to March 2025").first).to_be_visible()
            hand.is_well()
            hand.link(re.compile("^Issue"))
            hand.button("Issue a quarter's report")
            expect(page.get_by_text("January to March 2025").first).to_be_visible()
            hand.link("Packs")
            hand.link(re.compile("^Check"))
            expect(page.get_by_text("every figure is as it was issued")).to_be_visible()
            hand.link("Back")
            paper = pages_of(hand.file(re.compile("^PDF")).read_bytes())
            assert "January to March 2025" in paper[0]
            assert any("Ask for Angela" in words for words in paper)

            late = f"on,venue,kind,outcome\r\n2025-03-30,{venue.reference},visit,training_booked"
            taken_in(desk, SheetName.ENGAGEMENTS, late.encode())
        hand.link(re.compile("^Difference"))
        expect(page.get_by_text("not what they were")).to_be_visible()
        expect(page.get_by_text("Engagements by kind, Visit, Engagements")).to_be_visible()
        hand.is_well()
        print("the quarter", hand.counted())


def a_year_s_work(engine: Engine) -> Venue:
    """A late-night venue with Safety Thirst, where six of eight were trained in February 2025."""
    venue = add_venue(engine, name=NAME, licensed=True, late_night=True)
    award(engine, venue, "2024-04-01", "2026-03-31", scheme=SchemeKey.SAFETY_THIRST)
    add(engine, Headcount, date(2025, 1, 10), venue_id=venue.id, staff=8, left=0)
    train(engine, venue, "2025-02-10", new=6, course=CourseKey.ASK_FOR_ANGELA)
    return venue


def taken_in(desk: httpx.Client, name: SheetName, content: bytes) -> None:
    """A spreadsheet that an officer brought into the register meanwhile."""
    sent = desk.post(
        f"/v1/admin/bulk/{name}", content=content, headers={"Content-Type": "text/csv"}
    )
    assert sent.is_success, sent.text
