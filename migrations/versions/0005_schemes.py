"""Decisions on accreditation, in place of a venue's one window"""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from operator import attrgetter
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from alembic import op

from app.core.db import Instant
from app.core.london import LONDON, effective
from app.schemes.rules import in_force_intervals, timeline

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

SCHEMES = (
    "scheme IN ('safe_haven', 'ask_for_angela', 'safety_thirst', 'womens_night_safety_charter')"
)
KINDS = (
    "kind IN ('applied', 'assessed', 'refused', 'awarded', 'suspended', 'reinstated', 'withdrawn')"
)
WINDOW = (
    "(safe_haven_from IS NULL AND safe_haven_until IS NULL)"
    " OR (safe_haven_from IS NOT NULL AND safe_haven_until IS NOT NULL"
    " AND safe_haven_from <= safe_haven_until)"
)
KEPT = ("season", "decision")
"""The tables that a downgrade puts aside as `…_kept`, seasons before what refers to them."""

VENUE = sa.table(
    "venue",
    sa.column("id", sa.Uuid()),
    sa.column("safe_haven_from", sa.Date()),
    sa.column("safe_haven_until", sa.Date()),
)
DECISION = sa.table(
    "decision",
    *(sa.column(name, sa.Uuid()) for name in ("id", "venue_id", "season_id")),
    *(sa.column(name, Instant()) for name in ("effective_at", "recorded_at", "voided_at")),
    *(sa.column(name) for name in ("recorded_by", "voided_by", "void_reason")),
    *(sa.column(name) for name in ("scheme", "kind", "grade", "certificate")),
    sa.column("until", sa.Date()),
)

Window = tuple[date, date]


def upgrade() -> None:
    _create_tables()
    _watch_decisions()
    connection = op.get_bind()
    for table in KEPT:
        _take_back(table)
    known = {venue_id: _window(rows) for (venue_id, _), rows in _decisions("safe_haven")}
    now = datetime.now(UTC)
    for row in connection.execute(sa.select(VENUE)).all():
        window = row.safe_haven_from and (row.safe_haven_from, row.safe_haven_until)
        if window != known.get(row.id):
            _decide_anew(row.id, window, now)
    _fill_accreditation(now)
    if op.get_context().dialect.name == "sqlite":
        _drop_check_on_sqlite()
    else:
        op.drop_constraint("venue_safe_haven", "venue")
    # On SQLite the second column may carry the constraint, so it goes first.
    op.execute("ALTER TABLE venue DROP COLUMN safe_haven_until")
    op.execute("ALTER TABLE venue DROP COLUMN safe_haven_from")


