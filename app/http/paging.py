"""Lists in pages: each begins where the one before it stopped, so all of them are quick."""

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

import orjson
import sqlalchemy as sa
from fastapi import Query
from pydantic import BaseModel
from pydantic import Field as Described
from pydantic.json_schema import SkipJsonSchema
from sqlalchemy.types import TypeDecorator
from sqlmodel import Session

from app.core.errors import wrong

T = TypeVar("T", bound=BaseModel)


class Page(BaseModel, Generic[T]):
    """Some of a list. `next` is there when there is more: give it as `after`."""

    items: list[T]
    next: str | SkipJsonSchema[None] = None
    total: int | SkipJsonSchema[None] = Described(
        default=None, description="How many there are on all pages, if that was asked for"
    )


class Paging(BaseModel):
    """Which part of a list to show."""

    limit: int = Described(default=50, ge=1, le=200)
    after: str | SkipJsonSchema[None] = Described(
        default=None, max_length=1000, description="`next` of the page before"
    )
    count: bool = Described(default=False, description="Say how many there are on all pages, too")


Paged = Annotated[Paging, Query()]


def page(
    session: Session,
    statement: sa.Select[Any],
    order: Sequence[Any],
    paging: Paging,
    show: Callable[[Any], T],
    *,
    newest_first: bool = False,
) -> Page[T]:
    """One page of a statement for one entity, ordered by columns that tell every row apart."""
    total = None
    if paging.count:
        total = session.scalar(sa.select(sa.func.count()).select_from(statement.subquery()))
    if paging.after is not None:
        seen, last = sa.tuple_(*order), sa.tuple_(*_decoded(paging.after, order))
        statement = statement.where(seen < last if newest_first else seen > last)
    directed = [column.desc() if newest_first else column.asc() for column in order]
    rows = session.execute(
        statement.add_columns(*order).order_by(*directed).limit(paging.limit + 1)
    ).all()
    shown = rows[: paging.limit]
    more = len(rows) > paging.limit
    return Page(
        items=[show(row[0]) for row in shown],
        next=_encoded(shown[-1][1:]) if more else None,
        total=total,
    )


def page_together(
    session: Session,
    statement: sa.Select[Any],
    order: Sequence[Any],
    paging: Paging,
    show: Callable[[Session, Sequence[Any]], list[T]],
    *,
    newest_first: bool = False,
) -> Page[T]:
    """As `page`, of what is shown together: what goes with it is read once for the whole page."""
    found: Page[Any] = page(
        session, statement, order, paging, lambda one: one, newest_first=newest_first
    )
    return Page(items=show(session, found.items), next=found.next, total=found.total)


def _encoded(values: Sequence[Any]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(list(values))).decode().rstrip("=")


def _decoded(text: str, order: Sequence[Any]) -> list[Any]:
    try:
        values = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        return [
            sa.literal(_typed(value, _kind(column.type)), column.type)
            for value, column in zip(values, order, strict=True)
        ]
    except (ValueError, TypeError, OverflowError, binascii.Error):
        message = "is not a page of this list"
        raise wrong("after", message) from None


def _kind(type_: Any) -> Any:
    # A type of our own doesn't say itself what it gives.
    return (type_.impl if isinstance(type_, TypeDecorator) else type_).python_type


def _typed(value: Any, kind: Any) -> Any:
    """A value of an order as it was before it became JSON; nothing that no column can hold."""
    if kind is int:
        if type(value) is not int or abs(value) >= 2**31:
            raise ValueError
        return value
    if type(value) is not str or "\0" in value:
        raise ValueError
    if not hasattr(kind, "fromisoformat"):
        return kind(value)
    moment = kind.fromisoformat(value)
    return moment.astimezone(UTC) if isinstance(moment, datetime) else moment
