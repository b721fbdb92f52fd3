"""The leaflet and posters over HTTP, as they come out of the printer."""

from datetime import date
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest

from app.core.db import connected
from app.schemes.registry import SchemeKey
from tests.accounts import make_app
from tests.factories import award, make_venue
from tests.servers import serving, until
from tests.web.paper.conftest import ADDRESS
from tests.web.paper.documents import check_tagged, codes_of, pages_of, size_of


def printed(client: httpx.Client, path: str, **asked: str) -> bytes:
    answer = client.get(f"/print/{path}", params=asked)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf")
    return answer.content


def ids(client: httpx.Client) -> dict[str, UUID]:
    """The ids of havens, by name."""
    return {haven["name"]: haven["id"] for haven in client.get("/v1/havens").json()["havens"]}


# --- the leaflet -----------------------------------------------------------------------------


def test_the_leaflet_lists_havens_by_ward(city: httpx.Client) -> None:
    (page,) = pages_of(printed(city, "leaflet.pdf"))
    order = (
        *("Bellfounders", "The Weaver’s Comet", "Lanternside", "The Brass Heron"),
        *("Zoltán’s <b>#Bar_*", "Other places", "Nowhere in Particular"),
    )
    places = [page.index(words) for words in order]
    assert places == sorted(places)
    assert "The Old Lapsed" not in page


def test_the_leaflet_says_what_one_needs(city: httpx.Client) -> None:
    (page,) = pages_of(printed(city, "leaflet.pdf"))
    for words in (
        "1 Lantern Passage, EC1A 0ZZ. Green door under the heron",
        "Mon–Thu 11:00–23:00, Fri–Sat 11:00–02:00, bank holidays closed",
        "Step-free: yes · Toilet · Phone charger",
        "Open day and night",
        "Opening hours not known",
        "In danger, call 999.",
        "It does not tell anyone where you are.",
        "havens.example knows what is open now.",
    ):
        assert words in page, words
    assert "Sample" not in page
    assert "Angela" not in page, "nobody here is in that scheme"


@pytest.mark.parametrize("size", ["a4", "a5"])
def test_the_leaflet_is_tagged_and_has_a_code_of_the_finder(city: httpx.Client, size: str) -> None:
    leaflet = printed(city, "leaflet.pdf", size=size)
    check_tagged(leaflet, "Safe places at night", "en")
    assert codes_of(leaflet) == [f"{ADDRESS}/"]
    assert size_of(leaflet) == ((210, 297) if size == "a4" else (297, 210))


def test_folded_the_leaflet_reads_as_a_booklet(sqlite_url: str, tmp_path: Path) -> None:
    with connected(sqlite_url) as engine:
        for number in range(60):
            make_venue(engine, name=f"Haven {number:02}")
    with serving(make_app(sqlite_url, tmp_path)) as client:
        until(lambda: client.get("/health/ready").is_success)
        sides = pages_of(printed(client, "leaflet.pdf", size="a5"))
        flat = pages_of(printed(client, "leaflet.pdf"))
    assert len(sides) % 2 == 0, "sheets have two sides"
    total = 2 * len(sides)
    for number, side in enumerate(sides):
        left, right = total - number, number + 1
        for page in (left, right):
            assert f"{page} / {total}" in side
    named = "Haven {:02}".format
    assert {n for n in range(60) if named(n) in " ".join(sides)} == set(range(60))
    assert {n for n in range(60) if named(n) in " ".join(flat)} == set(range(60))
    assert named(0) in sides[0], "the list begins on the first page"


def test_without_a_public_address_the_leaflet_has_none(sqlite_url: str, tmp_path: Path) -> None:
    with serving(make_app(sqlite_url, tmp_path)) as client:
        until(lambda: client.get("/health/ready").is_success)
        leaflet = printed(client, "leaflet.pdf")
    assert codes_of(leaflet) == []
    (page,) = pages_of(leaflet)
    assert "knows what is open now" not in page
    assert "No place is listed now. In danger, call 999." in page


