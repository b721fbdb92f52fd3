"""Whatever is sent, the answer is JSON that says what is wrong with it and repeats none of it."""

import gzip
import json
import re
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote_to_bytes

import httpx
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

from app.venues.kinds import Facility
from tests.factories import utc
from tests.servers import PATIENCE_SECONDS, add_venue, serving_directory

NOW = utc("2027-01-15T22:10")
NEAREST = "/v1/havens/nearest"
NOBODY = "44f7f96c-8ecc-4579-9680-5ef616ec90ac"
HERE = "lat=51.5137246813&lon=-0.0981357913"
BODY = '"lat": 51.5137246813, "lon": -0.0981357913'
JSON = {"Content-Type": "application/json"}
UNKNOWN = "(unknown)"
"""What stands for a name that could hold data."""


@pytest.fixture(scope="module")
def client(
    tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path
) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("bad_input")
    url = f"sqlite:///{shutil.copyfile(sqlite_template, folder / 'havens.sqlite')}"
    add_venue(url, facilities=[Facility.WATER, Facility.SEAT])
    with serving_directory(folder / "data", url, lambda: NOW) as client:
        yield client


def refusal(response: httpx.Response, sent: str | bytes = b"", status: int = 422) -> set[str]:
    """The fields named by a problem that is as it should be and repeats nothing that was sent."""
    assert (response.status_code, response.headers["Content-Type"]) == (
        status,
        "application/problem+json",
    )
    assert response.headers["Cache-Control"] == "no-store"
    problem = response.json()
    assert problem.keys() <= {"type", "title", "status", "errors", "request_id"}
    assert re.fullmatch("[0-9a-f]{32}", problem["request_id"])
    assert problem["type"].startswith("urn:safe-havens:problem:")
    assert problem["status"] == status
    fields = [error["field"] for error in problem.get("errors", [])]
    assert len(fields) == len(set(fields)), "one entry for each field"
    heard = response.content + b"".join(part for pair in response.headers.raw for part in pair)
    sent = sent.encode("utf-8", "surrogatepass") if isinstance(sent, str) else sent
    values = re.findall(rb"[^][{}:,&=?/\"\s]{4,}", sent + b"\n" + unquote_to_bytes(sent))
    ours = {word.encode() for word in (*fields, *Facility, "null", "havens")}
    for value in {*values, b"137246813", b"981357913"} - ours:
        assert value not in heard
    return set(fields)


# --- in an address ---------------------------------------------------------------------------

