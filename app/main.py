"""The application: every router on one screen."""

import hmac
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from fastapi import FastAPI, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from app import contract
from app.accounts.admin_routes import accounts, failed_sign_ins, signed_in
from app.accounts.attempts import Attempts
from app.accounts.lane import Lane
from app.accounts.routes import router as sign_in
from app.accounts.second_factor import SecondFactors
from app.accounts.tokens import Tokens, Unauthorized
from app.audit.calendar_routes import public as calendars
from app.audit.calendar_routes import router as calendar
from app.audit.pack.routes import router as packs
from app.audit.period_routes import router as figures
from app.audit.routes import officers as officers_reports
from app.audit.routes import router as audit
from app.core import errors, logs, metrics
from app.core.db import make_engine
from app.core.journal import Journal
from app.core.settings import Settings
from app.core.settings import settings as from_environment
from app.directory.contacts import Contacts
from app.directory.fetched import directory_of
from app.directory.live import Directory
from app.directory.on_foot import router as on_foot
from app.directory.problem_reports import router as reports
from app.directory.published import Published
from app.directory.published import router as published
from app.directory.read_side import Clock
from app.directory.reporters import Reporters
from app.directory.routes import health
from app.directory.routes import router as havens
from app.feeds.changes import Changes
from app.feeds.changes_routes import router as changes
from app.feeds.followers import Followers
from app.feeds.ogc_routes import licensing as ogc_licensing
from app.feeds.ogc_routes import router as ogc
from app.feeds.oruk_routes import router as oruk
from app.http import database
from app.http.docs import router as docs
from app.http.middleware import CORS, BodyLimit, Cors, Identified, Measured, Normalised
from app.installation import router as installation
from app.outreach.need_routes import router as need
from app.outreach.report_routes import router as report_queue
from app.outreach.routes import router as outreach
from app.outreach.scheme_test_routes import router as scheme_tests
from app.outreach.statement_routes import router as statements
from app.register.journal import router as journal
from app.register.journal_check import router as journal_check
from app.register.search import router as search
from app.reminders.digest import router as digest
from app.schemes import registry
from app.schemes.routes import router as schemes
from app.schemes.season_routes import router as seasons
from app.sheets.routes import router as bulk
from app.training.routes import router as training
from app.venues.address_routes import router as addresses
from app.venues.addresses import Addresses
from app.venues.routes import router as venues
from app.web import errors as page_errors
from app.web.about import router as about
from app.web.assets import assets
from app.web.assets import router as static
from app.web.finder import router as finder
from app.web.havens import router as haven_pages
from app.web.letters import router as letter_pages
from app.web.map import router as map_page
from app.web.offline import router as offline
from app.web.paper.routes import Desk
from app.web.paper.routes import admin as certificates
from app.web.paper.routes import router as paper
from app.web.problem_reports import router as report_pages
from app.web.robots import router as robots
from app.web.sharing import PREFIXES
from app.web.staff.provider import CALLBACK
from app.web.staff.provider import router as provider_sign_in
from app.web.staff.routes import router as staff_pages
from app.web.staff.sign_in import router as staff_sign_in
from app.web.survey import Answerers
from app.web.survey import router as survey_pages
from app.web.verification import router as verification

FOLLOWER = "directory"
"""The thread in which an application follows the database."""


