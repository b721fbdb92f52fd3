"""Who changed what, when, before and after: written with the change, chained so that edits show.

Every insert, update and delete of a record becomes an entry in the change's own transaction; no
code that makes a change has to remember it, and a change anywhere else is an error. Entries are
numbered from 1 without gaps. Each carries a keyed hash of itself and of the hash before it, and the
newest one is kept outside the database too (`journal_head`): without the secret nothing can be
altered, left out or cut off unseen. Entries written after that copy was made are not covered
against a cut. Whether the tables hold what the entries say is for `journal_proof`.

How they are chained is for `journal_chain`.

Instants rise with the numbers as long as the clocks agree. An entry from a clock that was far ahead
stays as it is, and what comes after it goes by the clock again: the numbers tell the order.
"""

import getpass
import logging
import os
import secrets
from collections.abc import Collection, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import orjson
import sqlalchemy as sa
from sqlalchemy import Engine, event
from sqlalchemy.orm import ORMExecuteState, UOWTransaction
from sqlalchemy.orm.attributes import instance_state
from sqlmodel import Session, SQLModel, col, select

from app.core.database_errors import DATABASE_ERRORS, trouble
from app.core.db import database_clock, make_engine, read_session, write_session
from app.core.errors import DomainError
from app.core.inserts import in_parts, insert_rows
from app.core.journal_chain import (
    Break,
    Chain,
    Entry,
    Personal,
    Verified,
    commitment_to,
    followed,
    hash_of,
    id_of,
)
from app.core.journal_changes import Change, Content, changes_of, personal_of, to_text
from app.core.journal_head import MISSING, Head, Newest
from app.core.settings import Settings
from app.core.writes import Writes

log = logging.getLogger(__name__)

HEAD_FILE = "journal.head"
CLOCKS_AGREE = timedelta(minutes=2)
"""Clocks that differ by no more than this count as the same."""
# As tables: a report has these in most of its statements, several times, and made of the model's
# attributes they take three times as long to put together.
_ENTRIES = sa.inspect(Entry).local_table
_LATER = _ENTRIES.alias()


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

    def __init__(
        self,
        engine: Engine,
        key: bytes,
        head: Path,
        old_keys: Collection[bytes] = (),
        replica: Engine | None = None,
    ) -> None:
        """`key` signs; `old_keys`, the newest of them first, verify what they have signed."""
        self.engine = engine
        self.replica = replica
        self.engines = (engine, replica) if replica else (engine,)
        keys = (key, *old_keys)
        self._key = key
        self._keys = {id_of(key): key for key in keys}
        self._head = Head(head, keys)
        self._clock_is_wrong = False
        self.writes = Writes(engine)

    @classmethod
    def of(cls, settings: Settings, engine: Engine) -> Self:
        """The journal of this installation."""
        key, *old_keys = settings.keys("journal")
        replica = make_engine(settings.replica_url) if settings.replica_url else None
        return cls(engine, key, settings.data_dir / HEAD_FILE, old_keys, replica)

    def reports(self) -> AbstractContextManager[Session]:
        """A session that reads for a report: from the replica, if there is one and it can be."""
        return read_session(*reversed(self.engines))

    @contextmanager
    def writing(self, actor: str) -> Iterator[Session]:
        """A write session whose changes are `actor`'s; it commits when the block ends well.

        Raises `WrongClock`.
        """
        try:
            with write_session(self.engine) as session:
                before = self._begin(session, actor)
                # A copy that speaks of more than there is stays as it is, for `verify` to tell.
                cut = self._cut(session, before.number if before else 0, self._head.read())
                yield session
        except (*DATABASE_ERRORS, WrongClock) as error:
            if trouble(error) or isinstance(error, WrongClock):
                self.writes.failed()
            raise
        self.writes.succeeded()
        # The change is made: whatever happens here, whoever asked for it is not told otherwise.
        try:
            with read_session(self.engine) as session:
                after = newest_entry(session)
            if after and after != before:
                if cut:
                    log.error("journal entry %d %s", cut.number, cut.reason)
                else:
                    self._head.keep(after)
        except (OSError, *DATABASE_ERRORS) as error:
            log.error("%s not written: %s", self._head.file.name, type(error).__name__)

    @contextmanager
    def planning(self, actor: str) -> Iterator[Session]:
        """A session in which `actor` works out what to write, while others write.

        It sees one moment, changes nothing, and records by a clock that is taken again when it is
        written (`app.core.batch`). Raises `WrongClock`.
        """
        with read_session(self.engine) as session:
            session.autoflush = False
            self._begin(session, actor)
            yield session

    def _begin(self, session: Session, actor: str) -> Newest | None:
        """Have a session record as `actor`, from this instant on; returns the newest entry."""
        newest = newest_entry(session)
        at, number = self._instant(session, newest), newest.number if newest else 0
        session.info[_Writing] = _Writing(actor, self._key, at, number)
        return newest

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
        # First, because whoever writes meanwhile makes it speak of more than is looked at here.
        head = self._head.read()
        with read_session(self.engine) as session:
            if broken := self.broken(session):
                return broken
            newest = newest_entry(session)
            return self._cut(session, newest.number if newest else 0, head)

    def broken(self, session: Session) -> Break | None:
        """The first entry of a session's database that is not what was written, or is missing."""
        return followed(session, 0, Chain(self._keys), 0).broken

    def verify_on(self, since: Verified | None, most: int) -> Verified:
        """As `verify`, but for the copy outside, of so many entries after those of `since`.

        What a caller keeps between two calls is taken at its word.
        """
        chain = Chain(self._keys, since.end if since else {})
        with read_session(self.engine) as session:
            return followed(session, since.number if since else 0, chain, most)

    def cut(self) -> Break | None:
        """Whether entries that the copy outside the database speaks of are gone, or differ."""
        head = self._head.read()
        with read_session(self.engine) as session:
            newest = newest_entry(session)
            return self._cut(session, newest.number if newest else 0, head)

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

    def known(self) -> Newest | None:
        """The newest entry by the copy outside the database; None where it can't say."""
        head = self._head.read()
        return head if isinstance(head, Newest) else None

    def covered(self) -> int:
        """The number of that entry; a cut after it won't show."""
        head = self.known()
        return head.number if head else 0

    def length(self) -> int:
        """How many entries there are, if the chain is whole."""
        with read_session(self.engine) as session:
            newest = newest_entry(session)
        return newest.number if newest else 0

    def accept(self) -> None:
        """Make the copy outside the database anew, from what is there now."""
        with read_session(self.engine) as session:
            newest = newest_entry(session)
        self._head.file.unlink(missing_ok=True)
        if newest:
            self._head.keep(newest)

    def _cut(self, session: Session, newest: int, head: Newest | str) -> Break | None:
        """Whether entries that the copy outside the database speaks of are gone, or differ."""
        if isinstance(head, str):
            if head == MISSING and not newest:
                return None
            return Break(newest + 1, f"can't be ruled out: {self._head.file.name} {head}")
        return lacks(session, head, self._head.file.name)


