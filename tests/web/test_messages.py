"""The words of public pages: every one in every language, and none in another one's place."""

import json
import re
import tomllib
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.frontend import parse_keywords
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from playwright.sync_api import Browser

from app.core.settings import HELP
from app.http.languages import CATALOGUES, LANGUAGES
from app.venues.kinds import Facility
from app.web.words import words
from tests.servers import ROOT, add_venue, serving_directory, until

Json = dict[str, Any]

TRANSLATED = [code for code in LANGUAGES if code != "en"]
each_language = pytest.mark.parametrize("code", LANGUAGES)
each_translation = pytest.mark.parametrize("code", TRANSLATED)

# --- the catalogues --------------------------------------------------------------------------


def catalogue(code: str) -> Catalog:
    with (CATALOGUES / code / "LC_MESSAGES" / "havens.po").open("rb") as file:
        return read_po(file, locale=code)


def messages(code: str) -> list[Message]:
    """All but the header."""
    return [message for message in catalogue(code) if message.id]


def forms(said: str | Sequence[str] | None) -> tuple[str, ...]:
    """A message as its forms by number, of which most have one."""
    return (said,) if isinstance(said, str) else tuple(said or ())


def key(message: Message) -> str:
    return forms(message.id)[0]


@pytest.fixture(scope="module")
def source() -> set[str | tuple[str, ...]]:
    """Every message in the code and the templates, found as `make messages` finds them."""
    mappings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["babel"]["mappings"]
    found = re.search(r'--keywords "(.*?)"', (ROOT / "Makefile").read_text())
    assert found
    extracted = extract_from_dir(
        ROOT / "app",
        method_map=[(mapping["pattern"], mapping["method"]) for mapping in mappings],
        options_map={
            mapping["pattern"]: {k: v for k, v in mapping.items() if k not in ("pattern", "method")}
            for mapping in mappings
        },
        keywords=DEFAULT_KEYWORDS | parse_keywords(found[1].split()),
    )
    return {message for _, _, message, _, _ in extracted}


def test_messages_are_found_in_code_and_in_templates(source: set[str | tuple[str, ...]]) -> None:
    assert len(source) > 100
    assert {"Find the nearest open door", "Emergency services", ("{n} minute", "{n} minutes")} < {
        *source
    }


@each_translation
def test_a_catalogue_has_what_is_in_the_source(
    code: str, source: set[str | tuple[str, ...]]
) -> None:
    assert {message.id for message in messages(code)} == source
    assert not catalogue(code).obsolete


@each_translation
def test_every_message_is_translated(code: str) -> None:
    for message in messages(code):
        assert not message.fuzzy, message.id
        assert all(forms(message.string)), message.id


@each_translation
def test_no_catalogue_claims_a_reviewer(code: str) -> None:
    made = catalogue(code)
    assert "Not yet reviewed by a native speaker." in made.header_comment
    headers = dict(made.mime_headers)
    assert headers["Project-Id-Version"] == "Safe Havens"
    assert not re.search("FULL NAME|EMAIL|LANGUAGE|PROJECT|VERSION", "".join(headers.values()))


@each_translation
def test_what_runs_is_what_is_written(code: str) -> None:
    compiled = BytesIO()
    write_mo(compiled, catalogue(code))
    committed = CATALOGUES / code / "LC_MESSAGES" / "havens.mo"
    assert compiled.getvalue() == committed.read_bytes(), "make messages"


PARTS = re.compile(r"\{\w*\}|</?\w+>")


def slots(text: str) -> list[str]:
    """What is put in, in any order, then the tags in theirs."""
    found = PARTS.findall(text)
    return sorted(p for p in found if p[0] == "{") + [p for p in found if p[0] == "<"]


@each_translation
def test_what_is_put_in_is_put_in_everywhere(code: str) -> None:
    language = LANGUAGES[code]
    # A form for one number alone may say it in words: "two minutes" is one word in Arabic.
    numbers = [language._form(n) for n in range(1000)]
    for message in messages(code):
        expected = slots(key(message))
        assert all(slots(one) == expected for one in forms(message.id))
        for number, form in enumerate(forms(message.string)):
            may_lack = {"{n}"} if message.pluralizable and numbers.count(number) == 1 else set()
            given = slots(form)
            assert given == expected or given == [s for s in expected if s not in may_lack], form


@each_translation
def test_what_nobody_sees_is_isolates_and_ends_of_lines(code: str) -> None:
    for message in messages(code):
        for form in forms(message.string):
            plain = re.sub("\u2068([^\u2068\u2069]*)\u2069", r"\1", form)
            assert all(line.isprintable() for line in plain.split("\n")), message.id
            assert plain.count("\n") == key(message).count("\n"), message.id


