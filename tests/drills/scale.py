"""More than one machine, as docs/scaling.md says: what goes on when a part of it is gone.

    python -m tests.drills.scale [PART ...]

Two clusters of PostgreSQL, the second a streaming replica; PgBouncer by transactions before each; a
service with the register, and three hosts without a database, each of them processes of its own.
All the while every host is asked for what is public. Leaves with 1 when one of them did not answer
or went back, or when a promise did not hold: an edit everywhere within three seconds, time limits
through PgBouncer, what an answer costs with three hosts, a primary that stops, a replica that lags,
one that takes the primary's place with all that was written, and with less, and an hour of a host
alone by its own clock (libfaketime).
"""

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any
from uuid import UUID

import httpx
import psutil
import psycopg
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from app.core.db import connected, migrate, read_session, write_session
from app.directory.publication import new_keys
from app.directory.read_side import DEGRADED_AFTER_SECONDS
from tests.accounts import signed_in
from tests.applications import application
from tests.bench.open_loop import ask_all
from tests.bench.report import begin, say, table
from tests.databases import (
    NO_PGBOUNCER,
    NO_POSTGIS,
    PgBouncer,
    Postgres,
    find_pgbouncer,
    find_postgis,
)
from tests.drills.clocks import NO_LIBRARY, MovedClock, find_library
from tests.drills.load import NEAREST
from tests.factories import make_venue
from tests.processes import end_with_parent
from tests.servers import SECRET, Service, client_of, running, settings_for, until
from tests.venues.desk import BUSINESSES, VENUES, change

HOSTS = 3
HAVENS = 60
EDITS = 20
SHOWS_WITHIN_SECONDS = 3
ROUNDS, ROUND_SECONDS, A_SECOND = 3, 3, 500
DEAREST = 1.15
"""What an answer may cost with three hosts, as many times what it costs with one."""
PUBLIC = (
    *("/v1/havens", NEAREST, "/v1/changes", "/v1/wards", "/v1/help", "/", "/map"),
    *("/oruk/services", "/ogc/collections/havens/items"),
)
HERE = Path(sys.executable).parent


@dataclass
class Watch:
    """Asks every host all the time, and notes what it should not have seen."""

    hosts: list[httpx.Client]
    wrong: list[str] = field(default_factory=list)
    asked: int = 0
    slowest: float = 0
    newest: dict[httpx.URL, int] = field(default_factory=dict)
    """The version of the directory by host, which must not become an older one."""
    may_go_back: bool = False

    @contextmanager
    def watching(self) -> Iterator[None]:
        over = threading.Event()
        thread = threading.Thread(target=self._watch, args=(over,))
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _watch(self, over: threading.Event) -> None:
        while not over.wait(0.1):
            for host in self.hosts:
                began = time.perf_counter()
                try:
                    answer = host.get(NEAREST)
                except httpx.HTTPError as error:
                    self.wrong.append(f"{host.base_url}: {error!r}")
                    continue
                self.slowest = max(self.slowest, time.perf_counter() - began)
                self.asked += 1
                if not (answer.is_success and answer.json()["havens"]):
                    self.wrong.append(f"{host.base_url}: {answer.status_code}")
                    continue
                version, last = answer.json()["directory"]["version"], self.newest
                if version < last.get(host.base_url, 0) and not self.may_go_back:
                    self.wrong.append(f"{host.base_url}: from {last[host.base_url]} to {version}")
                last[host.base_url] = version


