"""The `havens` command before it knows which one is meant.

All of them together import most of the code and take seconds to. Who only looks for the name of one
should not wait for that, nor should a service carry what only other commands need.
"""

import sys

COMMANDS = {
    "serve": "Bring the database up to date, build the directory, and serve.",
    "backup": "Write all of the register into one file, signed, without a secret; the service goes"
    " on.",
    "restore": "Put a backup in place of all that the database holds, once it proved whole.",
    "keys": "Make a pair of keys: one signs the directory that is published, one believes it.",
    "publish": "Follow the database, and keep a folder in which the newest directory lies, signed.",
    "openapi": "Write the published contract into openapi/.",
    "migrate": "Make the database, or bring it up to date.",
    "doctor": "Say what is wrong here, and what to do: settings, disk, directory, database, clock,"
    " journal.",
    "neighbours": "Ask each of HAVENS_NEIGHBOURS now, and say how it stands with them.",
    "tidy": "Remove what has been kept for long enough, as HAVENS_KEEP_DAYS says; for every day.",
    "remind": "Write to contacts about what ends soon, and to officers what waits for them; for"
    " every day.",
    "export": "Write a sheet of the register as a CSV file, as an import takes it.",
    "plan": "Which places, as havens, would meet most of where help is needed while they are open.",
    "import": "Import a file, after a migration where one is due.",
    "account": "Who may sign in.",
    "journal": "Who changed what.",
}
"""What `havens --help` says of each, as each says it itself."""


def main() -> None:
    """Run a command, with what that one needs."""
    match sys.argv[1:]:
        case [] | ["--help"]:
            _show_commands()
        case ["serve", *_]:
            from app.serve_cli import main as serve  # noqa: PLC0415

            serve()
        case _:
            from app.cli import main as others  # noqa: PLC0415

            others()


def _show_commands() -> None:
    import typer  # noqa: PLC0415

    shown = typer.Typer(no_args_is_help=True, add_completion=False)
    for name, says in COMMANDS.items():
        shown.command(name, help=says)(lambda: None)
    shown()
