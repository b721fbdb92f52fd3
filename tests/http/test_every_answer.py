"""What every answer says, whoever gives it; and what the counts of answers don't."""

import re
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Never
from uuid import UUID

import httpx
import pytest
from pydantic import SecretStr, ValidationError

from app.core.db import connected
from app.core.settings import Settings
from app.directory.engine.search import Search
from tests.accounts import make_app
from tests.servers import METRICS, METRICS_TOKEN, PATIENCE_SECONDS, add_venue, serving, until

NEAREST = "/v1/havens/nearest?lat=51.5134&lon=-0.089"
HSTS = ["max-age=31536000; includeSubDomains"]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> str:
    folder = tmp_path_factory.mktemp("answers")
    return f"sqlite:///{shutil.copyfile(sqlite_template, folder / 'havens.sqlite')}"


@pytest.fixture(scope="module")
def haven(url: str) -> UUID:
    return add_venue(url)


@pytest.fixture(scope="module")
def client(
    url: str, haven: UUID, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    """A service that the public finds by TLS."""
    app = make_app(url, tmp_path_factory.mktemp("data"), public_url="https://havens.test")
    with serving(app) as client:
        until(lambda: client.get("/health/ready").is_success)
        yield client


def is_said_once(headers: httpx.Headers, *, by_tls: bool = True) -> None:
    assert headers.get_list("x-content-type-options") == ["nosniff"]
    assert headers.get_list("referrer-policy") == ["no-referrer"]
    assert headers.get_list("strict-transport-security") == HSTS * by_tls


ASKED: list[tuple[int, str, str, dict[str, Any]]] = [
    (200, "GET", NEAREST, {}),
    (200, "GET", NEAREST, {"headers": [("X-Twice", "1"), ("X-Twice", "2")]}),
    (200, "HEAD", "/", {}),
    (200, "GET", "/", {}),
    (200, "GET", "/docs", {}),
    (200, "GET", "/docs/start.js", {}),
    (200, "GET", "/worker.js", {}),
    (200, "GET", "/robots.txt", {}),
    (200, "GET", "/havens.webmanifest", {}),
    (200, "GET", "/metrics", {"headers": METRICS}),
    (304, "GET", "/v1/havens", {"headers": {"If-None-Match": "*"}}),
    (401, "GET", "/v1/admin/venues", {}),
    (404, "GET", "/nowhere", {}),
    (405, "PUT", "/v1/help", {}),
    (413, "POST", "/v1/havens/nearest", {"content": b" " * 70_000}),
    (422, "GET", "/v1/havens/nearest", {}),
    (
        200,
        "OPTIONS",
        "/v1/help",
        {"headers": {"Origin": "https://a.test", "Access-Control-Request-Method": "GET"}},
    ),
]


@pytest.mark.parametrize(("status", "method", "path", "more"), ASKED, ids=range(len(ASKED)))
def test_an_answer_of_ours(
    client: httpx.Client, status: int, method: str, path: str, more: dict[str, Any]
) -> None:
    answer = client.request(method, path, **more)
    assert answer.status_code == status
    is_said_once(answer.headers)


def test_a_redirect(client: httpx.Client, haven: UUID) -> None:
    answer = client.post(f"/havens/{haven}/report", data={"kind": "closed"})
    assert answer.status_code == 303
    is_said_once(answer.headers)


def test_a_fault(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> Never:
        raise RuntimeError

    monkeypatch.setattr(Search, "answer", broken)
    answer = client.get(NEAREST)
    assert answer.status_code == 500
    is_said_once(answer.headers)


@pytest.mark.parametrize(
    ("status", "sent"),
    [
        (400, b"hello\r\n\r\n"),
        (400, b"GET / HTTP/1.1\r\n\r\n"),
        (414, b"GET /" + b"x" * 9000),
        (431, b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 20_000),
        (505, b"GET / HTTP/2.0\r\nHost: a\r\n\r\n"),
    ],
    ids=["400", "400 no host", "414", "431", "505"],
)
def test_a_refusal_by_the_server_itself(client: httpx.Client, status: int, sent: bytes) -> None:
    address = "127.0.0.1", client.base_url.port or 0
    with socket.create_connection(address, PATIENCE_SECONDS) as raw:
        raw.sendall(sent)
        line, *lines = raw.recv(65536).partition(b"\r\n\r\n")[0].decode().split("\r\n")
    assert line.startswith(f"HTTP/1.1 {status} ")
    is_said_once(httpx.Headers([(name, value) for name, value in (h.split(": ") for h in lines)]))


def test_without_tls_no_browser_is_told_to_insist_on_it(url: str, tmp_path: Path) -> None:
    app = make_app(url, tmp_path, public_url="http://havens.test", metrics_token="")
    with serving(app) as client:
        is_said_once(client.get("/v1/help").headers, by_tls=False)
        is_said_once(client.get("/").headers, by_tls=False)
        # Nor does anybody find metrics where no token is set.
        assert client.get("/metrics").status_code == 404
        assert client.get("/metrics", headers={"Authorization": "Bearer x"}).status_code == 404


# --- metrics ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [None, "", METRICS_TOKEN, "Bearer", "Bearer x", f"Bearer {METRICS_TOKEN}x", "Bearer \u00e9"],
    ids=range(7),
)
def test_metrics_take_the_token(client: httpx.Client, given: str | None) -> None:
    headers = {} if given is None else {b"Authorization": given.encode()}
    answer = client.get("/metrics", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert "havens_" not in answer.text


def test_a_token_that_could_be_guessed_is_refused() -> None:
    with pytest.raises(ValidationError, match="at least 16 characters"):
        Settings(metrics_token=SecretStr("short"))


def counts(client: httpx.Client) -> set[str]:
    """How often what was answered, and how fast, but for the metrics themselves."""
    text = client.get("/metrics", headers=METRICS).text
    found = re.findall(r"^havens_request\w+\{.*\} .*$", text, re.MULTILINE)
    return {line for line in found if '"/metrics"' not in line and "_created" not in line}


def test_no_count_tells_when_somebody_reported_a_problem(
    client: httpx.Client, url: str, haven: UUID
) -> None:
    before = counts(client)
    reports = f"/v1/havens/{haven}/problem-reports"
    assert client.post(reports, json={"kind": "felt_unsafe"}).status_code == 202
    assert client.post(reports, json={"kind": "nonsense"}).status_code == 422
    for path in (f"/havens/{haven}/report", f"/pl/havens/{haven}/report"):
        assert client.get(path).status_code == 200
        assert client.post(path, data={"kind": "closed"}).status_code == 303
        assert client.get(f"{path}/sent").status_code == 200
    assert counts(client) == before

    with connected(url) as engine, engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE problem_report RENAME TO lost")
    assert client.post(reports, json={"kind": "closed"}).status_code == 503
    assert any('problem-reports",status="503"} ' in line for line in counts(client) - before)
