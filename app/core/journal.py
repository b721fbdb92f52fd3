"""Who changed what, when, before and after: written with the change, chained so that edits show.

Every insert, update and delete of a record becomes an entry in the change's own transaction; no
code that makes a change has to remember it, and a change anywhere else is an error. Entries are
numbered from 1 without gaps. Each carries a keyed hash of itself and of the hash before it, and the
newest one is kept outside the database too (`journal_head`): without the secret nothing can be
altered, left out or cut off unseen. Entries written after that copy was made are not covered
against a cut.

Instants rise with the numbers as long as the clocks agree. An entry from a clock that was far ahead
stays as it is, and what comes after it goes by the clock again: the numbers tell the order.
"""

import getpass
import hmac
import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import orjson
import sqlalchemy as sa
from sqlalchemy import Engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import InstanceState, ORMExecuteState, UOWTransaction, aliased
from sqlmodel import Field, Session, SQLModel, col, select

from app.core.db import Instant, database_clock, read_session, write_session
from app.core.errors import DomainError
from app.core.journal_changes import Columns, change_of, to_text
from app.core.journal_head import MISSING, Head, Newest
from app.core.settings import Settings

log = logging.getLogger(__name__)

HEAD_FILE = "journal.head"
CLOCKS_AGREE = timedelta(minutes=2)
"""Clocks that differ by no more than this count as the same."""


class Entry(SQLModel, table=True):
    """One change of one record.

    `before` and `after` are JSON objects of columns: all of them when a record is made or
    deleted, only those that changed when it is edited.
    """

    __tablename__ = "journal"
    __unjournalled__ = True
    __table_args__ = (
        sa.Index("journal_by_actor", "actor", "number"),
        sa.Index("journal_by_subject", "subject", "number"),
    )

    number: int = Field(primary_key=True)
    at: datetime = Field(sa_type=Instant, index=True)
    actor: str = Field(max_length=100)
    subject: str = Field(max_length=50)
    subject_id: str = Field(max_length=100, index=True)
    before: str | None = Field(default=None, sa_type=sa.Text)
    after: str | None = Field(default=None, sa_type=sa.Text)
    hash: str = Field(max_length=64)


@dataclass(frozen=True)
class Break:
    """Where the chain stops being right: the first entry that is wrong, and in what way."""

    number: int
    reason: str


@dataclass(frozen=True)
class Misdated:
    """Entries in a row that are dated later than one written after them, or than now."""

    first: int
    last: int
    since: datetime
    until: datetime


class WrongClock(DomainError):
    """This host's clock and the database's don't agree: what is recorded would be misdated."""

    status = 503
    code = "wrong-clock"
    title = "Nothing was recorded, for a clock of this service is wrong; tell its operator"
    headers = {"Retry-After": "60"}  # noqa: RUF012 - never changed


