"""Second factors, and when a sign-in was used last"""

import sqlalchemy as sa
from alembic import op

from app.core.db import Instant

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

COLUMNS = ("second_factor", "pending_factor", "factor_step", "recovery_hashes")


def upgrade() -> None:
    op.add_column("account", sa.Column("second_factor", sa.String(200)))
    op.add_column("account", sa.Column("pending_factor", sa.String(200)))
    step = sa.Column("factor_step", sa.Integer(), nullable=False, server_default="0")
    op.add_column("account", step)
    hashes = sa.Column("recovery_hashes", sa.JSON(), nullable=False, server_default="[]")
    op.add_column("account", hashes)
    no = sa.false()
    op.add_column(
        "failed_sign_in", sa.Column("of_code", sa.Boolean(), nullable=False, server_default=no)
    )
    op.create_table(
        "sign_in_use",
        sa.Column(
            "sign_in_id",
            sa.Uuid(),
            sa.ForeignKey("sign_in.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("used_at", Instant(), nullable=False),
    )
    op.execute(
        "INSERT INTO sign_in_use (sign_in_id, used_at)"
        " SELECT id, began_at FROM sign_in WHERE ended_at IS NULL"
    )


def downgrade() -> None:
    op.drop_table("sign_in_use")
    op.drop_column("failed_sign_in", "of_code")
    for column in COLUMNS:
        op.drop_column("account", column)
