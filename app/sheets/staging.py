"""Files that are shown before they change the register: staged, looked at, confirmed.

What is staged is the file, and what it would bring as things stood. It lies in the database, so
that a restart loses nothing. When it is confirmed it is worked out anew: if it would bring anything
else by now, that is shown first.
"""

import zlib
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import partial
from types import MappingProxyType
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from pydantic import BaseModel
from pydantic import Field as Described
from sqlmodel import Field, Session, SQLModel, col

from app.core.batch import Outdated
from app.core.db import Instant, find, none_such, read_session, write_session
from app.core.journal import Journal, now
from app.http.conditional import PreconditionRequired, Stale, names
from app.http.fields import Absent, to_json
from app.sheets import fhrs, files, need
from app.sheets.files import SheetName
from app.sheets.import_report import Import, ImportReport

MOST_ROWS = 10_000
"""How many rows a file may have that is sent; `havens import` takes any number."""

KEPT = timedelta(days=7)
"""For how long a staged file can be confirmed."""


class FileKind(StrEnum):
    """What a file can be: one of the sheets, or what another register publishes."""

    VENUES = "venues"
    ATTENDANCE = "attendance"
    HEADCOUNTS = "headcounts"
    DECISIONS = "decisions"
    ENGAGEMENTS = "engagements"
    WARDS = "wards"
    FHRS = "fhrs"
    NEED = "need"


def _wards(content: bytes) -> Import:
    # Brings a library of geometry.
    from app.sheets.wards import import_of  # noqa: PLC0415

    return import_of(content)


IMPORTS: Mapping[FileKind, Callable[[bytes], Import]] = MappingProxyType(
    {
        FileKind.WARDS: _wards,
        FileKind.FHRS: partial(fhrs.import_of, most_entries=MOST_ROWS),
        FileKind.NEED: partial(need.import_of, most_rows=MOST_ROWS),
        **{
            FileKind(name): partial(files.import_of, name, most_rows=MOST_ROWS)
            for name in SheetName
        },
    }
)


class StagedUpload(SQLModel, table=True):
    """A file that was sent, and the report of what it would bring; once confirmed, of what it did.

    Not journalled: it changes nothing, and what it changes when it is confirmed is.
    """

    __tablename__ = "staged_upload"
    __unjournalled__ = True

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    kind: FileKind = Field(sa_type=sa.String(20))
    content: bytes = Field(sa_type=sa.LargeBinary)
    staged_at: datetime = Field(sa_type=Instant, index=True)
    report: str = Field(sa_type=sa.Text)
    confirmed_at: datetime | None = Field(default=None, sa_type=Instant)


class StagedOut(BaseModel):
    """A file that was sent, and what it would bring; once confirmed, what it did."""

    id: UUID
    kind: FileKind = Described(examples=["headcounts"])
    staged_at: datetime
    until: datetime = Described(description="Until then it can be confirmed, and is kept")
    confirmed_at: datetime | Absent = None
    report: ImportReport


def shown(upload: StagedUpload) -> StagedOut:
    """A staged file as it is shown."""
    return StagedOut(
        id=upload.id,
        kind=FileKind(upload.kind),
        staged_at=upload.staged_at,
        until=upload.staged_at + KEPT,
        confirmed_at=upload.confirmed_at,
        report=ImportReport.model_validate_json(upload.report),
    )


def stage(session: Session, kind: FileKind, content: bytes, report: ImportReport) -> StagedUpload:
    """Keep a file, with what it would bring. What has lain for too long goes."""
    session.execute(
        sa.delete(StagedUpload).where(col(StagedUpload.staged_at) < now(session) - KEPT)
    )
    upload = StagedUpload(
        kind=kind,
        content=zlib.compress(content),
        staged_at=now(session),
        report=report.model_dump_json(),
    )
    session.add(upload)
    session.flush()
    return upload


def staged(session: Session, id_: UUID) -> StagedUpload:
    """The staged file with an id. Raises `NotFound`."""
    upload = find(session, StagedUpload, id_)
    if upload.staged_at < datetime.now(UTC) - KEPT:
        raise none_such(StagedUpload)
    return upload


def confirm(journal: Journal, actor: str, id_: UUID, seen: Collection[str]) -> StagedOut:
    """Carry out what a staged file was shown to bring; once, however often it is confirmed.

    `seen` are ETags of what was shown. Raises `NotFound`, `PreconditionRequired` without any, and
    `Stale` where it would bring something else by now, which is shown from then on. Raises
    `ImportRejected` where it can't be carried out any more, and `Outdated`.
    """
    if not seen:
        raise PreconditionRequired
    for attempts_left in (2, 1, 0):
        with read_session(journal.engine) as session:
            upload = staged(session, id_)
            out, content = shown(upload), upload.content
        if out.confirmed_at:
            return out
        if not names(seen, to_json(out)):
            raise Stale
        asked = IMPORTS[out.kind](zlib.decompress(content))
        report, batch = asked.planned(journal, actor, dry_run=True)
        if report != out.report:
            _show_anew(journal, id_, report)
            raise Stale
        done = report.model_copy(update={"dry_run": False})
        values = {"content": b"", "report": done.model_dump_json(), "confirmed_at": batch.began}
        batch.run(_UPDATE, [{"_id": id_, **values}])
        try:
            batch.write(journal, asked.rests_on)
        except Outdated:
            # Perhaps by the same file, confirmed twice at once.
            if not attempts_left:
                raise
    with read_session(journal.engine) as session:
        return shown(staged(session, id_))


def _show_anew(journal: Journal, id_: UUID, report: ImportReport) -> None:
    with write_session(journal.engine) as session:
        rows = [{"_id": id_, "report": report.model_dump_json()}]
        session.connection().execute(_UPDATE, rows)


_TABLE: Any = sa.inspect(StagedUpload).local_table
_UPDATE = _TABLE.update().where(
    _TABLE.c.id == sa.bindparam("_id", type_=_TABLE.c.id.type), _TABLE.c.confirmed_at.is_(None)
)
