"""Public pages over HTTP: what they say, in which language, under which headers."""

import json
import re
import shutil
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from html import unescape
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4
from xml.etree import ElementTree as ET

import httpx
import pytest

from app.core.db import connected
from app.http.languages import LANGUAGES
from app.main import create_app
from tests.factories import BANK, london, make_ward, utc
from tests.servers import add_venue, serving, serving_directory, settings_for, until

NOW = utc("2026-11-27T23:00")
"""A Friday night."""

NAME = "The </script> & Lantern"


@dataclass(frozen=True)
class Site:
    """The pages, by the clock of a Friday night, and the havens in them."""

    client: httpx.Client
    lantern: UUID
    shut: UUID
    later: UUID
    """Listed from the next day on."""

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.client.get(path, headers=headers)

    @property
    def haven(self) -> str:
        return f"/havens/{self.lantern}"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("pages")
    url = f"sqlite:///{shutil.copyfile(sqlite_template, folder / 'havens.sqlite')}"
    with connected(url) as engine:
        ward = make_ward(engine, name="Lantern & Gate").id
    lantern = add_venue(
        url,
        name=NAME,
        ward_id=ward,
        address="1 Lantern Passage",
        postcode="EC2V 0ZZ",
        phone="020 7946 0123",
        entrance="Blue door",
        facilities=["water", "seat"],
        step_free="yes",
        hours="Mo-Th 11:00-23:00; Fr-Sa 11:00-02:00; Su 00:00-24:00",
        last_checked=date(2026, 11, 3),
    )
    shut = add_venue(url, name="Anchor", ward_id=ward, hours="Mo-Fr 09:00-17:00", category="shop")
    later = add_venue(url, name="Comes Later", ward_id=ward, safe_haven_from=date(2026, 11, 28))
    with serving_directory(folder / "data", url, lambda: NOW) as client:
        yield Site(client, lantern, shut, later)


def text(page: httpx.Response) -> str:
    """What a page says, without its markup and with single blanks."""
    body = re.sub(r"<(script|head).*?</\1>", "", page.text, flags=re.DOTALL)
    return " ".join(unescape(re.sub("<[^>]*>", " ", body)).split())


def title(page: httpx.Response) -> str:
    found = re.search("<title>(.*?)</title>", page.text, re.DOTALL)
    assert found
    return unescape(found[1])


def paths(site: Site) -> list[str]:
    return [
        "/help",
        "/safety",
        "/privacy",
        "/accessibility",
        "/wards/lantern-and-gate",
        site.haven,
        f"/havens/{site.shut}",
        f"{site.haven}/report",
        f"{site.haven}/report/sent",
    ]


def test_every_page_answers_in_each_language(site: Site) -> None:
    titles = set()
    for path in paths(site):
        for code in ("", *LANGUAGES):
            address = f"/{code}{path}" if code else path
            page = site.get(address)
            assert page.status_code == 200, address
            headers = page.headers
            assert headers["Content-Language"] == (code or "en")
            assert headers["Content-Security-Policy"].startswith("default-src 'none'; ")
            assert headers["Vary"] == "Accept-Language, Accept-Encoding"
            assert "access-control-allow-origin" not in headers
            assert "set-cookie" not in headers
            assert f'<html lang="{code or "en"}"' in page.text
            assert not re.search(r'\sstyle="|<style|\son\w+="', page.text)
            levels = [int(level) for level in re.findall(r"<h([1-6])\b", page.text)]
            assert levels[0] == 1, address
            assert levels.count(1) == 1, address
            assert all(b <= a + 1 for a, b in pairwise(levels)), address
            for other in LANGUAGES:
                assert f'href="/{other}{path}"' in page.text
            home = f"/{code}" if code else "/"
            assert f'class="sh-name" href="{home}"' in page.text
            if not code:
                titles.add(title(page))
    assert len(titles) == len(paths(site)), "each page has a title of its own"
    polish = site.get("/help", **{"Accept-Language": "pl-PL, en;q=0.5"})
    assert polish.headers["Content-Language"] == "pl"


