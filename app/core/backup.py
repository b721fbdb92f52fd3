"""A backup: the whole register as one SQLite database, in a zip file that says what it holds.

It can be restored into either kind of database, whichever it was taken from. Beside the register
lie its manifest and the manifest's signature; settings are in it, secrets are not.
"""

import errno
import hashlib
import hmac
import os
import shutil
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Literal

import sqlalchemy as sa
from pydantic import BaseModel
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from app.core import files
from app.core.copies import replace_rows, sqlite_url
from app.core.db import (
    NewerSchema,
    connected,
    migrate,
    read_session,
    revision_of,
    write_session,
)
from app.core.journal import HEAD_FILE, Journal, lacks, newest_entry
from app.core.journal_chain import Break
from app.core.journal_head import Newest
from app.core.settings import Settings

LAST_BACKUP = "last-backup.json"
_MANIFEST, _SIGNATURE, _REGISTER = "manifest.json", "manifest.signature", "register.sqlite"


class Manifest(BaseModel):
    """What a backup holds. `rows` counts them by table; `sha256` is that of the register's file.

    `settings` are those it was made with, for whoever has to set a host up again.
    """

    form: Literal["havens backup 1"] = "havens backup 1"
    made_at: datetime
    environment: str
    revision: str
    entries: int
    newest_hash: str
    rows: dict[str, int]
    settings: dict[str, Any]
    sha256: str


class BackupError(Exception):
    """Why there is no backup, in a sentence."""


class RefusedBackup(BackupError):
    """A backup that is not restored. `reasons` are sentences."""

    def __init__(self, *reasons: str, forcible: bool) -> None:
        super().__init__(*reasons)
        self.reasons = reasons
        self.forcible = forcible

    def __str__(self) -> str:
        last = (
            "Nothing was changed. --force restores it all the same, and accepts what it lacks."
            if self.forcible
            else "Nothing was changed. Restore another backup."
        )
        return "\n".join([*self.reasons, last])


# --- making one ------------------------------------------------------------------------------


def back_up(settings: Settings, engine: Engine, file: Path) -> tuple[Manifest, Break | None]:
    """Write a backup of one moment of the database; the file appears when it is whole.

    Returns what it holds, and where its journal is broken, if it is: such a backup is kept, too.
    Raises OSError, and what the database raises.
    """
    if file.exists():
        raise FileExistsError(errno.EEXIST, "exists, and no backup replaces another", str(file))
    # Where the file will be, so that there is room, and it can take its place in one step.
    with tempfile.TemporaryDirectory(prefix=".havens-backup-", dir=file.parent) as folder:
        register = Path(folder, _REGISTER)
        made_at = datetime.now(UTC)
        # First, because whoever writes meanwhile makes it speak of more than is copied here.
        kept = Journal.of(settings, engine).known()
        with connected(sqlite_url(register)) as copy:
            revision, rows = _copy_out(engine, copy)
        # The copy, not the original: it is what will be relied on. Before an upgrade it is of an
        # older version, and read as a restore will: brought up to this one.
        checked = Path(folder, "checked.sqlite")
        shutil.copyfile(register, checked)
        with connected(sqlite_url(checked)) as copy:
            migrate(copy.url.render_as_string())
            with read_session(copy) as session:
                newest = newest_entry(session) or Newest(0, "")
                broken = Journal.of(settings, copy).broken(session)
                if kept and not broken:
                    broken = lacks(session, kept, HEAD_FILE)
        manifest = Manifest(
            made_at=made_at,
            environment=settings.environment,
            revision=revision,
            entries=newest.number,
            newest_hash=newest.hash,
            rows=rows,
            settings=_shown(settings),
            sha256=_sha256(register),
        )
        fresh = Path(folder, file.name)
        fresh.touch(mode=0o600)
        _write(fresh, manifest, settings.key("backup"), register)
        fresh.rename(file)
    _note(settings, LastBackup.of(manifest, file, broken))
    return manifest, broken


class LastBackup(BaseModel):
    """What this installation remembers of the backup that it made last."""

    name: str
    made_at: datetime
    entries: int
    is_broken: bool

    @classmethod
    def of(cls, manifest: Manifest, file: Path, broken: Break | None) -> "LastBackup":
        return cls(
            name=file.name,
            made_at=manifest.made_at,
            entries=manifest.entries,
            is_broken=broken is not None,
        )


def last_backup(settings: Settings) -> LastBackup | None:
    """The backup that was made last from here, if any was."""
    try:
        return LastBackup.model_validate_json((settings.data_dir / LAST_BACKUP).read_bytes())
    except (OSError, ValueError):
        return None


def _note(settings: Settings, made: LastBackup) -> None:
    # The backup is what counts. Where this can't be written, the doctor says that the last is old.
    with suppress(OSError):
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        files.replace(settings.data_dir / LAST_BACKUP, [made.model_dump_json().encode()])


def _copy_out(engine: Engine, copy: Engine) -> tuple[str, dict[str, int]]:
    with read_session(engine) as session:
        source = session.connection()
        revision = revision_of(source)
        if revision is None:
            raise BackupError("The database holds no register: there is nothing to back up.")
        migrate(copy.url.render_as_string(), revision)
        with copy.execution_options(writes=True).begin() as target:
            return revision, replace_rows(source, target)


def _shown(settings: Settings) -> dict[str, Any]:
    """The settings without secrets, which come as asterisks, and without where things lie."""
    return settings.model_dump(mode="json", exclude={"database_url", "data_dir"})


