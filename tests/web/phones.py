"""A phone's browser on a page of the service, and what must be true of every page in it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

from app.core.places import Point
from tests.servers import PATIENCE_SECONDS


class Undecided(NamedTuple):
    """What axe can't tell of some elements, and why it is right."""

    rule: str
    selector: str
    reason: str


UNDECIDED = [
    Undecided(
        "color-contrast",
        ".sh-street h1, .sh-street__lede",
        "white on the drawn street, whose lightest colour is #0e3947: 12:1 by hand",
    ),
    Undecided("color-contrast", ".sh-spill p", "white on the light from the door: 5.5:1 by hand"),
    Undecided(
        "color-contrast",
        ".sh-door span",
        "ink on a door that goes from #ffc05c to #ffe2ad: 10:1 by hand, at the darkest",
    ),
    Undecided(
        "color-contrast",
        ".govuk-radios__label, .govuk-checkboxes__label",
        "ink beside a radio or a box that is drawn before it, on paper: 14.8:1 by hand",
    ),
    Undecided(
        "color-contrast",
        "[dir=rtl] bdi[lang=en]",
        "ink on paper, 14.8:1 by hand: of a run that is written the other way axe can't tell",
    ),
    Undecided(
        "color-contrast",
        ".sh-scroll *",
        "ink on paper, 14.8:1 by hand: axe can't tell of what has to be scrolled to sideways",
    ),
    Undecided(
        "color-contrast",
        ".sh-drawn text",
        "ink on paper, 14.8:1 by hand: axe can't tell of what has to be scrolled to sideways",
    ),
    Undecided(
        "color-contrast",
        ".sh-map text",
        "ink on sunken ground, and round it a rim of that: 13:1 by hand, at the least",
    ),
    Undecided(
        "color-contrast",
        ".sh-wards tspan",
        "ink or white with a rim of the lightest or darkest shade: 13:1 by hand, whatever ward is"
        " under it",
    ),
    Undecided(
        "color-contrast",
        ".leaflet-control-zoom span",
        "a minus, in ink on paper, 14.8:1 by hand: axe takes it for no text",
    ),
    Undecided(
        "color-contrast",
        "#location-lon, label[for=entrance]",
        "ink on paper, 14.8:1 by hand: the map below draws more than it shows, which axe takes to"
        " lie over it",
    ),
    Undecided(
        "color-contrast",
        ".sh-ward-name *",
        "ink on the mist that wards are filled with, 11:1 by hand at the least",
    ),
    Undecided(
        "color-contrast",
        "#chosen *, a[href$='#list']",
        "ink, secondary ink or a link on paper or a card, 6.9:1 by hand at the least: the map draws"
        " more than it shows, which axe takes to lie over it",
    ),
    Undecided(
        "color-contrast",
        ".sh-mapped .sh-muted",
        "secondary ink on paper, 6.9:1 by hand: axe takes the link that skips the map, which is"
        " shown with the focus alone, to lie over it",
    ),
]

PRIMARY = (
    ".sh-door, .sh-acts .govuk-button, .sh-find .govuk-button, .sh-999 a, .sh-exit,"
    " main .govuk-button"
)
"""What people press in a hurry: 44 px at the least."""

# All that can be pressed and can be seen: GOV.UK's radios are drawn beside an input of their size.
_TARGETS = """([targets, primary]) => [...document.querySelectorAll(targets)]
  .filter((one) => one.checkVisibility() && !one.closest('.govuk-skip-link:not(:focus)'))
  .map((one) => [one, one.getBoundingClientRect(), one.matches(primary) ? 44 : 24])
  .filter(([one, box, least]) => Math.min(box.width, box.height) < least)
  .map(([one, box]) => `${box.width}x${box.height} ${one.outerHTML.slice(0, 100)}`)"""

_ALL_THAT_COUNTS = {"resultTypes": ["violations", "incomplete"]}
"""Of what is not named here axe tells one element of each rule."""

