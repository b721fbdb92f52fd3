"""Records over HTTP: how one is read, made and changed, and what its routes say of that."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar
from uuid import UUID

from fastapi import Response
from pydantic import BaseModel
from sqlmodel import Session, SQLModel

from app.core.db import find, none_such
from app.core.errors import DomainError, Invalid, responses
from app.http.conditional import PreconditionRequired, Register, Stale
from app.http.idempotency import Writer

_Record = TypeVar("_Record", bound=SQLModel)
_Given = TypeVar("_Given", bound=BaseModel)
_More = ParamSpec("_More")


def read_of(
    register: Register,
    table: type[_Record],
    id_: UUID,
    view: Callable[Concatenate[Session, _Record, _More], BaseModel],
    *args: _More.args,
    **kwargs: _More.kwargs,
) -> Response:
    """Show what `view` shows of a record. Raises `NotFound`."""
    return register.read(lambda session: view(session, find(session, table, id_), *args, **kwargs))


@dataclass(frozen=True)
class Resource(Generic[_Record]):
    """One kind of record: a row of `table`, which `view` shows as `out` at an address in `path`.

    `shown` and `changed` are what the contract calls its state in an answer, the latter after a
    change; empty, it is `shown` "as it is now".
    """

    table: type[_Record]
    out: type[BaseModel]
    view: Callable[[Session, _Record], BaseModel]
    path: str
    shown: str
    changed: str = ""

    def reads(self) -> dict[str, Any]:
        """What the decorator says of a route that shows the record."""
        return self._answers(self.shown, none_such(self.table), Invalid())

    def makes(self, *errors: DomainError) -> dict[str, Any]:
        """What the decorator says of a route that makes one, with the errors of its own."""
        return {"status_code": 201, **self._answers(self.shown, *errors)}

    def changes(self, *errors: DomainError) -> dict[str, Any]:
        """What the decorator says of a route that changes one, with the errors of its own."""
        usual = none_such(self.table), Invalid(), Stale(), PreconditionRequired()
        return self._answers(self.changed or f"{self.shown} as it is now", *usual, *errors)

    def _answers(self, description: str, *errors: DomainError) -> dict[str, Any]:
        return {
            "response_model": self.out,
            "response_description": description,
            "responses": responses(*errors),
        }

    def read(self, register: Register, id_: UUID) -> Response:
        """Show the record as it is now. Raises `NotFound`."""
        return read_of(register, self.table, id_, self.view)

    def create(
        self,
        register: Register,
        writer: Writer,
        given: _Given,
        make: Callable[[Session, _Given], _Record],
    ) -> Response:
        """Make a record of what is given, once for each `Idempotency-Key`."""

        def made(session: Session) -> tuple[str, BaseModel]:
            record: Any = make(session, given)
            return f"{self.path}/{record.id}", self.view(session, record)

        return register.create(writer, given, made)

    def change(
        self,
        register: Register,
        writer: Writer,
        id_: UUID,
        action: Callable[Concatenate[Session, _Record, _More], object],
        *args: _More.args,
        **kwargs: _More.kwargs,
    ) -> Response:
        """Carry out an action on the record, if it is in a state that was seen.

        Raises `NotFound`, `PreconditionRequired` and `Stale`.
        """
        return register.change(
            writer,
            lambda session: self.view(session, find(session, self.table, id_)),
            lambda session: action(session, find(session, self.table, id_), *args, **kwargs),
        )
