"""How many people said what in the survey, by quarter and ward"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "survey_count",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("quarter", sa.Date(), nullable=False),
        sa.Column("ward_id", sa.Uuid(), nullable=True),
        sa.Column("answers", sa.Integer(), nullable=False),
        sa.Column("safer", sa.Integer(), nullable=False),
        sa.Column("helped", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "safer BETWEEN 0 AND answers AND helped BETWEEN 0 AND answers",
            name="survey_count_parts",
        ),
        sa.Index("survey_count_of", "quarter", "ward_id"),
    )


def downgrade() -> None:
    op.drop_table("survey_count")
