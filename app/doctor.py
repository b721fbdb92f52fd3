"""`havens doctor`: what is wrong with this installation, and what to do, in plain words."""

import errno
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from functools import partial
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, select

from app.core.backup import last_backup
from app.core.db import (
    MIGRATIONS,
    database_clock,
    make_engine,
    read_session,
    replication_lag,
    revision_of,
)
from app.core.journal import CLOCKS_AGREE, HEAD_FILE, Journal, command_actor, newest_entry
from app.core.settings import Settings, UnsafeSettings
from app.directory.beyond import Kept
from app.directory.continuity import refuse_mixed_database
from app.directory.fetched import NotFetched, Source
from app.directory.publication import Refused
from app.directory.read_side import DEGRADED_AFTER_SECONDS
from app.directory.snapshot import CURRENT, HOUR, MINUTE, MixedData, Snapshot, Unusable, load
from app.venues.models import DirectoryState
from app.walking.file import ATTRIBUTION, STREETS, UnusableStreets

OLD_STREETS = timedelta(days=365)
"""A map of that age lacks what has been built since."""

ROOM_MB, LITTLE_ROOM_MB = 500, 50
"""Free on a disk: with less than the first somebody should look, with less than the second now."""

BACKUP_EXPECTED, OLD_BACKUP = timedelta(hours=26), timedelta(days=7)
"""One is made each night: when the last is older than the first somebody should look; older than
the second, a week's work may be lost."""

MAKE_BACKUPS = "havens backup FILE; havens-backup.timer makes one each night: is it running?"


class Severity(IntEnum):
    """How bad it is; the worst one is the exit code."""

    WELL = 0
    LOOK = 1
    WRONG = 2


class Finding(NamedTuple):
    """What was looked at, what was found, and what to do about it unless all is well."""

    subject: str
    severity: Severity
    says: str
    remedy: str = ""


def well(subject: str, says: str) -> Finding:
    return Finding(subject, Severity.WELL, says)


def look(subject: str, says: str, remedy: str) -> Finding:
    return Finding(subject, Severity.LOOK, says, remedy)


def wrong(subject: str, says: str, remedy: str) -> Finding:
    return Finding(subject, Severity.WRONG, says, remedy)


def examine(settings: Settings, *, thorough: bool = True) -> Iterator[Finding]:
    """Everything that can be looked at from here; it changes nothing.

    Unless it is thorough, it reads neither the whole database nor the whole journal, and does not
    try to write: so it takes no longer however much there is.
    """
    snapshot = _published(settings)
    read_side, streets = (partial(f, snapshot=snapshot) for f in (_directory, _streets))
    write_side = partial(_database, snapshot=snapshot, thorough=thorough)
    behind = (_backup, write_side, _replica) if settings.has_register else (_source,)
    for looked_at in (_settings, _disk, read_side, streets, _neighbours, *behind):
        try:
            yield from looked_at(settings)
        except OSError as error:
            yield wrong(
                "disk",
                f"{error.filename}: {error.strerror}",
                f"Is it there, and may this user have it? This is {_user()}.",
            )


# --- this host -------------------------------------------------------------------------------


def _settings(settings: Settings) -> Iterator[Finding]:
    try:
        if settings.environment == "production":
            settings.key("journal")
    except UnsafeSettings as error:
        yield wrong(
            "settings",
            f"{error}",
            "Set the one that this register was always signed with. Only for a new register make"
            " one: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'",
        )
    else:
        public = settings.public_url or "no HAVENS_PUBLIC_URL, so no posters and no sitemap"
        yield well("settings", f"{settings.environment}; {public}")


