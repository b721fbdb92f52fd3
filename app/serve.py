"""Serving, in one process or in several."""

import os
import shutil
from multiprocessing import get_context

import uvicorn
import uvicorn._subprocess

from app.core import logs
from app.core.settings import Settings


def serve(settings: Settings, host: str, port: int, workers: int) -> None:
    """Prepare, then serve until told to stop."""
    logs.configure(settings.log_level)
    if workers > 1:
        # Workers that began with nothing would each import for two seconds, one that replaces a
        # dead one too.
        uvicorn._subprocess.spawn = get_context("fork")  # type: ignore[assignment]  # noqa: SLF001
        folder = settings.data_dir / "metrics"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
    # Brings what counts, which reads that as it is imported.
    from app.start import prepare  # noqa: PLC0415

    prepare(settings)
    if workers > 1:
        from prometheus_client.multiprocess import mark_process_dead  # noqa: PLC0415

        # This process answers nothing, and what it says of its directory counts for nothing.
        mark_process_dead(os.getpid())  # type: ignore[no-untyped-call]
    uvicorn.run(
        "app.start:started_app",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        loop="uvloop",
        http="app.directory.shortcut:Shortcut",
        access_log=False,
        log_config=None,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=10,
        # On a busy machine a worker may be held up for longer than the usual five seconds.
        timeout_worker_healthcheck=60,
    )
