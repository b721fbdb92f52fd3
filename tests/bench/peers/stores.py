"""The same havens in every store: the service's SQLite, PostGIS and Redis.

Whatever is open stays so for longer than a walk to the farthest of them takes, and whatever is shut
does not open for hours. So "open now" and "open when I get there" are the same havens, all the time
that a comparison takes.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote
from uuid import UUID

import orjson
import psutil
import psycopg
from sqlalchemy import make_url

from app.core.london import LONDON
from app.venues import osm_hours
from tests.bench.servers import stop
from tests.bench.venues import MadeUp, fill, made_up
from tests.databases import Postgres, find_postgis

PYTHON = ".venv-bench/bin/python"


class Steady(NamedTuple):
    """Daily hours that begin and end hours away from now; `until` is when they end, if begun."""

    hours: str
    until: datetime | None


def steady_hours(now: datetime) -> list[Steady]:
    """Five kinds that are open now and for sixteen hours, and three that are shut for six."""
    hour = now.astimezone(LONDON).replace(minute=0, second=0, microsecond=0, tzinfo=None)
    kinds = []
    for opens, closes in (
        (-1, 17),
        (-2, 18),
        (-3, 19),
        (-4, 18),
        (-6, 17),
        (7, 10),
        (8, 14),
        (9, 15),
    ):
        first, last = hour + timedelta(hours=opens), hour + timedelta(hours=closes)
        until = last.replace(tzinfo=LONDON).astimezone(UTC) if opens < 0 else None
        kinds.append(Steady(f"Mo-Su {first:%H:%M}-{last:%H:%M}", until))
    return kinds


@dataclass(frozen=True)
class Haven:
    """One haven as the peers keep it; `row` has what the public sees, `fragment` that as JSON."""

    made: MadeUp
    until: datetime | None
    row: dict[str, Any]

    @property
    def fragment(self) -> str:
        """What follows the distance in an answer."""
        open_ = {"state": "open", "until": self.until, "closes_soon": False}
        location = {"lat": self.made.lat, "lon": self.made.lon}
        shown = {"open": open_, **self.row, "location": location}
        return orjson.dumps(shown, option=orjson.OPT_UTC_Z).decode()[1:]


def havens(count: int, steady: list[Steady]) -> Iterator[Haven]:
    """What `fill` stores with the same hours."""
    for made in made_up(count, len(steady)):
        hours, until = steady[made.hours]
        row = {
            "id": str(UUID(made.id)),
            "name": made.name,
            "category": made.category,
            "notice": "demonstration data: not a real haven",
            "address": made.address,
            "postcode": "EC2V 0ZZ",
            "opening_hours": hours,
            "phone": "020 7946 0000",
            "entrance": "Front door",
            "facilities": made.facilities,
            "step_free": made.step_free,
            "schemes": [{"scheme": "safe_haven", "until": "2099-12-30"}],
            "directions_url": "https://www.google.com/maps/dir/?api=1&travelmode=walking"
            f"&destination={made.lat:.6f},{made.lon:.6f}",
        }
        yield Haven(made, until, row)


def fill_ours(folder: Path, count: int, steady: list[Steady]) -> None:
    """The service's own database."""
    folder.mkdir()
    hours = [osm_hours.parse(kind.hours) for kind in steady]
    fill(f"sqlite:///{folder / 'havens.sqlite'}", count, hours)


@dataclass(frozen=True)
class Store:
    """What tells a peer where its data is, and the processes that keep them."""

    environment: dict[str, str]
    process: psutil.Process

    @property
    def processes(self) -> list[psutil.Process]:
        return [self.process, *self.process.children(recursive=True)]


@contextmanager
def postgis(_: Path, several: Iterator[Haven]) -> Iterator[Store | None]:
    """A server of PostGIS with these havens, where there can be one."""
    if (bin_ := find_postgis()) is None:
        yield None
        return
    server = Postgres(bin_)
    try:
        server.start()
        assert server._process
        url = make_url(server.create("bench"))
        host = str(url.query["host"])
        with psycopg.connect(host=host, user="postgres", dbname="bench", autocommit=True) as made:
            _fill_postgis(made, several)
        environment = {
            "BENCH_HOST": host,
            "BENCH_SQLALCHEMY_URL": url.render_as_string(),
            "DATABASE_URL": f"postgresql://postgres@{quote(host, safe='')}/bench",
        }
        yield Store(environment, psutil.Process(server._process.pid))
    finally:
        server.remove()


def _fill_postgis(connection: psycopg.Connection, several: Iterator[Haven]) -> None:
    connection.execute(Path(__file__).with_name("postgis.sql").read_bytes())
    with connection.cursor() as cursor, cursor.copy("COPY haven FROM STDIN") as copy:
        for haven in several:
            made = haven.made
            place = f"SRID=4326;POINT({made.lon!r} {made.lat!r})"
            row = haven.row | {"schemes": orjson.dumps(haven.row["schemes"]).decode()}
            kept = (made.lat, made.lon, place, haven.until)
            copy.write_row([*row.values(), *kept])
    connection.execute("VACUUM ANALYZE haven")


@contextmanager
def redis(folder: Path, several: Iterator[Haven]) -> Iterator[Store | None]:
    """A server of Redis with these havens, where there can be one."""
    if shutil.which("redis-server") is None:
        yield None
        return
    socket, file = folder / "redis.sock", folder / "havens.jsonl"
    keep_nothing = ["--save", "", "--appendonly", "no", "--dir", str(folder)]
    process = psutil.Popen(
        ["redis-server", "--port", "0", "--unixsocket", str(socket), *keep_nothing],
        stdout=subprocess.DEVNULL,
    )
    try:
        with file.open("wb") as lines:
            for haven in several:
                line = {
                    "id": haven.row["id"],
                    "lat": haven.made.lat,
                    "lon": haven.made.lon,
                    "is_open": haven.until is not None,
                    "fragment": haven.fragment,
                }
                lines.write(orjson.dumps(line) + b"\n")
        environment = {"BENCH_REDIS": str(socket)}
        load = [PYTHON, "-m", "tests.bench.peers.redis_geosearch", str(file)]
        subprocess.run(load, env=os.environ | environment, check=True)
        yield Store(environment, process)
    finally:
        stop(process)
