"""What a request may ask of the database: a turn at it, and word when it is in trouble.

A database that hangs holds up each request that asks it for some seconds. So only so many are at
it at a time, a few more wait in line, none for long, and the rest is told to come again. The
threads that this leaves are enough for whatever answers without a database.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI, Request, Response

from app.core.database_errors import DATABASE_ERRORS, trouble
from app.core.db import AT_ONCE
from app.core.errors import DomainError
from app.core.trouble import say


class Unavailable(DomainError):
    """The database is in trouble, or too many wait for it."""

    status = 503
    code = "unavailable"
    title = "The register can't be read or changed just now; try again in a moment"
    headers = {"Retry-After": "10"}  # noqa: RUF012 - never changed


class NoRegister(Unavailable):
    """This host has no database, on purpose."""

    code = "no-register"
    title = "This host answers what the public asks and has no register; ask the one that has it"
    headers = {}  # noqa: RUF012 - never changed


class Turns:
    """Turns at the database: so many at a time, with a line that is neither long nor slow."""

    def __init__(self, at_once: int = AT_ONCE, patience_seconds: float = 5) -> None:
        self._free = asyncio.Semaphore(at_once)
        self._line = 2 * at_once
        self._patience_seconds = patience_seconds
        self._waiting = 0

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[None]:
        """Have a turn. Raises `Unavailable`."""
        if self._waiting >= self._line:
            say("a request was turned away", "too many wait for the database")
            raise Unavailable
        self._waiting += 1
        try:
            async with asyncio.timeout(self._patience_seconds):
                await self._free.acquire()
        except TimeoutError:
            say("a request was turned away", "it waited too long for its turn at the database")
            raise Unavailable from None
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._free.release()


class NoTurns(Turns):
    """For a host without a database, where nobody gets a turn."""

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[None]:
        """Raises `NoRegister`."""
        raise NoRegister
        yield


async def turns_of(request: Request) -> Turns:
    turns: Turns = request.app.state.turns
    return turns


TheTurns = Annotated[Turns, Depends(turns_of)]


async def turn(turns: TheTurns) -> AsyncIterator[None]:
    async with turns.taken():
        yield


# Until the route's function is done, not until the last byte is with somebody who reads slowly.
Turn = Annotated[None, Depends(turn, scope="function")]
"""What a route depends on, if only through its guard or its register, that asks the database."""


def install(app: FastAPI, answer: Callable[[Request, DomainError], Response]) -> None:
    """Answer trouble with the database as `Unavailable`; anything else it raises is a fault."""

    async def _in_trouble(request: Request, error: Exception) -> Response:
        reason = trouble(error)
        if not reason:
            raise error
        say("a request was not carried out", reason)
        return answer(request, Unavailable())

    for kind in DATABASE_ERRORS:
        app.add_exception_handler(kind, _in_trouble)
