"""A mirror that follows the changes is always what the whole directory says."""

import base64
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import IO, Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa
from sqlalchemy import Engine
from sqlmodel import col

from app.client import Havens, Mirror, Refused
from app.core.db import connected
from app.feeds.changes import Changes
from app.feeds.changes_routes import DirectoryChanges
from app.feeds.followers import Followers
from app.http.connections import Guarded, Limits
from app.schemes.models import Decision
from app.schemes.registry import SchemeKey
from app.schemes.rules import Kind
from app.venues import osm_hours
from app.venues.models import Venue, VenueStatus
from tests.canaries import CANARIES, EMAIL, LAT
from tests.factories import make_venue, utc
from tests.servers import METRICS, PATIENCE_SECONDS, client_of, serving_directory, until

NOON = utc("2026-11-27T12:00")
HOURS = ("24/7", "Mo-Su 10:00-22:00", "Fr-Sa 20:00-04:00", None)


class World:
    """A register that changes, by a clock of its own, and the service that tells of it."""

    def __init__(self, url: str, data_dir: Path) -> None:
        self.now = float(NOON)
        self._url, self._data_dir = url, data_dir
        self._running = ExitStack()
        self._seen = ""
        self.client, self.service = self._serve()
        self.mirror = Mirror(self.service)

    def _serve(self) -> tuple[httpx.Client, Havens]:
        client = self._running.enter_context(
            serving_directory(self._data_dir, self._url, lambda: self.now)
        )
        # A connection of its own that outlives the service would hold up its end.
        service = Havens(str(client.base_url), http=client_of(""), tries=1)
        return client, self._running.enter_context(service)

    def restart(self) -> None:
        """With the same mirror, which goes on from what it has."""
        self._running.close()
        self.client, self.service = self._serve()
        mirror = Mirror(self.service)
        mirror.cursor = self.mirror.cursor
        mirror.havens, mirror.upcoming = self.mirror.havens, self.mirror.upcoming
        self.mirror = mirror

    def stop(self) -> None:
        self._running.close()

    def is_current(self, engine: Engine) -> bool:
        with engine.connect() as connection:
            version = connection.scalar(sa.text("SELECT version FROM directory_state"))
        answer = self.client.get("/v1/changes", params={"since": self._seen}).json()
        self._seen, told = answer["cursor"], answer["directory"]
        hour = time.strftime("%Y-%m-%dT%H:00:00Z", time.gmtime(self.now))
        begin = time.strftime("%Y-%m-%dT%H:00:00Z", time.gmtime(self.now - 3600))
        return (told["version"], told["generated_at"], told["valid_from"]) == (version, hour, begin)

    def assert_mirror_is_whole(self) -> None:
        self.mirror.follow()
        whole = self.service.directory()
        assert self.mirror.directory == whole.directory
        assert self.mirror.havens == {haven.id: haven for haven in whole.havens}
        assert self.mirror.upcoming == {haven.id: haven for haven in whole.upcoming}


@pytest.fixture
def engine(sqlite_url: str) -> Iterator[Engine]:
    with connected(sqlite_url) as engine:
        yield engine


@pytest.fixture
def world(engine: Engine, sqlite_url: str, tmp_path: Path) -> Iterator[World]:
    for number in range(12):
        make_venue(engine, name=f"Haven {number:02}", hours=HOURS[number % 4])
    world = World(sqlite_url, tmp_path / "data")
    yield world
    world.stop()


def change(engine: Engine, venue_id: UUID, **values: Any) -> None:
    with engine.execution_options(writes=True).begin() as connection:
        connection.execute(sa.update(Venue).where(col(Venue.id) == venue_id).values(**values))


def decide(world: World, engine: Engine, venue_id: UUID, kind: Kind) -> None:
    at = datetime.fromtimestamp(world.now, UTC)
    decision = Decision(
        venue_id=venue_id,
        scheme=SchemeKey.SAFE_HAVEN,
        kind=kind,
        effective_at=at,
        recorded_at=at,
        recorded_by="test",
    )
    with engine.execution_options(writes=True).begin() as connection:
        names = [column.key for column in sa.inspect(Decision).local_table.columns]
        values = {name: getattr(decision, name) for name in names}
        connection.execute(sa.insert(Decision), values)


