"""Issued packs, calendar addresses, and who read a venue's test results"""

import sqlalchemy as sa
from alembic import op

from app.core.db import Instant

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "pack",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("first", sa.Date(), nullable=False),
        sa.Column("last", sa.Date(), nullable=False),
        sa.Column("known_at", Instant(), nullable=False),
        sa.Column("issued_at", Instant(), nullable=False, index=True),
        sa.Column("issued_by", sa.String(100), nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
    )
    op.create_table(
        "calendar_address",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("account_id", sa.Uuid(), sa.ForeignKey("account.id"), nullable=False, index=True),
        sa.Column("secret_hash", sa.String(64), nullable=False, unique=True),
        sa.Column("made_at", Instant(), nullable=False),
        sa.Column("revoked_at", Instant()),
    )
    op.create_table(
        "test_results_read",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("venue_id", sa.Uuid(), sa.ForeignKey("venue.id"), index=True),
        sa.Column("venues", sa.Integer(), nullable=False),
        sa.Column("asked", sa.JSON(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("by", sa.String(100), nullable=False),
        sa.Column("report", sa.String(40), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("test_results_read")
    op.drop_table("calendar_address")
    op.drop_table("pack")
