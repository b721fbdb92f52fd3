"""Ours and other ways to answer "the five nearest open now", each beside the two fixed routes.

Every server is real, with one worker and 32 connections, and answers with the same fields of the
same venues; that they answer the same venues is looked at before anything is timed.
"""

import random
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any
from uuid import UUID

import numpy as np
import orjson

from app.core.places import EARTH_RADIUS_M
from tests.bench.load import (
    ASK,
    CONNECTIONS,
    Run,
    drive,
    middle,
    need_wrk,
    processor_ratio,
    ratio,
)
from tests.bench.peers.stores import (
    PYTHON,
    Steady,
    Store,
    fill_ours,
    havens,
    postgis,
    redis,
    steady_hours,
)
from tests.bench.report import say, table
from tests.bench.servers import QUESTION, Server, get, ours, pss_mb, references, started, uvicorn
from tests.bench.venues import LAT, LON, made_up

SIZES = (60, 60_000)
ROUNDS, SECONDS = 5, 2
MOST_TO_A = 1.6
"""So many times the processor's time of the bare server is wanted for an answer at most."""
PLACES = 60
TELLABLE_M = 2.0
"""Redis keeps places to 0.6 m, so the order is compared where distances differ by more."""

ORM = "FastAPI + SQLAlchemy ORM + PostGIS KNN"
STORES = {"PostGIS": postgis, "Redis": redis}


def _ids(answer: Any) -> list[str]:
    return [haven["id"] for haven in answer["havens"]]


@dataclass(frozen=True)
class Peer:
    """Another way to answer: what serves it on which store, how it is asked, what it found."""

    name: str
    command: Sequence[str]
    store: str
    ask: str = ASK
    ids: Callable[[Any], list[str]] = _ids


@dataclass(frozen=True)
class Contender:
    """Ours or a peer, ready to be started; what keeps its data is weighed with it."""

    start: Callable[[], AbstractContextManager[Server]]
    store: Store | None
    ask: str
    ids: Callable[[Any], list[str]]


@dataclass(frozen=True)
class Measured:
    """What one contender did, and the fixed routes beside it."""

    length: int
    server_mb: float
    store_mb: float
    runs: dict[str, list[Run]]


def _peer(module: str) -> list[str]:
    return uvicorn(f"tests.bench.peers.{module}", PYTHON)


PEERS = [
    Peer("FastAPI + asyncpg + PostGIS KNN", _peer("asyncpg_knn:app"), "PostGIS"),
    Peer("FastAPI + Redis GEOSEARCH", _peer("redis_geosearch:app"), "Redis"),
    Peer(f"{ORM}, statement built once", _peer("orm:built_once"), "PostGIS"),
    Peer(ORM, _peer("orm:usual"), "PostGIS"),
    Peer(
        "tipg (OGC API Features), a function with PostGIS KNN",
        uvicorn("tipg.main:app", PYTHON),
        "PostGIS",
        "/collections/public.nearest_open/items?lat={lat}&lon={lon}&sortby=distance_m&limit=5",
        lambda answer: [feature["properties"]["id"] for feature in answer["features"]],
    ),
    Peer(
        "Django REST framework + PostGIS KNN",
        [
            *(PYTHON, "-m", "gunicorn", "tests.bench.peers.django_rest:app", "--workers", "1"),
            *("--worker-class", "gthread", "--threads", "4", "--keep-alive", "60"),
            *("--bind", "127.0.0.1:{port}", "--log-level", "error"),
        ],
        "PostGIS",
    ),
]


def main(peers: Sequence[Peer] = PEERS) -> None:
    """Print one table for each size."""
    need_wrk()
    if peers and not Path(PYTHON).exists():
        sys.exit("the peers are not installed: make bench does that")
    for size in SIZES:
        with tempfile.TemporaryDirectory(prefix="havens-bench-") as folder, ExitStack() as stores:
            _compare(Path(folder), size, peers, stores)


def _compare(folder: Path, size: int, peers: Sequence[Peer], stack: ExitStack) -> None:
    steady = steady_hours(datetime.now(UTC))
    stores: dict[str, Store | None] = {}
    for name in dict.fromkeys(peer.store for peer in peers):
        stores[name] = stack.enter_context(STORES[name](folder, havens(size, steady)))
        if stores[name] is None:
            say(f"There is no {name} here: whatever needs it is left out.")
    fill_ours(folder / "ours", size, steady)
    contenders = {"ours": Contender(partial(ours, folder / "ours"), None, ASK, _ids)} | {
        peer.name: Contender(
            partial(started, peer.command, store.environment, _somewhere(peer.ask)),
            store,
            peer.ask,
            peer.ids,
        )
        for peer in peers
        if (store := stores[peer.store])
    }
    expected = _expected(size, steady)
    weights = {name: _looked_at(name, one, expected) for name, one in contenders.items()}
    with ours(folder / "ours") as server:
        body = folder / "body"
        body.write_bytes(get(server.url + QUESTION))
    fixed = {name: stack.enter_context(server) for name, server in references(body).items()}
    measured = {
        name: Measured(*weights[name], _driven(one, fixed)) for name, one in contenders.items()
    }
    _print(size, len(body.read_bytes()), measured)


