"""Connections that wrong or hostile clients hold, kept from being in anybody's way.

The parser takes a line of any length and the server waits for as long as a client likes, so both
are limited here. No request has a timer of its own: bytes are counted as they come, and once a
second all connections are looked through for what hasn't moved.
"""

import asyncio
import heapq
import logging
import resource
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar, cast
from weakref import WeakKeyDictionary

from httptools import HttpParserError, HttpParserUpgrade
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)
from uvicorn.server import ServerState

from app.core.metrics import REFUSED

log = logging.getLogger(__name__)

KIB = 1024


def room() -> int:
    """How many connections a process takes: at most half of the files that it may open.

    Those that come in one turn of the loop go in the next, and the database, snapshots and sheets
    are files too. When there are none left, whoever comes is dropped unheard.
    """
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 1024 if files == resource.RLIM_INFINITY else min(1024, files // 2)


@dataclass(frozen=True)
class Limits:
    """What a client may send, and how long it may take."""

    connections: int | None = None
    """Of one process; as many as there is room for when not said."""
    line: int = 8 * KIB
    """Bytes of an address, or of one header."""
    head: int = 16 * KIB
    """Bytes of a request before its body, or of what follows a chunk of it; a packet in which
    several requests came may bring as much again."""
    headers: int = 100
    body: int = 32 * 1024 * KIB
    """Bytes of a body, most of which is dropped: who sends too much still hears why."""
    pipelined: int = 16
    """Requests that wait for the answer to an earlier one."""
    head_seconds: float = 15
    """From the connection, or from the last answer, to the end of a head."""
    body_seconds: float = 15
    body_rate: int = KIB
    """Bytes a second that a body must bring after `body_seconds`: 5 MiB may take 85 minutes."""
    unread_seconds: float = 60
    """How long a client may take nothing of its answer. A slow one takes it in large pieces, as the
    buffers of its system let it."""
    sweep_seconds: float = 1
    log_seconds: float = 60


class Refusal(Enum):
    """Why a connection is ended: the label in the metric, and what is said, if anything is."""

    LINE = ("line", 414, "The address is too long")
    HEADERS = ("headers", 431, "The headers are too long, or too many")
    BODY = ("body", 413, "The body is too large")
    MALFORMED = ("malformed", 400, "This is not a request in HTTP")
    VERSION = ("version", 505, "Only HTTP/1.1 and HTTP/1.0 are understood")
    HOST = ("host", 400, "There must be one Host header")
    PIPELINED = ("pipelined", None, "")
    LATE_HEAD = ("late_head", 408, "The request took too long to come")
    LATE_BODY = ("late_body", 408, "The body took too long to come")
    UNREAD = ("unread", None, "")
    FULL = ("full", None, "")

    def __init__(self, label: str, status: int | None, title: str) -> None:
        self.label = label
        self.status = status
        self.title = title


class Refused(Exception):
    """What came is too much, or no request."""

    def __init__(self, why: Refusal) -> None:
        self.why = why


class Connections:
    """All connections of one server: looked through every second, and never too many."""

    _of: ClassVar[WeakKeyDictionary[ServerState, "Connections"]] = WeakKeyDictionary()

    def __init__(
        self, all_of_them: set["Guarded"], loop: asyncio.AbstractEventLoop, limits: Limits
    ) -> None:
        self._all = all_of_them
        self._loop = loop
        self._limits = limits
        self._most = limits.connections or room()
        self._untold: Counter[str] = Counter()
        self._told_at = -limits.log_seconds
        loop.call_later(limits.sweep_seconds, self._sweep)

    @classmethod
    def of(
        cls, state: ServerState, loop: asyncio.AbstractEventLoop, limits: Limits
    ) -> "Connections":
        """Those of a server, looked through from its first connection on."""
        if state not in cls._of:
            cls._of[state] = cls(cast("set[Guarded]", state.connections), loop, limits)
        return cls._of[state]

    def make_room(self) -> None:
        """When there are too many, end those that have been silent longest.

        Several at a time, so that to look for them is no work for each that comes. Who waits for an
        answer of ours comes last.
        """
        if len(self._all) <= self._most:
            return
        several = 1 + self._most // 8
        for connection in heapq.nsmallest(several, self._all, key=Guarded.claim):
            connection.end(Refusal.FULL)

    def note(self, why: Refusal) -> None:
        """Count a refusal."""
        REFUSED.labels(why.label).inc()
        self._untold[why.label] += 1

    def _sweep(self) -> None:
        self._loop.call_later(self._limits.sweep_seconds, self._sweep)
        now = self._loop.time()
        for connection in list(self._all):
            if why := connection.overdue(now):
                connection.end(why)
        if self._untold and now - self._told_at >= self._limits.log_seconds:
            counts = ", ".join(f"{count} {label}" for label, count in self._untold.items())
            log.warning("connections refused or let go: %s", counts)
            self._untold.clear()
            self._told_at = now


class Guarded(HttpToolsProtocol):
    """Uvicorn's side of a connection, within limits.

    What may be done with a request is for a subclass to say, in `on_head`, `on_part`, `on_end`.
    """

    limits: ClassVar[Limits] = Limits()

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        came: bytes = b"",
    ) -> None:
        """`came` is what came on the connection before it was handed over to this process."""
        super().__init__(config, server_state, app_state, _loop)
        self._came_before = came
        self.by_name: dict[bytes, bytes] = {}
        """Headers, of those given twice the last."""
        self.version = "1.1"
        self._others = Connections.of(server_state, self.loop, self.limits)
        self.url = b""
        self.headers = []
        self.is_leaving = False
        self._last_one: RequestResponseCycle | None = None
        # What has come so far: whole requests, whether nothing of the next one, of that its head
        # and so much body, and bytes that are not yet part of anything whole.
        self._requests = 0
        self._is_between = True
        self._has_head = False
        self._body = 0
        self._loose = 0
        # How that was when last looked at, and when it was first found so.
        self._progress: tuple[int, bool, int, int, int] = (0, False, 0, 0, 0)
        self._silent_since = self._waited_since = self._taken_at = self.loop.time()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._others.make_room()
        if self._came_before:
            self.data_received(self._came_before)

    def data_received(self, data: bytes) -> None:
        try:
            # A large packet may be all headers, of which the parser would make objects first.
            for piece in (data,) if len(data) <= self.limits.head else self._pieces(data):
                self._loose += len(piece)
                self.parser.feed_data(piece)
                if self._loose or self.pipeline:
                    self._check()
        except HttpParserUpgrade:
            pass  # the request was answered as if it had not asked
        except Refused as refused:
            self.end(refused.why)
        except HttpParserError as error:
            cause = error.__context__
            self.end(cause.why if isinstance(cause, Refused) else Refusal.MALFORMED)

    def _pieces(self, data: bytes) -> Iterable[memoryview]:
        view, size = memoryview(data), self.limits.head
        return (view[start : start + size] for start in range(0, len(data), size))

    def _check(self) -> None:
        """Raise `Refused` when what is unfinished is too much already."""
        if len(self.url) > self.limits.line:
            raise Refused(Refusal.LINE)
        if self._loose > self.limits.head or len(self.headers) > self.limits.headers:
            raise Refused(Refusal.HEADERS)
        if len(self.pipeline) > self.limits.pipelined:
            raise Refused(Refusal.PIPELINED)

    def on_message_begin(self) -> None:
        self._is_between = False
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self.version = self.parser.get_http_version()
        self.by_name = dict(self.headers)
        # Most requests are too small to break a limit.
        if self._loose > self.limits.line or len(self.headers) > self.limits.headers:
            self._check()
            if any(len(name) + len(value) > self.limits.line for name, value in self.headers):
                raise Refused(Refusal.HEADERS)
        if self.version not in ("1.1", "1.0"):
            raise Refused(Refusal.VERSION)
        if b"host" in self.by_name:
            several = len(self.by_name) < len(self.headers)
            if several and [name for name, _ in self.headers].count(b"host") > 1:
                raise Refused(Refusal.HOST)
        elif self.version == "1.1":
            raise Refused(Refusal.HOST)
        self._has_head = True
        self._body = self._loose = 0
        self.on_head()

    def on_body(self, body: bytes) -> None:
        self._body += len(body)
        self._loose = 0
        if self._body > self.limits.body:
            raise Refused(Refusal.BODY)
        self.on_part(body)

    def on_message_complete(self) -> None:
        self._requests += 1
        self._is_between = True
        self._has_head = False
        self._loose = 0
        self.on_end()

    def on_head(self) -> None:
        """Take the head of a request: `url`, `headers`, `by_name`, `version`."""
        super().on_headers_complete()
        if self.is_leaving:
            self._say_that_it_ends()

    def on_part(self, body: bytes) -> None:
        """Take a part of its body."""
        super().on_body(body)

    def on_end(self) -> None:
        """Take it that this was all of it."""
        super().on_message_complete()

    def on_response_complete(self) -> None:
        # As the server's own but for its timer, which takes a tenth of the time of an answer.
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())

    def shutdown(self) -> None:
        """Have the next answer say that the connection ends; without a question, it ends as always.

        Were it closed now, a request that is on its way would be lost.
        """
        self.is_leaving = True
        if not self._is_answered:
            self._say_that_it_ends()

    def _say_that_it_ends(self) -> None:
        """In the answer to the newest request, and not in one before, after which it would end."""
        if self._last_one and not self._last_one.response_started:
            self._last_one.keep_alive = True
        if self.cycle.keep_alive:
            self._last_one = self.cycle
            self.cycle.keep_alive = False

    def overdue(self, now: float) -> Refusal | None:
        """What the client has taken too long for, if anything; to be asked again and again.

        `now` is by the loop's clock.
        """
        requests, had_head, _, _, was_unread = self._progress
        unread = self.transport.get_write_buffer_size()
        progress = (self._requests, self._has_head, self._body, self._loose, unread)
        if progress != self._progress:
            self._silent_since = now
        self._progress = progress
        if not unread or unread < was_unread:
            self._taken_at = now
        has_moved_on = (requests, had_head) != (self._requests, self._has_head)
        if has_moved_on or unread or self._waits_for_us:
            self._waited_since = now
        waited = now - self._waited_since
        if now - self._taken_at > self.limits.unread_seconds:
            return Refusal.UNREAD
        if self._has_head:
            allowed = self.limits.body_seconds + self._body / self.limits.body_rate
            return Refusal.LATE_BODY if waited > allowed else None
        if waited > self.limits.head_seconds:
            return Refusal.LATE_HEAD
        may_go = self._requests or self.is_leaving
        if may_go and not self._loose and waited > self.timeout_keep_alive:
            self.timeout_keep_alive_handler()  # it has had its answer, and may ask again elsewhere
        return None

    @property
    def _waits_for_us(self) -> bool:
        """Whether the client can do nothing but wait."""
        if self._has_head:
            return self.flow.read_paused
        return not self._is_answered

    @property
    def _is_answered(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is None or cycle.response_complete

    def claim(self) -> tuple[bool, float]:
        """How good its claim to stay is when there are too many."""
        return self._waits_for_us and not self.flow.write_paused, self._silent_since

    def end(self, why: Refusal) -> None:
        """End the connection, and say why where an answer is due."""
        self._others.note(why)
        if why.status and self._is_due:
            said = why.title.encode()
            lines = [
                *self.server_state.default_headers,
                (b"content-type", b"text/plain; charset=utf-8"),
                (b"content-length", b"%d" % len(said)),
                (b"connection", b"close"),
            ]
            head = b"".join(b"%b: %b\r\n" % line for line in lines)
            self.transport.write(b"%b%b\r\n%b" % (STATUS_LINE[why.status], head, said))
            self.transport.close()
        else:
            self.transport.abort()
            # Now, or others would be ended for it until the loop comes to it.
            self.connections.discard(self)

    @property
    def _is_due(self) -> bool:
        """Whether the next answer on this connection is that to what is coming in."""
        if self.transport.is_closing() or not (self._has_head or self._loose):
            return False
        return self._is_answered or (
            self.cycle.more_body and not self.cycle.response_started and not self.pipeline
        )
