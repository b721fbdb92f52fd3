"""The page that shows the contract: all of it comes from here, and nothing else may run on it."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.servers import serving_directory

FILES = {
    "swagger-ui.css": "text/css; charset=utf-8",
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "start.js": "text/javascript; charset=utf-8",
}


@pytest.fixture(scope="module")
def client(
    tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path
) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("docs")
    url = f"sqlite:///{shutil.copyfile(sqlite_template, folder / 'havens.sqlite')}"
    with serving_directory(folder / "data", url, is_ready=False) as client:
        yield client


def test_the_page_names_this_service_s_files_and_no_other_host(client: httpx.Client) -> None:
    page = client.get("/docs")
    assert page.status_code == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "://" not in page.text
    named = re.findall(r'(?:href|src)="(?!data:)([^"]+)"', page.text)
    assert set(named) == {"openapi.json", *(f"docs/{name}" for name in FILES)}
    for address in named:
        assert client.get(f"/{address}").status_code == 200, address


def test_nothing_runs_on_the_page_but_its_own_files(client: httpx.Client) -> None:
    page = client.get("/docs")
    policy = dict(
        part.strip().split(" ", 1) for part in page.headers["Content-Security-Policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    assert not re.search(r"<script(?! src=)|<style|\son[a-z]+=|\sstyle=", page.text)
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize(("name", "media_type"), FILES.items())
def test_its_files_are_served(client: httpx.Client, name: str, media_type: str) -> None:
    file = client.get(f"/docs/{name}")
    assert file.status_code == 200
    assert file.headers["Content-Type"] == media_type
    assert file.headers["X-Content-Type-Options"] == "nosniff"
    assert file.content


def test_the_page_s_own_script_loads_the_contract_from_here(client: httpx.Client) -> None:
    script = client.get("/docs/start.js").text
    assert 'url: "openapi.json"' in script
    assert "://" not in script


@pytest.mark.parametrize(
    "name", ["swagger-ui.css.map", "redoc.standalone.js", "oauth2-redirect", "..%2Fdocs.py", "%00"]
)
def test_there_is_nothing_else(client: httpx.Client, name: str) -> None:
    answer = client.get(f"/docs/{name}")
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["/docs", *(f"/docs/{name}" for name in FILES)])
def test_head_is_get_without_the_body(client: httpx.Client, path: str) -> None:
    head, get = client.head(path), client.get(path)
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["Content-Type"] == get.headers["Content-Type"]
    assert head.headers["Content-Length"] == get.headers["Content-Length"]
