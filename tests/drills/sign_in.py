"""Guesses at passwords, many at once, while an officer signs in and the public asks.

    python -m tests.drills.sign_in [--seconds 15]

One process of the service behind a proxy of ours, which says where each request comes from. Leaves
with 1 unless, in each attack, the public's slowest hundredth takes at most twice as long as in
peace, the officer signs in within three seconds, from a device that is known and from another, and
no guesser has more than five tries; and unless a name that nobody has takes as long as one that
somebody has. Where each guess comes from a new address, no other stranger is promised anything.
"""

import argparse
import asyncio
import json
import multiprocessing
import random
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlencode

import httpx

from app.accounts.attempts import STRANGERS
from app.accounts.demo import FILE as PASSWORDS
from tests.bench.report import begin, say, table
from tests.bench.servers import Server, ours
from tests.drills.connections import Seen, watch
from tests.servers import METRICS, METRICS_TOKEN

GUESSERS = 50
NAME = "officer"
SLOWEST_RATIO, NOISE_MS = 2, 10
"""How many times as long as in peace the slowest hundredth may take; below so much it is noise."""
SIGN_IN_SECONDS = 3
PATIENCE_SECONDS = 60
SAME_WITHIN = 0.05
PAIRS = 60

_fresh = count()


@dataclass(frozen=True)
class Answer:
    status: int
    headers: str
    body: Any


async def ask_in(port: int, address: str, name: str, password: str, device: str = "") -> Answer:
    """What a sign-in from an address is answered, on a connection of its own."""
    form = urlencode({"username": name, "password": password, "device_token": device})
    head = (
        "POST /v1/auth/token HTTP/1.1\r\nHost: havens.test\r\nConnection: close\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n"
        f"X-Forwarded-For: {address}\r\nContent-Length: {len(form)}\r\n\r\n"
    )
    async with asyncio.timeout(PATIENCE_SECONDS):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write((head + form).encode())
        headers, _, body = (await reader.read()).decode().partition("\r\n\r\n")
        writer.close()
    return Answer(int(headers.split()[1]), headers, json.loads(body))


# --- those who guess ---------------------------------------------------------------------------


def addresses(attack: str, guesser: int) -> Iterator[tuple[str, str]]:
    """From where a guesser guesses at which name, in turn."""
    place = f"203.0.{list(ATTACKS).index(attack)}"
    for number in count():
        match attack:
            case "from one address":
                yield f"{place}.1", NAME
            case "from 50 addresses":
                yield f"{place}.{guesser}", NAME
            case "at names that nobody has":
                yield f"{place}.{guesser}", f"nobody-{guesser}-{number}"
            case _:
                yield f"2001:db8:{guesser:x}:{number:x}::1", NAME


ATTACKS = {
    # How many tries a guesser may have, and whether any stranger is promised a sign-in.
    "from one address": (STRANGERS.tries, True),
    "from 50 addresses": (GUESSERS * STRANGERS.tries, True),
    "at names that nobody has": (None, True),
    "each from a new address": (None, False),
}


def attack(name: str, port: int) -> None:
    """Guess until the process is ended, 50 at a time."""

    async def guess(guesser: int) -> None:
        for address, account in addresses(name, guesser):
            await ask_in(port, address, account, f"guess {random.random()}")

    async def all_of_them() -> None:
        await asyncio.gather(*(guess(guesser) for guesser in range(GUESSERS)))

    asyncio.run(all_of_them())


# --- the officer -------------------------------------------------------------------------------


@dataclass
class Officer:
    """Signs in again and again, from the device that is known and from another in turn."""

    port: int
    password: str
    device: str
    known: list[float] = field(default_factory=list)
    stranger: list[float] = field(default_factory=list)

    async def come_and_go(self) -> None:
        """Sign in every second or so, until cancelled."""
        while True:
            for device, seconds in ((self.device, self.known), ("", self.stranger)):
                await asyncio.sleep(random.uniform(0.5, 1))
                began = time.perf_counter()
                seconds.append(float("inf"))
                while True:
                    answer = await ask_in(self.port, "192.0.2.1", NAME, self.password, device)
                    if answer.status == 200:
                        break
                    # As a person would who is told to try again.
                    wait = re.search(r"retry-after: (\d+)", answer.headers.lower())
                    await asyncio.sleep(int(wait[1]) if wait else 1)
                seconds[-1] = time.perf_counter() - began


async def _both(server: Server, officer: Officer, seconds: float) -> Seen:
    coming = asyncio.create_task(officer.come_and_go())
    try:
        return await watch(server, seconds)
    finally:
        coming.cancel()
        # One that was just under way proves nothing.
        for each in (officer.known, officer.stranger):
            if len(each) > 1 and each[-1] == float("inf"):
                each.pop()


