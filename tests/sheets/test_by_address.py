"""Registers read from where they are published: politely, on where it broke off, and with care."""

import io
import json
import os
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from app.cli import cli
from app.core.download import TRIES, NotRead, client_of
from app.core.settings import settings as service_settings
from app.core.trouble import Trouble
from app.sheets import by_address
from app.sheets.by_address import fetch_fhrs, fetch_need
from tests.servers import SECRET, serving
from tests.sheets.test_fhrs import HERON
from tests.sheets.test_need import POINTS, POLICE


class Register:
    """A register of three pages; what it does otherwise is what a test sets."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.pauses: list[float] = []
        self.faults: dict[str, list[httpx.Response]] = {}
        self.client = client_of(transport=httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        assert request.headers["x-api-version"] == "2"
        assert "cookie" not in request.headers
        page = request.url.params.get("pageNumber", "authorities")
        self.asked.append(page)
        if left := self.faults.get(page):
            return left.pop(0)
        if page == "authorities":
            known = [{"LocalAuthorityId": 197, "LocalAuthorityIdCode": "508", "Name": "City"}]
            return httpx.Response(200, json={"authorities": known, "meta": {}})
        assert request.url.params["localAuthorityId"] == "197"
        entry = HERON | {"FHRSID": int(page)}
        return httpx.Response(
            200,
            json={"establishments": [entry], "meta": {"totalPages": 3, "pageNumber": int(page)}},
            headers={"Set-Cookie": "who=you"},
        )

    def read(self, folder: Path, authority: str = "508") -> Any:
        found = fetch_fhrs(self.client, authority, folder, sleep=self.pauses.append)
        return [one["FHRSID"] for one in json.loads(found)["establishments"]]


def test_all_pages_one_after_the_other(tmp_path: Path) -> None:
    register = Register()
    assert register.read(tmp_path) == [1, 2, 3]
    assert register.asked == ["authorities", "1", "2", "3"]
    assert register.pauses == []
    # On the same day nothing is read twice; on the next day all of it is.
    assert register.read(tmp_path) == [1, 2, 3]
    assert register.asked[4:] == ["authorities"]
    for file in (tmp_path / "fetched").rglob("*.json"):
        os.utime(file, (time.time() - 25 * 3600,) * 2)
    register.read(tmp_path)
    assert register.asked[5:] == ["authorities", "1", "2", "3"]


def test_it_waits_as_long_as_it_is_asked_to(tmp_path: Path) -> None:
    register = Register()
    register.faults["2"] = [
        httpx.Response(429, headers={"Retry-After": "40"}),
        httpx.Response(503),
    ]
    assert register.read(tmp_path) == [1, 2, 3]
    first, second = register.pauses
    assert 40 < first < 42
    assert 0 < second < 3


@pytest.mark.parametrize(
    ("fault", "reason", "times"),
    [
        (lambda: httpx.Response(500), "it answers 500", TRIES),
        (lambda: httpx.Response(429, headers={"Retry-After": "301"}), "it answers 429", 1),
        (lambda: httpx.Response(403), "it answers 403", 1),
        (lambda: httpx.Response(301, headers={"Location": "/"}), "it redirects", 1),
        (lambda: httpx.Response(200, content=b"<html>"), "not as it should be", 1),
        (lambda: httpx.Response(200, json={"establishments": {}, "meta": {}}), "not as it", 1),
    ],
)
def test_what_breaks_off_goes_on_where_it_was(
    tmp_path: Path, fault: Callable[[], httpx.Response], reason: str, times: int
) -> None:
    register = Register()
    register.faults["3"] = [fault() for _ in range(TRIES)]
    with pytest.raises(NotRead, match=reason):
        register.read(tmp_path)
    assert register.asked == ["authorities", "1", "2", *(["3"] * times)]
    register.faults.clear()
    register.asked.clear()
    assert register.read(tmp_path) == [1, 2, 3]
    assert register.asked == ["authorities", "3"]


def test_an_authority_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(Trouble, match="no authority with the code 999"):
        Register().read(tmp_path, "999")


def archive(**files: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as made:
        for name, text in files.items():
            made.writestr(f"2026-02/2026-02-{name}.csv", text)
    return content.getvalue()


def fetched(content: bytes) -> bytes:
    say = httpx.MockTransport(lambda _: httpx.Response(200, content=content))
    with client_of(transport=say) as client:
        return fetch_need(client, "https://police.example/2026-02.zip")


def test_need_from_an_address() -> None:
    assert fetched(POINTS.encode()) == POINTS.encode()
    header, _, rows = POLICE.encode().partition(b"\n")
    both = fetched(archive(**{"b-street": POLICE, "a-street": POLICE, "a-outcomes": "no"}))
    assert both == header + b"\n" + rows.rstrip() + b"\n" + rows.rstrip() + b"\n"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (archive(outcomes="a,b\n"), "no street-level file"),
        (archive(**{"a-street": "a,b\n1,2\n", "b-street": "a,c\n1,2\n"}), "different columns"),
        (archive(**{"a-street": "a" * 100})[:-40], "can't be opened"),
        (archive(**{"a-street": "0" * (10**6 + 1)}), "more than 1 MB"),
    ],
    ids=["none", "others", "half", "bomb"],
)
def test_an_archive_that_is_none(
    content: bytes, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_address, "_LARGEST_MB", 1)
    with pytest.raises(NotRead, match=reason):
        fetched(content)


def test_the_commands(sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fastapi import FastAPI, Response  # noqa: PLC0415

    app = FastAPI()

    @app.get("/Authorities/basic")
    async def authorities() -> Any:
        return {"authorities": [{"LocalAuthorityId": 197, "LocalAuthorityIdCode": "508"}]}

    @app.get("/Establishments")
    async def establishments() -> Any:
        return {"establishments": [HERON], "meta": {"totalPages": 1}}

    @app.get("/points.csv")
    async def points() -> Response:
        return Response(POINTS.encode())

    monkeypatch.setenv("HAVENS_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("HAVENS_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("HAVENS_SECRET_KEY", SECRET)
    service_settings.cache_clear()

    def run(*words: str) -> tuple[int, str]:
        told = CliRunner().invoke(cli, ["import", *words])
        return told.exit_code, " ".join(told.output.split())

    try:
        with serving(app) as client:
            base = str(client.base_url).rstrip("/")
            for again in ("created fhrs-1", "unchanged"):
                status, output = run("fhrs", "--authority", "508", "--from", base)
                assert status == 0, output
                assert again in output
            status, output = run("need", "--from", f"{base}/points.csv")
            assert status == 0, output
            assert "created Street pastors" in output
            assert run("fhrs")[0] == run("need")[0] == 2
            assert run("fhrs", "--authority", "508", "file.json")[0] == 2
    finally:
        service_settings.cache_clear()
