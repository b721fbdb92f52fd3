"""Driving servers with wrk, and comparing what it says."""

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from tests.bench.venues import LAT, LON

CONNECTIONS = 32
ASK = "/v1/havens/nearest?lat={lat}&lon={lon}&limit=5"
"""The path of a question; wrk fills in a place in the City each time."""

_SCRIPT = """
math.randomseed(1)
request = function()
  local lat = {south} + math.random() * {height}
  local lon = {west} + math.random() * {width}
  return wrk.format("GET", string.format("{path}", lat, lon))
end
"""


class Run(NamedTuple):
    """One round against one server."""

    per_second: float
    p50_ms: float
    p99_ms: float


def need_wrk() -> None:
    """Leave when there is no wrk."""
    if shutil.which("wrk") is None:
        sys.exit("wrk is needed: on Debian and Ubuntu, apt-get install wrk")


def drive(url: str, seconds: float, ask: str = ASK, connections: int = CONNECTIONS) -> Run:
    """Ask a server as fast as it answers, from so many connections."""
    script = _SCRIPT.format(
        south=LAT[0],
        height=LAT[1] - LAT[0],
        west=LON[0],
        width=LON[1] - LON[0],
        path=ask.replace("%", "%%").format(lat="%.6f", lon="%.6f"),
    )
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script)
        file.flush()
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}", "--latency"]
        ran = subprocess.run(
            [*command, "-s", file.name, url], capture_output=True, text=True, check=True
        )
    if "Non-2xx" in ran.stdout or "Socket errors" in ran.stdout:
        sys.exit(f"not every answer of {url}{ask} was good:\n{ran.stdout}")
    rate = re.search(r"Requests/sec: +([0-9.]+)", ran.stdout)
    p50, p99 = (re.search(rf"{share}% +([0-9.]+)(us|ms|s)", ran.stdout) for share in (50, 99))
    if not (rate and p50 and p99):
        sys.exit(f"wrk said something else:\n{ran.stdout}")
    return Run(float(rate[1]), _ms(p50), _ms(p99))


def middle(runs: Sequence[Run]) -> Run:
    """The median of each figure."""
    return Run(*map(median, zip(*runs, strict=True)))


def ratio(ours: Sequence[Run], theirs: Sequence[Run]) -> float:
    """The median of the ratios of rounds that were driven one after the other."""
    return median(a.per_second / b.per_second for a, b in zip(ours, theirs, strict=True))


def _ms(found: re.Match[str]) -> float:
    return float(found[1]) * {"us": 0.001, "ms": 1, "s": 1000}[found[2]]
