"""The streets over HTTP: one file that a phone keeps, and what the directory says of it."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.walking.file import STREETS
from app.walking.phone import FORM, on_phone
from tests.factories import utc
from tests.servers import add_venue, serving_directory, until
from tests.walking.test_streets import ragged
from tests.walking.towns import grid, place

NOW = utc("2027-07-13T12:20")
ADDRESS = "/v1/streets"


@pytest.fixture
def live(tmp_path: Path, sqlite_url: str) -> Iterator[httpx.Client]:
    lat, lon = place(300, 300)
    add_venue(sqlite_url, name="in town", lat=lat, lon=lon)
    with serving_directory(tmp_path / "data", sqlite_url, lambda: NOW) as client:
        yield client


def known(client: httpx.Client) -> str:
    """Which streets the directory names, if any."""
    return str(client.get("/v1/havens").json()["directory"].get("streets", ""))


def test_there_are_none_until_they_are_imported(live: httpx.Client, tmp_path: Path) -> None:
    answer = live.get(ADDRESS)
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["title"] == "There is no such street network"
    assert known(live) == ""
    grid().streets(tmp_path / "data")
    until(lambda: known(live) != "")
    assert live.get(ADDRESS).status_code == 200


def test_a_phone_gets_them_small_and_only_when_they_have_changed(
    live: httpx.Client, tmp_path: Path
) -> None:
    made = grid().streets(tmp_path / "data")
    until(lambda: known(live) == made.checksum)
    whole = live.get(ADDRESS, headers={"Accept-Encoding": "identity"})
    assert whole.content == on_phone(made)
    assert whole.headers["Content-Type"] == "application/octet-stream"
    assert whole.headers["Cache-Control"] == "no-cache"
    about = json.loads(whole.content[len(FORM) :].split(b"\n")[0])
    assert about["attribution"] == "© OpenStreetMap contributors"
    small = live.get(ADDRESS)
    assert small.headers["Content-Encoding"] == "gzip"
    assert small.content == whole.content
    assert int(small.headers["Content-Length"]) < len(whole.content) / 2
    assert small.headers["ETag"] != whole.headers["ETag"]
    head = live.head(ADDRESS)
    assert head.headers["ETag"] == small.headers["ETag"]
    assert not head.content
    for answer in (whole, small):
        tag, coding = answer.headers["ETag"], answer.headers.get("Content-Encoding", "identity")
        assert not tag.startswith("W/")
        again = live.get(ADDRESS, headers={"If-None-Match": tag, "Accept-Encoding": coding})
        assert again.status_code == 304
        assert not again.content
    other = ragged(1).streets(tmp_path / "data")
    until(lambda: known(live) == other.checksum)
    changed = live.get(ADDRESS, headers={"If-None-Match": small.headers["ETag"]})
    assert changed.status_code == 200
    assert changed.content == on_phone(other)


def test_they_are_gone_with_their_file(live: httpx.Client, tmp_path: Path) -> None:
    made = grid().streets(tmp_path / "data")
    until(lambda: known(live) == made.checksum)
    (tmp_path / "data" / STREETS).unlink()
    until(lambda: live.get(ADDRESS).status_code == 404)
    until(lambda: known(live) == "")