NOT_NUMBERS = [
    *("nan", "NaN", "inf", "-inf", "Infinity", "1e999", "-1e999"),
    *("", "%20", "+", "abcde", "51,5137246813", "51.5137N", "0x33", "5_1.5", "%2051.5", "51.5%20"),
    *("--51.5", "51.5.137", "1e", "e5", ".", "%D9%A5%D9%A1", "%EF%BC%95%EF%BC%91", "%00", "51%00"),
    *("%", "%zz", "%5", "[51.5]", '{"lat":51.5137}', "true", "None", "null", "1+1", "9" * 5000),
]
NOT_INSTANTS = [
    *("2027-01-15T22:10:00", "2027-01-15", "23:30Z", "now", "tomorrow", "%00", "Z"),
    *("1800051000", "1800051000.5", "1e9", "-1", "nan", "NaT"),
    *("2027-01-15T22:10:00+00", "2027-01-15T22:10:00%2B99:00", "2027-02-30T00:00:00Z"),
    *("2027-01-15%2022:10:00", "2027-01-15T22:10:60Z", "2027-01-15T22:10:00Z%00"),
    *("2027-01-15T22:10:00.Z", "2027-01-15T22:10:00%2B00:75", "20270115T221000Z"),
    *("2027-01-15T24:10:00Z", "2027-13-01T00:00:00Z", "15/01/2027%2022:10", "%ED%A0%80"),
    *("2027-01-15T22:04:59Z", "2027-01-22T22:10:01Z", "2027-01-23T22:10:00Z"),
    *("9999-12-31T23:59:59Z", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00%2B14:00"),
    *("99999-01-01T00:00:00Z", "2027-01-15T22:10:00Z" * 300),
]
QUERIES = [
    *[(f"lat={bad}&lon=-0.0981357913", {"lat"}) for bad in [*NOT_NUMBERS, "90.0000001", "-91"]],
    *[(f"lat=51.5137246813&lon={bad}", {"lon"}) for bad in ["nan", "1e999", "180.0000001", "-181"]],
    ("lat=nan&lon=inf", {"lat", "lon"}),
    ("", {"lat", "lon"}),
    ("lat&lon", {"lat", "lon"}),
    ("lat=51.5137246813", {"lon"}),
    ("lon=-0.0981357913", {"lat"}),
    ("lon=-0.0981357913;lat=51.5137246813", {"lat", "lon"}),
    *[
        (f"{HERE}&limit={bad}", {"limit"})
        for bad in ["0", "51", "-1", "1.5", "5.01", "5%20", "1_0", "1e1", "five", "9" * 5000]
    ],
    *[(f"{HERE}&at={bad}", {"at"}) for bad in NOT_INSTANTS],
    *[
        (f"{HERE}&facilities={bad}", {"facilities"})
        for bad in ["sauna", "SEAT", "water,sauna", "water,,seat", "water;seat", "water%00"]
    ],
    *[(f"{HERE}&step_free={bad}", {"step_free"}) for bad in ["maybe", "2", "null", "yes,no"]],
    *[
        (f"{HERE}&max_distance_m={bad}", {"max_distance_m"})
        for bad in ["0", "-0", "-1", "nan", "inf", "1e999", "1km", "1e-999"]
    ],
    (f"{HERE}&lat=51.5137246813", {"lat"}),
    (f"{HERE}&{HERE}", {"lat", "lon"}),
    (f"{HERE}&facilities=water&facilities=seat", {"facilities"}),
    (f"{HERE}&l%61t=51.5", {"lat"}),
    (f"{HERE}&LAT=51.5137", {"LAT"}),
    (f"{HERE}&__=1&_a=1", {"__", "_a"}),
    (f"{HERE}&lng=-0.0981357913&latitude=51.5137246813", {"lng", "latitude"}),
    (f"{HERE}&51.5137246813=-0.0981357913", {UNKNOWN}),
    (f"{HERE}&51.5137246813,-0.0981357913", {UNKNOWN}),
    (f"{HERE}&5137246813&0981&1357913", {UNKNOWN}),
    (f"{HERE}&lat[0]=51.5137", {UNKNOWN}),
    (f"{HERE}&{'x' * 41}=1", {UNKNOWN}),
    (f"{HERE}&=51.5137246813", {UNKNOWN}),
    (f"{HERE}&%zz=51.5137246813", {UNKNOWN}),
    (f"{HERE}&%00=51.5137246813", {UNKNOWN}),
    (f"{HERE}&%ff=51.5137246813", {UNKNOWN}),
    (f"{HERE}&at=%ff51.5137246813", {"at"}),
    ("lat=%ff&lon=%ff", {"lat"}),
    (quote('{"lat": 51.5137246813}'), {UNKNOWN, "lat", "lon"}),
    ("&".join(["lat=51.5137246813"] * 400), {"lat"}),
    ("lat=" + "51.5137246813" * 600, {"lat", "lon"}),
]


def named(value: str | bytes | set[str]) -> str:
    """A parameter's name, the same in every process."""
    return str(sorted(value) if isinstance(value, set) else value)[:60]


@pytest.mark.parametrize(("query", "fields"), QUERIES, ids=named)
def test_query(client: httpx.Client, query: str, fields: set[str]) -> None:
    # As it is: httpx would tidy up what it is given.
    target = {"target": f"{NEAREST}?{query}".encode()}
    assert refusal(client.get(NEAREST, extensions=target), query) == fields


# --- in a body -------------------------------------------------------------------------------

BODIES: list[tuple[str | bytes, set[str]]] = [
    *[
        (f'{{"lat": {bad}, "lon": -0.0981357913}}', {"lat"})
        for bad in [
            *(
                "NaN",
                "Infinity",
                "-Infinity",
                "1e999",
                "-1e999",
                "90.0000001",
                "-91",
                "1" + "0" * 400,
            ),
            *('"51.5137246813"', '"nan"', '""', "true", "false", "null", "[51.5137246813]", "[]"),
            *('{"lat": 51.5137246813}', "{}", r'"\ud800"', r'"\u0000"'),
        ]
    ],
    *[
        (f'{{{BODY}, "limit": {bad}}}', {"limit"})
        for bad in ["0", "51", "-1", "1.5", '"5"', "true", "[5]", "NaN", "1e999", "1" + "0" * 4000]
    ],
    *[
        (f'{{{BODY}, "at": {bad}}}', {"at"})
        for bad in [
            *("1800051000", "1800051000.5", "true", "[]", "{}", "NaN", '""', r'"\ud800"'),
            *('"2027-01-15T22:10:00"', '"2027-01-15T22:04:59Z"', '"2027-01-23T22:10:00Z"'),
            *('"9999-12-31T23:59:59-14:00"', '["2027-01-15T22:09:00Z"]', r'"2027-01-15\u0000"'),
        ]
    ],
    *[
        (f'{{{BODY}, "facilities": {bad}}}', {"facilities"})
        for bad in [
            *('"sauna"', '""', '["sauna"]', '["water", 1]', '[["water"]]', '[{"water": 1}]'),
            *("1", "true", '{"water": true}', r'["\ud800"]', '["water", null]'),
        ]
    ],
    *[
        (f'{{{BODY}, "step_free": {bad}}}', {"step_free"})
        for bad in ['"true"', "1", "0", "[true]", '"maybe"']
    ],
    *[
        (f'{{{BODY}, "max_distance_m": {bad}}}', {"max_distance_m"})
        for bad in ["0", "-0.0", "-1", "NaN", "1e999", '"1500"', "true", "1" + "0" * 400]
    ],
    ("{}", {"lat", "lon"}),
    ('{"lat": 51.5137246813}', {"lon"}),
    (b'{"at": "\xed\xa0\x80"}', {"lat", "lon", "at"}),
    (f'{{{BODY}, "lat": 51.5137246813}}', {"lat"}),
    (f"{{{BODY}, {BODY}}}", {"lat", "lon"}),
    (f'{{{BODY}, "l\\u0061t": 51.5137246813}}', {"lat"}),
    (f'{{{BODY}, "lng": -0.0981357913}}', {"lng"}),
    (f'{{{BODY}, "lng": null}}', {"lng"}),
    (f'{{{BODY}, "limit": null, "limit": null}}', {"limit"}),
    (f'{{{BODY}, "51.5137246813": 1, "0981357913": 2}}', {UNKNOWN}),
    (f'{{{BODY}, "51.5137246813, -0.0981357913": NaN}}', {UNKNOWN}),
    (f'{{{BODY}, "\\u0000": 1}}', {UNKNOWN}),
    (f'{{{BODY}, "\\ud800": 1}}', {"body"}),
    (f'{{{BODY}, "": 1}}', {UNKNOWN}),
    (f'{{{BODY}, "nested": {{"lat": 51.5137246813, "lat": 51.5137246813}}}}', {"nested"}),
    (f'{{"position": {{{BODY}}}}}', {"position", "lat", "lon"}),
    *[
        (bad, {"body"})
        for bad in [
            *(b"", b" ", b"lat=51.5137246813&lon=-0.0981357913", b"{51.5137246813}", b"\x00" * 50),
            *(b"\xff\xfe", b'{"lat": 51.5137246813, "\xff": 1}'),
            *(f"{{{BODY}".encode(), f"{{{BODY}}} {{{BODY}}}".encode(), b'{"lat": 1' + b"0" * 5000),
            *(b"[" * 60_000, b'{"lat":' * 9_000, b"[" * 30_000 + b"]" * 30_000),
            *(b"null", b"true", b"51.5137246813", b'"51.5137246813"', f"[{{{BODY}}}]".encode()),
        ]
    ],
]


@pytest.mark.parametrize(("body", "fields"), BODIES, ids=named)
def test_body(client: httpx.Client, body: str | bytes, fields: set[str]) -> None:
    assert refusal(client.post(NEAREST, content=body, headers=JSON), body) == fields


@pytest.mark.parametrize(
    "content_type",
    [
        *(None, "", "text/plain", "text/json", "application/jsonp", "application/x-ndjson"),
        *("application/x-www-form-urlencoded", "multipart/form-data; boundary=51.5137246813"),
        *("application/geo+json", "application/problem+json", "*/*", "51.5137246813"),
    ],
)
def test_body_of_another_type(client: httpx.Client, content_type: str | None) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}
    response = client.post(NEAREST, content=f"{{{BODY}}}", headers=headers)
    assert refusal(response, status=415) == {"Content-Type"}