def _disk(settings: Settings) -> Iterator[Finding]:
    folder, file = settings.data_dir, _sqlite_file(settings)
    if not folder.is_dir():
        yield look(
            "data", f"{folder} is not there", "havens serve makes it, if it is the right one."
        )
        return
    try:
        with tempfile.TemporaryFile(dir=folder) as attempt:
            attempt.write(bytes(2**16))
            attempt.flush()
            os.fsync(attempt.fileno())
    except OSError as error:
        remedy = (
            "Make room."
            if error.errno in (errno.ENOSPC, errno.EDQUOT)
            else f"Give it to the user that the service runs as; this is {_user()}."
        )
        yield wrong("data", f"{folder} can't be written: {error.strerror}", remedy)
    places = [place for place in (folder, file.parent if file else folder) if place.is_dir()]
    for place in {place.stat().st_dev: place for place in places}.values():
        free = shutil.disk_usage(place).free // 10**6
        says = f"{free:,} MB free for {place}"
        if free < LITTLE_ROOM_MB:
            yield wrong("disk", says, "Make room: nothing can be recorded without.")
        elif free < ROOM_MB:
            yield look("disk", says, "Make room before it is gone.")
        else:
            yield well("disk", says)
    for secret in (folder / "secret.key", file):
        if secret and secret.exists():
            if not os.access(secret, os.R_OK | os.W_OK):
                yield wrong("rights", f"{secret} is not this user's", f"chown {_user()} {secret}")
            elif secret.stat().st_mode & 0o004 and secret.parent.stat().st_mode & 0o001:
                yield look(
                    "rights", f"everybody on this host can read {secret}", f"chmod 600 {secret}"
                )


def _backup(settings: Settings) -> Iterator[Finding]:
    made = last_backup(settings)
    if made is None:
        if settings.environment == "production":
            yield look("backup", "none was made from here", MAKE_BACKUPS)
        return
    age = datetime.now(UTC) - made.made_at
    says = f"{made.name}, made on {made.made_at:%d %B %Y at %H:%M} UTC, {_long(age)} ago"
    if made.is_broken:
        yield wrong("backup", f"{says}, of a broken journal", "havens journal verify says where.")
    elif age > OLD_BACKUP:
        yield wrong("backup", says, MAKE_BACKUPS)
    elif age > BACKUP_EXPECTED:
        yield look("backup", says, MAKE_BACKUPS)
    else:
        yield well("backup", f"{says}, the journal up to entry {made.entries}")


def _long(age: timedelta) -> str:
    hours = round(age / timedelta(hours=1))
    return f"{hours} h" if hours < 72 else f"{age.days} days"


def _published(settings: Settings) -> Snapshot | None:
    try:
        return load(settings.data_dir)
    except Unusable:
        return None


def _directory(settings: Settings, snapshot: Snapshot | None) -> Iterator[Finding]:
    if snapshot is None:
        damaged = (settings.data_dir / CURRENT).exists()
        yield (wrong if damaged else look)(
            "directory",
            f"{CURRENT} is damaged, and there is none before it"
            if damaged
            else "there is none yet",
            "havens serve builds one. Until it has, nobody gets an answer from here.",
        )
        return
    now = time.time()
    at = datetime.fromtimestamp(snapshot.generated_at, UTC)
    says = f"{len(snapshot)} havens, made on {at:%d %B %Y at %H:%M} UTC"
    if len(snapshot) and snapshot.demonstration != settings.demonstration:
        mixed = MixedData("the directory", demonstration=settings.demonstration)
        yield wrong("directory", f"{mixed}", "Give each environment a data directory of its own.")
    elif snapshot.generated_at > now + CLOCKS_AGREE.total_seconds():
        yield wrong("clock", f"{says}, which is still to come", "Set this host's clock.")
    elif not snapshot.covers(now):
        yield wrong(
            "directory",
            f"{says}: it knows nothing of today",
            "Mend the database below; havens serve then builds a new one.",
        )
    elif now - snapshot.generated_at > 2 * HOUR:
        yield look(
            "directory",
            f"{says}; a service that runs makes one every hour",
            "Is it running? If so, its log says why it can't build.",
        )
    else:
        yield well("directory", says)