class Edits:
    """Changes by chance, of every kind that the public can see."""

    def __init__(self, world: World, engine: Engine, seed: int) -> None:
        self._world, self._engine, self._random = world, engine, Random(seed)
        with engine.connect() as connection:
            self._ids = list(connection.scalars(sa.select(col(Venue.id)).order_by(Venue.name)))
        self._suspended: set[UUID] = set()
        self._kinds: tuple[Callable[[UUID], None], ...] = (
            *(self._rename, self._hours, self._close, self._suspend, self._add),
            *(self._later, self._next_day),
        )

    def make(self, number: int) -> None:
        """So many of them, and wait until the service knows."""
        for _ in range(number):
            self._random.choice(self._kinds)(self._random.choice(self._ids))
        until(lambda: self._world.is_current(self._engine))

    def _rename(self, one: UUID) -> None:
        change(self._engine, one, name=f"Haven {self._random.random()}")

    def _hours(self, one: UUID) -> None:
        text = self._random.choice(HOURS)
        change(self._engine, one, hours=text and osm_hours.parse(text))

    def _close(self, one: UUID) -> None:
        change(
            self._engine,
            one,
            status=self._random.choice((VenueStatus.ACTIVE, VenueStatus.CLOSED)),
        )

    def _suspend(self, one: UUID) -> None:
        decide(
            self._world,
            self._engine,
            one,
            Kind.REINSTATED if one in self._suspended else Kind.SUSPENDED,
        )
        self._suspended ^= {one}

    def _add(self, _: UUID) -> None:
        today = datetime.fromtimestamp(self._world.now, UTC).date()
        first = today + timedelta(days=self._random.choice((-9, 0, 1, 3)))
        last = max(first, today + timedelta(days=self._random.choice((0, 1, 2, 400))))
        made = make_venue(
            self._engine,
            name=f"Haven {self._random.random()}",
            hours=self._random.choice(HOURS),
            safe_haven_from=first,
            safe_haven_until=last,
        )
        self._ids.append(made.id)

    def _later(self, _: UUID) -> None:
        self._world.now += 3600

    def _next_day(self, _: UUID) -> None:
        self._world.now += 24 * 3600


def test_a_mirror_is_always_the_whole(world: World, engine: Engine, drill: bool) -> None:
    edits = Edits(world, engine, seed=16)
    kinds = {"listed": 0, "changed": 0, "unlisted": 0, "upcoming": 0, "whole": 0}
    # To build the directory takes longer than all the rest: in a drill it is after each edit.
    times, each = (1_000, 1) if drill else (8, 5)
    for number in range(times):
        before = dict(world.mirror.havens)
        edits.make(each)
        if number % 40 == 4:
            world.restart()
        world.assert_mirror_is_whole()
        after = world.mirror.havens
        kinds["listed"] += len(after.keys() - before.keys())
        kinds["unlisted"] += len(before.keys() - after.keys())
        kinds["changed"] += sum(after[key] != before[key] for key in after.keys() & before.keys())
        kinds["upcoming"] += len(world.mirror.upcoming)
    assert min(kinds[name] for name in ("listed", "changed", "unlisted", "upcoming")) > 0


def test_only_what_changed_is_told(world: World, engine: Engine) -> None:
    told = world.mirror.follow()
    assert told.whole
    assert len(told.listed) == 12
    one = told.listed[0]
    nothing = world.mirror.follow()
    assert (nothing.whole, nothing.cursor) == (False, told.cursor)
    assert not (nothing.listed)
    assert not (nothing.changed)
    assert not (nothing.unlisted)
    assert nothing.upcoming is None

    change(engine, one.id, name="Another name")
    until(lambda: world.is_current(engine))
    changed = world.mirror.follow()
    assert [haven.name for haven in changed.changed] == ["Another name"]
    assert not (changed.whole)
    assert not (changed.listed)
    assert not (changed.unlisted)

    decide(world, engine, one.id, Kind.SUSPENDED)
    until(lambda: world.is_current(engine))
    gone = world.mirror.follow()
    assert gone.unlisted == [one.id]
    assert not (gone.whole)
    assert not (gone.listed)
    assert not (gone.changed)

    # Who has the state of the beginning is told in one go, and who has made one up, of the whole.
    service = world.service
    assert service.changes(told.cursor).unlisted == [one.id]
    assert not service.changes(told.cursor).changed
    unknown = told.cursor[:-4] + "AAAA"
    assert service.changes(unknown).whole
    assert len(service.changes(unknown).listed) == 11


