"""The register of ten years lost and restored, on both kinds of database and from one to the other.

    python -m tests.drills.restore

10,000 venues and 100,000 entries of the journal. Leaves with 1 when what was restored has another
head of the journal or answers otherwise than what was backed up, or when a damaged, an older or a
foreign backup is taken.
"""

import hashlib
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import sqlalchemy as sa
from sqlmodel import select

from app.core.backup import RefusedBackup, back_up, opened
from app.core.copies import _without_triggers
from app.core.db import connected, migrate, read_session, write_session
from app.core.journal import Journal, newest_entry
from app.core.journal_chain import Entry, entries_after, hash_of
from app.core.london import effective
from app.core.settings import Settings
from app.schemes.models import Decision
from app.schemes.registry import SchemeKey
from app.schemes.rules import Kind
from app.venues.models import Business, Venue, VenueStatus
from tests.bench import register
from tests.bench.report import begin, say, table
from tests.bench.venues import LAT, LON
from tests.databases import NO_POSTGIS, Postgres, find_postgis
from tests.servers import serving_directory, settings_for, until

NOW = time.time()
QUESTIONS = 100
DAMAGES = 10
READY_SECONDS = 600

Held = tuple[int, str, str]
"""How many entries, the newest one's hash, and a digest of the answers."""


def main() -> None:
    """Print how long it took, and leave with 1 unless all of it was the same."""
    bin_ = find_postgis()
    if bin_ is None:
        sys.exit(NO_POSTGIS)
    begin()
    with tempfile.TemporaryDirectory(prefix="havens-drill-") as name, ExitStack() as servers:
        server = Postgres(bin_)
        servers.callback(server.remove)
        server.start()
        wrong = drill(Path(name), server)
    say("\n".join(wrong) or "As promised.")
    sys.exit(bool(wrong))


def drill(folder: Path, server: Postgres) -> list[str]:
    """Go from SQLite to PostgreSQL and back; returns what is not as it should be."""
    rows: list[list[str]] = []
    home = made(folder, "home", f"sqlite:///{folder}/home.sqlite")
    with timed(rows, "made on SQLite"):
        register.fill(home.database_url)
        accredit(home)
        chain(home)
    held = {"SQLite, as it was made": holds(home)}
    postgres = made(folder, "postgres", server.create("havens"))
    away = made(folder, "away", f"sqlite:///{folder}/away.sqlite")
    from_sqlite, from_postgres = folder / "from-sqlite.havens", folder / "from-postgres.havens"

    with timed(rows, "backed up, SQLite"):
        backed_up(home, from_sqlite)
    with timed(rows, "restored into an empty PostgreSQL"):
        restored(postgres, from_sqlite)
    held["PostgreSQL, from SQLite"] = holds(postgres)
    with timed(rows, "backed up, PostgreSQL"):
        backed_up(postgres, from_postgres)
    with timed(rows, "restored into an empty SQLite"):
        restored(away, from_postgres)
    held["SQLite, from PostgreSQL"] = holds(away)
    for settings, file, kind in (
        (postgres, from_postgres, "PostgreSQL"),
        (home, from_sqlite, "SQLite"),
    ):
        with timed(rows, f"restored over a full {kind}"):
            restored(settings, file)
        held[f"{kind}, over itself"] = holds(settings)

    wrong = [f"{what}: {end}" for what, end in held.items() if end != next(iter(held.values()))]
    for settings, file, kind in (
        (postgres, from_postgres, "PostgreSQL"),
        (home, from_sqlite, "SQLite"),
    ):
        with timed(rows, f"refused {DAMAGES + 2} times, {kind}"):
            wrong += [f"{kind}: {what}" for what in taken(settings, file, folder)]
    table(
        f"{register.VENUES:,} venues, {register.ENTRIES:,} journal entries,"
        f" {from_sqlite.stat().st_size / 1e6:.0f} MB a backup",
        ["", "seconds"],
        rows,
    )
    return wrong


def made(folder: Path, name: str, url: str) -> Settings:
    """An installation of its own data directory."""
    (folder / name).mkdir()
    return settings_for(folder / name, url, "demo")


@contextmanager
def timed(rows: list[list[str]], what: str) -> Iterator[None]:
    """Note how long something takes."""
    began = time.monotonic()
    yield
    rows.append([what, f"{time.monotonic() - began:.0f}"])
    print(*rows[-1], "s", file=sys.stderr, flush=True)


def accredit(settings: Settings) -> None:
    """Have the active venues accredited now, too, which those ten years left off before."""
    at = effective(date(2026, 1, 1))
    common = {"scheme": SchemeKey.SAFE_HAVEN, "kind": Kind.AWARDED, "until": date(2060, 1, 1)}
    when = {"effective_at": at, "recorded_at": at, "recorded_by": "drill"}
    decisions: Any = sa.inspect(Decision).local_table
    with connected(settings.database_url) as engine, write_session(engine) as session:
        active = select(Venue.id).where(Venue.status == VenueStatus.ACTIVE)
        rows = [{"id": uuid4(), "venue_id": id_, **common, **when} for id_ in session.exec(active)]
        session.connection().execute(sa.insert(decisions), rows)


