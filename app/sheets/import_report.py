"""What every import shares: its report, its refusal and how it reads a file."""

import codecs
import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel
from sqlalchemy import inspect
from sqlmodel import Session, SQLModel, select

from app.core.errors import DomainError, FieldError
from app.core.journal import Journal
from app.core.settings import settings
from app.core.text import line
from app.venues.models import Venue

MOST_BYTES_OF_JSON = 50_000_000
"""Several times what one authority's register or wards take; in memory it is ten times as much."""

_Short = Annotated[str, AfterValidator(lambda t: t if len(t) <= 100 else f"{t[:99]}…")]
"""A piece of the file, shown."""


Track = Callable[[Sequence[Any]], Iterable[Any]]
"""Passes items on and may show how far it has come; `iter` shows nothing."""


class Change(BaseModel):
    """A record that the file changes, and in which columns."""

    reference: str
    columns: list[str]


class Skipped(BaseModel):
    """An entry of the file that is not taken over."""

    reference: str
    name: _Short
    reason: str


class Remark(BaseModel):
    """What somebody should look at in a record that was taken over."""

    reference: str
    reason: str


class ImportReport(BaseModel):
    """What an import did, or would do if it is a dry run. Records go by reference or ward code."""

    dry_run: bool
    created: list[str] = []
    updated: list[Change] = []
    removed: list[str] = []
    unchanged: int = 0
    skipped: list[Skipped] = []
    remarks: list[Remark] = []
    moved: list[str] = []
    """Venues that new ward boundaries put into another ward."""
    outside: list[str] = []
    """Venues that lie in none of the wards."""

    def count(self, reference: str, *, is_new: bool, columns: Collection[str]) -> None:
        """Count a record as created, as changed in these columns, or as unchanged."""
        if is_new:
            self.created.append(reference)
        elif columns:
            self.updated.append(Change(reference=reference, columns=list(columns)))
        else:
            self.unchanged += 1

    def remark(self, reference: str, reason: str) -> None:
        """Have somebody look at a record."""
        self.remarks.append(Remark(reference=reference, reason=reason))


class BadCell(BaseModel):
    """Something for which a file is refused. `line` is the file's own, from 1."""

    line: int | None = None
    column: _Short = ""
    value: _Short = ""
    reason: str

    @property
    def where(self) -> str:
        """The line and the column, for people."""
        line = f"line {self.line}" if self.line else ""
        return ", ".join(part for part in (line, self.column) if part) or "file"


class ImportRejected(DomainError):
    """The file breaks its contract; `cells` says all that is wrong with it, line by line."""

    status = 422
    code = "import-rejected"
    title = "The file is rejected, and nothing of it was imported"

    def __init__(self, cells: Iterable[BadCell]) -> None:
        self.cells = sorted(cells, key=lambda cell: cell.line or 0)
        super().__init__([FieldError(field=c.where, message=c.reason) for c in self.cells])


def rejected(
    reason: str, *, line: int | None = None, column: str = "", value: str = ""
) -> ImportRejected:
    """One thing is wrong with the file, and where."""
    return ImportRejected([BadCell(line=line, column=column, value=value, reason=reason)])


# --- the transaction -------------------------------------------------------------------------


@contextmanager
def import_session(
    journal: Journal, actor: str, *, dry_run: bool
) -> Iterator[tuple[Session, ImportReport]]:
    """The one transaction of an import; a dry run does everything and then takes it back.

    Refuses a database whose venues are demonstration ones where this process has real ones, or
    the other way round.
    """
    with journal.writing(actor) as session:
        other = not settings().demonstration
        if session.exec(select(Venue.id).where(Venue.demonstration == other).limit(1)).first():
            kept, ours = ("demonstration", "real") if other else ("real", "demonstration")
            raise rejected(f"the database holds {kept} venues: {ours} ones must not join them")
        yield session, ImportReport(dry_run=dry_run)
        if dry_run:
            session.rollback()


def store(
    session: Session,
    report: ImportReport,
    reference: str,
    stored: SQLModel | None,
    given: SQLModel,
    columns: Iterable[str],
) -> None:
    """Add a record, or bring the one that is stored up to what was given in these columns."""
    changed = [c for c in columns if stored and getattr(stored, c) != getattr(given, c)]
    for column in changed:
        setattr(stored, column, getattr(given, column))
    if stored is None:
        session.add(given)
    report.count(reference, is_new=stored is None, columns=changed)


# --- reading ---------------------------------------------------------------------------------


def read_text(content: bytes) -> str:
    """The file as text: UTF-8, or UTF-16 with its mark, as of Excel's “Unicode Text”."""
    marked = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    line = 1
    try:
        if marked or b"\0" not in content[:2]:
            return content.decode("utf-16" if marked else "utf-8-sig")
    except UnicodeDecodeError as error:
        # Positions count from behind the byte order mark.
        line = error.object.count(b"\n", 0, error.start) + 1
    raise rejected(
        "is not UTF-8 text: save the file as UTF-8 (in Excel, as “CSV UTF-8”)", line=line
    )


def read_json(content: bytes) -> Any:
    """What a JSON file holds, in UTF-8 or UTF-16, with or without a byte order mark.

    NaN and Infinity, which some programs write, are read as they are.
    """
    line = None
    if len(content) > MOST_BYTES_OF_JSON:
        raise rejected(
            "is larger than 50 MB: take what one authority publishes, not the whole country"
        )
    try:
        return json.loads(content)
    except json.JSONDecodeError as error:
        line, reason = error.lineno, f"is not JSON: {error.msg}"
        if error.doc.lstrip("\ufeff \t\r\n").startswith("<"):
            line, reason = None, "is XML or a web page: download it as JSON"
    except UnicodeDecodeError:
        reason = "is not UTF-8 text: save it as JSON in UTF-8, unpacked"
    except (ValueError, RecursionError):
        reason = "is not JSON that can be read: a number is too long, or brackets too deep"
    raise rejected(reason, line=line)


def line_of(model: type[SQLModel], column: str) -> Callable[[str], str]:
    """A reader of texts that a column of a table can hold, as one line.

    It raises ValueError with the reason.
    """
    most: int = inspect(model).columns[column].type.length

    def read(text: str) -> str:
        text = line(text)
        if len(text) > most:
            raise ValueError(f"must be at most {most} characters long, not {len(text)}")
        return text

    return read


def degrees(text: str, most: float) -> float:
    """Decimal degrees between `-most` and `most`. Raises ValueError with the reason."""
    # float() takes "nan", "1_0" and other scripts' digits too.
    if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text):
        raise ValueError("must be decimal degrees, like 51.5136 or -0.0922")
    value = float(text)
    if not -most <= value <= most:
        metres = ": degrees, not the metres of a grid" if abs(value) > 1000 else ""
        raise ValueError(f"must lie between -{most} and {most}{metres}")
    return value