class Journal:
    """The only way to change the register: `with journal.writing(actor) as session`."""

    def __init__(self, engine: Engine, key: bytes, head: Path) -> None:
        self.engine = engine
        self._key = key
        self._head = Head(head, key)
        self._clock_is_wrong = False

    @classmethod
    def of(cls, settings: Settings, engine: Engine) -> Self:
        """The journal of this installation."""
        return cls(engine, settings.key("journal"), settings.data_dir / HEAD_FILE)

    @contextmanager
    def writing(self, actor: str) -> Iterator[Session]:
        """A write session whose changes are `actor`'s; it commits when the block ends well.

        Raises `WrongClock`.
        """
        with write_session(self.engine) as session:
            before = _newest(session)
            session.info[_Writing] = _Writing(actor, self._key, self._instant(session, before))
            # A copy that speaks of more than there is stays as it is, for `verify` to tell.
            cut = self._cut(session, before.number if before else 0, self._head.read())
            yield session
        # The change is made: whatever happens here, whoever asked for it is not told otherwise.
        try:
            with read_session(self.engine) as session:
                after = _newest(session)
            if after and after != before:
                if cut:
                    log.error("journal entry %d %s", cut.number, cut.reason)
                else:
                    self._head.keep(after)
        except (OSError, DBAPIError) as error:
            log.error("%s not written: %s", self._head.file.name, type(error).__name__)

    def _instant(self, session: Session, newest: Newest | None) -> datetime:
        """When a write that has its turn takes place. Raises `WrongClock`."""
        database = database_clock(session)
        host = datetime.now(UTC)
        was_wrong = self._clock_is_wrong
        self._clock_is_wrong = database is not None and abs(host - database) > CLOCKS_AGREE
        if self._clock_is_wrong:
            # Once, and not for every request that this turns away.
            if not was_wrong:
                log.error(
                    "this host's clock says %s, the database's %s: nothing is recorded from here"
                    " until they agree", host, database,
                )  # fmt: skip
            raise WrongClock
        # An entry from further ahead is a wrong clock's, which must not be followed.
        if newest and host <= newest.at <= host + CLOCKS_AGREE:
            return newest.at + timedelta(microseconds=1)
        return host

    def verify(self) -> Break | None:
        """The first place at which the chain is broken, or None when it is whole."""
        number, last = 0, ""
        # First, because whoever writes meanwhile makes it speak of more than is looked at here.
        head = self._head.read()
        with read_session(self.engine) as session:
            # A database out of reach, or without a journal, is an error and not a broken chain.
            session.scalar(select(sa.func.count()).select_from(Entry))
            # Where something can't be read, once more and one at a time, to find out what.
            for size in (1000, 1):
                try:
                    for entry in _stored(session, number, size):
                        if entry["number"] != number + 1:
                            return Break(number + 1, "is missing")
                        hash_ = entry.pop("hash")
                        if not hmac.compare_digest(hash_, _hash(self._key, last, entry)):
                            return Break(number + 1, "was altered, or written without the secret")
                        number, last = entry["number"], hash_
                except (ValueError, TypeError, DBAPIError):
                    continue
                return self._cut(session, number, head)
        return Break(number + 1, "was altered, and can't be read")

    def misdated(self) -> list[Misdated]:
        """What a wrong clock dated, as the order of the numbers shows; that forges nothing.

        Whether it was ahead at these entries, or behind at a later one, the journal can't tell.
        """
        number, at = col(Entry.number), col(Entry.at)
        before = sa.func.lag(at).over(order_by=number).label("before")
        entries = sa.select(number, at, before).subquery()
        falls = sa.select(entries.c.number, entries.c.at).where(entries.c.at < entries.c.before)
        runs: list[Misdated] = []
        limit = datetime.now(UTC) + CLOCKS_AGREE
        with read_session(self.engine) as session:
            starts = [(0, limit), *session.execute(falls.order_by(entries.c.number))]
            end = self.length() + 1
            # Between two falls instants rise, so that those above a limit are the last ones.
            for start, since in reversed(starts):
                bounds = (f(c) for c in (number, at) for f in (sa.func.min, sa.func.max))
                above = sa.select(*bounds).where(number >= start, number < end, at > limit)
                first, last, *instants = session.execute(above).one()
                if first is not None:
                    runs.insert(0, Misdated(first, last, *instants))
                end, limit = start, min(limit, since)
        return runs

    def covered(self) -> int:
        """The newest entry that the copy outside the database knows; a cut after it won't show."""
        head = self._head.read()
        return head.number if isinstance(head, Newest) else 0

    def length(self) -> int:
        """How many entries there are, if the chain is whole."""
        with read_session(self.engine) as session:
            newest = _newest(session)
        return newest.number if newest else 0

    def accept(self) -> None:
        """Make the copy outside the database anew, from what is there now."""
        with read_session(self.engine) as session:
            newest = _newest(session)
        self._head.file.unlink(missing_ok=True)
        if newest:
            self._head.keep(newest)

    def _cut(self, session: Session, newest: int, head: Newest | str) -> Break | None:
        """Whether entries that the copy outside the database speaks of are gone, or differ."""
        if isinstance(head, str):
            if head == MISSING and not newest:
                return None
            return Break(newest + 1, f"can't be ruled out: {self._head.file.name} {head}")
        if head.number > newest:
            return Break(newest + 1, f"and all up to {head.number} were cut off")
        known = session.scalar(select(Entry.hash).where(Entry.number == head.number))
        if known != head.hash:
            return Break(head.number, f"is not the one that {self._head.file.name} knows")
        return None


