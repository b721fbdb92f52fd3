"""The journal over HTTP: who changed what, and the whole story of a venue."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

import sqlalchemy as sa
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field
from sqlmodel import Session, SQLModel, col, select

from app.accounts.guards import Reader
from app.accounts.models import Account, Role, SignIn
from app.core.db import find, none_such
from app.core.errors import responses, wrong
from app.core.journal import personal_in
from app.core.journal_chain import Entry
from app.core.journal_changes import Columns, from_json
from app.core.london import effective, end_of
from app.http.conditional import Register
from app.http.fields import Absent, Maybe, Period
from app.http.paging import Page, Paged, Paging, page_together
from app.training.models import TrainingSession
from app.venues.fields import A_VENUE_ID
from app.venues.models import Venue

router = APIRouter(prefix="/v1/admin", tags=["journal"])

ABOUT_PEOPLE = (str(Account.__tablename__), str(SignIn.__tablename__))
"""What administrators alone may read: when colleagues come and go is nobody else's business."""

SHARED_BY_VENUES = (str(TrainingSession.__tablename__),)
"""What happened to several venues at once, and belongs to the story of each."""


class Happened(StrEnum):
    RECORDED = "recorded"
    CHANGED = "changed"
    REMOVED = "removed"


class FieldChange(BaseModel):
    """What a field was and became; what was or is empty is left out."""

    field: str = Field(examples=["phone"])
    before: Any = Field(default=None, examples=["020 7946 0123"])
    after: Any = Field(default=None, examples=["020 7946 0999"])


class JournalEntry(BaseModel):
    """One change of one record."""

    number: int = Field(examples=[1204])
    at: datetime
    actor: str = Field(examples=["account j.okafor"])
    happened: Happened = Field(examples=["changed"])
    subject: str = Field(description="The kind of record", examples=["venue"])
    subject_id: str = Field(examples=[A_VENUE_ID])
    changes: list[FieldChange]
    erased: bool | Absent = Field(
        default=None, description="What it said of a person was erased", examples=[True]
    )


class JournalQuestion(Period, Paging):
    """Which entries to list, newest first."""

    subject: Maybe[str] = Field(
        default=None, max_length=50, pattern=r"^[a-z_]+$", examples=["venue"]
    )
    subject_id: Maybe[str] = Field(
        default=None, max_length=100, pattern=r"^[0-9a-z:-]+$", examples=[A_VENUE_ID]
    )
    actor: Maybe[str] = Field(
        default=None, max_length=100, pattern=r"^[^\x00]+$", examples=["account j.okafor"]
    )


_BY_NUMBER: list[Any] = [col(Entry.number)]
_BAD_PAGE = wrong("after", "is not a page of this list")


@router.get(
    "/journal",
    summary="Who changed what?",
    response_model=Page[JournalEntry],
    response_description="A page of the journal, newest first",
    responses=responses(_BAD_PAGE),
)
def read_journal(
    question: Annotated[JournalQuestion, Query()], register: Register, reader: Reader
) -> Response:
    """Every change of the register, newest first. Accounts are shown to administrators alone."""
    statement = select(Entry)
    for name in ("subject", "subject_id", "actor"):
        if (value := getattr(question, name)) is not None:
            statement = statement.where(getattr(Entry, name) == value)
    if question.from_:
        statement = statement.where(col(Entry.at) >= effective(question.from_))
    if question.until:
        statement = statement.where(col(Entry.at) < end_of(question.until))
    if Role.ADMINISTRATOR not in reader.roles:
        statement = statement.where(col(Entry.subject).not_in(ABOUT_PEOPLE))
    return register.read(
        lambda session: page_together(
            session, statement, _BY_NUMBER, question, _entries, newest_first=True
        )
    )


@router.get(
    "/venues/{venue_id}/journal",
    summary="The whole story of a venue",
    response_model=Page[JournalEntry],
    response_description="A page of the story, from its beginning",
    responses=responses(none_such(Venue), _BAD_PAGE),
)
def read_venue_story(venue_id: UUID, paging: Paged, register: Register, _: Reader) -> Response:
    """Everything that was recorded of a venue, of whatever kind, in the order it was recorded."""

    def story(session: Session) -> Page[JournalEntry]:
        find(session, Venue, venue_id)
        ids = [str(id_) for id_ in records_of(session, venue_id)]
        statement = select(Entry).where(col(Entry.subject_id).in_(ids))
        return page_together(session, statement, _BY_NUMBER, paging, _entries)

    return register.read(story)


def records_of(session: Session, venue_id: UUID) -> set[UUID]:
    """The ids of a venue, of all that was recorded of it, and of what that goes into."""
    tables = SQLModel.metadata.tables
    venue = tables[str(Venue.__tablename__)]
    ids: dict[str, set[UUID]] = {venue.name: {venue_id}}
    for table, key in _pointing_at(venue):
        ids[table.name] = _ids(session, table.c.id, key == venue_id)
    for parent in [tables[name] for name in ids if name != venue.name]:
        for table, key in _pointing_at(parent):
            if table.name not in ids:
                ids[table.name] = _ids(session, table.c.id, key.in_(ids[parent.name]))
    for name in SHARED_BY_VENUES:
        for table, key in _pointing_at(tables[name]):
            if table.name in ids:
                ids[name] = _ids(session, key, table.c.id.in_(ids[table.name]))
    return set().union(*ids.values())


def _pointing_at(target: sa.Table) -> Iterator[tuple[sa.Table, sa.Column[Any]]]:
    """The tables with a key of another one, and that column."""
    for table in SQLModel.metadata.sorted_tables:
        for key in table.foreign_keys:
            if key.column.table is target and "id" in table.c:
                yield table, key.parent


def _ids(session: Session, id_: sa.Column[Any], condition: Any) -> set[UUID]:
    return set(session.scalars(sa.select(id_).where(condition)))


def _entries(session: Session, entries: Sequence[Entry]) -> list[JournalEntry]:
    persons = personal_in(session, [entry.number for entry in entries if entry.commitment])
    return [_entry(entry, persons.get(entry.number)) for entry in entries]


def _entry(entry: Entry, person: Columns | None) -> JournalEntry:
    if entry.before is not None and entry.after is not None:
        happened = Happened.CHANGED
    else:
        happened = Happened.RECORDED if entry.after else Happened.REMOVED
    before, after = (
        (from_json(text) if text else {}) | (person or {}).get(side, {})
        for side, text in (("before", entry.before), ("after", entry.after))
    )
    return JournalEntry(
        number=entry.number,
        at=entry.at,
        actor=entry.actor,
        happened=happened,
        subject=entry.subject,
        subject_id=entry.subject_id,
        changes=[
            FieldChange(field=name, before=before.get(name), after=after.get(name))
            for name in sorted(before.keys() | after.keys())
            if before.get(name) != after.get(name)
        ],
        erased=True if entry.commitment and person is None else None,
    )
