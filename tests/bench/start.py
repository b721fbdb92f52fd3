"""Measure what the command and a service take to begin, and the memory that a service keeps."""

import os
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from statistics import median

import psutil

from tests.bench.report import say, table
from tests.bench.servers import APPLICATION, KEEPS_BYTECODE, Server, beginning, get, ours
from tests.bench.venues import SHUT_AT_NIGHT, fill

SIZE, ROUNDS = 60, 5
SETTLED_SECONDS = 5
"""After its first answer a process has ready what builds the next directory."""


def main() -> None:
    """Print a line for the command, and one for each number of workers."""
    helped = [_helped() for _ in range(ROUNDS)]
    rows = [("havens --help", *_medians(helped), "")]
    with tempfile.TemporaryDirectory(prefix="havens-bench-") as temporary:
        folder = Path(temporary)
        fill(f"sqlite:///{folder}/havens.sqlite", SIZE, SHUT_AT_NIGHT)
        with ours(folder):
            pass  # compiles, and writes the directory
        for workers, what in ((1, "one worker"), (2, "two workers")):
            first, rest, memory = [], [], 0.0
            for _ in range(ROUNDS):
                began = time.monotonic()
                with beginning(folder, workers) as server:
                    first.append((server.start_seconds, _processor_seconds(server)))
                    get(f"{server.url}{APPLICATION}")
                    rest.append((time.monotonic() - began, _processor_seconds(server)))
                    time.sleep(SETTLED_SECONDS)
                    memory = max(memory, _megabytes(server))
            rows.append((f"first answer of {what}", *_medians(first), ""))
            rows.append((f"any answer of {what}", *_medians(rest), f"{memory:.0f}"))
    table(f"Beginning, {SIZE} venues, {ROUNDS} runs", ("", "s", "processor s", "MB"), rows)
    say("First: for the nearest havens, by a process that is gone when any is answered.")
    say("MB: the most PSS of all processes together, a while after the first answer.")


def _helped() -> tuple[float, float]:
    havens = str(Path(sys.executable).with_name("havens"))
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    environment = os.environ | KEEPS_BYTECODE
    subprocess.run([havens, "--help"], stdout=subprocess.DEVNULL, check=True, env=environment)
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _processor_seconds(server: Server) -> float:
    found = 0.0
    for process in server.processes:
        with suppress(psutil.NoSuchProcess):
            taken = process.cpu_times()
            found += taken.user + taken.system
    return found


def _megabytes(server: Server) -> float:
    return sum(process.memory_full_info().pss for process in server.processes) / 2**20


def _medians(measured: list[tuple[float, float]]) -> tuple[str, ...]:
    return tuple(f"{median(figures):.2f}" for figures in zip(*measured, strict=True))
