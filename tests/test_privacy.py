"""Where somebody stands comes back in no answer and stays nowhere behind."""

import json
import logging
import re
import shutil
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Never
from urllib.parse import quote

import httpx
import psutil
import pytest

from app.core.logs import Format, configure
from app.directory.engine.search import Search
from tests.canaries import asks, left_behind, sign_in_to, wrong
from tests.servers import (
    METRICS,
    PATIENCE_SECONDS,
    Service,
    add_venue,
    running,
    serving_directory,
)
from tests.test_matrix import PUBLIC
from tests.walking.towns import grid

LAT, LON = "51.5137246813", "-0.0981357913"
NEAREST = "/v1/havens/nearest"
TRACES = re.compile(rb"51\.51372|\.0981357|37246813|81357913")
"""Digits that stand nowhere but in the position that the tests send: its beginning, should it have
been rounded, and its end. Fewer of them turn up in durations and ids by chance."""

BOTH = f"lat={LAT}&lon={LON}"
IN_JSON = f'"lat": {LAT}, "lon": {LON}'
JSON = {"Content-Type": "application/json"}

QUERIES = [
    *(BOTH, f"{BOTH}&limit=x", f"{BOTH}&{BOTH}", f"{BOTH}&{LAT}={LON}", f"{LAT},{LON}"),
    *(f"{BOTH}&at={LAT}", f"{BOTH}&facilities={LAT},{LON}", f"{BOTH}&step_free={LAT}"),
    *(f"{BOTH}&max_distance_m=-{LAT}", f"{BOTH}&limit={LAT}", f"lat={LAT}%ff&lon={LON}%00"),
    *(
        f"lat={LAT}N&lon={LON}W",
        f"lat=[{LAT}]&lon=%zz{LON}",
        f"lat[{LAT}]=1",
        f"q={quote(IN_JSON)}",
    ),
    *(f"%ff{LAT}={LON}", f"lat={LAT.replace('.', ',')}", f"lat={LAT * 3000}"),
]
BODIES = [
    *(f"{{{IN_JSON}}}", f'{{{IN_JSON}, "limit": "{LAT}"}}', f"{{{IN_JSON}, {IN_JSON}}}"),
    *(f'{{"lat": "{LAT}", "lon": [{LON}]}}', f'{{"position": {{{IN_JSON}}}}}', f"[{LAT}, {LON}]"),
    *(f'{{"{LAT}": {LON}}}', f'{{"{LAT},{LON}\\ud800": 1}}', f"{{{IN_JSON}", f"{LAT} {LON}", BOTH),
    *(f'{{{IN_JSON}, "at": "{LAT}"}}', f'{{{IN_JSON}, "facilities": ["{LAT}"]}}', LAT * 10_000),
    *(f'{{{IN_JSON}, "nested": {{"deep": [[{LAT}]]}}}}', f'{{"lat": -{LAT}e9, "lon": {LON}e9}}'),
]
PATHS = [
    *(f"/{LAT}", f"/v1/havens/{LAT},{LON}", f"/v1/havens/{LAT}?{BOTH}", f"/v1/help?{BOTH}"),
    *(f"{NEAREST}/?{BOTH}", f"/v1/havens?{BOTH}", f"/health/ready?{BOTH}", f"/metrics?{BOTH}"),
    *(f"/v1/havens/%ff{LAT}", f"/openapi.json?{BOTH}", f"/docs/{LAT}", f"/{quote(IN_JSON)}"),
]
HEADERS = [
    {"Content-Type": f"text/{LAT}; lon={LON}"},
    {"Content-Type": f"application/json; position={LAT},{LON}"},
    {"If-None-Match": f'"{LAT}"', "Accept": f"text/html;q={LAT}", "Accept-Encoding": LON},
    {"Origin": f"https://{LAT}.test", "Referer": f"https://a.test/?{BOTH}", "User-Agent": LAT},
    {"Cookie": f"position={LAT},{LON}", "Authorization": f"Bearer {LAT}", "X-Position": LON},
    {"X-Forwarded-For": LAT, "Forwarded": f"for={LON}", "X-Forwarded-Proto": LAT},
]
NOT_HTTP = [
    f"{LAT},{LON}\r\n\r\n",
    f"GET /?{BOTH} HTTP/{LAT}\r\n\r\n",
    f"{LAT} {NEAREST}?{BOTH} HTTP/1.1\r\nHost: a\r\n\r\n",
    f"GET {NEAREST}?{BOTH} HTTP/1.1\r\n{LAT}\x00: {LON}\r\n\r\n",
    f"GET {NEAREST}?{BOTH} HTTP/1.1\r\nHost: a\r\nContent-Length: {LAT}\r\n\r\n",
    f"GET http://{LAT}:99999999{NEAREST}?{BOTH} HTTP/1.1\r\nHost: {LAT}\r\n\r\n",
    f"GET {NEAREST}?{BOTH} HTTP/1.1\r\nHost: a\r\nUpgrade: {LAT}\r\nConnection: upgrade\r\n\r\n",
]
# Whoever loses the connection in the middle is not to be found in a traceback either.
BROKEN_OFF = (
    f"POST {NEAREST}?{BOTH} HTTP/1.1\r\nHost: a\r\n"
    f"Content-Type: application/json\r\nContent-Length: 5000\r\n\r\n{{{IN_JSON}"
)


