"""A record that is made for many is the one that its model makes."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import SQLModel

from app.core.batch import made
from app.core.db import connected, read_session
from app.core.journal_changes import columns_of
from app.core.places import Point
from app.training.models import Headcount
from app.venues.kinds import Category
from app.venues.models import Business, Venue, searched
from tests.factories import journal_of

ID = UUID(int=1)
AT = datetime(2027, 3, 1, tzinfo=UTC)
NAME = "Café Brontë"

RECORDS: list[tuple[type[SQLModel], dict[str, Any]]] = [
    (Business, {"name": NAME}),
    (
        Venue,
        {
            "reference": "A-1",
            "name": NAME,
            "category": Category.CAFE,
            "location": Point(51.5, -0.1),
        },
    ),
    (
        Headcount,
        {
            "venue_id": ID,
            "staff": 3,
            "left": 0,
            "effective_at": AT,
            "recorded_at": AT,
            "recorded_by": "test",
        },
    ),
]


@pytest.mark.parametrize(("model", "values"), RECORDS)
def test_it_has_the_values_and_the_defaults_of_its_model(
    model: type[SQLModel], values: dict[str, Any]
) -> None:
    folded = {"folded_name": searched(NAME)} if "name" in values else {}
    record = made(model, id=ID, **values, **folded)
    assert columns_of(record) == columns_of(model(id=ID, **values))


def test_no_two_share_what_can_be_changed() -> None:
    values = RECORDS[1][1] | {"folded_name": ""}
    one, other = made(Venue, **values), made(Venue, **values)
    assert one.id != other.id
    assert one.facilities is not other.facilities


def test_a_session_writes_it_as_any_other(sqlite_url: str) -> None:
    with connected(sqlite_url) as engine:
        with journal_of(engine).writing("test") as session:
            session.add(made(Business, id=ID, name=NAME, folded_name=searched(NAME)))
        with read_session(engine) as session:
            assert session.get_one(Business, ID).name == NAME


@pytest.mark.parametrize(
    "values", [{}, {"name": NAME, "names": NAME}], ids=["what is needed is missing", "of no column"]
)
def test_values_that_make_no_record_are_refused(values: dict[str, str]) -> None:
    with pytest.raises(TypeError, match="Business is not made of"):
        made(Business, **values)
