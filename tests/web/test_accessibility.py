"""Every public page for everybody: in both directions, light and dark, at 360 px and at 400 % zoom.

The states of the finder are audited where `test_journeys` reaches them. The checks themselves are
checked at the end: a page that is wrong must not pass.
"""

from collections.abc import Iterator
from typing import Any, Literal

import httpx
import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.servers import serving_directory
from tests.web.city import Clock, haven
from tests.web.phones import audit, fits, phone

LADLE, SHUT = "Ondine’s Ladle", "Cinderquay Pier Waiting Room"
UNKNOWN_HOURS, NOT_YET = "Tidewick Library", "The Comet Hotel"

TALL = ViewportSize(width=360, height=780)
ENLARGED = ViewportSize(width=320, height=256)
"""A phone, and what a zoom of 400 % makes of a computer's screen."""


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory, clock: Clock) -> Iterator[httpx.Client]:
    """A service that has never had a directory, as its database has no tables."""
    folder = tmp_path_factory.mktemp("broken")
    url = f"sqlite:///{folder / 'havens.sqlite'}"
    with serving_directory(folder, url, clock, is_ready=False) as client:
        yield client


def pages(city: httpx.Client, broken: httpx.Client) -> list[str]:
    report = f"{haven(city, LADLE)}/report"
    paths = [
        *("/help", "/safety", "/privacy", "/accessibility", "/wards/lanternside", "/nowhere"),
        *(haven(city, name) for name in (LADLE, SHUT, UNKNOWN_HOURS, NOT_YET)),
        *(report, f"{report}/sent"),
    ]
    return [*(f"{city.base_url}{path}" for path in paths), f"{broken.base_url}/wards/lanternside"]


@pytest.mark.parametrize("language", ["en", "ar"])
def test_every_page(
    chromium: Browser, city: httpx.Client, broken: httpx.Client, language: str
) -> None:
    with phone(chromium) as held:
        statuses = set()
        for address in pages(city, broken):
            origin, path = address.split("/", 3)[2:]
            answer = held.page.goto(f"http://{origin}/{language}/{path}")
            assert answer
            statuses.add(answer.status)
            as_everybody_sees_it(held.page, language)
        assert statuses == {200, 404, 503}


@pytest.mark.parametrize("language", ["en", "ar"])
def test_a_form_with_a_mistake(chromium: Browser, city: httpx.Client, language: str) -> None:
    with phone(chromium) as held:
        held.page.goto(f"{city.base_url}/{language}{haven(city, LADLE)}/report")
        held.page.locator("#send").click()
        expect(held.page.locator(".govuk-error-summary")).to_be_visible()
        as_everybody_sees_it(held.page, language)


def as_everybody_sees_it(page: Page, language: str) -> None:
    """Both sizes, each in one of the schemes: which, goes by the language."""
    schemes: list[Literal["light", "dark"]] = (
        ["light", "dark"] if language == "en" else ["dark", "light"]
    )
    for size, scheme in zip((TALL, ENLARGED), schemes, strict=True):
        page.set_viewport_size(size)
        page.emulate_media(color_scheme=scheme)
        audit(page)
        assert fits(page), page.url


@pytest.mark.parametrize(
    ("name", "path"), [(LADLE, ""), (LADLE, "/report"), (SHUT, "")], ids=["open", "report", "shut"]
)
def test_the_focus_goes_down_the_page_and_is_seen(
    chromium: Browser, city: httpx.Client, name: str, path: str
) -> None:
    with phone(chromium) as held:
        held.page.goto(f"{city.base_url}{haven(city, name)}{path}")
        stops = focus_stops(held.page)
        assert [stop["name"] for stop in stops[:5]] == [
            "Skip to main content",
            "Safe Havens",
            "Exit this page",
            "Call 999",
            "Can’t speak?",
        ]
        # Nothing else is before what comes after it in the page.
        places = [stop["place"] for stop in stops]
        assert places == sorted(places)
        assert [stop["name"] for stop in stops if not stop["isSeen"]] == []
        assert len(stops) > 15


def focus_stops(page: Page) -> list[dict[str, Any]]:
    """Where Tab leads: what stands there, the how many-th part of the page it is, and whether it
    can be seen that the focus is on it."""
    stops: list[dict[str, Any]] = []
    while len(stops) < 60:
        page.keyboard.press("Tab")
        stop = page.evaluate(
            """() => {
              const one = document.activeElement;
              if (one === document.body || !document.hasFocus()) return null;
              const box = one.getBoundingClientRect();
              const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
              const style = getComputedStyle(one.type === "radio" ? one.nextElementSibling : one,
                one.type === "radio" ? "::before" : null);
              return {
                name: one.textContent.trim(),
                place: [...document.querySelectorAll("*")].indexOf(one),
                isSeen: (one.contains(top) || one.parentElement.contains(top))
                  && (style.outlineStyle !== "none" || style.boxShadow !== "none"),
              };
            }"""
        )
        if stop is None or (stops and stop["place"] == stops[0]["place"]):
            break
        stops.append(stop)
    return stops


# --- the checks themselves ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def help_page(chromium: Browser, city: httpx.Client) -> Iterator[Page]:
    with phone(chromium) as held:
        held.page.goto(f"{city.base_url}/help")
        yield held.page


NEW = """const new_ = (name, text) => {
  const made = document.createElement(name);
  made.append(text);
  return made;
};"""
MISTAKES = [
    ("it.append(document.createElement('button'))", "button-name"),
    ("it.querySelector('p').style.color = '#b0b0b0'", "color-contrast"),
    ("it.querySelector('p').style.background = 'linear-gradient(red, blue)'", "color-contrast"),
    ("it.append(new_('button', 'x')); it.lastChild.style = 'all: unset; width: 2ch'", "<button"),
    ("document.querySelector('.sh-999__call').style = 'min-height: 0; height: 40px'", "x40 <a"),
    ("it.querySelector('h1').after(new_('h4', 'Too deep'))", "heading-order"),
    ("it.querySelector('h1').remove()", "page-has-heading-one"),
    ("it.prepend(new_('h1', 'A second'))", r"\[1, 1, "),
]


@pytest.mark.parametrize(("mistake", "found"), MISTAKES, ids=[found for _, found in MISTAKES])
def test_an_audit_can_fail(help_page: Page, mistake: str, found: str) -> None:
    help_page.reload()
    help_page.evaluate(f"() => {{ {NEW} const it = document.querySelector('main'); {mistake} }}")
    with pytest.raises(AssertionError, match=found):
        audit(help_page)


@pytest.mark.parametrize(
    "breach",
    [
        "const s = document.createElement('script'); s.append('1'); document.body.append(s)",
        "const s = document.createElement('style'); s.append('p {}'); document.body.append(s)",
        "try { document.body.innerHTML = '<p>' } catch {}",
        "try { document.createElement('script').src = '/x.js' } catch {}",
        "fetch('https://elsewhere.test').catch(() => {})",
        "setTimeout(() => { throw new Error('Content') })",
    ],
)
def test_a_breach_is_complained_of(chromium: Browser, city: httpx.Client, breach: str) -> None:
    with pytest.raises(AssertionError, match=r"Content|Trusted"):
        commit(chromium, city, breach)


def commit(chromium: Browser, city: httpx.Client, breach: str) -> None:
    with phone(chromium) as held:
        held.page.goto(f"{city.base_url}/help")
        held.page.evaluate(f"() => {{ {breach} }}")
        # What comes after it has been told of, too.
        with held.context.expect_event("console"):
            held.page.evaluate("setTimeout(() => console.log('told'), 50)")
