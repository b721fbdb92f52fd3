"""What is read from a streaming replica, and a database that lies behind a pooler."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from app.core.db import NotAlone, alone_at_mail, connected, migrate, read_session, seen_until
from app.core.journal import Journal
from app.directory.continuity import Behind, WentBack, continued
from app.directory.fetched import directory_of
from app.directory.live import Directory
from app.directory.publish import publish
from app.directory.read_side import DEGRADED_AFTER_SECONDS
from app.doctor import examine
from app.venues.models import Business
from tests.accounts import make_app, signed_in
from tests.applications import application
from tests.databases import NO_PGBOUNCER, PgBouncer, Postgres, find_postgis, pooled
from tests.factories import make_venue
from tests.servers import client_of, serving, settings_for, until


@pytest.fixture
def replica(private_postgres: Postgres) -> Iterator[Postgres]:
    """A server that follows the private one."""
    bin_ = find_postgis()
    assert bin_
    server = Postgres(bin_, primary=private_postgres)
    try:
        server.start()
        yield server
    finally:
        server.remove()


class Clock:
    """Goes as it should, but may be set ahead."""

    ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


def shows(ours: Directory, havens: int) -> bool:
    # On a busy machine it may have been behind for longer than is passed over.
    with suppress(Behind):
        ours.refresh()
    return ours.is_there and len(ours.search.snapshot) == havens


def test_a_replica_that_lags_is_behind_and_one_that_lost_entries_went_back(
    private_postgres: Postgres, replica: Postgres, tmp_path: Path
) -> None:
    url, of_replica = private_postgres.url("havens"), replica.url("havens")
    settings, clock = settings_for(tmp_path, url, replica_url=of_replica), Clock()
    with connected(url) as primary:
        journal = Journal.of(settings, primary)
        ours = directory_of(settings, journal, clock)
        assert journal.replica
        make_venue(primary, name="The Lantern")
        until(lambda: shows(ours, 1))

        def doctor() -> str:
            return next(found.says for found in examine(settings) if found.subject == "replica")

        assert not journal.writes._tried()
        until(lambda: doctor().startswith("it follows, at most"))

        # Behind: what is known of the primary has not come yet.
        replica.run("SELECT pg_wal_replay_pause()")
        until(lambda: replica.run("SELECT pg_get_wal_replay_pause_state()") == "paused")
        with journal.writing("anna") as session:
            session.add(Business(name="Ales Ltd"))
        make_venue(primary, name="The Mitre")
        with read_session(journal.replica) as session, pytest.raises(Behind):
            continued(session, None, journal.known())
        assert shows(ours, 1)
        with journal.reports() as session:
            seen = seen_until(session)
        with read_session(primary) as session:
            assert seen < session.execute(text("SELECT at FROM journal")).scalar_one()
        clock.ahead = 3600
        with pytest.raises(Behind):
            ours.refresh()
        assert ours.is_degraded
        assert ours.age_seconds > DEGRADED_AFTER_SECONDS
        clock.ahead = 0

        # And then it is there.
        replica.run("SELECT pg_wal_replay_resume()")
        until(lambda: shows(ours, 2))
        until(lambda: not journal.writes._tried() and shows(ours, 2) and not ours.is_degraded)

        # Promoted without what came last, it is another history.
        replica.run("ALTER SYSTEM SET primary_conninfo = ''")
        replica.run("SELECT pg_reload_conf()")
        until(lambda: not replica.run("SELECT count(*) FROM pg_stat_wal_receiver"))
        with journal.writing("anna") as session:
            session.add(Business(name="Bitter Ltd"))
        private_postgres.stop()
        replica.promote()
        assert doctor() == "it is none: it follows no other"
        with pytest.raises(WentBack):
            ours.refresh()
        assert ours.is_degraded
        assert len(ours.search.snapshot) == 2

        # Until somebody says that it counts.
        promoted = settings_for(tmp_path, of_replica)
        publish(of_replica, tmp_path, time.time(), demonstration=False, accepted=True)
        Journal.of(promoted, journal.replica).accept()
        until(lambda: shows(ours, 2) and not ours.is_degraded)
        ours.close()


def test_reports_go_on_without_the_primary(postgresql_url: str, tmp_path: Path) -> None:
    away = "postgresql+psycopg://nobody@/nothing?host=/nowhere"
    first = application(settings_for(tmp_path, postgresql_url))
    token = signed_in(first, "licensing")
    first.state.directory.refresh()
    first.state.directory.close()
    with serving(application(settings_for(tmp_path, away, replica_url=postgresql_url))) as client:
        until(lambda: client.get("/health/ready").is_success)
        with client_of(client.base_url, token) as licensing:
            assert licensing.get("/v1/audit/coverage").status_code == 200
            answer = licensing.get("/v1/admin/venues")
            assert answer.status_code == 503
            assert answer.json()["type"] == "urn:safe-havens:problem:unavailable"


@pytest.mark.drill
def test_a_primary_that_is_gone_is_waited_for_or_replaced(
    private_postgres: Postgres, replica: Postgres, tmp_path: Path
) -> None:
    with pooled(private_postgres) as pooler, ExitStack() as clients:
        address = (pooler or private_postgres).url("havens")
        app = make_app(address, tmp_path, replica_url=replica.url("havens"))
        token = {role: signed_in(app, role) for role in ("officer", "licensing")}
        anybody = clients.enter_context(serving(app))
        base = anybody.base_url
        officer, licensing = (
            clients.enter_context(client_of(base, token[role])) for role in ("officer", "licensing")
        )
        names = count(1)

        def write() -> bool:
            name = f"Ales {next(names)} Ltd"
            answer = officer.post("/v1/admin/businesses", json={"name": name})
            assert answer.status_code in (201, 503), answer.text
            return answer.status_code == 201

        make_venue(app.state.journal.engine, name="The Lantern")
        until(lambda: anybody.get("/v1/havens").text.count("The Lantern"))

        # Away: everything public and reports go on.
        private_postgres.stop()
        assert not write()
        for path in ("/v1/havens", "/v1/havens/nearest?lat=51.5155&lon=-0.0922", "/", "/map"):
            assert anybody.get(path).status_code == 200
        assert licensing.get("/v1/audit/coverage").status_code == 200
        until(lambda: anybody.get("/health/ready").json()["status"] == "degraded")
        private_postgres.start()
        until(write)
        until(lambda: anybody.get("/health/ready").json()["status"] == "ok")
        if pooler is None:
            return

        # Gone: a synchronous replica has all that was answered, and takes its place.
        private_postgres.run("ALTER SYSTEM SET synchronous_standby_names = '*'")
        private_postgres.run("SELECT pg_reload_conf()")
        state = "SELECT sync_state FROM pg_stat_replication"
        until(lambda: private_postgres.run(state) == "sync")
        journal = app.state.journal
        before, stop = journal.length(), threading.Event()
        taken: list[bool] = []

        def writing() -> None:
            while not stop.is_set():
                taken.extend([True] * write())

        writer = threading.Thread(target=writing)
        writer.start()
        try:
            until(lambda: len(taken) >= 20)
            private_postgres.crash()
            replica.promote()
            pooler.point(replica)
            after = len(taken)
            until(lambda: len(taken) >= after + 5)
        finally:
            stop.set()
            writer.join()
        assert journal.length() >= before + len(taken)
        assert journal.verify() is None
        make_venue(journal.engine, name="The Mitre")
        until(lambda: anybody.get("/v1/havens").text.count("The Mitre"))


@pytest.fixture
def pooler(postgres: Postgres) -> Iterator[PgBouncer]:
    with pooled(postgres) as found:
        if found is None:
            pytest.skip(NO_PGBOUNCER)
        yield found


def test_limits_and_locks_hold_through_a_pooler(
    pooler: PgBouncer, postgresql_url: str, tmp_path: Path
) -> None:
    name = postgresql_url.partition("@/")[2].partition("?")[0]
    url = pooler.url(name)
    migrate(url)

    def limits(engine: Engine) -> list[str]:
        with read_session(engine) as session:
            return [
                session.execute(text(f"SHOW {name}")).scalar_one()
                for name in ("statement_timeout", "lock_timeout", "timezone")
            ]

    with connected(url) as ours, connected(url) as theirs, ThreadPoolExecutor(8) as threads:
        journal = Journal.of(settings_for(tmp_path, url), ours)
        with ours.begin() as connection:
            connection.execute(text("SET LOCAL statement_timeout = 0"))
        for found in threads.map(limits, [ours, theirs] * 20):
            assert found == ["30s", "10s", "UTC"]

        with alone_at_mail(ours) as check:
            check()
            with pytest.raises(NotAlone), alone_at_mail(theirs):
                pass
        with alone_at_mail(theirs) as check:
            check()

        def write(number: int) -> None:
            with journal.writing("anna") as session:
                session.add(Business(name=f"Ales {number} Ltd"))

        list(threads.map(write, range(40)))
        assert journal.length() == 40
        assert journal.verify() is None