@pytest.mark.parametrize("coding", ["gzip", "br", "identity, gzip", "51.5137246813"])
@pytest.mark.parametrize("path", [NEAREST, f"/v1/havens/{NOBODY}/problem-reports"])
def test_body_that_is_compressed(client: httpx.Client, path: str, coding: str) -> None:
    headers = JSON | {"Content-Encoding": coding}
    response = client.post(path, content=gzip.compress(f"{{{BODY}}}".encode()), headers=headers)
    assert refusal(response, status=415) == {"Content-Encoding"}
    assert response.headers["Accept-Encoding"] == "identity"
    plain = client.post(NEAREST, content=f"{{{BODY}}}", headers=JSON | {"Content-Encoding": ""})
    assert plain.status_code == 200


@pytest.mark.parametrize("path", [NEAREST, f"/v1/havens/{NOBODY}/problem-reports"])
@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"comment": "\xff"}', "is not UTF-8"),
        ('{"comment": "caf\u00e9"}'.encode("latin-1"), "is not UTF-8"),
        (b"\xff\xfe{", "is not UTF-8"),
        (b'{"comment": "x', "is not valid JSON"),
        (b"[" * 50_000, ""),
    ],
)
def test_body_in_no_text_or_no_json(
    client: httpx.Client, path: str, body: bytes, message: str
) -> None:
    response = client.post(path, content=body, headers=JSON)
    assert refusal(response, body) == {"body"}
    assert message in response.json()["errors"][0]["message"]


