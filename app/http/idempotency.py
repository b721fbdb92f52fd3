"""What an `Idempotency-Key` does: a create that is asked again with it makes nothing twice."""

import hashlib
from collections.abc import Callable, Collection
from datetime import datetime
from typing import NamedTuple, Protocol
from uuid import UUID

import sqlalchemy as sa
from pydantic import BaseModel
from sqlmodel import Field, Session, SQLModel, col

from app.core.db import Instant
from app.core.errors import DomainError, wrong
from app.core.journal import Journal, now
from app.http.fields import to_json


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


class KeyReused(DomainError):
    """An `Idempotency-Key` came back with another request."""

    status = 422
    code = "idempotency-key-reused"
    title = "This Idempotency-Key was used for another request"


class Writer(Protocol):
    """Who writes: the journal's name for them, and to whom their `Idempotency-Key`s belong."""

    @property
    def id(self) -> UUID: ...
    @property
    def actor(self) -> str: ...


class Made(NamedTuple):
    """What a create answers: where it is shown, and what is shown of it."""

    location: str
    body: bytes


def create_once(
    journal: Journal,
    writer: Writer,
    key: str,
    request: str,
    make: Callable[[Session], tuple[str, BaseModel]],
) -> Made:
    """Make something, once per key. `make` gives its path and what to show of it.

    `request` is all that was asked. Asked again with the key, the first answer comes back; with an
    empty key it is made each time. Raises `KeyReused`, or `Invalid` for a key that is too long.
    """
    if len(key) > KEY_LENGTH:
        message = f"must be at most {KEY_LENGTH} characters"
        raise wrong("Idempotency-Key", message)
    request_hash = hashlib.sha256(request.encode()).hexdigest()
    with journal.writing(writer.actor) as session:
        answered = session.get(AnsweredCreate, (writer.id, key)) if key else None
        if answered and answered.request_hash != request_hash:
            raise KeyReused
        if answered:
            return Made(answered.location, answered.body.encode())
        location, shown = make(session)
        made = Made(location, to_json(shown))
        if key:
            session.add(
                AnsweredCreate(
                    account_id=writer.id,
                    key=key,
                    request_hash=request_hash,
                    at=now(session),
                    location=location,
                    body=made.body.decode(),
                )
            )
    return made


def forget(session: Session, locations: Collection[str]) -> None:
    """Forget the answers that show what is at some paths: what is there is to be no more."""
    session.execute(sa.delete(AnsweredCreate).where(col(AnsweredCreate.location).in_(locations)))


KEY_LENGTH = 100
