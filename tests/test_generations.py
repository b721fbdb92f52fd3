"""Processes that follow one another at one door: who came to it is answered, by whomever."""

import asyncio
import os
import signal
from pathlib import Path

import psutil
import pytest

from tests.drills.load import NEAREST, Load
from tests.drills.replacing import replaced, stopped, under
from tests.servers import PATIENCE_SECONDS, Service, add_venue, running, until

RATE = 5


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


def load(service: Service, *, ends_when_shut: bool = False) -> Load:
    port = int(service.url.rpartition(":")[2])
    # None of which a new process has to prepare for.
    return Load(port, ends_when_shut=ends_when_shut, paths=(NEAREST, "/v1/help", "/v1/havens"))


def nothing_lost(load: Load) -> bool:
    assert load.milliseconds
    assert not load.failed
    assert not load.lost
    return True


def test_a_generation_follows_another_and_stops_and_nobody_is_turned_away(
    sqlite_url: str, data_dir: Path
) -> None:
    add_venue(sqlite_url)
    with running(data_dir, sqlite_url, workers=2) as service:
        keeper = service.process
        during = load(service)
        asyncio.run(under(during, RATE, lambda: replaced(keeper, 2)))
        assert nothing_lost(during)
        assert keeper.is_running()
        at_the_end = load(service, ends_when_shut=True)
        asyncio.run(under(at_the_end, RATE, lambda: stopped(keeper)))
        assert nothing_lost(at_the_end)
        assert keeper.wait() == 0


def test_a_generation_that_cannot_start_changes_nothing_and_one_that_dies_is_followed(
    sqlite_url: str, data_dir: Path
) -> None:
    add_venue(sqlite_url)
    with running(data_dir, sqlite_url) as service:
        (first,) = service.workers
        # With neither directory nor a place for one the service refuses to start.
        aside = data_dir.rename(data_dir.with_name("aside"))
        data_dir.touch()
        service.process.send_signal(signal.SIGHUP)
        until(lambda: "the last one goes on" in service.log)
        assert service.workers == [first]
        assert service.get("/v1/havens").status_code == 200
        data_dir.unlink()
        aside.rename(data_dir)
        first.kill()
        until(lambda: service.workers not in ([], [first]))
        until(lambda: service.started() == 2)
        assert service.get("/v1/havens").status_code == 200
        # Whoever holds the door takes all with it, however it ends.
        family = service.process.children(recursive=True)
        os.kill(service.process.pid, signal.SIGKILL)
        _, left = psutil.wait_procs(family, timeout=PATIENCE_SECONDS)
        assert not left
