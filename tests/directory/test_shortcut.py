"""The short way to the nearest havens answers as the framework does, or leaves it to it."""

import asyncio
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import uvicorn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine
from starlette.types import Receive, Scope, Send
from uvicorn import _subprocess
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import Server, ServerState
from uvicorn.supervisors import multiprocess

from app.core.db import connected
from app.core.errors import Invalid
from app.core.settings import HELP
from app.directory import shortcut
from app.directory.contacts import Contacts
from app.directory.live import Directory
from app.directory.nearest import NEAREST
from app.directory.nearest_question import PLAIN, NearestQuestion, read_plain
from app.directory.shortcut import Shortcut
from app.feeds.changes import Changes
from app.feeds.followers import Followers
from app.http.connections import Guarded
from tests.factories import make_venue, utc
from tests.servers import METRICS, add_venue, serving_directory

FRIDAY_NIGHT = utc("2026-11-27T23:30")
HERE = "lat=51.5134&lon=-0.089"
IN_JSON = '{"lat": 51.5134, "lon": -0.089}'
JSON = {"Content-Type": "application/json"}

# --- the server's inside ---------------------------------------------------------------------

INSIDE: list[tuple[Callable[..., Any], set[str]]] = [
    (HttpToolsProtocol.__init__, {"app_state", "cycle", "flow", "headers", "parser", "loop"}),
    (HttpToolsProtocol.__init__, {"server_state", "expect_100_continue", "transport"}),
    (HttpToolsProtocol.__init__, {"connections", "pipeline", "timeout_keep_alive"}),
    # All that is done after an answer but for its timer: see `Guarded.on_response_complete`.
    (HttpToolsProtocol.on_response_complete, {"total_requests", "resume_reading", "pipeline"}),
    (HttpToolsProtocol.on_response_complete, {"pop", "_start_asgi_task", "call_later"}),
    (HttpToolsProtocol.on_message_begin, {"url", "headers", "expect_100_continue"}),
    (FlowControl.__init__, {"read_paused", "write_paused"}),
    (RequestResponseCycle.__init__, {"response_complete", "response_started", "more_body"}),
    (RequestResponseCycle.__init__, {"keep_alive"}),
    (ServerState, {"connections", "default_headers", "total_requests"}),
    # With another context in its place, workers are forked: see `app.serve`.
    (_subprocess.get_subprocess, {"spawn", "Process"}),
    (multiprocess.Process.server.fget, {"Server", "config"}),  # type: ignore[attr-defined]
    (multiprocess.Multiprocess.run, {"terminate_all"}),
    (multiprocess.Multiprocess.__init__, {"sockets"}),
    (Server.shutdown, {"servers", "server_state", "lifespan"}),
]
"""What must be set or read, and where, of what uvicorn promises nobody."""

OVERRIDDEN = (
    *("connection_made", "data_received", "on_headers_complete", "on_body", "on_message_complete"),
    *("on_message_begin", "on_response_complete", "shutdown"),
)
CALLED = ("timeout_keep_alive_handler",)


def test_what_is_relied_on_of_the_server_s_inside() -> None:
    what_to_do = (
        "uvicorn is another, and `Guarded`, `Shortcut` and `app.serve` rely on its inside: read in "
        "its httptools_impl.py what they override, call and set, and in _subprocess.py and "
        "supervisors/multiprocess.py how workers start; run the tests of both, then name the new "
        "version here and in pyproject.toml"
    )
    assert uvicorn.__version__ == "0.54.0", what_to_do
    for function, names in INSIDE:
        known = vars(function()) if isinstance(function, type) else function.__code__.co_names
        assert names <= {*known}, what_to_do
    for name in (*OVERRIDDEN, *CALLED):
        assert name in vars(HttpToolsProtocol), what_to_do
    ours = vars(Guarded) | vars(Shortcut)
    assert all(name in ours for name in OVERRIDDEN), "this list is out of date"


