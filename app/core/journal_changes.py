"""What a change of one record looks like in the journal: its columns before and after, as JSON."""

import hashlib
from dataclasses import asdict
from typing import Any

import orjson
import sqlalchemy as sa
from pydantic import BaseModel
from sqlalchemy.orm import InstanceState
from sqlmodel import Session, SQLModel

from app.core.geo import Point

Columns = dict[str, Any]


def change_of(session: Session, record: SQLModel) -> tuple[Columns | None, Columns | None] | None:
    """What a record's columns were and are, None where it did not exist; None if unchanged."""
    state: InstanceState[Any] = sa.inspect(record)
    names = [attribute.key for attribute in state.mapper.column_attrs]
    whole = {name: _shown(record, name, getattr(record, name)) for name in names}
    if record in session.new:
        return None, whole
    if record in session.deleted:
        return whole, None
    before = {}
    for name in names:
        history = state.attrs[name].history
        if history.has_changes():
            if not history.deleted:
                raise RuntimeError(f"{name} is changed unread: nobody knows what it was")
            before[name] = _shown(record, name, history.deleted[0])
    before = {name: value for name, value in before.items() if value != whole[name]}
    return (before, {name: whole[name] for name in before}) if before else None


def _shown(record: SQLModel, name: str, value: Any) -> Any:
    """A column's value in the journal; a secret column shows only that it is set."""
    if name in getattr(record, "__secret__", ()):
        return None if value is None else hashlib.sha256(str(value).encode()).hexdigest()[:8]
    return value


def to_text(columns: Columns | None) -> str | None:
    """Columns as an entry holds them."""
    if columns is None:
        return None
    return orjson.dumps(columns, default=_jsonable, option=orjson.OPT_SORT_KEYS).decode()


def _jsonable(value: object) -> Any:
    match value:
        case BaseModel():
            return value.model_dump(mode="json")
        case Point():
            return asdict(value)
        case _:
            return str(value)
