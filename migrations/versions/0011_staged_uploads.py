"""Files that are shown before they change the register"""

import sqlalchemy as sa
from alembic import op

from app.core.db import Instant

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "staged_upload",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("staged_at", Instant(), nullable=False, index=True),
        sa.Column("report", sa.Text(), nullable=False),
        sa.Column("confirmed_at", Instant(), nullable=True),
    )


def downgrade() -> None:
    op.drop_table("staged_upload")