# --- over HTTP -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path
) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("shortcut")
    path = folder / "havens.sqlite"
    path.write_bytes(sqlite_template.read_bytes())
    url = f"sqlite:///{path}"
    for hours in ("24/7", "Mo-Su 10:00-23:45", "Mo-Su 10:00-23:38", "Sa 08:00-12:00", None):
        add_venue(url, hours=hours)
    with serving_directory(folder / "data", url, lambda: FRIDAY_NIGHT) as client:
        yield client


ASKED: list[tuple[str, dict[str, Any]]] = [
    (f"GET {HERE}", {}),
    (f"GET {HERE}&limit=50&facilities=&step_free=false&_=1", {}),
    (f"GET {HERE}&limit=5.0&at=2026-11-28t02:00:00.123456789z", {}),
    (f"GET {HERE}&at=2026-11-28T02:00:00+05:30", {}),
    (f"GET {HERE}&at=2026-11-28T02:59:60Z", {}),
    (f"GET {HERE}&at=2026-11-28T02:00:00", {}),
    (f"GET lat=&lon=&{HERE}", {}),
    ("GET lat=&lon=", {}),
    (f"GET {HERE}", {"headers": {"Accept": "text/html;q=x", "Accept-Encoding": "identity;q=0"}}),
    (f"GET {HERE}", {"headers": {"Content-Encoding": "gzip"}}),
    (f"GET {HERE}&facilities=toilet,seat&step_free=true&max_distance_m=1e3", {}),
    (f"GET {HERE}&at=2026-11-30T09:00:00Z", {}),
    (f"GET {HERE}&at=2026-11-30T09%3A00%3A00%2B01:00", {}),
    (f"GET {HERE}", {"headers": {"Origin": "https://elsewhere.test"}}),
    (f"GET {HERE}", {"headers": {"Origin": "https://elsewhere.test", "Cookie": "a=b"}}),
    (f"GET {HERE}&limit=51", {}),
    (f"GET {HERE}&limit=51", {"headers": {"Origin": "https://elsewhere.test"}}),
    (f"GET {HERE}&{HERE}", {}),
    (f"GET {HERE}&at=2026-12-30T09:00:00Z", {}),
    ("GET ", {}),
    (f"GET {HERE}", {"content": "a body"}),
    (f"GET {HERE}", {"content": "x" * 70_000}),
    (f"HEAD {HERE}", {}),
    (f"PUT {HERE}", {}),
    (f"OPTIONS {HERE}", {}),
    (
        "OPTIONS ",
        {"headers": {"Origin": "https://a.test", "Access-Control-Request-Method": "POST"}},
    ),
    ("POST ", {"content": IN_JSON, "headers": JSON}),
    ("POST ", {"content": IN_JSON, "headers": JSON | {"Origin": "https://elsewhere.test"}}),
    (f"POST {HERE}&limit=x", {"content": IN_JSON, "headers": JSON}),
    ("POST ", {"content": IN_JSON, "headers": {"Content-Type": "Application/JSON; charset=utf-8"}}),
    ("POST ", {"content": IN_JSON}),
    ("POST ", {"content": IN_JSON, "headers": JSON | {"Content-Encoding": "gzip"}}),
    ("POST ", {"content": IN_JSON, "headers": JSON | {"Content-Encoding": "identity"}}),
    ("POST ", {"content": IN_JSON.replace("}", ', "at": null, "limit": 5.0}'), "headers": JSON}),
    ("POST ", {"content": IN_JSON.encode("utf-16"), "headers": JSON}),
    ("POST ", {"content": b"\xff" + IN_JSON.encode(), "headers": JSON}),
    ("POST ", {"content": IN_JSON[:-1], "headers": JSON}),
    ("POST ", {"content": IN_JSON.replace("51", "151"), "headers": JSON}),
    ("POST ", {"content": "", "headers": JSON}),
    ("POST ", {"content": " " * 70_000, "headers": JSON}),
]