def test_report_with_nothing_said(client: httpx.Client) -> None:
    path = f"/v1/havens/{NOBODY}/problem-reports"
    # A comment that is null is as if left out, so nothing is wrong but the address.
    answer = client.post(path, json={"kind": "closed", "comment": None})
    assert refusal(answer, status=404) == set()
    assert refusal(client.post(path, json={"kind": None})) == {"kind"}
    assert refusal(client.post(path, content='{"kind": "closed"}')) == {"body"}


@pytest.mark.parametrize("coding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_body_in_another_unicode(client: httpx.Client, coding: str) -> None:
    response = client.post(NEAREST, content=f"{{{BODY}}}".encode(coding), headers=JSON)
    assert response.status_code == 200


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", [NEAREST, "/v1/help", "/nowhere"])
def test_body_of_ten_megabytes_with_its_length(
    client: httpx.Client, method: str, path: str
) -> None:
    body = b"51.5137246813 " * 730_000
    response = client.request(method, path, content=body, headers=JSON)
    assert refusal(response, status=413) == {"body"}


@pytest.mark.parametrize("piece", [b"[" * 1000, b" " * 1000, b"51.5137246813" * 80])
def test_body_of_ten_megabytes_in_pieces(client: httpx.Client, piece: bytes) -> None:
    response = client.post(NEAREST, content=iter([piece] * 10_000), headers=JSON)
    assert refusal(response, status=413) == {"body"}


def test_a_hundred_thousand_brackets(client: httpx.Client) -> None:
    response = client.post(NEAREST, content=b"[" * 100_000, headers=JSON)
    assert refusal(response, status=413) == {"body"}


def test_the_longest_body_that_is_read(client: httpx.Client) -> None:
    body = f"{{{BODY}}}"
    fits, too_long = (body + " " * (limit - len(body)) for limit in (64 * 1024, 64 * 1024 + 1))
    assert client.post(NEAREST, content=fits, headers=JSON).status_code == 200
    assert refusal(client.post(NEAREST, content=too_long, headers=JSON), status=413) == {"body"}


# --- addresses and methods -------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        *("/v1", "/v2/havens", "/v1/havens//", "/v1/havens//nearest", "/v1//havens", "/v1/HELP"),
        *(
            "/health",
            "//",
            "/v1/havens/nearest/51.5137246813",
            "/51.5137246813,-0.09813",
        ),
        *("/v1/../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/%00", "/%ff", "/%zz", "/%ED%A0%80"),
        *("//evil.example/%2f..", "/v1/help%20", "/" + "51.5137246813" * 500),
        *(f"/v1/havens/{NOBODY}", f"/v1/havens/{NOBODY}/", f"/v1/havens/{NOBODY}?{HERE}"),
    ],
    ids=lambda path: path[:60],
)
def test_no_such_address(client: httpx.Client, path: str) -> None:
    response = client.get("/", extensions={"target": path.encode()})
    assert refusal(response, path, status=404) == set()


