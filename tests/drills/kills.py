"""The service and PostgreSQL, killed while people write: what was acknowledged is there, whole.

    python -m tests.drills.kills [--kills 1000] [--count FILE]

Several people record training sessions with attendances and send each again, under its key, whose
answer never came. Meanwhile the process that serves, one of the server's backends, or the whole
server is ended with SIGKILL. After so many kills on one database it is looked through: each session
that was acknowledged is there once, none is there with some of its attendances, and the journal and
the register are whole. What has been held is counted in FILE, so that a drill that is interrupted
goes on where it was. Leaves with 1 when a promise did not hold.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import random
import socket
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import uvicorn
from fastapi import FastAPI
from sqlalchemy import func
from sqlmodel import col, select

from app.core.db import make_engine, migrate, read_session
from app.core.journal import Journal
from app.core.journal_proof import strays
from app.core.settings import Settings
from app.feeds.following import Following
from app.start import prepare
from app.training.models import Attendance, TrainingSession
from tests.accounts import make_app, signed_in
from tests.bench.report import begin, say, table
from tests.databases import NO_POSTGIS, Postgres, find_postgis
from tests.drills.load import PATIENCE_SECONDS
from tests.processes import end_with_parent

BATCH = 20
"""Kills on one database before it is looked through."""

WRITERS = 4
ROLES = ("manager", "supervisor", "bar_staff", "door_supervisor", "other")
"""Of those who attend, an attendance each."""
SESSIONS = "/v1/admin/training/sessions"
PAST_THE_JOURNAL = {"account", "sign_in"}
"""What the drill itself stores so, to sign in."""

Json = dict[str, Any]


# --- who writes ------------------------------------------------------------------------------


@dataclass
class Writers:
    """People who record, and what became of it."""

    port: int
    headers: dict[str, str]
    venue: str = ""
    acknowledged: dict[str, str] = field(default_factory=dict)
    """By its place, which is made up for each: the id of a session."""
    unheard: list[Json] = field(default_factory=list)
    """What was sent, and never answered."""
    again: int = 0
    odd: list[str] = field(default_factory=list)

    async def until_killed(self, kill: Callable[[], object]) -> None:
        """Write, and have something killed in the midst of it."""
        begun, over = asyncio.Event(), asyncio.Event()

        async def killer() -> None:
            await begun.wait()
            await asyncio.sleep(random.uniform(0, 0.3))
            kill()
            over.set()

        await asyncio.gather(killer(), *(self._write(begun, over) for _ in range(WRITERS)))

    async def all_heard(self) -> None:
        """Send again what was not answered."""
        while self.unheard:
            body = self.unheard.pop()
            self.again += 1
            await self._send(body)
            await asyncio.sleep(0.01)

    async def _write(self, begun: asyncio.Event, over: asyncio.Event) -> None:
        while not over.is_set():
            if self.unheard:
                self.again += 1
                heard = await self._send(self.unheard.pop())
            else:
                heard = await self._send(self._made_up())
            if heard:
                begun.set()
            elif not over.is_set():
                await asyncio.sleep(0.02)

    def _made_up(self) -> Json:
        some = [{"venue_id": self.venue, "role": role, "new": 1, "refresher": 2} for role in ROLES]
        return {
            "course": "wave",
            "on": "2026-03-02",
            "place": str(uuid4()),
            "attendances": some,
        }

    async def _send(self, body: Json) -> bool:
        try:
            status, answer = await self.post(SESSIONS, body, key=body["place"])
        except (OSError, EOFError, TimeoutError):
            status, answer = 0, b""
        if status == 201:
            self.acknowledged[body["place"]] = json.loads(answer)["id"]
            return True
        self.unheard.append(body)
        if status not in (0, 503):
            self.odd.append(f"{status} {answer[:200]!r}")
        return False

    async def post(self, path: str, body: Json, key: str) -> tuple[int, bytes]:
        """Status and body of an answer, on a connection of its own."""
        content = json.dumps(body).encode()
        head = {
            "Host": "drill.test",
            "Connection": "close",
            "Content-Type": "application/json",
            "Content-Length": str(len(content)),
            "Idempotency-Key": key,
            **self.headers,
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
        async with asyncio.timeout(PATIENCE_SECONDS):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            try:
                writer.write(f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode() + content)
                answer = await reader.read()
            finally:
                writer.close()
        head_, _, rest = answer.partition(b"\r\n\r\n")
        if not rest:
            raise EOFError
        return int(head_.split()[1]), rest


# --- what is killed --------------------------------------------------------------------------


@dataclass
class Service:
    """A process that serves an application at a door that stays; a worker like any other."""

    app: FastAPI
    door: socket.socket
    process: Any = None

    def start(self) -> None:
        """Fork it, as `havens serve` forks its workers."""
        self.process = multiprocessing.get_context("fork").Process(target=self._serve)
        self.process.start()

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.join()

    def _serve(self) -> None:
        os.setsid()
        end_with_parent()
        config = uvicorn.Config(
            self.app, http=Following, ws="none", loop="uvloop", log_config=None, access_log=False
        )
        uvicorn.Server(config).run([self.door])


@dataclass
class Scene:
    """A database, what serves it, and who writes."""

    url: str
    service: Service
    writers: Writers
    settings: Settings
    server: Postgres | None

    def kill_service(self) -> None:
        """End the process that serves, and start another."""
        asyncio.run(self.writers.until_killed(self.service.kill))
        self.service.start()

    def kill_backend(self) -> None:
        """End one process of the server, which ends all others and recovers."""
        assert self.server
        kill = partial(self.server.kill_backend, "kills")
        asyncio.run(self.writers.until_killed(kill))

    def kill_server(self) -> None:
        """End all processes of the server, and start it again."""
        assert self.server
        asyncio.run(self.writers.until_killed(self.server.crash))
        self.server.start()


KINDS: dict[str, tuple[bool, float, Callable[[Scene], None]]] = {
    "SQLite, the service": (False, 0.4, Scene.kill_service),
    "PostgreSQL, the service": (True, 0.2, Scene.kill_service),
    "PostgreSQL, a backend": (True, 0.2, Scene.kill_backend),
    "PostgreSQL, the server": (True, 0.2, Scene.kill_server),
}
"""What is killed: whether on PostgreSQL, what share of all kills, and how."""


@contextmanager
def scene(on_postgresql: bool) -> Iterator[Scene]:
    """A new database with one venue, served."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="havens-drill-")))
        server, url = None, f"sqlite:///{folder}/havens.sqlite"
        if on_postgresql:
            bin_ = find_postgis()
            if bin_ is None:
                sys.exit(NO_POSTGIS)
            server = Postgres(bin_)
            stack.callback(server.remove)
            server.start()
            url = server.create("kills")
        migrate(url)
        app = make_app(url, folder, "production", log_level="error")
        settings: Settings = app.state.settings
        shared = prepare(settings)
        headers = signed_in(app, "officer")
        app.state.journal.engine.dispose()
        with socket.create_server(("127.0.0.1", 0), backlog=2048) as door:
            service = Service(app, door)
            writers = Writers(door.getsockname()[1], headers)
            service.start()
            try:
                place = {"lat": 51.5134, "lon": -0.0890}
                venue = {"name": "The Lantern", "category": "pub", "location": place}
                _, made = asyncio.run(writers.post("/v1/admin/venues", venue, "the one"))
                writers.venue = json.loads(made)["id"]
                yield Scene(url, service, writers, settings, server)
            finally:
                service.kill()
                del shared