# At once: a large page has thousands of cells of which axe can't tell.
_UNEXPLAINED = """([undecided, explained]) => undecided.filter(([rule, target]) => {
  const element = document.querySelector(target);
  return !explained.some(([of, selector]) => of === rule && element.matches(selector));
})"""

_BARS_ARE = """(position) => {
  // That of 999 on public pages, that of the buttons of a long form elsewhere.
  for (const bar of document.querySelectorAll(".sh-999, .sh-save")) bar.style.position = position;
}"""

# GOV.UK's summary of what is wrong and its banner of what was done stand before all else, each with
# a heading of its own.
_HEADINGS = """[...document.querySelectorAll('h1, h2, h3, h4, h5, h6')]
  .filter((one) => one.checkVisibility())
  .filter((one) => !one.closest('.govuk-error-summary, .govuk-notification-banner'))
  .map((one) => Number(one.tagName[1]))"""


@dataclass
class Phone:
    """A browser of its own, and what it complained of."""

    context: BrowserContext
    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def stands(self, at: Point) -> None:
        """Move it to a place, as its own sensors see it."""
        self.context.set_geolocation({"latitude": at.lat, "longitude": at.lon})

    def heard(self, said: ConsoleMessage) -> None:
        """Keep what the browser says of a broken Content-Security-Policy or Trusted Types."""
        if "Content Security Policy" in said.text or "requires 'Trusted" in said.text:
            self.complaints.append(said.text)


@contextmanager
def phone(
    chromium: Browser, *, at: Point | None = None, now: float | None = None, **options: Any
) -> Iterator[Phone]:
    """A new phone that stands somewhere and lets pages know, or nowhere and doesn't.

    It fails the test if a page broke its Content-Security-Policy or threw an error. `now` sets the
    clock of its pages, which then stands still until it is moved.
    """
    options = {"viewport": {"width": 360, "height": 780}, "locale": "en-GB"} | options
    if at:
        options["permissions"] = ["geolocation"]
    context = chromium.new_context(**options)
    context.set_default_timeout(1000 * PATIENCE_SECONDS)
    held = Phone(context, context.new_page())
    if at:
        held.stands(at)
    context.on("weberror", lambda fault: held.complaints.append(str(fault.error)))
    context.on("console", held.heard)
    context.on("request", lambda request: held.requests.append(request.url))
    if now is not None:
        held.page.clock.install(time=now)
    try:
        yield held
        assert not held.complaints, held.complaints
    finally:
        context.close()


def audit(page: Page) -> None:
    """Axe finds nothing wrong, and leaves nothing undecided but what is explained; every target is
    large enough; and headings begin with the one of the page, none leaving out a level."""
    # What a bar lies over at the moment can't be judged, though it is scrolled clear to be read.
    page.evaluate(_BARS_ARE, "static")
    found = Axe().run(page, options=_ALL_THAT_COUNTS).response
    page.evaluate(_BARS_ARE, "")
    wrong = [
        (rule["id"], [node["html"][:120] for node in rule["nodes"]]) for rule in found["violations"]
    ]
    assert not wrong, wrong
    undecided = [
        (rule["id"], node["target"][0]) for rule in found["incomplete"] for node in rule["nodes"]
    ]
    explained = [(one.rule, one.selector) for one in UNDECIDED]
    unexplained = page.evaluate(_UNEXPLAINED, [undecided, explained])
    assert not unexplained, unexplained
    small = page.evaluate(_TARGETS, ["a, button, input, textarea, select, summary", PRIMARY])
    assert not small, small
    levels = page.evaluate(_HEADINGS)
    assert levels[:1] == [1], levels
    assert levels.count(1) == 1, levels
    assert all(below <= above + 1 for above, below in pairwise(levels)), levels


def fits(page: Page) -> bool:
    """Whether nothing has to be scrolled sideways to be read."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))
