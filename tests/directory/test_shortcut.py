"""The short way to the nearest havens answers as the framework does, or leaves it to it."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine
from starlette.types import Message, Receive, Scope, Send

from app.directory.live import Directory
from app.directory.routes import NEAREST
from app.directory.schemas import NearestQuestion
from app.directory.shortcut import Shortcut
from app.errors import Invalid
from tests.factories import connected, make_venue, utc
from tests.servers import add_venue, serving_directory

FRIDAY_NIGHT = utc("2026-11-27T23:30")
HERE = "lat=51.5134&lon=-0.089"
IN_JSON = '{"lat": 51.5134, "lon": -0.089}'
JSON = {"Content-Type": "application/json"}

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
    (f"GET {HERE}&limit=50&facilities=&step_free=false", {}),
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
        return response.status_code, told, response.content

    # With a header that is given twice, the framework answers.
    assert heard() == heard(("X-Twice", "1"), ("X-Twice", "2"))


def test_both_ways_are_counted_alike(service: httpx.Client) -> None:
    def counted() -> float:
        line = 'havens_requests_total{method="GET",route="/v1/havens/nearest",status="200"} '
        text = service.get("/metrics").text
        return float(text.partition(line)[2].partition("\n")[0] or 0)

    before = counted()
    service.get(f"{NEAREST}?{HERE}")
    service.get(f"{NEAREST}?{HERE}", headers=[("X-Twice", "1"), ("X-Twice", "2")])
    assert counted() == before + 2


# --- which way -------------------------------------------------------------------------------


@pytest.fixture
def sqlite(sqlite_url: str) -> Iterator[Engine]:
    with connected(sqlite_url) as engine:
        yield engine


@pytest.fixture
def ask(sqlite: Engine, tmp_path: Path) -> Callable[..., list[str]]:
    """Who answered one request: the shortcut, or whom it left it to, and what that one heard."""
    make_venue(sqlite, hours="24/7")
    directory = Directory(sqlite, tmp_path, demonstration=False, clock=lambda: FRIDAY_NIGHT)
    directory.refresh()

    def ask(
        method: str, query: str = HERE, *bodies: bytes, path: str = NEAREST, **headers: str
    ) -> list[str]:
        seen: list[str] = []
        parts = [
            {"type": "http.request", "body": body, "more_body": n < len(bodies)}
            for n, body in enumerate(bodies, 1)
        ]

        async def receive() -> Message:
            return parts.pop(0)

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen.append(f"shortcut {message['status']}")

        async def framework(scope: Scope, receive: Receive, send: Send) -> None:
            body = b""
            for _ in bodies:
                body += (await receive())["body"]
            seen.append(f"framework {len(body)}")

        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": query.encode(),
            "headers": [(n.replace("_", "-").encode(), v.encode()) for n, v in headers.items()],
        }
        asyncio.run(Shortcut(framework, directory, b"[]")(scope, receive, send))
        return seen

    return ask


def test_what_is_common_takes_the_short_way(ask: Callable[..., list[str]]) -> None:
    body = IN_JSON.encode()
    posted = {"content_type": "application/json", "content_length": str(len(body))}
    assert ask("GET") == ["shortcut 200"]
    assert ask("GET", f"{HERE}&limit=3&at=2026-11-28T09:00:00Z&facilities=seat") == ["shortcut 200"]
    assert ask("GET", origin="https://elsewhere.test", cookie="a=b") == ["shortcut 200"]
    assert ask("POST", "", body, **posted) == ["shortcut 200"]


def test_what_is_not_is_left_to_the_framework_whole(ask: Callable[..., list[str]]) -> None:
    body = IN_JSON.encode()
    posted = {"content_type": "application/json", "content_length": str(len(body))}
    for method, query in (("GET", "lat=1"), ("GET", f"{HERE}&limit=0"), ("HEAD", HERE)):
        assert ask(method, query) == ["framework 0"]
    assert ask("GET", path="/v1/havens") == ["framework 0"]
    assert ask("GET", HERE, b"?", content_length="1") == ["framework 1"]
    assert ask("POST", "", body[:5], body[5:], **posted) == [f"framework {len(body)}"]
    assert ask("POST", "", body[:-1], **posted) == [f"framework {len(body) - 1}"]
    assert ask("POST", "", body, **posted | {"content_length": "99999"}) == ["framework 31"]
    assert ask("POST", "", body, **posted | {"content_length": "+31"}) == ["framework 31"]
    assert ask("POST", "", body, content_type="application/json") == ["framework 31"]
    assert ask("POST", "", body, content_length="31") == ["framework 31"]


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
