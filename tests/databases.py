"""Throw-away PostgreSQL servers; `python -m tests.databases` says whether there can be any."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg
from psycopg import sql

from tests.processes import ending_with_us

NO_POSTGIS = (
    "PostgreSQL with PostGIS is not installed, so nothing is tested on it "
    "(on Debian and Ubuntu: apt-get install postgresql-postgis)"
)

# Runs beside each server until its standard input closes, which happens however pytest ends; then
# no server and no directory is left, even after a kill or a worker's sudden end.
_JANITOR = """
cat
if pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null) && kill -QUIT "$pid" 2>/dev/null; then
    for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
fi
rm -rf "$1"
"""


def find_postgis() -> Path | None:
    """The newest PostgreSQL's directory of programs that has PostGIS beside it, if there is one."""
    debian = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda bin_: float(bin_.parent.name)
    )
    on_path = shutil.which("initdb")
    candidates = [*reversed(debian), *([Path(on_path).resolve().parent] if on_path else [])]
    return next((bin_ for bin_ in candidates if _has_postgis(bin_)), None)


def _has_postgis(bin_: Path) -> bool:
    if not all((bin_ / program).exists() for program in ("initdb", "postgres", "pg_config")):
        return False
    shared = subprocess.run(
        [bin_ / "pg_config", "--sharedir"], capture_output=True, text=True, check=True
    )
    return Path(shared.stdout.strip(), "extension", "postgis.control").exists()


def workplace() -> str:
    """Where databases live: in memory if it has room, since they keep a disk busy.

    Servers not under pytest's own directories: they are closed to another user, and their names are
    too long for a socket.
    """
    memory = Path("/dev/shm")
    if memory.is_dir() and shutil.disk_usage(memory).free > 2 * 1024**3:
        return str(memory)
    return "/tmp"


def _unprivileged() -> dict[str, Any]:
    """The arguments with which `subprocess` starts the server, for it refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    users = {user.pw_name: user for user in pwd.getpwall()}
    user = users.get("postgres") or users["nobody"]
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


class Postgres:
    """One server with its own data, reached through a socket in its own directory.

    A socket needs no free port, so that any number of runs can go on side by side.
    """

    def __init__(
        self, bin_: Path, folder: Path | None = None, primary: "Postgres | None" = None
    ) -> None:
        """With databases of its own, or those of a primary that runs, which it then follows."""
        self._bin = bin_
        self.home = Path(tempfile.mkdtemp(prefix="havens-pg-", dir=folder or workplace()))
        self._as = {"cwd": self.home, **_unprivileged()}
        self._process: subprocess.Popen[bytes] | None = None
        self._janitor = subprocess.Popen(
            ["sh", "-c", _JANITOR, "janitor", self.home],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        if "user" in self._as:
            os.chown(self.home, self._as["user"], self._as["group"])
        # What is sorted and folded must not depend on whoever runs the tests.
        locale = "C.UTF-8" if sys.platform == "linux" else "C"
        how: Sequence[str | Path] = (
            *("initdb", "--auth", "trust", "--encoding", "UTF8", "--locale", locale),
            *("--no-sync", "--username", "postgres"),
        )
        if primary:
            how = (
                *("pg_basebackup", "--write-recovery-conf", "--checkpoint", "fast", "--no-sync"),
                *("--username", "postgres", "--host", primary.home),
            )
        made = subprocess.run(
            [bin_ / how[0], *how[1:], "--pgdata", self.home / "data"],
            **self._as,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if made.returncode:
            raise RuntimeError(made.stdout)

    def start(self) -> None:
        """Start the server and wait until it answers."""
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": self.home,
            # Nothing here has to survive a power cut. A crash of the server must lose nothing that
            # was committed, as anywhere: so a commit waits until its log is written.
            "fsync": "off",
            "full_page_writes": "off",
            "max_wal_size": "256MB",
            # It would hold on to the template just when a test copies it.
            "autovacuum": "off",
        }
        log = self.home / "log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [
                    *(self._bin / "postgres", "-D", self.home / "data"),
                    *(f"--{name}={value}" for name, value in settings.items()),
                ],
                **self._as,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C is for pytest, which then ends its tests in order
            )
        deadline = time.monotonic() + 60
        while True:
            try:
                self._connect().close()
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(log.read_text()) from None
                time.sleep(0.02)
            else:
                return

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop the server: SIGINT drops every connection, SIGQUIT is a crash."""
        if self._process:
            self._process.send_signal(how)
            self._process.wait(60)
            self._process = None

    def crash(self) -> None:
        """Kill every process of the server at once, with no chance to put anything in order."""
        assert self._process
        children = psutil.Process(self._process.pid).children()
        self._process.kill()
        for child in children:
            with suppress(psutil.NoSuchProcess):
                child.kill()
        psutil.wait_procs(children, timeout=60)
        self._process.wait(60)
        self._process = None

    def run(self, statement: str, database: str = "postgres") -> Any:
        """The first value that a statement gives, if it gives any."""
        with self._connect(database) as connection:
            done = connection.execute(statement)
            row = done.fetchone() if done.description else None
            return row[0] if row else None

    def promote(self) -> None:
        """Have a replica follow no longer, and be written."""
        self.run("SELECT pg_promote()")

    def kill_backend(self, database: str) -> bool:
        """Kill one process that serves a database, if there is one: the others end with it, and
        the server recovers by itself."""
        assert self._process
        for process in psutil.Process(self._process.pid).children():
            with suppress(psutil.NoSuchProcess):
                if f" {database} " in " ".join(process.cmdline()):
                    process.kill()
                    return True
        return False

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Have every process of the server stand still: it is there, and says nothing."""
        assert self._process
        server = psutil.Process(self._process.pid)
        family = [server, *server.children()]
        for process in family:
            process.suspend()
        try:
            yield
        finally:
            for process in family:
                process.resume()

    def remove(self) -> None:
        """Stop the server and delete all it had."""
        try:
            self.stop(signal.SIGQUIT)
        finally:
            self._janitor.communicate()

    def url(self, database: str) -> str:
        """Where SQLAlchemy finds a database of this server."""
        return f"postgresql+psycopg://postgres@/{database}?host={self.home}"

    def create(self, database: str, template: str = "template1") -> str:
        """Make a database, as a copy of another to which nobody is connected; return its URL."""
        with self._connect() as connection:
            # Through its log, as newer servers do it unless told, it takes three times as long.
            how = "STRATEGY FILE_COPY" if connection.info.server_version >= 150_000 else ""
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {} {}").format(
                    sql.Identifier(database), sql.Identifier(template), sql.SQL(how)
                )
            )
        return self.url(database)

    def drop(self, database: str) -> None:
        """Delete a database, connections or not."""
        statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
        with self._connect() as connection:
            connection.execute(statement.format(sql.Identifier(database)))

    def _connect(self, database: str = "postgres") -> psycopg.Connection:
        return psycopg.connect(
            host=str(self.home), user="postgres", dbname=database, autocommit=True
        )


NO_PGBOUNCER = "PgBouncer is not installed, so nothing goes through it (apt-get install pgbouncer)"

_PGBOUNCER = """
[databases]
* = host={host} user=postgres