def lacks(session: Session, head: Newest, knower: str) -> Break | None:
    """Where a database is no continuation of the chain that ended with `head`; None if it is one.

    `knower` is what knows of that head.
    """
    known = session.scalar(select(Entry.hash).where(Entry.number == head.number))
    if known is None:
        newest = newest_entry(session)
        first = newest.number + 1 if newest else 1
        return Break(first, f"and all up to {head.number} were cut off")
    if known != head.hash:
        return Break(head.number, f"is not the one that {knower} knows")
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
    entry, later = _ENTRIES.c, _LATER.c
    comes_next = (
        sa.select(later.number)
        .where(later.at > at, later.at <= datetime.now(UTC) + CLOCKS_AGREE)
        .order_by(later.at, later.number)
        .limit(1)
        .scalar_subquery()
    )
    # A sum, so that they are looked for by their instants, of which few are later, usually none.
    return sa.select(entry.at).where(
        entry.at > at, entry.number + 0 < sa.func.coalesce(comes_next, 2**31 - 1)
    )


def actor(session: Session) -> str:
    """Who writes in this session."""
    writing: _Writing = session.info[_Writing]
    return writing.actor


def erase(session: Session, records: Collection[SQLModel]) -> None:
    """Remove records for good, and what the journal's entries hold of a person in them.

    That they went are entries without their content. What entries from before there was `Personal`
    say of a person stays.
    """
    writing: _Writing = session.info[_Writing]
    names = {_name_of(record) for record in records}
    writing.erased |= names
    for record in records:
        session.delete(record)
    session.flush()
    for subject in {subject for subject, _ in names}:
        ids = [subject_id for of, subject_id in names if of == subject]
        about = select(Entry.number).where(Entry.subject == subject, col(Entry.subject_id).in_(ids))
        session.execute(sa.delete(Personal).where(col(Personal.number).in_(about)))


def note(session: Session, changes: Iterable[Content]) -> None:
    """Write entries of changes that no flush tells of."""
    session.flush()
    writing: _Writing = session.info[_Writing]
    _write(session, ((writing.now, change) for change in changes))


def personal_in(session: Session, numbers: Collection[int]) -> dict[int, dict[str, Any]]:
    """What some entries say of a person, by number: `before` and `after`; none where erased."""
    found = session.exec(select(Personal).where(col(Personal.number).in_(numbers)))
    return {one.number: orjson.loads(one.content) for one in found}


