"""What has changed of the directory since a state of it that somebody has.

A state is all that the whole directory says of havens, listed and upcoming, in one hour. Its cursor
is made from that and from nothing else, so it is the same in every process, on every host and after
each rebuild, and moves with the clock as with what is written. How one state became the next is
kept in memory, for as long as it is less than the whole; who has an older state, or one that is not
known here, is told the whole.
"""

import base64
import binascii
import hashlib
import struct
import threading
from collections import deque
from enum import IntEnum
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from xxhash import xxh3_128_digest

from app.directory import render
from app.directory.engine.search import Search
from app.directory.live import Directory
from app.directory.render import Document

KEEPS, KEEPS_MORE = 4, 1000
"""How many changes are kept: so many times as many as there are havens, and so many more."""

_ORDER = struct.Struct(">IQ")
"""Of a cursor's first bytes: the hour, and the version."""

_DIGEST = 12
_RENDERED = 64


class Where(IntEnum):
    """In which list of the whole directory a haven is."""

    NOWHERE = 0
    UPCOMING = 1
    LISTED = 2


class Has(NamedTuple):
    """What a state has of a haven: where, and a digest of all that is said of it."""

    where: Where
    digest: bytes


_NOTHING = Has(Where.NOWHERE, b"")


class State:
    """The directory as it is in an hour; `havens` are by the bytes of their ids."""

    def __init__(self, search: Search, hour: int) -> None:
        self.search, self.hour = search, hour
        self.havens: dict[bytes, Has] = {}
        self.rows: dict[bytes, int] = {}
        self.told: dict[tuple[str, int], Document] = {}
        snapshot = search.snapshot
        # Havens with equal hours share their schedules.
        digests: dict[tuple[int, int], bytes] = {}
        lists = zip((Where.LISTED, Where.UPCOMING), render.rows_of_hour(search, hour), strict=True)
        for where, rows in lists:
            for row in rows:
                pair = int(snapshot.opens[row]), int(snapshot.lists[row])
                if pair not in digests:
                    digests[pair] = xxh3_128_digest(orjson.dumps(render.schedules(snapshot, row)))
                key = snapshot.ids[row].tobytes()
                said = xxh3_128_digest(digests[pair] + snapshot.fragment(row))
                self.havens[key], self.rows[key] = Has(where, said), row
        self.cursor = self._cursor()

    @property
    def order(self) -> tuple[int, int]:
        """Of two states the later one has the greater; it says nothing of what they hold."""
        return self.hour, self.search.snapshot.version

    def _cursor(self) -> str:
        digest = hashlib.sha256(b"%d" % self.search.snapshot.start)
        for key in sorted(self.havens):
            where, said = self.havens[key]
            digest.update(b"%b%d%b" % (key, where, said))
        return _text(_ORDER.pack(*self.order) + digest.digest()[:_DIGEST])

    def record(self, key: bytes) -> orjson.Fragment:
        """A haven as the whole directory has it."""
        return orjson.Fragment(render.haven(self.search.snapshot, self.rows[key]))


def _text(cursor: bytes) -> str:
    return base64.urlsafe_b64encode(cursor).decode()


def order_of(cursor: str) -> tuple[int, int]:
    """The `order` of the state that a cursor names. Raises ValueError."""
    try:
        read = base64.b64decode(cursor, b"-_", validate=True)
        if len(read) != _ORDER.size + _DIGEST or _text(read) != cursor:
            raise ValueError
    except (binascii.Error, ValueError):
        raise ValueError("must be the cursor of an answer, as it is") from None
    hour, version = _ORDER.unpack(read[: _ORDER.size])
    return hour, version


class Step(NamedTuple):
    """How a state became another: where havens were that it has otherwise, or not at all."""

    cursor: str
    were: dict[bytes, Where]


class Changes:
    """The newest state of a directory, and how those before it became it."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._state: State | None = None
        self._steps: deque[Step] = deque()
        self._lock = threading.Lock()

    def has_moved(self) -> bool:
        """Whether there is another state than `now` gave last. Raises `NotReady`."""
        state, search = self._state, self._directory.search
        return state is None or (state.search, state.hour) != (search, self._directory.hour)

    def now(self) -> State:
        """The newest state; worked out once, while others wait for it. Raises `NotReady`."""
        with self._lock:
            if self._state is None or self.has_moved():
                fresh = State(self._directory.search, self._directory.hour)
                if self._state and self._state.cursor != fresh.cursor:
                    self._step(self._state, fresh)
                self._state = fresh
            return self._state

    def _step(self, before: State, after: State) -> None:
        self._steps.append(
            Step(
                before.cursor,
                {
                    key: before.havens.get(key, _NOTHING).where
                    for key in before.havens.keys() | after.havens.keys()
                    if before.havens.get(key) != after.havens.get(key)
                },
            )
        )
        most = KEEPS * len(after.havens) + KEEPS_MORE
        while sum(len(step.were) for step in self._steps) > most:
            self._steps.popleft()

    def ready(self, cursor: str) -> Document | None:
        """What `since` gives, where nothing has to be worked out for it. Raises `NotReady`."""
        state = self._state
        if state is None or self.has_moved():
            return None
        return state.told.get((cursor, self._directory.confirmed_hour))

    def since(self, cursor: str) -> Document:
        """What has become of the state with a cursor. Raises `NotReady`."""
        state, confirmed = self.now(), self._directory.confirmed_hour
        with self._lock:
            document = state.told.get((cursor, confirmed))
            if document is None:
                if len(state.told) >= _RENDERED:
                    state.told.clear()
                told = _told(state, self._were(cursor, state), confirmed)
                document = state.told[cursor, confirmed] = Document(told)
        return document

    def _were(self, cursor: str, state: State) -> dict[bytes, Where] | None:
        """Where those were then of which something has changed; None where that is not known."""
        if cursor == state.cursor:
            return {}
        steps = list(self._steps)
        begin = max((n for n, step in enumerate(steps) if step.cursor == cursor), default=None)
        if begin is None:
            return None
        were: dict[bytes, Where] = {}
        for step in steps[begin:]:
            were = step.were | were
        return were


def _told(state: State, were: dict[bytes, Where] | None, confirmed_hour: int) -> bytes:
    """A `DirectoryChanges`."""
    about = render.about_whole(state.search, state.hour, confirmed_hour)
    answer: dict[str, Any] = {"cursor": state.cursor, "directory": about, "whole": were is None}
    if were is None:
        were = dict.fromkeys(state.havens, Where.NOWHERE)
    are = {key: state.havens.get(key, _NOTHING).where for key in sorted(were)}
    listed = [key for key, where in are.items() if where is Where.LISTED]
    answer["listed"] = [state.record(key) for key in listed if were[key] is not Where.LISTED]
    answer["changed"] = [state.record(key) for key in listed if were[key] is Where.LISTED]
    answer["unlisted"] = [
        UUID(bytes=key)
        for key, where in are.items()
        if where is not Where.LISTED and were[key] is Where.LISTED
    ]
    if answer["whole"] or Where.UPCOMING in {*were.values(), *are.values()}:
        upcoming = [key for key, has in state.havens.items() if has.where is Where.UPCOMING]
        answer["upcoming"] = [state.record(key) for key in sorted(upcoming)]
    return orjson.dumps(answer)
