"""Who changed what, when, before and after: written with the change, chained so that edits show.

Every insert, update and delete of a record becomes an entry in the change's own transaction; no
code that makes a change has to remember it, and a change anywhere else is an error. Entries are
numbered from 1 without gaps. Each carries a keyed hash of itself and of the hash before it, and the
newest one is kept outside the database too (`journal_head`): without the secret nothing can be
altered, left out or cut off unseen. Entries written after that copy was made are not covered
against a cut. Whether the tables hold what the entries say is for `journal_proof`.

What an entry says of a person lies beside it (`Personal`). The hash is made over a salted
commitment to that, so that it can be erased, salt and all, and the chain stays whole.

The newest of several keys signs, the older ones verify what they signed; an entry names its key.
What an older one signed more than an hour after it was replaced counts as forged.

Instants rise with the numbers as long as the clocks agree. An entry from a clock that was far ahead
stays as it is, and what comes after it goes by the clock again: the numbers tell the order.
"""

import getpass
import hmac
import logging
import os
import secrets
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import orjson
import sqlalchemy as sa
from sqlalchemy import Engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import InstanceState, ORMExecuteState, UOWTransaction
from sqlmodel import Field, Session, SQLModel, col, select

from app.core.database_errors import DATABASE_ERRORS, trouble
from app.core.db import Instant, database_clock, make_engine, read_session, write_session
from app.core.errors import DomainError
from app.core.journal_changes import Change, Content, changes_of, to_text
from app.core.journal_head import MISSING, Head, Newest
from app.core.settings import Settings
from app.core.writes import Writes

log = logging.getLogger(__name__)

HEAD_FILE = "journal.head"
CLOCKS_AGREE = timedelta(minutes=2)
"""Clocks that differ by no more than this count as the same."""
KEYS_OVERLAP = timedelta(hours=1)
"""How long hosts may take to change to a new key, one after the other."""


class Entry(SQLModel, table=True):
    """One change of one record.

    `before` and `after` are JSON objects of columns: all of them when a record is made or
    deleted, only those that changed when it is edited, none when it is erased. Personal ones are in
    `Personal`, and `commitment` is to those. `key_id` and `commitment` are hashed too, except in
    entries from before there was a `key_id`.
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
    key_id: str | None = Field(default=None, max_length=16)
    commitment: str | None = Field(default=None, max_length=64)
    hash: str = Field(max_length=64)


class Personal(SQLModel, table=True):
    """What an entry says of a person, as JSON with `before` and `after`; it can be erased."""

    __tablename__ = "journal_personal"
    __unjournalled__ = True

    # No foreign key: the journal is kept whole by its hashes.
    number: int = Field(primary_key=True)
    salt: str = Field(max_length=64)
    content: str = Field(sa_type=sa.Text)


# As tables: a report has these in most of its statements, several times, and made of the model's
# attributes they take three times as long to put together.
_ENTRIES = sa.inspect(Entry).local_table
_LATER = _ENTRIES.alias()


@dataclass(frozen=True)
class Break:
    """Where the chain stops being right: the first entry that is wrong, and in what way."""

    number: int
    reason: str


@dataclass(frozen=True)
class Verified:
    """How far the chain was followed, and where it broke, if it did; `end` is needed to go on."""

    number: int
    broken: Break | None
    end: dict[str, Any]


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
        self._keys = {_id_of(key): key for key in keys}
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
        return self._followed(session, 0, _Chain(self._keys), 0).broken

    def verify_on(self, since: Verified | None, most: int) -> Verified:
        """As `verify`, but for the copy outside, of so many entries after those of `since`.

        What a caller keeps between two calls is taken at its word.
        """
        chain = _Chain(self._keys, since.end if since else {})
        with read_session(self.engine) as session:
            return self._followed(session, since.number if since else 0, chain, most)

    def cut(self) -> Break | None:
        """Whether entries that the copy outside the database speaks of are gone, or differ."""
        head = self._head.read()
        with read_session(self.engine) as session:
            newest = newest_entry(session)
            return self._cut(session, newest.number if newest else 0, head)

    def _followed(self, session: Session, number: int, chain: "_Chain", most: int) -> Verified:
        """The chain after a number, to its end or for so many entries."""
        last = number + most if most else None
        # A database out of reach, or without a journal, is an error and not a broken chain.
        session.scalar(select(sa.func.count()).select_from(Entry))
        # Where something can't be read, once more and one at a time, to find out what.
        for size in (1000, 1):
            try:
                for entry in _stored(session, number, size):
                    if entry["number"] != number + 1:
                        return Verified(number, Break(number + 1, "is missing"), chain.end)
                    if reason := chain.fault(entry):
                        return Verified(number, Break(number + 1, reason), chain.end)
                    number += 1
                    if number == last:
                        break
            except (ValueError, TypeError, DBAPIError):
                continue
            return Verified(number, None, chain.end)
        broken = Break(number + 1, "was altered, and can't be read")
        return Verified(number, broken, chain.end)

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
    _write(session, [(writing.now, change) for change in changes])


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


def append(session: Session, changes: Sequence[Change]) -> None:
    """Write an entry of each change that is made in this session's transaction, in this order."""
    if not changes:
        return
    writing: _Writing | None = session.info.get(_Writing)
    if writing is None:
        raise RuntimeError("the register is changed with `Journal.writing` only")
    _write(session, [(change.at, writing.content(change)) for change in changes])


def newest_entry(session: Session) -> Newest | None:
    """The end of the chain as a database has it; None where it has not begun."""
    entries = select(Entry.number, Entry.hash, Entry.at).order_by(col(Entry.number).desc())
    newest = session.exec(entries.limit(1)).first()
    return Newest(*newest) if newest else None


