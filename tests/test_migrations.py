"""The database on its way from the first version to this one and back, on both kinds."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

from app.core.db import MIGRATIONS, _migration, _revisions, connected, downgrade, migrate
from app.core.geo import GeoPoint
from app.core.journal import Journal
from app.core.london import LONDON, effective
from app.core.places import Point
from app.schemes.actions import decide, void_decision
from app.schemes.models import Decision
from app.schemes.registry import SchemeKey
from app.schemes.schemas import Application, Award, Reinstatement, Suspension
from app.schemes.season_schemas import SeasonIn
from app.schemes.seasons import add_season
from app.training.actions import record_session
from app.training.courses import CourseKey, StaffRole
from app.training.schemas import AttendanceIn, SessionIn
from app.venues import osm_hours
from app.venues.models import Business, Contact

FIRST = "0001"
WINDOWS = {
    "none": (None, None),
    "far": (date(2020, 1, 1), date(2060, 12, 31)),
    "over": (date(2024, 7, 1), date(2025, 6, 30)),
    "ahead": (date(2059, 12, 31), date(2060, 12, 31)),
    "a day": (date(2025, 3, 30), date(2025, 3, 30)),
}
"""Accreditations as the first version has them, two days of clock changes among them."""

VENUE = sa.table(
    "venue",
    *(sa.column(name, sa.Uuid()) for name in ("id", "business_id", "ward_id")),
    *(sa.column(name) for name in ("reference", "name", "category", "status", "address")),
    *(sa.column(name) for name in ("postcode", "phone", "entrance", "step_free")),
    *(sa.column(name) for name in ("premises_licence", "uprn", "fhrs_id")),
    *(sa.column(name, sa.Boolean()) for name in ("demonstration", "licensed", "late_night")),
    sa.column("location", GeoPoint()),
    sa.column("hours", sa.JSON(none_as_null=True)),
    sa.column("facilities", sa.JSON()),
    *(sa.column(name, sa.Date()) for name in ("safe_haven_from", "safe_haven_until")),
)
BUSINESS = sa.table("business", sa.column("id", sa.Uuid()), sa.column("name"))
WARD = sa.table(
    "ward",
    sa.column("id", sa.Uuid()),
    *(sa.column(name) for name in ("code", "name")),
    sa.column("boundary", sa.JSON()),
)
Row = dict[str, Any]


@pytest.fixture
def engine(empty_database_url: str) -> Iterator[Engine]:
    with connected(empty_database_url) as engine:
        yield engine


def url(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=False)


def fill(engine: Engine) -> None:
    """What the first version can hold: places of every kind and status, accredited and not."""
    wards = [
        {"id": uuid4(), "code": f"E0500930{n}", "name": name, "boundary": {"type": "Polygon"}}
        for n, name in enumerate(("Cheap", "Cornhill"))
    ]
    businesses = [{"id": uuid4(), "name": name} for name in ("Lantern Inns", "O'Neill's & Söhne")]
    kinds = [("pub", "active"), ("help_point", "active"), ("cafe", "prospect"), ("bar", "closed")]
    venues = [
        {
            "id": uuid4(),
            "reference": f"{category} {window}",
            "name": f"Zum Löwen & Lamm {number}",
            "category": category,
            "status": status,
            "demonstration": number % 2 == 0,
            "business_id": businesses[number % 2]["id"] if number % 3 else None,
            "address": f"{number} Poultry",
            "postcode": "EC2R 8AJ",
            "location": Point(51.51 + number / 1000, -0.09),
            "ward_id": wards[number % 2]["id"] if number % 4 else None,
            "hours": HOURS if number % 5 else None,
            "phone": "020 7946 0123",
            "entrance": "By the clock",
            "facilities": ["water", "seat"],
            "step_free": ("yes", "no", "unknown")[number % 3],
            "licensed": number % 2 == 1,
            "late_night": number % 4 == 1,
            "premises_licence": "LN/1",
            "uprn": "100021521456",
            "fhrs_id": str(number),
            "safe_haven_from": WINDOWS[window][0],
            "safe_haven_until": WINDOWS[window][1],
        }
        for number, ((category, status), window) in enumerate(product(kinds, WINDOWS))
    ]
    with engine.execution_options(writes=True).begin() as connection:
        for table, rows in ((WARD, wards), (BUSINESS, businesses), (VENUE, venues)):
            connection.execute(sa.insert(table), rows)


HOURS = osm_hours.parse("Mo-Th 11:00-23:00; Fr,Sa 11:00-02:00; PH off").model_dump(mode="json")


def rows(engine: Engine, table: str) -> list[Row]:
    """A table as the database has it, by id; counters of change are not what it holds."""
    with engine.connect() as connection:
        found = connection.execute(sa.text(f"SELECT * FROM {table}")).mappings()  # noqa: S608
        listed = [{k: v for k, v in row.items() if k != "version"} for row in found]
    return sorted(listed, key=lambda row: str(row.get("id", sorted(map(str, row.items())))))


def everything(engine: Engine, *but: str) -> dict[str, list[Row]]:
    """Every table but some, and PostGIS's own."""
    tables = sa.inspect(engine).get_table_names()
    return {table: rows(engine, table) for table in tables if table not in (*NOT_OURS, *but)}