@dataclass
class Installation:
    """All of it, and who uses it."""

    bin_: Path
    folder: Path
    stack: ExitStack
    askers: Executor
    """Processes that ask, one for each host."""
    primary: Postgres
    replica: Postgres
    writers: PgBouncer
    readers: PgBouncer
    environment: dict[str, str]
    """Of the host with the register."""
    register: Service
    settings_of_hosts: dict[str, str]
    hosts: list[Service]
    officer: httpx.Client
    licensing: httpx.Client
    public: list[httpx.Client]
    """Anybody, at the host with the register and at each of the others."""
    watch: Watch
    haven: UUID
    _names: Iterator[int] = field(default_factory=lambda: count(1))
    _all_names: Iterator[int] = field(default_factory=lambda: count(1))

    def rename(self) -> str:
        """Give the haven another name, which is returned when that was acknowledged."""
        name = f"The Lantern {next(self._names)}"
        self.officer.get(path := f"{VENUES}/{self.haven}").raise_for_status()
        answer = change(self.officer, "PUT", path, {"name": name})
        assert answer.status_code == 200, f"an edit was answered {answer.status_code}"
        return name

    def shown(self) -> list[str]:
        """The name that each shows."""
        path = f"/v1/havens/{self.haven}"
        return [one.get(path).json()["name"] for one in self.public]

    def shows(self, name: str) -> float:
        """Wait until all show a name; returns the seconds that took."""
        began = time.monotonic()
        until(lambda: self.shown() == [name] * len(self.public))
        return time.monotonic() - began

    def business(self) -> str | None:
        """Record a business; its name when that was acknowledged, None when told to come again."""
        name = f"Ales {next(self._all_names)} Ltd"
        answer = self.officer.post(BUSINESSES, json={"name": name})
        assert answer.status_code in (201, 503), f"a write was answered {answer.status_code}"
        return name if answer.status_code == 201 else None

    def businesses(self) -> set[str]:
        """The names that the primary there is holds."""
        held = self.primary.run("SELECT array_agg(name) FROM business", "havens")
        return set(held or ())

    def states(self) -> set[str]:
        """What all say of themselves."""
        return {one.get("/health/ready").json()["status"] for one in self.public}

    def are_well(self) -> bool:
        return self.states() == {"ok"}

    def ages(self) -> list[int]:
        """How old the directory of each is, in seconds."""
        return [one.get(NEAREST).json()["directory"]["age_seconds"] for one in self.public]

    def all_is_read(self) -> None:
        """Ask everything public of all, and a report of the register."""
        for one in self.public:
            for path in PUBLIC:
                status = one.get(path).status_code
                assert status == 200, f"{one.base_url}{path} was answered {status}"
        status = self.licensing.get("/v1/audit/coverage").status_code
        assert status == 200, f"a report was answered {status}"

    def command(self, *words: str) -> str:
        """What a command on the host with the register says. Raises AssertionError."""
        inherited = {"PATH": str(HERE), "HAVENS_DATA_DIR": str(self.folder / "register")}
        ran = subprocess.run(
            [HERE / "havens", *words],
            env=inherited | self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, f"havens {' '.join(words)}: {ran.stdout}{ran.stderr}"
        return ran.stdout

    def follow(self) -> None:
        """Give the primary that there is a replica, from which is read."""
        self.replica = Postgres(self.bin_, primary=self.primary)
        self.stack.callback(self.replica.remove)
        self.replica.start()
        self.readers.point(self.replica)

    def promote(self) -> None:
        """Have the replica take the place of a primary that is gone."""
        self.replica.promote()
        self.writers.point(self.replica)
        self.primary = self.replica


# --- how it is set up --------------------------------------------------------------------------


def installed(stack: ExitStack, bin_: Path, bouncer: str) -> Installation:
    """Two clusters, a pooler for each, the register, three hosts; all well."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="havens-drill-")))
    askers = stack.enter_context(
        ProcessPoolExecutor(HOSTS, get_context("fork"), initializer=end_with_parent)
    )
    # They are forked here, as long as there is one thread.
    askers.submit(int).result()

    primary = Postgres(bin_)
    stack.callback(primary.remove)
    primary.start()
    url = primary.create("havens")
    migrate(url)
    with connected(url) as engine:
        haven = make_venue(engine, name="The Lantern", hours="24/7").id
        for number in range(1, HAVENS):
            lat = 51.51 + number / 10_000
            make_venue(engine, name=f"Haven {number}", hours="24/7", lat=lat, lon=-0.09)
    replica = Postgres(bin_, primary=primary)
    stack.callback(replica.remove)
    replica.start()
    writers, readers = PgBouncer(bouncer, primary), PgBouncer(bouncer, replica)
    stack.callback(writers.remove)
    stack.callback(readers.remove)

    private, public = new_keys()
    given = {
        "HAVENS_DATABASE_URL": writers.url("havens"),
        "HAVENS_REPLICA_URL": readers.url("havens"),
        "HAVENS_PUBLISHING_KEY": private,
        "HAVENS_SECRET_KEY": SECRET,
        # Whoever signs in here has no app.
        "HAVENS_SECOND_FACTOR": "nobody",
    }
    register = stack.enter_context(start(folder / "register", given))
    believed = {
        "HAVENS_DIRECTORY_URL": f"{register.url}/published",
        "HAVENS_DIRECTORY_KEYS": public,
        "HAVENS_PUBLIC_URL": "https://havens.example",
    }
    hosts = [
        stack.enter_context(start(folder / f"host-{number}", believed)) for number in range(HOSTS)
    ]
    anybody = [stack.enter_context(one.client()) for one in (register, *hosts)]
    until(lambda: all(one.get(NEAREST).is_success for one in anybody))

    database = given["HAVENS_DATABASE_URL"]
    app = application(settings_for(folder / "register", database, second_factor="nobody"))
    officer, licensing = (
        stack.enter_context(client_of(register.url, signed_in(app, role)))
        for role in ("officer", "licensing")
    )
    app.state.journal.engine.dispose()
    watched = Watch([stack.enter_context(one.client()) for one in hosts])
    there = Installation(
        bin_=bin_,
        folder=folder,
        stack=stack,
        askers=askers,
        primary=primary,
        replica=replica,
        writers=writers,
        readers=readers,
        environment=given,
        register=register,
        settings_of_hosts=believed,
        hosts=hosts,
        officer=officer,
        licensing=licensing,
        public=anybody,
        watch=watched,
        haven=haven,
    )
    # What was stored past the journal is in it from here on.
    there.command("journal", "accept", "--rows")
    until(there.are_well)
    return there


@contextmanager
def start(data_dir: Path, given: dict[str, str], by: tuple[str, ...] = ()) -> Iterator[Service]:
    """A service with settings, all of which are in its environment."""
    data_dir.mkdir()
    more: dict[str, Any] = dict(given)
    database = more.pop("HAVENS_DATABASE_URL", "")
    with running(data_dir, database, by=by, **more) as service:
        yield service


# --- what is promised --------------------------------------------------------------------------


def edits(there: Installation) -> str:
    """An edit is on every host within three seconds."""
    seconds = [there.shows(there.rename()) for _ in range(EDITS)]
    assert max(seconds) <= SHOWS_WITHIN_SECONDS, f"an edit took {max(seconds):.1f} s"
    return f"{EDITS} edits: {median(seconds):.1f} s, at most {max(seconds):.1f} s"


def limits(there: Installation) -> str:
    """Limits of time hold through PgBouncer, of a statement and of a wait for a lock."""

    def too_long() -> float:
        began = time.monotonic()
        with (
            connected(there.writers.url("havens")) as engine,
            read_session(engine) as session,
            suppress(OperationalError),
        ):
            session.execute(text("SELECT pg_sleep(60)"))
        return time.monotonic() - began

    def locked() -> tuple[str | None, float]:
        with connected(there.primary.url("havens")) as engine, write_session(engine):
            began = time.monotonic()
            return there.business(), time.monotonic() - began

    with ThreadPoolExecutor(1) as beside:
        statement = beside.submit(too_long)
        written, waited = locked()
    assert written is None, "a write was taken while another had its turn"
    assert 9 < waited < 15, f"a lock was waited for {waited:.0f} s"
    assert 29 < statement.result() < 35, f"a statement ended after {statement.result():.0f} s"
    assert there.business(), "nothing can be written after that"
    return f"a wait ends after {waited:.0f} s, a statement after {statement.result():.0f} s"


def cost(there: Installation) -> str:
    """An answer costs with three hosts what it costs with one."""

    def spent(hosts: list[Service]) -> float:
        return sum(_processor_seconds(host.process) for host in hosts)

    def round_of(hosts: list[Service], a_second: float) -> float:
        before = spent(hosts)
        ports = [httpx.URL(host.url).port or 0 for host in hosts]
        asked = [there.askers.submit(ask_all, port, a_second, ROUND_SECONDS) for port in ports]
        answers = sum(len(one.result()) for one in asked)
        return 1000 * (spent(hosts) - before) / answers

    # In turns, for the machine is not always as fast.
    rounds = [
        (
            round_of(there.hosts[:1], A_SECOND),
            round_of(there.hosts, A_SECOND),
            round_of(there.hosts, A_SECOND / HOSTS),
        )
        for _ in range(ROUNDS)
    ]
    one, each, shared = (median(figures) for figures in zip(*rounds, strict=True))
    ratio = median(round_[1] / round_[0] for round_ in rounds)
    seen = (
        f"{one:.3f} ms of a processor with one host, {each:.3f} with three ({ratio:.2f} times),"
        f" {shared:.3f} when they share the questions of one"
    )
    assert ratio <= DEAREST, seen
    return seen


def _processor_seconds(process: psutil.Process) -> float:
    total = 0.0
    for one in (process, *process.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            times = one.cpu_times()
            total += times.user + times.system
    return total


def stopped(there: Installation) -> str:
    """The primary is stopped: what is public is read, and reports; later all goes on."""
    there.primary.stop()
    assert there.business() is None, "a write was taken without a primary"
    there.all_is_read()
    until(lambda: there.states() == {"degraded"})
    there.all_is_read()
    there.primary.start()
    began = time.monotonic()
    until(there.business)
    until(there.are_well)
    seconds = time.monotonic() - began
    return f"all is read; all well {seconds:.0f} s after its return"


def lagging(there: Installation) -> str:
    """A replica that lags is behind and not back, and the age counts it."""
    there.replica.run("SELECT pg_wal_replay_pause()")
    until(lambda: there.replica.run("SELECT pg_get_wal_replay_pause_state()") == "paused")
    before, began = there.shown(), time.monotonic()
    name = there.rename()
    until(lambda: min(there.ages()) > DEGRADED_AFTER_SECONDS + 2)
    # What is signed is so every other second, and fetched a moment later.
    behind, ages = time.monotonic() - began, there.ages()
    assert all(abs(age - behind) < 6 for age in ages), f"{ages} s old after {behind:.0f} s"
    assert there.states() == {"degraded"}, "nobody says that it is behind"
    assert there.shown() == before, "it shows what the replica can't know"
    there.replica.run("SELECT pg_wal_replay_resume()")
    seconds = there.shows(name)
    until(there.are_well)
    return f"{behind:.0f} s behind: {max(ages)} s old; caught up after {seconds:.1f} s"


def replaced(there: Installation) -> str:
    """A replica that has all that was answered takes the place of a primary that is gone."""
    there.primary.run("ALTER SYSTEM SET synchronous_standby_names = '*'")
    there.primary.run("SELECT pg_reload_conf()")
    state = "SELECT sync_state FROM pg_stat_replication"
    until(lambda: there.primary.run(state) == "sync")
    taken: list[str] = []
    over = threading.Event()

    def writing() -> None:
        while not over.is_set():
            if name := there.business():
                taken.append(name)

    with ThreadPoolExecutor(1) as writer:
        written = writer.submit(writing)
        try:
            until(lambda: len(taken) >= 20)
            there.primary.crash()
            gone, before = time.monotonic(), len(taken)
            there.promote()
            until(lambda: len(taken) >= before + 10)
            seconds = time.monotonic() - gone
        finally:
            over.set()
        written.result()
    held = there.businesses()
    lost = set(taken) - held
    assert not lost, f"{len(lost)} of {len(taken)} acknowledged writes are lost"
    there.command("journal", "verify")
    # From here on, the new primary has a replica of its own.
    there.follow()
    there.shows(there.rename())
    until(there.are_well)
    return f"{len(taken)} writes, 0 lost, the chain whole; ten more after {seconds:.1f} s"


def poorer(there: Installation) -> str:
    """One that lacks what was answered is followed only when somebody says so."""
    before = there.shown()
    there.replica.run("ALTER SYSTEM SET primary_conninfo = ''")
    there.replica.run("SELECT pg_reload_conf()")
    until(lambda: not there.replica.run("SELECT count(*) FROM pg_stat_wal_receiver"))
    there.rename()
    lost = [there.business() for _ in range(3)]
    assert all(lost), "nothing was written that could be lost"
    there.primary.crash()
    there.promote()
    held = there.businesses()
    assert not held.intersection(lost), "it lacks nothing"
    until(lambda: there.states() == {"degraded"})
    # Longer than it takes to ask for the directory, build and fetch it.
    began = time.monotonic()
    while time.monotonic() < began + 3 * SHOWS_WITHIN_SECONDS:
        assert there.shown() == before, "it was followed unasked"
        time.sleep(0.2)
    there.all_is_read()
    there.watch.may_go_back = True
    there.command("journal", "accept")
    until(there.are_well)
    there.watch.may_go_back = False
    there.command("journal", "verify")
    there.shows(there.rename())
    return f"{len(lost)} entries lost, the last good directory; once accepted, all is well"


def alone(there: Installation) -> str:
    """A host answers for an hour of its clock when there is nothing to fetch, and catches up."""
    library = find_library()
    if library is None:
        return NO_LIBRARY
    clock = MovedClock(there.folder / "clock", library)
    clock.set(timedelta())
    given = there.settings_of_hosts
    with (
        start(there.folder / "alone", given, tuple(clock.by)) as host,
        host.client() as anybody,
    ):
        live = partial(anybody.get, "/health/live")
        until(lambda: anybody.get("/health/ready").json()["status"] == "ok")
        with frozen(there.register.process):
            for minutes in range(10, 61, 10):
                clock.turn(timedelta(minutes=minutes), live)
                for path in PUBLIC:
                    status = anybody.get(path).status_code
                    assert status == 200, f"{path} was answered {status} after {minutes} minutes"
            age = anybody.get(NEAREST).json()["directory"]["age_seconds"]
            assert age >= 3600, f"after an hour it is {age} s old"
            assert anybody.get("/health/ready").json()["status"] == "degraded"
        clock.turn(timedelta(), live)
        there.public.append(anybody)
        try:
            seconds = there.shows(there.rename())
            until(there.are_well)
        finally:
            there.public.remove(anybody)
    return f"all is read, {age} s old; an edit {seconds:.1f} s after its clock was right"


@contextmanager
def frozen(process: psutil.Process) -> Iterator[None]:
    """Have a service stand still: it is there, and says nothing."""
    family = [process, *process.children(recursive=True)]
    for one in family:
        one.suspend()
    try:
        yield
    finally:
        for one in family:
            one.resume()


PARTS: tuple[Callable[[Installation], str], ...] = (
    *(edits, limits, cost, stopped, lagging),
    *(replaced, poorer, alone),
)


def main() -> None:
    """Print what was seen, and leave with 1 unless it was what is promised."""
    parts = {part.__name__: part for part in PARTS}
    parser = argparse.ArgumentParser(prog="python -m tests.drills.scale")
    parser.add_argument("names", nargs="*", metavar="|".join(parts), help="all, unless named")
    names = parser.parse_args().names or list(parts)
    if unknown := set(names) - set(parts):
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    bin_, bouncer = find_postgis(), find_pgbouncer()
    if bin_ is None:
        sys.exit(NO_POSTGIS)
    if bouncer is None:
        sys.exit(NO_PGBOUNCER)
    begin()
    rows: list[list[str]] = []
    wrong: list[str] = []
    with ExitStack() as stack:
        there = installed(stack, bin_, bouncer)
        with there.watch.watching():
            for name in names:
                began = time.monotonic()
                try:
                    seen = parts[name](there)
                except (AssertionError, httpx.HTTPError, psycopg.Error) as error:
                    seen = "not as promised"
                    wrong.append(f"{name}: {error}")
                    print(wrong[-1])
                rows.append([name, seen, f"{time.monotonic() - began:.0f}"])
                print(*rows[-1], sep=": ", flush=True)
        wrong += there.watch.wrong[:10]
    table(f"{HAVENS} havens, the register and {HOSTS} hosts", ["", "seen", "s"], rows)
    say(
        f"{there.watch.asked:,} questions to the hosts meanwhile, {len(there.watch.wrong)} answered"
        f" wrongly or not at all; the slowest took {there.watch.slowest:.2f} s."
    )
    say("\n".join(wrong) or "As promised.")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
