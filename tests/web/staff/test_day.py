"""An officer's day through the forms, without script."""

import re
from html import unescape

import httpx
import pytest

from app.accounts.models import Role
from tests.factories import BANK, make_venue
from tests.servers import until
from tests.web.staff.conftest import Browser, Staff, text

NAME = "The Lamp & Ladder"


@pytest.fixture(scope="module")
def browser(staff: Staff) -> Browser:
    return staff.browser(Role.OFFICER)


@pytest.fixture(scope="module")
def venue(browser: Browser) -> str:
    """The address of a venue's page, registered through the form."""
    typed = {
        "reference": "LAMP-1",
        "name": NAME,
        "category": "pub",
        "address": "1 Ladder Yard",
        "location.lat": str(BANK.lat),
        "location.lon": str(BANK.lon),
        "licensed": "true",
    }
    made = browser.send("/console/venues/new", typed, facilities="seat")
    assert made.status_code == 303, text(made)
    where, _, done = made.headers["location"].partition("?")
    assert done == "done=add_venue"
    return where


def done(answer: httpx.Response) -> None:
    assert answer.status_code == 303, text(answer)


def test_the_scripted_day(staff: Staff, browser: Browser, venue: str) -> None:
    def listed() -> bool:
        return NAME in staff.client.get("/v1/havens").text

    done(browser.send(f"{venue}/hours/edit", {"by": "text", "text": "24/7"}))
    done(browser.send(f"{venue}/headcounts/new", {"staff": "4", "left": "0"}))
    for course in ("safe_haven_briefing", "ask_for_angela"):
        row = {"attendances.0.venue_id": NAME, "attendances.0.role": "bar_staff"}
        session = {"course": course, "attendances.0.new": "4"}
        done(browser.send("/console/training/sessions/new", session | row))
    visit = {"kind": "visit", "outcome": "training_booked", "next_step": "Ring about the sign"}
    step = visit | {"venue_id": NAME, "next_step_on": "2099-01-01"}
    done(browser.send("/console/engagements/new", step))
    begin = f"{venue}/decisions/new?scheme=safe_haven&kind="
    asked = browser.fields(browser.get(f"{begin}assessed"))
    rows = [
        key.removesuffix("criterion")
        for key, value in asked.items()
        if "criterion" in key and value
    ]
    assert len(rows) == 8
    done(browser.send(f"{begin}assessed", {f"{row}met": "true" for row in rows}))
    done(browser.send(f"{begin}awarded", {"scheme": "safe_haven"}))
    until(listed)
    failed = {"venue_id": NAME, "result": "failed", "scheme": "ask_for_angela"}
    done(browser.send("/console/scheme-tests/new", failed))
    reason = {"scheme": "safe_haven", "reason": "Nobody on duty knew of it"}
    done(browser.send(f"{begin}suspended", reason))
    until(lambda: not listed())
    done(browser.send(f"{begin}reinstated", {"scheme": "safe_haven", "reason": "All are briefed"}))
    until(listed)
    said = text(browser.get(venue))
    for part in ("In force", "4 of 4 staff, 100 %", "Ring about the sign", "Safe Haven reinstated"):
        assert part in said, part
    assert "Retest after the failed Ask for Angela test" in text(browser.get("/console"))
    [award] = re.findall(
        r'href="(/console/decisions/[^"]+)"><bdi>Safe Haven awarded', browser.get(venue).text
    )
    void = text(browser.get(f"{award}/void"))
    assert void.index("What came after it") < void.index("Safe Haven suspended")


def test_what_is_wrong_is_said_beside_it_and_kept(browser: Browser, venue: str) -> None:
    page = browser.send(f"{venue}/headcounts/new", {"staff": "many <b>", "left": "-1", "on": ""})
    assert page.status_code == 422
    assert "<title>3 errors: Declare a headcount" in page.text
    assert "There are 3 problems" in text(page)
    for field in ("on", "staff", "left"):
        assert f'<a href="#{field}">' in page.text
        assert f'id="{field}-error"' in page.text
    assert "many <b>" in unescape(page.text)
    assert "many <b>" not in page.text


def test_who_saw_an_older_state_sees_both(browser: Browser, venue: str) -> None:
    page = browser.get(f"{venue}/edit")
    first = browser.fields(page)
    typed = {"reference": "LAMP-1", "name": NAME, "phone": "020 7946 0001"}
    done(browser.send(f"{venue}/edit", typed))
    late = browser.client.post(f"{venue}/edit", data=first | typed | {"phone": "020 7946 0002"})
    assert late.status_code == 409
    assert "This has changed while you were typing" in text(late)
    assert "020 7946 0001" in text(late)
    assert 'value="020 7946 0002"' in late.text
    again = browser.fields(late) | typed | {"phone": "020 7946 0002"}
    done(browser.client.post(f"{venue}/edit", data=again))
    assert "020 7946 0002" in text(browser.get(venue))


