"""The `havens` command."""

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, BinaryIO, TypeVar

import typer
from pydantic import SecretStr
from rich.console import Console
from rich.progress import open as open_shown
from rich.progress import track
from rich.table import Table
from rich.text import Text
from sqlalchemy import Engine

import app.audit.models
import app.web.paper.models  # noqa: F401 - every table, for `journal verify`
from app import doctor as findings
from app.accounts.cli import accounts
from app.audit.cover.on_foot import OnFoot
from app.audit.cover.solver import NoSolver, NotPlanned
from app.audit.frame.question import Question, View
from app.audit.frame.report import Column, Mark, tables
from app.audit.reports.plan import MOST, Planning
from app.backup_cli import backup, publish_accepted, restore
from app.core import db
from app.core.backup import BackupError
from app.core.journal import HEAD_FILE, Journal, command_actor, written_in
from app.core.settings import SECRET_BYTES, Settings, settings, wrong_settings
from app.core.trouble import Trouble
from app.endings import MENDED, said_of
from app.http.fields import to_json
from app.publish_cli import keys, publish
from app.register import tidy as tidying
from app.register.journal_cli import accept_rows, journal, opened
from app.reminders import sending as reminding
from app.serve_cli import serve
from app.sheets.fhrs import import_fhrs
from app.sheets.files import EVENT_SHEETS, SheetName, export_sheet, import_sheet
from app.sheets.import_report import ImportRejected, ImportReport
from app.sheets.need import import_need
from app.sheets.wards import import_wards

_Item = TypeVar("_Item")

cli = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
imports = typer.Typer(no_args_is_help=True)
cli.add_typer(imports, name="import", help="Import a file, after a migration where one is due.")
cli.add_typer(accounts, name="account", help="Who may sign in.")
cli.add_typer(journal, name="journal", help="Who changed what.")
cli.command()(serve)
cli.command()(backup)
cli.command()(restore)
cli.command()(keys)
cli.command()(publish)

File = Annotated[Path, typer.Argument(metavar="FILE", show_default=False)]
MaybeFile = Annotated[Path | None, typer.Argument(metavar="FILE", show_default=False)]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would change; change nothing.")]


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
    if not settings().has_register:
        raise Trouble("This host has no register: it has HAVENS_DIRECTORY_URL")
    settings().data_dir.mkdir(parents=True, exist_ok=True)
    db.migrate(settings().database_url, revision)


@contextmanager
def _migrated() -> Iterator[Engine]:
    """The database of this installation, after a migration where one is due."""
    migrate()
    with db.connected(settings().database_url) as engine:
        yield engine


Rows = Annotated[
    bool, typer.Option("--rows", help="Record the rows that differ as they stand, instead.")
]


@journal.command()
def accept(rows: Rows = False) -> None:
    """Take the database as it is for the right one, once you know why it differs from what is kept
    outside of it: the copy of the journal's head is made anew, and the directory published."""
    if rows:
        accept_rows()
        return
    migrate()
    publish_accepted()
    with opened() as record:
        record.accept()
        typer.echo(f"{HEAD_FILE} now knows entries up to {record.covered()}.")


@cli.command()
def doctor() -> None:
    """Say what is wrong here, and what to do: settings, disk, directory, database, clock, journal.

    Exits with 0 when all is well, with 1 when somebody should look, with 2 when something is wrong.
    """
    sys.exit(_report(findings.examine(settings())))


def _report(found: Iterable[findings.Finding]) -> int:
    """Show what was found as it is found; returns how bad the worst of it is."""
    worst = 0
    for subject, severity, says, remedy in found:
        worst = max(worst, severity)
        _say(f"{severity.name.lower() if severity < 2 else severity.name:6}{subject:11}{says}")
        if remedy:
            _say(f"{'':17}→ {remedy}")
    return worst


@cli.command()
def neighbours(
    accept: Annotated[
        str, typer.Option(metavar="NAME", help="Believe what it tells now, however many it is.")
    ] = "",
) -> None:
    """Ask each of HAVENS_NEIGHBOURS now, and say how it stands with them."""
    # Here alone, for nothing else of the commands needs to reach anybody.
    from app.directory.neighbours.fetching import ask_now  # noqa: PLC0415

    if accept and accept not in {neighbour.name for neighbour in settings().neighbours}:
        raise typer.BadParameter(f"HAVENS_NEIGHBOURS has none that is called {accept!r}")
    shown = Table("neighbour", "havens", "as of", "held, because", title="Neighbours")
    for kept, note in ask_now(settings(), accept):
        snapshot = kept.snapshot()
        at = datetime.fromtimestamp(note.confirmed_at, UTC)
        shown.add_row(
            Text(kept.neighbour.name),
            "-" if snapshot is None else str(len(snapshot)),
            "never" if snapshot is None else f"{at:%d %B %Y at %H:%M} UTC",
            note.trouble or "-",
        )
    Console().print(shown)