def wrong(there: Scene) -> Iterator[str]:
    """What of all that was written is not as it must be."""
    writers = there.writers
    asyncio.run(writers.all_heard())
    engine = make_engine(there.url)
    yield from writers.odd[:5]
    with read_session(engine) as session:
        count = func.count(col(Attendance.id))
        rows = session.execute(
            select(TrainingSession.id, TrainingSession.place, count)
            .outerjoin(Attendance)
            .group_by(col(TrainingSession.id), col(TrainingSession.place))
        ).all()
        stray = [one for one in strays(session) if one.subject not in PAST_THE_JOURNAL]
    held = {place: id_.hex for id_, place, _ in rows}
    lost = [
        place
        for place, id_ in writers.acknowledged.items()
        if held.get(place) != id_.replace("-", "")
    ]
    half = [place for _, place, attendances in rows if attendances != len(ROLES)]
    if lost:
        yield f"{len(lost)} acknowledged sessions are lost"
    if half:
        yield f"{len(half)} sessions are there in part"
    if len(held) != len(rows):
        yield f"{len(rows) - len(held)} sessions are there twice"
    if len(held) != len(writers.acknowledged):
        yield f"{len(held)} sessions are there, {len(writers.acknowledged)} were acknowledged"
    if stray:
        yield f"{len(stray)} rows are not what the journal says: {stray[0]}"
    if (broken := Journal.of(there.settings, engine).verify()) is not None:
        yield f"the journal is broken: {broken}"
    engine.dispose()


# --- the drill -------------------------------------------------------------------------------


def main() -> None:
    """Print what was held, and leave with 1 unless everything was."""
    parser = argparse.ArgumentParser(prog="python -m tests.drills.kills")
    parser.add_argument("--kills", type=int, default=1000, help="how many in all")
    parser.add_argument(
        "--count", type=Path, default=Path("data/kills.json"), help="where those held are counted"
    )
    given = parser.parse_args()
    begin()
    counted: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    with suppress(FileNotFoundError):
        for kind, held in json.loads(given.count.read_text()).items():
            counted[kind].update(held)
    found: list[str] = []
    for kind, (on_postgresql, share, kill) in KINDS.items():
        while counted[kind]["kills"] < round(given.kills * share) and not found:
            kills = min(BATCH, round(given.kills * share) - counted[kind]["kills"])
            with scene(on_postgresql) as there:
                for _ in range(kills):
                    kill(there)
                found += [f"{kind}: {what}" for what in wrong(there)]
            counted[kind].update(
                kills=kills,
                acknowledged=len(there.writers.acknowledged),
                again=there.writers.again,
            )
            given.count.parent.mkdir(exist_ok=True)
            given.count.write_text(json.dumps(counted))
    rows = [
        [kind, *(f"{held[name]:,}" for name in ("kills", "acknowledged", "again"))]
        for kind, held in counted.items()
    ]
    table("SIGKILL while people write", ["killed", "times", "acknowledged", "sent again"], rows)
    if not found:
        given.count.unlink(missing_ok=True)
    say("\n".join(found) or "As promised.")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
