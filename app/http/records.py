"""Records over HTTP: each kind is described once, for all the routes that list, show or change it.

How one is recorded differs from kind to kind, and is written with its rules. A route takes what it
says of itself from `lists`, `shows` and so on, and what it answers from `page`, `read` and so on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, TypeVarTuple
from uuid import UUID

import sqlalchemy as sa
from fastapi import Response
from pydantic import BaseModel
from sqlmodel import Session, SQLModel, select

from app.core.db import find, none_such
from app.core.errors import DomainError, responses
from app.core.events import AlreadyVoid, Event, VoidReason, in_effect, void, within
from app.http.conditional import Register, Stale
from app.http.fields import Period
from app.http.idempotency import Writer
from app.http.paging import Page, Paging, page_together

_Record = TypeVar("_Record", bound=SQLModel)
_Out = TypeVar("_Out", bound=BaseModel)
_Given = TypeVar("_Given", bound=BaseModel)
_Event = TypeVar("_Event", bound=Event)
_Owner = TypeVarTuple("_Owner")
_More = ParamSpec("_More")


@dataclass(frozen=True)
class Records(Generic[_Record, _Out]):
    """The records of one kind: their table, the model and the path by which one is shown.

    `views` shows several together; without it, each is shown by its own fields. `order` names the
    columns by which they are listed, newest first. `whole` names the column with the `id` of what
    is at the path; one that is no part of another has its own there. `shown` and `changed` are what
    the contract calls one in an answer, the latter after a change; empty, it doesn't say.
    """

    model: type[_Record]
    out: type[_Out]
    path: str
    views: Callable[[Session, Sequence[_Record]], list[_Out]] | None = None
    order: Sequence[str] = ("effective_at", "id")
    whole: str = "id"
    shown: str = ""
    changed: str = ""

    # --- what a route says of itself ---------------------------------------------------------

    def lists(self, summary: str, *errors: DomainError) -> dict[str, Any]:
        return _route(summary, Page[self.out], "", *errors)  # type: ignore[name-defined]

    def shows(self, summary: str) -> dict[str, Any]:
        return _route(summary, self.out, self.shown, none_such(self.model))

    def creates(self, summary: str, *errors: DomainError) -> dict[str, Any]:
        return _route(summary, self.out, self.shown, *errors) | {"status_code": 201}

    def changes(self, summary: str, *errors: DomainError) -> dict[str, Any]:
        return _route(summary, self.out, self.changed, none_such(self.model), *errors, Stale())

    def removes(self, summary: str) -> dict[str, Any]:
        said = responses(none_such(self.model), Stale())
        answer = "It is gone"
        return {
            "summary": summary, "status_code": 204, "responses": said,
            "response_description": answer,
        }  # fmt: skip

    def voids(self, summary: str, *errors: DomainError) -> dict[str, Any]:
        return self.changes(summary, AlreadyVoid(), *errors)

    # --- what it answers ---------------------------------------------------------------------

    def page(
        self, session: Session, question: Paging, statement: sa.Select[Any] | None = None
    ) -> Page[_Out]:
        """A page of those that a statement selects, or else of those that the question is after."""
        if statement is None:
            statement = select(self.model).where(*matching(self.model, question))
        order = [getattr(self.model, name) for name in self.order]
        return page_together(session, statement, order, question, self._views, newest_first=True)

    def read(self, register: Register, id_: UUID) -> Response:
        """Show one as it is now. Raises `NotFound`."""
        return read_of(register, self.model, id_, self._view)

    def create(
        self,
        register: Register,
        writer: Writer,
        given: _Given,
        action: Callable[[Session, *_Owner, _Given], _Record],
        *owner: *_Owner,
    ) -> Response:
        """Record what is given, and show it. The action takes its `owner` first, if it has one."""

        def make(session: Session) -> tuple[str, _Out]:
            made = action(session, *owner, given)
            path = f"/v1/admin/{self.path}/{getattr(made, self.whole)}"
            return path, self._view(session, made)

        return register.create(writer, given, make)

    def change(
        self,
        register: Register,
        writer: Writer,
        id_: UUID,
        action: Callable[Concatenate[Session, _Record, _More], object],
        *args: _More.args,
        **kwargs: _More.kwargs,
    ) -> Response:
        """Carry out an action on one that the writer has seen, and show it. Raises `NotFound`."""
        return register.change(
            writer,
            lambda session: self._view(session, find(session, self.model, id_)),
            lambda session: action(session, find(session, self.model, id_), *args, **kwargs),
        )

    def remove(
        self,
        register: Register,
        writer: Writer,
        id_: UUID,
        action: Callable[[Session, _Record], object],
    ) -> Response:
        """Remove one that the writer has seen. Raises `NotFound`."""
        return register.remove(
            writer,
            lambda session: self._view(session, find(session, self.model, id_)),
            lambda session: action(session, find(session, self.model, id_)),
        )

    def void(
        self: "Records[_Event, _Out]",
        register: Register,
        writer: Writer,
        id_: UUID,
        given: VoidReason,
    ) -> Response:
        """Mark an event as a mistake, and show it."""
        return self.change(register, writer, id_, void, given.reason)

    def _view(self, session: Session, record: _Record) -> _Out:
        return self._views(session, [record])[0]

    def _views(self, session: Session, records: Sequence[_Record]) -> list[_Out]:
        if self.views is not None:
            return self.views(session, records)
        return [self.out.model_validate(record, from_attributes=True) for record in records]


def _route(summary: str, model: Any, answer: str, *errors: DomainError) -> dict[str, Any]:
    said = {"summary": summary, "response_model": model, "responses": responses(*errors)}
    return said | ({"response_description": answer} if answer else {})


def read_of(
    register: Register,
    model: type[_Record],
    id_: UUID,
    view: Callable[Concatenate[Session, _Record, _More], BaseModel],
    *args: _More.args,
    **kwargs: _More.kwargs,
) -> Response:
    """Show what `view` shows of a record. Raises `NotFound`."""
    return register.read(lambda session: view(session, find(session, model, id_), *args, **kwargs))


def matching(model: type[Any], question: BaseModel) -> list[sa.ColumnElement[bool]]:
    """SQL: a record is what a question is after.

    What the question gives by the name of a column is in that column; an event lies in the
    question's period; a voided one is shown only if asked for.
    """
    given = question.model_dump(exclude_none=True, exclude={*Period.model_fields})
    conditions = [
        getattr(model, name) == value for name, value in given.items() if name in model.model_fields
    ]
    if isinstance(question, Period):
        conditions += within(model, question.from_, question.until)
    if getattr(question, "voided", None) is False:
        conditions.append(in_effect(model))
    return conditions
