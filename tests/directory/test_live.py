"""The directory of a running process, with a clock that the test sets."""

import json
import os
import threading
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psutil
import pytest
from filelock import FileLock
from sqlalchemy import Engine, delete, update
from sqlalchemy.exc import OperationalError
from sqlmodel import Session

from app.core.db import connected, write_session
from app.directory.builder import Builder, builder
from app.directory.continuity import WentBack
from app.directory.engine.search import Question
from app.directory.live import Directory, NotBuilt
from app.directory.read_side import NotReady
from app.directory.render import instant
from app.directory.snapshot import HORIZON, HOUR, LOCK, LOOKS_AHEAD, MixedData, load
from app.schemes.models import Decision
from app.venues.models import Venue, VenueStatus
from tests.databases import Postgres
from tests.factories import BANK, make_venue, utc
from tests.servers import until

NOW = utc("2027-07-13T12:20")
THE_HOUR = utc("2027-07-13T12:00")
DAY = 24 * HOUR


class Clock:
    """Stands still until it is set."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    with connected(database_url) as engine:
        yield engine


@pytest.fixture
def sqlite(sqlite_url: str) -> Iterator[Engine]:
    with connected(sqlite_url) as engine:
        yield engine


@pytest.fixture
def clock() -> Clock:
    return Clock()


def directory(engine: Engine, folder: Path, clock: Clock, demonstration: bool = False) -> Directory:
    return Directory(engine, folder, demonstration=demonstration, clock=clock)


def names(of: Directory, part: str = "havens") -> list[str]:
    document = json.loads(of.document("json").body)
    return sorted(haven["name"] for haven in document[part])


def generated_at(of: Directory) -> int:
    return of.search.snapshot.generated_at


def builders() -> list[psutil.Process]:
    children = psutil.Process().children()
    return [child for child in children if "app.directory.publish" in child.cmdline()]


# --- following the database ------------------------------------------------------------------


def test_there_is_nothing_before_the_first_snapshot(
    sqlite: Engine, tmp_path: Path, clock: Clock
) -> None:
    ours = directory(sqlite, tmp_path, clock)
    ours.take_up()
    with pytest.raises(NotReady):
        _ = ours.search
    with pytest.raises(NotReady):
        ours.document("json")
    ours.refresh()
    assert len(ours.search.snapshot) == 0


CHANGES: list[tuple[Callable[[Session], object], list[str], str]] = [
    (lambda s: make_venue(s, name="new"), ["new", "old"], "one more"),
    (
        lambda s: s.connection().execute(update(Venue).values(name="renamed")),
        ["renamed"],
        "a new name",
    ),
    (
        lambda s: s.connection().execute(update(Venue).values(status=VenueStatus.CLOSED)),
        [],
        "closed for good",
    ),
    (
        lambda s: s.connection().execute(update(Decision).values(until=date(2027, 7, 12))),
        [],
        "the accreditation withdrawn",
    ),
    (lambda s: s.connection().execute(delete(Decision)), [], "never decided"),
]


@pytest.mark.parametrize(("change", "expected", "why"), CHANGES)
def test_a_change_is_taken_up(
    engine: Engine,
    tmp_path: Path,
    clock: Clock,
    change: Callable[[Session], object],
    expected: list[str],
    why: str,
) -> None:
    make_venue(engine, name="old")
    ours = directory(engine, tmp_path, clock)
    ours.refresh()
    assert names(ours) == ["old"]
    with write_session(engine) as session:
        change(session)
    clock.now += 1
    ours.refresh()
    assert names(ours) == expected, why


def test_nothing_is_built_while_nothing_changes(
    engine: Engine, tmp_path: Path, clock: Clock
) -> None:
    make_venue(engine)
    ours = directory(engine, tmp_path, clock)
    ours.refresh()
    before = ours.search
    clock.now = THE_HOUR + HOUR - 0.5
    ours.refresh()
    assert ours.search is before


def test_it_is_built_anew_when_the_hour_is_full(
    engine: Engine, tmp_path: Path, clock: Clock
) -> None:
    make_venue(engine)
    ours = directory(engine, tmp_path, clock)
    ours.refresh()
    horizon = ours.search.snapshot.horizon
    clock.now = THE_HOUR + HOUR
    ours.refresh()
    assert generated_at(ours) == THE_HOUR + HOUR
    assert ours.search.snapshot.horizon == horizon + HOUR


@pytest.mark.parametrize(
    ("later", "is_enough"),
    [
        (0, True),
        (HOUR, True),
        (6 * DAY, True),
        (THE_HOUR - HOUR + HORIZON - (LOOKS_AHEAD + HOUR) - NOW, True),
        (THE_HOUR - HOUR + HORIZON - (LOOKS_AHEAD + HOUR) - NOW + 1, False),
        (HORIZON, False),
    ],
    ids=["now", "an hour", "six days", "the last second", "too late", "past the horizon"],
)
def test_one_begins_with_a_directory_that_reaches_as_far_as_anybody_may_ask(
    sqlite: Engine, tmp_path: Path, clock: Clock, later: float, is_enough: bool
) -> None:
    make_venue(sqlite, name="the one")
    directory(sqlite, tmp_path, clock).refresh()
    assert directory(sqlite, tmp_path, Clock(NOW + later)).suffices() is is_enough


def test_one_does_not_begin_with_what_is_no_longer_true(
    engine: Engine, tmp_path: Path, clock: Clock
) -> None:
    make_venue(engine, name="the one")
    ours = directory(engine, tmp_path, clock)
    assert not ours.suffices(), "there is nothing yet"
    ours.refresh()
    assert ours.suffices()
    make_venue(engine, name="another")
    assert not ours.suffices()
    ours.refresh()
    assert ours.suffices()
    (tmp_path / "directory.snapshot").write_bytes(b"damaged")
    assert not directory(engine, tmp_path, clock).suffices()


def test_it_begins_with_what_is_on_disk(sqlite: Engine, tmp_path: Path, clock: Clock) -> None:
    make_venue(sqlite, name="the one")
    directory(sqlite, tmp_path, clock).refresh()
    with connected("sqlite:////nowhere/at/all.sqlite") as unreachable:
        ours = directory(unreachable, tmp_path, Clock(NOW + 3 * DAY))
        ours.take_up()
        assert names(ours) == ["the one"]
        assert ours.age_seconds == 3 * DAY
        assert ours.is_degraded
        with pytest.raises(OperationalError):
            ours.refresh()
        assert names(ours) == ["the one"]


def test_it_begins_with_the_previous_one_when_the_last_is_damaged(
    sqlite: Engine, tmp_path: Path, clock: Clock
) -> None:
    make_venue(sqlite, name="the one")
    directory(sqlite, tmp_path, clock).refresh()
    clock.now += HOUR
    directory(sqlite, tmp_path, clock).refresh()
    (tmp_path / "directory.snapshot").write_bytes(b"")
    ours = directory(sqlite, tmp_path, clock)
    ours.take_up()
    assert names(ours) == ["the one"]
    assert ours.age_seconds == HOUR


def test_another_process_s_snapshot_is_taken_from_disk(
    engine: Engine, tmp_path: Path, clock: Clock
) -> None:
    make_venue(engine, name="the one")
    first, second = (directory(engine, tmp_path, clock) for _ in range(2))
    first.refresh()
    clock.now += 60
    second.refresh()
    assert generated_at(second) == NOW, "it is the first one's, not built again"
    assert names(second) == ["the one"]
    assert second.age_seconds == 0

    with write_session(engine) as session:
        make_venue(session, name="another")
    second.refresh()
    clock.now += 60
    first.refresh()
    assert generated_at(first) == NOW + 60
    assert names(first) == ["another", "the one"]


def test_what_one_process_publishes_all_answer_from_at_once(
    sqlite: Engine, tmp_path: Path, clock: Clock
) -> None:
    make_venue(sqlite, name="the one")
    first, second = (directory(sqlite, tmp_path, clock) for _ in range(2))
    first.refresh()
    second.take_up()
    for number in range(3):
        with write_session(sqlite) as session:
            make_venue(session, name=f"another {number}")
        clock.now += 60
        first.refresh()
        # Without a look at the database: whoever moves from one to the other sees no older answer.
        assert second.search.snapshot.version == first.search.snapshot.version
        assert second.age_seconds == 0


def test_what_was_written_over_in_place_is_not_taken_up(
    sqlite: Engine, tmp_path: Path, clock: Clock
) -> None:
    make_venue(sqlite, name="the one")
    ours = directory(sqlite, tmp_path, clock)
    ours.refresh()
    before = ours.search
    file = tmp_path / "directory.snapshot"
    with file.open("r+b") as written:
        written.seek(-8, os.SEEK_END)
        written.write(b"damaged!")
    os.utime(file, (1, 1))
    assert ours.search is before
    clock.now += HOUR
    ours.refresh()
    assert generated_at(ours) == clock.now


def test_an_older_one_that_was_written_over_it_is_not_taken_up(
    sqlite: Engine, tmp_path: Path, clock: Clock
) -> None:
    make_venue(sqlite, name="the one")
    ours = directory(sqlite, tmp_path, clock)
    ours.refresh()
    older = (tmp_path / "directory.snapshot").read_bytes()
    make_venue(sqlite, name="another")
    clock.now += 60
    ours.refresh()
    (tmp_path / "directory.snapshot").write_bytes(older)
    ours.take_up()
    assert names(ours) == ["another", "the one"]
    ours.refresh()
    assert len(load(tmp_path)) == 2, "what should be there is there again"


def test_a_builder_that_is_killed_is_started_again(
    sqlite: Engine, tmp_path: Path, clock: Clock
) -> None:
    make_venue(sqlite, name="the one")
    ours = directory(sqlite, tmp_path, clock)
    ours.refresh()
    for process in builders():
        process.kill()
        process.wait()
    clock.now += HOUR
    with pytest.raises(NotBuilt):
        ours.refresh()
    assert names(ours) == ["the one"]
    assert ours.age_seconds == 0, "what there is has been confirmed"
    ours.refresh()
    assert generated_at(ours) == clock.now


def test_a_build_that_fails_changes_nothing(sqlite: Engine, tmp_path: Path, clock: Clock) -> None:
    make_venue(sqlite, name="the one")
    ours = directory(sqlite, tmp_path, clock)
    ours.refresh()
    with sqlite.execution_options(writes=True).begin() as connection:
        connection.exec_driver_sql("UPDATE venue SET location = x'00'")
    clock.now += 60
    with pytest.raises(NotBuilt):
        ours.refresh()
    assert names(ours) == ["the one"]
    assert ours.age_seconds == 60


def test_while_another_process_builds_one_goes_on(
    sqlite: Engine, tmp_path: Path, clock: Clock
) -> None:
    make_venue(sqlite, name="the one")
    ours = directory(sqlite, tmp_path, clock)
    ours.refresh()
    clock.now += HOUR
    with FileLock(tmp_path / LOCK), patch.object(Builder, "build", side_effect=AssertionError):
        ours.refresh()
    assert generated_at(ours) == NOW
    assert ours.age_seconds == 0, "it says what the database says"
    ours.refresh()
    assert generated_at(ours) == clock.now


def test_another_database_does_not_take_the_place_of_the_first(
    sqlite_url: str, postgresql_url: str, tmp_path: Path, clock: Clock
) -> None:
    with connected(sqlite_url) as ours, connected(postgresql_url) as theirs:
        make_venue(ours, name="ours")
        make_venue(theirs, name="theirs")
        directory(ours, tmp_path, clock).refresh()
        other = directory(theirs, tmp_path, clock)
        with pytest.raises(WentBack, match="not the one"):
            other.refresh()
        assert names(other) == ["ours"], "equal versions of two databases are not the same"
        assert other.is_degraded


def test_a_disk_that_takes_nothing_does_not_stop_it(
    sqlite: Engine, tmp_path: Path, clock: Clock
) -> None:
    make_venue(sqlite, name="the one")
    # Nothing can be written over a directory.
    (tmp_path / "directory.new").mkdir()
    ours = directory(sqlite, tmp_path, clock)
    ours.refresh()
    assert names(ours) == ["the one"]
    assert ours.is_degraded
    (tmp_path / "directory.new").rmdir()

    def is_saved() -> bool:
        ours.refresh()
        return not ours.is_degraded

    until(is_saved)
    assert names(ours) == ["the one"]
    assert len(load(tmp_path)) == 1


def test_it_goes_on_and_grows_old_while_the_database_is_away(
    private_postgres: Postgres, tmp_path: Path, clock: Clock
) -> None:
    with connected(private_postgres.url("havens")) as engine:
        make_venue(engine, name="the one")
        ours = directory(engine, tmp_path, clock)
        ours.refresh()
        assert (ours.age_seconds, ours.is_degraded) == (0, False)

        private_postgres.stop()
        for later, is_degraded in ((5, False), (10, False), (11, True), (3 * DAY, True)):
            clock.now = NOW + later
            with pytest.raises(OperationalError):
                ours.refresh()
            assert (ours.age_seconds, ours.is_degraded) == (later, is_degraded)
            assert names(ours) == ["the one"]
            answer = ours.search.answer(Question(BANK, NOW + later))
            assert len(answer.havens + answer.opens_next) == 1

        private_postgres.start()
        with write_session(engine) as session:
            make_venue(session, name="another")
        ours.refresh()
        assert (ours.age_seconds, ours.is_degraded) == (0, False)
        assert names(ours) == ["another", "the one"]


def test_past_the_horizon_it_says_nothing(sqlite: Engine, tmp_path: Path, clock: Clock) -> None:
    make_venue(sqlite)
    ours = directory(sqlite, tmp_path, clock)
    ours.refresh()
    horizon = THE_HOUR - HOUR + HORIZON
    clock.now = horizon - 0.25
    assert len(ours.search.snapshot) == 1
    clock.now = horizon
    with pytest.raises(NotReady):
        _ = ours.search
    with pytest.raises(NotReady):
        ours.document("geojson")
    ours.refresh()
    assert len(ours.search.snapshot) == 1


def test_a_snapshot_on_disk_that_is_too_old_is_not_answered_from(
    sqlite: Engine, tmp_path: Path, clock: Clock
) -> None:
    make_venue(sqlite)
    directory(sqlite, tmp_path, clock).refresh()
    ours = directory(sqlite, tmp_path, Clock(NOW + HORIZON))
    ours.take_up()
    with pytest.raises(NotReady):
        _ = ours.search


# --- a clock that was put back ---------------------------------------------------------------

BACK = [2 * HOUR, 13 * HOUR, DAY, 365 * DAY]


@pytest.mark.parametrize("back", BACK)
def test_one_does_not_begin_with_a_directory_of_the_future(
    sqlite: Engine, tmp_path: Path, clock: Clock, back: int
) -> None:
    make_venue(sqlite, name="the one", hours="24/7")
    directory(sqlite, tmp_path, clock).refresh()
    earlier = NOW - back
    ours = directory(sqlite, tmp_path, Clock(earlier))
    assert not ours.suffices()
    with pytest.raises(NotReady):
        _ = ours.search
    with pytest.raises(NotReady):
        ours.document("json")
    ours.refresh()
    assert generated_at(ours) == earlier
    assert len(ours.search.answer(Question(BANK, earlier)).havens) == 1
    assert ours.suffices()


@pytest.mark.parametrize("back", BACK)
def test_without_a_database_the_future_is_waited_for(
    sqlite: Engine, tmp_path: Path, clock: Clock, back: int
) -> None:
    make_venue(sqlite, name="the one", hours="24/7")
    directory(sqlite, tmp_path, clock).refresh()
    clock.now -= back
    with connected("sqlite:////nowhere/at/all.sqlite") as unreachable:
        ours = directory(unreachable, tmp_path, clock)
        ours.take_up()
        for moment, is_covered in ((clock.now, False), (THE_HOUR - HOUR, True), (NOW, True)):
            clock.now = moment
            with pytest.raises(OperationalError):
                ours.refresh()
            assert ours.is_degraded
            if is_covered:
                assert names(ours) == ["the one"]
            else:
                with pytest.raises(NotReady):
                    _ = ours.search


@pytest.mark.parametrize("back", [60, HOUR, *BACK])
def test_a_clock_put_back_under_a_running_process(
    sqlite: Engine, tmp_path: Path, clock: Clock, back: int
) -> None:
    make_venue(sqlite, name="the one", hours="24/7")
    ours = directory(sqlite, tmp_path, clock)
    ours.refresh()
    clock.now -= back
    assert ours.age_seconds == back, "nobody knows, so rather old than new"
    assert ours.is_degraded
    ours.refresh()
    assert names(ours) == ["the one"]
    assert (ours.age_seconds, ours.is_degraded) == (0, False)


def test_what_is_not_confirmed_grows_no_younger_as_a_clock_put_back_catches_up(
    private_postgres: Postgres, tmp_path: Path, clock: Clock
) -> None:
    with connected(private_postgres.url("havens")) as engine:
        make_venue(engine, name="the one")
        ours = directory(engine, tmp_path, clock)
        ours.refresh()
        private_postgres.stop()
        for since, expected in ((-600, 600), (-300, 900), (0, 1200), (600, 1800)):
            clock.now = NOW + since
            with pytest.raises(OperationalError):
                ours.refresh()
            assert ours.age_seconds == expected
            assert ours.is_degraded
            assert about(ours)["confirm_by"] == "2027-07-14T12:00:00Z" if since else True


# --- demonstration and production ------------------------------------------------------------


@pytest.mark.parametrize("demonstration", [True, False])
def test_the_database_must_be_of_this_environment(
    sqlite: Engine, tmp_path: Path, clock: Clock, demonstration: bool
) -> None:
    make_venue(sqlite, demonstration=demonstration)
    with pytest.raises(MixedData):
        directory(sqlite, tmp_path, clock, demonstration=not demonstration).refresh()
    assert not list(tmp_path.glob("*.snapshot")), "nothing of it is kept"
    right = directory(sqlite, tmp_path, clock, demonstration=demonstration)
    right.refresh()
    assert len(right.search.snapshot) == 1


@pytest.mark.parametrize("demonstration", [True, False])
def test_the_disk_must_be_of_this_environment(
    sqlite: Engine, tmp_path: Path, clock: Clock, demonstration: bool
) -> None:
    make_venue(sqlite, demonstration=demonstration)
    directory(sqlite, tmp_path, clock, demonstration=demonstration).refresh()
    wrong = directory(sqlite, tmp_path, clock, demonstration=not demonstration)
    with pytest.raises(MixedData):
        wrong.take_up()
    with pytest.raises(MixedData):
        wrong.refresh()
    with pytest.raises(NotReady):
        _ = wrong.search


def test_a_venue_of_the_other_kind_is_not_taken_up(
    sqlite: Engine, tmp_path: Path, clock: Clock
) -> None:
    make_venue(sqlite, name="real")
    ours = directory(sqlite, tmp_path, clock)
    ours.refresh()
    make_venue(sqlite, demonstration=True)
    clock.now += 60
    with pytest.raises(MixedData):
        ours.refresh()
    assert names(ours) == ["real"]
    assert ours.age_seconds == 60
    assert not load(tmp_path).demonstration


def test_an_empty_directory_is_of_either_kind(sqlite: Engine, tmp_path: Path, clock: Clock) -> None:
    for demonstration in (True, False):
        directory(sqlite, tmp_path, clock, demonstration=demonstration).refresh()


# --- following by itself ---------------------------------------------------------------------


class Rounds(threading.Event):
    """An event that is set by itself after some rounds, between which something happens."""

    def __init__(self, *between: Callable[[], object]) -> None:
        super().__init__()
        self._between = list(between)

    def wait(self, timeout: float | None = None) -> bool:
        if self._between:
            self._between.pop(0)()
        else:
            self.set()
        return self.is_set()


def test_following_outlives_whatever_goes_wrong(
    private_postgres: Postgres, tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    seen: list[list[str]] = []
    with connected(private_postgres.url("havens")) as engine:
        ours = directory(engine, tmp_path, clock)
        ours.follow(
            Rounds(
                lambda: make_venue(engine, name="the one"),
                lambda: seen.append(names(ours)),
                private_postgres.stop,
                lambda: seen.append(names(ours)),
                private_postgres.start,
                lambda: make_venue(engine, name="another"),
                lambda: seen.append(names(ours)),
            )
        )
    assert seen == [["the one"], ["the one"], ["another", "the one"]]
    assert caplog.text.count("directory not confirmed") == 1, "said once, not twice a second"
    assert caplog.text.count("directory confirmed again") == 1


def test_what_builds_is_started_once_the_first_answers_are_given(
    sqlite: Engine, tmp_path: Path, clock: Clock
) -> None:
    ours = directory(sqlite, tmp_path, clock)
    ours.refresh()
    builder().close()
    seen: list[int] = []
    ours.follow(Rounds(*[lambda: seen.append(len(builders()))] * 3))
    assert seen == [0, 1, 1]


# --- the whole directory ---------------------------------------------------------------------


def about(of: Directory) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(of.document("json").body)["directory"]
    return document


def test_the_whole_directory_says_how_long_it_is_good_for(
    sqlite: Engine, tmp_path: Path, clock: Clock
) -> None:
    make_venue(sqlite)
    ours = directory(sqlite, tmp_path, clock)
    ours.refresh()
    version = ours.search.snapshot.version
    assert about(ours) == {
        "version": version,
        "generated_at": "2027-07-13T12:00:00Z",
        "valid_from": "2027-07-13T11:00:00Z",
        "valid_until": "2027-07-27T11:00:00Z",
        "confirm_by": "2027-07-14T12:00:00Z",
        "walking_factor": 1.7,
    }
    # Two days later, with no word from the database.
    clock.now = NOW + 2 * DAY
    assert about(ours) == {
        "version": version,
        "generated_at": "2027-07-15T12:00:00Z",
        "valid_from": "2027-07-13T11:00:00Z",
        "valid_until": "2027-07-27T11:00:00Z",
        "confirm_by": "2027-07-14T12:00:00Z",
        "walking_factor": 1.7,
    }


def test_confirmation_counts_from_the_hour_in_which_it_came(
    sqlite: Engine, tmp_path: Path, clock: Clock
) -> None:
    ours = directory(sqlite, tmp_path, clock)
    ours.refresh()
    clock.now = THE_HOUR + 5 * HOUR + 59 * 60
    assert about(ours)["confirm_by"] == "2027-07-14T12:00:00Z"
    ours.refresh()
    assert about(ours)["confirm_by"] == "2027-07-14T17:00:00Z"


def test_it_stays_the_same_bytes_for_the_hour(sqlite: Engine, tmp_path: Path, clock: Clock) -> None:
    make_venue(sqlite)
    ours = directory(sqlite, tmp_path, clock)
    ours.refresh()
    other = directory(sqlite, tmp_path, clock)
    clock.now = THE_HOUR + HOUR - 1
    other.refresh()
    assert other.document("json").body == ours.document("json").body
    assert other.document("json").tag == ours.document("json").tag
    assert other.document("geojson").tag != ours.document("json").tag
    assert ours.document("json") is ours.document("json"), "rendered once"
    before = ours.document("json")
    clock.now += 1
    assert ours.document("json").tag != before.tag


ENDS = [
    # last day, the UTC hour at which London's day is over, why
    (date(2027, 7, 15), "2027-07-15T23:00", "summer: London's midnight is at 23:00 UTC"),
    (date(2027, 10, 31), "2027-11-01T00:00", "the clocks went back that morning"),
    (date(2027, 11, 3), "2027-11-04T00:00", "winter: London's midnight is UTC's"),
]


@pytest.mark.parametrize(("last", "over", "why"), ENDS)
def test_an_accreditation_ends_by_the_clock_alone(
    engine: Engine, tmp_path: Path, last: date, over: str, why: str
) -> None:
    make_venue(engine, name="ends", hours="24/7", safe_haven_until=last)
    make_venue(engine, name="stays", hours="24/7")
    clock = Clock(utc(over) - 2 * DAY)
    ours = directory(engine, tmp_path, clock)
    ours.refresh()
    for now in (utc(over) - HOUR, utc(over) - 1):
        clock.now = now
        assert names(ours) == ["ends", "stays"], why
    ends = json.loads(ours.document("json").body)["havens"]
    assert {haven["name"]: haven["availability"][-1]["until"][:16] for haven in ends}[
        "ends"
    ] == over, why
    # Nothing is built or asked in between.
    clock.now = utc(over)
    assert names(ours) == ["stays"], why
    assert names(ours, "upcoming") == []
    found = ours.search.answer(Question(BANK, utc(over)))
    assert len(found.havens) == 1
    assert not found.opens_next


def test_an_accreditation_begins_by_the_clock_alone(
    engine: Engine, tmp_path: Path, clock: Clock
) -> None:
    make_venue(engine, name="begins", safe_haven_from=date(2027, 7, 16))
    ours = directory(engine, tmp_path, clock)
    ours.refresh()
    assert ours.search.answer(Question(BANK, NOW)).opens_next == [], "nobody may see it yet"
    clock.now = utc("2027-07-15T22:59")
    assert names(ours) == []
    assert names(ours, "upcoming") == ["begins"], "a phone may ask of tomorrow"
    [begins] = json.loads(ours.document("json").body)["upcoming"]
    horizon = instant(ours.search.snapshot.horizon)
    assert begins["listed"] == [{"from": "2027-07-15T23:00:00Z", "until": horizon}]
    clock.now = utc("2027-07-15T23:00")
    assert names(ours) == ["begins"]
    assert names(ours, "upcoming") == []
    [found] = ours.search.answer(Question(BANK, utc("2027-07-15T23:00"))).opens_next
    assert found.opens_at == utc("2027-07-16T09:00")