@pytest.mark.parametrize(("asked", "more"), ASKED, ids=range(len(ASKED)))
def test_both_ways_answer_alike(service: httpx.Client, asked: str, more: dict[str, Any]) -> None:
    method, _, query = asked.partition(" ")
    headers = [*more.get("headers", {}).items()]

    def heard(*others: tuple[str, str]) -> tuple[int, dict[str, str], bytes]:
        response = service.request(
            method, f"{NEAREST}?{query}", **more | {"headers": [*headers, *others]}
        )
        told = dict(response.headers)
        told.pop("date")
        # Each request has an id of its own.
        content = re.sub(rb'"request_id":"[0-9a-f]{32}"', b"", response.content)
        return response.status_code, told, content

    # With a header that is given twice, the framework answers; and who asks again on the same
    # connection is answered without the parser.
    assert heard() == heard() == heard(("X-Twice", "1"), ("X-Twice", "2"))


def test_both_ways_are_counted_alike(service: httpx.Client) -> None:
    def counted() -> float:
        line = 'havens_requests_total{method="GET",route="/v1/havens/nearest",status="200"} '
        text = service.get("/metrics", headers=METRICS).text
        return float(text.partition(line)[2].partition("\n")[0] or 0)

    before = counted()
    service.get(f"{NEAREST}?{HERE}")
    service.get(f"{NEAREST}?{HERE}", headers=[("X-Twice", "1"), ("X-Twice", "2")])
    assert counted() == before + 2


# --- which way -------------------------------------------------------------------------------


