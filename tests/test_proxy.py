"""The proxy in front, as deploy/nginx.conf has it: what passes, what it limits, what it logs."""

import json
import random
import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from fastapi import FastAPI, Request, Response

from app.http.languages import IN_LANGUAGE
from app.http.middleware import BODY_LIMIT, LARGER_BODIES
from tests.servers import PATIENCE_SECONDS, ROOT, serving, until
from tests.test_matrix import PUBLIC

FILE = ROOT / "deploy" / "nginx.conf"
SCALE = ROOT / "deploy" / "scale"
LOGGED = {
    *("time_iso8601", "request_method", "status", "bytes_sent", "request_time", "limit_req_status"),
    *("upstream_status", "upstream_response_time", "server_protocol", "ssl_protocol", "request_id"),
}
PRIVATE = "lat=51.5137246813&lon=-0.0981357913"
HAVEN = "/v1/havens/0b8f2a5f-6c8d-4d0e-9a53-b6a1c2e4f708"

echo = FastAPI()


@echo.api_route("/{path:path}", methods=["GET", "POST"])
async def heard(request: Request) -> Response:
    """What the service hears, with the status that it was asked for."""
    said = {
        "headers": dict(request.headers),
        "body": len(await request.body()),
        "port": request.scope["server"][1],
    }
    headers = {"Content-Type": "application/json", "ETag": '"strong"'}
    return Response(json.dumps(said), int(request.headers.get("x-status", "200")), headers)


@dataclass
class Proxy:
    """A running one, by TLS and without."""

    secure: httpx.Client
    plain: httpx.Client
    folder: Path

    def logged(self) -> list[Any]:
        """The lines of its log, of what was answered before this."""
        mark = self.secure.get("/mark").json()["headers"]["x-request-id"]
        text = until(lambda: mark in (log := (self.folder / "access.log").read_text()) and log)
        return [json.loads(line) for line in text.splitlines()][:-1]