def command_actor() -> str:
    """Who the journal says it was when a command changes something."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        # A container's user need not have a name.
        user = str(os.getuid())
    return f"command {user}"


def now(session: Session) -> datetime:
    """The one instant at which a writing session records; it rises while the clocks agree."""
    writing: _Writing = session.info[_Writing]
    return writing.now


def tick(session: Session) -> None:
    """Have what follows recorded after what came before, where many things are told in order."""
    writing: _Writing = session.info[_Writing]
    writing.now += timedelta(microseconds=1)


def dated_ahead(at: datetime) -> sa.Select[datetime]:
    """SQL: the instants later than `at` of what had been written by then, all the same.

    That is before the entry whose instant comes next, none of those that are still to come.
    """
    later = aliased(Entry)
    comes_next = (
        sa.select(col(later.number))
        .where(col(later.at) > at, col(later.at) <= datetime.now(UTC) + CLOCKS_AGREE)
        .order_by(col(later.at), col(later.number))
        .limit(1)
        .scalar_subquery()
    )
    # A sum, so that they are looked for by their instants, of which few are later, usually none.
    return sa.select(col(Entry.at)).where(
        col(Entry.at) > at, col(Entry.number) + 0 < sa.func.coalesce(comes_next, 2**31 - 1)
    )


def actor(session: Session) -> str:
    """Who writes in this session."""
    writing: _Writing = session.info[_Writing]
    return writing.actor


def _newest(session: Session) -> Newest | None:
    entries = select(Entry.number, Entry.hash, Entry.at).order_by(col(Entry.number).desc())
    newest = session.exec(entries.limit(1)).first()
    return Newest(*newest) if newest else None


def _stored(session: Session, after: int, size: int) -> Iterator[dict[str, Any]]:
    """The entries after a number as the database has them, read so many at a time."""
    table = sa.inspect(Entry).local_table
    # SQLite keeps an instant as text, and more than one text would be read as the same instant.
    text = sa.type_coerce(table.c.at, sa.String).label("text")
    entries = sa.select(table, text).order_by(table.c.number).limit(size)
    # What was put in by hand may be numbered below the first.
    batch = entries.where(table.c.number > after) if after else entries
    while rows := session.execute(batch).mappings().all():
        for row in rows:
            entry = dict(row)
            written = entry.pop("text")
            if isinstance(written, str) and written != entry["at"].strftime(_SQLITE_INSTANT):
                raise ValueError
            yield entry
        batch = entries.where(table.c.number > rows[-1]["number"])


_SQLITE_INSTANT = "%Y-%m-%d %H:%M:%S.%f"


@dataclass
class _Writing:
    """What one writing session knows: by whom, with which key, and at which instant."""

    actor: str
    key: bytes
    now: datetime

    def entries(
        self,
        newest: Newest | None,
        changes: Iterable[tuple[SQLModel, Columns | None, Columns | None]],
    ) -> Iterator[dict[str, Any]]:
        """The next entries of the chain."""
        number, hash_ = (newest.number, newest.hash) if newest else (0, "")
        for record, before, after in changes:
            number += 1
            state: InstanceState[Any] = sa.inspect(record)
            identity = state.identity or state.mapper.primary_key_from_instance(record)
            entry = {
                "number": number,
                "at": self.now,
                "actor": self.actor,
                "subject": str(record.__tablename__),
                "subject_id": ":".join(map(str, identity)),
                "before": to_text(before),
                "after": to_text(after),
            }
            hash_ = _hash(self.key, hash_, entry)
            yield entry | {"hash": hash_}


@event.listens_for(Session, "after_flush")
def _write_entries(session: Session, _: UOWTransaction) -> None:
    changes = [
        (record, *change)
        for records in (session.new, session.dirty, session.deleted)
        for record in records
        if not getattr(record, "__unjournalled__", False) and (change := change_of(session, record))
    ]
    if not changes:
        return
    writing: _Writing | None = session.info.get(_Writing)
    if writing is None:
        raise RuntimeError("the register is changed with `Journal.writing` only")
    session.execute(sa.insert(Entry), list(writing.entries(_newest(session), changes)))


@event.listens_for(Session, "do_orm_execute")
def _refuse_unrecorded(state: ORMExecuteState) -> None:
    """A statement that changes many records at once passes by what is recorded."""
    if not (state.is_insert or state.is_update or state.is_delete) or state.bind_mapper is None:
        return
    if not getattr(state.bind_mapper.class_, "__unjournalled__", False):
        raise RuntimeError("records are changed one by one, so that each change is recorded")


def _hash(key: bytes, last: str, content: dict[str, Any]) -> str:
    text = orjson.dumps([last, content], option=orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z)
    return hmac.digest(key, text, "sha256").hex()