@cli.command()
def tidy() -> None:
    """Remove what has been kept for long enough, as HAVENS_KEEP_DAYS says; for every day."""
    with _migrated() as engine:
        journal = Journal.of(settings(), engine)
        for kind, number in tidying.tidy(journal, settings().keep_days, command_actor()).items():
            typer.echo(f"{kind.replace('_', ' ')}: {number} removed")
        with db.read_session(engine) as session:
            if number := written_in(session):
                typer.echo(
                    f"{number} entries of the journal from before it kept these apart hold details"
                    " of contacts, which stay."
                )


@cli.command()
def remind() -> None:
    """Write to contacts about what ends soon, and to officers what waits for them; for every day.

    Sends nothing until HAVENS_MAIL_SERVER is set, and nothing twice however often it is run.
    """
    if not settings().mail_server:
        typer.echo("Nothing is sent: HAVENS_MAIL_SERVER is not set.")
        return
    with _migrated() as engine:
        done = reminding.remind(Journal.of(settings(), engine), settings(), command_actor())
    for what, number in (+done).items():
        typer.echo(f"{what}: {number}")


@imports.command()
def venues(file: File, dry_run: DryRun = False) -> None:
    """Venues from a CSV file: all of them, or none if a cell is bad."""
    _import(partial(import_sheet, SheetName.VENUES, track=_track), file, dry_run)


@imports.command()
def wards(file: File, dry_run: DryRun = False) -> None:
    """Wards from a GeoJSON file, which replace those there were."""
    _import(import_wards, file, dry_run)


@imports.command()
def fhrs(
    file: MaybeFile = None,
    authority: Annotated[
        str, typer.Option(help="The code of an authority, as 508, to be read from the register.")
    ] = "",
    from_: Annotated[
        str, typer.Option("--from", metavar="URL", help="Where the register's API is.")
    ] = "",
    dry_run: DryRun = False,
) -> None:
    """Prospects from the food hygiene register: JSON of its API, its open data file, or by address.

    What was read from it is kept for a day: what breaks off goes on where it was.
    """
    _one_of(file, authority, "--authority")
    content = file.read_bytes() if file else _fetched_fhrs(authority, from_)
    _import_content(partial(import_fhrs, track=_track), content, dry_run)


@imports.command()
def need(
    file: MaybeFile = None,
    from_: Annotated[
        str, typer.Option("--from", metavar="URL", help="Where such a file, or an archive, is.")
    ] = "",
    dry_run: DryRun = False,
) -> None:
    """Where help is needed, from the police's street-level CSV or one of weighted points."""
    _one_of(file, from_, "--from")
    content = file.read_bytes() if file else _fetched_need(from_)
    _import_content(partial(import_need, track=_track), content, dry_run)


def _one_of(file: Path | None, address: str, option: str) -> None:
    if (file is None) == (not address):
        raise typer.BadParameter(f"give either a FILE or {option}")


def _fetched_fhrs(authority: str, address: str) -> bytes:
    # Here alone, for nothing else of the commands needs to reach anybody.
    from app.core.download import client_of  # noqa: PLC0415
    from app.sheets.by_address import FHRS, fetch_fhrs  # noqa: PLC0415

    with client_of() as client:
        return fetch_fhrs(
            client, authority, settings().data_dir, base=address or FHRS, track=_track
        )


def _fetched_need(address: str) -> bytes:
    from app.core.download import client_of  # noqa: PLC0415
    from app.sheets.by_address import fetch_need  # noqa: PLC0415

    with client_of() as client:
        return fetch_need(client, address)


@imports.command()
def postcodes(
    files: Annotated[
        list[Path],
        typer.Argument(exists=True, dir_okay=False, metavar="FILE…", show_default=False),
    ],
) -> None:
    """Postcodes near the wards and venues, from the ONS Postcode Directory or Code-Point Open.

    They replace those there were. The finder then knows where each of them is.
    """
    # What reads them loads the National Grid, which nothing else here needs.
    from app.sheets.postcodes import area_of, read_postcodes  # noqa: PLC0415

    with _migrated() as engine, db.read_session(engine) as session:
        area = area_of(session)
    found = read_postcodes(_opened(files), area)
    found.postcodes.write(settings().data_dir)
    for reason, number in sorted(found.left_out.items()):
        typer.echo(f"left out, {reason}: {number}")
    typer.echo(f"{len(found.postcodes.places)} postcodes of the {found.postcodes.about['source']}.")


