"""The host's clock is moved under the service, by 13 hours and by a year each way, and back.

    python -m tests.drills.clocks

With libfaketime (on Debian: apt-get install faketime). A demonstration on SQLite goes through
everything: it runs when its clock is moved, is started by the wrong clock, and is put right again.
On PostgreSQL, which keeps its own clock, it refuses to record by a wrong one. Leaves with 1 when
something crashed, when anything that was recorded is not shown, when the public is not answered
again, or when a sign-in that was ended goes on.
"""

import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx

from app.accounts.demo import FILE as PASSWORDS
from app.core.db import make_engine, migrate
from app.core.journal import Journal
from tests.bench.report import begin, say, table
from tests.databases import NO_POSTGIS, Postgres, find_postgis
from tests.servers import Service, running, settings_for, until

NO_LIBRARY = "libfaketime is not installed, so no clock was moved (apt-get install faketime)"
OFFSETS = {
    "13 hours ahead": timedelta(hours=13),
    "13 hours behind": -timedelta(hours=13),
    "a year ahead": timedelta(days=365),
    "a year behind": -timedelta(days=365),
}
NEAREST = "/v1/havens/nearest?lat=51.5155&lon=-0.0922"
RIGHT = timedelta()


def find_library() -> Path | None:
    """What moves a program's clock, if it is here."""
    return next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)


@dataclass(frozen=True)
class MovedClock:
    """A clock on the wall for what is started `by` it, kept in a file."""

    file: Path
    library: Path

    @property
    def by(self) -> list[str]:
        """The command that runs another one by this clock."""
        return [
            *("env", f"LD_PRELOAD={self.library}", f"FAKETIME_TIMESTAMP_FILE={self.file}"),
            # Only the clock on the wall is moved, at once, and not that of files.
            *("FAKETIME_CACHE_DURATION=1", "FAKETIME_DONT_FAKE_MONOTONIC=1", "NO_FAKE_STAT=1"),
        ]

    def set(self, by: timedelta) -> None:
        """Set it so much ahead."""
        fresh = self.file.with_suffix(".new")
        fresh.write_text(f"{by.total_seconds():+.0f}")
        fresh.replace(self.file)

    def turn(self, by: timedelta, ask: Callable[[], httpx.Response]) -> None:
        """Set it under a service that runs, and wait until that goes by it."""
        self.set(by)
        until(lambda: goes_by(ask(), by))


def goes_by(answer: httpx.Response, by: timedelta) -> bool:
    """Whether who answered has a clock that is so much ahead."""
    said = parsedate_to_datetime(answer.headers["Date"])
    return abs(said - datetime.now(UTC) - by) < timedelta(minutes=5)


@dataclass
class Host:
    """What has its clock moved: the service that runs there, and who uses it."""

    data: Path
    clock: MovedClock
    url: str
    service: Service = field(init=False)
    made: list[str] = field(default_factory=list)
    """The names of the businesses that were recorded."""

    @contextmanager
    def running(self) -> Iterator[None]:
        """The service, by whatever the clock says."""
        with running(self.data, self.url, environment="demo", by=self.clock.by) as self.service:
            yield

    def move(self, by: timedelta) -> None:
        """Set the clock, and wait until the service goes by it."""
        self.clock.turn(by, self.live)

    def goes_by(self, by: timedelta) -> bool:
        """Whether the service has such a clock."""
        return goes_by(self.live(), by)

    def live(self) -> httpx.Response:
        """What it says of itself."""
        return self.service.get("/health/live")

    def public_is_answered(self) -> int:
        """How many havens there are, once the directory is there again."""
        until(lambda: self.service.get(NEAREST).is_success)
        assert until(lambda: self.service.get("/health/ready").is_success)
        return len(self.service.get("/v1/havens").json()["havens"])

    def sign_in(self) -> httpx.Client:
        """An officer who has just signed in."""
        password = json.loads((self.data / PASSWORDS).read_text())["officer"]
        client = self.service.client()
        answer = client.post("/v1/auth/token", data={"username": "officer", "password": password})
        assert answer.status_code == 200, answer.text
        client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        return client

    def record(self, officer: httpx.Client, expected: int = 201) -> None:
        """Add a business, or be refused."""
        name = f"Lantern {len(self.made)}"
        answer = officer.post("/v1/admin/businesses", json={"name": name})
        assert answer.status_code == expected, answer.text
        if expected == 201:
            self.made.append(name)

    def sees_all(self, officer: httpx.Client) -> None:
        """Hold what is listed against what was recorded."""
        listed = officer.get("/v1/admin/businesses", params={"limit": 200}).raise_for_status()
        names = {one["name"] for one in listed.json()["items"]}
        assert names.issuperset(self.made), f"hidden: {set(self.made) - names}"
        noted = officer.get("/v1/admin/journal", params={"limit": 200}).raise_for_status().json()
        told = {str(change.get("after")) for entry in noted["items"] for change in entry["changes"]}
        assert told.issuperset(self.made), f"not in the journal: {set(self.made) - told}"
        for path in ("/v1/admin/venues", "/v1/admin/training/sessions", "/v1/admin/accreditations"):
            assert officer.get(path).raise_for_status().json()["items"], f"{path} is empty"


