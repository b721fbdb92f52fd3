"""The directory as it is built from a database and kept on disk."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from sqlalchemy import Engine, delete, text, update
from sqlmodel import Session, select
from xxhash import xxh3_128

from app.core.db import connected, read_session, write_session
from app.directory.build import build
from app.directory.engine.search import Search
from app.directory.snapshot import HORIZON, HOUR, Snapshot, Unusable, load, save
from app.schemes.models import Decision
from app.venues.kinds import Facility, StepFree
from app.venues.models import DirectoryState, Venue, VenueStatus, Ward
from tests.factories import make_venue, make_ward, utc

NOW = utc("2027-07-13T12:20")
CURRENT, PREVIOUS = "directory.snapshot", "directory.previous.snapshot"


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    with connected(database_url) as engine:
        yield engine


@pytest.fixture
def sqlite(sqlite_url: str) -> Iterator[Engine]:
    with connected(sqlite_url) as engine:
        yield engine


def built(engine: Engine, now: float = NOW) -> Snapshot:
    with read_session(engine) as session:
        return build(session, now)


def content(snapshot: Snapshot) -> dict[str, Any]:
    """A snapshot as plain values that can be compared."""
    return {
        name: (column.dtype, column.tolist()) if isinstance(column, np.ndarray) else column
        for name, column in vars(snapshot).items()
    }


def some_venues(engine: Engine) -> None:
    """One of each kind, the same each time but for the order in which they are stored."""
    with write_session(engine) as session:
        ward = make_ward(session, code="W", name="Langbourn")
        for number, (hours, lat) in enumerate(
            [
                ("Mo-Su 10:00-22:00", 51.5134),
                ("Fr-Sa 22:00-04:00; PH off", 51.5134),
                ("24/7", 51.51340000000001),
                (None, -33.9),
                ("Mo-Su 10:00-22:00", 90.0),
            ]
        ):
            make_venue(
                session,
                id=UUID(int=(number * 7919 + 5) % 11 << 100),
                reference=f"ref {number}",
                name=f"Café “{number}”",
                hours=hours,
                lat=lat,
                lon=-0.089 * number,
                ward_id=ward.id if number % 2 else None,
                safe_haven_until=date(2027, 7, 20 + number),
                facilities=list(Facility)[number:],
                step_free=list(StepFree)[number % 3],
                phone="020 7946 0000" if number else "",
            )


# --- built -----------------------------------------------------------------------------------


def test_both_databases_give_the_same_directory(sqlite_url: str, postgresql_url: str) -> None:
    with ExitStack() as stack:
        both = [stack.enter_context(connected(url)) for url in (sqlite_url, postgresql_url)]
        for engine in both:
            some_venues(engine)
        # What differs is which database it is, and how finely its triggers count.
        ours, theirs = (replace(built(e), database="", version=0) for e in both)
        assert len(ours) == 5
        assert content(ours) == content(theirs)


LISTED = [
    ({}, True, "active and accredited"),
    ({"status": VenueStatus.PROSPECT}, False, "a prospect is only known of"),
    ({"status": VenueStatus.CLOSED}, False, "closed for good"),
    ({"safe_haven_from": None, "safe_haven_until": None}, False, "never accredited"),
    ({"safe_haven_until": date(2027, 7, 12)}, False, "expired yesterday"),
    ({"safe_haven_until": date(2027, 7, 13)}, True, "its last day is today"),
    ({"safe_haven_from": date(2027, 7, 13)}, True, "its first day is today"),
    ({"safe_haven_from": date(2027, 7, 20)}, True, "begins before the horizon"),
    ({"safe_haven_from": date(2027, 7, 27)}, True, "begins on the horizon's day"),
    ({"safe_haven_from": date(2027, 7, 28)}, False, "begins past the horizon"),
    ({"hours": None}, True, "when it opens is not known, that it is a haven is"),
    ({"hours": "off"}, True, "never open, but a haven"),
]


@pytest.mark.parametrize(("details", "is_in", "why"), LISTED)
def test_who_is_in_it(engine: Engine, details: dict[str, Any], is_in: bool, why: str) -> None:
    venue = make_venue(engine, **details)
    snapshot = built(engine)
    assert [snapshot.uuid(row) for row in range(len(snapshot))] == [venue.id] * is_in, why


def test_unknown_hours_are_listed_and_never_open(engine: Engine) -> None:
    make_venue(engine, hours=None)
    snapshot = built(engine)
    search = Search(snapshot)
    assert snapshot.availability(0) is None
    assert snapshot.listing(0) == [(snapshot.start, snapshot.horizon)]
    for at in range(snapshot.start, snapshot.horizon, HOUR):
        assert search.is_listed(0, at)
        assert search.state(0, at) is None
    assert b'"opening_hours"' not in snapshot.fragment(0)


def test_it_covers_fourteen_days_from_the_hour_before(sqlite: Engine) -> None:
    make_venue(sqlite, hours="24/7")
    snapshot = built(sqlite, NOW + 0.75)
    assert snapshot.generated_at == NOW
    assert snapshot.start == utc("2027-07-13T11:00")
    assert snapshot.horizon == utc("2027-07-27T11:00") == snapshot.start + HORIZON
    assert snapshot.availability(0) == [(snapshot.start, snapshot.horizon)]


def test_equal_hours_are_kept_once(sqlite: Engine) -> None:
    for _ in range(3):
        make_venue(sqlite)
    make_venue(sqlite, safe_haven_until=date(2027, 7, 15))
    snapshot = built(sqlite)
    assert len(snapshot) == 4
    # Open and listed, for each of the two accreditations.
    assert len(snapshot.offsets) - 1 == 4


def test_it_says_whether_it_is_a_demonstration(engine: Engine) -> None:
    make_venue(engine, status=VenueStatus.CLOSED, demonstration=True)
    make_venue(engine, demonstration=False)
    assert not built(engine).demonstration, "the closed one is not in it"
    make_venue(engine, demonstration=True)
    assert built(engine).demonstration


# --- the version -----------------------------------------------------------------------------


def version(engine: Engine) -> int:
    with read_session(engine) as session:
        return session.exec(select(DirectoryState.version)).one()


CHANGES: list[tuple[Callable[[Session], object], str]] = [
    (make_venue, "a venue is inserted"),
    (make_ward, "a ward is inserted"),
    (lambda s: s.connection().execute(update(Venue).values(name="renamed")), "a venue is updated"),
    (lambda s: s.connection().execute(update(Ward).values(name="renamed")), "a ward is updated"),
    (lambda s: s.connection().execute(delete(Decision)), "a decision is deleted"),
    (lambda s: s.connection().execute(delete(Ward)), "a ward is deleted"),
    (lambda s: s.connection().execute(text("UPDATE venue SET phone = '999'")), "by plain SQL"),
]


@pytest.mark.parametrize(("change", "why"), CHANGES)
def test_the_version_moves_with_every_change(
    engine: Engine, change: Callable[[Session], object], why: str
) -> None:
    make_venue(engine)
    make_ward(engine)
    before = version(engine)
    with write_session(engine) as session:
        change(session)
    after = version(engine)
    assert after > before, why
    with write_session(engine) as session:
        make_venue(session)
        change(session)
        session.flush()
        session.rollback()
    assert version(engine) == after, f"{why}, and taken back"


def test_the_version_stands_when_nothing_changes(engine: Engine) -> None:
    make_venue(engine)
    before = version(engine)
    built(engine)
    with write_session(engine) as session:
        session.exec(select(Venue)).all()
    assert version(engine) == before


def test_each_database_is_known_by_itself(sqlite_url: str, postgresql_url: str) -> None:
    with connected(sqlite_url) as ours, connected(postgresql_url) as theirs:
        assert built(ours).database == built(ours).database != built(theirs).database


# --- on disk ---------------------------------------------------------------------------------


@pytest.mark.parametrize("empty", [False, True])
def test_what_is_saved_is_loaded(sqlite: Engine, tmp_path: Path, empty: bool) -> None:
    if not empty:
        some_venues(sqlite)
    snapshot = built(sqlite)
    assert len(snapshot) == (0 if empty else 5)
    save(snapshot, tmp_path)
    loaded = load(tmp_path)
    assert content(loaded) == content(snapshot)
    assert [type(value) for value in vars(loaded).values()] == [
        type(value) for value in vars(snapshot).values()
    ]
    assert Search(loaded).row(UUID(int=5 << 100)) == Search(snapshot).row(UUID(int=5 << 100))


@pytest.fixture
def two(sqlite: Engine, tmp_path: Path) -> tuple[Snapshot, Snapshot]:
    """The previous and the current snapshot in `tmp_path`."""
    make_venue(sqlite)
    snapshots = built(sqlite, NOW), built(sqlite, NOW + HOUR)
    for snapshot in snapshots:
        save(snapshot, tmp_path)
    return snapshots


def test_the_current_one_is_loaded_and_the_previous_one_kept(
    two: tuple[Snapshot, Snapshot], tmp_path: Path
) -> None:
    assert load(tmp_path).generated_at == two[1].generated_at
    (tmp_path / CURRENT).unlink()
    assert load(tmp_path).generated_at == two[0].generated_at


def test_nothing_else_is_left_on_disk(two: tuple[Snapshot, Snapshot], tmp_path: Path) -> None:
    assert {path.name for path in tmp_path.iterdir() if "snapshot" in path.name} == {
        CURRENT,
        PREVIOUS,
    }


def cut_places(whole: bytes) -> Iterator[int]:
    """Where a file may end too soon: in its head, in the line after it, in its columns."""
    head = whole.index(b"\n")
    yield from (0, 1, 10, head - 32, head - 1, head, head + 1, head + 2)
    columns = whole.index(b"\n", head + 1) + 1
    yield from (columns - 2, columns - 1, columns, columns + 1)
    yield from range(head + 3, len(whole), len(whole) // 50)
    yield from (len(whole) - 64, len(whole) - 1)


def test_a_file_that_ends_too_soon_is_not_used(
    two: tuple[Snapshot, Snapshot], tmp_path: Path
) -> None:
    whole = (tmp_path / CURRENT).read_bytes()
    for end in cut_places(whole):
        (tmp_path / CURRENT).write_bytes(whole[:end])
        assert load(tmp_path).generated_at == two[0].generated_at, end


def test_a_file_with_one_wrong_bit_is_not_used(
    two: tuple[Snapshot, Snapshot], tmp_path: Path
) -> None:
    whole = (tmp_path / CURRENT).read_bytes()
    head = range(whole.index(b"\n") + 1)
    for place in [*head, *range(head.stop, len(whole), 13)]:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        (tmp_path / CURRENT).write_bytes(damaged)
        assert load(tmp_path).generated_at == two[0].generated_at, place


DAMAGED: list[tuple[Callable[[bytes], bytes], str]] = [
    (lambda _: b"", "empty"),
    (lambda whole: whole + b"\0", "a byte too many"),
    (lambda whole: whole + whole, "written twice"),
    (lambda whole: whole[whole.index(b"\n") + 1 :], "without its head"),
    (lambda whole: whole.replace(b"\n", b"\r\n", 1), "changed as if it were text"),
    (lambda whole: b"\0" * len(whole), "a disk that gave the room and never the bytes"),
    (lambda whole: in_format(b"havens directory 3", whole, sha256), "of an older version"),
    (lambda whole: in_format(b"havens directory 6", whole), "of a newer version"),
    (lambda whole: in_format(b"havens directory 50", whole), "of a version that begins like ours"),
    (lambda whole: in_format(b"havens directory 5", whole, sha256), "with another checksum"),
]


def in_format(name: bytes, whole: bytes, checksum: Callable[[bytes], Any] = xxh3_128) -> bytes:
    _, line, columns = whole.split(b"\n", 2)
    sums = [checksum(part).hexdigest().encode() for part in (line, columns)]
    return b" ".join([name, *sums]) + b"\n" + line + b"\n" + columns


def test_the_format_is_the_one_that_the_others_differ_from(
    two: tuple[Snapshot, Snapshot], tmp_path: Path
) -> None:
    whole = (tmp_path / CURRENT).read_bytes()
    assert in_format(b"havens directory 5", whole) == whole


@pytest.mark.parametrize(("damage", "why"), DAMAGED)
def test_a_damaged_file_is_neither_used_nor_kept(
    sqlite: Engine,
    two: tuple[Snapshot, Snapshot],
    tmp_path: Path,
    damage: Callable[[bytes], bytes],
    why: str,
) -> None:
    (tmp_path / CURRENT).write_bytes(damage((tmp_path / CURRENT).read_bytes()))
    assert load(tmp_path).generated_at == two[0].generated_at, why
    save(built(sqlite, NOW + 2 * HOUR), tmp_path)
    assert load(tmp_path).generated_at == NOW + 2 * HOUR
    (tmp_path / CURRENT).unlink()
    assert load(tmp_path).generated_at == two[0].generated_at, "the good one before is still there"


@pytest.mark.parametrize(("damage", "why"), DAMAGED)
def test_two_damaged_files_are_unusable(
    two: tuple[Snapshot, Snapshot], tmp_path: Path, damage: Callable[[bytes], bytes], why: str
) -> None:
    for name in (CURRENT, PREVIOUS):
        (tmp_path / name).write_bytes(damage((tmp_path / name).read_bytes()))
    with pytest.raises(Unusable):
        load(tmp_path)


def test_what_was_left_half_written_is_in_nobody_s_way(
    sqlite: Engine, two: tuple[Snapshot, Snapshot], tmp_path: Path
) -> None:
    for name in (CURRENT, PREVIOUS):
        (tmp_path / name).with_suffix(".new").write_bytes(b"havens dir")
    assert load(tmp_path).generated_at == two[1].generated_at
    save(built(sqlite, NOW + 2 * HOUR), tmp_path)
    assert load(tmp_path).generated_at == NOW + 2 * HOUR
    (tmp_path / CURRENT).unlink()
    assert load(tmp_path).generated_at == two[1].generated_at


def test_without_any_file_it_is_unusable(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="No such file"):
        load(tmp_path)


def test_a_folder_where_a_file_should_be_is_unusable(tmp_path: Path) -> None:
    for name in (CURRENT, PREVIOUS):
        (tmp_path / name).mkdir()
    with pytest.raises(Unusable):
        load(tmp_path)
