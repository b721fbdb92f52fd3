"""A snapshot file that is damaged, or wrong under right checksums, is refused or does no harm.

The loops of the search run twice on what is not refused: compiled, where a crash would end the test
run, and uncompiled on columns that let nothing be read outside them.
"""

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from xxhash import xxh3_128

from app.core.db import make_engine, read_session
from app.core.places import Point
from app.directory.build import build
from app.directory.engine.search import Question, Search
from app.directory.snapshot import CURRENT, HOUR, Unusable, load, save
from tests.bench.venues import fill
from tests.conftest import Scale
from tests.directory.engine.uncompiled import uncompiled
from tests.factories import utc

TRIES = 200
NOW = utc("2027-07-13T12:20")
VENUES = 300
"""So many that blocks of blocks lie in blocks."""


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A file that is as it should be."""
    folder = tmp_path_factory.mktemp("good")
    url = f"sqlite:///{folder}/havens.sqlite"
    fill(url, VENUES)
    engine = make_engine(url)
    with read_session(engine) as session:
        save(build(session, NOW), folder)
    engine.dispose()
    return (folder / CURRENT).read_bytes()


@pytest.fixture(scope="module")
def plain() -> Iterator[ModuleType]:
    """The loops of the search, uncompiled."""
    with pytest.MonkeyPatch.context() as patch:
        yield uncompiled(patch)


class Guarded(np.ndarray[Any, Any]):
    """A column in which nothing is found from behind, nor beyond its end."""

    def __getitem__(self, places: Any) -> Any:
        for place in places if isinstance(places, tuple) else (places,):
            assert isinstance(place, slice) or place >= 0
        return super().__getitem__(places)


def is_refused(folder: Path, content: bytes, plain: ModuleType) -> bool:
    """Whether such a file is refused. If it is not, it must do no harm."""
    (folder / CURRENT).unlink(missing_ok=True)  # one that is mapped must not change
    (folder / CURRENT).write_bytes(content)
    try:
        snapshot = load(folder)
    except Unusable:
        return True
    search = Search(snapshot)
    columns = search._columns[False]
    guarded = type(columns)(
        *(column.view(Guarded) if isinstance(column, np.ndarray) else column for column in columns)
    )
    for at, limit, needs in ((snapshot.start + HOUR, 50, 0), (snapshot.horizon - 9999, 3, 1)):
        answer = search.answer(Question(Point(51.5134, -0.089), at, limit, needs))
        with np.errstate(over="ignore"):
            asked = 51.5134, -0.089, at, limit, needs, math.inf
            columns.known[:] = 0  # so that it is found out again
            *stops, lines = plain.answer(guarded, *asked, search._minutes_per_m, 1.7, -1, 0, 0)
        found = [f for part in answer for f in part]
        assert [list(f[:8]) for f in found] == lines[:, :8].tolist()
        assert stops == [len(answer.havens), len(answer.havens + answer.closing)]
        for f in found:
            assert 0 <= f.row < len(snapshot)
            assert 0 <= f.text_from <= f.text_to <= len(snapshot.text)
            assert search.row(snapshot.uuid(f.row)) in (None, *range(len(snapshot)))
            search.state(f.row, at)
    return False


def test_a_good_file_is_used(good: bytes, tmp_path: Path, plain: ModuleType) -> None:
    assert not is_refused(tmp_path, good, plain)
    values, columns = taken_apart(good)
    assert not is_refused(tmp_path, put_together(values, columns), plain)


# --- damaged ---------------------------------------------------------------------------------


def damaged(good: bytes, random: Random) -> bytes:
    content = bytearray(good)
    place, end = sorted(random.sample(range(len(good)), 2))
    length = random.choice([1, 8, 64, 4096])
    match random.randrange(6):
        case 0:
            content[place] ^= 1 << random.randrange(8)
        case 1:
            content[place : place + length] = random.randbytes(length)
        case 2:
            del content[place:]
        case 3:
            del content[place : place + length]
        case 4:
            content[place:place] = random.randbytes(length)
        case 5:
            content[place : place + length], content[end : end + length] = (
                content[end : end + length],
                content[place : place + length],
            )
    return bytes(content)


def test_damaged_files_are_refused(
    good: bytes, tmp_path: Path, plain: ModuleType, scale: Scale
) -> None:
    random = Random(1)
    for number in range(scale(TRIES)):
        content = damaged(good, random)
        assert is_refused(tmp_path, content, plain) or content == good, number


# --- wrong, with checksums that are right ----------------------------------------------------


def taken_apart(content: bytes) -> tuple[Any, bytearray]:
    _, line, columns = content.split(b"\n", 2)
    return json.loads(line), bytearray(columns)


def put_together(values: Any, columns: bytes | bytearray) -> bytes:
    line, sums = json.dumps(values).encode(), xxh3_128(columns).hexdigest().encode()
    head = len(b"havens directory 5 ") + 2 * 32 + 1
    line += b" " * (-(head + len(line) + 2) % 64)
    of_line = xxh3_128(line).hexdigest().encode()
    return b"havens directory 5 %b %b\n%b\n%b" % (of_line, sums, line, bytes(columns))


ITEMS = [-1, -2, 0, 1, 7, 31, 32, 33, VENUES - 1, VENUES, VENUES + 1, 2**31, 2**62, -(2**63)]
JUNK: list[Any] = [
    None,
    True,
    -1,
    0,
    1,
    10**12,
    10**30,
    1.5,
    float("nan"),
    float("inf"),
    "",
    "1",
    [],
    {},
    [1],
]
KINDS = [
    "<i8",
    ">i8",
    "<i4",
    "<f8",
    "<u8",
    "|V16",
    "|V8",
    "|u1",
    "|O",
    "<M8[s]",
    "<U4",
    "i8,i8",
    "?",
]


def wrong_item(values: Any, columns: bytearray, random: Random) -> None:
    kind, shape, offset = values["columns"][random.choice(list(values["columns"]))]
    column: Any = np.ndarray(shape, kind, columns, offset).reshape(-1)
    for _ in range(random.choice([1, 1, 2, 50])):
        if column.size:
            place = random.choice([0, -1, random.randrange(column.size)])
            if column.dtype.kind == "i":
                beside = min(max(int(column[place]) + random.choice([-1, 1]), -(2**63)), 2**63 - 1)
                column[place] = random.choice([*ITEMS, beside])
            elif column.dtype.kind == "f":
                column[place] = random.choice([np.nan, np.inf, -np.inf, 1e300, 0.5, -91.0])
            else:
                column[place] = np.frombuffer(random.randbytes(16), column.dtype)[0]


def wrong_bytes(values: Any, columns: bytearray, random: Random) -> None:
    place, length = random.randrange(len(columns)), random.choice([1, 8, 512])
    columns[place : place + length] = random.randbytes(len(columns[place : place + length]))


def wrong_value(values: Any, columns: bytearray, random: Random) -> None:
    name = random.choice([name for name in values if name != "columns"])
    values[name] = random.choice([*JUNK, *ITEMS])


def wrong_place(values: Any, columns: bytearray, random: Random) -> None:
    column = values["columns"][random.choice(list(values["columns"]))]
    _, shape, offset = column
    match random.randrange(5):
        case 0:
            column[0] = random.choice([*KINDS, *JUNK])
        case 1:
            shape[random.randrange(len(shape))] += random.choice([-1, 1, 8, 2**40, 2**62, -(2**40)])
        case 2:
            column[1] = random.choice([*JUNK, shape[::-1], [*shape, 1], [[n] for n in shape]])
        case 3:
            column[2] = offset + random.choice([1, 4, 8, 64, -64, -(2**40), 2**40, len(columns)])
        case 4:
            column[2] = random.choice(JUNK)


def wrong_names(values: Any, columns: bytearray, random: Random) -> None:
    places = values["columns"]
    one, other = random.sample(list(places), 2)
    match random.randrange(5):
        case 0:
            del places[one]
        case 1:
            places[f"{one} too"] = places[one]
        case 2:
            places[one], places[other] = places[other], places[one]
        case 3:
            places[random.choice(["version", "leaves", "database"])] = places[one]
        case 4:
            values["columns"] = random.choice(JUNK)


def wrong_length(values: Any, columns: bytearray, random: Random) -> None:
    if random.random() < 0.5:
        del columns[random.randrange(len(columns)) :]
    else:
        columns += random.randbytes(random.randrange(1, 999))
    values["size"] = random.choice([len(columns), len(columns), str(len(columns)), None, -1])


WRONGS: list[Callable[[Any, bytearray, Random], None]] = [
    *[wrong_item] * 4,
    wrong_bytes,
    wrong_value,
    *[wrong_place] * 2,
    wrong_names,
    wrong_length,
]


def test_wrong_files_are_refused_or_do_no_harm(
    good: bytes, tmp_path: Path, plain: ModuleType, scale: Scale
) -> None:
    random = Random(2)
    refused, tries = 0, scale(TRIES)
    for _ in range(tries):
        values, columns = taken_apart(good)
        random.choice(WRONGS)(values, columns, random)
        refused += is_refused(tmp_path, put_together(values, columns), plain)
    print(f"{refused} of {tries} refused")
    assert tries / 2 < refused < tries, "what is only text, or a name, can't be told from another"


@pytest.mark.parametrize("line", [b"[]", b"7", b'"x"', b"null", b"{}", b"[" * 9000, b"1" * 5000])
def test_a_line_that_says_something_else(good: bytes, tmp_path: Path, line: bytes) -> None:
    sums = [xxh3_128(part).hexdigest().encode() for part in (line, b"")]
    (tmp_path / CURRENT).write_bytes(b"havens directory 5 %b %b\n%b\n" % (*sums, line))
    with pytest.raises(Unusable):
        load(tmp_path)


POINTERS: list[tuple[str, int | tuple[int, int], int, str]] = [
    ("opens", 5, 10**6, "a schedule that there is not"),
    ("opens", 5, -2, "a schedule from behind"),
    ("lists", 5, -1, "unknown hours for its listing"),
    ("by_id", 5, VENUES, "a row past the last"),
    ("offsets", 1, 10**6, "intervals past the last"),
    ("offsets", 0, 1, "intervals that belong to no schedule"),
    ("cuts", 5, -1, "a text from behind"),
    ("cuts", -1, 10**6, "a text past the end"),
    ("shutting", 3, 10**6, "instants past the last"),
    ("children", (0, 0), -1, "rows from behind"),
    ("children", (0, 1), VENUES, "a block with the rows of the others too"),
    ("children", (9, 1), 10**6, "rows past the last"),
    ("children", (11, 1), 10**6, "blocks past the last"),
    ("children", (-1, 1), 13, "a block that lies in itself"),
    ("starts", 0, -(2**63), "an opening before there was time"),
    ("ends", 0, 2**62, "an end past the horizon"),
]


@pytest.mark.parametrize(("name", "place", "item", "why"), POINTERS)
def test_what_points_nowhere_is_refused(
    good: bytes, tmp_path: Path, name: str, place: Any, item: int, why: str
) -> None:
    values, columns = taken_apart(good)
    kind, shape, offset = values["columns"][name]
    column: Any = np.ndarray(shape, kind, columns, offset)
    column[place] = item
    (tmp_path / CURRENT).write_bytes(put_together(values, columns))
    with pytest.raises(Unusable):
        load(tmp_path)
