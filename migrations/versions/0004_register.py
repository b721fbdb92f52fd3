"""Contacts, and the facts of venues over time"""

from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from alembic import op

from app.core.db import Instant
from app.core.london import effective
from app.core.text import folded

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

CATEGORIES = (
    "category IN ('pub', 'bar', 'nightclub', 'restaurant', 'cafe', 'hotel', 'office',"
    " 'library', 'culture', 'shop', 'worship', 'transport', 'community', 'help_point')"
)


def upgrade() -> None:
    of_business: list[sa.Column[Any]] = [
        sa.Column("folded_name", sa.String(200), nullable=False, server_default=""),
        sa.Column("notes", sa.String(4000), nullable=False, server_default=""),
        sa.Column("closed_on", sa.Date()),
        sa.Column("closed_reason", sa.String(500), nullable=False, server_default=""),
    ]
    for column in of_business:
        op.add_column("business", column)
    op.create_index("ix_business_folded_name", "business", ["folded_name"])
    of_venue: list[sa.Column[Any]] = [
        sa.Column("folded_name", sa.String(200), nullable=False, server_default=""),
        # With the column, because SQLite would have to make the table anew for it later, and
        # lose the triggers that watch it.
        sa.Column(
            "refresh_months",
            sa.Integer(),
            sa.CheckConstraint("refresh_months BETWEEN 1 AND 60", name="venue_refresh_months"),
        ),
        sa.Column("conditions", sa.JSON(), nullable=False, server_default="[]"),
        sa.Column("last_checked", sa.Date()),
        sa.Column("closed_on", sa.Date()),
        sa.Column("closed_reason", sa.String(500), nullable=False, server_default=""),
    ]
    for column in of_venue:
        op.add_column("venue", column)
    op.create_index("venue_by_name", "venue", ["folded_name", "id"])
    op.create_table(
        "contact",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("business_id", sa.Uuid(), sa.ForeignKey("business.id"), index=True),
        sa.Column("venue_id", sa.Uuid(), sa.ForeignKey("venue.id"), index=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("role", sa.String(100), nullable=False),
        sa.Column("phone", sa.String(40), nullable=False),
        sa.Column("email", sa.String(200), nullable=False),
        sa.Column("preferred", sa.Boolean(), nullable=False),
        sa.Column("ended_on", sa.Date()),
        sa.CheckConstraint("(business_id IS NULL) <> (venue_id IS NULL)", name="contact_of_one"),
    )
    facts = op.create_table(
        "venue_facts",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("effective_at", Instant(), nullable=False, index=True),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("recorded_by", sa.String(100), nullable=False),
        sa.Column("voided_at", Instant()),
        sa.Column("voided_by", sa.String(100)),
        sa.Column("void_reason", sa.String(500)),
        sa.Column("venue_id", sa.Uuid(), sa.ForeignKey("venue.id"), nullable=False),
        sa.Column("ward_id", sa.Uuid()),
        sa.Column("category", sa.String(20), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("business_id", sa.Uuid(), sa.ForeignKey("business.id")),
        sa.Column("licensed", sa.Boolean(), nullable=False),
        sa.Column("late_night", sa.Boolean(), nullable=False),
        sa.Column("refresh_months", sa.Integer()),
        sa.CheckConstraint(CATEGORIES, name="venue_facts_category"),
        sa.CheckConstraint("status IN ('prospect', 'active', 'closed')", name="venue_facts_status"),
        sa.UniqueConstraint("venue_id", "effective_at", "recorded_at", name="venue_facts_version"),
    )
    _fold_names("business")
    _fold_names("venue")
    if first := _first_facts():
        op.bulk_insert(facts, first)


def _fold_names(table: str) -> None:
    connection = op.get_bind()
    records = sa.table(
        table, sa.column("id", sa.Uuid()), sa.column("name"), sa.column("folded_name")
    )
    names = connection.execute(sa.select(records.c.id, records.c.name)).all()
    if names:
        connection.execute(
            records.update()
            .where(records.c.id == sa.bindparam("of"))
            .values(folded_name=sa.bindparam("folded")),
            [{"of": id_, "folded": folded(name)[:200]} for id_, name in names],
        )


def _first_facts() -> list[dict[str, Any]]:
    """Every venue as it is, since it became a Safe Haven or else since now."""
    now = datetime.now(UTC)
    venue = sa.table(
        "venue",
        *(sa.column(name, sa.Uuid()) for name in ("id", "ward_id", "business_id")),
        *(sa.column(name) for name in ("category", "status")),
        *(sa.column(name, sa.Boolean()) for name in ("licensed", "late_night")),
        sa.column("safe_haven_from", sa.Date()),
    )
    return [
        {
            "id": uuid4(),
            "effective_at": _since(row.safe_haven_from, now),
            "recorded_at": now,
            "recorded_by": "migration 0004",
            "venue_id": row.id,
            "ward_id": row.ward_id,
            "category": row.category,
            "status": row.status,
            "business_id": row.business_id,
            "licensed": row.licensed,
            "late_night": row.late_night,
        }
        for row in op.get_bind().execute(sa.select(venue))
    ]


def _since(day: date | None, now: datetime) -> datetime:
    return min(effective(day), now) if day else now


def downgrade() -> None:
    op.drop_table("venue_facts")
    op.drop_table("contact")
    op.drop_index("venue_by_name", "venue")
    for name in (
        *("folded_name", "refresh_months", "conditions"),
        *("last_checked", "closed_on", "closed_reason"),
    ):
        op.drop_column("venue", name)
    op.drop_index("ix_business_folded_name", "business")
    for name in ("folded_name", "notes", "closed_on", "closed_reason"):
        op.drop_column("business", name)