@pytest.fixture(
    scope="module", params=[(1, "text"), (2, "json")], ids=["one process", "two workers"]
)
def service(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    sqlite_template: Path,
) -> Iterator[Service]:
    """A service that logs all it can, with all it keeps below one folder."""
    folder = tmp_path_factory.mktemp("privacy") / "data"
    folder.mkdir()
    url = f"sqlite:///{shutil.copyfile(sqlite_template, folder / 'havens.sqlite')}"
    # So that a way on foot is found from where the tests stand.
    grid().streets(folder)
    add_venue(url)
    workers, form = request.param
    with running(folder, url, workers=workers, log_level="debug", log_format=form) as service:
        yield service


def everything_sent(client: httpx.Client) -> Iterator[httpx.Response]:
    for query in QUERIES:
        yield client.get(NEAREST, extensions={"target": f"{NEAREST}?{query}".encode()})
        yield client.post(f"{NEAREST}?{query}", content=query, headers=JSON)
    for body in BODIES:
        for headers in (JSON, {}, {"Content-Type": "application/x-www-form-urlencoded"}):
            yield client.post(NEAREST, content=body, headers=headers)
        yield client.request("GET", NEAREST, content=body, headers=JSON)
        yield client.post(NEAREST, content=iter([body.encode()] * 20), headers=JSON)
    for path in PATHS:
        for method in ("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "TRACE"):
            yield client.request(method, "/", extensions={"target": path.encode()})
    for more in HEADERS:
        yield client.get(f"{NEAREST}?{BOTH}", headers=more)
        yield client.get("/v1/havens", headers=more)
        yield client.post(NEAREST, content=f"{{{IN_JSON}}}", headers=JSON | more)
        preflight = {"Access-Control-Request-Method": LAT, "Access-Control-Request-Headers": LON}
        yield client.options(NEAREST, headers=preflight | more)


def ways_on_foot(client: httpx.Client) -> Iterator[httpx.Response]:
    haven = client.get("/v1/havens").json()["havens"][0]["id"]
    address = f"/v1/havens/{haven}/route"
    for query in map(_from, QUERIES):
        yield client.get(address, extensions={"target": f"{address}?{query}".encode()})
        yield client.post(f"{address}?{query}", content=query, headers=JSON)
    for body in map(_from, BODIES):
        yield client.post(address, content=body, headers=JSON)
        yield client.post(address, content=body)


def _from(asked: str) -> str:
    return re.sub(r"\b(lat|lon)\b", r"from_\1", asked)


def everything_received(raw: socket.socket) -> bytes:
    return b"".join(iter(lambda: raw.recv(65536), b""))


def heard(response: httpx.Response) -> bytes:
    return response.content + b"".join(part for pair in response.headers.raw for part in pair)


def test_a_position_leaves_no_trace(service: Service) -> None:
    statuses = set()
    with service.client() as client:
        for response in everything_sent(client):
            statuses.add(response.status_code)
            assert response.status_code < 500, service.log
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert not TRACES.search(heard(response))
        found = 0
        for response in ways_on_foot(client):
            assert response.status_code < 500, service.log
            content = heard(response)
            if response.status_code == 200:
                found += 1
                way = response.json()
                # Where it was asked from, to six digits, is where the way begins, and only that.
                assert way["properties"]["steps"][0].pop("begins") == [-0.098136, 51.513725]
                assert way["geometry"]["coordinates"].pop(0) == [-0.098136, 51.513725]
                content = json.dumps(way).encode()
            assert not TRACES.search(content)
        assert found == 2, "no way was found"
        port = client.base_url.port
    for words in NOT_HTTP:
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS) as raw:
            raw.sendall(words.encode())
            raw.shutdown(socket.SHUT_WR)
            assert not TRACES.search(everything_received(raw))
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS) as raw:
        raw.sendall(BROKEN_OFF.encode())
    assert statuses >= {200, 404, 405, 413, 415, 422}, "not every kind of answer was seen"

    metrics = [service.get("/metrics").content for _ in range(4)]
    assert b"havens_requests_total" in metrics[0]
    kept = {file: file.read_bytes() for file in service.output.parent.rglob("*") if file.is_file()}
    assert {file.name for file in kept} >= {"directory.snapshot", service.output.name}
    for content in [*metrics, *map(str.encode, map(str, kept)), *kept.values()]:
        assert not TRACES.search(content)
    assert "Traceback" not in service.log
    assert "Exception" not in service.log
    if service.log.startswith("{"):
        assert {json.loads(line)["level"] for line in service.log.splitlines()} >= {"info"}


