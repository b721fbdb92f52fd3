"""What operators can watch. No label and no value ever holds what somebody sent."""

import os
import time
from functools import cache
from pathlib import Path

from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

REQUESTS = Counter("havens_requests", "Requests answered", ["method", "route", "status"])
REFUSED = Counter(
    "havens_connections_refused",
    "Connections refused, or let go, for what a client did",
    ["reason"],
)
PASSWORDS = Counter(
    "havens_passwords", "Passwords tried: right, wrong, throttled, or busy with others", ["outcome"]
)
SECONDS = Histogram(
    "havens_request_seconds",
    "Time to answer",
    ["route"],
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5),
)
DIRECTORY_AGE = Gauge(
    "havens_directory_age_seconds",
    "Since the oldest process last confirmed its directory against the database",
    multiprocess_mode="livemax",
)
DIRECTORY_VERSION = Gauge(
    "havens_directory_version", "Version of the directory", multiprocess_mode="livemin"
)
DIRECTORY_HAVENS = Gauge(
    "havens_directory_havens", "Havens in the directory", multiprocess_mode="livemin"
)
NEIGHBOUR_AGE = Gauge(
    "havens_neighbour_age_seconds",
    "Since a neighbour last confirmed what is shown of it",
    ["neighbour"],
    multiprocess_mode="livemax",
)
NEIGHBOUR_HELD = Gauge(
    "havens_neighbour_held",
    "Whether a neighbour is held at an older state, for what it tells or because it is down",
    ["neighbour"],
    multiprocess_mode="livemax",
)

FOLLOWERS = Gauge(
    "havens_followers", "Programs that wait for the next change", multiprocess_mode="livesum"
)


def measure(method: str, route: str, status: int, began: float) -> None:
    """Count an answer, and how long it took since `began` by `time.perf_counter`."""
    _requests(method, route, status).inc()
    _seconds(route).observe(time.perf_counter() - began)


# To look a metric up by its labels takes longer than to count.
@cache
def _requests(method: str, route: str, status: int) -> Counter:
    return REQUESTS.labels(method, route, status)


@cache
def _seconds(route: str) -> Histogram:
    return SECONDS.labels(route)


def exposition() -> bytes:
    """All metrics as Prometheus reads them, summed over the processes of this host."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(REGISTRY)
    _forget_dead_processes(Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]))
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


def _forget_dead_processes(folder: Path) -> None:
    # What a killed worker last said of its directory would count for ever.
    for file in folder.glob("gauge_live*.db"):
        try:
            os.kill(int(file.stem.rpartition("_")[2]), 0)
        except ProcessLookupError:
            file.unlink(missing_ok=True)
