"""How the journal's entries are kept, chained, and followed to find where the chain breaks.

Each entry carries a keyed hash of itself and of the hash before it. What it says of a person lies
beside it (`Personal`), and is hashed as a salted commitment, so that it can be erased, salt and
all, and the chain stays whole.

The newest of several keys signs, the older ones verify what they signed; an entry names its key.
What an older one signed more than an hour after it was replaced counts as forged.
"""

import hmac
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlmodel import Field, Session, SQLModel, select

from app.core.db import Instant

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


class Chain:
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
            if hmac.compare_digest(hash_, hash_of(self._keys[signer], self._last, entry)):
                break
        else:
            return "was altered, or written without the secret"
        if (
            salt is not None
            and commitment is not None
            and commitment != commitment_to(salt, content)
        ):
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


def followed(session: Session, number: int, chain: Chain, most: int = 0) -> Verified:
    """The chain after a number, to its end or for so many entries."""
    last = number + most if most else None
    # A database out of reach, or without a journal, is an error and not a broken chain.
    session.scalar(select(sa.func.count()).select_from(Entry))
    # Where something can't be read, once more and one at a time, to find out what.
    for size in (1000, 1):
        try:
            for entry in entries_after(session, number, size):
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


def entries_after(session: Session, after: int, size: int) -> Iterator[dict[str, Any]]:
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


def hash_of(key: bytes, last: str, content: dict[str, Any]) -> str:
    text = orjson.dumps([last, content], option=orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z)
    return hmac.digest(key, text, "sha256").hex()


def id_of(key: bytes) -> str:
    return hmac.digest(key, b"id", "sha256").hex()[:16]


def commitment_to(salt: str, content: str) -> str:
    return hmac.digest(salt.encode(), content.encode(), "sha256").hex()