def _write(file: Path, manifest: Manifest, key: bytes, register: Path) -> None:
    text = manifest.model_dump_json(indent=2).encode()
    with file.open("wb") as output:
        with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(_MANIFEST, text)
            archive.writestr(_SIGNATURE, _signature(key, text))
            archive.write(register, _REGISTER)
        output.flush()
        os.fsync(output.fileno())


# --- restoring one ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Backup:
    """A backup that was read whole and looked through, and what speaks against restoring it."""

    manifest: Manifest
    register: Engine
    objections: list[str]

    def restore(self, journal: Journal, published: int, *, force: bool) -> list[str]:
        """Put it in place of all that a migrated database holds, in one transaction.

        `published` is the version of the directory that the public sees; the restored one is above
        it. Returns what spoke against it, which `force` accepts. Raises `RefusedBackup`, and what
        the database raises: then nothing was changed.
        """
        with read_session(self.register) as source, write_session(journal.engine) as target:
            objections = [*self.objections, *_behind(source, target, journal.known())]
            if objections and not force:
                raise RefusedBackup(*objections, forcible=True)
            connection = target.connection()
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
            version = sa.column("version", sa.Integer())
            state = sa.table("directory_state", version)
            seen = max(published, connection.scalar(sa.select(state.c.version)) or 0)
            replace_rows(source.connection(), connection)
            if not self.objections and (broken := journal.broken(target)):
                # Whatever this database made of it, it is not what was entrusted.
                raise RuntimeError(f"entry {broken.number} {broken.reason} on its way")
            # Or what was published before could pass for what is there now.
            above = sa.case((version > seen, version), else_=seen) + 1
            connection.execute(sa.update(state).values(version=above))
        journal.accept()
        return objections

    def differences(self, settings: Settings) -> Iterator[tuple[str, Any, Any]]:
        """Which settings are not what they were when it was made: name, then and now."""
        now = _shown(settings)
        for name, then in self.manifest.settings.items():
            if name in now and now[name] != then:
                yield name, then, now[name]


def _behind(register: Session, target: Session, kept: Newest | None) -> Iterator[str]:
    """What is known here that a backup is no continuation of."""
    ends, here = newest_entry(register), newest_entry(target)
    for head, knower in {kept: HEAD_FILE, here: "this database"}.items():
        if head is None or not (lost := lacks(register, head, knower)):
            continue
        # Of two that begin alike, the longer one holds the end of the shorter.
        same = ends is None or here is None or not lacks(target, ends, "the backup")
        if same and (ends is None or ends.number < head.number):
            yield (
                f"It is older than the register: {knower} knows entries up to {head.number},"
                f" and it ends with {lost.number - 1}."
            )
        else:
            yield f"It is another register's, or another past: entry {lost.number} {lost.reason}."


@contextmanager
def opened(settings: Settings, file: Path, *, force: bool) -> Iterator[Backup]:
    """A backup, read whole and brought up to this version; the file stays as it is.

    Raises `RefusedBackup` when it can't be read, and OSError.
    """
    with (
        file.open("rb") as content,
        tempfile.TemporaryDirectory(prefix="havens-restore-", dir=settings.data_dir) as folder,
    ):
        register = Path(folder, _REGISTER)
        try:
            manifest, objections = _read(content, settings.key("backup"), register)
        except _DAMAGED as error:
            if isinstance(error, OSError) and error.errno != errno.EINVAL:
                raise  # no room for it, or the like
            raise RefusedBackup(_CANT_BE_READ, forcible=False) from None
        if manifest.environment != settings.environment:
            raise RefusedBackup(
                f"It was made in HAVENS_ENVIRONMENT={manifest.environment}, and this is"
                f" {settings.environment}: the two never mix.",
                forcible=False,
            )
        if objections and not force:
            # Before what somebody may have put together is opened.
            raise RefusedBackup(*objections, forcible=True)
        with connected(sqlite_url(register)) as copy:
            try:
                migrate(copy.url.render_as_string())
                with read_session(copy) as session:
                    broken = Journal.of(settings, copy).broken(session)
            except NewerSchema:
                raise RefusedBackup(
                    "It was made by a newer version of this service: restore it with that one.",
                    forcible=False,
                ) from None
            except DBAPIError:
                raise RefusedBackup(_CANT_BE_READ, forcible=False) from None
            if broken:
                objections.append(f"Its journal is broken: entry {broken.number} {broken.reason}.")
            yield Backup(manifest, copy, objections)


_CANT_BE_READ = "It can't be read: it is damaged, no backup, or of a newer form than this."
_DAMAGED = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, LookupError, NotImplementedError,
    OSError, RuntimeError, ValueError,
)  # fmt: skip
"""What reading a zip file raises that is not what it should be."""


def _read(content: IO[bytes], key: bytes, register: Path) -> tuple[Manifest, list[str]]:
    """Unpack a backup. Returns its manifest, and what makes it another one than was written."""
    with zipfile.ZipFile(content) as archive:
        text, signature = (archive.read(name) for name in (_MANIFEST, _SIGNATURE))
        manifest = Manifest.model_validate_json(text)
        with archive.open(_REGISTER) as packed, register.open("wb") as unpacked:
            shutil.copyfileobj(packed, unpacked)
    objections = []
    if not hmac.compare_digest(signature, _signature(key, text)):
        objections.append(
            "It was altered, or made by another installation: its signature is not of this"
            " HAVENS_SECRET_KEY."
        )
    if _sha256(register) != manifest.sha256:
        objections.append("It was altered: its register is not the one that its manifest names.")
    return manifest, objections


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _signature(key: bytes, manifest: bytes) -> bytes:
    return hmac.digest(key, manifest, "sha256").hex().encode()
