"""What a connection may send and hold, with limits so short that nobody waits for them."""

import asyncio
import logging
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from itertools import chain, repeat
from typing import Any

import httpx
import psutil
import pytest
from fastapi import FastAPI, Request, Response
from prometheus_client import REGISTRY

from app.http.connections import KIB, Guarded, Limits, room
from tests.servers import PATIENCE_SECONDS, serving, until

MIB = KIB * KIB
LARGE = b"x" * (16 * MIB)
"""More than a system keeps for a client that does not read."""


class Impatient(Guarded):
    limits = Limits(
        connections=20,
        head_seconds=1,
        body_seconds=1,
        body_rate=200 * KIB,
        unread_seconds=1,
        sweep_seconds=0.05,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.timeout_keep_alive = 0.5  # type: ignore[assignment]  # a call_later takes it


app = FastAPI()
let_go = asyncio.Event()


@app.get("/hello")
async def hello() -> str:
    return "hello"


@app.get("/late")
async def late() -> str:
    await let_go.wait()
    return "late"


@app.get("/large")
async def large() -> Response:
    return Response(LARGE)


@app.post("/length")
async def length(request: Request) -> int:
    return len(await request.body())


@app.post("/unread")
async def unread() -> str:
    return "unread"


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with serving(app, Impatient) as client:
        yield client


Connect = Callable[[], socket.socket]


@pytest.fixture
def connect(client: httpx.Client) -> Iterator[Connect]:
    """A new connection that is closed after the test."""
    address = "127.0.0.1", client.base_url.port or 0
    with ExitStack() as stack:
        yield lambda: stack.enter_context(socket.create_connection(address, PATIENCE_SECONDS))


def refused(reason: str) -> float:
    """How many connections were refused so far, for a reason."""
    return REGISTRY.get_sample_value("havens_connections_refused_total", {"reason": reason}) or 0


def talk(raw: socket.socket, parts: Iterable[bytes], pause: float = 0) -> bytes:
    """Send parts until there are no more or nobody takes them; all that is heard until the end."""
    # The end comes as a reset where something sent was not read any more.
    with suppress(ConnectionError):
        for part in parts:
            raw.sendall(part)
            time.sleep(pause)
    return rest(raw)


def rest(raw: socket.socket) -> bytes:
    heard: list[bytes] = []
    with suppress(ConnectionError):
        heard.extend(iter(lambda: raw.recv(MIB), b""))
    return b"".join(heard)


def get(path: str, *headers: str, version: str = "1.1") -> bytes:
    return "\r\n".join([f"GET {path} HTTP/{version}", *headers, "", ""]).encode()


HOST = "Host: havens.test"
CLOSE = "Connection: close"
HELLO = get("/hello", HOST)
POST = b"POST %b HTTP/1.1\r\nHost: havens.test\r\n"
CHUNKED = POST % b"/length" + b"Transfer-Encoding: chunked\r\n\r\n"
SHORT = (
    b"POST /v1/havens/nearest HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
    b"Content-Length: 9999\r\n\r\n"
)


# --- size ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("begin", "more", "reason", "status"),
    [
        (b"GET /hello HTTP/1.1\r\nHost: a\r\nX: ", b"x" * 4096, "headers", 431),
        (b"GET /hello HTTP/1.1\r\nHost: a\r\n", b"x" * 4096, "headers", 431),
        (b"GET /hello HTTP/1.1\r\nHost: a\r\n", b"x: y\r\n" * 700, "headers", 431),
        (b"GET /hello HTTP/1.1\r\nHost: a\r\n", b"x: y\r\n" * 70_000, "headers", 431),
        (b"GET /", b"x" * 4096, "line", 414),
        (b"GET /hello?", b"x" * MIB, "line", 414),
        (b"", b"\r\n" * 2048, "headers", 431),
        (CHUNKED + b"1\r\nx\r\n0\r\nX: ", b"x" * 4096, "headers", 431),
        (CHUNKED + b"1\r\nx\r\n0\r\n", b"x: y\r\n" * 700, "headers", 431),
        (CHUNKED + b"1;x=", b"x" * 4096, "headers", 431),
        (POST % b"/unread" + b"Content-Length: 999999999\r\n\r\n", b"x" * MIB, "body", None),
    ],
    ids=[
        "a value",
        "a name",
        "headers",
        "headers in one packet",
        "an address",
        "an address in one packet",
        "empty lines",
        "a trailer",
        "trailers",
        "a chunk's extension",
        "a body that nobody wants",
    ],
)
def test_what_never_ends_is_ended(
    client: httpx.Client,
    connect: Connect,
    begin: bytes,
    more: bytes,
    reason: str,
    status: int | None,
) -> None:
    before, memory = refused(reason), psutil.Process().memory_info().rss
    heard = talk(connect(), chain([begin], repeat(more)))
    assert not heard or heard.startswith(b"HTTP/1.1 %d " % (status or 200))
    assert refused(reason) == before + 1
    assert psutil.Process().memory_info().rss < memory + 50 * MIB
    assert client.get("/hello").json() == "hello"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (get("/hello?" + "x" * 8000, HOST, CLOSE), 200),
        (get("/hello?" + "x" * 8200, HOST, CLOSE), 414),
        (get("/hello", HOST, CLOSE, "X: " + "x" * 8000), 200),
        (get("/hello", HOST, CLOSE, "X: " + "x" * 8200), 431),
        (get("/hello", HOST, CLOSE, "X: " + "x" * 8000, "Y: " + "y" * 8000), 200),
        (get("/hello", HOST, CLOSE, *["X: " + "x" * 8000] * 3), 431),
        (get("/hello", HOST, CLOSE, *["X: x"] * 98), 200),
        (get("/hello", HOST, CLOSE, *["X: x"] * 99), 431),
    ],
    ids=range(8),
)
@pytest.mark.parametrize("size", [1 << 20, 1400])
def test_what_is_large_is_taken_up_to_its_limit(
    connect: Connect, sent: bytes, status: int, size: int
) -> None:
    heard = talk(connect(), (sent[n : n + size] for n in range(0, len(sent), size)))
    assert heard.startswith(b"HTTP/1.1 %d " % status)
    assert b"\r\nconnection: close\r\n" in heard