def test_the_clock_moves_it_alone(world: World, engine: Engine) -> None:
    last_day = make_venue(engine, safe_haven_until=date(2026, 11, 27), hours="24/7")
    next_day = make_venue(engine, safe_haven_from=date(2026, 11, 28), hours="24/7")
    until(lambda: world.is_current(engine))
    world.mirror.follow()
    assert last_day.id in world.mirror.havens
    assert next_day.id in world.mirror.upcoming
    world.now += 12 * 3600
    until(lambda: world.is_current(engine))
    told = world.mirror.follow()
    assert not told.whole
    assert told.unlisted == [last_day.id]
    assert [haven.id for haven in told.listed] == [next_day.id]
    assert not world.mirror.upcoming


def test_a_cursor_says_what_and_not_where(world: World, engine: Engine, tmp_path: Path) -> None:
    """Another host that builds from the same database, and this one after it built anew."""
    cursor = world.client.get("/v1/changes").json()["cursor"]
    world.restart()
    (tmp_path / "data" / "directory.snapshot").unlink()
    with serving_directory(tmp_path / "other", str(engine.url), lambda: world.now + 5) as other:
        assert other.get("/v1/changes").json()["cursor"] == cursor
        assert other.get("/v1/changes", params={"since": cursor}).json()["whole"] is False
    assert world.client.get("/v1/changes").json()["cursor"] == cursor