def is_in(client: httpx.Client) -> bool:
    """Whether a sign-in goes on."""
    answer = client.get("/v1/auth/me")
    assert answer.status_code in (200, 401), answer.text
    return answer.status_code == 200


def out(client: httpx.Client) -> httpx.Client:
    """Somebody who has signed out."""
    assert client.post("/v1/auth/sign-out").status_code == 204
    assert not is_in(client)
    return client


def moved(host: Host, by: timedelta) -> Iterator[str]:
    """Move the clock while the service runs, start it so, put it right; tells how far it came."""
    host.clock.set(RIGHT)
    with host.running():
        before = host.public_is_answered()
        first, ended = host.sign_in(), out(host.sign_in())
        host.record(first)
        host.move(by)
        there = host.public_is_answered()
        if abs(by) < timedelta(days=1):
            assert there == before, f"{there} havens, not {before}"
        yield "moved"
        assert not is_in(ended), "a sign-in that was ended goes on"
        assert by < RIGHT or not is_in(first), "a sign-in outlasts its end"
        then = host.sign_in()
        host.record(then)
        host.sees_all(then)
        ended_then = out(then)
        yield "recorded by it"
    with host.running():
        assert host.goes_by(by)
        host.public_is_answered()
        officer = host.sign_in()
        host.record(officer)
        host.sees_all(officer)
        yield "started by it"
        host.move(RIGHT)
        assert host.public_is_answered() == before
        for one in (ended, ended_then):
            one.base_url = officer.base_url
            assert not is_in(one), "a sign-in that was ended goes on"
        assert by < RIGHT or not is_in(officer), "a sign-in of another time goes on"
        again = host.sign_in()
        host.record(again)
        host.sees_all(again)
        yield "put right"


def refused(host: Host, by: timedelta) -> Iterator[str]:
    """Move the clock of a service, and not its database's: it reads, and records nothing."""
    host.clock.set(RIGHT)
    with host.running():
        host.public_is_answered()
        host.record(host.sign_in())
        host.move(by)
        host.public_is_answered()
        yield "moved"
        # Who signed in by the right clock may be out; nobody comes in by the wrong one.
        password = json.loads((host.data / PASSWORDS).read_text())["officer"]
        form = {"username": "officer", "password": password}
        answer = host.service.client().post("/v1/auth/token", data=form)
        assert answer.status_code in (200, 503), answer.text
        yield f"a sign-in was answered {answer.status_code}"
        host.move(RIGHT)
        again = host.sign_in()
        host.record(again)
        host.sees_all(again)
        yield "put right"


def is_whole(host: Host) -> Iterator[str]:
    """What is wrong with the journal, if anything is."""
    engine = make_engine(host.url)
    if (
        broken := Journal.of(settings_for(host.data, host.url, "demo"), engine).verify()
    ) is not None:
        yield f"the journal is broken: {broken}"
    engine.dispose()


def main() -> None:
    """Print what was seen, and leave with 1 unless it was what is promised."""
    library = find_library()
    begin()
    if library is None:
        say(NO_LIBRARY)
        return
    rows: list[list[str]] = []
    wrong: list[str] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="havens-drill-")))
        urls = {"SQLite": f"sqlite:///{folder}/havens.sqlite"}
        if bin_ := find_postgis():
            server = Postgres(bin_)
            stack.callback(server.remove)
            server.start()
            urls["PostgreSQL"] = server.create("clocks")
        else:
            say(NO_POSTGIS)
        for kind, url in urls.items():
            migrate(url)
            data = folder / kind
            data.mkdir()
            host = Host(data, MovedClock(folder / f"{kind}.clock", library), url)
            for name, by in OFFSETS.items():
                came: list[str] = []
                try:
                    for what in (moved if kind == "SQLite" else refused)(host, by):
                        came.append(what)  # noqa: PERF402 - what came before a failure, too
                except (AssertionError, httpx.HTTPError) as error:
                    wrong.append(f"{kind}, {name}: {error!r}")
                lines = host.service.log.splitlines()
                wrong += [f"{kind}, {name}: {line}" for line in lines if "Traceback" in line][:3]
                rows.append([kind, name, ", ".join(came)])
            wrong += [f"{kind}: {what}" for what in is_whole(host)]
    table("A clock that is moved", ["database", "clock", "came through"], rows)
    say("\n".join(wrong) or "As promised.")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
