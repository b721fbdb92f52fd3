"""In which language a request is answered."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.http.languages import LANGUAGES, wanted
from tests.servers import serving_directory

WISHES = [
    ([], "en", "nothing is asked for"),
    ([""], "en", "nothing is asked for"),
    (["pl"], "pl", "we have it"),
    (["pl-PL,pl;q=0.9,en;q=0.8"], "pl", "as a browser sends it"),
    (["PL-pl"], "pl", "case doesn't matter"),
    (["es-419"], "es", "the Spanish of another continent is Spanish enough"),
    (["ar-SA-u-nu-arab"], "ar", "nor is anything else beyond the language ours to tell apart"),
    (["en-GB,pl;q=0.9"], "en", "English comes first"),
    (["de"], "en", "we don't have it"),
    (["de,fr;q=0.9,es;q=0.1"], "es", "little liked, but known"),
    (["zh-Hant-TW,zh;q=0.9"], "en", "we don't have it"),
    (["*"], "en", "all are alike"),
    (["*,ar;q=0.5"], "en", "every other is liked better"),
    (["*;q=0.5,ar"], "ar", "it is liked better than every other"),
    (["en;q=0,*"], "pl", "anything but English"),
    (["en;q=0,*;q=0"], "en", "nothing of ours will do, and something must be said"),
    (["pl;q=0"], "en", "anything but Polish"),
    (["pl;q=0,es;q=0.001"], "es", "anything but Polish"),
    (["pl;q=0.5,es;q=0.7"], "es", "weights count, not places"),
    (["es;q=0.5, ar;q=0.5"], "es", "places count where weights are equal"),
    (["pl ; q=0.9 , es"], "es", "blanks don't matter"),
    (["en-GB;q=0.1,pl;q=0.5,en;q=0.9"], "pl", "of several wishes for one language the first"),
    (["pl;q=x"], "pl", "a weight that can't be read is none"),
    (["pl;q=0.9;q=0.1,es;q=0.5"], "pl", "the first of two weights"),
    (["pl_PL"], "en", "that is no tag of a language"),
    (["plx"], "en", "nor is what begins like one"),
    ([",,;q=1,-,*-PL"], "en", "garbage"),
    (["\x00\xff;q=\x00"], "en", "garbage"),
    (["٣" * 5000], "en", "garbage, and much of it"),
    (["de", "ar"], "ar", "several headers are one"),
    (["es;q=0.2", "ar;q=0.1"], "es", "several headers are one"),
]


@pytest.mark.parametrize(("accepted", "expected", "reason"), WISHES)
def test_the_language_that_is_liked_best(accepted: list[str], expected: str, reason: str) -> None:
    assert wanted(accepted).code == expected, reason


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path
) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("languages")
    path = folder / "havens.sqlite"
    path.write_bytes(sqlite_template.read_bytes())
    with serving_directory(folder / "data", f"sqlite:///{path}") as client:
        yield client


ADDRESSES = [
    ("/", "pl", "pl", "what the reader likes"),
    ("/ar", "pl", "ar", "the address says more than the reader"),
    ("/en", "pl", "en", "also that it shall be the source"),
    ("/de", "pl", "pl", "not a language of ours, so a page that isn't there"),
    ("/pl/nowhere", "es", "pl", "also where there is no page"),
    ("/plx", "es", "es", "not a language of ours either"),
]


@pytest.mark.parametrize(("path", "accepted", "expected", "reason"), ADDRESSES)
def test_a_page_is_in_the_language_of_its_address(
    service: httpx.Client, path: str, accepted: str, expected: str, reason: str
) -> None:
    page = service.get(path, headers={"Accept": "text/html", "Accept-Language": accepted})
    direction = LANGUAGES[expected].direction
    assert f'<html lang="{expected}" dir="{direction}"' in page.text, reason
    assert page.headers["Content-Language"] == expected
    assert "Accept-Language" in page.headers["Vary"]


def test_only_a_language_that_nobody_has_reviewed_says_so() -> None:
    assert {code for code, language in LANGUAGES.items() if language.is_reviewed} == {"en"}
