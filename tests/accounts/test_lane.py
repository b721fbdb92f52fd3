"""The lane of passwords: one at a time, fairly, behind everything else."""

import asyncio
import os
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

from app.accounts import lane as lanes
from app.accounts.lane import MOST_OF_ONE, MOST_WAITING, Busy, Lane
from tests.servers import until

Asked = tuple[str, bool]


async def settled() -> None:
    """Let all that can happen now happen."""
    for _ in range(20):
        await asyncio.sleep(0)


async def served(asked: list[Asked]) -> list[str]:
    """Who had a turn, in order, of those who came while somebody else had the lane."""
    lane, order = Lane(), []

    async def ask(asker: str, is_known: bool) -> None:
        async with lane.turn(asker.partition(" ")[0], is_known=is_known):
            order.append(asker)

    async with lane.turn("first", is_known=False):
        asking = []
        for asker, is_known in asked:
            asking.append(asyncio.create_task(ask(asker, is_known)))
            await settled()
        assert order == []
    answers = await asyncio.gather(*asking, return_exceptions=True)
    assert sum(isinstance(answer, Busy) for answer in answers) == len(asked) - len(order)
    return order


@pytest.mark.parametrize(
    ("asked", "order", "reason"),
    [
        (["a 1", "a 2", "a 3"], ["a 1", "a 2", "a 3"], "one client's in their order"),
        (["a 1", "a 2", "a 3", "b 1"], ["b 1", "a 1", "a 2", "a 3"], "who asks often waits"),
        (["a 1", "b 1", "c 1"], ["c 1", "b 1", "a 1"], "a crowd holds up nobody who comes later"),
        (["a 1", "b 1", "b 2", "a 2"], ["b 1", "a 1", "a 2", "b 2"], "in turns"),
        (["a 1", "!b 1", "c 1"], ["!b 1", "c 1", "a 1"], "who is known goes first"),
        (["!b 1", "!b 2", "!c 1"], ["!c 1", "!b 1", "!b 2"], "and they, too, in turns"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_who_is_next(asked: list[str], order: list[str], reason: str) -> None:
    came = [(asker, asker.startswith("!")) for asker in asked]
    assert asyncio.run(served(came)) == order, reason


def test_who_was_right_is_as_if_new() -> None:
    async def ask(lane: Lane, end: asyncio.Event) -> list[str]:
        order = []

        async def turn(asker: str) -> None:
            async with lane.turn(asker, is_known=False):
                order.append(asker)

        lane.forget("first")
        asking = [asyncio.create_task(turn("a")), asyncio.create_task(turn("first"))]
        await settled()
        end.set()
        await asyncio.gather(*asking)
        return order

    assert held(ask) == ["first", "a"]


def test_so_many_wait_and_who_asks_most_makes_room() -> None:
    crowd = [(f"{number % 10} {number}", False) for number in range(MOST_WAITING + 20)]
    order = asyncio.run(served([*crowd, ("officer", False), ("known", True)]))
    assert len(order) == MOST_WAITING
    assert order[:4] == ["known", "officer", "9 9", "8 8"]
    alone = asyncio.run(served([(f"one {number}", False) for number in range(30)]))
    assert alone == [f"one {number}" for number in range(MOST_OF_ONE)]


def held(work: Callable[[Lane, asyncio.Event], Awaitable[Any]]) -> Any:
    """What comes of some work on a lane that somebody has until an event."""

    async def run() -> Any:
        lane, end = Lane(), asyncio.Event()

        async def hold() -> None:
            async with lane.turn("first", is_known=False):
                await end.wait()

        holder = asyncio.create_task(hold())
        await settled()
        result = await work(lane, end)
        await holder
        async with lane.turn("last", is_known=False):
            return result

    return asyncio.run(run())


def test_nobody_waits_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "PATIENCE_SECONDS", 0.01)

    async def ask(lane: Lane, end: asyncio.Event) -> None:
        with pytest.raises(Busy):
            async with lane.turn("a", is_known=True):
                pytest.fail("it was nobody's turn")
        end.set()

    held(ask)


def test_who_goes_away_is_not_waited_for() -> None:
    async def ask(lane: Lane, end: asyncio.Event) -> list[str]:
        order = []

        async def turn(asker: str) -> None:
            async with lane.turn(asker, is_known=False):
                order.append(asker)

        a, b = (asyncio.create_task(turn(asker)) for asker in "ab")
        await settled()
        b.cancel()
        await settled()
        end.set()
        await asyncio.gather(a, b, return_exceptions=True)
        return order

    assert held(ask) == ["a"]


def test_a_lane_is_shared_by_every_loop_of_a_process() -> None:
    lane, under_way, order = Lane(), threading.Event(), []

    async def first() -> None:
        async with lane.turn("first", is_known=False):
            under_way.set()
            await asyncio.to_thread(until, lambda: lane._waiting)
            order.append("first")

    async def second() -> None:
        async with lane.turn("second", is_known=False):
            order.append("second")

    def run(main: Callable[[], Coroutine[Any, Any, None]]) -> threading.Thread:
        thread = threading.Thread(target=lambda: asyncio.run(main()))
        thread.start()
        return thread

    threads = [run(first)]
    assert under_way.wait(60)
    threads.append(run(second))
    for thread in threads:
        thread.join(60)
    assert order == ["first", "second"]


def test_memory_of_who_asked_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "MOST_REMEMBERED", 10)

    async def ask() -> int:
        lane = Lane()
        for number in range(50):
            async with lane.turn(f"client {number}", is_known=False):
                pass
        return len(lane._asked)

    assert asyncio.run(ask()) <= 11


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere threads have no priority")
def test_its_thread_gives_way_and_no_other_does() -> None:
    async def niceness() -> tuple[int, int]:
        return await Lane().run(os.getpriority, os.PRIO_PROCESS, 0), os.getpriority(0, 0)

    before = os.getpriority(os.PRIO_PROCESS, 0)
    assert asyncio.run(niceness()) == (min(19, before + lanes._NICENESS), before)
