"""A mixed load and an edit every second, for as long as wanted.

Two workers, 60 venues. Another program writes to the database; each answer says from which version
of the directory it comes, and is held against what had been committed two seconds before it was
asked for, and against what anybody had been told by then. Meanwhile people report problems, and an
officer signs in, looks at pages, records a business and signs out. Neither memory nor open files
may grow.
"""

import asyncio
import json
import random
import sqlite3
import sys
import tempfile
import time
from bisect import bisect
from collections import Counter
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from statistics import median
from uuid import UUID

import httpx
import numpy as np
import psutil

from app.accounts.demo import FILE as PASSWORDS
from tests.bench.growth import until_shown
from tests.bench.report import say, table
from tests.bench.servers import Server, ours, pss_mb
from tests.bench.venues import HOURS, LAT, LON, fill, made_up

SIZE, WORKERS = 60, 2
CLIENTS = 12
"""Half of them make a new connection for each request, which any worker may take."""
PAUSE_SECONDS = 0.03
STALE_AFTER_SECONDS = 2
SAMPLE_SECONDS = 5
MOST_GROWTH = 1.05
"""Memory in the last quarter ÷ memory in the first, once it has warmed up."""
MOST_MORE_FILES = 2
"""In the last quarter, beyond those in the first: medians, for connections come and go."""

_EDITED = "The Edited Arms, version "
_EDITED_ID = UUID(next(made_up(SIZE, len(HOURS))).id)


@dataclass
class Witness:
    """Everything that was committed and answered, and what was wrong with it."""

    committed: list[tuple[float, int]] = field(default_factory=list)
    newest_told: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    stale: int = 0
    most_behind: float = 0.0
    reversals: int = 0
    errors: list[str] = field(default_factory=list)
    memory_mb: list[float] = field(default_factory=list)
    open_files: list[int] = field(default_factory=list)

    def told(self, version: int, sent_at: float, newest_told: int) -> None:
        """Hold the version of an answer against what was so when its request was sent."""
        unknown = bisect(self.committed, version, key=lambda commit: commit[1])
        if unknown < len(self.committed):
            behind = sent_at - self.committed[unknown][0]
            self.most_behind = max(self.most_behind, behind)
            self.stale += behind > STALE_AFTER_SECONDS
        self.reversals += version < newest_told
        self.newest_told = max(self.newest_told, version)

    @property
    def memory(self) -> tuple[float, float, float]:
        """MB in the first and the last quarter, and MB more per hour."""
        warm = _warm(self.memory_mb)
        slope = np.polyfit(np.arange(len(warm)), warm, 1)[0] if len(warm) > 1 else 0.0
        return *_quarters(warm), float(slope) * 3600 / SAMPLE_SECONDS


