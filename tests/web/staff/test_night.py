"""The page of coverage by night: hours by nights with their numbers, and the wards drawn."""

from datetime import date

import httpx

from app.accounts.models import Role
from app.walking.file import ATTRIBUTION
from tests.audit.reports.test_night import add_haven
from tests.audit.reports.test_plan import add_need
from tests.factories import make_ward
from tests.walking.towns import grid
from tests.web.staff.conftest import Staff


def test_nights_are_shown_with_their_numbers(staff: Staff) -> None:
    engine = staff.app.state.journal.engine
    browser = staff.browser(Role.LICENSING)
    without = browser.get("/audit/night")
    assert 'class="sh-heat"' not in without.text
    ward = make_ward(engine)
    add_need(engine, (0, "Fr 22:00-02:00"), (0.005, "Fr 22:00-02:00"))
    add_haven(engine, 0, "Fr 20:00-01:00", date(2020, 1, 1), ward_id=ward.id)
    page: httpx.Response = browser.get("/audit/night")
    assert page.status_code == 200
    assert page.text.count('<tr><th scope="row">') == 12
    assert '<td class="sh-l3">50</td>' in page.text
    assert '<td class="sh-l0 worst">0<span' in page.text
    assert "Outlined, Friday night 01:00 and" in page.text
    assert ATTRIBUTION not in page.text
    grid().streets(staff.app.state.settings.data_dir)
    assert f"Streets: {ATTRIBUTION}" in browser.get("/audit/night").text