def _neighbours(settings: Settings) -> Iterator[Finding]:
    for neighbour in settings.neighbours:
        kept = Kept(settings.data_dir, neighbour)
        note, snapshot = kept.note(), kept.snapshot()
        says = f"{neighbour.name}: it has told nothing yet"
        if snapshot is not None:
            at = datetime.fromtimestamp(note.confirmed_at, UTC)
            says = f"{neighbour.name}: {len(snapshot)} havens, as of {at:%d %B %Y at %H:%M} UTC"
        if trouble := kept.trouble(note, time.time()):
            remedy = "What it last told well is shown until then; talk to those who run it."
            yield look("neighbour", f"{says}; held, because {trouble}", remedy)
        elif snapshot is None:
            yield look("neighbour", says, "A service that runs asks it: is it running?")
        else:
            yield well("neighbour", says)


def _streets(settings: Settings, snapshot: Snapshot | None) -> Iterator[Finding]:
    """The streets, without which minutes on foot are estimates."""
    file = settings.data_dir / STREETS
    again = "havens import streets FILE.osm.pbf, with an extract of now."
    if not file.exists():
        if snapshot and snapshot.streets:
            yield look("streets", f"{STREETS} is gone; minutes on foot are estimates", again)
        else:
            yield well("streets", "none imported; minutes on foot are estimates")
        return
    # Brings the compiler with it.
    from app.walking.streets import Streets  # noqa: PLC0415

    try:
        streets = Streets.load(file)
    except UnusableStreets as error:
        yield look("streets", f"{error}; minutes on foot are estimates", again)
        return
    name, _, digest = streets.source.rpartition(" sha256 ")
    of = datetime.fromisoformat(streets.taken_at) if streets.taken_at else None
    says = f"{name} ({digest[:12]}), {f'of {of:%d %B %Y}' if of else 'of no known date'}"
    west, south, east, north = streets.box
    outside = 0
    if snapshot:
        is_inside = (west <= snapshot.lon) & (snapshot.lon <= east)
        is_inside &= (south <= snapshot.lat) & (snapshot.lat <= north)
        outside = len(snapshot) - int(is_inside.sum())
    if outside:
        yield look("streets", f"{says}, which does not cover {outside} of the havens", again)
    elif of and datetime.now(UTC) - of > OLD_STREETS:
        yield look("streets", f"{says}, more than a year ago", again)
    else:
        yield well("streets", f"{says}, {ATTRIBUTION}")


def _source(settings: Settings) -> Iterator[Finding]:
    """What a host without a database fetches."""
    source = Source(settings)
    try:
        at = source.confirmed_at()
    except (NotFetched, Refused) as error:
        yield wrong(
            "source",
            f"{error}",
            "Is HAVENS_DIRECTORY_URL right, and HAVENS_DIRECTORY_KEYS? While it is away, answers"
            " come from the directory on disk.",
        )
        return
    finally:
        source.close()
    says = f"{settings.directory_url}, confirmed {datetime.fromtimestamp(at, UTC):%d %B %H:%M} UTC"
    if time.time() - at > MINUTE:
        yield look("source", says, "Ask the host that publishes: havens doctor, there.")
    else:
        yield well("source", says)


# --- the database ----------------------------------------------------------------------------


def _database(
    settings: Settings, snapshot: Snapshot | None, *, thorough: bool
) -> Iterator[Finding]:
    engine = make_engine(settings.database_url)
    try:
        yield from _register(settings, engine, snapshot, thorough=thorough)
    except DBAPIError as error:
        yield wrong(
            "database",
            f"it can't be used: {_reason(error)}",
            "Is it up, is HAVENS_DATABASE_URL right, may this user in? While it is away, answers"
            " to the public come from the directory on disk.",
        )
    finally:
        engine.dispose()


