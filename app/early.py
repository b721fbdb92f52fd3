"""The first answers of a service that starts, while all the rest of it is being loaded.

A process of its own answers who asks for the nearest havens, from the last good directory and as
`Shortcut` does; it needs no database for that, and no compiler, without which the search is as
exact and only slower. Whatever else comes waits. As soon as the application accepts, each
connection is handed over to it as it is, with what came on it that was not answered. So nobody is
told to come again, and nobody's connection ends.
"""

import asyncio
import gc
import logging
import os
import re
import signal
import socket
import sys
from contextlib import suppress
from email.utils import formatdate
from functools import partial
from typing import Any

import uvicorn
import uvloop
from uvicorn.server import ServerState

from app.core.process import called
from app.core.settings import Settings
from app.directory.contacts import Contacts
from app.directory.nearest import NEAREST
from app.directory.read_side import ReadSide
from app.directory.sealed import sealed
from app.directory.shortcut import Shortcut
from app.http.headers import on_every_answer
from app.http.middleware import BODY_LIMIT

NAME = b"havens-first"

FLUSHED_SECONDS = 5
"""How long a client that reads slowly may take for its answer before its connection is handed
over; then it ends."""

_FIRST_WORDS = (f"GET {NEAREST}?".encode(), f"POST {NEAREST} ".encode())
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]{1,9}) *\r\n", re.IGNORECASE)


def config_of(
    app: Any, settings: Settings, connection: type[Shortcut], **more: Any
) -> uvicorn.Config:
    """How an application is served: how every answer of the service begins, and what is logged."""
    return uvicorn.Config(
        app,
        loop="uvloop",
        http=connection,
        ws="none",
        access_log=False,
        log_config=None,
        proxy_headers=False,
        server_header=False,
        headers=on_every_answer(settings.public_url),
        **more,
    )