@each_translation
def test_forms_are_those_of_the_catalogue(code: str) -> None:
    language, made = LANGUAGES[code], catalogue(code)
    counted = [message for message in messages(code) if message.pluralizable]
    assert len(counted) >= 3
    for message in counted:
        one, other = forms(message.id)
        listed = language.forms(one, other)
        assert (*listed,) == forms(message.string)
        assert len(listed) == made.num_plurals
        for n in range(201):
            assert language.ngettext(one, other, n) == listed[language._form(n)]


COUNTED = [
    *(("pl", n, form) for n, form in {0: 2, 1: 0, 2: 1, 4: 1, 5: 2, 12: 2, 22: 1, 112: 2}.items()),
    *(("es", n, form) for n, form in {0: 1, 1: 0, 2: 1, 100: 1, 1_000_000: 1}.items()),
    *(("ar", n, form) for n, form in {0: 0, 1: 1, 2: 2, 3: 3, 10: 3, 11: 4, 99: 4, 100: 5}.items()),
    *(("en", n, form) for n, form in {0: 1, 1: 0, 2: 1}.items()),
]


@pytest.mark.parametrize(("code", "n", "form"), COUNTED)
def test_which_form_goes_with_a_number(code: str, n: int, form: int) -> None:
    language = LANGUAGES[code]
    one, other = "{n} minute", "{n} minutes"
    assert language.ngettext(one, other, n) == language.forms(one, other)[form]


# --- pages -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path
) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("messages")
    path = folder / "havens.sqlite"
    path.write_bytes(sqlite_template.read_bytes())
    url = f"sqlite:///{path}"
    for hours in ("24/7", "Mo-Su 05:00-05:30", None):
        add_venue(url, hours=hours, facilities=[*Facility])
    with serving_directory(folder / "data", url) as client:
        yield client


class Text(HTMLParser):
    """What a page says, piece by piece, but for what it says is in another language."""

    VOID = frozenset({"meta", "link", "input", "br", "hr"})
    SAID = frozenset({"aria-label", "alt", "title", "placeholder", "content"})

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.pieces: list[str] = []
        self.addresses: list[str] = []
        self._open: list[tuple[str, bool]] = []
        """Elements, scripts by their id, and whether they are in another language than the page."""
        self.feed(markup)
        assert not self._open, "a page is well-formed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        is_other = (bool(self._open) and self._open[-1][1]) or (tag != "html" and "lang" in given)
        if tag not in self.VOID:
            self._open.append((tag if tag != "script" else given.get("id", tag), is_other))
        if tag == "a":
            self.addresses.append(given["href"])
        if not is_other:
            self.pieces += [value for name, value in given.items() if name in self.SAID]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass  # a shape of a drawing

    def handle_endtag(self, tag: str) -> None:
        opened, _ = self._open.pop()
        assert opened == tag or tag == "script", "a page is well-formed"

    def handle_data(self, data: str) -> None:
        if not self._open:
            return  # before the first and after the last
        name, is_other = self._open[-1]
        if name == "words":
            self.pieces += [form for said in json.loads(data).values() for form in forms(said)]
        elif name != "script" and not is_other:
            self.pieces.append(" ".join(data.split()))


class Page(NamedTuple):
    path: str
    text: Text


def pages(client: httpx.Client, code: str) -> list[Page]:
    """All that can be reached in a language from its first page, and what its forms answer."""
    found, waiting, known = [], [f"/{code}"], {f"/{code}"}
    while waiting:
        path = waiting.pop()
        response = client.get(path, headers={"Accept": "text/html"})
        if not response.headers["Content-Type"].startswith("text/html"):
            continue
        text = Text(response.text)
        found.append(Page(path, text))
        for address in text.addresses:
            path = address.partition("#")[0].partition("?")[0]
            if path.startswith(f"/{code}/") and path not in known:
                known.add(path)
                waiting.append(path)
    for place in ("", "lantern", "The Lantern", "nowhere at all"):
        response = client.post(f"/{code}", data={"place": place})
        found.append(Page(f"{place!r} posted", Text(response.text)))
    return found


