"""Asking neighbours, one after the other, and keeping what they tell.

A process of its own does it, forked from the one that builds the directory: neither a build nor a
start nor an answer ever waits for a neighbour.
"""

import ctypes
import hashlib
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from filelock import FileLock, Timeout

from app.core.column_file import WRONG
from app.core.download import at_most, client_of, read
from app.core.settings import Neighbour, Settings
from app.core.trouble import Trouble
from app.directory.beyond import Kept, Note
from app.directory.neighbours import oruk
from app.directory.neighbours.checks import Before, Ground, check
from app.directory.neighbours.columns import columns
from app.directory.schemas import WholeDirectory
from app.directory.snapshot import Snapshot, Unusable, load

log = logging.getLogger(__name__)

SECONDS = {"directory": 60, "feed": 600}
"""How long a neighbour may take to tell everything, by what it publishes."""

TICK_SECONDS = 1.0

Clock = Callable[[], float]


def follow(settings: Settings, is_wanted: Callable[[], bool]) -> None:
    """Ask each neighbour when it is due, for as long as that is wanted. Nothing that goes wrong
    ends it. One process of a host at a time does."""
    with client_of() as client:
        while is_wanted():
            try:
                with FileLock(settings.data_dir / "neighbours.lock", timeout=0):
                    ask_due(settings, client, time.time)
            except Timeout:
                pass
            except Exception:
                log.exception("neighbours not asked")
            time.sleep(TICK_SECONDS)


def ask_due(settings: Settings, client: httpx.Client, clock: Clock) -> None:
    """Ask those neighbours that have not been asked for long enough, once there are havens of ours
    to tell what lies beside us."""
    for neighbour in settings.neighbours:
        kept = Kept(settings.data_dir, neighbour)
        since = clock() - kept.note().asked_at
        # A clock that was put back must not keep anybody waiting.
        if 0 <= since < neighbour.pause_seconds:
            continue
        if not _own(settings.data_dir):
            return
        ask(settings, kept, client, clock())


def ask_now(settings: Settings, accepted: str = "") -> Iterator[tuple[Kept, Note]]:
    """Ask all of them, whenever they were asked last; any number is believed of the one whose name
    is `accepted`. Waits until a service that is asking has done so."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with FileLock(settings.data_dir / "neighbours.lock"), client_of() as client:
        for neighbour in settings.neighbours:
            kept, accept = Kept(settings.data_dir, neighbour), neighbour.name == accepted
            yield kept, ask(settings, kept, client, time.time(), accepted=accept)


def ask(
    settings: Settings, kept: Kept, client: httpx.Client, now: float, *, accepted: bool = False
) -> Note:
    """Ask a neighbour, and keep what it tells, or why it is held; returns what was noted.

    When it is `accepted`, any number of havens is believed. Raises OSError when nothing can be
    kept.
    """
    before, last = kept.note(), kept.snapshot()
    try:
        note, snapshot = _told(settings, kept.neighbour, client, before, last, now, accepted)
    except Trouble as error:
        note, snapshot = _held(before, str(error), now), None
    except WRONG:
        note, snapshot = _held(before, "it tells what is not as it should be", now), None
    kept.write(note, snapshot)
    if note.trouble != before.trouble:
        name = kept.neighbour.name
        if note.trouble:
            log.warning("neighbour %s is held at its last good state: %s", name, note.trouble)
        else:
            log.warning("neighbour %s is followed again", name)
    return note


def _held(before: Note, reason: str, now: float) -> Note:
    return before.model_copy(update={"asked_at": int(now), "trouble": reason})


def _told(
    settings: Settings,
    neighbour: Neighbour,
    client: httpx.Client,
    before: Note,
    last: Snapshot | None,
    now: float,
    accepted: bool,
) -> tuple[Note, Snapshot | None]:
    rules = hashlib.sha256(f"{neighbour!r} {settings.environment}".encode()).hexdigest()[:16]
    tag = before.tag if last is not None and before.checked_for == rules else ""
    seconds = SECONDS["directory" if neighbour.directory else "feed"]
    with at_most(seconds):
        if neighbour.directory:
            document = read(client, str(neighbour.directory), tag=tag)
            if document.body is None:
                confirmed = {"asked_at": int(now), "confirmed_at": int(now), "trouble": ""}
                return before.model_copy(update=confirmed), None
            tag, told = document.tag, WholeDirectory.model_validate_json(document.body)
        else:
            base = str(neighbour.oruk).rstrip("/")
            told = oruk.directory(partial(_read_below, client, base), neighbour, now)
    of_last = Before(before.generated_at, len(last)) if last is not None else None
    if accepted:
        of_last = None
    ground = Ground.of(_own(settings.data_dir))
    check(told, neighbour, ground, of_last, now, demonstration=settings.demonstration)
    note = Note(
        asked_at=int(now),
        confirmed_at=int(now),
        confirm_by=int(told.directory.confirm_by.timestamp()),
        generated_at=int(told.directory.generated_at.timestamp()),
        tag=tag,
        checked_for=rules,
    )
    return note, columns(told)


def _read_below(client: httpx.Client, base: str, path: str, **params: Any) -> bytes:
    return read(client, f"{base}{path}", **params).body or b""


def _own(folder: Path) -> Snapshot | None:
    try:
        return load(folder)
    except Unusable:
        return None


def forked(settings: Settings) -> None:
    """Ask neighbours, if there are any, in a process forked from this one that ends with it."""
    if not settings.neighbours:
        return
    parent = os.getpid()
    if os.fork():
        return
    nowhere = os.open(os.devnull, os.O_RDWR)
    # Orders and answers are between the two others, who wait for their ends.
    for stream in (0, 1):
        os.dup2(nowhere, stream)
    os.nice(10)
    if sys.platform == "linux":
        # At once, even in the middle of something.
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)
    try:
        forget_others(settings.data_dir, settings.neighbours)
        follow(settings, lambda: os.getppid() == parent)
    finally:
        os._exit(0)


def forget_others(folder: Path, neighbours: Iterable[Neighbour]) -> None:
    """Delete what is kept of those who are no neighbours any more."""
    wanted = {Kept(folder, neighbour).note_file.stem for neighbour in neighbours}
    for file in (folder / "neighbours").glob("*"):
        if file.stem not in wanted:
            file.unlink(missing_ok=True)