def _register(
    settings: Settings, engine: Engine, snapshot: Snapshot | None, *, thorough: bool
) -> Iterator[Finding]:
    lost = snapshot is not None or (settings.data_dir / HEAD_FILE).exists()
    file = _sqlite_file(settings)
    if file and not file.exists():
        yield _nothing(f"{file} is not there", lost)
        return
    with engine.connect() as connection:
        revision, kind = revision_of(connection), _kind(connection)
        newest = ScriptDirectory(str(MIGRATIONS)).get_current_head()
        if (
            thorough
            and file
            and (damage := connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()) != "ok"
        ):
            yield wrong(
                "database",
                f"{file} is damaged: {damage}",
                "Stop the service, move the file away with its -wal and -shm, havens restore FILE.",
            )
    if revision is None:
        yield _nothing(f"{kind} is empty", lost)
        return
    if revision != newest:
        yield _of_another_version(revision, newest)
        return
    if thorough:
        yield from _rights(engine, kind)
    else:
        yield well("database", kind)
    with read_session(engine) as session:
        yield from _same(settings, session, snapshot)
        yield from _clock(session)
    with suppress(UnsafeSettings):  # which is said already
        journal = Journal.of(settings, engine)
        yield from _journal(journal) if thorough else _end_of_journal(journal)


def _replica(settings: Settings) -> Iterator[Finding]:
    if not settings.replica_url:
        return
    engine = make_engine(settings.replica_url)
    try:
        with read_session(engine) as session:
            lag = replication_lag(session)
    except DBAPIError as error:
        yield look(
            "replica",
            f"it can't be used: {_reason(error)}",
            "Is it up, is HAVENS_REPLICA_URL right? While it is away, the primary is read.",
        )
    else:
        if lag is None:
            yield look(
                "replica",
                "it is none: it follows no other",
                "Was it promoted? Then set HAVENS_DATABASE_URL to it, and stop the old primary.",
            )
        elif lag > DEGRADED_AFTER_SECONDS:
            yield look(
                "replica",
                f"nothing has come from its primary for {lag:.0f} s",
                "Is the primary up, and a service that writes to it? Does the replica follow it?",
            )
        else:
            yield well("replica", f"it follows, at most {max(lag, 0):.0f} s behind")
    finally:
        engine.dispose()


def _nothing(says: str, lost: bool) -> Finding:
    if lost:
        return wrong(
            "database",
            f"{says}, and there was a register here",
            "Is HAVENS_DATABASE_URL right, and the volume mounted? Else: havens restore FILE.",
        )
    return look("database", f"{says}", "havens serve makes the register, or havens restore FILE.")


def _kind(connection: sa.Connection) -> str:
    if connection.dialect.name == "sqlite":
        return f"SQLite {sqlite3.sqlite_version}"
    run = connection.exec_driver_sql
    postgis = run("SELECT extversion FROM pg_extension WHERE extname = 'postgis'").scalar()
    server = run("SHOW server_version").scalar()
    return f"PostgreSQL {server} with {f'PostGIS {postgis}' if postgis else 'no PostGIS'}"


def _of_another_version(revision: str, newest: str | None) -> Finding:
    try:
        ScriptDirectory(str(MIGRATIONS)).get_revision(revision)
    except CommandError:
        return wrong(
            "database",
            f"it is of revision {revision}, which is newer than this version of the service",
            "Run the newer version. To go back, restore a backup that this version made.",
        )
    return look(
        "database",
        f"it is of revision {revision}, and this version wants {newest}",
        "havens backup FILE, then havens migrate; havens serve migrates, too.",
    )