def written_in(session: Session) -> int:
    """How many entries say something of a person for good: from before there was `Personal`."""
    models = [mapper.class_ for mapper in sa.inspect(Entry).registry.mappers]
    said = [
        sa.and_(Entry.subject == model.__tablename__, text.contains(f'"{name}":'))
        for model in models
        for name in getattr(model, "__personal__", ())
        for text in (col(Entry.before), col(Entry.after))
    ]
    return session.scalar(select(sa.func.count()).where(sa.or_(*said)).select_from(Entry)) or 0


def newest_before(session: Session) -> int:
    """The number of the newest entry when this session began to record; 0 where there was none."""
    writing: _Writing = session.info[_Writing]
    return writing.newest


def has_changed(session: Session, subjects: Collection[str], since: int) -> bool:
    """Whether there is an entry after the one with a number that is about one of some tables."""
    later = select(Entry.number).where(Entry.number > since, col(Entry.subject).in_(subjects))
    return session.exec(later.limit(1)).first() is not None


def append(session: Session, changes: Iterable[Change]) -> None:
    """Write an entry of each change that is made in this session's transaction, in this order."""
    writing: _Writing | None = session.info.get(_Writing)
    if writing is None:
        raise RuntimeError("the register is changed with `Journal.writing` only")
    _write(session, ((change.at, writing.content(change)) for change in changes))


def newest_entry(session: Session) -> Newest | None:
    """The end of the chain as a database has it; None where it has not begun."""
    entries = select(Entry.number, Entry.hash, Entry.at).order_by(col(Entry.number).desc())
    newest = session.exec(entries.limit(1)).first()
    return Newest(*newest) if newest else None


@dataclass
class _Writing:
    """What one session that records knows; `newest` numbers the entry that it begins after."""

    actor: str
    key: bytes
    now: datetime
    newest: int
    erased: set[tuple[str, str]] = field(default_factory=set)

    def entries(
        self, newest: Newest | None, changes: Iterable[tuple[datetime, Content]]
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """The next entries of the chain, and what lies beside them."""
        number, hash_ = (newest.number, newest.hash) if newest else (0, "")
        entries, beside = [], []
        key_id = id_of(self.key)
        for at, change in changes:
            number += 1
            commitment = None
            open_, personal = change.parted()
            if personal:
                salt, content = secrets.token_hex(32), to_text(personal) or ""
                commitment = commitment_to(salt, content)
                beside.append({"number": number, "salt": salt, "content": content})
            entry = {
                "number": number,
                "at": at,
                "actor": self.actor,
                "subject": change.subject,
                "subject_id": change.subject_id,
                "before": to_text(open_.before),
                "after": to_text(open_.after),
                "key_id": key_id,
                "commitment": commitment,
            }
            entry["hash"] = hash_ = hash_of(self.key, hash_, entry)
            entries.append(entry)
        return entries, beside

    def content(self, change: Change) -> Content:
        """A change of a record, as its entry says it."""
        _, record, before, after = change
        subject, subject_id = name = _name_of(record)
        if after is None and name in self.erased:
            before = {}
        return Content(subject, subject_id, before, after, personal_of(type(record)))


def _name_of(record: SQLModel) -> tuple[str, str]:
    """How entries name a record: its table, and its key."""
    state = instance_state(record)
    identity = state.identity or state.mapper.primary_key_from_instance(record)
    return str(record.__tablename__), ":".join(map(str, identity))


@event.listens_for(Session, "after_flush")
def _write_entries(session: Session, _: UOWTransaction) -> None:
    writing: _Writing | None = session.info.get(_Writing)
    at = writing.now if writing else datetime.now(UTC)
    changes = [
        change
        for change in changes_of(session, at)
        if not getattr(type(change.record), "__unjournalled__", False)
    ]
    if changes:
        append(session, changes)


def _write(session: Session, changes: Iterable[tuple[datetime, Content]]) -> None:
    writing: _Writing = session.info[_Writing]
    for some in in_parts(changes):
        entries, personal = writing.entries(newest_entry(session), some)
        for model, rows in ((Entry, entries), (Personal, personal)):
            table: Any = sa.inspect(model).local_table
            insert_rows(session.connection(), table, rows)


@event.listens_for(Session, "do_orm_execute")
def _refuse_unrecorded(state: ORMExecuteState) -> None:
    """A statement that changes many records at once passes by what is recorded."""
    if not (state.is_insert or state.is_update or state.is_delete) or state.bind_mapper is None:
        return
    if not getattr(state.bind_mapper.class_, "__unjournalled__", False):
        raise RuntimeError("records are changed one by one, so that each change is recorded")