def test_what_is_unchanged_is_not_sent_again(city: httpx.Client) -> None:
    first = city.get("/print/leaflet.pdf")
    again = city.get("/print/leaflet.pdf", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = city.get("/print/leaflet.pdf", params={"size": "a5"})
    assert other.headers["ETag"] != first.headers["ETag"]
    assert city.head("/print/leaflet.pdf").headers["ETag"] == first.headers["ETag"]


def test_a_new_version_is_printed_anew(sqlite_url: str, tmp_path: Path) -> None:
    with serving(make_app(sqlite_url, tmp_path)) as client:
        until(lambda: client.get("/health/ready").is_success)
        assert "The New Door" not in pages_of(printed(client, "leaflet.pdf"))[0]
        with connected(sqlite_url) as engine:
            make_venue(engine, name="The New Door")
        until(lambda: "The New Door" in client.get("/v1/havens").text)
        assert "The New Door" in pages_of(printed(client, "leaflet.pdf"))[0]


# --- the poster ------------------------------------------------------------------------------


@pytest.mark.parametrize("ground", ["night", "white"])
def test_a_poster_has_codes_of_the_havens_page_and_of_its_survey(
    city: httpx.Client, ground: str
) -> None:
    haven = ids(city)["The Brass Heron"]
    poster = printed(city, f"poster/{haven}.pdf", ground=ground)
    page_of_it = f"{ADDRESS}/havens/{haven}"
    assert sorted(codes_of(poster)) == [page_of_it, f"{page_of_it}/survey"]
    check_tagged(poster, "Come in. The Brass Heron", "en")
    assert size_of(poster) == (210, 297)
    (page,) = pages_of(poster)
    assert "Just ask for help" in page
    assert "Angela" not in page
    assert "Sample" not in page


def test_a_poster_shows_a_name_as_it_is(city: httpx.Client) -> None:
    name = "Zoltán’s <b>#Bar_*"
    assert name in pages_of(printed(city, f"poster/{ids(city)[name]}.pdf"))[0]


def test_no_poster_without_a_public_address(city_url: str, tmp_path: Path) -> None:
    with serving(make_app(city_url, tmp_path)) as client:
        until(lambda: client.get("/health/ready").is_success)
        answer = client.get(f"/print/poster/{ids(client)['The Brass Heron']}.pdf")
    assert answer.status_code == 409
    assert "HAVENS_PUBLIC_URL is not set" in answer.json()["title"]


def test_there_is_a_poster_of_listed_havens_alone(city: httpx.Client) -> None:
    assert city.get(f"/print/poster/{uuid4()}.pdf").status_code == 404
    assert city.get("/print/poster/nobody.pdf").status_code == 422


def test_a_demonstration_says_so_and_angela_is_named_where_she_is(
    sqlite_url: str, tmp_path: Path
) -> None:
    with connected(sqlite_url) as engine:
        venue = make_venue(engine, name="The Lantern", demonstration=True)
        award(engine, venue.id, date(2020, 1, 1), None, scheme=SchemeKey.ASK_FOR_ANGELA)
    with serving(make_app(sqlite_url, tmp_path, "demo", public_url=ADDRESS)) as client:
        until(lambda: client.get("/health/ready").is_success)
        for size in ("a4", "a5"):
            for page in pages_of(printed(client, "leaflet.pdf", size=size)):
                assert "Sample: every place is invented" in page
        assert "where it says Angela" in pages_of(printed(client, "leaflet.pdf"))[0]
        (poster,) = pages_of(printed(client, f"poster/{venue.id}.pdf"))
    assert "Sample: not a real haven" in poster
    assert "Ask for “Angela”, or just ask for help" in poster


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("leaflet.pdf?size=a3", "size"),
        ("leaflet.pdf?lang=tlh", "lang"),
        ("leaflet.pdf?colour=red", "colour"),
        (f"poster/{UUID(int=1)}.pdf?ground=pink", "ground"),
    ],
)
def test_what_nobody_prints_is_refused(city: httpx.Client, path: str, field: str) -> None:
    answer = city.get(f"/print/{path}")
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
