"""Letters to contacts before something ends, what they say to them, and officers' daily mail"""

import sqlalchemy as sa
from alembic import op

from app.core.db import Instant

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "letter",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("contact_id", sa.Uuid(), nullable=False, index=True),
        sa.Column("business_id", sa.Uuid(), sa.ForeignKey("business.id"), nullable=True),
        sa.Column("about", sa.JSON(), nullable=False),
        sa.Column("made_at", Instant(), nullable=False),
        sa.Column("sent_at", Instant(), nullable=True),
        sa.Column("revoked_at", Instant(), nullable=True),
        sa.Column("refused", sa.String(200), nullable=False),
        sa.Index("letter_newest", "made_at", "id"),
    )
    op.create_table(
        "statement",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("letter_id", sa.Uuid(), sa.ForeignKey("letter.id"), nullable=False),
        sa.Column("venue_id", sa.Uuid(), sa.ForeignKey("venue.id"), nullable=False, index=True),
        sa.Column("subject", sa.String(20), nullable=False),
        sa.Column("unchanged", sa.Boolean(), nullable=False),
        sa.Column("changed", sa.String(2000), nullable=False),
        sa.Column("staff", sa.Integer(), nullable=True),
        sa.Column("left", sa.Integer(), nullable=True),
        sa.Column("said_at", Instant(), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("decided_at", Instant(), nullable=True),
        sa.Column("decided_by", sa.String(100), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "subject IN ('hours', 'facilities', 'headcount')", name="statement_subject"
        ),
        sa.CheckConstraint("state IN ('new', 'accepted', 'declined')", name="statement_state"),
        sa.CheckConstraint(
            "(subject = 'headcount') = (staff IS NOT NULL AND \"left\" IS NOT NULL)",
            name="statement_headcount",
        ),
        sa.UniqueConstraint("letter_id", "venue_id", "subject", name="statement_once"),
        sa.Index("statement_queue", "state", "said_at", "id"),
    )
    op.create_table(
        "digest",
        sa.Column("account_id", sa.Uuid(), sa.ForeignKey("account.id"), primary_key=True),
        sa.Column("email", sa.String(200), nullable=False),
        sa.Column("sent_for", sa.Date(), nullable=True),
    )


def downgrade() -> None:
    for table in ("digest", "statement", "letter"):
        op.drop_table(table)