NOT_OURS = ("alembic_version", "spatial_ref_sys")


def shape(engine: Engine) -> Row:
    """What a database is made of, besides rows."""
    inspector = sa.inspect(engine)
    triggers = (
        "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        if engine.dialect.name == "sqlite"
        else "SELECT tgname || ' on ' || tgrelid::regclass FROM pg_trigger WHERE NOT tgisinternal"
    )
    found: Row = {
        table: [
            sorted(
                (c["name"], str(c["type"]), c["nullable"]) for c in inspector.get_columns(table)
            ),
            sorted((str(i["name"]), i["column_names"]) for i in inspector.get_indexes(table)),
            sorted((str(c["name"]), c["sqltext"]) for c in inspector.get_check_constraints(table)),
            sorted(str(k["constrained_columns"]) for k in inspector.get_foreign_keys(table)),
        ]
        for table in inspector.get_table_names()
        if table not in NOT_OURS
    }
    with engine.connect() as connection:
        found["triggers"] = sorted(connection.execute(sa.text(triggers)).scalars())
    return found


# --- there and back --------------------------------------------------------------------------


def test_nothing_is_lost_on_the_way_up_down_and_up_again(engine: Engine) -> None:
    migrate(url(engine), FIRST)
    fill(engine)
    first, first_shape = everything(engine), shape(engine)
    began = datetime.now(UTC)
    migrate(url(engine))
    made = everything(engine)
    made_shape = shape(engine)
    old = {row["reference"]: row for row in first["venue"]}

    for table in ("ward", "business", "directory_state"):
        kept = [{name: row[name] for name in first[table][0]} for row in made[table]]
        assert kept == first[table]
    folded = {row["name"]: row["folded_name"] for row in made["business"]}
    assert folded == {"Lantern Inns": "lantern inns", "O'Neill's & Söhne": "oneills and sohne"}
    for row in made["venue"]:
        before = old[row["reference"]]
        kept_of = {name for name in before if not name.startswith("safe_haven")}
        assert {name: row[name] for name in kept_of} == {name: before[name] for name in kept_of}
        assert row["folded_name"].startswith("zum lowen and lamm ")
    check_decisions(engine, began)
    check_facts(engine, began)

    downgrade(url(engine), FIRST)
    assert everything(engine, "decision_kept") == first
    assert shape(engine) == first_shape | {"decision_kept": shape(engine)["decision_kept"]}
    migrate(url(engine))
    again = everything(engine)
    assert shape(engine) == made_shape
    for table, held in made.items():
        if table == "venue_facts":
            # Made anew, from what the first version says of a venue.
            unstable = ("id", "recorded_at", "effective_at")
            assert without(again[table], *unstable) == without(held, *unstable)
        else:
            assert again[table] == held, table
    check_facts(engine, began)


def without(held: Sequence[Row], *columns: str) -> list[Row]:
    kept = [{k: v for k, v in row.items() if k not in columns} for row in held]
    return sorted(kept, key=lambda row: str(row["venue_id"]))


def check_decisions(engine: Engine, began: datetime) -> None:
    """One award for each accreditation, from the first instant of its first day."""
    with engine.connect() as connection:
        told = connection.execute(
            sa.select(
                sa.column("reference"), *(getattr(Decision, name) for name in SHOWN_OF_DECISIONS)
            ).select_from(sa.table("venue").join(Decision, sa.text("venue.id = venue_id")))
        ).all()
    awards = {row.reference: row for row in told}
    assert len(awards) == len(told)
    assert set(awards) == {
        f"{category} {window}"
        for category in ("pub", "help_point", "cafe", "bar")
        for window, (first, _) in WINDOWS.items()
        if first
    }
    for reference, award in awards.items():
        first, last = WINDOWS[reference.split(" ", 1)[1]]
        assert first
        assert (award.kind, award.scheme) == ("awarded", "safe_haven")
        assert (award.effective_at, award.until) == (effective(first), last)
        assert (award.voided_at, award.certificate, award.grade) == (None, None, None)
        assert began <= award.recorded_at <= datetime.now(UTC)
    with engine.connect() as connection:
        states = connection.execute(
            sa.text(
                "SELECT reference, state FROM accreditation JOIN venue ON venue.id = venue_id"
                " WHERE starts_at <= CURRENT_TIMESTAMP"
                " AND (ends_at IS NULL OR ends_at > CURRENT_TIMESTAMP)"
            )
        )
        now = {reference.split(" ", 1)[1]: state for reference, state in states}
    assert now == {"far": "in_force", "over": "expired", "a day": "expired"}


SHOWN_OF_DECISIONS = (
    *("kind", "scheme", "effective_at", "until", "recorded_at", "voided_at"),
    *("certificate", "grade"),
)