def create_app(
    settings: Settings | None = None,
    clock: Clock = time.time,
    prepare: Callable[[Settings, Journal, Directory], object] | None = None,
) -> FastAPI:
    """The service, ready to be started. `clock` gives seconds since 1970.

    `prepare` does what the start could not do with the database, as soon as that can be used.
    """
    settings = settings or from_environment()
    registry.schemes()  # so that a scheme nobody knows is refused here
    logs.configure(settings.log_level, settings.log_format)
    engine = make_engine(settings.database_url)
    kept = Journal.of(settings, engine)
    directory = directory_of(settings, kept, clock, prepare and partial(prepare, settings, kept))

    @asynccontextmanager
    async def follow_the_database(_: FastAPI) -> AsyncIterator[dict[str, Any]]:
        directory.take_up()
        stop = threading.Event()

        trying = threading.Thread(target=kept.writes.follow, args=(stop,), daemon=True)

        def follow() -> None:
            if settings.has_register:
                trying.start()
            directory.follow(stop)
            if settings.has_register:
                trying.join()
            # Here, for it may go on for longer than it is waited for: a connection that is in use
            # while its engine is disposed of would be closed by nobody.
            directory.close()

        # A thread of its own, and a daemon: a database that hangs can't delay a shutdown.
        follower = threading.Thread(target=follow, name=FOLLOWER, daemon=True)
        follower.start()
        # For `Following`, which answers before any of what follows.
        yield {
            "directory": directory,
            "contacts": app.state.contacts,
            "changes": app.state.changes,
            "followers": app.state.followers,
        }
        stop.set()
        follower.join(timeout=2)

    app = FastAPI(
        title="Safe Havens",
        version=contract.VERSION,
        description=contract.DESCRIPTION,
        lifespan=follow_the_database,
        # A redirect would repeat what was sent, in its Location.
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        # A trace would hold the address, and the position in it.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.settings = settings
    app.state.directory = directory
    app.state.published = Published(settings, directory)
    app.state.changes = Changes(directory)
    app.state.followers = Followers(app.state.changes)
    app.state.journal = kept
    app.state.addresses = Addresses.of(settings, engine)
    app.state.tokens = Tokens.of(settings, clock)
    app.state.turns = database.Turns() if settings.has_register else database.NoTurns()
    app.state.reporters = Reporters(kept)
    app.state.answerers = Answerers()
    app.state.attempts = Attempts(engine, settings.key("attempts"), app.state.tokens.now)
    app.state.lane = Lane()
    app.state.factors = SecondFactors.of(settings)
    app.state.provider = None
    if settings.identity_provider:
        # Brings clients and protocols that a service without one does without.
        from app.accounts.provider import Provider  # noqa: PLC0415

        app.state.provider = Provider(settings.identity_provider, settings.address(CALLBACK), clock)
    app.state.trusted_proxies = settings.trusted_proxies
    app.state.contacts = Contacts(settings.help_contacts)
    app.state.paper = Desk(settings)
    app.state.assets = assets()

    # Included, each would be made a second time, by whichever process is first asked.
    routes = app.router.routes
    routes += havens.routes  # public
    routes += on_foot.routes  # public
    routes += changes.routes  # public
    routes += reports.routes  # public
    routes += health.routes  # public
    routes += published.routes  # public
    routes += paper.routes  # public
    routes += sign_in.routes
    routes += accounts.routes
    routes += signed_in.routes
    routes += failed_sign_ins.routes
    routes += search.routes
    routes += venues.routes
    routes += addresses.routes
    routes += schemes.routes
    routes += seasons.routes
    routes += certificates.routes
    routes += training.routes
    routes += figures.routes  # before the test whose id would be "figures"
    routes += outreach.routes
    routes += scheme_tests.routes
    routes += need.routes
    routes += report_queue.routes
    routes += statements.routes
    routes += digest.routes
    routes += bulk.routes
    routes += journal.routes
    routes += journal_check.routes
    routes += installation.routes
    routes += audit.routes
    routes += officers_reports.routes
    routes += calendar.routes
    routes += calendars.routes  # public, by a secret address
    routes += packs.routes
    routes += oruk.routes  # public
    routes += ogc.routes  # public
    routes += ogc_licensing.routes
    routes += docs.routes  # public
    routes += static.routes  # public
    routes += offline.routes  # public
    routes += finder.routes  # public
    for prefix in PREFIXES:
        app.include_router(haven_pages, prefix=prefix)  # public
        app.include_router(report_pages, prefix=prefix)  # public
        app.include_router(survey_pages, prefix=prefix)  # public
        app.include_router(letter_pages, prefix=prefix)  # public, by a secret address
        app.include_router(map_page, prefix=prefix)  # public
        app.include_router(about, prefix=prefix)  # public
        app.include_router(verification, prefix=prefix)  # public
    routes += robots.routes  # public
    routes += staff_sign_in.routes  # public
    routes += provider_sign_in.routes  # public
    routes += staff_pages.routes
    app.add_api_route("/metrics", prometheus, include_in_schema=False)  # public, by a token

    errors.install(app, page_errors.answer)
    database.install(app, page_errors.answer)
    contract.install(app)
    app.add_middleware(BodyLimit, answer=page_errors.answer)
    app.add_middleware(Cors, **CORS)
    app.add_middleware(Normalised)
    app.add_middleware(Measured)
    app.add_middleware(Identified, proxies=settings.trusted_proxies)
    return app


async def prometheus(request: Request) -> Response:
    """Metrics of this host's processes, for who has the token.

    Raises `NotFound` where none is set, as on a service that nobody watches.
    """
    settings: Settings = request.app.state.settings
    token = settings.metrics_token.get_secret_value()
    if not token:
        raise errors.NotFound
    given = request.headers.get("authorization", "")
    if not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
        raise Unauthorized
    return Response(metrics.exposition(), headers={"Content-Type": CONTENT_TYPE_LATEST})
