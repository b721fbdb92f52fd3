"""Serving, in one process or in several."""

import asyncio
import gc
import hashlib
import os
import resource
import shutil
import signal
import socket
import sys
from contextlib import suppress
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn
import uvicorn._subprocess
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import multiprocess

from app.core import logs
from app.core.process import ends_with_parent
from app.core.settings import Settings
from app.generations import Kept, handed_over, keep

if TYPE_CHECKING:
    from app.early import First

GRACE_SECONDS = 40
"""How long a process that stops goes on answering: longer than the database may take."""


def serve(settings: Settings, host: str, port: int, workers: int) -> None:
    """Serve until told to stop; `app.generations` says what the processes are to each other."""
    logs.configure(settings.log_level, settings.log_format)
    answer = partial(_answer, settings, workers)
    if handed := handed_over():
        door, ready, alone = handed
        answer(door, ready, alone=alone)
        return
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Each connection is one, and the usual 1,024 are soon gone. Some systems promise more than
    # they give.
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    door = socket.create_server(
        (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=2048
    )
    folder = _folder_of_metrics(settings.data_dir) if workers > 1 else None
    if folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
    keep(
        door,
        Kept(workers, settings.log_level, settings.log_format, str(folder or "")),
        partial(answer, alone=True),
    )
    sys.exit()


def _folder_of_metrics(data_dir: Path) -> Path | None:
    """An empty folder, the same one at each start with these data, and in memory if it can be.

    What counts maps its files: on a disk that is full that would kill who counts. None where there
    is room nowhere: then each worker tells of itself alone.
    """
    name = hashlib.sha256(f"{os.getuid()} {data_dir.absolute()}".encode()).hexdigest()[:16]
    for place in ("/dev/shm", "/tmp", data_dir):  # noqa: S108  made here, and for this user alone
        folder = Path(place, f"havens-metrics-{name}")
        with suppress(OSError):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(mode=0o700)
            return folder
    return None


def _answer(
    settings: Settings, workers: int, door: socket.socket, ready: int, *, alone: bool
) -> None:
    """Prepare, then answer whoever comes to the door, as one generation; `alone` when no other one
    does meanwhile."""
    _begin()
    # What is imported stays, and to look through it again and again is a tenth of the start.
    gc.disable()
    # Brings what counts, which reads where to as it is imported.
    from app.early import answer_first, config_of  # noqa: PLC0415

    first = answer_first(settings, door) if alone else None
    # Brings the compiler, which the builder and the workers share as they share all that is there
    # before them.
    import app.directory.engine.nearest  # noqa: F401, PLC0415
    from app.core.compiled import let_go_of_compiler  # noqa: PLC0415
    from app.directory.builder import builder  # noqa: PLC0415
    from app.feeds.following import Following  # noqa: PLC0415
    from app.start import prepare, started_app  # noqa: PLC0415

    gc.freeze()
    gc.enable()
    if settings.has_register:
        builder().fork()
    # Held until the end, for each worker is forked with it.
    shared = prepare(settings)
    # The one that follows is forked when what compiles is warm, and shared too.
    builder().close()
    if settings.has_register:
        # What builds has this from what serves, as all that several of both have.
        from app.directory.build import warm_up  # noqa: PLC0415

        warm_up()
    # Up to here nobody has sent anything, and what goes wrong had better say all of it.
    logs.take_what_nobody_catches()
    config = config_of(
        # Made here, so that those who are forked share it.
        started_app(),
        settings,
        Following,
        workers=workers,
        timeout_graceful_shutdown=GRACE_SECONDS,
        # On a busy machine a worker may be held up for longer than the usual five seconds.
        timeout_worker_healthcheck=60,
    )
    # The search was compiled, or loaded, before; and the workers go on without it, too.
    let_go_of_compiler()
    if workers == 1:
        server = _Server(config, ready, first, builds=settings.has_register)
        server.run([door])
        if not server.started:
            sys.exit(STARTUP_FAILURE)
        del shared
        return
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        from prometheus_client.multiprocess import mark_process_dead  # noqa: PLC0415

        # This process answers nothing, and what it says of its directory counts for nothing.
        mark_process_dead(os.getpid())  # type: ignore[no-untyped-call]
    # Workers that began with nothing would each import for two seconds, one that replaces a dead
    # one too.
    uvicorn._subprocess.spawn = get_context("fork")  # type: ignore[assignment]  # noqa: SLF001
    server_of = partial(_Server, ready=ready, first=first, builds=settings.has_register)
    multiprocess.Server = server_of  # type: ignore[assignment,attr-defined]
    _Workers(config, [door], first).run()
    del shared


class _Workers(multiprocess.Multiprocess):
    """The processes of a generation that has several."""

    def __init__(
        self, config: uvicorn.Config, sockets: list[socket.socket], first: "First | None"
    ) -> None:
        super().__init__(config, sockets)
        self._first = first

    def keep_subprocess_alive(self) -> None:
        super().keep_subprocess_alive()
        if self._first:
            self._first.reap()

    def handle_hup(self) -> None:
        """Nothing: it is for the keeper, and whoever signals all of the processes means that."""

    def terminate_all(self) -> None:
        # The last to close it is a worker, which answers those who have come by then.
        for door in self.sockets:
            door.close()
        super().terminate_all()


class _Server(uvicorn.Server):
    """Uvicorn's, which says when it accepts, and answers everybody who came before it stopped."""

    def __init__(
        self, config: uvicorn.Config, ready: int, first: "First | None", *, builds: bool
    ) -> None:
        super().__init__(config)
        self._ready = ready
        self._first = first
        self._builds = builds

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        # Imported by now, and too early above.
        from app.directory.builder import builder  # noqa: PLC0415

        _begin()
        gc.freeze()
        if self._builds:
            builder().fork()
        super().run(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        with suppress(BrokenPipeError):
            os.write(self._ready, b".")
        if self._first:
            self._first.take_over(self.config, self.server_state, self.lifespan.state)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        came = [connection for door in sockets or [] for connection in _waiting(door)]
        for server in self.servers:
            server.close()
        await asyncio.gather(*map(self._take, came))
        await super().shutdown(sockets)

    async def _take(self, connection: socket.socket) -> None:
        connection_of: Any = self.config.http_protocol_class
        protocol = partial(connection_of, self.config, self.server_state, self.lifespan.state)
        with suppress(OSError):
            await asyncio.get_running_loop().connect_accepted_socket(protocol, connection)


def _waiting(door: socket.socket) -> list[socket.socket]:
    """The connections that the system has made and nobody has accepted: closing would end them."""
    door.setblocking(False)
    found = []
    with suppress(OSError):
        while True:
            found.append(door.accept()[0])
    return found


def _begin() -> None:
    """Have this process end when it is told to, or when its parent is gone, however that went."""
    # A worker is forked with what its parent does at them.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    ends_with_parent()