class First:
    """The process that answers first, from the side of those who take over from it."""

    def __init__(self, pid: int, channel: socket.socket) -> None:
        self._pid = pid
        self._parent = os.getpid()
        self._channel = channel

    def take_over(self, config: uvicorn.Config, state: ServerState, app_state: Any) -> None:
        """Have it hand over its connections, and go on with them; in a loop that runs.

        Whichever process takes one has it. From the second time on nothing happens.
        """
        with suppress(OSError):
            self._channel.send(b".")
        self._channel.setblocking(False)
        loop = asyncio.get_running_loop()
        connection: Any = config.http_protocol_class
        going_on: set[asyncio.Task[object]] = set()

        def take() -> None:
            # All that lies there: of a channel that has broken a loop may tell once and no more.
            while True:
                try:
                    said, files, *_ = socket.recv_fds(self._channel, 1, 2)
                except BlockingIOError:
                    return  # another process has it
                except OSError:
                    break
                if not said:
                    break
                if len(files) == 2:
                    go_on(*files)
            loop.remove_reader(self._channel)
            self._channel.close()
            self._see_off(loop)

        def go_on(handed: int, came: int) -> None:
            with os.fdopen(came, "rb") as file:
                file.seek(0)
                came_before = file.read()
            protocol = partial(connection, config, state, app_state, came=came_before)
            task = loop.create_task(_go_on(loop, protocol, socket.socket(fileno=handed)))
            going_on.add(task)
            task.add_done_callback(going_on.discard)

        loop.add_reader(self._channel, take)

    def _see_off(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let go of the process as soon as it has ended, which it is about to do."""
        self.reap()
        if self._pid and os.getpid() == self._parent:
            loop.call_later(0.1, self._see_off, loop)

    def reap(self) -> None:
        """Let go of the process, if it has ended and is a child of this one."""
        if self._pid and os.getpid() == self._parent:
            with suppress(ChildProcessError):
                self._pid -= os.waitpid(self._pid, os.WNOHANG)[0]


async def _go_on(loop: asyncio.AbstractEventLoop, protocol: Any, connection: socket.socket) -> None:
    with suppress(OSError):
        await loop.connect_accepted_socket(protocol, connection)


def answer_first(settings: Settings, door: socket.socket) -> First:
    """Have a process answer at a door until others take over from it, or are gone.

    Only for a process that has one thread. Without a good directory it does nothing.
    """
    ours, theirs = socket.socketpair()
    if not (pid := os.fork()):
        # What goes wrong must not go on as the service that it is a copy of.
        try:
            ours.close()
            _be_first(settings, door, theirs)
        finally:
            os._exit(1)
    theirs.close()
    return First(pid, ours)


def _be_first(settings: Settings, door: socket.socket, channel: socket.socket) -> None:
    called(NAME)
    # It ends when those are gone who can take over from it.
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    gc.freeze()
    gc.enable()
    # They read the same, and say what is wrong with it.
    logging.disable(logging.WARNING)
    # To load it takes as long as all that is needed.
    sys.modules["numba"] = None  # type: ignore[assignment]
    directory = ReadSide(
        settings.data_dir,
        demonstration=settings.demonstration,
        walking_factor=settings.walking_factor,
        neighbours=settings.neighbours,
    )
    directory.take_up()
    if directory.is_there:
        uvloop.run(_answer(settings, directory, door, channel))
    os._exit(0)


async def _answer(
    settings: Settings, directory: ReadSide, door: socket.socket, channel: socket.socket
) -> None:
    config, state = config_of(_nobody, settings, _Early), ServerState()
    config.load()
    of_app = {"directory": directory, "contacts": Contacts(settings.help_contacts)}
    loop = asyncio.get_running_loop()
    dating = loop.create_task(_date(config, state))
    server = await loop.create_server(partial(_Early, config, state, of_app), sock=door)
    channel.setblocking(False)
    is_followed = bool(await loop.sock_recv(channel, 1))
    # The first who takes over is enough: what others say and nobody reads would break the channel
    # as this process ends, and with it what lies in it.
    channel.shutdown(socket.SHUT_RD)
    while channel.recv(16):
        pass
    server.close()
    # One that has just come is known a turn of the loop later.
    for _ in range(round(FLUSHED_SECONDS / 0.01)):
        await asyncio.sleep(0.01)
        if not any(one.transport.get_write_buffer_size() for one in state.connections):
            break
    dating.cancel()
    channel.setblocking(True)
    for connection in list(state.connections):
        if is_followed and isinstance(connection, _Early):
            connection.hand_over(channel)
    # Before the loop turns again: it would take what comes on a connection that is another's now.
    os._exit(0)


async def _date(config: uvicorn.Config, state: ServerState) -> None:
    """Keep the headers of every answer those of this second."""
    while True:
        now = formatdate(usegmt=True).encode()
        state.default_headers = [(b"date", now), *config.encoded_headers]
        await asyncio.sleep(1)


async def _nobody(_scope: object, _receive: object, _send: object) -> None:
    """The application, which isn't there yet."""


class _Early(Shortcut):
    """A connection on which the plain question is answered, and anything else waits."""

    answers_last = True

    _came = b""
    """What came on it and was not answered."""

    _waits = False
    """Whether it is for the application."""

    def data_received(self, data: bytes) -> None:
        self._came += data
        if self._waits:
            return
        match _is_whole(self._came):
            case True:
                super().data_received(self._came)
            case False:
                self._wait()

    def on_head(self) -> None:
        if self._is_ordinary():
            self._held = b""
        else:
            self._wait()

    def on_part(self, body: bytes) -> None:
        if self._held is not None:
            self._held += body

    def on_end(self) -> None:
        if self._held is None:
            return
        body, self._held = self._held, None
        if self._answered(body):
            self._came = b""
        else:
            self._wait()

    def _wait(self) -> None:
        self._waits = True
        self.flow.pause_reading()

    @property
    def _waits_for_us(self) -> bool:
        return self._waits or super()._waits_for_us

    def hand_over(self, channel: socket.socket) -> None:
        """Let whoever reads the channel go on with it. Raises OSError."""
        if self.transport.is_closing() or self.transport.get_write_buffer_size():
            return
        came = sealed([self._came])
        socket.send_fds(channel, [b"."], [self.transport.get_extra_info("socket").fileno(), came])
        os.close(came)


def _is_whole(came: bytes) -> bool | None:
    """Whether this is one question for the nearest havens and no more; None while it may become
    one."""
    if not any(came.startswith(words[: len(came)]) for words in _FIRST_WORDS):
        return False
    head, end, body = came.partition(b"\r\n\r\n")
    if not end:
        return None if len(came) <= BODY_LIMIT else False
    length = 0
    if head.startswith(b"POST"):
        said = _LENGTH.search(head + b"\r\n")
        if said is None:
            return False
        length = int(said[1])
    if len(body) < length <= BODY_LIMIT:
        return None
    return len(body) == length
