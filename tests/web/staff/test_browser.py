"""The console in Chromium: a visit logged by clicking, and what axe says of its pages."""

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page, expect
from pydantic import SecretStr

from app.accounts.models import Role
from app.accounts.passwords import hashed
from app.venues.models import Venue
from tests.accounts import add_account
from tests.factories import make_venue
from tests.web.phones import audit, fits, phone
from tests.web.staff.conftest import Staff

PASSWORD = "quiet lantern by the river"


@pytest.fixture(scope="module")
def officer(staff: Staff) -> str:
    hash_ = hashed(SecretStr(PASSWORD))
    return add_account(staff.app.state.journal.engine, Role.OFFICER, password_hash=hash_).name


@pytest.fixture(scope="module")
def venue(staff: Staff) -> Venue:
    return make_venue(staff.app.state.journal.engine, name="The Lamp & Ladder")


def sign_in(page: Page, staff: Staff, name: str, back: str) -> None:
    page.goto(f"{staff.client.base_url}{back}")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def test_a_visit_is_logged_on_a_phone(
    chromium: Chromium, staff: Staff, officer: str, venue: Venue
) -> None:
    with phone(chromium, java_script_enabled=False) as held:
        page = held.page
        sign_in(page, staff, officer, "/console")
        page.get_by_label("Find a venue").fill("lamp & l")
        page.get_by_role("button", name="Find").click()
        page.get_by_role("link", name="The Lamp & Ladder").click()
        page.get_by_role("link", name="Log a visit").click()
        expect(page.get_by_label("Venue")).to_have_value(f"{venue.name} ({venue.reference})")
        page.get_by_label("What came of it").select_option("Training booked")
        page.get_by_label("What is agreed next").fill("Ring about the sign")
        page.get_by_label("By when").fill("2099-01-01")
        page.get_by_role("button", name="Log a visit").click()
        expect(page).to_have_url(
            f"{staff.client.base_url}/console/venues/{venue.id}?done=record_engagement"
        )
        history = page.get_by_role("link", name="Visit: training booked")
        expect(history).to_be_visible()
        expect(page.get_by_role("link", name="Ring about the sign")).to_be_visible()
        page.get_by_role("button", name="Sign out").click()
        page.goto(f"{staff.client.base_url}/console")
        expect(page.get_by_role("button", name="Sign in")).to_be_visible()


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1280, "light")])
def test_axe_finds_nothing(
    chromium: Chromium, staff: Staff, officer: str, venue: Venue, width: int, scheme: str
) -> None:
    here = f"/console/venues/{venue.id}"
    with phone(chromium, viewport={"width": width, "height": 780}, color_scheme=scheme) as held:
        page = held.page
        sign_in(page, staff, officer, "/console")
        paths = ["/console", "/console/venues", here, f"{here}/edit"]
        if width == 360:
            paths += [
                f"{here}/decisions/new?kind=assessed&scheme=safe_haven",
                f"/console/engagements/new?kind=visit&venue_id={venue.id}",
                "/console/training/sessions/new",
                "/console/engagements",
            ]
        for path in paths:
            page.goto(f"{staff.client.base_url}{path}")
            audit(page)
            assert fits(page), path
        page.goto(f"{staff.client.base_url}/console/engagements/new")
        page.get_by_role("button", name="Log a contact").click()
        expect(page.get_by_text("problems")).to_be_visible()
        audit(page)