def english(code: str, text: Text) -> set[str]:
    """What is said in English that the catalogue of a language says otherwise."""
    whole = " ".join(text.pieces)
    found = set()
    for message in messages(code):
        said = " ".join(forms(message.string))
        for part in PARTS.split(" ".join(forms(message.id))):
            fragment = part.strip(" .,:“”")
            if len(fragment) < 2 or fragment in said:
                continue
            if fragment in text.pieces or (fragment.count(" ") > 1 and fragment in whole):
                found.add(fragment)
    return found


@each_translation
def test_no_page_says_in_english_what_is_translated(service: httpx.Client, code: str) -> None:
    seen = pages(service, code)
    assert len(seen) > 7
    for page in seen:
        assert not english(code, page.text), page.path


@each_translation
def test_english_would_be_found(service: httpx.Client, code: str) -> None:
    found = set().union(*(english(code, page.text) for page in pages(service, "en")))
    known = {"Find the nearest open door", "Call 999", "Looking for where you are…", "north-east"}
    assert known <= found
    assert len(found) > 100


@each_language
def test_a_page_speaks_the_language_that_the_reader_likes(service: httpx.Client, code: str) -> None:
    response = service.get("/", headers={"Accept-Language": code})
    language = LANGUAGES[code]
    assert response.headers["Content-Language"] == code
    assert language.gettext("Find the nearest open door") in response.text


@each_language
def test_the_phone_counts_as_the_catalogue_does(
    chromium: Browser, service: httpx.Client, code: str
) -> None:
    page = chromium.new_page(base_url=str(service.base_url))
    page.goto(f"/{code}")
    # What counts comes after the door.
    until(lambda: page.evaluate("typeof counted === 'function'"))
    numbers = [*range(201), 1000, 1001, 1_000_000]
    for key in ("minutes", "more_below"):
        listed = words(LANGUAGES[code])[key]
        assert isinstance(listed, list)
        counted = page.evaluate("([key, ns]) => ns.map((n) => counted(key, n))", [key, numbers])
        expected = [listed[LANGUAGES[code]._form(n)].format(n=n) for n in numbers]
        assert counted == expected
    page.close()


# --- whom to call ----------------------------------------------------------------------------

NEAREST = "/v1/havens/nearest?lat=51.5134&lon=-0.089"
# With a header that is given twice, the framework answers instead of the short way.
LONG_WAY = [("X-Twice", "1"), ("X-Twice", "2")]
ASKED: list[tuple[str, list[tuple[str, str]]]] = [
    ("/v1/help", []),
    (NEAREST, []),
    (NEAREST, LONG_WAY),
]
each_way = pytest.mark.parametrize(("path", "more"), ASKED, ids=["help", "short", "long"])


def parts(response: httpx.Response, header: str) -> set[str]:
    return {part.strip() for part in response.headers.get(header, "").split(",")} - {""}


@each_way
@pytest.mark.parametrize(
    ("accepted", "code"), [("pl-PL,pl;q=0.9", "pl"), ("es", "es"), ("ar", "ar"), ("de", "en")]
)
def test_whom_to_call_is_said_in_the_language_of_who_asks(
    service: httpx.Client, path: str, more: list[tuple[str, str]], accepted: str, code: str
) -> None:
    response = service.get(path, headers=[("Accept-Language", accepted), *more])
    assert response.headers["Content-Language"] == code
    assert "Accept-Language" in parts(response, "Vary")
    say = LANGUAGES[code].gettext
    told = response.json()["help"]
    assert [contact["name"] for contact in told] == [say(contact.name) for contact in HELP]
    assert [contact.get("note") for contact in told] == [
        contact.note and say(contact.note) for contact in HELP
    ]
    assert [contact.get("phone") for contact in told] == [contact.phone for contact in HELP]


@each_way
def test_what_an_operator_wrote_stays_as_it_is(
    sqlite_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    more: list[tuple[str, str]],
) -> None:
    # The first is one of ours, whose words are in the catalogues.
    ours: list[Json] = [HELP[0].model_dump(exclude_none=True), {"name": "Desk", "phone": "1"}]
    monkeypatch.setenv("HAVENS_HELP_CONTACTS", json.dumps(ours))
    with serving_directory(tmp_path / "data", sqlite_url) as client:
        response = client.get(path, headers=[("Accept-Language", "pl"), *more])
    assert response.json()["help"] == ours
    assert "Content-Language" not in response.headers
    assert "Accept-Language" not in parts(response, "Vary")


def test_the_directory_is_in_no_language_of_ours(service: httpx.Client) -> None:
    response = service.get("/v1/havens", headers={"Accept-Language": "pl"})
    assert "Content-Language" not in response.headers
    assert "Accept-Language" not in parts(response, "Vary")
    assert "help" not in response.json()
