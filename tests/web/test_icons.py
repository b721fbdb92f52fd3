"""What is drawn in pages: every sign that a page asks for is there, small, and not read out."""

import re
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from jinja2 import Environment, PackageLoader, StrictUndefined

from app.venues.kinds import Facility
from app.web.assets import STATIC

SVG = "{http://www.w3.org/2000/svg}svg"


@pytest.fixture(scope="module")
def environment() -> Environment:
    return Environment(loader=PackageLoader("app.web"), autoescape=True, undefined=StrictUndefined)


@pytest.fixture(scope="module")
def icons(environment: Environment) -> Any:
    return environment.get_template("icons.html").module


def drawn(svg: str) -> ET.Element:
    """An SVG of ours, which is well formed, hidden from screen readers and free of style."""
    named = svg.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1)
    root = ET.fromstring(named)  # noqa: S314
    assert root.tag == SVG
    assert root.get("aria-hidden") == "true"
    assert root.get("viewBox")
    assert len(root)
    assert "style" not in svg
    return root


def test_every_facility_has_a_sign_of_its_own(icons: Any) -> None:
    signs = {facility: str(icons.icon(facility.value)) for facility in Facility}
    assert len(set(signs.values())) == len(Facility)


def test_every_sign_is_drawn(icons: Any) -> None:
    for name in icons.drawings:
        assert drawn(str(icons.icon(name))).get("class") == "sh-icon"
    assert drawn(str(icons.icon("exit", "sh-icon sh-icon--s"))).get("class") == "sh-icon sh-icon--s"


def test_pages_ask_for_signs_that_there_are(environment: Environment, icons: Any) -> None:
    for name in environment.list_templates():
        source, _, _ = PackageLoader("app.web").get_source(environment, name)
        asked = set(re.findall(r"""\bicon\(\s*["'](\w+)["']""", source))
        assert asked <= set(icons.drawings), name


def test_states_differ_by_shape(icons: Any) -> None:
    doors = {str(icons.door_state(state)) for state in ("lit", "ajar", "dark")}
    shapes = {str(icons.shape(state)) for state in ("good", "warn", "bad", "none")}
    assert (len(doors), len(shapes)) == (3, 4)
    for svg in doors | shapes:
        drawn(svg)


def test_an_arrow_is_turned_by_an_attribute(icons: Any) -> None:
    assert 'transform="rotate(48 24 24)"' in str(icons.arrow(48))
    assert "style" not in str(icons.arrow(48))


@pytest.mark.parametrize(("name", "limit"), [("street", 900), ("fan", 300), ("glow", 400)])
def test_the_scene_is_light(icons: Any, name: str, limit: int) -> None:
    svg = str(getattr(icons, name)())
    drawn(svg)
    assert len(svg) <= limit


def test_the_mark_is_a_picture_with_a_name() -> None:
    mark = ET.parse(STATIC / "icons" / "mark.svg").getroot()  # noqa: S314
    assert mark.tag == SVG
    assert mark.get("role") == "img"
    assert mark.get("aria-label")


@pytest.mark.parametrize(
    ("name", "size"), [("icon-192", 192), ("icon-512", 512), ("apple-touch-icon", 180)]
)
def test_an_icon_has_its_size(name: str, size: int) -> None:
    png = (STATIC / "icons" / f"{name}.png").read_bytes()
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    # The header comes first: width and height in eight bytes.
    assert png[16:24] == size.to_bytes(4) * 2
    assert len(png) < 8_000