def _stored(session: Session, after: int, size: int) -> Iterator[dict[str, Any]]:
    """The entries after a number as the database has them, read so many at a time."""
    table, personal = (sa.inspect(model).local_table for model in (Entry, Personal))
    # SQLite keeps an instant as text, and more than one text would be read as the same instant.
    text = sa.type_coerce(table.c.at, sa.String).label("text")
    entries = (
        sa.select(table, text, personal.c.salt, personal.c.content)
        .join_from(table, personal, table.c.number == personal.c.number, isouter=True)
        .order_by(table.c.number)
        .limit(size)
    )
    names = list(entries.selected_columns.keys())
    # What was put in by hand may be numbered below the first.
    batch = entries.where(table.c.number > after) if after else entries
    while rows := session.connection().execute(batch).all():
        for row in rows:
            entry = dict(zip(names, row, strict=True))
            written = entry.pop("text")
            # In UTC, as both databases give them.
            if isinstance(written, str) and f"{written}+00:00" != entry["at"].isoformat(
                " ", "microseconds"
            ):
                raise ValueError
            yield entry
        batch = entries.where(table.c.number > rows[-1].number)


class _Chain:
    """Follows the entries from the first on, with the keys that may have signed them by their ids.

    The newest key is the first. It goes on from the `end` that another had come to.
    """

    def __init__(self, keys: Mapping[str, bytes], end: Mapping[str, Any] | None = None) -> None:
        self._keys = keys
        self._ids = list(keys)
        begun = end or {}
        self._last = begun.get("last", "")
        # The place of the newest key that has signed so far, and until when older ones may, too.
        self._newest = begun.get("newest", len(keys))
        never = datetime.min.replace(tzinfo=UTC).isoformat()
        self._until = datetime.fromisoformat(begun.get("until", never))
        self._latest = datetime.fromisoformat(begun.get("latest", never))

    @property
    def end(self) -> dict[str, Any]:
        """What another needs to go on from here, as JSON."""
        return {
            "last": self._last,
            "newest": self._newest,
            "until": self._until.isoformat(),
            "latest": self._latest.isoformat(),
        }

    def fault(self, entry: dict[str, Any]) -> str | None:
        """What is wrong with the entry that comes next, with `salt` and `content` of `Personal`."""
        hash_, salt, content = (entry.pop(name) for name in ("hash", "salt", "content"))
        key_id, commitment = entry["key_id"], entry["commitment"]
        if key_id is None and commitment is None:
            # From before there were several keys: any may have signed it.
            del entry["key_id"], entry["commitment"]
            ids = self._ids[self._newest :] + self._ids[: self._newest]
        elif key_id in self._keys:
            ids = [key_id]
        else:
            return f"was signed with key {key_id}, which is not in HAVENS_OLD_SECRET_KEYS"
        for signer in ids:
            if hmac.compare_digest(hash_, _hash(self._keys[signer], self._last, entry)):
                break
        else:
            return "was altered, or written without the secret"
        if salt is not None and commitment is not None and commitment != _commit(salt, content):
            return "was altered in what it says of a person"
        self._last = hash_
        return self._replaced(self._ids.index(signer), entry["at"])

    def _replaced(self, place: int, at: datetime) -> str | None:
        """Whether a key has signed when it had been replaced, as only whoever stole it would."""
        self._latest = max(self._latest, at)
        if place < self._newest:
            self._newest, self._until = place, at + KEYS_OVERLAP
        elif place > self._newest and self._latest > self._until:
            return "was signed with a key that had been replaced by then"
        return None


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
        key_id = _id_of(self.key)
        for at, change in changes:
            number += 1
            commitment = None
            open_, personal = change.parted()
            if personal:
                salt, content = secrets.token_hex(32), to_text(personal) or ""
                commitment = _commit(salt, content)
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
            hash_ = _hash(self.key, hash_, entry)
            entries.append(entry | {"hash": hash_})
        return entries, beside

    def content(self, change: Change) -> Content:
        """A change of a record, as its entry says it."""
        _, record, before, after = change
        subject, subject_id = name = _name_of(record)
        if after is None and name in self.erased:
            before = {}
        return Content(subject, subject_id, before, after, getattr(record, "__personal__", ()))


def _name_of(record: SQLModel) -> tuple[str, str]:
    """How entries name a record: its table, and its key."""
    state: InstanceState[Any] = sa.inspect(record)
    identity = state.identity or state.mapper.primary_key_from_instance(record)
    return str(record.__tablename__), ":".join(map(str, identity))


@event.listens_for(Session, "after_flush")
def _write_entries(session: Session, _: UOWTransaction) -> None:
    writing: _Writing | None = session.info.get(_Writing)
    at = writing.now if writing else datetime.now(UTC)
    append(
        session,
        [
            change
            for change in changes_of(session, at)
            if not getattr(type(change.record), "__unjournalled__", False)
        ],
    )


def _write(session: Session, changes: Iterable[tuple[datetime, Content]]) -> None:
    writing: _Writing = session.info[_Writing]
    entries, personal = writing.entries(newest_entry(session), changes)
    for model, rows in ((Entry, entries), (Personal, personal)):
        if rows:
            session.execute(sa.insert(model), rows)


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


def _id_of(key: bytes) -> str:
    return hmac.digest(key, b"id", "sha256").hex()[:16]


def _commit(salt: str, content: str) -> str:
    return hmac.digest(salt.encode(), content.encode(), "sha256").hex()
