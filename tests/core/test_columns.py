from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

import numpy as np
import pytest
import sqlalchemy as sa
from sqlmodel import Session

from app.core.columns import last_by_day, places, read_columns
from app.core.db import Instant, connected
from app.core.london import LONDON

KEPT = sa.Table(
    "kept",
    sa.MetaData(),
    sa.Column("id", sa.Uuid()),
    sa.Column("at", Instant()),
    sa.Column("number", sa.BigInteger()),
    sa.Column("truth", sa.Boolean()),
    sa.Column("word", sa.String()),
)


@pytest.fixture
def session(database_url: str) -> Iterator[Session]:
    with connected(database_url) as engine, Session(engine) as session:
        KEPT.create(session.connection())
        yield session


def test_what_is_kept_is_what_is_read(session: Session) -> None:
    one, two = UUID("0a0b0c0d-0000-4000-8000-00000000000f"), UUID(int=2)
    at = datetime.fromisoformat("2025-07-01T00:30:00.000250+01:00")
    rows = [
        (one, at, -7, True, "Café, 1"),
        (two, at.replace(microsecond=0), 2**40, False, ""),
        (None, None, None, None, None),
    ]
    session.execute(sa.insert(KEPT), [dict(zip(KEPT.c.keys(), row, strict=True)) for row in rows])
    id_, instant, number, truth, word = read_columns(session, sa.select(KEPT))
    order = [id_.index(key) for key in (one.hex, two.hex, "")]
    assert [str(instant[row]) for row in order] == [
        "2025-06-30T23:30:00.000250",
        "2025-06-30T23:30:00.000000",
        "NaT",
    ]
    assert number[order].tolist() == [-7, 2**40, 0]
    assert truth[order].tolist() == [1, 0, 0]
    assert [word[row] for row in order] == ["Café, 1", "", ""]


def test_both_instants_of_an_hour_that_comes_twice_are_kept(session: Session) -> None:
    summer = datetime(2025, 10, 26, 1, 30, tzinfo=LONDON)
    session.execute(sa.insert(KEPT), [{"at": summer}, {"at": summer.replace(fold=1)}])
    (instants,) = read_columns(session, sa.select(KEPT.c.at))
    assert sorted(map(str, instants)) == [
        "2025-10-26T00:30:00.000000",
        "2025-10-26T01:30:00.000000",
    ]


def test_one_empty_word_is_a_row_and_no_row_is_none(session: Session) -> None:
    asked = sa.select(KEPT.c.word, KEPT.c.number, KEPT.c.at)
    assert [len(column) for column in read_columns(session, asked)] == [0, 0, 0]
    session.execute(sa.insert(KEPT), {"word": ""})
    assert [len(column) for column in read_columns(session, asked)] == [1, 1, 1]


def test_text_that_would_move_rows_is_refused(session: Session) -> None:
    session.execute(sa.insert(KEPT), {"word": "one\x1ftwo", "number": 1})
    with pytest.raises(ValueError, match="different lengths"):
        read_columns(session, sa.select(KEPT.c.word, KEPT.c.number))


def test_places() -> None:
    assert places(["b", "x", "a", "b"], ["a", "b"]).tolist() == [1, -1, 0, 1]
    assert places([], ["a"]).tolist() == []


def test_the_last_by_each_day_holds() -> None:
    since, owner = np.array([0, 1, 1, 2, 0]), np.array([0, 0, 0, 0, 1])
    assert last_by_day(since, owner, 2, 3).tolist() == [[0, 4, -1], [2, 4, -1]]