def _create_tables() -> None:
    op.create_table(
        "season",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("scheme", sa.String(40), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("invitations_from", sa.Date(), nullable=False),
        sa.Column("assessments_from", sa.Date(), nullable=False),
        sa.Column("assessments_until", sa.Date(), nullable=False),
        sa.Column("ceremony_on", sa.Date()),
        sa.Column("areas", sa.JSON(), nullable=False),
        sa.Column("grades", sa.JSON(), nullable=False),
        sa.CheckConstraint(SCHEMES, name="season_scheme"),
        sa.CheckConstraint(
            "invitations_from <= assessments_from AND assessments_from <= assessments_until"
            " AND (ceremony_on IS NULL OR assessments_from <= ceremony_on)",
            name="season_dates",
        ),
    )
    op.create_index("season_year", "season", ["scheme", "year"], unique=True)
    op.create_table(
        "decision",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("effective_at", Instant(), nullable=False, index=True),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("recorded_by", sa.String(100), nullable=False),
        sa.Column("voided_at", Instant()),
        sa.Column("voided_by", sa.String(100)),
        sa.Column("void_reason", sa.String(500)),
        sa.Column("venue_id", sa.Uuid(), sa.ForeignKey("venue.id"), nullable=False, index=True),
        sa.Column("scheme", sa.String(40), nullable=False),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("until", sa.Date()),
        sa.Column("grade", sa.String(40)),
        sa.Column("certificate", sa.String(20), unique=True),
        sa.Column("season_id", sa.Uuid(), sa.ForeignKey("season.id"), index=True),
        sa.Column("reason", sa.Text()),
        sa.Column("override_reason", sa.Text()),
        sa.Column("findings", sa.JSON()),
        sa.CheckConstraint(SCHEMES, name="decision_scheme"),
        sa.CheckConstraint(KINDS, name="decision_kind"),
    )
    op.create_index("decision_by_scheme", "decision", ["scheme", "venue_id"])
    op.create_table(
        "accreditation",
        sa.Column("venue_id", sa.Uuid(), sa.ForeignKey("venue.id"), primary_key=True),
        sa.Column("scheme", sa.String(40), primary_key=True),
        sa.Column("starts_at", Instant(), primary_key=True),
        sa.Column("ends_at", Instant()),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("since", Instant(), nullable=False),
        sa.Column("until", sa.Date(), nullable=False),
        sa.Column("grade", sa.String(40)),
        sa.Column("certificate", sa.String(20)),
        sa.Column("pending", sa.String(12)),
    )
    for name, columns in (
        ("accreditation_by_until", ["until", "venue_id", "scheme"]),
        ("accreditation_by_state", ["state", "until", "venue_id", "scheme"]),
        ("accreditation_by_scheme", ["scheme", "state", "until", "venue_id"]),
    ):
        op.create_index(name, "accreditation", columns)


def _watch_decisions() -> None:
    if op.get_context().dialect.name == "postgresql":
        op.execute(
            "CREATE TRIGGER decision_changed"
            " AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON decision"
            " FOR EACH STATEMENT EXECUTE FUNCTION directory_changed()"
        )
        return
    for change in ("INSERT", "UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER decision_{change.lower()}_changed AFTER {change} ON decision"
            " BEGIN UPDATE directory_state SET version = version + 1; END"
        )


def _take_back(table: str) -> None:
    """Fill a table with what the last downgrade put aside, as far as its venues are still there."""
    inspector = sa.inspect(op.get_bind())
    if not inspector.has_table(f"{table}_kept"):
        return
    columns = [column["name"] for column in inspector.get_columns(table)]
    listed = ", ".join(columns)
    there = "venue_id IN (SELECT id FROM venue)" if "venue_id" in columns else "TRUE"
    op.execute(f"INSERT INTO {table} ({listed}) SELECT {listed} FROM {table}_kept WHERE {there}")
    op.drop_table(f"{table}_kept")


def _decisions(scheme: str | None = None) -> Iterator[tuple[tuple[UUID, str], list[Any]]]:
    rows = op.get_bind().execute(
        sa.select(DECISION)
        .where(DECISION.c.scheme == scheme if scheme else sa.true())
        .order_by(DECISION.c.venue_id, DECISION.c.scheme)
    )
    for key, group in groupby(rows.all(), attrgetter("venue_id", "scheme")):
        yield key, list(group)


def _window(decisions: Iterable[Any]) -> Window | None:
    """The whole London days of the time that an accreditation is, or was last, in force.

    All that one window can say: of a suspended or withdrawn one it ends with the day before.
    """
    intervals = in_force_intervals(decisions)
    if not intervals:
        return None
    start, end = intervals[-1]
    first = start.astimezone(LONDON).date()
    last = end.astimezone(LONDON).date() - timedelta(days=1) if end else date(2099, 12, 31)
    return (first, last) if first <= last else None


def _decide_anew(venue_id: UUID, window: Window | None, now: datetime) -> None:
    """Let a venue's window be its only award, in place of what had been decided before."""
    op.execute(
        DECISION.update()
        .where(
            DECISION.c.venue_id == venue_id,
            DECISION.c.scheme == "safe_haven",
            DECISION.c.voided_at.is_(None),
        )
        .values(
            voided_at=now,
            voided_by="migration",
            void_reason="The venue was changed while the register was of an older version",
        )
    )
    if window:
        first, last = window
        op.execute(
            DECISION.insert().values(
                id=uuid4(),
                effective_at=effective(first),
                recorded_at=now,
                recorded_by="migration",
                venue_id=venue_id,
                scheme="safe_haven",
                kind="awarded",
                until=last,
            )
        )


def _fill_accreditation(now: datetime) -> None:
    accreditation = sa.table(
        "accreditation",
        sa.column("venue_id", sa.Uuid()),
        *(sa.column(name, Instant()) for name in ("starts_at", "ends_at", "since")),
        sa.column("until", sa.Date()),
        *(sa.column(name) for name in ("scheme", "state", "grade", "certificate", "pending")),
    )
    rows = []
    for (venue_id, scheme), decisions in _decisions():
        rows += [
            there._asdict()
            | {"venue_id": venue_id, "scheme": scheme, "starts_at": start, "ends_at": end}
            | {"until": there.until or date.max}
            for start, end, there in timeline(decisions)
            if end is None or end > now
        ]
    if rows:
        op.bulk_insert(accreditation, rows)


def _drop_check_on_sqlite() -> None:
    """Make the table anew without the constraint, where the table and not a column has it.

    Dropping a table drops its indexes and triggers, and orphans what refers to its rows until
    they are there again under the old name.
    """
    connection = op.get_bind()
    definition = connection.exec_driver_sql(
        "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = 'venue'"
    ).scalar_one()
    constraint = f"CONSTRAINT venue_safe_haven CHECK ({WINDOW})"
    if f"safe_haven_until DATE {constraint}" in definition:
        return
    head, found, tail = definition.partition(constraint)
    if not found:
        raise RuntimeError("the table venue is not as the first migration made it")
    beside = connection.exec_driver_sql(
        "SELECT sql FROM sqlite_master"
        " WHERE type IN ('index', 'trigger') AND tbl_name = 'venue' AND sql IS NOT NULL"
    ).scalars()
    statements = [
        "PRAGMA defer_foreign_keys = ON",
        "CREATE TABLE venue_before AS SELECT * FROM venue",
        "DROP TABLE venue",
        f"{head.rstrip().removesuffix(',')}{tail}",
        "INSERT INTO venue SELECT * FROM venue_before",
        "DROP TABLE venue_before",
        *beside,
    ]
    for statement in statements:
        connection.exec_driver_sql(statement)


def downgrade() -> None:
    op.execute("ALTER TABLE venue ADD COLUMN safe_haven_from DATE")
    if op.get_context().dialect.name == "sqlite":
        op.execute(
            "ALTER TABLE venue ADD COLUMN safe_haven_until DATE"
            f" CONSTRAINT venue_safe_haven CHECK ({WINDOW})"
        )
    else:
        op.execute("ALTER TABLE venue ADD COLUMN safe_haven_until DATE")
        op.create_check_constraint("venue_safe_haven", "venue", WINDOW)
    windows = {venue_id: _window(rows) for (venue_id, _), rows in _decisions("safe_haven")}
    values = [
        {"of": venue_id, "first": window[0], "last": window[1]}
        for venue_id, window in windows.items()
        if window
    ]
    if values:
        op.get_bind().execute(
            VENUE.update()
            .where(VENUE.c.id == sa.bindparam("of"))
            .values(safe_haven_from=sa.bindparam("first"), safe_haven_until=sa.bindparam("last")),
            values,
        )
    for table in KEPT:
        if op.get_bind().execute(sa.text(f"SELECT 1 FROM {table} LIMIT 1")).first():
            op.execute(f"CREATE TABLE {table}_kept AS SELECT * FROM {table}")
    for table in ("accreditation", "decision", "season"):
        op.drop_table(table)