def _rights(engine: Engine, kind: str) -> Iterator[Finding]:
    try:
        with engine.execution_options(writes=True).connect() as connection:
            with connection.begin() as transaction:
                # As the service does at every change; taken back.
                connection.exec_driver_sql("UPDATE directory_state SET version = version")
                transaction.rollback()
            owner = (
                engine.dialect.name == "sqlite"
                or connection.exec_driver_sql(
                    "SELECT pg_has_role(relowner, 'USAGE') FROM pg_class"
                    " WHERE oid = 'venue'::regclass"
                ).scalar()
            )
    except DBAPIError as error:
        yield wrong(
            "rights",
            f"{kind} can be read and not written: {_reason(error)}",
            "Is it a replica, is the disk read-only or full, does this user own the tables?",
        )
    else:
        if owner:
            yield well("database", f"{kind}, which this user can write")
        else:
            yield look(
                "rights",
                f"{kind}: this user can write, and does not own the tables",
                "The next migration fails: let its user own the database.",
            )


def _same(settings: Settings, session: Session, snapshot: Snapshot | None) -> Iterator[Finding]:
    """Whether the database is the one of this environment, and of the directory that is out."""
    try:
        refuse_mixed_database(session, demonstration=settings.demonstration)
    except MixedData as error:
        yield wrong("database", f"{error}", "Give each environment a database of its own.")
    state = session.exec(select(DirectoryState)).one()
    if snapshot is None or snapshot.is_of_state(state):
        return
    if snapshot.database != str(state.database):
        yield wrong(
            "directory",
            "it was built from another database than this one",
            "Is HAVENS_DATABASE_URL right? If this database is to count: havens journal accept.",
        )
    elif snapshot.version > state.version:
        yield wrong(
            "directory",
            f"it is of version {snapshot.version}, and the database has gone back to"
            f" {state.version}",
            "An old copy of the database is in its place. Put the right one there, or havens"
            " restore FILE.",
        )
    else:
        yield look(
            "directory",
            f"it is of version {snapshot.version}, and the database of {state.version}",
            "A service that runs follows within seconds: is it running?",
        )


def _clock(session: Session) -> Iterator[Finding]:
    host = datetime.now(UTC)
    database = database_clock(session) or host
    newest = newest_entry(session)
    if abs(host - database) > CLOCKS_AGREE:
        yield wrong(
            "clock",
            f"this host says {host:%d %B %H:%M:%S}, the database's {database:%d %B %H:%M:%S} UTC",
            "Set both by NTP. Until they agree nothing is recorded from here.",
        )
    elif newest and newest.at > host + CLOCKS_AGREE:
        yield wrong(
            "clock",
            f"the journal's newest entry is of {newest.at:%d %B %Y %H:%M} UTC, still to come",
            "Is this host's clock behind? If not, one was ahead: havens journal verify",
        )
    else:
        yield well("clock", f"{host:%d %B %Y %H:%M:%S} UTC")


def _journal(journal: Journal) -> Iterator[Finding]:
    written = journal.length()
    if broken := journal.verify():
        yield wrong(
            "journal",
            f"entry {broken.number} {broken.reason}",
            "Keep this database as it is, and find out who or what did it. Then havens restore"
            " FILE, or havens journal accept if only the copy of the head is lost.",
        )
    elif runs := journal.misdated():
        yield look(
            "journal",
            f"it is whole; a clock misdated entries {runs[0].first} to {runs[-1].last}",
            "havens journal verify says which ones. Void what they record if its date matters.",
        )
    else:
        yield well("journal", f"whole: {written} entries, {journal.covered()} of them covered")


def _end_of_journal(journal: Journal) -> Iterator[Finding]:
    if lost := journal.cut():
        yield wrong(
            "journal",
            f"entry {lost.number} {lost.reason}",
            "Keep this database as it is, and find out who or what did it: havens journal verify",
        )
    else:
        yield well(
            "journal", f"{journal.length()} entries; {HEAD_FILE} knows {journal.covered()} of them"
        )


def _sqlite_file(settings: Settings) -> Path | None:
    url = sa.make_url(settings.database_url)
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None


def _reason(error: DBAPIError) -> str:
    return str(error.orig).partition("\n")[0]


def _user() -> str:
    return command_actor().removeprefix("command ")
