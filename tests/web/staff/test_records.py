"""Lists and records as pages: of whom they are, what has to be asked first, and what went wrong."""

from uuid import UUID, uuid4

import pytest

from app.accounts.models import Role
from tests.factories import make_venue
from tests.web.staff.conftest import Browser, Staff, text


@pytest.fixture(scope="module")
def browser(staff: Staff) -> Browser:
    return staff.browser(*Role)


@pytest.mark.parametrize("of", ["outreach", "training", "scheme-tests"])
def test_figures_ask_for_their_days_first(browser: Browser, of: str) -> None:
    address = f"/console/{of}/figures"
    asked = browser.get(address)
    assert asked.status_code == 200
    assert 'name="from"' in asked.text
    assert "error" not in asked.text
    shown = browser.get(f"{address}?from=2025-01-01&until=2025-12-31")
    assert "31 Dec 2025" in text(shown)
    wrong = browser.get(f"{address}?from=2025-01-01&until=2024-12-31")
    assert wrong.status_code == 422
    assert "<title>1 error: " in wrong.text
    assert 'value="2024-12-31"' in wrong.text


@pytest.mark.parametrize("path", ["contacts", "hours", "training", "decisions", "standing"])
def test_what_is_of_a_venue_names_it_and_leads_back(
    staff: Staff, browser: Browser, path: str
) -> None:
    venue = make_venue(staff.app.state.journal.engine)
    page = browser.get(f"/console/venues/{venue.id}/{path}")
    assert venue.name in text(page).partition("Back")[2][:100]
    assert f'govuk-back-link govuk-!-margin-0" href="/console/venues/{venue.id}"' in page.text


def test_a_business_has_its_venues_on_its_page(staff: Staff, browser: Browser) -> None:
    engine = staff.app.state.journal.engine
    made = browser.send("/console/businesses/new", {"name": "Dusk Rooms"})
    address = made.headers["location"].partition("?")[0]
    assert "None yet" in text(browser.get(address))
    business = UUID(address.rpartition("/")[2])
    make_venue(engine, name="The Velvet Lamp", business_id=business)
    assert "The Velvet Lamp" in text(browser.get(address))


def test_what_went_wrong_is_told_to_staff_without_the_finder(browser: Browser) -> None:
    for address in (f"/console/venues/{uuid4()}", "/audit/nowhere", "/account/nothing"):
        page = browser.get(address)
        assert page.status_code == 404
        assert "This page isn’t here" in text(page)
        assert "999" not in text(page)
        assert 'href="/welcome"' in page.text


def test_a_map_for_gis_is_a_file(browser: Browser) -> None:
    answer = browser.get("/audit/wards.geojson")
    assert answer.json()["type"] == "FeatureCollection"
