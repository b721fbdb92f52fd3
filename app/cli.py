"""The `havens` command."""

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from alembic.util import CommandError
from pydantic import SecretStr, ValidationError
from pydantic_settings import SettingsError
from rich.console import Console
from rich.progress import track
from rich.table import Table
from rich.text import Text
from sqlalchemy.exc import DBAPIError

from app import serve as serving
from app.accounts.cli import accounts
from app.core import db
from app.core.journal import Journal, WrongClock, command_actor
from app.core.settings import SECRET_BYTES, Settings, UnsafeSettings, settings
from app.directory.snapshot import MixedData
from app.register.journal_cli import journal
from app.sheets.fhrs import import_fhrs
from app.sheets.files import EVENT_SHEETS, SheetName, export_sheet, import_sheet
from app.sheets.import_report import ImportRejected, ImportReport
from app.sheets.wards import import_wards

_Item = TypeVar("_Item")

cli = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
imports = typer.Typer(no_args_is_help=True)
cli.add_typer(imports, name="import", help="Import a file, after a migration where one is due.")
cli.add_typer(accounts, name="account", help="Who may sign in.")
cli.add_typer(journal, name="journal", help="Who changed what.")

File = Annotated[Path, typer.Argument(metavar="FILE", show_default=False)]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would change; change nothing.")]


@cli.command()
def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port to listen on.")] = 8000,
    workers: Annotated[int, typer.Option(min=1, help="How many processes answer.")] = 1,
) -> None:
    """Bring the database up to date, build the directory, and serve."""
    typer.echo(f"Nearest haven: http://{host}:{port}/v1/havens/nearest?lat=51.5155&lon=-0.0922")
    typer.echo(f"API docs:      http://{host}:{port}/docs")
    serving.serve(settings(), host, port, workers)


@cli.command()
def openapi() -> None:
    """Write the published contract into openapi/."""
    # What these bring with them `serve` must import itself.
    from app import contract  # noqa: PLC0415
    from app.main import create_app  # noqa: PLC0415

    app = create_app(Settings(secret_key=SecretStr("-" * SECRET_BYTES)))
    for path in contract.write(app, Path("openapi")):
        typer.echo(path)


@cli.command()
def migrate(
    revision: Annotated[str, typer.Option(help="The revision to migrate up to.")] = "head",
) -> None:
    """Make the database, or bring it up to date."""
    settings().data_dir.mkdir(parents=True, exist_ok=True)
    db.migrate(settings().database_url, revision)


@imports.command()
def venues(file: File, dry_run: DryRun = False) -> None:
    """Venues from a CSV file: all of them, or none if a cell is bad."""
    _import(partial(import_sheet, SheetName.VENUES, track=_track), file, dry_run)


@imports.command()
def wards(file: File, dry_run: DryRun = False) -> None:
    """Wards from a GeoJSON file, which replace those there were."""
    _import(import_wards, file, dry_run)


@imports.command()
def fhrs(file: File, dry_run: DryRun = False) -> None:
    """Prospects from the food hygiene register, as JSON of its API or its open data file."""
    _import(partial(import_fhrs, track=_track), file, dry_run)


def _command(sheet: SheetName) -> Callable[..., None]:
    def command(file: File, dry_run: DryRun = False) -> None:
        _import(partial(import_sheet, sheet, track=_track), file, dry_run)

    return command


for _sheet in EVENT_SHEETS:
    _about = f"New {_sheet} from a CSV file: all of it, or nothing if a row is bad."
    imports.command(_sheet.value, help=_about)(_command(_sheet))


@cli.command()
def export(
    sheet: Annotated[SheetName, typer.Argument(show_default=False)],
    file: Annotated[str, typer.Argument(metavar="FILE", help="- is standard output.")] = "-",
) -> None:
    """Write a sheet of the register as a CSV file, as an import takes it."""
    engine = db.make_engine(settings().database_url)
    try:
        with db.read_session(engine) as session:
            content = export_sheet(session, sheet)
    finally:
        engine.dispose()
    if file == "-":
        typer.echo(content, nl=False)
    else:
        Path(file).write_bytes(content)


def _import(run: Callable[..., ImportReport], file: Path, dry_run: bool) -> None:
    content = file.read_bytes()
    migrate()
    engine = db.make_engine(settings().database_url)
    try:
        changed = run(
            Journal.of(settings(), engine), content, actor=command_actor(), dry_run=dry_run
        )
    finally:
        engine.dispose()
    _show(changed)


def _track(items: Sequence[_Item]) -> Iterable[_Item]:
    console = Console(stderr=True)
    return track(
        items, "Importing", console=console, transient=True, disable=not console.is_terminal
    )


def _show(report: ImportReport) -> None:
    for reference in report.created:
        _say(f"created {reference}")
    for change in report.updated:
        _say(f"updated {change.reference}: {', '.join(change.columns)}")
    for reference in report.removed:
        _say(f"removed {reference}")
    for reference in report.moved:
        _say(f"in another ward {reference}")
    for reference in report.outside:
        _say(f"outside the wards {reference}")
    for skipped in report.skipped:
        _say(f"skipped {skipped.reference} {skipped.name}: {skipped.reason}")
    for remark in report.remarks:
        _say(f"look at {remark.reference}: {remark.reason}")
    counts = Table(title="What would change" if report.dry_run else "What changed")
    counts.add_column("")
    counts.add_column("number", justify="right")
    counts.add_row("created", str(len(report.created)))
    counts.add_row("updated", str(len(report.updated)))
    counts.add_row("removed", str(len(report.removed)))
    counts.add_row("in another ward", str(len(report.moved)))
    counts.add_row("outside the wards", str(len(report.outside)))
    counts.add_row("unchanged", str(report.unchanged))
    for reason, number in Counter(skipped.reason for skipped in report.skipped).most_common():
        counts.add_row(Text(f"skipped: {reason}"), str(number))
    Console().print(counts)


def _say(line: str, *, err: bool = False) -> None:
    # A file's own control characters must not reach the terminal.
    shown = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
    typer.echo("".join(shown), err=err)


def main() -> None:
    """Run the command; what an operator can mend ends it with a message and status 1."""
    try:
        settings()
    except ValidationError as error:
        sys.exit("\n".join(_setting(one["loc"], one["msg"]) for one in error.errors()))
    except SettingsError as error:
        sys.exit(str(error))
    try:
        cli()
    except ImportRejected as error:
        for cell in error.cells:
            value = f"{cell.value!r} " if cell.value else ""
            _say(f"{cell.where}: {value}{cell.reason}", err=True)
        sys.exit(error.title)
    except OSError as error:
        sys.exit(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except DBAPIError as error:
        sys.exit(f"The database can't be used: {str(error.orig).partition(chr(10))[0]}")
    except (MixedData, UnsafeSettings, WrongClock) as error:
        sys.exit(str(error))
    except CommandError as error:
        sys.exit(f"The database can't be migrated: {error}")


def _setting(location: Sequence[str | int], message: str) -> str:
    name = f"HAVENS_{str(location[0]).upper()}: " if location else ""
    return name + message.removeprefix("Value error, ")
