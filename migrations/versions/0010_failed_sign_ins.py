"""Failed sign-ins, and generations of what is given out to an account"""

import sqlalchemy as sa
from alembic import op

from app.core.db import Instant

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    generation = sa.Column("generation", sa.Integer(), nullable=False, server_default="0")
    op.add_column("account", generation)
    op.create_table(
        "failed_sign_in",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("throttled", sa.Boolean(), nullable=False),
        sa.Column("counted_as", sa.String(64), nullable=False),
        sa.Column("account_id", sa.Uuid(), sa.ForeignKey("account.id")),
        sa.Column("known", sa.Boolean(), nullable=False),
        sa.Column("network", sa.String(43)),
        sa.Column("forgiven", sa.Boolean(), nullable=False),
        sa.Index("failed_sign_in_counted", "counted_as", "at"),
        sa.Index("failed_sign_in_newest", "at", "id"),
    )


def downgrade() -> None:
    op.drop_table("failed_sign_in")
    op.drop_column("account", "generation")