def _warm(samples: Sequence[float]) -> Sequence[float]:
    """Without the first tenth."""
    return samples[len(samples) // 10 :]


def _quarters(samples: Sequence[float]) -> tuple[float, float]:
    """The medians of the first quarter and of the last."""
    quarter = max(1, len(samples) // 4)
    return median(samples[:quarter]), median(samples[-quarter:])


def main(minutes: float) -> None:
    """Print what happened, and leave with 1 if anything was wrong."""
    with tempfile.TemporaryDirectory(prefix="havens-bench-") as folder:
        database = Path(folder, "havens.sqlite")
        fill(f"sqlite:///{database}", SIZE)
        with ours(Path(folder), WORKERS) as server:
            # In its first seconds a service imports what it builds directories with.
            until_shown(server, Path(folder))
            password = json.loads(Path(folder, PASSWORDS).read_text())["officer"]
            witness = asyncio.run(_soak(server, database, password, minutes * 60))
    first, last, slope = witness.memory
    files, files_last = _quarters(_warm(witness.open_files))
    rows = [
        ("answers", f"{witness.answers.total():,}"),
        ("edits", f"{len(witness.committed):,}"),
        (f"stale, {STALE_AFTER_SECONDS} s after a commit or later", str(witness.stale)),
        ("most behind a commit, s", f"{witness.most_behind:.2f}"),
        ("versions that went backwards", str(witness.reversals)),
        ("errors", str(len(witness.errors))),
        ("MB, median of the first quarter", f"{first:.1f}"),
        ("MB, median of the last quarter", f"{last:.1f}"),
        ("MB more per hour", f"{slope:+.1f}"),
        ("open files, median of the first quarter", f"{files:.0f}"),
        ("open files, median of the last quarter", f"{files_last:.0f}"),
    ]
    table(f"{minutes:g} minutes, {SIZE} venues, {WORKERS} workers", ("", ""), rows)
    say(", ".join(f"{what}: {count:,}" for what, count in sorted(witness.answers.items())) + ".")
    for error in witness.errors[:5]:
        say(error)
    grew = last > first * MOST_GROWTH or files_last > files + MOST_MORE_FILES
    if witness.stale or witness.reversals or witness.errors or grew:
        sys.exit("the soak found something wrong")


async def _soak(server: Server, database: Path, password: str, seconds: float) -> Witness:
    witness, until = Witness(), time.monotonic() + seconds
    await asyncio.gather(
        asyncio.to_thread(_edit, database, witness, until),
        asyncio.to_thread(_weigh, server, witness, until),
        _work(server.url, password, witness, until),
        *(_ask(server.url, number, witness, until) for number in range(CLIENTS)),
    )
    return witness


def _edit(database: Path, witness: Witness, until: float) -> None:
    """Every second, rename a venue to the version that makes of the directory."""
    with closing(sqlite3.connect(database, isolation_level=None, timeout=10)) as connection:
        while time.monotonic() < until:
            connection.execute("BEGIN IMMEDIATE")
            (version,) = connection.execute("SELECT version FROM directory_state").fetchone()
            name = f"{_EDITED}{version + 1}"
            connection.execute("UPDATE venue SET name = ? WHERE reference = 'BENCH-0'", [name])
            (after,) = connection.execute("SELECT version FROM directory_state").fetchone()
            connection.execute("COMMIT")
            assert after == version + 1
            witness.committed.append((time.monotonic(), after))
            time.sleep(1)


def _weigh(server: Server, witness: Witness, until: float) -> None:
    while time.monotonic() < until:
        processes = server.processes
        witness.memory_mb.append(pss_mb(processes))
        witness.open_files.append(sum(map(_open_files, processes)))
        time.sleep(SAMPLE_SECONDS)


def _open_files(process: psutil.Process) -> int:
    with suppress(psutil.NoSuchProcess):  # a build's ends with it
        return int(process.num_fds())
    return 0


async def _work(url: str, password: str, witness: Witness, until: float) -> None:
    """An officer's day, again and again: a sign-in, some pages, a business, and out."""
    form, rounds = {"username": "officer", "password": password}, count(1)
    while time.monotonic() < until:
        try:
            async with httpx.AsyncClient(base_url=url, timeout=30) as client:
                token = (await client.post("/v1/auth/token", data=form)).raise_for_status().json()
                client.headers["Authorization"] = f"Bearer {token['access_token']}"
                for path in (
                    "/v1/admin/venues",
                    "/v1/admin/accreditations",
                    "/v1/admin/next-steps",
                ):
                    (await client.get(path)).raise_for_status()
                business = {"name": f"Lantern Inns {next(rounds)}"}
                made = await client.post("/v1/admin/businesses", json=business)
                made.raise_for_status()
                (await client.post("/v1/auth/sign-out")).raise_for_status()
            witness.answers["an officer's round"] += 1
        except httpx.HTTPError as error:
            witness.errors.append(repr(error))
        await asyncio.sleep(2)


async def _ask(url: str, number: int, witness: Witness, until: float) -> None:
    headers = {"Connection": "close"} if number % 2 else {}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=10) as client:
        visitor = _Visitor(client, witness, random.Random(number))
        while time.monotonic() < until:
            try:
                await visitor.ask()
            except (httpx.HTTPError, KeyError, ValueError) as error:
                witness.errors.append(repr(error))
            await asyncio.sleep(PAUSE_SECONDS)


class _Visitor:
    """One client, which asks for anything that the public can read."""

    def __init__(self, client: httpx.AsyncClient, witness: Witness, chance: random.Random) -> None:
        self._client, self._witness, self._chance = client, witness, chance
        self._kinds = {
            "nearest": (self._nearest, 8),
            "nearest by POST": (self._nearest_posted, 4),
            "one haven": (self._one, 3),
            "whole directory": (self._whole, 1),
            "whole directory, if changed": (self._whole_if_changed, 2),
            "help": (self._help, 1),
            "a page": (self._page, 1),
            "a problem report": (self._report, 1),
        }
        self._kept = ("", 0)

    async def ask(self) -> None:
        weights = [weight for _, weight in self._kinds.values()]
        (what,) = self._chance.choices(list(self._kinds), weights)
        sent_at, newest_told = time.monotonic(), self._witness.newest_told
        version = await self._kinds[what][0]()
        self._witness.answers[what] += 1
        if version is not None:
            self._witness.told(version, sent_at, newest_told)

    def _place(self) -> dict[str, float]:
        return {"lat": self._chance.uniform(*LAT), "lon": self._chance.uniform(*LON)}

    async def _nearest(self) -> int:
        return _version(await self._client.get("/v1/havens/nearest", params=self._place()))

    async def _nearest_posted(self) -> int:
        return _version(await self._client.post("/v1/havens/nearest", json=self._place()))

    async def _one(self) -> int | None:
        answer = await self._client.get(f"/v1/havens/{_EDITED_ID}")
        _, is_edited, version = answer.raise_for_status().json()["name"].partition(_EDITED)
        return int(version) if is_edited else None

    async def _whole(self) -> int:
        answer = await self._client.get("/v1/havens")
        self._kept = answer.headers["ETag"], _version(answer)
        return self._kept[1]

    async def _whole_if_changed(self) -> int:
        tag, version = self._kept
        answer = await self._client.get("/v1/havens", headers={"If-None-Match": tag})
        if answer.status_code == httpx.codes.NOT_MODIFIED:
            return version
        self._kept = answer.headers["ETag"], _version(answer)
        return self._kept[1]

    async def _help(self) -> None:
        (await self._client.get("/v1/help")).raise_for_status()

    async def _page(self) -> None:
        path = self._chance.choice(("/", "/pl", "/help"))
        (await self._client.get(path)).raise_for_status()

    async def _report(self) -> None:
        path = f"/v1/havens/{_EDITED_ID}/problem-reports"
        answer = await self._client.post(path, json={"kind": "closed"})
        if answer.status_code != httpx.codes.TOO_MANY_REQUESTS:
            answer.raise_for_status()


def _version(answer: httpx.Response) -> int:
    version: int = answer.raise_for_status().json()["directory"]["version"]
    return version