def test_who_goes_back_and_sends_something_else_is_asked(browser: Browser, venue: str) -> None:
    visits = "/console/engagements/new"
    form = browser.fields(browser.get(f"{visits}?kind=visit")) | {"venue_id": NAME}
    form |= {"outcome": "training_booked", "note": "Before"}
    done(browser.client.post(visits, data=form))
    again = browser.client.post(visits, data=form | {"note": "After"})
    assert again.status_code == 422
    assert "You have sent this form before, with something else in it" in text(again)
    typed = browser.fields(again)
    assert (typed["note"], typed["key"] == form["key"]) == ("After", False)
    done(browser.client.post(visits, data=typed))


def test_what_was_seen_is_not_forgotten_with_a_mistake(browser: Browser, venue: str) -> None:
    first = browser.fields(browser.get(f"{venue}/edit"))
    typed = {"reference": "LAMP-1", "name": NAME, "phone": "020 7946 0003"}
    done(browser.send(f"{venue}/edit", typed))
    wrong = browser.client.post(f"{venue}/edit", data=first | {"location.lat": "north"})
    assert wrong.status_code == 422
    mended = browser.fields(wrong) | {"location.lat": first["location.lat"]}
    late = browser.client.post(f"{venue}/edit", data=mended)
    assert late.status_code == 409
    assert "<bdi>020 7946 0003</bdi>" in late.text


def test_who_was_trained_where_is_said(browser: Browser, venue: str) -> None:
    row = {"attendances.0.venue_id": NAME, "attendances.0.role": "bar_staff"}
    session = {"course": "wave", "attendances.0.new": "3"}
    made = browser.send("/console/training/sessions/new", session | row)
    done(made)
    page = browser.get(made.headers["location"])
    assert re.search(rf"{NAME} WAVE \d+ \w+ \d{{4}} Bar staff 3 0", text(page))
    assert f'href="{venue}"' in page.text


def test_a_name_that_fits_several_is_asked_about(browser: Browser, venue: str) -> None:
    page = browser.send(
        "/console/engagements/new",
        {"kind": "visit", "outcome": "training_booked", "venue_id": "No such place"},
    )
    assert page.status_code == 422
    assert "Venue is not known by that name" in text(page)


def test_what_was_voided_stays_struck_through(browser: Browser, venue: str) -> None:
    done(browser.send(f"{venue}/headcounts/new", {"on": "2026-01-05", "staff": "9", "left": "0"}))
    [record] = re.findall(
        r'href="(/console/headcounts/[^"]+)"><bdi>Headcount: 9 staff', browser.get(venue).text
    )
    assert "Staff to be trained 9" in text(browser.get(f"{record}/void"))
    done(browser.send(f"{record}/void", {"reason": "Typed 9 for 4"}))
    story = browser.get(venue).text
    assert f'<h3 class="void"><a class="govuk-link" href="{record}">' in story
    assert "Typed 9 for 4" in story


def test_a_name_that_the_form_gave_is_taken_back(browser: Browser, venue: str) -> None:
    venue_id = venue.rpartition("/")[2]
    form = browser.fields(browser.get(f"/console/scheme-tests/new?venue_id={venue_id}"))
    assert form["venue_id"].startswith(NAME)
    typed = form | {"result": "passed"}
    done(browser.client.post(f"/console/scheme-tests/new?venue_id={venue_id}", data=typed))
    assert "Ask for Angela test passed" in text(browser.get(venue))


def test_a_place_is_found_by_its_postcode(staff: Staff, browser: Browser) -> None:
    make_venue(staff.app.state.journal.engine, postcode="EC4N 0ZZ", lat=51.5107, lon=-0.0901)
    until(lambda: "EC4N 0ZZ" in staff.client.get("/v1/havens").text)
    typed = {"name": "The Blue Door", "postcode": "ec4n 0zz"}
    page = browser.send("/console/venues/new", typed, find_place="yes")
    assert page.status_code == 200
    fields = browser.fields(page)
    assert (fields["location.lat"], fields["location.lon"]) == ("51.510700", "-0.090100")
    assert fields["name"] == "The Blue Door"
    unknown = browser.send("/console/venues/new", {"postcode": "ZZ1 1ZZ"}, find_place="yes")
    assert '<a href="#location">Place on the map is not known by this postcode' in unknown.text


def test_who_registers_a_venue_is_shown_those_like_it(browser: Browser, venue: str) -> None:
    typed = {
        "name": NAME.upper(),
        "category": "pub",
        "location.lat": str(BANK.lat),
        "location.lon": str(BANK.lon),
        "address": "2 Ladder Yard",
    }
    page = browser.send("/console/venues/new", typed)
    assert page.status_code == 422
    assert (
        f'<a href="{venue}">{unescape(NAME).replace("&", "&amp;")} (LAMP-1) is 0 m away'
        in page.text
    )
    assert "Is it one of these?" in text(page)
    kept = browser.fields(page)
    assert kept["address"] == "2 Ladder Yard"
    venue_id = venue.rpartition("/")[2]
    answer = browser.client.post(
        "/console/venues/new", data=kept | {"not_a_duplicate_of": venue_id}
    )
    assert answer.status_code == 303, text(answer)
    assert answer.headers["location"].partition("?")[0] != venue
