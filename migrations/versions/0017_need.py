"""Where help is needed, as dated sources"""

import sqlalchemy as sa
from alembic import op

from app.core.db import Instant

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "need_source",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("effective_at", Instant(), nullable=False, index=True),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("recorded_by", sa.String(100), nullable=False),
        sa.Column("voided_at", Instant()),
        sa.Column("voided_by", sa.String(100)),
        sa.Column("void_reason", sa.String(500)),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("unplaced", sa.Integer(), nullable=False),
        sa.Column("checksum", sa.String(64), nullable=False),
        sa.Column("points", sa.JSON(), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("need_source")
