"""A venue's one window becomes decisions and comes back, and nothing is lost on the way."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine
from sqlmodel import col

from app.core.db import downgrade, make_engine, migrate
from app.core.london import effective
from app.core.places import Point
from app.schemes.models import Decision
from app.venues.kinds import Category
from app.venues.models import Venue

FAR = (date(2020, 1, 1), date(2060, 12, 31))
OVER = (date(2024, 7, 1), date(2025, 6, 30))


@pytest.fixture
def engine(empty_database_url: str) -> Iterator[Engine]:
    engine = make_engine(empty_database_url)
    yield engine
    engine.dispose()


def url(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=False)


def add_venue(engine: Engine, reference: str, window: tuple[date, date] | None) -> UUID:
    """A venue as the version before had it, with a business."""
    business = sa.table("business", sa.column("id", sa.Uuid()), sa.column("name"))
    columns = [c for c in sa.inspect(Venue).columns if not c.name.startswith("safe_haven")]
    venue = sa.table(
        "venue",
        *(sa.column(c.name, c.type) for c in columns),
        sa.column("safe_haven_from", sa.Date()),
        sa.column("safe_haven_until", sa.Date()),
    )
    made = Venue(
        reference=reference,
        name="The Lantern",
        category=Category.PUB,
        location=Point(51.5134, -0.0890),
        business_id=uuid4(),
    )
    values = {c.name: getattr(made, c.name) for c in columns}
    first, last = window or (None, None)
    write(engine, business.insert().values(id=made.business_id, name=reference))
    write(engine, venue.insert().values(**values, safe_haven_from=first, safe_haven_until=last))
    texts = dict.fromkeys(("name", "role", "phone", "email"), "Somebody")
    contact = sa.table(
        "contact",
        *(sa.column(name, sa.Uuid()) for name in ("id", "venue_id")),
        sa.column("preferred", sa.Boolean()),
        *(sa.column(name) for name in texts),
    )
    write(engine, contact.insert().values(id=uuid4(), venue_id=made.id, preferred=True, **texts))
    return made.id


def write(engine: Engine, statement: sa.Executable | str) -> None:
    statement = sa.text(statement) if isinstance(statement, str) else statement
    with engine.execution_options(writes=True).begin() as connection:
        connection.execute(statement)


def rows(engine: Engine, table: str) -> list[dict[str, Any]]:
    """A table as the database has it, in order."""
    with engine.connect() as connection:
        found = connection.execute(sa.text(f"SELECT * FROM {table}")).mappings()  # noqa: S608
        return sorted((dict(row) for row in found), key=lambda row: repr(sorted(row.items())))


def windows(engine: Engine) -> dict[str, tuple[str, str]]:
    return {
        row["reference"]: (str(row["safe_haven_from"]), str(row["safe_haven_until"]))
        for row in rows(engine, "venue")
    }


def written(window: tuple[date, date] | None) -> tuple[str, str]:
    return (str(window[0]), str(window[1])) if window else ("None", "None")


def decide(engine: Engine, venue_id: UUID, kind: str, when: datetime, **more: Any) -> None:
    usual = {"recorded_at": datetime.now(UTC), "recorded_by": "account p.okafor"}
    given = {"id": uuid4(), "venue_id": venue_id, "scheme": "safe_haven", "effective_at": when}
    write(engine, sa.insert(Decision).values(**usual | given | {"kind": kind} | more))


def shape(engine: Engine) -> list[Any]:
    """What a database has besides rows."""
    inspector = sa.inspect(engine)
    found = [
        (
            table,
            sorted(c["name"] for c in inspector.get_columns(table)),
            sorted(str(i["name"]) for i in inspector.get_indexes(table)),
            sorted(str(c["name"]) for c in inspector.get_check_constraints(table)),
            sorted(str(k["constrained_columns"]) for k in inspector.get_foreign_keys(table)),
        )
        for table in sorted(inspector.get_table_names())
        if table not in ("spatial_ref_sys", "alembic_version")
    ]
    query = (
        "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        if engine.dialect.name == "sqlite"
        else "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"
    )
    with engine.connect() as connection:
        return [*found, sorted(connection.execute(sa.text(query)).scalars())]


def test_windows_become_awards_and_come_back(engine: Engine) -> None:
    migrate(url(engine), "0004")
    before = shape(engine)
    given = {"far": FAR, "over": OVER, "none": None}
    ids = {reference: add_venue(engine, reference, window) for reference, window in given.items()}

    migrate(url(engine), "0005")
    after = shape(engine)
    decisions = rows(engine, "decision")
    assert len(decisions) == 2
    assert {row["recorded_by"] for row in decisions} == {"migration"}
    assert {row["certificate"] for row in decisions} == {None}
    states = {(row["state"], str(row["until"])) for row in rows(engine, "accreditation")}
    assert states == {
        ("in_force", "2060-12-31"),
        ("expired", "2060-12-31"),
        ("expired", "2025-06-30"),
    }
    with engine.connect() as connection:
        over = col(Decision.venue_id) == ids["over"]
        starts = sa.select(col(Decision.effective_at)).where(over)
        assert connection.execute(starts).scalar_one() == effective(OVER[0])
    for table in ("contact", "venue"):
        assert len(rows(engine, table)) == 3

    downgrade(url(engine), "0004")
    assert windows(engine) == {reference: written(window) for reference, window in given.items()}
    kept = [part for part in shape(engine) if part[0] != "decision_kept"]
    assert kept == before
    migrate(url(engine), "0005")
    assert shape(engine) == after
    assert rows(engine, "decision") == decisions


def test_what_one_window_cannot_say_is_kept(engine: Engine) -> None:
    migrate(url(engine))
    downgrade(url(engine), "0004")
    ids = {reference: add_venue(engine, reference, FAR) for reference in ("a", "b", "c", "d")}
    migrate(url(engine), "0005")
    noon = (datetime.now(UTC) - timedelta(days=9)).replace(hour=12)
    decide(engine, ids["a"], "suspended", noon, reason="Failed a test")
    decide(engine, ids["b"], "withdrawn", noon, reason="Left", findings=[{"met": True}])
    decide(engine, ids["c"], "awarded", noon, until=date(2061, 1, 1), certificate="SH-2026-0001")
    decide(engine, ids["d"], "awarded", noon, scheme="ask_for_angela", voided_at=noon)
    write(
        engine,
        "INSERT INTO season VALUES ('6f1c0c5e2f6e4d4b9a570f7c3f1f2a10', 'safety_thirst', 2026,"
        " 'Safety Thirst 2026', '2026-03-15', '2026-04-01', '2026-06-30', NULL, '{}', '[]')",
    )
    kept = {table: rows(engine, table) for table in ("decision", "season")}

    downgrade(url(engine), "0004")
    day_before = written((FAR[0], noon.date() - timedelta(days=1)))
    assert windows(engine) == {
        "a": day_before,
        "b": day_before,
        "c": written((FAR[0], date(2061, 1, 1))),
        "d": written(FAR),
    }, "what is suspended or withdrawn does not come back into force"
    migrate(url(engine), "0005")
    assert {table: rows(engine, table) for table in kept} == kept
    assert not sa.inspect(engine).has_table("decision_kept")
    states = {(row["scheme"], row["state"]) for row in rows(engine, "accreditation")}
    assert ("safe_haven", "suspended") in states
    assert ("safe_haven", "withdrawn") in states


def test_what_was_changed_in_between_goes_first(engine: Engine) -> None:
    migrate(url(engine), "0004")
    for reference in ("changed", "cleared", "same"):
        add_venue(engine, reference, FAR)
    migrate(url(engine), "0005")
    downgrade(url(engine), "0004")
    write(engine, "UPDATE venue SET safe_haven_until = '2030-01-01' WHERE reference = 'changed'")
    write(
        engine,
        "UPDATE venue SET safe_haven_from = NULL, safe_haven_until = NULL"
        " WHERE reference = 'cleared'",
    )
    add_venue(engine, "added", OVER)
    migrate(url(engine), "0005")
    with engine.connect() as connection:
        told = connection.execute(
            sa.text(
                "SELECT reference, until, voided_by FROM decision JOIN venue"
                " ON venue.id = venue_id ORDER BY reference, until"
            )
        ).all()
    assert [(reference, str(until), by) for reference, until, by in told] == [
        ("added", "2025-06-30", None),
        ("changed", "2030-01-01", None),
        ("changed", "2060-12-31", "migration"),
        ("cleared", "2060-12-31", "migration"),
        ("same", "2060-12-31", None),
    ]


def test_an_empty_database_goes_down_to_nothing(engine: Engine) -> None:
    migrate(url(engine))
    downgrade(url(engine), "base")
    left = set(sa.inspect(engine).get_table_names()) - {"alembic_version", "spatial_ref_sys"}
    assert left == set()
    migrate(url(engine))


def test_the_version_before_refuses_half_a_window(engine: Engine) -> None:
    migrate(url(engine), "0005")
    downgrade(url(engine), "0004")
    with pytest.raises(sa.exc.IntegrityError):
        add_venue(engine, "backwards", (FAR[1], FAR[0]))
