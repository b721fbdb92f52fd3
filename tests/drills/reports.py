"""A flood of problem reports, from one address and from 1,000, while others report in earnest.

    python -m tests.drills.reports [--seconds 180]

One process of the service behind a proxy of ours, which says where each report comes from. Leaves
with 1 unless, in each flood, somebody who reports one haven after the other, each from an address
of their own, had every haven's report taken, the public got all that it asked for, and the officer
could resolve what was set apart.
"""

import argparse
import asyncio
import json
import multiprocessing
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from itertools import count, cycle
from pathlib import Path

import httpx

from app.accounts.demo import FILE as PASSWORDS
from app.outreach.reports import RESOLVED_AT_ONCE
from tests.bench.report import begin, say, table
from tests.bench.servers import Server, get, ours
from tests.drills.connections import watch

AT_ONCE = 50
FLOODS = {"from one address": 1, "from 1,000 addresses": 1000}
EVERY_SECONDS = 0.5
QUEUE = "/v1/admin/problem-reports"


async def report(port: int, address: str, haven: str) -> int:
    """The status of a report from an address, on a connection of its own."""
    body = '{"kind": "closed", "comment": "Locked"}'
    head = (
        f"POST /v1/havens/{haven}/problem-reports HTTP/1.1\r\nHost: drill.test\r\n"
        "Connection: close\r\nContent-Type: application/json\r\n"
        f"X-Forwarded-For: {address}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    async with asyncio.timeout(60):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write((head + body).encode())
        answer = await reader.read()
        writer.close()
    return int(answer.split()[1])


def flood(port: int, name: str, havens: Sequence[str]) -> None:
    """Report every haven again and again, many at a time, until the process is ended."""
    addresses = [f"203.{number // 250}.113.{number % 250}" for number in range(FLOODS[name])]
    # All pairs in the end: what each sends next is about another haven.
    sent = zip(cycle(addresses), cycle(havens), strict=False)

    async def send() -> None:
        for address, haven in sent:
            await report(port, address, haven)

    async def all_of_them() -> None:
        await asyncio.gather(*(send() for _ in range(AT_ONCE)))

    asyncio.run(all_of_them())


async def in_earnest(
    port: int, havens: Sequence[str], seconds: float, place: int
) -> tuple[Counter[int], set[str], float]:
    """What honest reports are answered, which havens' were taken, and the slowest's seconds."""
    said, taken, slowest, asking = Counter[int](), set(), 0.0, set()
    every = min(EVERY_SECONDS, seconds / len(havens))

    async def one(number: int, haven: str) -> None:
        nonlocal slowest
        began = time.perf_counter()
        status = await report(port, f"2001:db8:{place:x}:{number:x}::1", haven)
        said[status] += 1
        slowest = max(slowest, time.perf_counter() - began)
        if status == 202:
            taken.add(haven)

    until = time.perf_counter() + seconds
    for number, haven in zip(count(), cycle(havens), strict=False):
        if time.perf_counter() > until and number >= len(havens):
            break
        asking.add(asyncio.create_task(one(number, haven)))
        await asyncio.sleep(every)
    await asyncio.gather(*asking)
    return said, taken, slowest


def resolved(server: Server, password: str) -> tuple[int, float]:
    """How many that were set apart the officer resolves, and the seconds of the slowest call."""
    total, slowest = 0, 0.0
    with httpx.Client(base_url=server.url, timeout=60) as client:
        form = {"username": "officer", "password": password}
        token = client.post("/v1/auth/token", data=form).json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        while True:
            began = time.perf_counter()
            answer = client.post(f"{QUEUE}/resolve", json={"set_apart": True, "note": "A flood"})
            slowest = max(slowest, time.perf_counter() - began)
            done = answer.raise_for_status().json()
            total += done["resolved"]
            if done["resolved"] < RESOLVED_AT_ONCE:
                return total, slowest


async def _seen(
    server: Server, havens: Sequence[str], seconds: float, place: int
) -> tuple[list[str], tuple[Counter[int], set[str], float]]:
    public, honest = await asyncio.gather(
        watch(server, seconds), in_earnest(server.port, havens, seconds, place)
    )
    return public.failures, honest


def main() -> None:
    """Print what was seen, and leave with 1 unless it was what is promised."""
    parser = argparse.ArgumentParser(prog="python -m tests.drills.reports")
    parser.add_argument("--seconds", type=float, default=180, help="how long each flood lasts")
    seconds = parser.parse_args().seconds
    begin()
    wrong: list[str] = []
    rows = []
    with (
        tempfile.TemporaryDirectory(prefix="havens-drill-") as folder,
        ours(Path(folder), HAVENS_TRUSTED_PROXIES="127.0.0.1") as server,
    ):
        password = json.loads(Path(folder, PASSWORDS).read_text())["officer"]
        listed = json.loads(get(f"{server.url}/v1/havens"))["havens"]
        havens = [haven["id"] for haven in listed]
        for place, name in enumerate(FLOODS):
            process = multiprocessing.get_context("fork").Process(
                target=flood, args=(server.port, name, havens)
            )
            process.start()
            try:
                seen = asyncio.run(_seen(server, havens, seconds, place))
            finally:
                process.kill()
                process.join()
            failures, (said, taken, slowest) = seen
            apart, call = resolved(server, password)
            honest = [f"{said.total()}", f"{said[202]}", f"{len(taken)}", f"{slowest:.1f}"]
            rows.append([name, *honest, f"{apart}", f"{call:.1f}", f"{len(failures)}"])
            wrong += [f"{name}: {failure}" for failure in failures[:3]]
            if said.total() != said[202] or len(taken) < len(havens):
                wrong.append(f"{name}: honest reports were answered {dict(said)}")
    table(
        f"{len(havens)} havens, {AT_ONCE} reports at a time, {seconds:.0f} s each",
        ["flood", "honest", "taken", "havens", "slowest s", "resolved", "a call s", "not read"],
        rows,
    )
    say("\n".join(wrong) or "As promised.")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
