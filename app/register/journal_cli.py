"""`havens journal`: is the record of changes whole?"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from app.core.db import make_engine
from app.core.journal import HEAD_FILE, Journal
from app.core.settings import settings

journal = typer.Typer(no_args_is_help=True)


@journal.command()
def verify() -> None:
    """Look for entries that were edited, left out or cut off; exit with 1 where there are any.

    Entries that a wrong clock misdated are named too: they are whole, and the exit code stays 0.
    """
    with _opened() as record:
        broken = record.verify()
        if broken:
            sys.exit(f"The journal is broken: entry {broken.number} {broken.reason}.")
        written, covered, misdated = record.length(), record.covered(), record.misdated()
    typer.echo(f"The journal is whole: {written} entries.")
    for run in misdated:
        typer.echo(
            f"Misdated: entries {run.first} to {run.last} say {run.since.isoformat()} to"
            f" {run.until.isoformat()}, later than one written after them or than now. A clock was"
            " wrong; nothing was altered. Void what they record and record it anew if its date"
            " matters."
        )
    if covered < written:
        typer.echo(
            f"{HEAD_FILE} knows entries up to {covered}: a cut that took only later ones would"
            " not show."
        )


@journal.command()
def accept() -> None:
    """Make the copy of the journal's head anew, once you know why the old one doesn't agree."""
    with _opened() as record:
        record.accept()
        typer.echo(f"{HEAD_FILE} now knows entries up to {record.covered()}.")


@contextmanager
def _opened() -> Iterator[Journal]:
    engine = make_engine(settings().database_url)
    try:
        yield Journal.of(settings(), engine)
    finally:
        engine.dispose()
