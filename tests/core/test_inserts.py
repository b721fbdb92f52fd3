"""Rows that are inserted many at once are kept as a plain INSERT keeps them."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlmodel import SQLModel

from app.core import inserts
from app.core.db import connected
from app.core.inserts import insert_rows
from app.core.journal_changes import Columns, columns_of
from app.core.places import Point
from app.training.models import Headcount
from app.venues import osm_hours
from app.venues.kinds import Category, Facility
from app.venues.models import Venue

WORDS = ["", "Café", "a\tb\nc\\N", "\\.", "'; DROP", '"', "%(name)s, ? :x", "€ 🍸"]
AT = datetime(2027, 3, 28, 1, 30, 0, 250, tzinfo=UTC)


@pytest.fixture
def connection(database_url: str) -> Iterator[sa.Connection]:
    with (
        connected(database_url) as engine,
        engine.execution_options(writes=True).connect() as connection,
    ):
        yield connection


def table_of(model: type[SQLModel]) -> sa.Table:
    table: sa.Table = sa.inspect(model).local_table
    return table


def venues(count: int) -> list[Columns]:
    return [
        columns_of(
            Venue(
                id=UUID(int=number + 1),
                reference=f"V-{number}",
                name=WORDS[number % len(WORDS)],
                category=list(Category)[number % len(Category)],
                location=Point(51.5 + number / 3e5, -0.1 / (number + 1)),
                hours=osm_hours.parse("Fr,Sa 22:00-04:00; PH off") if number % 3 else None,
                facilities=list(Facility)[: number % 3],
                conditions=[{"text": word} for word in WORDS[: number % 3]],
                licensed=number % 2 == 0,
                refresh_months=12 if number % 2 else None,
                closed_on=date(2027, 2, 28) if number % 4 == 1 else None,
            )
        )
        for number in range(count)
    ]


def headcounts(count: int) -> list[Columns]:
    return [
        columns_of(
            Headcount(
                id=UUID(int=number + 1),
                venue_id=UUID(int=1),
                effective_at=AT + timedelta(microseconds=number),
                recorded_at=AT,
                recorded_by=WORDS[number % len(WORDS)],
                voided_at=AT if number % 2 else None,
                staff=number,
                left=0,
            )
        )
        for number in range(count)
    ]


def kept(connection: sa.Connection, table: sa.Table) -> Sequence[Any]:
    # As they lie there, past the types of the columns.
    everything = sa.select(sa.text("*")).select_from(table).order_by(table.c.id)
    return connection.execute(everything).all()


# So many at once that there is one left over, some, or a few that are not worth it.
@pytest.mark.parametrize("count", [0, 1, 10, 12, 25, 34])
def test_they_are_kept_as_by_a_plain_insert(
    connection: sa.Connection, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr(inserts, "_AT_ONCE", 12)
    for model, rows in ((Venue, venues(count)), (Headcount, headcounts(count))):
        table = table_of(model)
        outer = connection.begin_nested()
        if model is Headcount:
            connection.execute(table_of(Venue).insert(), venues(1))
        inner = connection.begin_nested()
        if rows:
            connection.execute(table.insert(), rows)
        plain = kept(connection, table)
        inner.rollback()
        insert_rows(connection, table, rows)
        assert kept(connection, table) == plain
        assert len(plain) == count
        outer.rollback()


def test_what_the_database_refuses_is_refused(connection: sa.Connection) -> None:
    rows = venues(20)
    rows[-1]["id"] = rows[0]["id"]
    with pytest.raises(sa.exc.IntegrityError), connection.begin_nested():
        insert_rows(connection, table_of(Venue), rows)
    assert kept(connection, table_of(Venue)) == []
