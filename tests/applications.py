"""The application, made anew for a test without doing again what comes out the same."""

import threading
import time
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute

from app.core.journal import Journal
from app.core.settings import Settings
from app.directory.engine.search import Search
from app.directory.fetched import Fetched
from app.directory.live import Directory
from app.directory.read_side import Clock
from app.main import create_app

_routes: list[BaseRoute] = []


class _AskedDirectory(Directory):
    """Follows the database from the first question to it.

    Most tests ask none, and to build a directory takes a third of their time.
    """

    def __init__(self, *args: Any, **details: Any) -> None:
        self._asked = threading.Event()
        super().__init__(*args, **details)

    @property
    def search(self) -> Search:
        self._asked.set()
        return super().search

    def follow(self, stop: threading.Event) -> None:
        while not self._asked.wait(0.02):
            if stop.is_set():
                return
        super().follow(stop)


def application(
    settings: Settings,
    clock: Clock = time.time,
    prepare: Callable[[Settings, Journal, Directory], object] | None = None,
) -> FastAPI:
    """The application of some settings, with the routes of the first one of this process.

    They are the same in every application, and what each takes is worked out when it is first
    asked for, which takes longer than most tests. It also changes the filters of warnings for a
    moment, which are the whole process's: here no service runs yet in a thread of its own.
    """
    with patch("app.directory.fetched.Directory", _AskedDirectory):
        app = create_app(settings, clock, prepare)
    assert isinstance(app.state.directory, _AskedDirectory | Fetched)
    if not _routes:
        list(iter_route_contexts(app.routes))
        _routes.extend(app.routes)
    app.router.routes[:] = _routes
    return app
