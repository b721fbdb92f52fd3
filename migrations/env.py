"""Alembic's entry point; the connection comes from `app.core.db`."""

from typing import Any

from alembic import context
from geoalchemy2 import alembic_helpers
from sqlmodel import SQLModel

# The tables that a new revision is compared with.


def _is_compared(item: Any, name: str | None, kind: str, *reflected: Any) -> bool:
    """Leave out the index that only PostgreSQL has, so that the models do not speak of it."""
    if (kind, name) == ("index", "venue_location"):
        return False
    return bool(alembic_helpers.include_object(item, name, kind, *reflected))  # type: ignore[no-untyped-call]


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    include_object=_is_compared,
    process_revision_directives=alembic_helpers.writer,
    render_item=alembic_helpers.render_item,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
