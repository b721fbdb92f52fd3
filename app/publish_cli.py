"""`havens keys` and `havens publish`: the directory for hosts that answer without a database."""

import os
import signal
import threading
from pathlib import Path
from typing import Annotated

import typer

from app.core import db, logs
from app.core.journal import Journal
from app.core.settings import UnsafeSettings, settings
from app.directory.fetched import directory_of
from app.directory.live import POLL_SECONDS
from app.directory.publication import new_keys
from app.directory.published import Published
from app.directory.read_side import NotReady

Folder = Annotated[Path, typer.Argument(metavar="FOLDER", file_okay=False, show_default=False)]
Once = Annotated[bool, typer.Option("--once", help="Publish what there is now, and end.")]


def keys() -> None:
    """Make a pair of keys: one signs the directory that is published, one believes it.

    To change keys, have hosts believe both, then sign with the new one, then take the old one away.
    """
    private, public = new_keys()
    typer.echo("# Secret, on the host that publishes alone:")
    typer.echo(f"HAVENS_PUBLISHING_KEY={private}")
    typer.echo("# On every host that has HAVENS_DIRECTORY_URL:")
    typer.echo(f"HAVENS_DIRECTORY_KEYS={public}")


def publish(folder: Folder, once: Once = False) -> None:
    """Follow the database, and keep a folder in which the newest directory lies, signed.

    Any web server or object store that hands the folder out is a HAVENS_DIRECTORY_URL.
    """
    if not settings().publishing_key:
        raise UnsafeSettings("HAVENS_PUBLISHING_KEY is not set: havens keys makes one")
    logs.configure(settings().log_level, settings().log_format)
    # Whoever hands it out may read it: it is for everybody.
    os.umask(0o022)
    folder.mkdir(parents=True, exist_ok=True)
    with db.connected(settings().database_url) as engine:
        directory = directory_of(settings(), Journal.of(settings(), engine))
        published = Published(settings(), directory)
        if once:
            directory.refresh()
            published.write(folder)
            return
        stop = threading.Event()
        for end in (signal.SIGTERM, signal.SIGINT):
            signal.signal(end, lambda *_: stop.set())
        following = threading.Thread(target=directory.follow, args=(stop,))
        following.start()
        while not stop.wait(POLL_SECONDS):
            try:
                published.write(folder)
            except NotReady:
                continue  # why, the log says
            except OSError as error:
                directory.tell(error)
        following.join()