class Wire(asyncio.Transport):
    """A connection whose other end is the test."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


@pytest.fixture
def sqlite(sqlite_url: str) -> Iterator[Engine]:
    with connected(sqlite_url) as engine:
        yield engine


Talk = Callable[..., tuple[list[str], Wire]]


@pytest.fixture
def talk(sqlite: Engine, tmp_path: Path) -> Talk:
    """Send packets over one connection: who answered each request, in order, and what was heard.

    The framework here says what it got as `method path?query body`.
    """
    make_venue(sqlite, hours="24/7")
    directory = Directory(sqlite, tmp_path, demonstration=False, clock=lambda: FRIDAY_NIGHT)
    directory.refresh()

    async def framework(scope: Scope, receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                break
            body, more = body + message["body"], message["more_body"]
        said = b"%b %b?%b %b" % (
            scope["method"].encode(),
            scope["raw_path"],
            scope["query_string"],
            body,
        )
        length = b"%d" % len(said)
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]}
        )
        await send({"type": "http.response.body", "body": said})

    async def converse(packets: Sequence[bytes | Callable[[Shortcut], None]]) -> Wire:
        config = uvicorn.Config(framework, http=Shortcut, proxy_headers=False, log_config=None)
        state = ServerState()
        app_state = {
            "directory": directory,
            "contacts": Contacts(HELP),
            "followers": Followers(Changes(directory)),
        }
        line = Shortcut(config, state, app_state)
        wire = Wire()
        line.connection_made(wire)
        for packet in packets:
            if wire.closed:
                break
            if isinstance(packet, bytes):
                line.data_received(packet)
            else:
                packet(line)
            for _ in range(10):  # so many turns are more than an answer takes
                await asyncio.sleep(0)
        line.connection_lost(None)
        await asyncio.gather(*state.tasks)
        assert line.timeout_keep_alive_task is None
        return wire

    def talk(*packets: bytes | Callable[[Shortcut], None]) -> tuple[list[str], Wire]:
        wire = asyncio.run(converse(packets))
        heard, rest = [], wire.written.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
        while rest:
            head, _, rest = rest.partition(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
            body, rest = rest[:length].decode(), rest[length:]
            heard.append("shortcut" if body.startswith('{"at":') else body)
        return heard, wire

    return talk


def request(line: str, body: bytes = b"", **headers: str) -> bytes:
    """A request as it comes over the wire."""
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([f"{line} HTTP/1.1", "Host: a", *lines, "", ""]).encode() + body


ASK = f"GET {NEAREST}?{HERE}"
POSTED = {"content_type": "application/json", "content_length": str(len(IN_JSON))}


def test_what_is_common_takes_the_short_way(talk: Talk) -> None:
    body = IN_JSON.encode()
    for asked in (
        request(ASK),
        request(f"{ASK}&limit=3&at=2026-11-28T09:00:00Z&facilities=seat"),
        request(ASK, origin="https://elsewhere.test", cookie="a=b"),
        request(f"POST {NEAREST}", body, **POSTED),
        request(f"POST {NEAREST}?ignored", body, **POSTED),
    ):
        assert talk(asked)[0] == ["shortcut"]
        # However it was cut on its way here.
        assert talk(*(asked[n : n + 7] for n in range(0, len(asked), 7)))[0] == ["shortcut"]


@pytest.mark.parametrize(
    ("asked", "heard"),
    [
        (request(f"GET {NEAREST}?lat=1"), f"GET {NEAREST}?lat=1 "),
        (request(f"{ASK}&limit=0"), f"{ASK}&limit=0 "),
        (request(f"{ASK}#here"), f"{ASK} "),
        (request(f"GET /v1/havens?{HERE}"), f"GET /v1/havens?{HERE} "),
        (request(f"GET {NEAREST}/?{HERE}"), f"GET {NEAREST}/?{HERE} "),
        (request(f"PUT {NEAREST}?{HERE}"), f"PUT {NEAREST}?{HERE} "),
        (request(f"HEAD {NEAREST}?{HERE}"), ""),
        (request(ASK, b"?", content_length="1"), f"{ASK} ?"),
        (request(ASK, b"1\r\n?\r\n0\r\n\r\n", transfer_encoding="chunked"), f"{ASK} ?"),
        (request(ASK, x="1", X="2"), f"{ASK} "),
        (
            request(f"POST {NEAREST}", IN_JSON.encode(), **POSTED, content_encoding="gzip"),
            f"POST {NEAREST}? {IN_JSON}",
        ),
        (request(ASK, expect="100-continue"), f"{ASK} "),
        (request(ASK, upgrade="h2c", connection="upgrade"), f"{ASK} "),
        (request(ASK, connection="close"), f"{ASK} "),
        (request(ASK).replace(b"1.1", b"1.0"), f"{ASK} "),
        (request(ASK, connection="keep-alive").replace(b"1.1", b"1.0"), f"{ASK} "),
        (
            request(f"POST {NEAREST}", IN_JSON[:-1].encode() + b" ", **POSTED),
            f"POST {NEAREST}? {IN_JSON[:-1]} ",
        ),
        (
            request(f"POST {NEAREST}", b" " * 99999, **POSTED | {"content_length": "99999"}),
            f"POST {NEAREST}? {' ' * 99999}",
        ),
        (
            request(f"POST {NEAREST}", IN_JSON.encode(), content_length=str(len(IN_JSON))),
            f"POST {NEAREST}? {IN_JSON}",
        ),
        (
            request(
                f"POST {NEAREST}",
                b"%x\r\n%b\r\n0\r\n\r\n" % (len(IN_JSON), IN_JSON.encode()),
                content_type="application/json",
                transfer_encoding="chunked",
            ),
            f"POST {NEAREST}? {IN_JSON}",
        ),
    ],
    ids=range(20),
)
def test_what_is_not_is_left_to_the_framework_whole(talk: Talk, asked: bytes, heard: str) -> None:
    assert talk(asked)[0] == [heard]
    step = max(7, len(asked) // 20)
    assert talk(*(asked[n : n + step] for n in range(0, len(asked), step)))[0] == [heard]


def test_several_at_once_are_answered_in_order(talk: Talk) -> None:
    other = request(f"GET /v1/havens?{HERE}")
    assert talk(request(ASK) * 3)[0] == ["shortcut"] * 3
    # What was asked after something that takes its time waits for it.
    heard = talk(request(ASK) + other + request(ASK))[0]
    assert heard == ["shortcut", f"GET /v1/havens?{HERE} ", f"{ASK} "]


def test_a_client_that_does_not_read_is_waited_for(talk: Talk) -> None:
    assert talk(lambda line: line.pause_writing(), request(ASK))[0] == []
    heard = talk(
        lambda line: line.pause_writing(), request(ASK), lambda line: line.resume_writing()
    )[0]
    assert heard == [f"{ASK} "]


def test_the_server_ends_only_when_what_has_begun_is_answered(talk: Talk) -> None:
    asked = request(f"POST {NEAREST}", IN_JSON.encode(), **POSTED)
    heard, wire = talk(asked[:-5], lambda line: line.shutdown(), asked[-5:])
    assert heard == [f"POST {NEAREST}? {IN_JSON}"]
    assert wire.closed


def test_a_server_that_ends_says_so_in_the_last_answer_of_each_connection(talk: Talk) -> None:
    other = request(f"GET /v1/havens?{HERE}")
    leave: Callable[[Shortcut], None] = lambda line: line.shutdown()  # noqa: E731
    # Who has had an answer may have sent the next question already.
    heard, wire = talk(request(ASK), leave, request(ASK))
    assert heard == ["shortcut", f"{ASK} "]
    assert wire.written.lower().count(b"connection: close") == 1
    assert wire.closed
    # Nor is it lost when it stands in line.
    heard, wire = talk(leave, other + other + other)
    assert len(heard) == 3
    assert wire.written.lower().count(b"connection: close") == 1
    assert wire.closed


def test_a_fault_of_the_short_way_is_logged_and_the_framework_answers(
    talk: Talk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(shortcut, "answer_query", lambda *_: 1 // 0)
    assert talk(request(ASK))[0] == [f"{ASK} "]
    assert "ZeroDivisionError" in caplog.text
    assert "51.5134" not in caplog.text


# --- whoever asks again ----------------------------------------------------------------------


@contextmanager
def parsed() -> Iterator[list[Guarded]]:
    """The connections of the requests that the parser got, while this goes on."""
    found: list[Guarded] = []
    begin = Guarded.on_message_begin

    def on_message_begin(line: Guarded) -> None:
        found.append(line)
        begin(line)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Guarded, "on_message_begin", on_message_begin)
        yield found


def talk_by_parser(talk: Talk, *packets: bytes) -> Wire:
    """What is heard when all of it is parsed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Shortcut, "_answered_again", lambda *_: False)
        return talk(*packets)[1]


