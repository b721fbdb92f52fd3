"""The files that pages are made of: served under names that change with them, kept for ever."""

import gzip
import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import tinycss2
from fastapi import FastAPI
from tinycss2.ast import Node

from app.main import create_app
from app.web.assets import BUNDLES, MEDIA_TYPES, STATIC, Assets
from tests.servers import serving, settings_for

SHEETS = sorted((STATIC / "css").glob("*.css"))


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> FastAPI:
    folder = tmp_path_factory.mktemp("assets")
    url = f"sqlite:///{shutil.copyfile(sqlite_template, folder / 'havens.sqlite')}"
    (folder / "data").mkdir()
    return create_app(settings_for(folder / "data", url))


@pytest.fixture(scope="module")
def client(app: FastAPI) -> Iterator[httpx.Client]:
    with serving(app) as client:
        yield client


@pytest.fixture(scope="module")
def assets(app: FastAPI) -> Assets:
    found = app.state.assets
    assert isinstance(found, Assets)
    return found


@pytest.mark.parametrize("name", BUNDLES)
def test_a_file_is_kept_for_ever_and_is_what_it_says(
    client: httpx.Client, assets: Assets, name: str
) -> None:
    stem, suffix = name.rsplit(".", 1)
    url = assets.url(name)
    assert re.fullmatch(rf"/static/{stem}\.[0-9a-f]{{10}}\.{suffix}", url)

    plain = client.get(url, headers={"Accept-Encoding": "identity"})
    assert plain.status_code == 200
    assert plain.headers["Content-Type"] == MEDIA_TYPES["." + suffix]
    assert plain.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert "Accept-Encoding" in plain.headers["Vary"]
    assert plain.headers["X-Content-Type-Options"] == "nosniff"
    assert "Content-Encoding" not in plain.headers

    with client.stream("GET", url, headers={"Accept-Encoding": "br, gzip;q=0.5"}) as zipped:
        assert zipped.headers["Content-Encoding"] == "gzip"
        assert zipped.headers["Vary"] == plain.headers["Vary"]
        assert zipped.headers["Cache-Control"] == plain.headers["Cache-Control"]
        assert gzip.decompress(b"".join(zipped.iter_raw())) == plain.content

    head = client.head(url, headers={"Accept-Encoding": "identity"})
    assert head.headers["Content-Length"] == str(len(plain.content))
    assert head.content == b""


@pytest.mark.parametrize(
    "address",
    [
        "finder.css",  # a name alone would have to be asked for again and again
        "unknown.0123456789.js",
        "nothing.0123456789.css",
        "finder.0123456789.css.map",
        "finder.0123.css",
        "FINDER.0123456789.css",
        "manifest.json",
        "..%2Fassets.py",
        "..%2f..%2f..%2fpyproject.toml",
        "%2e%2e%2fassets.0123456789.css",
        "..%5Cassets.py",
        "%00",
        "css%2Ftokens.css",
        "css/tokens.css",
        "",
    ],
)
def test_nothing_else_is_served(client: httpx.Client, address: str) -> None:
    answer = client.get(f"/static/{address}")
    assert answer.status_code == 404
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_page_of_another_version_keeps_its_style_but_nobody_keeps_the_file(
    client: httpx.Client, assets: Assets
) -> None:
    other = client.get("/static/finder.0123456789.css")
    assert other.status_code == 200
    assert other.content == client.get(assets.url("finder.css")).content
    assert other.headers["Cache-Control"] == "no-store"


def test_a_phone_keeps_the_finder_anew_when_what_it_holds_has_changed(
    client: httpx.Client, assets: Assets, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = client.get("/worker.js").text
    for name in ("door.js", "first.css"):
        other = replace(assets.named(name), address=f"{name}.other")
        with monkeypatch.context() as change:
            change.setitem(assets._files, name, other)
            assert client.get("/worker.js").text != before, name
    assert client.get("/worker.js").text == before


def test_addresses_follow_what_is_in_the_files_alone(assets: Assets) -> None:
    again = Assets()
    assert [again.url(name) for name in BUNDLES] == [assets.url(name) for name in BUNDLES]
    assert len({assets.url(name) for name in BUNDLES}) == len(BUNDLES)
    with pytest.raises(KeyError):
        assets.url("nothing.css")


def test_every_file_of_ours_is_served() -> None:
    served = {source for sources in BUNDLES.values() for source in sources}
    stored = {
        str(path.relative_to(STATIC)) for path in STATIC.rglob("*") if path.suffix in MEDIA_TYPES
    }
    assert served == stored


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda path: path.name)
def test_a_smaller_sheet_has_the_same_rules(assets: Assets, sheet: Path) -> None:
    """What is served has each rule of each sheet, in its order, and is smaller."""
    name = next(name for name, sources in BUNDLES.items() if f"css/{sheet.name}" in sources)
    served = assets.file(assets.url(name).removeprefix("/static/"))
    assert served is not None
    whole = b"".join((STATIC / source).read_bytes() for source in BUNDLES[name])
    assert meaning(served.content.decode()) == meaning(whole.decode())
    assert len(served.content) < len(whole)


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda path: path.name)
def test_a_sheet_reads_from_either_side(sheet: Path) -> None:
    """Arabic is laid out by the same rules, so none may name a side."""
    sided = re.compile(r"(margin|padding|border)-(left|right)|left|right|border-(top|bottom)-(l|r)")
    for name, value in declarations(sheet.read_text()):
        assert not sided.match(name), name
        # A float names its side for browsers of before 2023, and then the start again.
        assert value not in ("left", "right") or name == "float", name
        if name in ("margin", "padding") and len(value.split()) == 4:
            _, right, _, left = value.split()
            assert right == left, value


def test_every_custom_property_that_is_used_is_set() -> None:
    served = [(STATIC / source).read_text() for source in BUNDLES["console.css"]]
    served.append((STATIC / "css" / "map.css").read_text())
    ours = "\n".join(served)
    used = set(re.findall(r"var\((--sh-[\w-]+)", ours))
    assert used <= {name for name, _ in declarations(ours) if name.startswith("--sh-")}


def declarations(css: str) -> Iterator[tuple[str, str]]:
    """Every declaration of a sheet, name and value, wherever it is nested."""
    for part in tinycss2.parse_stylesheet(css, skip_comments=True, skip_whitespace=True):
        yield from _declarations(part)


def _declarations(part: Node) -> Iterator[tuple[str, str]]:
    for inner in tinycss2.parse_blocks_contents(part.content or [], True, True):
        if inner.type == "declaration":
            yield inner.name, tinycss2.serialize(inner.value).strip()
        else:
            yield from _declarations(inner)


def meaning(css: str) -> list[object]:
    """A sheet's rules as a parser reads them, blanks that mean nothing aside."""
    return [_rule(rule) for rule in tinycss2.parse_stylesheet(css, True, True)]


def _rule(rule: Node) -> object:
    if rule.type == "declaration":
        return rule.name, _tokens(rule.value), rule.important
    inner = [_rule(part) for part in tinycss2.parse_blocks_contents(rule.content or [], True, True)]
    return rule.type, getattr(rule, "at_keyword", ""), _tokens(rule.prelude), inner


def _tokens(nodes: Iterable[Node]) -> str:
    """Tokens in their order, one blank where blanks matter."""
    text = " ".join(tinycss2.serialize(nodes).split())
    return re.sub(r" ?([,>]) ?|(?<=[\w)]): ", lambda match: match[1] or ":", text)
