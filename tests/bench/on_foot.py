"""What answering over streets costs: the search by itself, and the service with streets beside the
service without, which differ in nothing else.

The streets are those of an extract laid out four times, so that they lie under all of the City.
"""

import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from shutil import copytree

from app.core.db import connected, read_session
from app.core.places import Point
from app.directory.build import build
from app.directory.engine.search import Question, Search
from app.walking.extract import read_extract
from app.walking.made import streets
from app.walking.streets import Streets, save
from tests.bench.load import Run, drive, middle, need_wrk, ratio
from tests.bench.peers.stores import fill_ours, steady_hours
from tests.bench.report import say, table
from tests.bench.servers import ours
from tests.bench.venues import HOURS, LAT, LON, fill
from tests.walking.copies import copies
from tests.walking.test_streets import DATA

SIZES = (60, 1_159)
ROUNDS, SECONDS = 5, 3
QUESTIONS, REPEATS = 2_000, 5
SOUTH = 6_000
"""By so many millionths of a degree the extract lies too far north."""


def main() -> None:
    """Print what a search takes, and the answers a second with streets and without."""
    need_wrk()
    file = DATA / "london.osm.pbf"
    if not file.exists():
        sys.exit(f"the streets of {file} are needed")
    whole = copies(read_extract(file, None), 2)
    places = {node: (lon, lat - SOUTH) for node, (lon, lat) in whole.places.items()}
    degrees = SOUTH / 1e6
    box = whole.box._replace(north=whole.box.north - degrees, south=whole.box.south - degrees)
    made = streets(whole._replace(places=places, box=box), file)
    with tempfile.TemporaryDirectory(prefix="havens-bench-") as folder:
        _search(Path(folder), made)
        _served(Path(folder), made)


def _search(folder: Path, made: Streets) -> None:
    """A question and its answer inside the process, at any instant of a week."""
    rows = []
    for count in SIZES:
        url = f"sqlite:///{folder / str(count)}.sqlite"
        fill(url, count, HOURS)
        with connected(url) as engine, read_session(engine) as session:
            snapshot = build(session, time.time(), made)
        chance = Random(count)
        questions = [
            Question(
                Point(chance.uniform(*LAT), chance.uniform(*LON)),
                snapshot.start + chance.randrange(7 * 24 * 3600),
            )
            for _ in range(QUESTIONS)
        ]
        searches = Search(snapshot, streets=made), Search(snapshot)
        rows.append((f"{count:,}", *(f"{_microseconds(s, questions):.1f}" for s in searches)))
    table("A search, in µs", ("venues", "over streets", "by estimate"), rows)


def _microseconds(search: Search, questions: list[Question]) -> float:
    """The least that one took, over all questions, of several goes."""
    times = []
    for _ in range(REPEATS):
        began = time.thread_time()
        for question in questions:
            search.answer(question)
        times.append(time.thread_time() - began)
    return min(times) / len(questions) * 1e6


def _served(folder: Path, made: Streets) -> None:
    without, with_streets = folder / "without", folder / "with"
    fill_ours(without, SIZES[0], steady_hours(datetime.now(UTC)))
    copytree(without, with_streets)
    save(made, with_streets)
    runs: dict[str, list[Run]] = {"over streets": [], "by estimate": []}
    with ExitStack() as stack:
        servers = [stack.enter_context(ours(each)) for each in (with_streets, without)]
        for server in servers:
            drive(server, 1)
        for _ in range(ROUNDS):
            for several, server in zip(runs.values(), servers, strict=True):
                several.append(drive(server, SECONDS))
    rows = []
    for name, several in runs.items():
        run = middle(several)
        figures = f"{run.per_second:,.0f}", f"{run.p50_ms:.1f}", f"{run.p99_ms:.1f}"
        rows.append((name, *figures))
    table(f"{SIZES[0]} venues, one worker", ("", "answers/s", "p50 ms", "p99 ms"), rows)
    share = ratio(runs["over streets"], runs["by estimate"])
    say(f"Over streets it answers {share:.2f} times as often as by estimate.")
