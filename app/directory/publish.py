"""Building the directory in a process of its own, so that no answer ever waits for it.

`main` reads one order a line and answers each with an `Outcome`; an empty line only has it ready.
It forks for each order: a build starts within milliseconds, and what memory it took is given back.
It is a copy of a process that serves or, in place of one that is gone, started as
`python -m app.directory.publish`. See `app.directory.builder` for the side that gives the orders.
"""

import json
import logging
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from app.core import files, logs
from app.core.db import make_engine, read_session
from app.core.journal_head import Newest
from app.core.settings import settings
from app.directory.build import build, warm_up
from app.directory.continuity import Behind, WentBack, continued
from app.directory.outcome import Answer, Outcome
from app.directory.snapshot import (
    ACCEPTED,
    CURRENT,
    LOCK,
    MixedData,
    Origin,
    Unusable,
    origin,
    refuse_full,
    refuse_mixed,
    save,
    sealed_copy,
)
from app.venues.models import DirectoryState
from app.walking.file import STREETS, UnusableStreets
from app.walking.streets import Streets

log = logging.getLogger(__name__)


def publish(
    url: str,
    folder: Path,
    now: float,
    *,
    demonstration: bool,
    known: Newest | None = None,
    accepted: bool = False,
) -> Answer:
    """Build the directory from a database and put it where every process of this host finds it.

    One process at a time does; it holds the lock itself, so that nothing older is ever put over
    something newer, even when whoever ordered it is gone. Nor is a directory of another database,
    or of one whose journal lacks the `known` entry, unless it is `accepted` as it is. Raises what
    the database raises.
    """
    engine = make_engine(url)
    try:
        with (
            FileLock(folder / LOCK, timeout=0),
            read_session(engine) as session,
        ):
            last = origin(folder)
            state = continued(session, None, None) if accepted else continued(session, last, known)
            streets = _streets(folder)
            checksum = streets.checksum if streets else ""
            if last and not accepted and _is_published(folder, last, state, checksum, now):
                return Answer(Outcome.PUBLISHED)
            refuse_full(folder)
            snapshot = build(session, now, streets)
            refuse_mixed(snapshot, demonstration=demonstration)
            if accepted:
                files.replace(folder / ACCEPTED, [str(int(now)).encode()])
            save(snapshot, folder)
    except (Timeout, Behind):
        return Answer(Outcome.BUSY)
    except MixedData as error:
        return Answer(Outcome.MIXED, str(error))
    except WentBack as error:
        return Answer(Outcome.WENT_BACK, error.args[0])
    except OSError as error:
        return Answer(Outcome.NOT_SAVED, str(error.strerror))
    finally:
        engine.dispose()
    return Answer(Outcome.PUBLISHED)


def _streets(folder: Path) -> Streets | None:
    """The streets to which havens are tied; those who answer say what is wrong with them."""
    try:
        return Streets.load(folder / STREETS)
    except UnusableStreets:
        return None


def _is_published(
    folder: Path, last: Origin, state: DirectoryState, streets: str, now: float
) -> bool:
    """Whether another process has done it meanwhile; all of the file is read only if so."""
    if not (last.is_of_state(state) and last.streets == streets and last.is_of_hour(now)):
        return False
    try:
        os.close(sealed_copy(folder / CURRENT))
    except Unusable:
        return False
    return True


def main() -> None:
    """Carry out orders until nobody can give any more."""
    logs.configure("warning", settings().log_format)
    if settings().neighbours:
        # Brings what reads the documents of others, which a build does without.
        from app.directory.neighbours.fetching import forked  # noqa: PLC0415

        forked(settings())
    # Not the one that was opened at the start, of which this process may be a copy.
    for line in open(0, closefd=False):  # noqa: SIM115 - until the end
        warm_up()
        if not line.strip():
            continue
        child = os.fork()
        if not child:
            _answer(_carry_out(json.loads(line)))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status:
            _answer(Answer(Outcome.FAILED))


def _answer(answer: Answer) -> None:
    # Nobody is there to read it when the service has been stopped meanwhile.
    with suppress(BrokenPipeError):
        os.write(1, json.dumps(answer).encode() + b"\n")


def _carry_out(order: dict[str, Any]) -> Answer:
    # No nicer than whoever answers: while they have no time to spare, it would come to no end.
    known = order["known"] and Newest(*order["known"])
    try:
        return publish(**order | {"folder": Path(order["folder"]), "known": known})
    except Exception:
        log.exception("directory not built")
        return Answer(Outcome.FAILED)


if __name__ == "__main__":
    main()
