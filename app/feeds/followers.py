"""Those who wait for the next state of the directory, and keep nothing else waiting.

They hold no thread and no connection to the database: each is a coroutine that sleeps. One task for
all of a process looks whether there is something new, and lets them go a few at a time, so that
whoever asks for the nearest haven meanwhile is not behind hundreds of them.
"""

import asyncio
from contextlib import suppress

from fastapi.concurrency import run_in_threadpool
from starlette.types import Receive

from app.core.errors import DomainError
from app.core.metrics import FOLLOWERS
from app.directory.read_side import NotReady
from app.feeds.changes import Changes, State, order_of
from app.http.connections import room

LONGEST_SECONDS = 30
LOOK_SECONDS = 0.1
AT_A_TIME, PAUSE_SECONDS = 2, 0.002


class TooManyFollowers(DomainError):
    status = 503
    code = "too-many-followers"
    title = "Too many are waiting; ask again later, or without waiting"
    headers = {"Retry-After": "5"}  # noqa: RUF012 - never changed


def most_followers() -> int:
    """How many may wait in a process: half of those it has room for, so that others come in."""
    return room() // 2


class Followers:
    """All who wait in this process."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self._asleep: set[asyncio.Future[None]] = set()
        self._count = 0
        self._looking: asyncio.Task[None] | None = None
        self._is_ending = False

    async def wait(self, cursor: str, seconds: float, receive: Receive) -> None:
        """Return when there is another state than the one with a cursor, or so much later, or when
        whoever waits is gone, which `receive` tells.

        Of a state that is later than ours, as another host may have given, it waits for ours.
        Raises `NotReady` and `TooManyFollowers`.
        """
        clock = asyncio.get_running_loop().time
        until = clock() + seconds
        if not self._waits(await self._now(), cursor):
            return
        if self._count >= most_followers():
            raise TooManyFollowers
        self._count += 1
        FOLLOWERS.inc()
        gone = asyncio.create_task(_gone(receive))
        try:
            while not (self._is_ending or gone.done()) and (left := until - clock()) > 0:
                await self._sleep(left, gone)
                if not self._waits(await self._now(), cursor):
                    return
        finally:
            gone.cancel()
            self._count -= 1
            FOLLOWERS.dec()

    def end(self) -> None:
        """Let everybody go, now and from now on: this process stops."""
        self._is_ending = True
        for one in list(self._asleep):
            self._wake(one)

    def _waits(self, state: State, cursor: str) -> bool:
        return state.cursor == cursor or order_of(cursor) > state.order

    async def _now(self) -> State:
        if self._changes.has_moved():
            return await run_in_threadpool(self._changes.now)
        return self._changes.now()

    async def _sleep(self, seconds: float, gone: asyncio.Task[None]) -> None:
        """Until something is new or somebody gone, but no longer than so many seconds."""
        one = asyncio.get_running_loop().create_future()
        self._asleep.add(one)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            await asyncio.wait((one, gone), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._asleep.discard(one)

    async def _look(self) -> None:
        while self._asleep:
            await asyncio.sleep(LOOK_SECONDS)
            if self._is_new():
                # Worked out before the first of them wakes, and finds it done.
                with suppress(NotReady):
                    await self._now()
                for number, one in enumerate(list(self._asleep), 1):
                    self._wake(one)
                    if number % AT_A_TIME == 0:
                        await asyncio.sleep(PAUSE_SECONDS)

    def _is_new(self) -> bool:
        try:
            return self._changes.has_moved()
        except NotReady:
            return True  # and whoever waits is told so

    @staticmethod
    def _wake(one: asyncio.Future[None]) -> None:
        if not one.done():
            one.set_result(None)


async def _gone(receive: Receive) -> None:
    """Return when whoever asked is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
