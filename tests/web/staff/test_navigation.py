"""Where somebody may go from every page, by their roles."""

import re
from html import unescape
from typing import NamedTuple

import httpx
import pytest
from playwright.sync_api import Browser as Chromium

from app.accounts.models import Role
from tests.web.phones import audit, fits, phone
from tests.web.staff.conftest import Staff

LINE_PX = 48
"""A line of links, each as high as a thumb is wide, with what marks the current one."""


class Link(NamedTuple):
    text: str
    href: str
    current: str


def navigation(page: httpx.Response) -> list[list[Link]]:
    """The lists of links at the top of a page."""
    [found] = re.findall(r'<nav class="sh-nav".*?</nav>', page.text, re.DOTALL)
    return [
        [
            Link(unescape(text), unescape(href), current)
            for href, current, text in re.findall(
                r'<a href="([^"]*)"(?: aria-current="(\w+)")?>([^<]*)</a>', some
            )
        ]
        for some in re.findall(r"<ul.*?</ul>", found, re.DOTALL)
    ]


@pytest.mark.parametrize(
    ("role", "home", "first", "number"),
    [(Role.OFFICER, "/console", "Today", 8), (Role.LICENSING, "/audit", "Coverage", 9)],
)
def test_one_role_has_its_pages_alone(
    staff: Staff, role: Role, home: str, first: str, number: int
) -> None:
    [pages] = navigation(staff.browser(role).get(home))
    assert pages[0] == Link(first, home, "page")
    assert len(pages) == number
    assert [one.text for one in pages if one.current] == [first]


@pytest.mark.parametrize(
    ("here", "area", "page"),
    [
        ("/console", "Console", "Today"),
        ("/console/venues", "Console", "Venues"),
        ("/console/venues/new", "Console", "Venues"),
        ("/console/letters", "Console", ""),
        ("/audit", "Dashboard", "Coverage"),
        ("/audit/quality", "Dashboard", "Quality"),
        ("/audit/trend/turn", "Dashboard", "Trend"),
        ("/console/accounts", "Administration", "Accounts"),
        ("/console/sign-ins", "Administration", "Signed in"),
        ("/account/me", "Console", ""),
    ],
)
def test_several_roles_have_the_pages_of_where_they_are(
    staff: Staff, here: str, area: str, page: str
) -> None:
    areas, pages = navigation(staff.browser(*Role).get(here))
    assert [one.text for one in areas] == ["Console", "Dashboard", "Administration"]
    assert [one.text for one in areas if one.current == "true"] == [area]
    assert [one.text for one in pages if one.current == "page"] == ([page] if page else [])
    assert pages[0].href == next(one.href for one in areas if one.text == area)


def test_administrators_audit_too_and_begin_with_what_only_they_do(staff: Staff) -> None:
    browser = staff.browser(Role.ADMINISTRATOR)
    areas, pages = navigation(browser.get("/console/accounts"))
    assert [one.text for one in areas] == ["Administration", "Dashboard"]
    assert pages[0] == Link("Accounts", "/console/accounts", "page")
    assert navigation(browser.get("/audit/due"))[0][1].current == "true"


@pytest.mark.parametrize(
    "here", ["/console", "/audit", "/audit/quality", "/audit/plan", "/console/accounts"]
)
def test_a_phone_has_all_of_it_in_three_lines_or_less(
    chromium: Chromium, staff: Staff, here: str
) -> None:
    base = str(staff.client.base_url)
    cookies = staff.browser(*Role).client.cookies.jar
    size = {"width": 360, "height": 780}
    with phone(chromium, viewport=size) as held:
        held.context.add_cookies(
            [{"name": one.name, "value": one.value or "", "url": base} for one in cookies]
        )
        held.page.goto(f"{base}{here}")
        box = held.page.locator(".sh-nav").bounding_box()
        assert box
        assert 2 * LINE_PX < box["height"] < 4 * LINE_PX
        for scheme in ("light", "dark"):
            held.page.emulate_media(color_scheme=scheme)
            audit(held.page)
        assert fits(held.page)
