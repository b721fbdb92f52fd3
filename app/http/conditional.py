"""How a request reads and changes the register: one commit before the reply, nothing lost.

- A create takes an `Idempotency-Key`: asked again with it, the same answer comes back and nothing
  is made twice.
- A change needs `If-Match` with the `ETag` of what it changes: whoever saw an older state is told.

Forms and JSON go through the same `create_once` and `change_seen`; a route has them as `Register`.
"""

import hashlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from pydantic import BaseModel
from sqlmodel import Session

from app.core.db import read_session
from app.core.errors import DomainError
from app.core.journal import Journal
from app.http.database import Turn
from app.http.fields import to_json
from app.http.headers import conditions
from app.http.idempotency import Writer, create_once


class PreconditionRequired(DomainError):
    status = 428
    code = "precondition-required"
    title = "Say in If-Match which state you are changing: the ETag you were given, in its quotes"


class Stale(DomainError):
    """Somebody else changed it since."""

    status = 412
    code = "stale"
    title = "It was changed since you read it; read it again, then decide"


def change_seen(
    journal: Journal,
    actor: str,
    seen: Collection[str],
    show: Callable[[Session], BaseModel],
    change: Callable[[Session], Any],
) -> bytes:
    """Change what `show` shows, if it is still a state that was seen; returns what it became.

    `seen` are ETags. Raises `PreconditionRequired` without any, and `Stale`.
    """
    with _seen(journal, actor, seen, show) as session:
        change(session)
        session.flush()
        return to_json(show(session))


@contextmanager
def _seen(
    journal: Journal,
    actor: str,
    seen: Collection[str],
    show: Callable[[Session], BaseModel],
) -> Iterator[Session]:
    """A writing session, if what `show` shows is still a state that was seen."""
    if not seen:
        raise PreconditionRequired
    with journal.writing(actor) as session:
        if not names(seen, to_json(show(session))):
            raise Stale
        yield session


@dataclass(frozen=True)
class _Register:
    """The register as one request reads and changes it."""

    journal: Journal
    request: Request

    def read(self, show: Callable[[Session], BaseModel]) -> Response:
        """Show something as it is now, with its `ETag`."""
        with read_session(self.journal.engine) as session:
            body = to_json(show(session))
        known = conditions(self.request.headers, "if-none-match")
        if "*" in known or names(known, body):
            return Response(status_code=304, headers=_headers(body))
        return answer(body)

    def create(
        self, writer: Writer, given: BaseModel, make: Callable[[Session], tuple[str, BaseModel]]
    ) -> Response:
        """Make something, as `create_once` does by the request's key; 201."""
        key = self.request.headers.get("idempotency-key", "")
        request = f"{self.request.method} {self.request.url.path} {given.model_dump_json()}"
        location, body = create_once(self.journal, writer, key, request, make)
        headers = {"Location": location} | _headers(body)
        return Response(body, 201, headers, "application/json")

    def change(
        self,
        writer: Writer,
        show: Callable[[Session], BaseModel],
        change: Callable[[Session], Any],
    ) -> Response:
        """Change something, as `change_seen` does by the request's `If-Match`."""
        return answer(change_seen(self.journal, writer.actor, self.seen, show, change))

    def remove(
        self,
        writer: Writer,
        show: Callable[[Session], BaseModel],
        remove: Callable[[Session], Any],
    ) -> Response:
        """Remove what `show` shows for good, as `change` changes it; 204."""
        with _seen(self.journal, writer.actor, self.seen, show) as session:
            remove(session)
        return Response(status_code=204)

    @property
    def seen(self) -> Collection[str]:
        """The ETags of what whoever asks has seen, by `If-Match`."""
        # `*` names no state: whoever sends it would overwrite what they have not seen.
        return conditions(self.request.headers, "if-match") - {"*"}


def answer(body: bytes) -> Response:
    """The answer that shows a state, with its `ETag`."""
    return Response(body, media_type="application/json", headers=_headers(body))


async def register_of(request: Request, _: Turn) -> _Register:
    return _Register(request.app.state.journal, request)


Register = Annotated[_Register, Depends(register_of)]


async def journal_of(request: Request) -> Journal:
    journal: Journal = request.app.state.journal
    return journal


async def _journal_in_turn(journal: Annotated[Journal, Depends(journal_of)], _: Turn) -> Journal:
    return journal


TheJournal = Annotated[Journal, Depends(_journal_in_turn)]
"""For what needs no `ETag`: files, and reports that are new each time."""

JournalOutOfTurn = Annotated[Journal, Depends(journal_of)]
"""For what takes its turn itself, to say in its own words that there is none."""


def etag(body: bytes) -> str:
    """The strong validator of a representation."""
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def names(tags: Collection[str], body: bytes) -> bool:
    """Whether one of these ETags is that of a representation."""
    # A proxy that compresses marks a tag as weak or adds to its end: it still names this state.
    ours = etag(body).removesuffix('"')
    return any(tag.startswith(ours) for tag in tags)


NO_STORE = {"Cache-Control": "private, no-store"}


def unstored(content: bytes, media_type: str = "application/json") -> Response:
    """An answer that is new each time; nothing on the way keeps it."""
    return Response(content, media_type=media_type, headers=NO_STORE)


HANDED_BACK = "havens.handed_back"
"""Where the scope of a call from a page of ours has what takes the model of an answer; no client
can put anything there."""


def unstored_model(request: Request, shown: BaseModel) -> Response:
    """A model as such an answer: in JSON, but to a page of ours that takes it as it is."""
    take: Callable[[BaseModel], None] | None = request.scope.get(HANDED_BACK)
    if take is None:
        return unstored(to_json(shown))
    # To write seven megabytes and to read them again takes longer than all else about a page.
    take(shown)
    return unstored(b"")


def download(content: bytes, media_type: str, name: str) -> Response:
    """A file that whoever asked can save under a name; nothing on the way keeps it."""
    headers = NO_STORE | {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type=media_type, headers=headers)


def _headers(body: bytes) -> dict[str, str]:
    return {"ETag": etag(body), "Cache-Control": "private, no-cache"}
