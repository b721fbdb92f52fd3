"""How a request reads and changes the register: one commit before the reply, nothing lost.

- A create takes an `Idempotency-Key`: asked again with it, the same answer comes back and nothing
  is made twice.
- A change needs `If-Match` with the `ETag` of what it changes: whoever saw an older state is told.
- A list is paged by where it stopped, so a page is quick however far down it lies.
"""

import base64
import binascii
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

import orjson
import sqlalchemy as sa
from fastapi import Depends, Query, Request, Response
from pydantic import BaseModel
from pydantic import Field as Described
from pydantic.json_schema import SkipJsonSchema
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field, Session, SQLModel

from app.accounts.models import Account
from app.db import Instant, read_session
from app.edge import conditions
from app.errors import DomainError, FieldError, Invalid
from app.journal import Journal, now

T = TypeVar("T", bound=BaseModel)


class AnsweredCreate(SQLModel, table=True):
    """A create that was answered, by its `Idempotency-Key`."""

    __tablename__ = "answered_create"
    __unjournalled__ = True

    account_id: UUID = Field(primary_key=True)
    key: str = Field(primary_key=True, max_length=100)
    request_hash: str = Field(max_length=64)
    at: datetime = Field(sa_type=Instant)
    location: str = Field(max_length=200)
    body: str = Field(sa_type=sa.Text)


class PreconditionRequired(DomainError):
    status = 428
    code = "precondition-required"
    title = "Say in If-Match which state you are changing: the ETag you were given, in its quotes"


class Stale(DomainError):
    """Somebody else changed it since."""

    status = 412
    code = "stale"
    title = "It was changed since you read it; read it again, then decide"


class KeyReused(DomainError):
    """An `Idempotency-Key` came back with another request."""

    status = 422
    code = "idempotency-key-reused"
    title = "This Idempotency-Key was used for another request"


@dataclass(frozen=True)
class Work:
    """What one request may do with the register."""

    journal: Journal
    request: Request

    def read(self, show: Callable[[Session], BaseModel]) -> Response:
        """Show something as it is now, with its `ETag`."""
        with read_session(self.journal.engine) as session:
            body = to_json(show(session))
        known = conditions(self.request.headers, "if-none-match")
        if "*" in known or _names(known, body):
            return Response(status_code=304, headers=_headers(body))
        return Response(body, media_type="application/json", headers=_headers(body))

    def create(
        self,
        account: Account,
        asked: BaseModel,
        make: Callable[[Session], tuple[str, BaseModel]],
    ) -> Response:
        """Make something. `make` returns its path and what to show of it; 201, once per key."""
        key = self.request.headers.get("idempotency-key", "")
        if len(key) > KEY_LENGTH:
            message = f"must be at most {KEY_LENGTH} characters"
            raise Invalid([FieldError(field="Idempotency-Key", message=message)])
        request = f"{self.request.method} {self.request.url.path} {asked.model_dump_json()}"
        request_hash = hashlib.sha256(request.encode()).hexdigest()
        with self.journal.writing(account.actor) as session:
            known = session.get(AnsweredCreate, (account.id, key)) if key else None
            if known and known.request_hash != request_hash:
                raise KeyReused
            if not known:
                location, shown = make(session)
                known = AnsweredCreate(
                    account_id=account.id,
                    key=key,
                    request_hash=request_hash,
                    at=now(session),
                    location=location,
                    body=to_json(shown).decode(),
                )
                if key:
                    session.add(known)
            body, headers = known.body.encode(), {"Location": known.location}
        return Response(body, 201, headers | _headers(body), "application/json")

    def change(
        self,
        account: Account,
        show: Callable[[Session], BaseModel],
        change: Callable[[Session], Any],
    ) -> Response:
        """Change what `show` shows, if it is still what `If-Match` names; answer what it became."""
        # `*` names no state: whoever sends it would overwrite what they have not seen.
        wanted = conditions(self.request.headers, "if-match") - {"*"}
        if not wanted:
            raise PreconditionRequired
        with self.journal.writing(account.actor) as session:
            if not _names(wanted, to_json(show(session))):
                raise Stale
            change(session)
            session.flush()
            body = to_json(show(session))
        return Response(body, media_type="application/json", headers=_headers(body))


KEY_LENGTH = 100


async def at_desk(request: Request) -> Work:
    return Work(request.app.state.journal, request)


Desk = Annotated[Work, Depends(at_desk)]


async def _at_register(request: Request) -> Journal:
    journal: Journal = request.app.state.journal
    return journal


Register = Annotated[Journal, Depends(_at_register)]
"""For what needs no `ETag`: files, and reports that are new each time."""


def to_json(shown: BaseModel) -> bytes:
    """A model as JSON; what does not apply is absent."""
    return shown.model_dump_json(by_alias=True, exclude_none=True).encode()


def etag(body: bytes) -> str:
    """The strong validator of a representation."""
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def _names(tags: set[str], body: bytes) -> bool:
    # A proxy that compresses marks a tag as weak or adds to its end: it still names this state.
    return any(tag.startswith(etag(body)[:-1]) for tag in tags)


NO_STORE = {"Cache-Control": "private, no-store"}


def download(content: bytes, media_type: str, name: str) -> Response:
    """A file that whoever asked can save under a name; nothing on the way keeps it."""
    headers = NO_STORE | {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type=media_type, headers=headers)


def _headers(body: bytes) -> dict[str, str]:
    return {"ETag": etag(body), "Cache-Control": "private, no-cache"}


# --- lists -----------------------------------------------------------------------------------


class Page(BaseModel, Generic[T]):
    """Some of a list. `next` is there when there is more: give it as `after`."""

    items: list[T]
    next: str | SkipJsonSchema[None] = None


class Paging(BaseModel):
    """Which part of a list to show."""

    limit: int = Described(default=50, ge=1, le=200)
    after: str | SkipJsonSchema[None] = Described(
        default=None, max_length=1000, description="`next` of the page before"
    )


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
        items=[show(row[0]) for row in shown], next=_encoded(shown[-1][1:]) if more else None
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
    return Page(items=show(session, found.items), next=found.next)


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
        raise Invalid([FieldError(field="after", message=message)]) from None


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
