"""The codes by which certificates are checked"""

import sqlalchemy as sa
from alembic import op

from app.core.db import Instant

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

KEPT = "certificate_code_kept"
"""What a downgrade puts aside: these codes hang on walls, and can't be made again."""


def upgrade() -> None:
    op.create_table(
        "certificate_code",
        sa.Column("decision_id", sa.Uuid(), sa.ForeignKey("decision.id"), primary_key=True),
        sa.Column("code", sa.String(12), nullable=False, unique=True),
        sa.Column("made_at", Instant(), nullable=False),
    )
    if sa.inspect(op.get_bind()).has_table(KEPT):
        columns = "decision_id, code, made_at"
        op.execute(
            f"INSERT INTO certificate_code ({columns}) SELECT {columns} FROM {KEPT}"
            " WHERE decision_id IN (SELECT id FROM decision)"
        )
        op.drop_table(KEPT)


def downgrade() -> None:
    if op.get_bind().execute(sa.text("SELECT 1 FROM certificate_code LIMIT 1")).first():
        op.execute(f"CREATE TABLE {KEPT} AS SELECT * FROM certificate_code")
    op.drop_table("certificate_code")
