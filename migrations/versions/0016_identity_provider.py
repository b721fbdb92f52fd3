"""Accounts that sign in at an identity provider"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

INDEX = "account_subject"


def upgrade() -> None:
    op.add_column("account", sa.Column("subject", sa.String(255)))
    op.create_index(INDEX, "account", ["subject"], unique=True)


def downgrade() -> None:
    op.drop_index(INDEX, "account")
    op.drop_column("account", "subject")
