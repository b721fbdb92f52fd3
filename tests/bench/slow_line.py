"""A slow line to a server, which counts what goes over it."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic

BYTES_A_SECOND = 400_000 / 8
ROUND_TRIP_SECONDS = 0.4
_PACKET_BYTES = 1460


@dataclass
class Answer:
    """What came back to one request: bytes, headers included."""

    path: str
    size: int = 0


@dataclass
class Line:
    """A line that all connections share, and what came back over it."""

    port: int = 0
    answers: list["Answer"] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def received(self) -> int:
        """Bytes that came back so far."""
        return sum(answer.size for answer in self.answers)


@contextmanager
def slow_line(to_port: int) -> Iterator[Line]:
    """A slow line to a server of this machine, until it is cut.

    The bytes of all connections take turns, packet by packet. Making a connection costs nothing
    extra, as in Chromium's own emulation of slow networks.
    """
    line, loop, ready = Line(), asyncio.new_event_loop(), threading.Event()
    cut = asyncio.Event()

    async def run() -> None:
        ways = _Way(), _Way()
        connections: set[asyncio.Task[None]] = set()

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connections.add(asyncio.create_task(_connect(line, to_port, ways, reader, writer)))

        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        line.port = server.sockets[0].getsockname()[1]
        ready.set()
        await cut.wait()
        server.close()
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),))
    thread.start()
    ready.wait()
    try:
        yield line
    finally:
        loop.call_soon_threadsafe(cut.set)
        thread.join()
        loop.close()


class _Way:
    """One direction of the line: a packet at a time, in the order in which they are handed in."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._free_at = 0.0

    async def send(self, size: int) -> float:
        """Put so many bytes on the line, once it is free; returns when they will arrive."""
        async with self._turn:
            self._free_at = max(self._free_at, monotonic()) + size / BYTES_A_SECOND
            await asyncio.sleep(self._free_at - monotonic())
            return self._free_at + ROUND_TRIP_SECONDS / 2


async def _connect(
    line: Line,
    to_port: int,
    ways: tuple[_Way, _Way],
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    to_reader, to_writer = await asyncio.open_connection("127.0.0.1", to_port)
    up, down = ways
    answer = Answer("")

    def asked(packet: bytes) -> None:
        nonlocal answer
        method, _, rest = packet.partition(b" ")
        if method in {b"GET", b"POST"}:
            answer = Answer(rest.partition(b" ")[0].decode())
            line.answers.append(answer)

    def answered(packet: bytes) -> None:
        answer.size += len(packet)

    try:
        async with asyncio.TaskGroup() as both:
            both.create_task(_carry(up, reader, to_writer, asked))
            both.create_task(_carry(down, to_reader, writer, answered))
    except* ConnectionError:
        pass  # a browser that closes
    finally:
        to_writer.close()
        writer.close()


async def _carry(
    way: _Way,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    note: Callable[[bytes], None],
) -> None:
    """All that one end of a connection says, to its other end; its end, too."""
    under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def deliver() -> None:
        while True:
            at, packet = await under_way.get()
            await asyncio.sleep(at - monotonic())
            if not packet:
                writer.close()
                return
            writer.write(packet)

    delivering = asyncio.create_task(deliver())
    try:
        while packet := await reader.read(_PACKET_BYTES):
            note(packet)
            await under_way.put((await way.send(len(packet)), packet))
        await under_way.put((monotonic(), b""))
        await delivering
    finally:
        delivering.cancel()
