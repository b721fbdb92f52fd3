"""`havens serve`, and what it takes to begin with it: no more, for the processes that answer are
made of this one."""

import os
import sys
from typing import Annotated

import typer

from app import serve as serving
from app.core.settings import settings, wrong_settings


def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port to listen on.")] = 8000,
    workers: Annotated[int, typer.Option(min=1, help="How many processes answer.")] = 1,
) -> None:
    """Bring the database up to date, build the directory, and serve."""
    typer.echo(f"Finder:        http://{host}:{port}/")
    typer.echo(f"Console:       http://{host}:{port}/console")
    typer.echo(f"Nearest haven: http://{host}:{port}/v1/havens/nearest?lat=51.5155&lon=-0.0922")
    typer.echo(f"API docs:      http://{host}:{port}/docs")
    serving.serve(settings(), host, port, workers)


def main() -> None:
    """Run the command as `app.cli` does, without the others."""
    if wrong := wrong_settings():
        sys.exit("\n".join(wrong))
    os.umask(0o077)
    alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    alone.command()(serve)
    try:
        alone(args=sys.argv[2:], prog_name="havens serve")
    except Exception as error:
        # Brings what knows a database's errors, which the first answers do without.
        from app.endings import MENDED, said_of  # noqa: PLC0415

        if not isinstance(error, MENDED):
            raise
        sys.exit(said_of(error))