def test_the_finder_s_policy_names_what_it_holds_and_nothing_else_that_stands_in_it(
    site: Site,
) -> None:
    began, answered = site.get("/"), site.client.post("/", data={"place": "EC2V 0ZZ"})
    assert "Lantern" in text(answered)
    for page in (began, answered):
        policy = page.headers["Content-Security-Policy"]
        rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
        scripts = re.findall(r"<script(?: data-[^>]*)?>(.*?)</script>", page.text, re.DOTALL)
        assert rules["script-src"] == f"'self' {digest(scripts[0])}"
        assert len(scripts) == 1
        for style in re.findall("<style>(.*?)</style>", page.text, re.DOTALL):
            assert rules["style-src"] == f"'self' {digest(style)}"
    assert began.text.count("<style>") == 1
    other = site.get("/help").headers["Content-Security-Policy"]
    assert "script-src 'self'; style-src 'self';" in other


def digest(held: str) -> str:
    """What a policy calls a script or a style that stands in a page."""
    return f"'sha256-{b64encode(sha256(held.encode()).digest()).decode()}'"


def test_links_inside_the_pages_lead_somewhere(site: Site) -> None:
    seen: set[str] = set()
    for path in (*paths(site), f"/pl{site.haven}", f"/havens/{site.later}"):
        seen |= set(re.findall(r'href="(/[^"#]*)', site.get(path).text))
    seen = {link for link in seen if str(site.later) not in link}
    assert {
        f"/pl{site.haven}/report",
        "/wards/lantern-and-gate",
        "/pl/wards/lantern-and-gate",
    } <= seen
    assert {link: s for link in seen if (s := site.get(link).status_code) != 200} == {}


