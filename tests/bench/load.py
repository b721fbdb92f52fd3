"""Driving servers with wrk, and comparing what it says."""

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from itertools import count
from statistics import median
from typing import NamedTuple

from tests.bench.servers import Server
from tests.bench.venues import LAT, LON

CONNECTIONS = 32
ASK = "/v1/havens/nearest?lat={lat}&lon={lon}&limit=5"
"""The path of a question; wrk fills in a place in the City each time."""

_SEEDS = count(1)
"""Another one for each round, so that no place is asked about twice."""

_SCRIPT = """
math.randomseed({seed})
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
    user_us: float
    system_us: float
    """Of the processor's time, for each answer: in all processes of the server together."""

    @property
    def processor_us(self) -> float:
        return self.user_us + self.system_us


def need_wrk() -> None:
    """Leave when there is no wrk."""
    if shutil.which("wrk") is None:
        sys.exit("wrk is needed: on Debian and Ubuntu, apt-get install wrk")


def drive(server: Server, seconds: float, ask: str = ASK, connections: int = CONNECTIONS) -> Run:
    """Ask a server as fast as it answers, from so many connections."""
    script = _SCRIPT.format(
        seed=next(_SEEDS),
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
        before = server.processor_seconds()
        ran = subprocess.run(
            [*command, "-s", file.name, server.url], capture_output=True, text=True, check=True
        )
        spent = server.processor_seconds()
    if "Non-2xx" in ran.stdout or "Socket errors" in ran.stdout:
        sys.exit(f"not every answer of {server.url}{ask} was good:\n{ran.stdout}")
    answers = re.search(r"([0-9]+) requests in ", ran.stdout)
    rate = re.search(r"Requests/sec: +([0-9.]+)", ran.stdout)
    p50, p99 = (re.search(rf"{share}% +([0-9.]+)(us|ms|s)", ran.stdout) for share in (50, 99))
    if not (answers and rate and p50 and p99):
        sys.exit(f"wrk said something else:\n{ran.stdout}")
    user, system = (1e6 * (b - a) / int(answers[1]) for a, b in zip(before, spent, strict=True))
    return Run(float(rate[1]), _ms(p50), _ms(p99), user, system)


def middle(runs: Sequence[Run]) -> Run:
    """The median of each figure."""
    return Run(*map(median, zip(*runs, strict=True)))


def ratio(ours: Sequence[Run], theirs: Sequence[Run]) -> float:
    """The median of the ratios of rounds that were driven one after the other."""
    return median(a.per_second / b.per_second for a, b in zip(ours, theirs, strict=True))


def processor_ratio(ours: Sequence[Run], theirs: Sequence[Run]) -> float:
    """The same of the processor's time for an answer, of which the load of a machine changes
    little."""
    return median(a.processor_us / b.processor_us for a, b in zip(ours, theirs, strict=True))


def _ms(found: re.Match[str]) -> float:
    return float(found[1]) * {"us": 0.001, "ms": 1, "s": 1000}[found[2]]
