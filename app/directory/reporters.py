"""Whose problem reports are taken: a flood keeps nobody out, and nothing of anybody is kept.

Whoever reports has some tokens, one for each report, that come back with time. What comes from an
address without any is likely junk, but may be honest, for whole mobile networks share one: of that,
each haven takes a little, set apart. What is beyond that is turned away before it costs a thing.

All of it lies in the memory of one process: addresses as hashes, by a key that nobody has, until
their tokens are all back.
"""

import asyncio
import secrets
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool

from app.core.database_errors import DATABASE_ERRORS, trouble
from app.core.errors import DomainError
from app.core.journal import Journal, WrongClock
from app.core.trouble import say
from app.http.database import Unavailable
from app.http.headers import client_address
from app.outreach.reports import PUBLIC, TooManyReports, report_problem
from app.outreach.schemas import ProblemReportIn

MOST = 50_000
"""How many clients are told apart in one process, in some 10 MB."""

AT_ONCE = 100
"""How many reports are written in one transaction."""

MOST_WAITING, JUNK_WAITING = 1000, 50
"""How many reports wait to be written at most, and how many may when one comes that is junk."""


class TooManyFromOneAddress(DomainError):
    status = 429
    code = "too-many-from-one-address"
    title = (
        "So much was reported from where you are that this is not kept; if you are in danger"
        " call 999"
    )
    headers = {"Retry-After": "600"}  # noqa: RUF012 - never changed


class Tokens:
    """So many tokens for each key, of which one comes back every so many seconds."""

    def __init__(
        self,
        each: int,
        seconds: float,
        most: int = MOST,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._each = each
        self._seconds = seconds
        self._most = most
        self._clock = clock
        self._full_at: OrderedDict[bytes, float] = OrderedDict()
        """When each has all of its tokens again, those that took one last at the end."""

    def take(self, key: bytes) -> bool:
        """Take a token, if there is one left."""
        now = self._clock()
        self._forget(now)
        full_at = max(self._full_at.get(key, now), now) + self._seconds
        if full_at > now + self._each * self._seconds:
            return False
        self._full_at[key] = full_at
        self._full_at.move_to_end(key)
        return True

    def give_back(self, key: bytes) -> None:
        """Give back a token that was taken for nothing."""
        if key in self._full_at:
            self._full_at[key] -= self._seconds

    def _forget(self, now: float) -> None:
        """Forget those that took none for so long that they have all; and the last of too many.

        Who is forgotten too early has all tokens again: a flood may gain by that, nobody loses.
        """
        while self._full_at:
            key, full_at = next(iter(self._full_at.items()))
            if full_at > now and len(self._full_at) < self._most:
                break
            del self._full_at[key]


@dataclass(frozen=True)
class Report:
    """What somebody tells us about a haven, and whether it is likely junk."""

    haven_id: UUID
    given: ProblemReportIn
    is_junk: bool


class Reporters:
    """Those who report problems, as one process knows them.

    All reports that wait are written in one transaction, so that a crowd waits hardly longer than
    one does. They wait in a line of their own, in which junk has few places.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._key = secrets.token_bytes(32)
        self._clients = Tokens(5, 600)
        self._havens = Tokens(20, 60)
        self._waiting: list[tuple[Report, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def keep(self, client: str, haven_id: UUID, given: ProblemReportIn) -> None:
        """Keep what a client tells us about a haven; what can't be kept costs no token.

        Raises `TooManyFromOneAddress`, `TooManyReports`, `Unavailable`, and whatever is wrong with
        the database.
        """
        tokens = self._clients
        key = blake2b(client.encode(), key=self._key, digest_size=16).digest()
        is_junk = not tokens.take(key)
        if is_junk:
            tokens, key = self._havens, haven_id.bytes
            if not tokens.take(key):
                raise TooManyFromOneAddress
        try:
            await self._written(Report(haven_id, given, is_junk))
        except (Unavailable, WrongClock, *DATABASE_ERRORS):
            tokens.give_back(key)
            raise

    async def _written(self, report: Report) -> None:
        if len(self._waiting) >= (JUNK_WAITING if report.is_junk else MOST_WAITING):
            say("a problem report was turned away", "too many wait for the database")
            raise Unavailable
        written = asyncio.get_running_loop().create_future()
        self._waiting.append((report, written))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_all())
        await written

    async def _write_all(self) -> None:
        while self._waiting:
            some, self._waiting = self._waiting[:AT_ONCE], self._waiting[AT_ONCE:]
            answers = await self._answers([report for report, _ in some])
            for (_, written), error in zip(some, answers, strict=True):
                if written.done():  # whoever sent it is gone
                    continue
                if error is None:
                    written.set_result(None)
                else:
                    written.set_exception(error)
        self._writing = None

    async def _answers(self, some: list[Report]) -> list[Exception | None]:
        """Why each of some reports is not kept, or None where it is."""
        try:
            return await run_in_threadpool(self._write, some)
        except Exception as error:  # noqa: BLE001 - each that waits is told
            if len(some) == 1 or trouble(error) or isinstance(error, WrongClock):
                return [error] * len(some)
        # One that can't be written at all is not to take the others with it.
        return [(await self._answers([report]))[0] for report in some]

    def _write(self, some: list[Report]) -> list[Exception | None]:
        answers: list[Exception | None] = []
        with self._journal.writing(PUBLIC) as session:
            for report in some:
                try:
                    report_problem(session, report.haven_id, report.given, is_junk=report.is_junk)
                    answers.append(None)
                except TooManyReports as error:
                    answers.append(error)
        return answers


Reporter = Callable[[UUID, ProblemReportIn], Awaitable[None]]
"""What keeps a report of whoever sends this request."""


async def reporter_of(request: Request) -> Reporter:
    state = request.app.state
    reporters: Reporters = state.reporters
    return partial(reporters.keep, client_address(request, state.trusted_proxies))


TheReporter = Annotated[Reporter, Depends(reporter_of)]
