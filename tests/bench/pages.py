"""The finder on an old phone with one bar of signal: how soon it is of use, and what it weighs.

The demonstration, served as it is for real, in Chromium with a processor four times slower than
this machine's, behind a line that is as slow as the phone's and counts what goes over it, headers
and the worker's own requests included. Making a connection costs nothing extra, as in Chromium's
own emulation of a slow network.
"""

import sqlite3
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePath
from statistics import median

import httpx
from playwright.sync_api import BrowserContext, Geolocation, Page, sync_playwright

from tests.bench.report import say, table
from tests.bench.servers import Server, ours
from tests.bench.slow_line import BYTES_A_SECOND, ROUND_TRIP_SECONDS, Line, slow_line
from tests.browsers import ARGUMENTS, NO_CHROMIUM, find_chromium

RUNS = 5
SLOWER = 4
QUIET_SECONDS = 3
"""After so long without a byte, which is several round trips, nothing more is coming."""
IDLE_MS = 1000
"""In which a browser ends what it has to do for the page before, and for an empty one."""
BANK: Geolocation = {"latitude": 51.5133, "longitude": -0.0886}

WANTED = {
    "button usable, s": 1.2,
    "directory ready, s": 2.2,
    "first visit, all that is kept offline, kB": 75,
    "second visit within the hour, kB": 5,
    "a visit when the list has changed, kB": 15,
    "offline start until the answer, s": 0.5,
}

# Notes when the door, which can be pressed by then, and the answer were on the screen, by the
# browser's own account of its frames. Where `press` is true, the door is pressed once it can be.
_WATCH = """
{
  const mark = (part, name) => part && part.setAttribute("elementtiming", name);
  const listen = EventTarget.prototype.addEventListener;
  EventTarget.prototype.addEventListener = function (kind, ...rest) {
    listen.call(this, kind, ...rest);
    if (kind !== "click" || !this.matches || !this.matches(".sh-door")) return;
    mark(this.querySelector("span"), "button");
    if (%(press)s) setTimeout(() => this.click());
  };
  new MutationObserver(() => {
    if (document.documentElement.dataset.directory) noted("directory " + performance.now());
    if (!document.getElementById("answer").hidden) {
      mark(document.querySelector("#answer h1, #answer h2"), "answer");
    }
  }).observe(document, { attributeFilter: ["data-directory", "hidden"], subtree: true });
  new PerformanceObserver((painted) => {
    for (const { identifier, renderTime } of painted.getEntries()) {
      noted(identifier + " " + renderTime);
    }
  }).observe({ type: "element", buffered: true });
}
"""


BARE = "button of a bare page, s"
BARE_OFFLINE = "offline start of a bare page, s"
"""What this machine and this line leave to any page with a style, a script and a worker of its own,
which has a button that shows a word."""
_BARE_FILES = {
    "/": b"<!DOCTYPE html><title>Bare</title><link rel=stylesheet href=/bare.css>"
    b"<script src=/bare.js defer></script><body><div id=answer hidden><h1>Here</h1></div></body>",
    "/bare.css": b".sh-door { padding: 9em; } span { display: block; }",
    "/bare.js": b"const door = document.createElement('button'); door.className = 'sh-door';"
    b"door.innerHTML = '<span>Door</span>'; document.body.append(door);"
    b"door.addEventListener('click', () => { document.getElementById('answer').hidden = false; });"
    b"navigator.serviceWorker.register('/worker.js');",
    "/worker.js": b"self.addEventListener('install', (event) => event.waitUntil(caches.open('bare')"
    b".then((kept) => kept.addAll(['/', '/bare.css', '/bare.js']))));"
    b"self.addEventListener('fetch', (event) => event.respondWith(caches.match(event.request)"
    b".then((found) => found || fetch(event.request))));",
}
_TYPES = {"": "text/html", ".css": "text/css", ".js": "text/javascript"}

Figures = defaultdict[str, list[float]]


def main() -> None:
    """Print each figure beside what is wanted, and what a first visit is made of."""
    chromium = find_chromium()
    if chromium is None:
        sys.exit(NO_CHROMIUM)
    figures: Figures = defaultdict(list)
    fetched: Figures = defaultdict(list)
    with (
        tempfile.TemporaryDirectory(prefix="havens-bench-") as folder,
        ours(Path(folder)) as server,
        sync_playwright() as playwright,
    ):
        listed = len(httpx.get(f"{server.url}/v1/havens").json()["havens"])
        for _ in range(RUNS):
            browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
            context = browser.new_context(
                viewport={"width": 360, "height": 780},
                geolocation=BANK,
                permissions=["geolocation"],
            )
            _visit(context, server, Path(folder), figures, fetched)
            browser.close()
    table(
        f"The finder with {listed} havens, at {BYTES_A_SECOND * 8 / 1000:.0f} kbit/s, "
        f"{ROUND_TRIP_SECONDS * 1000:.0f} ms there and back, processor ÷ {SLOWER}; {RUNS} runs",
        ("", "wanted", "median", "least", "most", "met"),
        [
            *((name, "", *_three(figures[name]), "") for name in (BARE, BARE_OFFLINE)),
            *(_row(name, wanted, figures[name]) for name, wanted in WANTED.items()),
        ],
    )
    table(
        "What a first visit fetches",
        ("", "times", "kB"),
        [
            (path, f"{len(sizes) / RUNS:g}", f"{sum(sizes) / RUNS / 1000:.1f}")
            for path, sizes in fetched.items()
        ],
    )
    say("kB: a thousand bytes to the phone, as they went over the line, headers included.")