@pytest.mark.parametrize(
    "name",
    [
        *("51.5137246813", "51.5137246813,-0.0981357913", "NaN", "%00", "%ff", "%zz", "5137"),
        *("nearest51", "0" * 31, "0" * 33, "g" * 32, "9" * 5000, "%ED%A0%80", "null", "-1"),
    ],
    ids=lambda name: name[:60],
)
def test_no_such_id(client: httpx.Client, name: str) -> None:
    path = f"/v1/havens/{name}"
    assert refusal(client.get("/", extensions={"target": path.encode()}), name) == {"haven_id"}


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        (NEAREST, "GET, HEAD, POST"),
        ("/v1/havens", "GET, HEAD"),
        (f"/v1/havens/{NOBODY}", "GET, HEAD"),
        (f"/v1/havens/{NOBODY}/problem-reports", "POST"),
        ("/v1/help/", "GET, HEAD"),
        ("/health/live", "GET, HEAD"),
        ("/health/ready", "GET, HEAD"),
        ("/metrics", "GET, HEAD"),
    ],
)
@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"])
def test_wrong_method(client: httpx.Client, path: str, allowed: str, method: str) -> None:
    response = client.request(method, f"{path}?{HERE}")
    assert refusal(response, status=405) == set()
    assert response.headers["Allow"] == allowed


@pytest.mark.parametrize("asked", ["PUT", "51.5137246813"])
def test_refused_preflight_repeats_nothing(client: httpx.Client, asked: str) -> None:
    headers = {"Access-Control-Request-Method": asked, "Access-Control-Request-Headers": asked}
    response = client.options(NEAREST, headers={"Origin": "https://51.5137246813.test", **headers})
    assert response.status_code == 400
    assert "5137246813" not in response.text + str(response.headers)


@pytest.mark.parametrize(
    "sent",
    [
        b"51.5137246813,-0.0981357913\r\n\r\n",
        b"\x00" * 1000,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"51.5137246813",
        b"FIND51.5137246813 /v1/help HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /v1/havens/nearest?lat=\xff51.5137246813&lon=0 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /\xe2\x82\xac51.5137246813 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /v1/help HTTP/9.51.5137246813\r\nHost: a\r\n\r\n",
        b"GET /v1/help HTTP/1.1\r\n51.5137246813\r\n\r\n",
        b"GET /v1/help HTTP/1.1\r\nHost: a\r\nX: 51.5137246813\x00\r\n\r\n",
        b"CONNECT 51.5137246813:1 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST /v1/havens/nearest HTTP/1.1\r\nHost: a\r\nContent-Length: 51.5137246813\r\n\r\n",
        b"POST /v1/havens/nearest HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n51.5137246813",
        b"POST /v1/help HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n51.5137246813\r\n",
    ],
    ids=lambda sent: str(sent[:40]),
)
def test_what_is_not_http_is_refused_in_plain_words(client: httpx.Client, sent: bytes) -> None:
    with socket.create_connection(
        ("127.0.0.1", client.base_url.port or 0), timeout=PATIENCE_SECONDS
    ) as raw:
        raw.sendall(sent)
        heard = b"".join(iter(lambda: raw.recv(65536), b""))
    assert heard.startswith(b"HTTP/1.1 400 ")
    assert b"5137246813" not in heard


# --- anything at all -------------------------------------------------------------------------

NAMES = st.sampled_from(["lat", "lon", "limit", "at", "facilities", "step_free", "max_distance_m"])
VALUES = st.one_of(
    st.text(),
    st.floats().map(repr),
    st.integers().map(str),
    st.datetimes(timezones=st.timezones()).map(lambda moment: moment.isoformat()),
    st.sampled_from([*Facility, "true", "false", "2027-01-15T22:11:00Z", "51.5", "-0.1"]),
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | VALUES
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner) | st.dictionaries(NAMES | st.text(), inner), max_leaves=8
)


def acceptable(response: httpx.Response) -> Any:
    assert response.status_code == 200 or 400 <= response.status_code < 500, response.text
    assert response.headers["Content-Type"] in ("application/json", "application/problem+json")
    return response.json()


@hypothesis(max_examples=150)
@given(pairs=st.lists(st.tuples(NAMES | st.text(), VALUES), max_size=8))
def test_any_parameters(client: httpx.Client, pairs: list[tuple[str, str]]) -> None:
    encoded = [[quote(side.encode("utf-8", "surrogatepass")) for side in pair] for pair in pairs]
    query = "&".join(map("=".join, encoded))
    acceptable(client.get(NEAREST, extensions={"target": f"{NEAREST}?{query}".encode()}))


