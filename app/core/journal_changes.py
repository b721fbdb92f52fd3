"""What a change of one record looks like in the journal: its columns before and after, as JSON."""

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa
from pydantic import BaseModel
from sqlalchemy.orm import InstanceState
from sqlmodel import Session, SQLModel

from app.core.places import Point

Columns = dict[str, Any]


class Content(NamedTuple):
    """What was changed, and its columns before and after; some of them say who somebody is."""

    subject: str
    subject_id: str
    before: Columns | None
    after: Columns | None
    personal: Collection[str] = ()

    def parted(self) -> tuple["Content", Columns]:
        """The change without what it says of a person, and that: empty where it says nothing."""
        if not self.personal:
            return self, {}
        before, person_before = _parted(self.before, self.personal)
        after, person_after = _parted(self.after, self.personal)
        sides = {"before": person_before, "after": person_after}
        said = {side: columns for side, columns in sides.items() if columns}
        return self._replace(before=before, after=after), said


def _parted(columns: Columns | None, names: Collection[str]) -> tuple[Columns | None, Columns]:
    """Columns without some, and those."""
    if columns is None:
        return None, {}
    taken = {name: columns[name] for name in names if name in columns}
    return {name: value for name, value in columns.items() if name not in taken}, taken


class Change(NamedTuple):
    """A record's columns before and after, None where it is not there; only those that changed."""

    at: datetime
    record: SQLModel
    before: Columns | None
    after: Columns | None


def changes_of(session: Session, at: datetime) -> Iterator[Change]:
    """What a session is about to make, edit and delete, in this order."""
    for record in session.new:
        yield Change(at, record, None, columns_of(record))
    for record in session.dirty:
        if edited := edit_of(record):
            yield Change(at, record, *edited)
    for record in session.deleted:
        yield Change(at, record, columns_of(record), None)


def columns_of(record: SQLModel) -> Columns:
    """All columns of a record."""
    # What has been read or set lies there as it is, which is three times as quick to have.
    held = record.__dict__
    columns = {
        name: held[name] if name in held else getattr(record, name) for name in _names(type(record))
    }
    for name in secrets_of(type(record)):
        columns[name] = _shown(record, name, columns[name])
    return columns


@cache
def secrets_of(model: type[SQLModel]) -> Sequence[str]:
    """The columns of which the journal shows only that they are set."""
    return getattr(model, "__secret__", ())


@cache
def personal_of(model: type[SQLModel]) -> Sequence[str]:
    """The columns that say who somebody is."""
    return getattr(model, "__personal__", ())


def edit_of(record: SQLModel) -> tuple[Columns, Columns] | None:
    """Those columns of a record that its session is about to change, before and after."""
    state: InstanceState[Any] = sa.inspect(record)
    before, after = {}, {}
    for name in _names(type(record)):
        history = state.attrs[name].history
        if history.has_changes():
            if not history.deleted:
                raise RuntimeError(f"{name} is changed unread: nobody knows what it was")
            was = _shown(record, name, history.deleted[0])
            now = _shown(record, name, getattr(record, name))
            if was != now:
                before[name], after[name] = was, now
    return (before, after) if before else None


@cache
def _names(model: type[SQLModel]) -> list[str]:
    return [attribute.key for attribute in sa.inspect(model).column_attrs]


def _shown(record: SQLModel, name: str, value: Any) -> Any:
    return digest(value) if name in secrets_of(type(record)) else value


def digest(secret: object) -> str | None:
    """What the journal shows of a secret: that it is set, and whether it is the same."""
    return None if secret is None else hashlib.sha256(str(secret).encode()).hexdigest()


def to_text(columns: Columns | None) -> str | None:
    """Columns as an entry holds them."""
    if columns is None:
        return None
    return orjson.dumps(columns, default=_jsonable, option=orjson.OPT_SORT_KEYS).decode()


def from_json(text: str) -> Columns:
    """Columns as an entry holds them, read again."""
    columns: Columns = orjson.loads(text)
    return columns


def _jsonable(value: object) -> Any:
    match value:
        case BaseModel():
            return value.model_dump(mode="json")
        case Point():
            return asdict(value)
        case _:
            return str(value)
