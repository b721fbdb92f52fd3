"""500 who follow the changes, while others ask for the nearest haven.

    python -m tests.drills.followers [--rounds 5]

One process of the service with the demonstration. In turn with followers and without, the same
questions are asked, and the processor's time for an answer compared; all that the followers cost
meanwhile counts, too. Leaves with 1 unless an answer costs at most a twentieth more with them, and
each of them was told of a change within two seconds.
"""

import argparse
import asyncio
import json
import multiprocessing
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from http.client import HTTPConnection
from multiprocessing.queues import Queue
from pathlib import Path
from statistics import median

import httpx

from tests.bench.report import begin, say, table
from tests.bench.servers import QUESTION, Server, get, ours
from tests.servers import METRICS, METRICS_TOKEN

FOLLOWERS = 500
ASKED = 3000
SOON_SECONDS = 2
DEARER = 1.05


async def follow(port: int, cursor: str, told: "Queue[float]") -> None:
    """Wait for one change after the other, and say when each was told."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while True:
        path = f"/v1/changes?since={cursor}&wait=30"
        writer.write(f"GET {path} HTTP/1.1\r\nHost: drill.test\r\n\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
        answer = json.loads(await reader.readexactly(int(length)))
        if answer["cursor"] != cursor:
            cursor = answer["cursor"]
            told.put(time.time())


def follow_all(port: int, cursor: str, told: "Queue[float]") -> None:
    """All of them, until the process is ended."""

    async def together() -> None:
        await asyncio.gather(*(follow(port, cursor, told) for _ in range(FOLLOWERS)))

    asyncio.run(together())


def waiting(server: Server) -> int:
    """How many follow at the moment."""
    lines = httpx.get(f"{server.url}/metrics", headers=METRICS).raise_for_status().text.splitlines()
    return sum(int(float(line.split()[1])) for line in lines if line.startswith("havens_followers"))


def cost_ms(server: Server) -> float:
    """What an answer takes of the processor, all else that the service does meanwhile included."""
    with closing(HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection:
        before = seconds(server)
        for _ in range(ASKED):
            connection.request("GET", QUESTION)
            connection.getresponse().read()
        return 1000 * (seconds(server) - before) / ASKED


def seconds(server: Server) -> float:
    """The processor's time that the service has had so far."""
    return sum(sum(process.cpu_times()[:2]) for process in server.processes)


def told_after(folder: Path, told: "Queue[float]") -> float:
    """Change a name; the seconds until the last of the followers knew."""
    database = sqlite3.connect(folder / "havens.sqlite", isolation_level=None, timeout=10)
    began = time.time()
    with closing(database) as connection:
        connection.execute("UPDATE venue SET name = name || '!' WHERE reference = 'DEMO-001'")
    return max(told.get(timeout=60) for _ in range(FOLLOWERS)) - began


def main() -> None:
    """Print what an answer costs with followers and without, and when they were told."""
    parser = argparse.ArgumentParser(prog="python -m tests.drills.followers")
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    begin()
    alone, followed, late = [], [], []
    with (
        tempfile.TemporaryDirectory(prefix="havens-drill-") as name,
        ours(folder := Path(name), HAVENS_METRICS_TOKEN=METRICS_TOKEN) as server,
    ):
        cost_ms(server)  # warms up
        for _ in range(rounds):
            alone.append(cost_ms(server))
            cursor = json.loads(get(f"{server.url}/v1/changes"))["cursor"]
            told: Queue[float] = multiprocessing.Queue()
            crowd = multiprocessing.Process(target=follow_all, args=(server.port, cursor, told))
            crowd.start()
            try:
                while waiting(server) < FOLLOWERS:
                    time.sleep(0.1)
                followed.append(cost_ms(server))
                late.append(told_after(folder, told))
            finally:
                crowd.terminate()
                crowd.join()
            while waiting(server):
                time.sleep(0.1)
    table(
        f"{ASKED} questions with and without {FOLLOWERS} followers, {rounds} rounds",
        ["", "median", "least", "most"],
        [
            [what, *(f"{value:.3f}" for value in (median(of), min(of), max(of)))]
            for what, of in (
                ("processor ms an answer, alone", alone),
                ("with followers", followed),
                ("seconds until the last was told", late),
            )
        ],
    )
    ratio = median(followed) / median(alone)
    say(f"With followers an answer costs {ratio:.2f} times as much.")
    sys.exit(ratio > DEARER or median(late) > SOON_SECONDS)


if __name__ == "__main__":
    main()