def test_a_refusal_says_why_and_repeats_nothing(connect: Connect) -> None:
    head, _, body = talk(connect(), [get("/51.5134", HOST, "X: " + "51.5134" * 2000)]).partition(
        b"\r\n\r\n"
    )
    assert b"content-type: text/plain; charset=utf-8" in head
    assert body == b"The headers are too long, or too many"


# --- time ------------------------------------------------------------------------------------


def test_a_client_that_says_nothing_is_let_go_without_a_word(connect: Connect) -> None:
    before = refused("late_head")
    assert talk(connect(), []) == b""
    assert refused("late_head") == before + 1


@pytest.mark.parametrize("first", [[], [HELLO]], ids=["a connection", "an answer"])
def test_a_head_has_so_much_time_from(connect: Connect, first: list[bytes]) -> None:
    before = refused("late_head")
    slowly = (b"%c" % byte for byte in get("/hello", HOST, "X: " + "x" * 999))
    heard = talk(connect(), [*first, *slowly], pause=0.02)
    assert heard.count(b"HTTP/1.1 200 ") == len(first)
    assert refused("late_head") == before + 1


@pytest.mark.parametrize(
    "begin",
    [
        CHUNKED,
        POST % b"/length" + b"Content-Length: 9999\r\n\r\n",
        POST % b"/unread" + b"Content-Length: 9999\r\n\r\n",
        SHORT,
    ],
    ids=["chunked", "of a length", "that nobody wants", "that might go the short way"],
)
def test_a_body_comes_at_some_rate(connect: Connect, begin: bytes) -> None:
    before = refused("late_body")
    byte = b"1\r\nx\r\n" if begin is CHUNKED else b"x"
    talk(connect(), chain([begin], repeat(byte)), pause=0.02)
    assert refused("late_body") == before + 1