def test_who_asks_again_with_the_same_head_is_answered_without_the_parser(talk: Talk) -> None:
    for headers in ({}, {"origin": "https://elsewhere.test", "accept_language": "pl"}):
        asked = [
            request(ask, b"", **headers)
            for ask in (ASK, f"{ASK}&limit=1", f"{ASK}&facilities=seat")
        ]
        apart = b"".join(talk(one)[1].written for one in asked)
        with parsed() as several:
            heard, wire = talk(*asked)
        assert heard == ["shortcut"] * 3
        assert len(several) == 1
        assert wire.written == apart


@pytest.mark.parametrize(
    "other",
    [
        request(ASK, x="1"),
        request(ASK)[:-2] + b"X: 1\r\n\r\n",
        request(f"{ASK}#here"),
        request(f"{ASK}& "),
        request(f"GET {NEAREST}"),
        request(f"GET /v1/havens?{HERE}"),
        request(f"HEAD {NEAREST}?{HERE}"),
        request(ASK).replace(b"1.1", b"1.0"),
        request(f"{ASK}&limit=0"),
        request(f"{ASK}&facilities={'seat,' * 2000}"),
        request(ASK) * 2,
        request(ASK) + b"GET",
        b"\r\n" + request(ASK),
    ],
    ids=range(13),
)
def test_whatever_else_comes_then_is_parsed(talk: Talk, other: bytes) -> None:
    with parsed() as several:
        talk(request(ASK), other)
    assert len(several) > 1


def test_what_is_under_way_is_parsed_to_its_end(talk: Talk) -> None:
    one, other = request(ASK), request(f"{ASK}&limit=1")
    written = talk(one, other, one)[1].written
    for cut in range(len(other)):
        for packets in (
            (one, other[:cut], other[cut:] + one),
            (one + other[:cut], other[cut:], one),
        ):
            assert talk(*packets)[1].written == written


def test_who_is_answered_again_has_moved_on(talk: Talk) -> None:
    began, kept = time.monotonic(), []

    def look_after(seconds: float) -> Callable[[Shortcut], None]:
        def look(line: Shortcut) -> None:
            assert line.overdue(began + seconds) is None
            kept.append(not line.transport.is_closing())

        return look

    talk(request(ASK), look_after(1), look_after(7))
    talk(request(ASK), look_after(1), request(ASK), look_after(7), look_after(13))
    assert kept == [True, False, True, True, False]