def _opened(files: Iterable[Path]) -> Iterator[tuple[Path, BinaryIO]]:
    console = Console(stderr=True)
    for path in files:
        with open_shown(
            path, "rb", description=path.name, console=console, transient=True,
            disable=not console.is_terminal,
        ) as file:  # fmt: skip
            yield path, file


@imports.command()
def streets(
    file: File,
    margin: Annotated[
        float, typer.Option(min=0, help="Metres that the streets must reach around the venues.")
    ] = 1000,
) -> None:
    """Streets from an OpenStreetMap extract (.osm.pbf), for minutes on foot over them."""
    # What reads and compiles takes a while to load.
    from app.walking.importing import import_streets  # noqa: PLC0415

    with _migrated() as engine:
        made = import_streets(engine, settings().data_dir, file, margin_m=margin, track=_track)
    kilometres = made.lengths.sum() / 100_000
    typer.echo(
        f"{kilometres:.1f} km of ways, {made.junctions} junctions. © OpenStreetMap contributors"
    )


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
    with db.connected(settings().database_url) as engine, db.read_session(engine) as session:
        content = export_sheet(session, sheet)
    if file == "-":
        typer.echo(content, nl=False)
    else:
        Path(file).write_bytes(content)


@cli.command()
def plan(
    places: Annotated[int, typer.Option(min=1, max=MOST, help="How many places to show.")] = 5,
    minutes: Annotated[int, typer.Option(min=1, max=15, help="How far on foot need is met.")] = 5,
    also: Annotated[
        int | None,
        typer.Option(min=1, max=30, help="Within so many minutes need counts for half; slow."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The whole report, as JSON.")] = False,
) -> None:
    """Which places, as havens, would meet most of where help is needed while they are open."""
    with db.connected(settings().database_url) as engine, db.read_session(engine) as session:
        view = View.of(session, Question(), datetime.now(UTC))
        planning = Planning.read(session, view, OnFoot.of(settings()))
    report = planning.plan(places, [minutes, also] if also else [minutes])
    if as_json:
        typer.echo(to_json(report))
        return
    by_name = {one.name: one for one in tables(report)}
    total, places_, steps = (by_name[name] for name in ("total", "places", "steps"))
    of_place = ("reference", "name", "category", "hours", "hours_are", "gain", "chosen_again")
    in_all = Table(title=total.title, show_header=False)
    for column, value in zip(total.columns, total.values()[0], strict=True):
        in_all.add_row(column.title, _cell(column, value))
    console = Console()
    console.print(in_all)
    for one in (places_, steps):
        columns = [c for c in one.columns if one is steps or c.name in of_place]
        shown = Table(*(column.title for column in columns), title=one.title)
        for row in one.rows:
            shown.add_row(*(_cell(column, getattr(row, column.name)) for column in columns))
        console.print(shown)


def _cell(column: Column, value: object) -> Text:
    if value is None:
        return Text("-")
    if isinstance(value, float) and Mark.PERCENT in column.marks:
        return Text(f"{value:.1%}")
    return Text(", ".join(map(str, value)) if isinstance(value, list) else str(value))


def _import(run: Callable[..., ImportReport], file: Path, dry_run: bool) -> None:
    _import_content(run, file.read_bytes(), dry_run)


def _import_content(run: Callable[..., ImportReport], content: bytes, dry_run: bool) -> None:
    with _migrated() as engine:
        changed = run(
            Journal.of(settings(), engine), content, actor=command_actor(), dry_run=dry_run
        )
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
    if wrong := wrong_settings():
        if sys.argv[1:2] != ["doctor"]:
            sys.exit("\n".join(wrong))
        remedy = "Correct what is named, and ask again: nothing else was looked at."
        sys.exit(_report(findings.wrong("settings", says, remedy) for says in wrong))
    # The register and its secret are nobody else's on this machine, whatever is made of them.
    os.umask(0o077)
    try:
        cli()
    except ImportRejected as error:
        for cell in error.cells:
            value = f"{cell.value!r} " if cell.value else ""
            _say(f"{cell.where}: {value}{cell.reason}", err=True)
        if error.more:
            _say(f"and {error.more} more bad cells", err=True)
        sys.exit(error.title)
    except (BackupError, NoSolver, NotPlanned) as error:
        sys.exit(str(error))
    except MENDED as error:
        sys.exit(said_of(error))
