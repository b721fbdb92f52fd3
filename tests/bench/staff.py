"""Time and weigh every page for those who sign in, in a register of ten years.

In one process, over HTTP, on SQLite and, where there is one, PostgreSQL; a page's weight is what
comes over the line, without the style that all of them share and that a browser keeps.
"""

import re
import tempfile
import time
from collections.abc import Iterator
from math import ceil
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import httpx
from fastapi import FastAPI, Request, Response
from rich.console import Console
from rich.table import Table

from app.accounts.models import Role
from app.web.staff.operations import Operation, Operations
from app.web.staff.visits import remember
from tests.accounts import make_app, signed_in
from tests.bench.register import fill
from tests.databases import each_kind
from tests.servers import serving, until

ROUNDS = 20
MOST_MS, MOST_KB = 300, 150

BY_HAND = (
    "/console",
    "/console/venues?text=EC2V",
    "/console/venues?text=The+Lantern+Arms+77",
    "/console/venues?training=lapsed&course=wave&status=active",
    "/console/outreach/figures?from=2025-01-01&until=2025-12-31",
    "/console/training/figures?from=2025-01-01&until=2025-12-31",
    "/console/scheme-tests/figures?from=2025-01-01&until=2025-12-31",
    "/console/bulk",
    "/console/bulk/venues/staged",
    "/console/due?read=yes",
    "/audit",
    "/audit/due?read=yes",
    "/audit/scheme-tests?read=yes",
    "/audit/scheme-tests/venues?read=yes",
    "/audit/venues/{venue_id}?read=yes",
    "/audit/trend/turn?month=2025-11&course=wave",
    "/audit/pack?quarter=2025-Q3",
    "/console/venues/{venue_id}/decisions/new?kind=assessed&scheme=safe_haven",
    "/console/venues/{venue_id}/decisions/new?kind=awarded&scheme=safe_haven",
    "/console/engagements/new?kind=visit&venue_id={venue_id}",
    "/console/training/sessions/new?venue_id={venue_id}",
    "/console/scheme-tests/new?venue_id={venue_id}",
)
"""Pages that the API's operations do not name, or that show nothing until more is asked."""


class Figure(NamedTuple):
    """How long a page took in 19 of 20 tries, and what it weighs."""

    ms: float
    kilobytes: float


def main() -> None:
    """Print one table of both databases."""
    with tempfile.TemporaryDirectory() as folder, each_kind(folder) as urls:
        measured = {
            name: measure(url, Path(folder) / name.lower(), fill(url)) for name, url in urls.items()
        }
    table = Table(title=f"Pages for staff: p95 of {ROUNDS} in ms, and kB")
    table.add_column("page", overflow="fold")
    for name in measured:
        table.add_column(name, justify="right")
        table.add_column("kB", justify="right")
    for address in next(iter(measured.values())):
        cells = []
        for figures in measured.values():
            one = figures[address]
            cells += [_judged(one.ms, MOST_MS), _judged(one.kilobytes, MOST_KB)]
        table.add_row(address, *cells)
    Console(width=130).print(table)


def _judged(figure: float, most: float) -> str:
    return f"{figure:.0f}" if figure <= most else f"[bold red]{figure:.0f}[/]"


def measure(url: str, folder: Path, busiest: dict[str, UUID]) -> dict[str, Figure]:
    """The figures of each page, by its address with what it is about in braces."""
    folder.mkdir(exist_ok=True)
    app = make_app(url, folder, environment="demo")
    token = signed_in(app, *Role)
    with serving(app) as client:
        until(lambda: client.get("/health/ready").is_success)
        client.cookies.update(_cookie(app, token["Authorization"].removeprefix("Bearer ")))
        client.timeout = httpx.Timeout(120)
        pack = {"quarter": "2025-Q1"}
        client.post("/v1/audit/packs", json=pack, headers=token).raise_for_status()
        return {
            page: _figure(client, page.format_map(known))
            for page, known in _pages(app, client, token, busiest)
        }


def _cookie(app: FastAPI, token: str) -> dict[str, str]:
    _, sign_in_id = app.state.tokens.read(token)
    answer = Response()
    remember(Request({"type": "http", "app": app}), answer, sign_in_id)
    name, _, value = answer.headers["set-cookie"].partition(";")[0].partition("=")
    return {name: value}


def _pages(
    app: FastAPI, client: httpx.Client, token: dict[str, str], busiest: dict[str, UUID]
) -> Iterator[tuple[str, dict[str, str]]]:
    """Every page, with the ids of what it is about: the busiest, else the first of each kind."""
    operations = Operations.of(app)
    lists = {one.path: one for one in operations.all if one.is_list}
    known = {key: str(id_) for key, id_ in busiest.items()}
    for page in BY_HAND:
        yield page, known
    for one in operations.all:
        places = re.findall(r"\{(\w+)\}", one.path)
        for place in places:
            if place not in known and (list_ := _list_of(one, place, lists)):
                items = client.get(list_, headers=token, params={"limit": 1}).json()["items"]
                if items:
                    known[place] = _id_of(items[0])
        if all(place in known for place in places):
            yield one.address, known


def _list_of(operation: Operation, place: str, lists: dict[str, Operation]) -> str:
    before = operation.path.partition(f"/{{{place}}}")[0]
    return before if before in lists else ""


def _id_of(item: dict[str, str]) -> str:
    return str(item.get("id") or item.get("number") or item.get("key"))


def _figure(client: httpx.Client, address: str) -> Figure:
    times = []
    size = 0
    for _ in range(ROUNDS + 1):
        began = time.perf_counter()
        with client.stream("GET", address) as answer:
            size = sum(map(len, answer.iter_raw()))
        times.append((time.perf_counter() - began) * 1000)
        assert answer.status_code < 500, address
        if times[-1] > 10 * MOST_MS:
            break
    times = sorted(times[1:] or times)
    return Figure(times[ceil(len(times) * 0.95) - 1], size / 1000)