def check_facts(engine: Engine, began: datetime) -> None:
    """One version for each venue, since its accreditation began or else since now."""
    names = ("category", "status", "ward_id", "business_id", "licensed", "late_night")
    facts = {row["venue_id"]: row for row in rows(engine, "venue_facts")}
    venues = rows(engine, "venue")
    assert set(facts) == {row["id"] for row in venues}
    for venue in venues:
        version = facts[venue["id"]]
        assert {name: version[name] for name in names} == {name: venue[name] for name in names}
        first, _ = WINDOWS[venue["reference"].split(" ", 1)[1]]
        since = version["effective_at"]
        if isinstance(since, str):
            since = datetime.fromisoformat(since).replace(tzinfo=UTC)
        if first and effective(first) < began:
            assert since == effective(first)
        else:
            assert began <= since <= datetime.now(UTC)


def test_what_is_decided_later_comes_back_too(engine: Engine, tmp_path: Path) -> None:
    migrate(url(engine), FIRST)
    fill(engine)
    migrate(url(engine))
    decide_much(Journal(engine, b"k" * 32, tmp_path / "journal.head"), engine)
    tables = ("decision", "season", "accreditation")
    held = {table: rows(engine, table) for table in tables}
    assert len(held["decision"]) == 16 + 7
    downgrade(url(engine), FIRST)
    ends = {row["reference"]: str(row["safe_haven_until"]) for row in rows(engine, "venue")}
    yesterday = datetime.now(LONDON).date() - timedelta(days=1)
    assert ends["pub far"] == str(yesterday), "the first version must not list it again"
    assert ends["help_point far"] == "2060-12-31"
    migrate(url(engine))
    assert {table: rows(engine, table) for table in tables} == held


def decide_much(journal: Journal, engine: Engine) -> None:
    """A suspension, one that was lifted, a withdrawal, another scheme, a mistake and a season."""
    with journal.writing("account p.okafor") as session:
        named = sa.select(sa.column("reference"), VENUE.c.id).select_from(VENUE)
        ids = {reference: UUID(str(id_)) for reference, id_ in session.execute(named)}
        pub, help_point = ids["pub far"], ids["help_point far"]
        today = datetime.now(LONDON).date()
        trained = AttendanceIn(venue_id=help_point, role=StaffRole.OTHER, new=2)
        for course in (CourseKey.ASK_FOR_ANGELA, CourseKey.WAVE):
            record_session(session, SessionIn(course=course, on=today, attendances=[trained]))
        suspended = {"scheme": SchemeKey.SAFE_HAVEN, "reason": "Failed a scheme test"}
        decide(session, pub, Suspension.model_validate(suspended))
        decide(session, help_point, Suspension.model_validate(suspended))
    with journal.writing("account p.okafor") as session:
        decide(session, help_point, Reinstatement(scheme=SchemeKey.SAFE_HAVEN))
        angela = SchemeKey.ASK_FOR_ANGELA
        decide(session, help_point, Application(scheme=angela))
        decide(session, help_point, Award(scheme=angela))
        mistake = decide(session, pub, Application(scheme=angela))
        void_decision(session, mistake, "Entered for the wrong venue")
        add_season(
            session,
            SeasonIn(
                scheme=SchemeKey.SAFETY_THIRST,
                year=2026,
                name="Safety Thirst 2026",
                invitations_from=date(2026, 3, 16),
                assessments_from=date(2026, 4, 1),
                assessments_until=date(2026, 6, 30),
            ),
        )
    with journal.writing("account p.okafor") as session:
        charter = SchemeKey.WOMENS_NIGHT_SAFETY_CHARTER
        decide(session, pub, Award(scheme=charter))
    assert journal.verify() is None


def test_an_empty_database_goes_up_down_to_nothing_and_up(engine: Engine) -> None:
    migrate(url(engine))
    there = shape(engine)
    downgrade(url(engine), "base")
    assert everything(engine) == {}
    assert shape(engine) == {"triggers": []}
    migrate(url(engine))
    assert shape(engine) == there


def test_the_models_say_what_the_migrations_make(engine: Engine) -> None:
    migrate(url(engine))
    with _migration(url(engine)) as (command, config):
        command.check(config)


def test_entries_stay_genuine_on_the_way_down_and_up(engine: Engine, tmp_path: Path) -> None:
    """The version before knows neither keys nor what lies beside the journal, and keeps both."""
    migrate(url(engine))
    journal = Journal(engine, b"k" * 32, tmp_path / "journal.head")
    with journal.writing("account ada") as session:
        business = Business(name="Ales Ltd")
        session.add(business)
        session.flush()
        session.add(Contact(business_id=business.id, name="Sam Okafor"))
    held = rows(engine, "journal"), rows(engine, "journal_personal")
    downgrade(url(engine), "0011")
    migrate(url(engine))
    assert (rows(engine, "journal"), rows(engine, "journal_personal")) == held
    assert journal.verify() is None


def test_the_revisions_are_known_by_the_names_of_their_files() -> None:
    # Without the library that migrates, which a service whose database is up to date does without.
    found = ScriptDirectory(str(MIGRATIONS)).walk_revisions()
    assert _revisions() == tuple(script.revision for script in found)
