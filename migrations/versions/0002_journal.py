"""The journal, which can only grow, and the creates that were answered"""

import sqlalchemy as sa
from alembic import op

from app.core.db import Instant

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "journal",
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("actor", sa.String(100), nullable=False),
        sa.Column("subject", sa.String(50), nullable=False),
        sa.Column("subject_id", sa.String(100), nullable=False, index=True),
        sa.Column("before", sa.Text()),
        sa.Column("after", sa.Text()),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    op.create_table(
        "answered_create",
        sa.Column("account_id", sa.Uuid(), primary_key=True),
        sa.Column("key", sa.String(100), primary_key=True),
        sa.Column("request_hash", sa.String(64), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("location", sa.String(200), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
    )
    if op.get_context().dialect.name == "postgresql":
        op.execute(
            """
            CREATE FUNCTION journal_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                RAISE EXCEPTION 'the journal only grows';
            END $$
            """
        )
        op.execute(
            "CREATE TRIGGER journal_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON journal"
            " FOR EACH STATEMENT EXECUTE FUNCTION journal_only_grows()"
        )
    else:
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER journal_no_{change.lower()} BEFORE {change} ON journal"
                " BEGIN SELECT RAISE(ABORT, 'the journal only grows'); END"
            )


def downgrade() -> None:
    op.drop_table("answered_create")
    # Where there were entries, the downgrade of 0012 has left it.
    op.execute("DROP TABLE IF EXISTS journal_personal")
    op.drop_table("journal")
    if op.get_context().dialect.name == "postgresql":
        op.execute("DROP FUNCTION journal_only_grows()")