# --- the drill ---------------------------------------------------------------------------------


def main() -> None:
    """Print what was seen, and leave with 1 unless it was what is promised."""
    parser = argparse.ArgumentParser(prog="python -m tests.drills.sign_in")
    parser.add_argument("--seconds", type=float, default=15, help="how long each attack lasts")
    seconds = parser.parse_args().seconds
    begin()
    wrong: list[str] = []
    rows = []
    with (
        tempfile.TemporaryDirectory(prefix="havens-drill-") as folder,
        ours(
            Path(folder), HAVENS_TRUSTED_PROXIES="127.0.0.1", HAVENS_METRICS_TOKEN=METRICS_TOKEN
        ) as server,
    ):
        password = json.loads(Path(folder, PASSWORDS).read_text())[NAME]
        first = asyncio.run(ask_in(server.port, "192.0.2.1", NAME, password))
        device = first.body["device_token"]
        asyncio.run(watch(server, 5))  # once, to warm up
        peace = asyncio.run(watch(server, seconds))
        limit = max(NOISE_MS, SLOWEST_RATIO * peace.percentile(99))
        rows.append(["nobody", *_public(peace), "", "", ""])
        for name, (tries, strangers) in ATTACKS.items():
            before = tried(server)
            officer = Officer(server.port, password, device)
            seen = attacked(server, name, officer, seconds)
            guesses = tried(server) - before
            slowest = [max(officer.known), max(officer.stranger)]
            shown = [f"{each:.1f}" for each in slowest]
            rows.append([name, *_public(seen), *shown, f"{guesses:.0f}"])
            wrong += [f"{name}: {failure}" for failure in seen.failures[:3]]
            if seen.percentile(99) > limit:
                wrong.append(f"{name}: p99 over {limit:.0f} ms")
            if max(slowest if strangers else slowest[:1]) > SIGN_IN_SECONDS:
                wrong.append(f"{name}: the officer took longer than {SIGN_IN_SECONDS} s")
            if tries is not None and guesses > tries:
                wrong.append(f"{name}: {guesses:.0f} passwords tried, not {tries}")
        known, unknown = asyncio.run(compared(server.port))
    table(
        f"{GUESSERS} guesses at a time, {seconds:.0f} s each",
        ["who guesses", "asked", "failed", "p50 ms", "p99 ms", "known s", "new s", "tried"],
        rows,
    )
    say(
        f"A wrong password takes {1000 * known:.1f} ms for a name that somebody has,"
        f" {1000 * unknown:.1f} ms for one that nobody has ({unknown / known - 1:+.1%})."
    )
    if abs(unknown / known - 1) > SAME_WITHIN:
        wrong.append("names can be told by the time it takes")
    say("\n".join(wrong) or "As promised.")
    sys.exit(bool(wrong))


def attacked(server: Server, name: str, officer: Officer, seconds: float) -> Seen:
    """What the public and the officer see of an attack, which is a process."""
    attacker = multiprocessing.get_context("fork").Process(target=attack, args=(name, server.port))
    attacker.start()
    try:
        return asyncio.run(_both(server, officer, seconds))
    finally:
        attacker.kill()
        attacker.join()


def tried(server: Server) -> float:
    """How many wrong passwords have been checked so far."""
    found = re.search(
        r'^havens_passwords_total{outcome="wrong"} (\S+)$',
        httpx.get(f"{server.url}/metrics", headers=METRICS).raise_for_status().text,
        re.MULTILINE,
    )
    return float(found[1]) if found else 0


async def compared(port: int) -> tuple[float, float]:
    """Seconds that a wrong password takes for a name that somebody has, and that nobody has.

    Of many pairs, each in another order, so that what else this machine does counts for both.
    """
    await asyncio.sleep(15)  # until the last guesses have been answered
    seconds: tuple[list[float], list[float]] = [], []
    for number in range(PAIRS):
        pair = list(zip((NAME, f"nobody-{number}"), seconds, strict=True))
        for name, taken in pair[:: 1 if number % 2 else -1]:
            began = time.perf_counter()
            answer = await ask_in(port, f"2001:db8:ffff:{next(_fresh):x}::1", name, "a wrong guess")
            assert answer.status == 401
            taken.append(time.perf_counter() - began)
    return median(seconds[0]), median(seconds[1])


def _public(seen: Seen) -> list[str]:
    asked = len(seen.milliseconds) + len(seen.failures)
    shown = [f"{seen.percentile(percent):.1f}" for percent in (50, 99)]
    return [f"{asked}", f"{len(seen.failures)}", *shown]


if __name__ == "__main__":
    main()