def free_port() -> int:
    """One that no system gives away by itself, as it does all the time while others test."""
    while True:
        port = random.randrange(10_000, 32_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def certificate(folder: Path) -> None:
    """One for tests, and its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "havens.test")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "fullchain.pem").write_bytes(made.public_bytes(pem))
    form = serialization.PrivateFormat.PKCS8
    secret = key.private_bytes(pem, form, serialization.NoEncryption())
    (folder / "privkey.pem").write_bytes(secret)


@contextmanager
def proxied(folder: Path, service: int | None, host: int | None = None) -> Iterator[Proxy]:
    """The proxy of a service at a port of this machine, and of a host without a database."""
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if nginx is None:
        pytest.skip("nginx is not installed here")
    certificate(folder)
    secure, plain = free_port(), free_port()
    text = FILE.read_text()
    if host:
        shutil.copytree(SCALE, folder / "scale")
        hosts = re.sub(r"host-\d:8000", f"127.0.0.1:{host}", (SCALE / "hosts.conf").read_text())
        hosts = hosts.replace("havens:8000", f"127.0.0.1:{service}")
        (folder / "scale" / "hosts.conf").write_text(hosts)
    for ours, here in (
        ("/etc/nginx/scale", f"{folder}/scale"),
        ("/etc/nginx/tls", f"{folder}"),
        ("/run/nginx.pid", f"{folder}/nginx.pid"),
        ("/var/log/nginx/access.log", f"{folder}/access.log"),
        ("/tmp/nginx-", f"{folder}/"),
        ("server havens:8000", f"server 127.0.0.1:{service}"),
        ("listen 80 ", f"listen 127.0.0.1:{plain} "),
        ("listen 443 ", f"listen 127.0.0.1:{secure} "),
    ):
        assert ours in text
        text = text.replace(ours, here)
    (folder / "nginx.conf").write_text(text)
    command = [nginx, "-p", f"{folder}", "-c", f"{folder}/nginx.conf", "-g", "daemon off;"]
    with (folder / "errors").open("wb") as errors:
        process = subprocess.Popen(command, stderr=errors)
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    more: dict[str, Any] = {"verify": trusting, "timeout": PATIENCE_SECONDS}
    try:
        with (
            httpx.Client(base_url=f"https://127.0.0.1:{secure}", **more) as by_tls,
            httpx.Client(base_url=f"http://127.0.0.1:{plain}", **more) as without,
        ):
            until(lambda: (folder / "nginx.pid").exists() or process.poll() is not None)
            assert process.poll() is None, (folder / "errors").read_text()
            yield Proxy(by_tls, without, folder)
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)
    # Being no root, it says that it can't become somebody else.
    told = (folder / "errors").read_text().splitlines()
    assert [line for line in told if "super-user" not in line] == []


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    with (
        serving(echo) as service,
        proxied(tmp_path_factory.mktemp("proxy"), service.base_url.port) as proxy,
    ):
        yield proxy


def test_its_log_names_nothing_private() -> None:
    text = FILE.read_text()
    assert text.count("log_format") == text.count("access_log ") == text.count("error_log ") == 1
    assert "error_log stderr emerg;" in text
    form = text.partition("log_format havens")[2].partition(";\n")[0]
    assert set(re.findall(r"\$(\w+)", form)) == LOGGED


def test_it_takes_what_the_service_takes() -> None:
    text = FILE.read_text()
    assert f"client_max_body_size {BODY_LIMIT // 1024}k;" in text
    assert f"client_body_buffer_size {BODY_LIMIT // 1024}k;" in text
    for begin, limit in LARGER_BODIES.items():
        place = text.partition(f"location {begin} {{")[2].partition("}")[0]
        assert f"client_max_body_size {limit // 1024**2}m;" in place


def test_what_passes_and_what_it_adds(proxy: Proxy) -> None:
    forged = {"X-Forwarded-For": "9.9.9.9", "Forwarded": "for=9.9.9.9", "X-Request-ID": "1" * 32}
    answer = proxy.secure.get(f"/v1/havens/nearest?{PRIVATE}", headers=forged)
    said = answer.json()["headers"]
    assert said["x-forwarded-for"] == "127.0.0.1"
    assert "forwarded" not in said
    assert re.fullmatch("[0-9a-f]{32}", said["x-request-id"])
    assert said["x-request-id"] != "1" * 32
    # As the service sent it, and each header once.
    assert answer.headers["ETag"] == '"strong"'
    is_hardened(answer)


def is_hardened(answer: httpx.Response) -> None:
    assert answer.headers.get_list("X-Content-Type-Options") == ["nosniff"]
    assert answer.headers.get_list("Referrer-Policy") == ["no-referrer"]
    (hsts,) = answer.headers.get_list("Strict-Transport-Security")
    assert hsts == "max-age=31536000; includeSubDomains"
    assert answer.headers["Server"] in ("nginx", "")


def test_its_log_holds_no_path_no_place_no_client_and_no_report(proxy: Proxy) -> None:
    for path in ("/", "/v1/havens/nearest", HAVEN, "/v1/calendar/a-secret.ics", "/nowhere"):
        proxy.secure.get(f"{path}?{PRIVATE}", headers={"Referer": PRIVATE, "User-Agent": PRIVATE})
    before = proxy.logged()
    for path in (f"{HAVEN}/problem-reports", f"{HAVEN}/problem%2Dreports/"):
        proxy.secure.post(f"{path}?{PRIVATE}", headers={"X-Status": "202"})
    for path in ("/havens/1/report", "/pl/havens/1/report", "/havens/1/report/sent"):
        proxy.secure.get(path)
        proxy.secure.post(path, headers={"X-Status": "303"})
    proxy.secure.post(f"{HAVEN}/problem-reports", headers={"X-Status": "503"})
    after = proxy.logged()
    assert len(before) >= 5
    # The mark that ends what was logged before, and the report that was lost.
    assert [line["status"] for line in after[len(before) :]] == [200, 503]
    text = (proxy.folder / "access.log").read_text()
    for private in ("127.0.0.1", "51.51", "lat", "/v1", "report", "a-secret", "havens"):
        assert private not in text


def test_without_tls_one_is_sent_on_without_what_was_asked(proxy: Proxy) -> None:
    answer = proxy.plain.get(f"/v1/havens?{PRIVATE}", headers={"Host": "havens.test"})
    assert answer.status_code == 308
    assert answer.headers["Location"] == "https://havens.test/v1/havens"


def test_bodies_and_heads_have_a_limit(proxy: Proxy) -> None:
    most = proxy.secure.post("/v1/havens/nearest", content=b" " * BODY_LIMIT)
    assert most.json()["body"] == BODY_LIMIT
    bulk = proxy.secure.post("/v1/admin/bulk/venues", content=b" " * 1_000_000)
    assert bulk.json()["body"] == 1_000_000
    for status, answer in (
        (413, proxy.secure.post("/v1/havens/nearest", content=b" " * (BODY_LIMIT + 1))),
        (400, proxy.secure.get("/", headers={"X": "x" * 9000})),
        (414, proxy.secure.get("/" + "x" * 9000)),
        (404, proxy.secure.get("/metrics")),
    ):
        assert answer.status_code == status
        is_hardened(answer)


def test_sign_ins_and_reports_are_limited_but_reading_is_not(proxy: Proxy) -> None:
    def statuses(method: str, path: str) -> set[int]:
        return {proxy.secure.request(method, path).status_code for _ in range(50)}

    assert statuses("GET", f"{HAVEN}/problem-reports") == {200}
    assert statuses("GET", "/v1/havens/nearest") == {200}
    assert statuses("POST", "/v1/auth/token") == {200, 429}
    assert statuses("POST", f"{HAVEN}/problem-reports") == {200, 429}
    refused = proxy.secure.post(f"{HAVEN}/problem-reports")
    assert "call 999" in refused.text
    is_hardened(refused)


def test_a_service_that_is_away_is_told_in_plain_words(proxy: Proxy, tmp_path: Path) -> None:
    with proxied(tmp_path, free_port()) as without_service:
        answer = without_service.secure.get("/")
    assert (answer.status_code, "call 999" in answer.text) == (503, True)
    is_hardened(answer)
    # What the service itself says of such a moment comes through.
    own = proxy.secure.get("/", headers={"X-Status": "503"})
    assert (own.status_code, "headers" in own.json()) == (503, True)


def sent_to(method: str, path: str) -> str:
    """Who answers a request where several hosts answer the public."""
    rules = re.findall(r'^"~(.*)" (\w+);$', (SCALE / "public.map").read_text(), re.MULTILINE)
    asked = f"{method} {path}"
    return next((to for pattern, to in rules if re.search(pattern, asked)), "havens")


OF_THE_REGISTER = (
    *("/metrics", "/health/live", "/health/ready", "/published/current", "/published/{checksum}"),
    *("/v1/verify/{code}", "/v1/calendar/{secret}.ics", "/verify", "/verify/{code}"),
    "/letters/{secret}",
)
"""What is public, and read by few or from the database."""

ASKED_BY_POST = ("/", "/v1/havens/nearest", "/v1/havens/{haven_id}/route")
"""What takes a question in a body, where no log has it."""


def test_hosts_get_what_they_can_answer_and_nothing_else() -> None:
    for method, path in PUBLIC:
        plain = path.removeprefix(IN_LANGUAGE) or "/"
        asks = method == "GET" or plain in ASKED_BY_POST
        expected = "hosts" if asks and plain not in OF_THE_REGISTER else "havens"
        filled = re.sub(r"[{]\w+[}]", "x1", plain)
        for prefix in ("/pl", "/ar") if path != plain else ("",):
            asked = f"{prefix}{filled}".removesuffix("/") or "/"
            assert sent_to(method, asked) == expected, f"{method} {asked}"
    for path in ("/v1/admin/venues", "/v1/audit/coverage", "/console", "/ogc/licensing"):
        assert sent_to("GET", path) == "havens"


def test_several_hosts_answer_the_public(tmp_path: Path) -> None:
    with (
        serving(echo) as register,
        serving(echo) as host,
        proxied(tmp_path, register.base_url.port, host.base_url.port) as proxy,
    ):
        for method, path, service in (
            ("GET", f"/v1/havens/nearest?{PRIVATE}", host),
            ("GET", "/pl/map", host),
            ("POST", "/v1/havens/nearest", host),
            ("POST", f"{HAVEN}/problem-reports", register),
            ("GET", "/v1/admin/venues", register),
            ("GET", "/nowhere", register),
        ):
            answer = proxy.secure.request(method, path)
            assert answer.json()["port"] == service.base_url.port, path
            is_hardened(answer)
