"""Measure "five nearest open now" against routes that return the same bytes, then the register.

`python -m tests.bench nearest` or `register` measures just that. For the nearest, everything runs
on this machine, one process each, in turn: ours, A (a bare ASGI route), B (a FastAPI route with
validated parameters). Quote the ratios: machines differ, and are noisy.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple
from urllib.request import urlopen

from rich.console import Console
from rich.table import Table

from tests.bench import register
from tests.bench.venues import LAT, LON, fill

ROUNDS = 5
SECONDS = 4
CONNECTIONS = 32
SIZES = (60, 100_000)
QUESTION = "/v1/havens/nearest?lat=51.5155&lon=-0.0922&limit=5"
ASK = f"""
math.randomseed(1)
request = function()
  local lat = {LAT[0]} + math.random() * {LAT[1] - LAT[0]}
  local lon = {LON[0]} + math.random() * {LON[1] - LON[0]}
  return wrk.format("GET", string.format("/v1/havens/nearest?lat=%.6f&lon=%.6f&limit=5", lat, lon))
end
"""


class Run(NamedTuple):
    """One round against one server."""

    per_second: float
    p50_ms: float
    p99_ms: float


def main() -> None:
    """Run the benchmarks that are named, or all."""
    benchmarks = {"nearest": nearest, "register": register.main}
    asked = sys.argv[1:] or list(benchmarks)
    if unknown := set(asked) - set(benchmarks):
        sys.exit(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(benchmarks)}")
    for name in asked:
        benchmarks[name]()


def nearest() -> None:
    """Print one table per size."""
    if shutil.which("wrk") is None:
        sys.exit("wrk is needed: on Debian and Ubuntu, apt-get install wrk")
    with tempfile.TemporaryDirectory() as folder:
        for size in SIZES:
            Console().print(_measured(Path(folder), size))


def _measured(folder: Path, size: int) -> Table:
    with ExitStack() as servers:
        urls = {"ours": servers.enter_context(_ours(folder / str(size), size))}
        body = folder / "body"
        body.write_bytes(_get(urls["ours"] + QUESTION))
        for name, app in (("A", "bare"), ("B", "framework")):
            urls[name] = servers.enter_context(_reference(app, body))
        script = folder / "ask.lua"
        script.write_text(ASK)
        runs: dict[str, list[Run]] = {name: [] for name in urls}
        for _ in range(ROUNDS):
            for name, url in urls.items():
                runs[name].append(_wrk(url, script))
    return _table(size, len(body.read_bytes()), runs)


def _table(size: int, length: int, runs: dict[str, list[Run]]) -> Table:
    table = Table(title=f"{size:,} venues, {CONNECTIONS} connections, answers of {length:,} bytes")
    for column in ("", "answers/s", "÷ A", "÷ B", "p50 ms", "p99 ms"):
        table.add_column(column, justify="right")
    for name, several in runs.items():
        ratios = [
            median(
                ours.per_second / theirs.per_second
                for ours, theirs in zip(several, other, strict=True)
            )
            for other in (runs["A"], runs["B"])
        ]
        figures = [median(figure) for figure in zip(*several, strict=True)]
        table.add_row(
            name,
            f"{figures[0]:,.0f}",
            *(f"{ratio:.2f}" for ratio in ratios),
            *(f"{figure:.2f}" for figure in figures[1:]),
        )
    return table


@contextmanager
def _ours(folder: Path, size: int) -> Iterator[str]:
    folder.mkdir()
    fill(f"sqlite:///{folder / 'havens.sqlite'}", size)
    environment = {"HAVENS_DATA_DIR": str(folder), "HAVENS_ENVIRONMENT": "demo"}
    havens = str(Path(sys.executable).with_name("havens"))
    with _server([havens, "serve"], environment) as url:
        yield url


@contextmanager
def _reference(app: str, body: Path) -> Iterator[str]:
    uvicorn = [sys.executable, "-m", "uvicorn", f"tests.bench.reference:{app}", "--no-access-log"]
    with _server([*uvicorn, "--loop", "uvloop"], {"BENCH_BODY": str(body)}) as url:
        yield url


@contextmanager
def _server(command: list[str], environment: dict[str, str]) -> Iterator[str]:
    """Start a server on a free port, wait until it answers, and stop it by its process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [*command, "--port", str(port)],
        env=os.environ | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_for(url + QUESTION, process)
        yield url
    finally:
        process.terminate()
        process.wait()


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        if process.poll() is not None:
            sys.exit(f"a server ended with status {process.returncode}")
        try:
            _get(url)
        except OSError:
            time.sleep(0.5)
        else:
            return
    sys.exit("a server did not answer within five minutes")


def _get(url: str) -> bytes:
    with urlopen(url) as answer:  # noqa: S310  our own servers, over http
        content: bytes = answer.read()
    return content


def _wrk(url: str, script: Path) -> Run:
    ran = subprocess.run(
        ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}", "--latency", "-s", str(script), url],
        capture_output=True,
        text=True,
        check=True,
    )
    if "Non-2xx" in ran.stdout or "Socket errors" in ran.stdout:
        sys.exit(f"not every answer was good:\n{ran.stdout}")
    rate = re.search(r"Requests/sec: +([0-9.]+)", ran.stdout)
    p50, p99 = (re.search(rf"{share}% +([0-9.]+)(us|ms|s)", ran.stdout) for share in (50, 99))
    if not (rate and p50 and p99):
        sys.exit(f"wrk said something else:\n{ran.stdout}")
    return Run(float(rate[1]), _ms(p50), _ms(p99))


def _ms(found: re.Match[str]) -> float:
    return float(found[1]) * {"us": 0.001, "ms": 1, "s": 1000}[found[2]]


if __name__ == "__main__":
    main()
