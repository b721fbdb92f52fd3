"""The application: every router on one screen."""

import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Response
from prometheus_client import CONTENT_TYPE_LATEST

from app import contract
from app.accounts.attempts import Attempts
from app.accounts.routes import admin as accounts
from app.accounts.routes import router as sign_in
from app.accounts.tokens import Tokens
from app.audit.calendar_routes import public as calendars
from app.audit.calendar_routes import router as calendar
from app.audit.pack.routes import router as packs
from app.audit.period_routes import router as figures
from app.audit.routes import router as audit
from app.core import errors, logs, metrics
from app.core.db import make_engine
from app.core.journal import Journal
from app.core.settings import Settings
from app.core.settings import settings as from_environment
from app.directory import render
from app.directory.live import Clock, Directory
from app.directory.problem_reports import router as reports
from app.directory.routes import health
from app.directory.routes import router as havens
from app.http.docs import router as docs
from app.http.middleware import CORS, BodyLimit, Cors, Measured, Normalised
from app.outreach.report_routes import router as report_queue
from app.outreach.routes import router as outreach
from app.outreach.scheme_test_routes import router as scheme_tests
from app.register.journal import router as journal
from app.register.search import router as search
from app.schemes import registry
from app.schemes.routes import router as schemes
from app.schemes.season_routes import router as seasons
from app.sheets.routes import router as bulk
from app.training.routes import router as training
from app.venues.routes import router as venues


def create_app(settings: Settings | None = None, clock: Clock = time.time) -> FastAPI:
    """The service, ready to be started. `clock` gives seconds since 1970."""
    settings = settings or from_environment()
    registry.schemes()  # so that a scheme nobody knows is refused here
    logs.configure(settings.log_level)
    engine = make_engine(settings.database_url)
    directory = Directory(
        engine,
        settings.data_dir,
        demonstration=settings.demonstration,
        walking_factor=settings.walking_factor,
        clock=clock,
    )

    @asynccontextmanager
    async def follow_the_database(_: FastAPI) -> AsyncIterator[dict[str, Any]]:
        directory.take_up()
        stop = threading.Event()
        # A thread of its own, and a daemon: a database that hangs can't delay a shutdown.
        follower = threading.Thread(target=directory.follow, args=[stop], daemon=True)
        follower.start()
        # For `Shortcut`, which answers before any of what follows.
        yield {"directory": directory, "contacts": app.state.help_json}
        stop.set()
        follower.join(timeout=2)
        engine.dispose()

    app = FastAPI(
        title="Safe Havens",
        version=contract.VERSION,
        description=contract.DESCRIPTION,
        lifespan=follow_the_database,
        generate_unique_id_function=lambda route: route.name,
        # A redirect would repeat what was sent, in its Location.
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        # A trace would hold the address, and the position in it.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.directory = directory
    app.state.journal = Journal.of(settings, engine)
    app.state.tokens = Tokens.of(settings, clock)
    app.state.attempts = Attempts()
    app.state.trusted_proxies = settings.trusted_proxies
    app.state.help_json = render.help_json(settings.help_contacts)

    app.include_router(havens)  # public
    app.include_router(reports)  # public
    app.include_router(health)  # public
    app.include_router(sign_in)
    app.include_router(accounts)
    app.include_router(search)
    app.include_router(venues)
    app.include_router(schemes)
    app.include_router(seasons)
    app.include_router(training)
    app.include_router(figures)  # before the test whose id would be "figures"
    app.include_router(outreach)
    app.include_router(scheme_tests)
    app.include_router(report_queue)
    app.include_router(bulk)
    app.include_router(journal)
    app.include_router(audit)
    app.include_router(calendar)
    app.include_router(calendars)  # public, by a secret address
    app.include_router(packs)
    app.include_router(docs)  # public
    app.add_api_route("/metrics", prometheus, include_in_schema=False)  # public, no content

    errors.install(app)
    contract.install(app)
    app.add_middleware(BodyLimit)
    app.add_middleware(Cors, **CORS)
    app.add_middleware(Normalised)
    app.add_middleware(Measured)
    return app


async def prometheus() -> Response:
    """Metrics of this host's processes."""
    return Response(metrics.exposition(), headers={"Content-Type": CONTENT_TYPE_LATEST})
