"""Engagements, scheme tests and problem reports"""

import sqlalchemy as sa
from alembic import op

from app.core.db import Instant

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _events(
        "engagement",
        sa.Column("business_id", sa.Uuid(), sa.ForeignKey("business.id")),
        sa.Column("venue_id", sa.Uuid(), sa.ForeignKey("venue.id")),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("outcome", sa.String(40), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("next_step", sa.String(500)),
        sa.Column("next_step_on", sa.Date()),
        sa.CheckConstraint("kind IN ('visit', 'call', 'email', 'event')", name="engagement_kind"),
        sa.CheckConstraint(
            "outcome IN ('interested', 'not_interested', 'no_answer', 'training_booked',"
            " 'accreditation_discussed', 'details_updated', 'concern_raised', 'other')",
            name="engagement_outcome",
        ),
        sa.CheckConstraint(
            "business_id IS NOT NULL OR venue_id IS NOT NULL", name="engagement_with_somebody"
        ),
        sa.CheckConstraint(
            "(next_step IS NULL) = (next_step_on IS NULL)", name="engagement_next_step"
        ),
    )
    op.create_index(
        "engagement_business", "engagement", ["business_id", "effective_at", "recorded_at", "id"]
    )
    op.create_index(
        "engagement_venue", "engagement", ["venue_id", "effective_at", "recorded_at", "id"]
    )
    _events(
        "step_done",
        sa.Column(
            "engagement_id", sa.Uuid(), sa.ForeignKey("engagement.id"), nullable=False, index=True
        ),
        sa.Column("note", sa.Text(), nullable=False),
    )
    _events(
        "scheme_test",
        sa.Column("venue_id", sa.Uuid(), sa.ForeignKey("venue.id"), nullable=False),
        sa.Column("scheme", sa.String(40), nullable=False),
        sa.Column("result", sa.String(20), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("debrief_on", sa.Date()),
        sa.Column("retest_of_id", sa.Uuid(), sa.ForeignKey("scheme_test.id"), index=True),
        sa.CheckConstraint("scheme IN ('ask_for_angela')", name="scheme_test_scheme"),
        sa.CheckConstraint("result IN ('passed', 'failed')", name="scheme_test_result"),
    )
    op.create_index("scheme_test_venue", "scheme_test", ["venue_id", "effective_at"])
    failed = sa.text("result = 'failed' AND voided_at IS NULL")
    op.create_index(
        "scheme_test_failed",
        "scheme_test",
        ["effective_at", "id"],
        postgresql_where=failed,
        sqlite_where=failed,
    )
    _events(
        "debrief",
        sa.Column(
            "test_id", sa.Uuid(), sa.ForeignKey("scheme_test.id"), nullable=False, index=True
        ),
        sa.Column("note", sa.Text(), nullable=False),
    )
    _events(
        "problem_report",
        sa.Column("venue_id", sa.Uuid(), sa.ForeignKey("venue.id"), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("comment", sa.String(1000), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.CheckConstraint(
            "kind IN ('closed', 'turned_away', 'staff_unaware', 'wrong_details', 'felt_unsafe',"
            " 'other')",
            name="problem_report_kind",
        ),
        sa.CheckConstraint("state IN ('new', 'acting', 'resolved')", name="problem_report_state"),
    )
    op.create_index("problem_report_queue", "problem_report", ["state", "effective_at", "id"])
    op.create_index("problem_report_venue", "problem_report", ["venue_id", "effective_at"])
    _events(
        "report_step",
        sa.Column(
            "report_id", sa.Uuid(), sa.ForeignKey("problem_report.id"), nullable=False, index=True
        ),
        sa.Column("step", sa.String(20), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.CheckConstraint("step IN ('taken_up', 'resolved')", name="report_step_step"),
    )
    op.create_index("ix_journal_at", "journal", ["at"])
    op.create_index("journal_by_actor", "journal", ["actor", "number"])
    op.create_index("journal_by_subject", "journal", ["subject", "number"])


def _events(table: str, *own: sa.Column[object] | sa.CheckConstraint) -> None:
    op.create_table(
        table,
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("effective_at", Instant(), nullable=False, index=True),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("recorded_by", sa.String(100), nullable=False),
        sa.Column("voided_at", Instant()),
        sa.Column("voided_by", sa.String(100)),
        sa.Column("void_reason", sa.String(500)),
        *own,
    )


def downgrade() -> None:
    for index in ("journal_by_subject", "journal_by_actor", "ix_journal_at"):
        op.drop_index(index, "journal")
    for table in (
        *("report_step", "problem_report"),
        *("debrief", "scheme_test", "step_done", "engagement"),
    ):
        op.drop_table(table)