def test_a_page_that_is_known_is_not_sent_again(site: Site) -> None:
    page = site.get(site.haven)
    again = site.get(site.haven, **{"If-None-Match": page.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    head = site.client.head(site.haven)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["ETag"] == page.headers["ETag"]


def test_a_haven_page_says_all_that_is_known(site: Site) -> None:
    page = site.get(site.haven)
    said = text(page)
    for words in (
        f"Open until 02:00 {NAME} Pub in Lantern & Gate . Safe Haven until 31 Dec 2060.",
        "Address, to read out 1 Lantern Passage EC2V 0ZZ",
        "Way in: Blue door",
        "Step-free: yes Water Seat",
        "Opening hours The next seven days",
        "Friday (today) until 02:00",
        "Saturday from 11:00",
        "Sunday Open day and night",
        "Monday 11:00\u201323:00",
        "Checked by an officer on 3 Nov 2026.",
    ):
        assert words in said
    assert 'href="tel:02079460123"' in page.text
    assert "destination=51.513400,-0.089000" in page.text
    assert f'href="{site.haven}/report"' in page.text
    assert title(page) == f"{NAME}: Safe Haven"
    assert "Demonstration" not in said
    assert "og:" not in page.text, "without a public address nothing can be shared"
    assert "Opens at" in text(site.get(f"/havens/{site.shut}"))


def test_what_programs_read_is_what_the_directory_says(site: Site) -> None:
    page = site.get(site.haven)
    found = re.findall(r'<script type="application/ld\+json">(.*?)</script>', page.text)
    place: dict[str, Any] = json.loads(found[0])
    assert place["@type"] == "BarOrPub"
    assert place["name"] == NAME
    assert place["address"]["streetAddress"] == "1 Lantern Passage"
    assert place["geo"] == {"@type": "GeoCoordinates", "latitude": BANK.lat, "longitude": BANK.lon}
    assert place["containedInPlace"]["name"] == "Lantern & Gate"
    assert {a["name"]: a["value"] for a in place["amenityFeature"]} == {
        "Water": True,
        "Seat": True,
        "Step-free": True,
    }
    assert "url" not in place
    told = [
        (hours["dayOfWeek"], hours["opens"], hours["closes"])
        for hours in place["openingHoursSpecification"]
    ]
    assert told == [
        (["Sunday"], "00:00", "23:59:59"),
        (["Monday", "Tuesday", "Wednesday", "Thursday"], "11:00", "23:00"),
        (["Friday", "Saturday"], "11:00", "02:00"),
    ]
    # From the night before on, for a year and a month.
    assert {hours["validFrom"] for hours in place["openingHoursSpecification"]} == {"2026-11-26"}
    assert {hours["validThrough"] for hours in place["openingHoursSpecification"]} == {"2028-01-01"}


def test_a_ward_lists_open_doors_first(site: Site) -> None:
    said = text(site.get("/wards/lantern-and-gate"))
    assert re.search(
        f"Open now {NAME} Open until 02:00 .* Not open now Anchor Opens at 09:00 on Monday", said
    )
    assert "Comes Later" not in said
    for nowhere in ("/wards/elsewhere", "/wards/Lantern & Gate", "/pl/wards/%00"):
        page = site.get(nowhere)
        assert page.status_code == 404
        assert page.headers["Content-Type"].startswith("text/html")


def test_a_haven_page_outlives_its_listing(site: Site) -> None:
    for path in (f"/havens/{site.later}", f"/havens/{site.later}/report"):
        page = site.get(path)
        assert page.status_code == 404
        assert page.headers["Cache-Control"] == "no-store"
        said = text(page)
        assert "Comes Later is not a Safe Haven now Find the nearest open door" in said
        assert f"Nearest open doors, from there 0 min {NAME} Open until 02:00" in said
        assert "Emergency services" in said
    unknown = site.get(f"/havens/{uuid4()}")
    assert unknown.status_code == 404
    assert "This is not a Safe Haven now" in text(unknown)
    assert "Open now, by ward Lantern & Gate 1 open" in text(unknown)


def test_no_address_brings_a_page_down(site: Site) -> None:
    odd = ["x", "%00", "%ff", "..%2f..", "0" * 400, "{0}", str(site.lantern)[:-1], "%F0%9F%9A%AA"]
    for part in odd:
        for path in (f"/havens/{part}", f"/havens/{part}/report", f"/wards/{part}", f"/xx/{part}"):
            assert site.get(path, Accept="text/html").status_code == 404, path
        assert site.client.post(f"/havens/{part}/report").status_code == 404
    assert site.client.post("/help").status_code == 405
    assert "This page isn\u2019t here" in text(site.get("/havens/x"))


def test_what_is_too_long_is_refused_in_a_page(site: Site) -> None:
    form = {"place": "x" * 70_000}
    page = site.client.post("/pl", data=form, headers={"Accept": "text/html,*/*;q=0.8"})
    assert page.status_code == 413
    assert page.headers["Content-Type"].startswith("text/html")
    assert '<html lang="pl"' in page.text
    assert site.client.post("/pl", data=form).json()["status"] == 413


def test_the_finder_is_installed_in_the_language_it_is_seen_in(site: Site) -> None:
    for code, start, direction in (("", "/", "ltr"), ("ar", "/ar", "rtl")):
        [address] = re.findall('rel="manifest" href="(.*?)"', site.get(f"/{code}").text)
        told = site.get(address).json()
        assert (told["start_url"], told["dir"]) == (start, direction)
        assert told["description"] in text(site.get(f"/{code}"))


@pytest.mark.parametrize("night", ["2026-03-28", "2026-10-24"], ids=["spring", "autumn"])
def test_hours_on_a_night_when_clocks_change(sqlite_url: str, tmp_path: Path, night: str) -> None:
    haven = add_venue(sqlite_url, hours="Sa 20:00-04:00")
    now = london(f"{night}T12:00")
    with serving_directory(tmp_path / "data", sqlite_url, lambda: now) as client:
        page = client.get(f"/havens/{haven}")
        assert "Saturday (today) 20:00\u201304:00" in text(page)
        assert "Opens at 20:00" in text(page)
        # By the clocks: four hours before midnight, which is at 75 %, and four after.
        assert 'class="open" x="58.3%" width="33.3%"' in page.text
        now = london(f"{night}T22:30")
        until(lambda: "Open until 04:00" in text(client.get(f"/havens/{haven}")))


def test_unknown_hours_are_no_promise(sqlite_url: str, tmp_path: Path) -> None:
    haven = add_venue(sqlite_url, hours=None)
    with serving_directory(tmp_path / "data", sqlite_url, lambda: NOW) as client:
        page = client.get(f"/havens/{haven}")
        assert "Nobody has told us its opening hours." in text(page)
        assert "OpeningHours" not in page.text
        assert "<table" not in page.text


def test_without_a_directory_pages_say_whom_to_call(tmp_path: Path) -> None:
    nobody = "postgresql+psycopg://nobody@/none?host=/nowhere"
    with serving_directory(tmp_path / "data", nobody, is_ready=False) as client:
        assert "Emergency services" in text(client.get("/help"))
        for path in (f"/havens/{uuid4()}", f"/havens/{uuid4()}/report", "/wards/any"):
            page = client.get(path)
            assert page.status_code == 503
            assert "Something broke on our side" in title(page)
            assert "In danger, call 999." in text(page)
            assert page.headers["Cache-Control"] == "no-store"


def test_where_nothing_is_open_it_says_what_opens_next(sqlite_url: str, tmp_path: Path) -> None:
    add_venue(sqlite_url, name="Anchor", hours="Sa 09:00-17:00")
    later = add_venue(sqlite_url, safe_haven_from=date(2026, 11, 28))
    with serving_directory(tmp_path / "data", sqlite_url, lambda: NOW) as client:
        said = text(client.get(f"/havens/{later}"))
        assert "Opens next 0 min Opens at 09:00 Anchor" in said
        assert "Nearest open" not in said


# --- a public address ------------------------------------------------------------------------


ADDRESS = "https://havens.example"


def test_absolute_addresses_come_from_the_settings_alone(site: Site, tmp_path: Path) -> None:
    """Without a public address there are none, whatever host was asked for."""
    asked = site.get("/robots.txt", Host="elsewhere.example").text
    assert asked == "User-agent: *\nDisallow:\n"
    assert site.get("/sitemap.xml").status_code == 404
    assert "elsewhere.example" not in site.get(site.haven, Host="elsewhere.example").text


def test_a_public_address_is_shared_and_listed(sqlite_url: str, tmp_path: Path) -> None:
    haven = add_venue(sqlite_url, name="The Lantern")
    app = create_app(settings_for(tmp_path, sqlite_url, public_url=ADDRESS), lambda: NOW)
    with serving(app) as client:
        until(lambda: client.get("/health/ready").is_success)
        page = client.get(f"/pl/havens/{haven}").text
        here = f"https://havens.example/pl/havens/{haven}"
        assert f'<link rel="canonical" href="{here}">' in page
        assert f'<meta property="og:url" content="{here}">' in page
        assert f'"url": "{here}"' in page
        assert client.get("/robots.txt").text.endswith(
            "Sitemap: https://havens.example/sitemap.xml\n"
        )
        listed = ET.fromstring(client.get("/sitemap.xml").content)  # noqa: S314  our own
        locations = [entry[0].text for entry in listed]
        assert f"https://havens.example/havens/{haven}" in locations
        assert "https://havens.example/" in locations
        for entry in listed:
            languages = [link.attrib["hreflang"] for link in entry[1:]]
            assert languages == [*LANGUAGES, "x-default"]
            for link in entry[1:]:
                path = link.attrib["href"].removeprefix("https://havens.example")
                assert client.get(path).status_code == 200, path


def test_a_demonstration_says_so_and_is_listed_nowhere(sqlite_url: str, tmp_path: Path) -> None:
    haven = add_venue(sqlite_url, demonstration=True)
    app = create_app(settings_for(tmp_path, sqlite_url, "demo", ADDRESS), lambda: NOW)
    with serving(app) as client:
        until(lambda: client.get("/health/ready").is_success)
        assert client.get("/robots.txt").text == "User-agent: *\nDisallow: /\n"
        assert client.get("/sitemap.xml").status_code == 404
        for path in (
            "/help",
            f"/havens/{haven}",
            f"/ar/havens/{haven}/report",
            f"/havens/{uuid4()}",
        ):
            assert "no place here is real" in client.get(path).text or path.startswith("/ar")
        assert "demonstration data: not a real haven" in client.get(f"/havens/{haven}").text
