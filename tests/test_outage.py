"""What goes on answering when something behind it, or a process of it, is gone."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from hashlib import sha256
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from app.core.db import connected
from app.directory.live import Directory
from app.directory.snapshot import HOUR, MixedData, Unusable, load
from app.start import prepare
from tests.databases import Postgres
from tests.factories import utc
from tests.servers import (
    METRICS,
    Service,
    add_venue,
    refusal,
    running,
    serving_directory,
    settings_for,
    until,
)

NEAREST = "/v1/havens/nearest?lat=51.5134&lon=-0.0890"
NOBODY = "postgresql+psycopg://nobody@/none?host=/nowhere"
"""A database that is never there."""


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


def ready(service: Service | httpx.Client) -> tuple[int, str]:
    response = service.get("/health/ready")
    return response.status_code, response.json()["status"]


def age(service: Service | httpx.Client) -> int:
    seconds: int = service.get(NEAREST).json()["directory"]["age_seconds"]
    return seconds


def names(service: Service | httpx.Client) -> list[str]:
    return [haven["name"] for haven in service.get(NEAREST).json()["havens"]]


# --- the database ----------------------------------------------------------------------------


def test_a_database_that_goes_away_and_comes_back(
    private_postgres: Postgres, data_dir: Path
) -> None:
    url = private_postgres.url("havens")
    add_venue(url, name="The Lantern")
    with running(data_dir, url) as service:
        until(lambda: ready(service) == (200, "ok"))
        private_postgres.stop(signal.SIGQUIT)

        until(lambda: "directory not confirmed" in service.log)
        first = age(service)
        until(lambda: age(service) >= first + 2)
        assert names(service) == ["The Lantern"]
        for path in (
            "/v1/havens",
            "/v1/wards",
            "/map",
            "/v1/help",
            "/health/live",
            "/health/ready",
            "/metrics",
        ):
            assert service.get(path).status_code == 200
        assert service.log.count("directory not confirmed") == 1, "said once, not twice a second"

        private_postgres.start()
        add_venue(url, name="The Anchor")
        until(lambda: "The Anchor" in names(service))
        until(lambda: "directory confirmed again" in service.log)


def test_readiness_when_the_database_is_away(private_postgres: Postgres, data_dir: Path) -> None:
    now = utc("2026-11-27T23:00")
    url = private_postgres.url("havens")
    add_venue(url, name="The Lantern")
    with serving_directory(data_dir, url, lambda: now) as client:
        assert ready(client) == (200, "ok")
        private_postgres.stop()
        until(lambda: client.get("/metrics", headers=METRICS))
        now += 10
        until(lambda: age(client) == 10)
        assert ready(client) == (200, "ok")
        now += 1
        assert ready(client) == (200, "degraded")
        now += 13 * 24 * 3600
        assert names(client) == ["The Lantern"]
        assert age(client) == 13 * 24 * 3600 + 11
        assert ready(client) == (200, "degraded")
        # What nobody can work out any more is not made up.
        now += 24 * 3600
        assert ready(client) == (503, "unavailable")
        assert client.get(NEAREST).status_code == 503

        private_postgres.start()
        until(lambda: ready(client) == (200, "ok"))
        assert age(client) == 0


def test_a_start_without_the_database_answers_from_the_last_snapshot(
    sqlite_url: str, data_dir: Path
) -> None:
    add_venue(sqlite_url, name="The Lantern")
    with serving_directory(data_dir, sqlite_url):
        pass
    with running(data_dir, NOBODY) as service:
        assert names(service) == ["The Lantern"]
        assert ready(service)[0] == 200
        assert service.get("/v1/havens").status_code == 200
        until(lambda: age(service) > 1)


def test_a_start_with_neither_database_nor_snapshot(data_dir: Path) -> None:
    said = refusal(data_dir, NOBODY).splitlines()[4:]  # after its own addresses
    assert len(said) == 1
    assert said[0].startswith("The database can't be used: ")


def test_a_process_without_a_directory_says_so_until_there_is_one(
    private_postgres: Postgres, data_dir: Path
) -> None:
    url = private_postgres.url("havens")
    private_postgres.stop()
    with serving_directory(data_dir, url, is_ready=False) as client:
        assert client.get("/health/live").status_code == 200
        assert client.get("/health/ready").json() == {"status": "unavailable"}
        assert ready(client) == (503, "unavailable")
        assert client.get("/v1/help").json()["help"][0]["phone"] == "999"
        for path in (NEAREST, "/v1/havens", "/v1/havens/6f1c0c5e-2f6e-4d4b-9a57-0f7c3f1f2a10"):
            answer = client.get(path)
            assert answer.status_code == 503
            assert answer.headers["Content-Type"] == "application/problem+json"
            assert "call 999" in answer.json()["title"]
        # What is wrong with a question is said all the same.
        assert client.get(f"{NEAREST}&limit=0").status_code == 422

        private_postgres.start()
        add_venue(url, name="The Lantern")
        until(lambda: names(client) == ["The Lantern"] if ready(client)[0] == 200 else None)


def test_a_damaged_snapshot_is_built_anew(sqlite_url: str, data_dir: Path) -> None:
    add_venue(sqlite_url, name="The Lantern")
    snapshot = data_dir / "directory.snapshot"
    for damage in (b"", b"no snapshot", b"havens directory 1 0\n"):
        snapshot.write_bytes(damage)
        with serving_directory(data_dir, sqlite_url) as client:
            assert names(client) == ["The Lantern"]
        assert snapshot.stat().st_size > 100


def test_a_snapshot_of_the_format_before_is_built_anew(sqlite_url: str, data_dir: Path) -> None:
    add_venue(sqlite_url, name="The Lantern")
    settings = settings_for(data_dir, sqlite_url)
    prepare(settings)
    snapshot = data_dir / "directory.snapshot"
    _, line, columns = snapshot.read_bytes().split(b"\n", 2)
    sums = [sha256(part).hexdigest().encode() for part in (line, columns)]
    snapshot.write_bytes(b"\n".join([b" ".join([b"havens directory 2", *sums]), line, columns]))
    with pytest.raises(Unusable):
        load(data_dir)
    prepare(settings)
    assert len(load(data_dir)) == 1


def test_a_start_waits_for_a_change_but_not_for_a_new_hour(sqlite_url: str, data_dir: Path) -> None:
    add_venue(sqlite_url, name="The Lantern")
    settings = settings_for(data_dir, sqlite_url)
    hours_ago = int(time.time()) - 3 * HOUR
    with connected(sqlite_url) as engine:
        Directory(engine, data_dir, demonstration=False, clock=lambda: hours_ago).refresh()
    prepare(settings)
    assert load(data_dir).generated_at == hours_ago
    with running(data_dir, sqlite_url) as service:
        assert names(service) == ["The Lantern"]
        until(lambda: load(data_dir).generated_at > hours_ago)
    add_venue(sqlite_url, name="The Anchor")
    prepare(settings)
    assert len(load(data_dir)) == 2


# --- the clock -------------------------------------------------------------------------------

DAY = 24 * HOUR
BACK = [13 * HOUR, DAY, 365 * DAY]


def test_a_start_with_a_directory_of_the_future_builds_first(
    sqlite_url: str, data_dir: Path
) -> None:
    add_venue(sqlite_url, name="The Lantern")
    tomorrow = int(time.time()) + DAY
    with connected(sqlite_url) as engine:
        Directory(engine, data_dir, demonstration=False, clock=lambda: tomorrow).refresh()
    prepare(settings_for(data_dir, sqlite_url))
    assert load(data_dir).generated_at < tomorrow


@pytest.mark.parametrize("back", BACK)
def test_a_start_with_the_clock_put_back(sqlite_url: str, data_dir: Path, back: int) -> None:
    haven = add_venue(sqlite_url, name="The Lantern", hours="24/7")
    written = utc("2026-11-27T23:00")
    with serving_directory(data_dir, sqlite_url, lambda: written):
        pass
    now = written - back
    with serving_directory(data_dir, NOBODY, lambda: now, is_ready=False) as client:
        # Nobody knows who is open; that nobody is would be a lie.
        assert ready(client) == (503, "unavailable")
        for path in (NEAREST, "/v1/havens", f"/v1/havens/{haven}"):
            answer = client.get(path)
            assert answer.status_code == 503
            assert "call 999" in answer.json()["title"]
        assert client.get("/v1/help").json()["help"][0]["phone"] == "999"
        now = written
        assert ready(client) == (200, "degraded")
        assert names(client) == ["The Lantern"]
    now = written - back
    with serving_directory(data_dir, sqlite_url, lambda: now) as client:
        assert ready(client) == (200, "ok")
        assert names(client) == ["The Lantern"]
        assert client.get(f"/v1/havens/{haven}").json()["open"]["state"] == "open"
        until(lambda: age(client) == 0)


@pytest.mark.parametrize("jump", [-365 * DAY, -DAY, -2 * HOUR, -60, 365 * DAY])
def test_a_clock_that_jumps_under_a_running_process(
    sqlite_url: str, data_dir: Path, jump: int
) -> None:
    now = utc("2026-11-27T23:00")
    add_venue(sqlite_url, name="The Lantern", hours="24/7")
    with serving_directory(data_dir, sqlite_url, lambda: now) as client:
        assert names(client) == ["The Lantern"]
        now += jump

        def is_right_again() -> bool:
            answer = client.get(NEAREST)
            # Until it is known again who is open, nobody is said to be closed.
            assert answer.status_code == 503 or answer.json()["havens"]
            return ready(client) == (200, "ok")

        until(is_right_again)
        assert names(client) == ["The Lantern"]
        assert age(client) == 0


def test_an_instant_of_which_nothing_is_known_is_not_answered(
    sqlite_url: str, data_dir: Path
) -> None:
    add_venue(sqlite_url, name="The Lantern", hours="24/7")
    now = utc("2026-11-27T23:00")
    with serving_directory(data_dir, sqlite_url, lambda: now):
        pass
    now += 8 * DAY
    with serving_directory(data_dir, NOBODY, lambda: now) as client:
        assert names(client) == ["The Lantern"]
        for at, status in (("2026-12-11T21:00:00Z", 200), ("2026-12-11T22:00:00Z", 503)):
            answer = client.get(f"{NEAREST}&at={at}")
            assert answer.status_code == status
            assert status == 503 or answer.json()["havens"]


# --- a process -------------------------------------------------------------------------------


def test_a_killed_worker_is_replaced(sqlite_url: str, data_dir: Path) -> None:
    add_venue(sqlite_url, name="The Lantern")
    with running(data_dir, sqlite_url, workers=2) as service:
        for _ in range(20):
            assert names(service) == ["The Lantern"]
        before = {worker.pid for worker in service.workers}
        assert len(before) == 2
        killed = min(before)
        os.kill(killed, signal.SIGKILL)
        until(lambda: service.started() == 3)
        after = {worker.pid for worker in service.workers}
        assert len(after) == 2
        assert killed not in after
        for _ in range(20):
            assert names(service) == ["The Lantern"]

        # The dead one's last word on its directory must not outlive it.
        add_venue(sqlite_url, name="The Anchor")
        until(lambda: "havens_directory_havens 2.0" in service.get("/metrics").text)


# --- a change --------------------------------------------------------------------------------

CHANGES = [
    ("UPDATE venue SET name = 'Renamed'", ["Renamed"]),
    ("UPDATE decision SET until = '2021-01-01'", []),
    ("UPDATE decision SET until = '2050-01-01'", ["Renamed"]),
    ("DELETE FROM decision", []),
]


def test_a_change_shows_in_every_answer(
    database_url: str, data_dir: Path, visible_within: float
) -> None:
    haven = add_venue(database_url, name="The Lantern")
    with (
        running(data_dir, database_url, workers=2) as service,
        connected(database_url) as engine,
        ThreadPoolExecutor(8) as crowd,
    ):

        def is_right(expected: list[str]) -> bool:
            """Whether many answers, each on a connection of its own, are the expected ones."""

            def one_is_right(_: int) -> bool:
                everything = service.get("/v1/havens").json()["havens"]
                alone = service.get(f"/v1/havens/{haven}").status_code
                return names(service) == [
                    each["name"] for each in everything
                ] == expected and alone == (200 if expected else 404)

            return all(crowd.map(one_is_right, range(16)))

        assert is_right(["The Lantern"])
        # What builds starts with the service, a second or two after it answers.
        with engine.execution_options(writes=True).begin() as connection:
            connection.execute(text("UPDATE venue SET name = 'The Anchor'"))
        until(lambda: is_right(["The Anchor"]))
        for statement, expected in CHANGES:
            with engine.execution_options(writes=True).begin() as connection:
                connection.execute(text(statement))
            until(partial(is_right, expected), visible_within)


# --- demonstration and production ------------------------------------------------------------


def test_production_does_not_start_with_demonstration_venues(
    sqlite_url: str, data_dir: Path
) -> None:
    add_venue(sqlite_url, demonstration=False)
    add_venue(sqlite_url, demonstration=True, status="closed")
    assert "demonstration venues" in refusal(data_dir, sqlite_url)


@pytest.mark.parametrize("environment", ["production", "demo"])
def test_neither_environment_takes_the_venues_of_the_other(
    database_url: str, data_dir: Path, environment: str
) -> None:
    add_venue(database_url, demonstration=environment == "production")
    with pytest.raises(MixedData):
        prepare(settings_for(data_dir, database_url, environment))


@pytest.mark.parametrize("environment", ["production", "demo"])
def test_neither_environment_takes_the_snapshot_of_the_other(
    sqlite_url: str, data_dir: Path, environment: str
) -> None:
    other = "demo" if environment == "production" else "production"
    add_venue(sqlite_url, demonstration=other == "demo")
    with serving_directory(data_dir, sqlite_url, environment=other):
        pass
    for url in (NOBODY, f"sqlite:///{data_dir / 'new.sqlite'}"):
        with pytest.raises(MixedData):
            prepare(settings_for(data_dir, url, environment))
