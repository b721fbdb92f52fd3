"""Those who wait for the next state of the directory, and keep nothing else waiting.

They hold no thread, no task and no connection to the database. One task for all of a process looks
whether there is something new, and lets them go a few at a time, so that whoever asks for the
nearest haven meanwhile is not behind hundreds of them.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

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


@dataclass(frozen=True, eq=False)
class Follower:
    """Somebody who waits, with the cursor of the state that they have."""

    cursor: str
    go: Callable[[], None]


class Followers:
    """All who wait in this process; to be used in its loop."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self._all: dict[Follower, asyncio.TimerHandle] = {}
        self._looking: asyncio.Task[None] | None = None
        self._is_ending = False

    async def wait(self, cursor: str, seconds: float, receive: Receive) -> None:
        """Return when `hold` would let go, or when whoever waits is gone, which `receive` tells.

        Raises `NotReady` and `TooManyFollowers`.
        """
        await self._now()
        let_go = asyncio.Event()
        follower = self.hold(cursor, seconds, let_go.set)
        if follower is None:
            return
        gone = asyncio.create_task(_gone(receive))
        gone.add_done_callback(lambda _: self.let_go(follower))
        try:
            await let_go.wait()
        finally:
            gone.cancel()
            self.forget(follower)

    def hold(self, cursor: str, seconds: float, go: Callable[[], None]) -> Follower | None:
        """Call `go` once when there is another state than the one with a cursor, or so much later.

        Of a state that is later than ours, as another host may have given, it waits for ours.
        Gives None, and calls nothing, when there is nothing to wait for, or nobody knows yet.
        Raises `NotReady` and `TooManyFollowers`.
        """
        if self._is_ending or self._changes.has_moved():
            return None
        if not _waits(self._changes.now(), cursor):
            return None
        if len(self._all) >= most_followers():
            raise TooManyFollowers
        follower = Follower(cursor, go)
        loop = asyncio.get_running_loop()
        self._all[follower] = loop.call_later(seconds, self.let_go, follower)
        FOLLOWERS.inc()
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        return follower

    def let_go(self, follower: Follower) -> None:
        """Have somebody wait no longer."""
        if self.forget(follower):
            follower.go()

    def forget(self, follower: Follower) -> bool:
        """Call nothing for somebody who is gone; whether they still waited."""
        timer = self._all.pop(follower, None)
        if timer is None:
            return False
        timer.cancel()
        FOLLOWERS.dec()
        return True

    def end(self) -> None:
        """Let everybody go, now and from now on: this process stops."""
        self._is_ending = True
        for one in list(self._all):
            self.let_go(one)

    async def _now(self) -> State:
        if self._changes.has_moved():
            return await run_in_threadpool(self._changes.now)
        return self._changes.now()

    async def _look(self) -> None:
        while self._all:
            await asyncio.sleep(LOOK_SECONDS)
            with suppress(NotReady):
                if not self._changes.has_moved():
                    continue
            waiting = list(self._all)
            with suppress(NotReady):  # and whoever waits is told so
                # Worked out before the first of them is let go, and finds it done.
                state = await self._now()
                waiting = [one for one in waiting if not _waits(state, one.cursor)]
            for number, one in enumerate(waiting, 1):
                self.let_go(one)
                if number % AT_A_TIME == 0:
                    await asyncio.sleep(PAUSE_SECONDS)


def _waits(state: State, cursor: str) -> bool:
    return state.cursor == cursor or order_of(cursor) > state.order


async def _gone(receive: Receive) -> None:
    """Return when whoever asked is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
