"""FastAPI and Redis: GEOSEARCH among those open now, their JSON ready in a hash.

A job would keep the set of open ones every minute. A script does both steps in one round trip, and
looks farther when it finds too few. `python -m tests.bench.peers.redis_geosearch FILE` loads.
"""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Annotated

import orjson
from fastapi import FastAPI, Query, Request, Response
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

NEAREST = """
local found = {}
for _, metres in ipairs({1000, 10000, 100000, 22000000}) do
  found = redis.call('GEOSEARCH', 'open', 'FROMLONLAT', ARGV[1], ARGV[2],
                     'BYRADIUS', metres, 'm', 'ASC', 'COUNT', ARGV[3], 'WITHDIST')
  if #found >= tonumber(ARGV[3]) then break end
end
local ids = {}
for n, pair in ipairs(found) do ids[n] = pair[1] end
if #ids == 0 then return {} end
local fragments = redis.call('HMGET', 'fragments', unpack(ids))
for n, pair in ipairs(found) do
  fragments[n] = string.format('{"distance_m":%.0f,', pair[2]) .. fragments[n]
end
return fragments
"""


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with AsyncRedis(unix_socket_path=os.environ["BENCH_REDIS"]) as redis:
        app.state.nearest = redis.register_script(NEAREST)
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/v1/havens/nearest")
async def nearest(
    request: Request,
    lat: Annotated[float, Query(ge=-90, le=90)],
    lon: Annotated[float, Query(ge=-180, le=180)],
    limit: Annotated[int, Query(ge=1, le=50)] = 5,
) -> Response:
    at = datetime.now(UTC)
    fragments = await request.app.state.nearest(args=[lon, lat, limit])
    head = f'{{"at":"{at:%Y-%m-%dT%H:%M:%SZ}","havens":['.encode()
    return Response(head + b",".join(fragments) + b"]}", media_type="application/json")


def load(file: Path) -> None:
    """Take up havens, one in each line: `id`, `lat`, `lon`, `is_open` and `fragment`."""
    with Redis(unix_socket_path=os.environ["BENCH_REDIS"]) as redis, file.open("rb") as lines:
        havens = map(orjson.loads, lines)
        while several := list(islice(havens, 5_000)):
            pipe = redis.pipeline(transaction=False)
            pipe.hset("fragments", mapping={haven["id"]: haven["fragment"] for haven in several})
            places = [
                part
                for haven in several
                if haven["is_open"]
                for part in (haven["lon"], haven["lat"], haven["id"])
            ]
            if places:
                pipe.geoadd("open", places)
            pipe.execute()


if __name__ == "__main__":
    load(Path(sys.argv[1]))
