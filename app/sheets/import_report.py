"""What every import shares: its report, its refusal and how it reads a file."""

import codecs
import json
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel
from sqlalchemy import inspect
from sqlmodel import SQLModel, select

from app.core.batch import Batch, Outdated
from app.core.errors import DomainError, FieldError
from app.core.journal import Journal
from app.core.settings import settings
from app.core.text import line
from app.venues.facts import add_facts
from app.venues.models import Venue

MOST_BYTES_OF_JSON = 50_000_000
"""Several times what one authority's register or wards take; in memory it is ten times as much."""
MOST_LISTED = 100
"""How many bad cells are listed: who mends so many looks at the file anew anyway."""

_Short = Annotated[str, AfterValidator(lambda t: t if len(t) <= 100 else f"{t[:99]}…")]
"""A piece of the file, shown."""


Track = Callable[[Sequence[Any]], Iterable[Any]]
"""Passes items on and may show how far it has come; `iter` shows nothing."""


class CellChange(BaseModel):
    """What stands in a column of a record now, and what the file says instead."""

    column: str
    now: _Short
    then: _Short


class Change(BaseModel):
    """A record that the file changes, and in which columns; of venues, from what to what."""

    reference: str
    columns: list[str]
    cells: list[CellChange] = []


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

    def count(
        self,
        reference: str,
        *,
        is_new: bool,
        columns: Collection[str],
        cells: Iterable[CellChange] = (),
    ) -> None:
        """Count a record as created, as changed in these columns, or as unchanged."""
        if is_new:
            self.created.append(reference)
        elif columns:
            change = Change(reference=reference, columns=list(columns), cells=list(cells))
            self.updated.append(change)
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
    """The file breaks its contract; `cells` says what is wrong with it, line by line.

    These are the first `MOST_LISTED`; there are so many `more`.
    """

    status = 422
    code = "import-rejected"
    title = "The file is rejected, and nothing of it was imported"

    def __init__(self, cells: Iterable[BadCell]) -> None:
        found = sorted(cells, key=lambda cell: cell.line or 0)
        self.cells, self.more = found[:MOST_LISTED], len(found[MOST_LISTED:])
        errors = [FieldError(field=c.where, message=c.reason) for c in self.cells]
        if self.more:
            errors.append(FieldError(field="file", message=f"has {self.more} more bad cells"))
        super().__init__(errors)


def rejected(
    reason: str, *, line: int | None = None, column: str = "", value: str = ""
) -> ImportRejected:
    """One thing is wrong with the file, and where."""
    return ImportRejected([BadCell(line=line, column=column, value=value, reason=reason)])


# --- carrying it out -------------------------------------------------------------------------


@dataclass(frozen=True)
class Import:
    """What a file asks for. `plan` works out what that changes, as often as it is asked.

    It fills a report, raises `ImportRejected`, and `rests_on` the kinds of record that it reads.
    """

    plan: Callable[[Batch, ImportReport], None]
    rests_on: Collection[type[SQLModel]]

    def carry_out(self, journal: Journal, actor: str, *, dry_run: bool = False) -> ImportReport:
        """Change the register, in one short turn; a dry run works it all out and writes nothing.

        Raises `Outdated` where others changed what it rests on, again and again.
        """
        attempts_left = 3
        while True:
            report, batch = self.planned(journal, actor, dry_run=dry_run)
            attempts_left -= 1
            try:
                if not dry_run:
                    batch.write(journal, self.rests_on)
            except Outdated:
                if not attempts_left:
                    raise
            else:
                return report

    def planned(
        self, journal: Journal, actor: str, *, dry_run: bool = False
    ) -> tuple[ImportReport, Batch]:
        """What it would bring as things stand, and that to be written.

        Refuses a database whose venues are demonstration ones where this process has real ones, or
        the other way round.
        """
        with journal.planning(actor) as session:
            other = not settings().demonstration
            if session.exec(select(Venue.id).where(Venue.demonstration == other).limit(1)).first():
                kept, ours = ("demonstration", "real") if other else ("real", "demonstration")
                raise rejected(f"the database holds {kept} venues: {ours} ones must not join them")
            report, batch = ImportReport(dry_run=dry_run), Batch(session)
            self.plan(batch, report)
            add_facts(batch)
        return report, batch


def bring_up_to(stored: SQLModel, given: SQLModel, columns: Iterable[str]) -> list[str]:
    """Have a record say what was given in these columns; returns those that changed."""
    changed = [c for c in columns if getattr(stored, c) != getattr(given, c)]
    for column in changed:
        setattr(stored, column, getattr(given, column))
    return changed


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