def _row(name: str, wanted: float, values: list[float]) -> tuple[str, ...]:
    met = "yes" if median(values) <= wanted else "no"
    return (name, f"{wanted:g}", *_three(values), met)


def _three(values: list[float]) -> list[str]:
    return [f"{value:.2f}" for value in (median(values), min(values), max(values))]


class _Bare(BaseHTTPRequestHandler):
    """A page that is nothing but a button, for comparison."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = _BARE_FILES.get(self.path)
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Type", _TYPES.get(PurePath(self.path).suffix, "text/plain"))
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def _bare_page() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Bare)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _visit(
    context: BrowserContext, server: Server, folder: Path, figures: Figures, fetched: Figures
) -> None:
    """The first visit, a second one, one after a change of the list, and one without a line."""
    with _bare_page() as port, slow_line(port) as line, _opened(context, line) as visit:
        figures[BARE].append(visit.seen("button"))
        _until_quiet(line)
        _stop_workers(context, visit.page)
    with _opened(context, line, press=True) as visit:
        figures[BARE_OFFLINE].append(visit.seen("answer"))
    with slow_line(server.port) as line:
        with _opened(context, line) as visit:
            figures["button usable, s"].append(visit.seen("button"))
            figures["directory ready, s"].append(visit.seen("directory"))
            _until_quiet(line)
            first = line.received
            figures["first visit, all that is kept offline, kB"].append(first / 1000)
            for answer in line.answers:
                fetched[answer.path].append(answer.size)

        with _opened(context, line):
            _until_quiet(line)
            second = line.received
            figures["second visit within the hour, kB"].append((second - first) / 1000)

        _change(server, folder)
        with _opened(context, line) as visit:
            _until_quiet(line)
            figures["a visit when the list has changed, kB"].append((line.received - second) / 1000)
            _stop_workers(context, visit.page)
    with _opened(context, line, press=True) as visit:
        figures["offline start until the answer, s"].append(visit.seen("answer"))


def _stop_workers(context: BrowserContext, page: Page) -> None:
    """As on a phone that has not been here for a while: it must start the worker."""
    devtools = context.new_cdp_session(page)
    devtools.send("ServiceWorker.enable")
    devtools.send("ServiceWorker.stopAllWorkers")


@dataclass(frozen=True)
class _Visit:
    """A page that tells when it shows what."""

    page: Page
    told: dict[str, float]
    """Milliseconds from the beginning of the visit."""

    def seen(self, what: str) -> float:
        """Seconds from the beginning of the visit until it was there."""
        # The page tells it by itself: asked again and again, it would be slower.
        while what not in self.told:
            self.page.wait_for_timeout(100)
        return self.told[what] / 1000


@contextmanager
def _opened(context: BrowserContext, line: Line, *, press: bool = False) -> Iterator[_Visit]:
    """The finder, on a phone that presses the door as soon as it can or leaves it alone, and that
    has nothing else to do."""
    page = context.new_page()
    told: dict[str, float] = {}

    def hear(call: dict[str, str]) -> None:
        what, _, at = call["payload"].partition(" ")
        told.setdefault(what, float(at))

    devtools = context.new_cdp_session(page)
    devtools.on("Runtime.bindingCalled", hear)
    devtools.send("Runtime.enable")
    devtools.send("Runtime.addBinding", {"name": "noted"})
    devtools.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
    page.add_init_script(_WATCH % {"press": "true" if press else "false"})
    page.wait_for_timeout(IDLE_MS)
    page.goto(f"{line.url}/", wait_until="commit")
    yield _Visit(page, told)
    page.close()


def _until_quiet(line: Line) -> None:
    received, since = -1, time.monotonic()
    while time.monotonic() - since < QUIET_SECONDS:
        if line.received != received:
            received, since = line.received, time.monotonic()
        time.sleep(0.1)


def _change(server: Server, folder: Path) -> None:
    """Rename a venue, and wait until the list has it."""
    asked = f"{server.url}/v1/havens"
    before = httpx.get(asked).headers["etag"]
    database = sqlite3.connect(folder / "havens.sqlite", isolation_level=None, timeout=10)
    with closing(database) as connection:
        connection.execute("UPDATE venue SET name = name || '!' WHERE reference = 'DEMO-001'")
    while httpx.get(asked).headers["etag"] == before:
        time.sleep(0.1)
