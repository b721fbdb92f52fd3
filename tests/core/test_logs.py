"""What a log's lines look like, and whose id a request has."""

import json
import logging
import re
import subprocess
import sys
from pathlib import Path

import pytest

from app.core.logs import JsonLines, TextLines, request_id
from tests.accounts import make_app
from tests.servers import serving

GIVEN = "0b8f2a5f6c8d4d0e9a53b6a1c2e4f708"


def record(message: str, *values: object) -> logging.LogRecord:
    return logging.LogRecord("app.x", logging.WARNING, "x.py", 1, message, values, None)


def test_a_line_of_json() -> None:
    line = JsonLines().format(record("%s\nhere \ud800", "there"))
    assert "\n" not in line
    said = json.loads(line)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", said.pop("time"))
    assert said == {"level": "warning", "logger": "app.x", "message": "there\nhere \ud800"}


def test_a_line_tells_the_request_if_there_is_one() -> None:
    assert TextLines().format(record("text")).endswith(" WARNING app.x: text")
    token = request_id.set(GIVEN)
    try:
        assert TextLines().format(record("text")).endswith(f": text (request {GIVEN})")
        assert json.loads(JsonLines().format(record("text")))["request_id"] == GIVEN
    finally:
        request_id.reset(token)


UNCAUGHT = """
import gc, sys, threading, warnings
from app.core import logs
logs.configure("info", sys.argv[1])
logs.take_what_nobody_catches()

def broken():
    raise ValueError("51.5137246813")

class Broken:
    def __del__(self):
        broken()

thread = threading.Thread(target=broken)
thread.start()
thread.join()
Broken()
gc.collect()
warnings.warn("not at home")
broken()
"""


@pytest.mark.parametrize("form", ["text", "json"])
def test_what_nobody_catches_is_logged_without_what_it_says(form: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", UNCAUGHT, form], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "51.51372" not in done.stderr
    for said in ("a thread ends", "passed over", "the process ends", "not at home"):
        assert said in done.stderr
    if form == "json":
        lines = [json.loads(line) for line in done.stderr.splitlines()]
        assert sum(line.get("exception", "").endswith("ValueError") for line in lines) == 3


@pytest.mark.parametrize(
    ("proxies", "sent", "is_taken"),
    [
        ("127.0.0.1", GIVEN, True),
        ("10.0.0.0/8 127.0.0.0/8", "0b8f2a5f-6c8d-4d0e-9a53-b6a1c2e4f708", True),
        ("127.0.0.1", "51.5137246813", False),
        ("127.0.0.1", GIVEN.upper(), False),
        ("127.0.0.1", GIVEN + "0", False),
        ("10.0.0.1", GIVEN, False),
        ("", GIVEN, False),
    ],
    ids=range(7),
)
def test_only_a_proxy_of_ours_gives_a_request_its_id(
    sqlite_url: str, tmp_path: Path, proxies: str, sent: str, is_taken: bool
) -> None:
    with serving(make_app(sqlite_url, tmp_path, trusted_proxies=proxies)) as client:
        answers = [client.get("/nowhere", headers={"X-Request-ID": sent}) for _ in range(2)]
    ids = [answer.json()["request_id"] for answer in answers]
    assert (ids == [sent, sent]) == is_taken
    assert (ids[0] == ids[1]) == is_taken
