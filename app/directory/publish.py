"""Building the directory in a process of its own, so that no answer ever waits for it.

`python -m app.directory.publish` reads one order a line and answers each with an `Outcome`. It has
everything imported and forks for each order: a build starts within milliseconds, and what memory it
took is given back. See `app.directory.builder` for the side that gives the orders.
"""

import json
import logging
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from sqlmodel import select

from app.core import logs
from app.core.db import make_engine, read_session
from app.directory.build import build, warm_up
from app.directory.builder import Outcome
from app.directory.snapshot import MixedData, Unusable, load, published, refuse_mixed, save
from app.venues.models import DirectoryState

log = logging.getLogger(__name__)

GIVES_WAY_AFTER_SECONDS = 0.5


def publish(url: str, folder: Path, now: float, *, demonstration: bool) -> Outcome:
    """Build the directory from a database and put it where every process of this host finds it.

    One process at a time does; it holds the lock itself, so that nothing older is ever put over
    something newer, even when whoever ordered it is gone. Raises what the database raises, and
    `MixedData`.
    """
    engine = make_engine(url)
    try:
        with (
            FileLock(folder / "snapshot.lock", timeout=0),
            read_session(engine) as session,
        ):
            state = session.exec(select(DirectoryState)).one()
            if _is_published(folder, state, now):
                return Outcome.PUBLISHED
            snapshot = build(session, now)
            refuse_mixed(snapshot, demonstration=demonstration)
            save(snapshot, folder)
    except Timeout:
        return Outcome.BUSY
    except MixedData:
        return Outcome.MIXED
    except OSError as error:
        log.error("directory snapshot not saved: %s", error.strerror)
        return Outcome.NOT_SAVED
    finally:
        engine.dispose()
    return Outcome.PUBLISHED


def _is_published(folder: Path, state: DirectoryState, now: float) -> bool:
    """Whether another process has done it meanwhile; all of the file is read only if so."""
    try:
        return all(
            snapshot.is_of_state(state) and snapshot.is_of_hour(now)
            for snapshot in (read(folder) for read in (published, load))
        )
    except Unusable:
        return False


def main() -> None:
    """Carry out orders until nobody can give any more."""
    logs.configure("warning")
    warm_up()
    for line in sys.stdin:
        child = os.fork()
        if not child:
            os._exit(_carry_out(json.loads(line)))
        _, status = os.waitpid(child, 0)
        # Nobody is there to read it when the service has been stopped meanwhile.
        with suppress(BrokenPipeError):
            os.write(sys.stdout.fileno(), b"%d\n" % os.waitstatus_to_exitcode(status))


def _carry_out(order: dict[str, Any]) -> int:
    # What takes long gives way to whoever waits for an answer; a small directory is done by then.
    signal.signal(signal.SIGALRM, lambda *_: os.nice(10))
    signal.setitimer(signal.ITIMER_REAL, GIVES_WAY_AFTER_SECONDS)
    try:
        return publish(**order | {"folder": Path(order["folder"])})
    except Exception:
        log.exception("directory not built")
        return Outcome.FAILED


if __name__ == "__main__":
    main()
