"""`havens backup` and `havens restore`."""

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from app.core import db
from app.core.backup import back_up, opened
from app.core.journal import Journal
from app.core.settings import settings
from app.directory.outcome import Outcome
from app.directory.snapshot import Unusable, load

File = Annotated[Path, typer.Argument(metavar="FILE", show_default=False)]


def backup(file: File) -> None:
    """Write all of the register into one file, signed, without a secret; the service goes on.

    Exits with 1 when the journal is broken or was cut; the file is written all the same.
    """
    with db.connected(settings().database_url) as engine:
        manifest, broken = back_up(settings(), engine, file)
    rows = sum(manifest.rows.values())
    typer.echo(f"{file}: {rows} rows, the journal up to entry {manifest.entries}.")
    if broken:
        sys.exit(
            f"The journal is broken: entry {broken.number} {broken.reason}. Keep the backups made"
            " before this one, and find out why: havens journal verify"
        )


def restore(
    file: File,
    force: Annotated[
        bool,
        typer.Option("--force", help="Also one that is older, altered, or of another register."),
    ] = False,
) -> None:
    """Put a backup in place of all that the database holds, once it proved whole.

    A service that runs goes on, and follows. Without --force, nothing is restored that lacks what
    the database or the kept head of the journal knows.
    """
    settings().data_dir.mkdir(parents=True, exist_ok=True)
    with (
        db.connected(settings().database_url) as engine,
        opened(settings(), file, force=force) as found,
    ):
        db.migrate(settings().database_url)
        journal = Journal.of(settings(), engine)
        accepted = found.restore(journal, _published(), force=force)
    if accepted:
        publish_accepted()
    manifest = found.manifest
    for objection in accepted:
        typer.echo(f"Accepted: {objection}")
    typer.echo(
        f"Restored what there was on {manifest.made_at:%d %B %Y at %H:%M} UTC:"
        f" {sum(manifest.rows.values())} rows, the journal up to entry {manifest.entries}."
    )
    for name, then, now in found.differences(settings()):
        typer.echo(f"HAVENS_{name.upper()} was {then!r} when it was made, and is {now!r}.")


def publish_accepted() -> None:
    """Publish the directory of a database that was taken for the right one, whatever it was."""
    # Brings the compiler with it.
    from app.directory.publish import publish  # noqa: PLC0415

    url, folder = settings().database_url, settings().data_dir
    demonstration = settings().demonstration
    while (
        answer := publish(url, folder, time.time(), demonstration=demonstration, accepted=True)
    ).outcome == Outcome.BUSY:
        time.sleep(0.1)
    if answer.outcome != Outcome.PUBLISHED:
        sys.exit(f"No directory was published of it: {answer.reason}")


def _published() -> int:
    """The version of the directory that the public sees; 0 without one."""
    try:
        return load(settings().data_dir).version
    except Unusable:
        return 0