def test_canaries_through_every_route_stay_nowhere(service: Service) -> None:
    everybody = sign_in_to(service.output.parent / "data")
    with service.client() as client:
        found = [what for ask in asks(PUBLIC) for what in wrong(client, ask, everybody)]
    assert found == []
    assert [*left_behind(service, everybody)] == []


def test_no_position_on_a_command_line(service: Service) -> None:
    service.get(f"{NEAREST}?{BOTH}")
    read = []
    for process in [service.process, *service.process.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):  # one that has answered first may be gone by now
            read.append(" ".join(process.cmdline()))
    assert len(read) > 1
    assert LAT not in "".join(read)


class Broken(Exception):
    """A fault of ours, with what was asked in its message."""


@pytest.mark.parametrize("level", ["debug", "error"])
@pytest.mark.parametrize("form", ["text", "json"])
def test_a_fault_of_ours_does_not_tell_either(
    level: str,
    form: Format,
    sqlite_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def broken(_: Search, question: Any) -> Never:
        try:
            raise ValueError(f"first {question}")
        except ValueError as error:
            raise Broken(f"no way from {question} {LAT} {LON}") from error

    add_venue(sqlite_url)
    with serving_directory(tmp_path / "data", sqlite_url) as client:
        configure(level, form)
        logging.getLogger("httpcore").setLevel(logging.WARNING)
        logging.getLogger("httpx").setLevel(logging.WARNING)
        monkeypatch.setattr(Search, "answer", broken)
        answers = [
            client.get(f"{NEAREST}?{BOTH}"),
            client.post(NEAREST, content=f"{{{IN_JSON}}}", headers=JSON),
        ]
        help_still = client.get("/v1/help")
        metrics = client.get("/metrics", headers=METRICS).content
    printed = "".join(capfd.readouterr())
    for answer in answers:
        assert answer.status_code == 500
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.headers["Cache-Control"] == "no-store"
        problem = answer.json()
        assert problem.keys() == {"type", "title", "status", "request_id"}
        assert problem["title"] == "Something went wrong; if you are in danger call 999"
        assert problem["request_id"] in printed
    assert help_still.status_code == 200
    assert 'status="500"' in metrics.decode()
    for content in [*map(heard, answers), metrics, printed.encode()]:
        assert not TRACES.search(content)
    # What an operator needs to mend it is there.
    assert "in broken" in printed
    assert "Broken" in printed
    if form == "json":
        lines = [json.loads(line) for line in printed.splitlines()]
        exceptions = [line for line in lines if "exception" in line]
        assert {line["level"] for line in exceptions} == {"error"}
        assert {line.get("request_id") for line in exceptions} >= {
            answer.json()["request_id"] for answer in answers
        }
