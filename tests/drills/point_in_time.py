"""PostgreSQL taken back to the moment before a mistake, as docs/backup.md says.

    python -m tests.drills.point_in_time

A server of its own archives its log as it goes. After a base backup two businesses are recorded,
and then somebody empties a table past the service. Leaves with 1 unless the recovered database
holds both, the table is full again, and the journal is whole up to the last entry before.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import sqlalchemy as sa

from app.core.db import connected, migrate, read_session
from app.core.journal import Journal
from app.core.settings import Settings
from app.venues.models import Business, Venue
from tests.bench.report import begin, say
from tests.databases import NO_POSTGIS, Postgres, find_postgis
from tests.factories import make_venue
from tests.servers import settings_for, until

ARCHIVING = """
archive_mode = on
archive_command = 'test ! -f {archive}/%f && cp %p {archive}/%f'
"""
RECOVERING = """
restore_command = 'cp {archive}/%f %p'
recovery_target_time = '{moment}'
recovery_target_action = promote
"""


def main() -> None:
    """Print what came back, and leave with 1 unless it is what there was."""
    bin_ = find_postgis()
    if bin_ is None:
        sys.exit(NO_POSTGIS)
    begin()
    server = Postgres(bin_)
    try:
        with tempfile.TemporaryDirectory(prefix="havens-drill-") as folder:
            wrong = drill(Path(folder), bin_, server)
    finally:
        server.remove()
    say("\n".join(wrong) or "As promised.")
    sys.exit(bool(wrong))


def drill(folder: Path, bin_: Path, server: Postgres) -> list[str]:
    """Lose a table and take it back; returns what is not as it should be."""
    home, owner = server.home, server._as
    data, archive, base = home / "data", home / "archive", home / "base"
    subprocess.run(["mkdir", archive], check=True, **owner)
    with (data / "postgresql.conf").open("a") as configuration:
        configuration.write(ARCHIVING.format(archive=archive))
    server.start()
    settings = settings_for(folder, server.create("havens"))
    migrate(settings.database_url)
    with connected(settings.database_url) as engine:
        venues = [make_venue(engine).id for _ in range(100)]
    record(settings, "Before the base backup")
    at = f"--host={home}", "--username=postgres", f"--pgdata={base}", "--checkpoint=fast"
    subprocess.run([bin_ / "pg_basebackup", *at], check=True, **owner)

    record(settings, "After the base backup")
    with connected(settings.database_url) as engine:
        with engine.begin() as connection:
            moment = connection.execute(sa.text("SELECT clock_timestamp()")).scalar_one()
        time.sleep(1)
        with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            connection.exec_driver_sql("TRUNCATE venue CASCADE")
            connection.exec_driver_sql("SELECT pg_switch_wal()")
    record(settings, "After the mistake")

    began = time.monotonic()
    server.stop()
    shutil.move(data, home / "spoilt")
    shutil.move(base, data)
    with (data / "postgresql.auto.conf").open("a") as configuration:
        configuration.write(RECOVERING.format(archive=archive, moment=moment.isoformat()))
    subprocess.run(["touch", data / "recovery.signal"], check=True, **owner)
    server.start()
    until(lambda: not in_recovery(settings))
    say(f"Recovered to {moment:%H:%M:%S} UTC in {time.monotonic() - began:.1f} s.")
    return differences(settings, len(venues))


def record(settings: Settings, name: str) -> None:
    """Have the service record something, as an entry of the journal."""
    with (
        connected(settings.database_url) as engine,
        Journal.of(settings, engine).writing("drill") as session,
    ):
        session.add(Business(name=name))


def in_recovery(settings: Settings) -> bool:
    """Whether the server is not yet where it is to go."""
    with connected(settings.database_url) as engine, engine.connect() as connection:
        return bool(connection.exec_driver_sql("SELECT pg_is_in_recovery()").scalar())


def differences(settings: Settings, venues: int) -> list[str]:
    """What a recovered register lacks, or has too much of."""
    wrong = []
    with connected(settings.database_url) as engine:
        with read_session(engine) as session:
            names = sorted(session.scalars(sa.select(Business.name)))  # type: ignore[call-overload]
            found = session.scalar(sa.select(sa.func.count()).select_from(Venue))
        journal = Journal.of(settings, engine)
        cut = journal.verify()
        journal.accept()
        whole = journal.verify() is None and journal.length() == 2
    if names != ["After the base backup", "Before the base backup"]:
        wrong.append(f"businesses: {names}")
    if found != venues:
        wrong.append(f"{found} venues of {venues}")
    if cut is None or cut.number != 3:
        wrong.append(f"the kept head should know of the third entry: {cut}")
    if not whole:
        wrong.append("the journal is not whole up to its second entry")
    return wrong


if __name__ == "__main__":
    main()