def test_what_is_older_than_what_is_kept_gets_the_whole(
    world: World, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.feeds.changes.KEEPS", 0)
    monkeypatch.setattr("app.feeds.changes.KEEPS_MORE", 0)
    world.mirror.follow()
    change(engine, next(iter(world.mirror.havens)), name="Another name")
    until(lambda: world.is_current(engine))
    assert world.mirror.follow().whole
    world.assert_mirror_is_whole()


# --- waiting ---------------------------------------------------------------------------------


def test_who_waits_is_told_when_something_happens(
    world: World, engine: Engine, visible_within: float
) -> None:
    world.mirror.follow()
    one = next(iter(world.mirror.havens))
    told: list[DirectoryChanges] = []

    def wait() -> None:
        # On a busy machine the directory may be built anew later than anybody may wait.
        while not told or not told[-1].unlisted:
            told.append(world.mirror.follow(wait=30))

    waiting = threading.Thread(target=wait)
    waiting.start()
    until(lambda: "havens_followers 1.0" in metrics(world))
    decide(world, engine, one, Kind.SUSPENDED)
    waiting.join(visible_within)
    assert not waiting.is_alive()
    assert told[-1].unlisted == [one]
    until(lambda: "havens_followers 0.0" in metrics(world))


def metrics(world: World) -> str:
    return world.client.get("/metrics", headers=METRICS).text


def test_who_waits_in_vain_is_told_nothing(world: World) -> None:
    told = world.mirror.follow()
    assert world.mirror.follow(wait=0.2).cursor == told.cursor


def test_a_later_cursor_waits_for_what_another_host_knows(world: World, engine: Engine) -> None:
    world.mirror.follow()
    cursor = world.mirror.cursor
    ahead = base64.urlsafe_b64encode(
        (int.from_bytes(base64.urlsafe_b64decode(cursor)[:4], "big") + 3600).to_bytes(4, "big")
        + base64.urlsafe_b64decode(cursor)[4:]
    ).decode()
    answer = world.client.get("/v1/changes", params={"since": ahead, "wait": 0.2}).json()
    assert answer["cursor"] == cursor
    assert answer["whole"]


def test_not_all_may_wait(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.feeds.followers.most_followers", lambda: 0)
    world.mirror.follow()
    with pytest.raises(Refused) as refused:
        world.service.changes(world.mirror.cursor, wait=5)
    assert refused.value.status == 503
    assert world.service.changes(world.mirror.cursor).cursor == world.mirror.cursor


def test_who_waits_does_not_hold_up_an_end(world: World) -> None:
    cursor = world.mirror.follow().cursor
    answers: list[DirectoryChanges] = []
    with Havens(str(world.client.base_url), http=client_of(""), tries=1) as service:
        waiting = threading.Thread(target=lambda: answers.append(service.changes(cursor, 30)))
        waiting.start()
        until(lambda: "havens_followers 1.0" in metrics(world))
        world.stop()
        waiting.join()
    assert answers[0].cursor == cursor


def test_who_is_gone_waits_no_more(world: World) -> None:
    cursor = world.mirror.follow().cursor
    with pytest.raises(httpx.ReadTimeout):
        world.client.get("/v1/changes", params={"since": cursor, "wait": 30}, timeout=0.5)
    until(lambda: "havens_followers 0.0" in metrics(world), 5)


@pytest.mark.parametrize(
    "asked",
    [{}, {"Accept-Encoding": "gzip"}, {"If-None-Match": "*"}, {"Origin": "https://example.org"}],
)
def test_however_it_is_worded_the_answer_is_the_same(world: World, asked: dict[str, str]) -> None:
    cursor = world.mirror.follow().cursor
    usual, unusual = (
        world.client.get(f"/v1/changes?{words}", headers=asked)
        for words in (f"since={cursor}&wait=0.1", f"wait=0.1&since={cursor}")
    )
    assert usual.status_code == unusual.status_code
    assert usual.content == unusual.content
    said, as_usual = (
        sorted(line for line in answer.headers.multi_items() if line[0] != "date")
        for answer in (unusual, usual)
    )
    assert as_usual == said


def test_what_has_to_be_worked_out_is_told_all_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    cursor = world.mirror.follow().cursor
    address = f"/v1/changes?since={cursor}&wait=0.1"
    told = world.client.get(address)
    monkeypatch.setattr(Changes, "ready", lambda *_: None)
    # It has waited, and is not to wait again.
    monkeypatch.delattr(Followers, "wait")
    assert world.client.get(address).content == told.content


def test_who_asks_for_more_meanwhile_is_answered_in_turn(world: World) -> None:
    cursor = world.mirror.follow().cursor
    url = world.client.base_url
    with socket.create_connection((url.host, url.port), PATIENCE_SECONDS) as wire:
        for path in (f"/v1/changes?since={cursor}&wait=30", "/health/live"):
            wire.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            until(lambda: "havens_followers 1.0" in metrics(world)) if "wait" in path else None
        file = wire.makefile("rb")
        answers = [read_answer(file), read_answer(file)]
    assert [json.loads(answer).keys() & {"cursor", "status"} for answer in answers] == [
        {"cursor"},
        {"status"},
    ]
    assert "havens_followers 0.0" in metrics(world)


@pytest.mark.parametrize("more", ["/health/live", "/v1/havens/nearest?lat=51.5&lon=-0.1&limit=5"])
def test_what_comes_with_the_question_is_answered_after_it(world: World, more: str) -> None:
    cursor = world.mirror.follow().cursor
    url = world.client.base_url
    paths = f"/v1/changes?since={cursor}&wait=30", more
    with socket.create_connection((url.host, url.port), PATIENCE_SECONDS) as wire:
        wire.sendall(b"".join(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode() for path in paths))
        file = wire.makefile("rb")
        answers = [read_answer(file), read_answer(file)]
    assert ["cursor" in json.loads(answer) for answer in answers] == [True, False]


def read_answer(file: IO[bytes]) -> bytes:
    """The body of the next answer of a connection."""
    head = b"".join(iter(file.readline, b"\r\n")).lower()
    return file.read(int(head.partition(b"content-length: ")[2].split(b"\r\n")[0]))


def test_who_waits_is_not_taken_for_silent(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    cursor = world.mirror.follow().cursor
    monkeypatch.setattr(Guarded, "limits", Limits(head_seconds=0.3, sweep_seconds=0.1))
    with client_of(world.client.base_url) as client:
        for _ in range(2):
            told = client.get("/v1/changes", params={"since": cursor, "wait": 1})
            assert told.json()["cursor"] == cursor


@pytest.mark.parametrize("words", ["since={}&wait=31", "since={}&wait=30.000001"])
def test_nobody_waits_for_longer_than_is_said(world: World, words: str) -> None:
    cursor = world.mirror.follow().cursor
    response = world.client.get(f"/v1/changes?{words.format(cursor)}")
    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == ["wait"]


def test_what_is_no_cursor_is_refused(world: World) -> None:
    for query, field in (
        ("since=x", "since"),
        (f"since={'A' * 32}", ""),
        ("since=AAAA", "since"),
        (f"since={LAT}", "since"),
        (f"since={EMAIL}", "since"),
        ("wait=31", "wait"),
        ("wait=nan", "wait"),
        (f"wait={LAT}", "wait"),
        ("until=x", "until"),
    ):
        response = world.client.get(f"/v1/changes?{query}")
        if not field:
            assert response.json()["whole"]
            continue
        assert response.status_code == 422, query
        assert [error["field"] for error in response.json()["errors"]] == [field], query
        assert not CANARIES.search(response.content)


def test_it_is_told_once(world: World) -> None:
    first = world.client.get("/v1/changes")
    known = {"If-None-Match": first.headers["ETag"]}
    assert world.client.get("/v1/changes", headers=known).status_code == 304
    assert first.headers["Cache-Control"] == "no-cache"
