"""Alembic's entry point; the connection comes from `app.db`."""

from alembic import context
from geoalchemy2 import alembic_helpers
from sqlmodel import SQLModel

import app.venues.models  # noqa: F401  the tables that a new revision is compared with

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    include_object=alembic_helpers.include_object,
    process_revision_directives=alembic_helpers.writer,
    render_item=alembic_helpers.render_item,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