@hypothesis(max_examples=100)
@given(query=st.binary(max_size=200))
def test_any_query(client: httpx.Client, query: bytes) -> None:
    plain = bytes(byte for byte in query if 0x20 < byte < 0x7F and byte != ord("#"))
    for sent in (quote(query).encode(), plain):
        acceptable(client.get(NEAREST, extensions={"target": NEAREST.encode() + b"?" + sent}))


@hypothesis(max_examples=100)
@given(body=st.binary(max_size=300))
def test_any_body(client: httpx.Client, body: bytes) -> None:
    acceptable(client.post(NEAREST, content=body, headers=JSON))


@hypothesis(max_examples=200)
@given(document=TREES | st.dictionaries(NAMES, TREES) | st.dictionaries(NAMES, LEAVES))
def test_any_json(client: httpx.Client, document: Any) -> None:
    acceptable(client.post(NEAREST, content=json.dumps(document), headers=JSON))


@hypothesis(max_examples=100)
@given(
    st.dictionaries(
        st.sampled_from(["Accept", "Accept-Encoding", "If-None-Match", "Content-Type", "Origin"]),
        st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E)).map(str.strip),
    )
)
def test_any_headers(client: httpx.Client, headers: dict[str, str]) -> None:
    for method, path in [("GET", "/v1/havens"), ("GET", NEAREST), ("POST", NEAREST)]:
        response = client.request(method, path, headers=headers)
        assert response.status_code < 500
        if response.status_code != 304:
            assert "json" in response.headers["Content-Type"]


# --- and what is good stays good -------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    [
        *("lat=90&lon=-180", "lat=-90&lon=180", "lat=0&lon=0", "lat=-0&lon=-0.0", "lat=.5&lon=1."),
        *("lat=%2B51.5&lon=-1e-1", "lon=-0.0981&lat=51.5137", "&&lat=51.5&&lon=-0.1&"),
        *(f"{HERE}&limit=1", f"{HERE}&limit=50", f"{HERE}&limit=05", f"{HERE}&limit=5.0"),
        *(f"{HERE}&facilities=&at=&max_distance_m=&limit=&step_free=", f"_&{HERE}&_=1800051000"),
        *(f"{HERE}&at=2027-01-15t22:10:00z", f"{HERE}&at=2027-01-15%2022:10:00.1Z"),
        *(f"{HERE}&at=2027-01-16T03:40:00+05:30", f"{HERE}&at=2027-01-15T22:59:60.5Z"),
        *(f"{HERE}&at=2027-01-15T22:10:00.123456789012-00:00", f"{HERE}&at=2027-01-15T22:10Z"),
        *(f"{HERE}&at=2027-01-15T22:10:00Z", f"{HERE}&at=2027-01-15T22:05:00Z"),
        *(f"{HERE}&at=2027-01-22T22:10:00Z", f"{HERE}&at=2027-01-15T23:10:00%2B01:00"),
        *(f"{HERE}&at=2027-01-15T17:10:00.123-05:00", f"{HERE}&facilities=water"),
        *(f"{HERE}&facilities=seat,water,seat", f"{HERE}&facilities=seat%2Cwater"),
        *(f"{HERE}&step_free=true", f"{HERE}&step_free=false", f"{HERE}&step_free=1"),
        *(f"{HERE}&max_distance_m=0.1", f"{HERE}&max_distance_m=1e300"),
    ],
)
def test_valid_query(client: httpx.Client, query: str) -> None:
    response = client.get(NEAREST, extensions={"target": f"{NEAREST}?{query}".encode()})
    assert response.status_code == 200, response.text
    assert response.json()["help"]


@pytest.mark.parametrize(
    "more",
    [
        *("", '"limit": 50', '"facilities": []', '"facilities": ["water", "seat"]'),
        *('"facilities": "water,seat"', '"step_free": true', '"max_distance_m": 1500'),
        *('"at": "2027-01-15T22:10:00Z"', '"at": "2027-01-15T23:10:00+01:00"'),
        *('"at": "2027-01-15t22:10:00.123456789z"', '"at": "2027-01-15T22:59:60Z"'),
        *('"limit": 5.0', '"limit": 5e0', '"limit": 5, "at": null, "facilities": null'),
        '"step_free": null, "max_distance_m": null',
    ],
)
def test_valid_body(client: httpx.Client, more: str) -> None:
    body = f"{{{BODY}{', ' * bool(more)}{more}}}"
    for content_type in ("application/json", "Application/JSON; charset=utf-8"):
        response = client.post(NEAREST, content=body, headers={"Content-Type": content_type})
        assert response.status_code == 200, response.text
