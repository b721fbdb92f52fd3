"""Businesses, wards and venues"""

from uuid import uuid4

import sqlalchemy as sa
from alembic import op

from app.core.geo import GeoPoint

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

BEHIND_THE_DIRECTORY = ("venue", "ward")


def upgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        op.execute("CREATE EXTENSION IF NOT EXISTS postgis")
    op.create_table(
        "business",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("name", sa.String(200), nullable=False, unique=True),
    )
    op.create_table(
        "ward",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("code", sa.String(20), nullable=False, unique=True),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("boundary", sa.JSON(), nullable=False),
    )
    op.create_table(
        "venue",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("reference", sa.String(50), nullable=False, unique=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("category", sa.String(20), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("demonstration", sa.Boolean(), nullable=False),
        sa.Column("business_id", sa.Uuid(), sa.ForeignKey("business.id"), index=True),
        sa.Column("address", sa.String(300), nullable=False),
        sa.Column("postcode", sa.String(10), nullable=False),
        sa.Column("location", GeoPoint(), nullable=False),
        sa.Column("ward_id", sa.Uuid(), sa.ForeignKey("ward.id"), index=True),
        sa.Column("hours", sa.JSON()),
        sa.Column("phone", sa.String(40), nullable=False),
        sa.Column("entrance", sa.String(300), nullable=False),
        sa.Column("facilities", sa.JSON(), nullable=False),
        sa.Column("step_free", sa.String(10), nullable=False),
        sa.Column("licensed", sa.Boolean(), nullable=False),
        sa.Column("late_night", sa.Boolean(), nullable=False),
        sa.Column("premises_licence", sa.String(50), nullable=False),
        sa.Column("uprn", sa.String(12), nullable=False),
        sa.Column("fhrs_id", sa.String(20), nullable=False, index=True),
        sa.Column("safe_haven_from", sa.Date()),
        sa.Column("safe_haven_until", sa.Date()),
        sa.CheckConstraint(
            "category IN ('pub', 'bar', 'nightclub', 'restaurant', 'cafe', 'hotel', 'office',"
            " 'library', 'culture', 'shop', 'worship', 'transport', 'community', 'help_point')",
            name="venue_category",
        ),
        sa.CheckConstraint("step_free IN ('yes', 'no', 'unknown')", name="venue_step_free"),
        sa.CheckConstraint("status IN ('prospect', 'active', 'closed')", name="venue_status"),
        sa.CheckConstraint(
            "(safe_haven_from IS NULL AND safe_haven_until IS NULL)"
            " OR (safe_haven_from IS NOT NULL AND safe_haven_until IS NOT NULL"
            " AND safe_haven_from <= safe_haven_until)",
            name="venue_safe_haven",
        ),
    )
    state = op.create_table(
        "directory_state",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("database", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("id = 1", name="directory_state_one_row"),
    )
    op.bulk_insert(state, [{"id": 1, "database": uuid4(), "version": 0}])
    if op.get_context().dialect.name == "postgresql":
        _postgresql()
    else:
        _sqlite()


def _postgresql() -> None:
    op.create_index("venue_location", "venue", ["location"], postgresql_using="gist")
    op.execute(
        """
        CREATE FUNCTION directory_changed() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            UPDATE directory_state SET version = version + 1;
            RETURN NULL;
        END $$
        """
    )
    for table in BEHIND_THE_DIRECTORY:
        op.execute(
            f"CREATE TRIGGER {table}_changed"
            f" AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION directory_changed()"
        )


def _sqlite() -> None:
    for table in BEHIND_THE_DIRECTORY:
        for change in ("INSERT", "UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_{change.lower()}_changed AFTER {change} ON {table}"
                " BEGIN UPDATE directory_state SET version = version + 1; END"
            )


def downgrade() -> None:
    for table in ("decision_kept", "season_kept"):  # what a later revision put aside for its return
        op.execute(f"DROP TABLE IF EXISTS {table}")
    for table in ("venue", "ward", "business", "directory_state"):
        op.drop_table(table)
    if op.get_context().dialect.name == "postgresql":
        op.execute("DROP FUNCTION directory_changed()")
