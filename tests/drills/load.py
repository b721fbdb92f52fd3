"""Somebody asks, so many times a second, whatever happens; what was answered, and what was not."""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count, cycle

NEAREST = "/v1/havens/nearest?lat=51.5155&lon=-0.0922&limit=5"
READS = (*[NEAREST] * 4, "/v1/havens", "/v1/help", *[NEAREST] * 4, "/v1/wards", "/")
PATIENCE_SECONDS = 60


class NotAnswered(Exception):
    """A request got no answer, or another than it should."""


Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Load:
    """Reads on schedule, by a clock that waits for no answer.

    Every other one comes on a connection that has been used before, where there is one. One that
    is not answered is asked once more, on a connection of its own.
    """

    port: int
    milliseconds: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    """What was not answered at first."""
    lost: list[str] = field(default_factory=list)
    """What was not answered at all."""
    door_is_shut: bool = False
    """Whether nobody could connect any more, which is no failure when that is the end of it."""
    ends_when_shut: bool = False
    paths: Sequence[str] = READS
    _idle: deque[Connection] = field(default_factory=deque)

    async def ask(self, rate: float, until: asyncio.Event) -> None:
        """Ask so many times a second until told to end, and wait for all answers."""
        began, asking = time.perf_counter(), set()
        for number, path in zip(count(), cycle(self.paths), strict=False):
            due = began + number / rate
            await asyncio.sleep(max(0, due - time.perf_counter()))
            if until.is_set() or (self.ends_when_shut and self.door_is_shut):
                break
            asking.add(asyncio.create_task(self._ask(path, due, number % 2 == 0)))
        await asyncio.gather(*asking)
        while self._idle:
            self._idle.pop()[1].close()

    async def _ask(self, path: str, due: float, is_new: bool) -> None:
        try:
            await self._answered(path, None if is_new else self._used())
        except ConnectionRefusedError as error:
            self.door_is_shut = True
            if not self.ends_when_shut:
                self.lost.append(f"{path}: {error!r}")
            return
        except (OSError, TimeoutError, EOFError, NotAnswered) as error:
            self.failed.append(f"{path}: {error!r}")
            try:
                await self._answered(path, None)
            except (OSError, TimeoutError, EOFError, NotAnswered) as again:
                self.lost.append(f"{path}: {error!r}, then {again!r}")
                return
        self.milliseconds.append(1000 * (time.perf_counter() - due))

    def _used(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if not connection[0].at_eof():
                return connection
            connection[1].close()
        return None

    async def _answered(self, path: str, connection: Connection | None) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            reader, writer = connection or await asyncio.open_connection("127.0.0.1", self.port)
            goes_on = False
            try:
                writer.write(f"GET {path} HTTP/1.1\r\nHost: drill.test\r\n\r\n".encode())
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
                await reader.readexactly(int(length))
                if not head.startswith(b"http/1.1 200 "):
                    raise NotAnswered(head[:15])
                goes_on = b"connection: close" not in head
            finally:
                if goes_on:
                    self._idle.append((reader, writer))
                else:
                    with suppress(OSError):
                        writer.close()