[pgbouncer]
unix_socket_dir = {home}
listen_port = 6432
auth_type = any
pool_mode = transaction
default_pool_size = 4
max_client_conn = 500
query_wait_timeout = 5
server_login_retry = 1
server_connect_timeout = 3
"""


class PgBouncer:
    """PgBouncer in transaction mode, in front of a server."""

    def __init__(self, program: str, server: Postgres) -> None:
        # In a directory that goes with the server, however this ends.
        self._home = Path(tempfile.mkdtemp(prefix="havens-pgb-", dir=server.home))
        self._configure(server)
        as_ = _unprivileged()
        if as_:
            os.chown(self._home, as_["user"], as_["group"])
        with (self._home / "log").open("wb") as log:
            self._process = subprocess.Popen(
                ending_with_us([program, self._home / "pgbouncer.ini"]),
                **{"cwd": self._home, **as_},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + 60
        while not (self._home / ".s.PGSQL.6432").exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self._home / "log").read_text())
            time.sleep(0.02)

    def _configure(self, server: Postgres) -> None:
        text = _PGBOUNCER.format(host=server.home, home=self._home)
        (self._home / "pgbouncer.ini").write_text(text)

    def point(self, server: Postgres) -> None:
        """Stand in front of another server from now on."""
        self._configure(server)
        self._process.send_signal(signal.SIGHUP)

    def url(self, database: str) -> str:
        """Where SQLAlchemy finds a database through it."""
        return f"postgresql+psycopg://postgres@/{database}?host={self._home}&port=6432"

    def remove(self) -> None:
        """Stop it and delete all it had."""
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self._home)


def find_pgbouncer() -> str | None:
    """PgBouncer's program, if it is here."""
    return shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")


@contextmanager
def pooled(server: Postgres) -> Iterator[PgBouncer | None]:
    """PgBouncer in front of a server; None where it is not installed."""
    program = find_pgbouncer()
    if program is None:
        yield None
        return
    pooler = PgBouncer(program, server)
    try:
        yield pooler
    finally:
        pooler.remove()


@contextmanager
def each_kind(folder: str) -> Iterator[dict[str, str]]:
    """The addresses of an empty database of each kind that there is here, by its name."""
    urls = {"SQLite": f"sqlite:///{folder}/havens.sqlite"}
    bin_ = find_postgis()
    if bin_ is None:
        print(NO_POSTGIS)
        yield urls
        return
    server = Postgres(bin_)
    try:
        server.start()
        yield urls | {"PostgreSQL": server.create("bench")}
    finally:
        server.remove()


if __name__ == "__main__":
    found = find_postgis()
    if found is None:
        sys.exit(f"{NO_POSTGIS}.")
    print(f"PostgreSQL with PostGIS: {found}")