def chain(settings: Settings) -> None:
    """Give the made-up entries the hashes that the service would have given them."""
    key, last = settings.key("journal"), ""
    with connected(settings.database_url) as engine:
        with write_session(engine) as session:
            hashes = []
            for entry in entries_after(session, 0, 1000):
                for unsigned in ("hash", "salt", "content", "key_id", "commitment"):
                    entry.pop(unsigned)
                last = hash_of(key, last, entry)
                hashes.append({"of": entry["number"], "true_hash": last})
            journal: Any = sa.inspect(Entry).local_table
            connection = session.connection()
            with _without_triggers(connection, []):
                change = sa.update(journal).where(journal.c.number == sa.bindparam("of"))
                connection.execute(change.values(hash=sa.bindparam("true_hash")), hashes)
        Journal.of(settings, engine).accept()


def backed_up(settings: Settings, file: Path) -> None:
    """Make a backup of a whole journal."""
    with connected(settings.database_url) as engine:
        _, broken = back_up(settings, engine, file)
    if broken:
        sys.exit(f"entry {broken.number} {broken.reason}")


def restored(settings: Settings, file: Path) -> None:
    """Restore a backup against which nothing speaks."""
    with connected(settings.database_url) as engine, opened(settings, file, force=False) as found:
        migrate(settings.database_url)
        found.restore(Journal.of(settings, engine), 0, force=False)


def holds(settings: Settings) -> Held:
    """What a register holds, and what the public is answered from it at the same instant."""
    chance = random.Random(1)
    with connected(settings.database_url) as engine:
        broken = Journal.of(settings, engine).verify()
        with read_session(engine) as session:
            newest = newest_entry(session)
    if broken or not newest:
        sys.exit(f"the journal is broken: {broken}")
    digest = hashlib.sha256()
    with serving_directory(
        settings.data_dir,
        settings.database_url,
        lambda: NOW,
        environment="demo",
        is_ready=False,
    ) as client:
        until(lambda: client.get("/health/ready").is_success, READY_SECONDS)
        havens = client.get("/v1/havens").json()["havens"]
        digest.update(orjson.dumps(sorted(havens, key=lambda haven: haven["id"])))
        for _ in range(QUESTIONS):
            (south, north), (west, east) = LAT, LON
            where = {"lat": chance.uniform(south, north), "lon": chance.uniform(west, east)}
            answer = client.get("/v1/havens/nearest", params=where).json()
            answer.pop("directory")
            digest.update(orjson.dumps(answer))
    return newest.number, newest.hash, digest.hexdigest()


def taken(settings: Settings, file: Path, folder: Path) -> Iterator[str]:
    """Which backups are restored that should have been refused, or refused but left a trace."""
    content = file.read_bytes()
    chance, bad = random.Random(2), folder / "bad.havens"

    def damaged() -> bytes:
        changed = bytearray(content)
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
        return (
            bytes(changed) if chance.random() < 0.8 else content[: chance.randrange(len(content))]
        )

    with connected(settings.database_url) as engine:
        with Journal.of(settings, engine).writing("drill") as session:
            session.add(Business(name=f"Since then {settings.data_dir.name}"))
        before = end(settings)
        for _ in range(DAMAGES):
            bad.write_bytes(damaged())
            yield from _tried(settings, bad, before, "a damaged one")
        yield from _tried(settings, file, before, "an older one")
        other = made(folder, f"not {settings.data_dir.name}", f"sqlite:///{folder}/not.sqlite")
        migrate(other.database_url)
        with (
            connected(other.database_url) as others,
            Journal.of(other, others).writing("drill") as session,
        ):
            session.add(Business(name="Another register"))
        foreign = folder / f"foreign to {settings.data_dir.name}.havens"
        backed_up(other, foreign)
        Path(folder, "not.sqlite").unlink()
        yield from _tried(settings, foreign, before, "a foreign one")


def _tried(settings: Settings, file: Path, before: Any, what: str) -> Iterator[str]:
    try:
        restored(settings, file)
    except RefusedBackup:
        if end(settings) != before:
            yield f"{what} was refused, and left a trace"
    else:
        yield f"{what} was restored"


def end(settings: Settings) -> Any:
    """By which it shows that a register is another one."""
    with connected(settings.database_url) as engine, read_session(engine) as session:
        return newest_entry(session), session.connection().exec_driver_sql(
            "SELECT database, version FROM directory_state"
        ).one()


if __name__ == "__main__":
    main()