def test_a_large_body_may_come_slowly(connect: Connect) -> None:
    size = 5 * MIB
    begin = POST % b"/length" + b"Content-Length: %d\r\n\r\n" % size
    # Ten times as long as a body without a rate may take.
    heard = talk(connect(), [begin, *[b"x" * (size // 20)] * 20], pause=0.1)
    assert heard.endswith(b"%d" % size)


def test_a_chunked_body_is_taken_whole(connect: Connect) -> None:
    chunks = b"".join(b"%x;a=b\r\n%b\r\n" % (size, b"x" * size) for size in [1, 70_000, 3, 300_000])
    sent = CHUNKED + chunks + b"0\r\nX: trailer\r\n\r\n"
    for size in (MIB, 1400):
        parts = (sent[n : n + size] for n in range(0, len(sent), size))
        assert talk(connect(), parts).endswith(b"370004")


def test_an_idle_connection_ends_as_it_did_and_is_no_refusal(connect: Connect) -> None:
    before = refused("late_head")
    assert talk(connect(), [HELLO]).endswith(b'"hello"')
    assert refused("late_head") == before


# --- answers that nobody reads ---------------------------------------------------------------


def test_a_client_that_never_reads_is_let_go(client: httpx.Client, connect: Connect) -> None:
    before, raw = refused("unread"), connect()
    raw.sendall(get("/large", HOST))
    until(lambda: refused("unread") == before + 1)
    assert 0 < len(rest(raw)) < len(LARGE)


def test_a_client_that_reads_slowly_is_waited_for(connect: Connect) -> None:
    raw = connect()
    raw.sendall(get("/large", HOST, CLOSE))
    began, heard = time.monotonic(), 0
    while time.monotonic() < began + 1.5 * Impatient.limits.unread_seconds:
        heard += len(raw.recv(256 * KIB))
        time.sleep(0.1)
    heard += len(rest(raw))
    assert heard > len(LARGE)


# --- many at once ----------------------------------------------------------------------------


def test_whoever_comes_is_let_in_and_the_longest_silent_end() -> None:
    class Patient(Impatient):
        limits = Limits(connections=20, head_seconds=PATIENCE_SECONDS)

    before = refused("full")
    with serving(app, Patient) as client, ExitStack() as stack:

        def connect() -> socket.socket:
            address = "127.0.0.1", client.base_url.port or 0
            return stack.enter_context(socket.create_connection(address, PATIENCE_SECONDS))

        busy = connect()
        busy.sendall(get("/late", HOST, CLOSE))
        silent = []
        for _ in range(100):
            silent.append(connect())
            assert client.get("/hello", headers={"Connection": "close"}).json() == "hello"
        assert refused("full") >= before + 80
        assert rest(silent[0]) == b""
        # The youngest is still there, and so is who waits for us.
        assert talk(silent[-1], [get("/hello", HOST, CLOSE)]).endswith(b'"hello"')
        let_go.set()
        assert rest(busy).endswith(b'"late"')


@pytest.mark.parametrize(
    ("files", "most"), [(256, 128), (20_000, 1024), (resource.RLIM_INFINITY, 1024)]
)
def test_half_of_the_files_are_for_connections(
    monkeypatch: pytest.MonkeyPatch, files: int, most: int
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (files, files))
    assert room() == most


def test_several_requests_at_once_are_answered_in_order(connect: Connect) -> None:
    sent = [get("/hello", HOST), get("/large", HOST), *[get("/hello", HOST)] * 7]
    heard = talk(connect(), [b"".join(sent) + get("/hello", HOST, CLOSE)])
    assert heard.count(b'"hello"') == 9
    assert heard.index(b'"hello"') < heard.index(LARGE) < heard.rindex(b'"hello"')


def test_too_many_requests_at_once_are_not(connect: Connect) -> None:
    before = refused("pipelined")
    talk(connect(), [HELLO * 5000])
    assert refused("pipelined") == before + 1


# --- which HTTP ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (get("/hello", CLOSE), 400),
        (get("/hello", HOST, HOST, CLOSE), 400),
        (get("/hello", HOST, "host: other.test", CLOSE), 400),
        (get("/hello", HOST, HOST, version="1.0"), 400),
        (get("/hello", version="1.0"), 200),
        (get("/hello", HOST, version="1.0"), 200),
        (get("/hello", "Accept: a/b", "Accept: c/d", CLOSE, HOST), 200),
        (get("/hello", HOST, version="0.9"), 505),
        (get("/hello", HOST, version="2.0"), 505),
        (get("/hello", HOST, version="1.2"), 400),
        (b"GET /hello\r\n\r\n", 505),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (CHUNKED + b"x\r\n", 400),
    ],
    ids=lambda value: repr(value[:40]) if isinstance(value, bytes) else str(value),
)
def test_what_is_http_here(connect: Connect, sent: bytes, status: int) -> None:
    assert talk(connect(), [sent]).startswith(b"HTTP/1.1 %d " % status)


def test_an_upgrade_that_is_not_offered_is_passed_over(connect: Connect) -> None:
    asked = get("/hello", HOST, "Connection: upgrade, close", "Upgrade: websocket")
    assert talk(connect(), [asked]).endswith(b'"hello"')


# --- the log ---------------------------------------------------------------------------------


def test_the_log_counts_now_and_then_and_names_nobody(caplog: pytest.LogCaptureFixture) -> None:
    class Talkative(Impatient):
        limits = Limits(sweep_seconds=0.02, log_seconds=0.5)

    # The server that the other tests share may have something left to tell just now.
    others = {thread.ident for thread in threading.enumerate()}
    with caplog.at_level(logging.INFO), serving(app, Talkative) as client:
        address = "127.0.0.1", client.base_url.port or 0

        def refuse() -> None:
            with socket.create_connection(address, PATIENCE_SECONDS) as raw:
                talk(raw, [get("/51.5134")])

        def lines() -> list[str]:
            records = [r for r in caplog.records if r.thread not in others]
            return [r.getMessage() for r in records if "connection" in r.name]

        began = time.monotonic()
        refuse()
        until(lambda: lines() == ["connections refused or let go: 1 host"])
        for _ in range(30):
            refuse()
        until(lambda: len(lines()) > 1)
        assert sum(int(line.split()[-2]) for line in lines()) <= 31
        assert len(lines()) <= 1 + (time.monotonic() - began) / Talkative.limits.log_seconds
        assert "51.5134" not in caplog.text
        assert "Invalid HTTP request" not in caplog.text
