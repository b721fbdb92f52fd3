"""Each entry of the journal names its key, and what it says of a person lies beside it"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

ADDED = {"key_id": sa.String(16), "commitment": sa.String(64)}


def upgrade() -> None:
    inspector = sa.inspect(op.get_bind())
    there = {column["name"] for column in inspector.get_columns("journal")}
    for name, type_ in ADDED.items():
        if name not in there:
            # They may be NULL, so that the table stays as it is, and its triggers with it.
            op.add_column("journal", sa.Column(name, type_))
    if not inspector.has_table("journal_personal"):
        op.create_table(
            "journal_personal",
            sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
            sa.Column("salt", sa.String(64), nullable=False),
            sa.Column("content", sa.Text(), nullable=False),
        )


def downgrade() -> None:
    signed = sa.text("SELECT 1 FROM journal WHERE key_id IS NOT NULL LIMIT 1")
    if op.get_bind().execute(signed).first():
        # Without them the entries could never be verified again; the version before minds neither.
        return
    op.drop_table("journal_personal")
    for name in ADDED:
        op.drop_column("journal", name)
