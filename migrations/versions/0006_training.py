"""Training, attendance and headcounts"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from app.core.db import Instant

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "training_session",
        *_event(),
        sa.Column("course", sa.String(40), nullable=False),
        sa.Column("place", sa.String(200), nullable=False),
        sa.Column("provider", sa.String(200), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Index("training_session_course", "course", "effective_at"),
    )
    op.create_table(
        "attendance",
        *_event(),
        sa.Column(
            "session_id",
            sa.Uuid(),
            sa.ForeignKey("training_session.id"),
            nullable=False,
            index=True,
        ),
        sa.Column("venue_id", sa.Uuid(), sa.ForeignKey("venue.id"), nullable=False, index=True),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("new_count", sa.Integer(), nullable=False),
        sa.Column("refresher_count", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "role IN ('manager', 'supervisor', 'bar_staff', 'door_supervisor', 'floor_staff',"
            " 'reception', 'security', 'other')",
            name="attendance_role",
        ),
        sa.CheckConstraint(
            "new_count >= 0 AND refresher_count >= 0 AND new_count + refresher_count > 0",
            name="attendance_counts",
        ),
    )
    op.create_table(
        "headcount",
        *_event(),
        sa.Column("venue_id", sa.Uuid(), sa.ForeignKey("venue.id"), nullable=False),
        sa.Column("staff", sa.Integer(), nullable=False),
        sa.Column("left", sa.Integer(), nullable=False),
        sa.CheckConstraint('staff >= 0 AND "left" >= 0', name="headcount_counts"),
        sa.Index("headcount_venue", "venue_id", "effective_at"),
    )


def _event() -> list[sa.Column[Any]]:
    return [
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("effective_at", Instant(), nullable=False, index=True),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("recorded_by", sa.String(100), nullable=False),
        sa.Column("voided_at", Instant()),
        sa.Column("voided_by", sa.String(100)),
        sa.Column("void_reason", sa.String(500)),
    ]


def downgrade() -> None:
    for table in ("headcount", "attendance", "training_session"):
        op.drop_table(table)