def _somewhere(ask: str) -> str:
    return ask.format(lat=51.5155, lon=-0.0922)


def _expected(size: int, steady: list[Steady]) -> dict[tuple[float, float], list[str]]:
    """The five nearest open havens of some places, each distance measured."""
    open_now = [made for made in made_up(size, len(steady)) if steady[made.hours].until]
    lat, lon = np.radians([(made.lat, made.lon) for made in open_now]).T
    chance = random.Random(1)
    found: dict[tuple[float, float], list[str]] = {}
    while len(found) < PLACES:
        place = (round(chance.uniform(*LAT), 6), round(chance.uniform(*LON), 6))
        phi, theta = np.radians(place)
        half = np.sin((lat - phi) / 2) ** 2
        half += np.cos(lat) * np.cos(phi) * np.sin((lon - theta) / 2) ** 2
        metres = 2 * EARTH_RADIUS_M * np.arcsin(np.sqrt(half))
        nearest = np.argsort(metres)[:6]
        if np.diff(metres[nearest]).min() > TELLABLE_M:
            found[place] = [str(UUID(open_now[n].id)) for n in nearest[:5]]
    return found


def _looked_at(
    name: str, contender: Contender, expected: dict[tuple[float, float], list[str]]
) -> tuple[int, float, float]:
    """Leave unless it answers as it must; returns the bytes of an answer, and what it weighs in
    MB after some work: the server, and what keeps its data."""
    lengths = []
    with contender.start() as server:
        for (lat, lon), ids in expected.items():
            body = get(server.url + contender.ask.format(lat=lat, lon=lon))
            if (answered := contender.ids(orjson.loads(body))) != ids:
                sys.exit(f"{name} at {lat}, {lon}: {answered} instead of {ids}")
            lengths.append(len(body))
        drive(server, 1, contender.ask)
        store = contender.store.processes if contender.store else []
        return int(median(lengths)), pss_mb(server.processes), pss_mb(store)


def _driven(contender: Contender, fixed: dict[str, Server]) -> dict[str, list[Run]]:
    runs: dict[str, list[Run]] = {"it": [], **{name: [] for name in fixed}}
    with contender.start() as server:
        drive(server, 1, contender.ask)
        for _ in range(ROUNDS):
            runs["it"].append(drive(server, SECONDS, contender.ask))
            for name, other in fixed.items():
                runs[name].append(drive(other, SECONDS))
    return runs


def _print(size: int, length: int, measured: dict[str, Measured]) -> None:
    to_b = {name: ratio(one.runs["it"], one.runs["B"]) for name, one in measured.items()}
    head = (
        "",
        "answers/s",
        "÷ A",
        "÷ B",
        "ours ÷ it",
        "p50 ms",
        "p99 ms",
        "MB",
        "+ store MB",
        "bytes",
    )
    rows = []
    for name, one in measured.items():
        run = middle(one.runs["it"])
        rows.append(
            (
                name,
                f"{run.per_second:,.0f}",
                f"{ratio(one.runs['it'], one.runs['A']):.2f}",
                f"{to_b[name]:.2f}",
                f"{to_b['ours'] / to_b[name]:.1f}",
                f"{run.p50_ms:.1f}",
                f"{run.p99_ms:.1f}",
                f"{one.server_mb:.0f}",
                f"{one.store_mb:.0f}" if one.store_mb else "",
                f"{one.length:,}",
            )
        )
    for name, what in (("A", "bare ASGI"), ("B", "FastAPI, validated parameters")):
        run = middle([run for one in measured.values() for run in one.runs[name]])
        figures = (f"{run.per_second:,.0f}", "", "", "", f"{run.p50_ms:.1f}", f"{run.p99_ms:.1f}")
        rows.append((f"{name}: {what}, fixed bytes", *figures, "", "", f"{length:,}"))
    table(f"{size:,} venues, one worker, {CONNECTIONS} connections", head, rows)
    _print_processor(size, measured)
    if others := {name: to_b[name] for name in to_b if name != "ours"}:
        best = max(others, key=others.__getitem__)
        told = [f"{to_b['ours'] / to_b[best]:.1f} times the best peer ({best})"]
        if ORM in others:
            told.append(f"{to_b['ours'] / to_b[ORM]:.1f} times the ORM design")
        say(f"Ours is {' and '.join(told)}.")


def _print_processor(size: int, measured: dict[str, Measured]) -> None:
    beside = measured["ours"].runs
    runs = {name: one.runs["it"] for name, one in measured.items()}
    runs |= {name: beside[name] for name in ("A", "B")}
    rows = []
    for name, several in runs.items():
        run = middle(several)
        fixed = beside if name in beside else measured[name].runs
        figures = f"{run.user_us:.1f}", f"{run.system_us:.1f}", f"{run.processor_us:.1f}"
        rows.append((name, *figures, f"{processor_ratio(several, fixed['A']):.2f}"))
    head = ("", "user µs", "system µs", "together", "÷ A")
    table(f"{size:,} venues: the processor's time for an answer, without stores", head, rows)
    to_a = processor_ratio(beside["it"], beside["A"])
    met = "met" if to_a <= MOST_TO_A else "not met"
    say(f"Ours takes {to_a:.2f} times what A does; wanted are {MOST_TO_A} at most: {met}.")
