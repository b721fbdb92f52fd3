"""`havens journal`: is the record of changes whole, and the register what it says?"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from app.core.db import connected, read_session
from app.core.journal import HEAD_FILE, Journal, command_actor, note
from app.core.journal_proof import Stray, strays
from app.core.settings import settings

journal = typer.Typer(no_args_is_help=True)

SHOWN = 100
"""How many rows are named; the others are counted."""


@journal.command()
def verify() -> None:
    """Look for what was edited, left out or cut off, in the journal and in every recorded row.

    Exit with 1 where there is anything. Entries that a wrong clock misdated are named too: they are
    whole, and the exit code stays 0.
    """
    with opened() as record:
        broken = record.verify()
        if broken:
            sys.exit(f"The journal is broken: entry {broken.number} {broken.reason}.")
        written, covered, misdated = record.length(), record.covered(), record.misdated()
        typer.echo(f"The journal is whole: {written} entries.")
        for run in misdated:
            typer.echo(
                f"Misdated: entries {run.first} to {run.last} say {run.since.isoformat()} to"
                f" {run.until.isoformat()}, later than one written after them or than now. A clock"
                " was wrong; nothing was altered. Void what they record and record it anew if its"
                " date matters."
            )
        if covered < written:
            typer.echo(
                f"{HEAD_FILE} knows entries up to {covered}: a cut that took only later ones would"
                " not show."
            )
        with read_session(record.engine) as session:
            found = _named(strays(session))
    if found:
        sys.exit(f"The register is not what the journal says: {found} rows differ.")
    typer.echo("The register is what the journal says.")


def accept_rows() -> None:
    """Record the rows that differ from the journal as they stand. Exits where that is broken."""
    with opened() as record:
        if broken := record.verify():
            sys.exit(f"The journal is broken: entry {broken.number} {broken.reason}.")
        with record.writing(command_actor()) as session:
            changes = [stray.content for stray in strays(session) if stray.content]
            note(session, changes)
        typer.echo(f"Recorded as they stand: {len(changes)} rows.")


def _named(found: Iterator[Stray]) -> int:
    """Name the first of some rows; returns how many they are."""
    number = 0
    for number, stray in enumerate(found, 1):
        if number <= SHOWN:
            typer.echo(f"{stray.subject} {stray.subject_id} {stray.reason}")
    if number > SHOWN:
        typer.echo(f"… and {number - SHOWN} more")
    return number


@contextmanager
def opened() -> Iterator[Journal]:
    """The journal of this installation, for as long as a command takes."""
    with connected(settings().database_url) as engine:
        yield Journal.of(settings(), engine)