OTHERS = [
    *(request(f"{ASK}{more}") for more in ("", "&limit=2", "&limit=0", "&facilities=seat", "#a")),
    *(request(ASK, b"", **{name: "a"}) for name in ("origin", "accept_language", "x", "Host")),
    request(ASK, connection="close"),
    request(ASK).replace(b"1.1", b"1.0"),
    request(ASK, upgrade="h2c", connection="upgrade"),
    request(f"POST {NEAREST}", IN_JSON.encode(), **POSTED),
    request(f"GET /v1/havens?{HERE}"),
    b"\r\n",
    b"GET",
    b"no request\r\n\r\n",
]
PACKETS = st.lists(
    st.tuples(st.one_of(st.just(OTHERS[0]), st.sampled_from(OTHERS)), st.integers(-60, 120)),
    min_size=2,
    max_size=8,
)


@pytest.mark.parametrize("more", [request(ASK), b"GET", request(ASK)[:-2], b"\r\n"], ids=range(4))
def test_what_came_with_more_is_parsed_again(talk: Talk, more: bytes) -> None:
    packet = request(ASK) + more
    assert talk(packet, packet)[1].written == talk_by_parser(talk, packet, packet).written


@given(PACKETS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_however_it_comes_the_answers_are_those_of_the_parser(
    talk: Talk, several: list[tuple[bytes, int]]
) -> None:
    packets = [b""]
    for asked, cut in several:
        # Whole, or with so much of it in the packet before.
        packets[-1] += asked[: max(cut, 0)]
        packets.append(asked[max(cut, 0) :])
    packets = [packet for packet in packets if packet]
    expected, (_, wire) = talk_by_parser(talk, *packets), talk(*packets)
    assert (wire.written, wire.closed) == (expected.written, expected.closed)


# --- one contract ----------------------------------------------------------------------------

NAMES = st.sampled_from([*NearestQuestion.model_fields, *NearestQuestion.model_fields, "x", ""])
NUMBERS = st.one_of(
    st.floats(-200, 200).map(repr), st.integers(-60, 60).map(str), st.floats().map(repr)
)
WORDS = st.sampled_from(
    [
        "true",
        "False",
        "1",
        "",
        "toilet",
        "toilet,seat",
        "2026-11-27T23:30:00Z",
        "=",
        " 5",
        "٣",
        "nan",
    ]
)
VALUES = st.one_of(NUMBERS, NUMBERS, WORDS, st.text(max_size=8))


def read(query: str) -> NearestQuestion | list[tuple[str, str]]:
    try:
        return NearestQuestion.from_query(query.encode())
    except Invalid as error:
        return [(e.field, e.message) for e in error.errors]


@given(st.lists(st.tuples(NAMES, VALUES.filter(lambda v: not set(v) & set("&%+"))), max_size=8))
def test_a_query_means_the_same_however_it_is_escaped(pairs: list[tuple[str, str]]) -> None:
    pairs = [("lat", "51.5"), ("lon", "-0.1"), *pairs][: len(pairs) + 1]
    plain = "&".join(f"{name}={value}" for name, value in pairs)
    escaped = "&".join(
        "=".join("".join(f"%{byte:02x}" for byte in side.encode()) for side in pair)
        for pair in pairs
    )
    assert read(plain) == read(escaped) == read(quote(plain, safe="&=,"))


@given(st.from_regex(PLAIN, fullmatch=True))
def test_what_is_read_in_one_go_means_the_same(query: bytes) -> None:
    plain = read_plain(query)
    assert plain
    lat, lon, limit = plain
    assert read(query.decode()) == NearestQuestion(lat=lat, lon=lon, limit=limit)


def test_what_nearly_everybody_asks_is_read_in_one_go() -> None:
    assert read_plain(b"lat=51.513412&lon=-0.089&limit=3") == (51.513412, -0.089, 3)
    assert read_plain(b"lat=51.513412&lon=-0.089") == (51.513412, -0.089, 5)
    assert read_plain(b"lat=91&lon=0") is None
