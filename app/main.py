"""The application: every router on one screen."""

import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Response
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.middleware.cors import CORSMiddleware

from app import errors, logs, metrics, openapi
from app.db import make_engine
from app.directory import render
from app.directory.live import Clock, Directory
from app.directory.routes import health
from app.directory.routes import router as havens
from app.edge import BodyLimit, Measured
from app.settings import Settings
from app.settings import settings as from_environment


def create_app(settings: Settings | None = None, clock: Clock = time.time) -> FastAPI:
    """The service, ready to be started. `clock` gives seconds since 1970."""
    settings = settings or from_environment()
    logs.configure(settings.log_level)
    engine = make_engine(settings.database_url)
    directory = Directory(
        engine, settings.data_dir, demonstration=settings.demonstration, clock=clock
    )

    @asynccontextmanager
    async def follow_the_database(_: FastAPI) -> AsyncIterator[None]:
        directory.restore()
        stop = threading.Event()
        # A thread of its own, and a daemon: a database that hangs can't delay a shutdown.
        follower = threading.Thread(target=directory.follow, args=[stop], daemon=True)
        follower.start()
        yield
        stop.set()
        follower.join(timeout=2)
        engine.dispose()

    app = FastAPI(
        title="Safe Havens",
        version=openapi.VERSION,
        description=openapi.DESCRIPTION,
        lifespan=follow_the_database,
        generate_unique_id_function=lambda route: route.name,
        # A redirect would repeat what was sent, in its Location.
        redirect_slashes=False,
        redoc_url=None,
    )
    app.state.directory = directory
    app.state.help_json = render.help_json(settings.help_contacts)

    app.include_router(havens)  # public
    app.include_router(health)  # public
    app.add_api_route("/metrics", prometheus, include_in_schema=False)  # public, no content

    errors.install(app)
    openapi.install(app)
    app.add_middleware(BodyLimit)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=["*"],
        allow_methods=["GET", "POST"],
        allow_headers=["Content-Type", "If-None-Match"],
        expose_headers=["ETag"],
    )
    app.add_middleware(Measured)
    return app


async def prometheus() -> Response:
    """Metrics of this host's processes."""
    return Response(metrics.exposition(), headers={"Content-Type": CONTENT_TYPE_LATEST})
