"""FastAPI, asyncpg and PostGIS: the index finds the nearest open ones, orjson writes them.

A column says until when each is open, as if a job kept it every minute, and the index holds open
ones only. The statement is prepared once for each connection.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

import asyncpg
import orjson
from fastapi import FastAPI, Query, Request, Response

NEAREST = """
SELECT id, name, category, notice, address, postcode, opening_hours, phone, entrance, facilities,
    step_free, schemes, directions_url, lat, lon, open_until,
    location <-> ST_MakePoint($1, $2)::geography AS metres
FROM haven
WHERE open_until > $3 ORDER BY location <-> ST_MakePoint($1, $2)::geography LIMIT $4
"""


async def _leave_as_it_is(_: asyncpg.Connection) -> None:
    """Nothing here changes a connection, and putting it right takes a round trip."""


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with asyncpg.create_pool(
        os.environ["DATABASE_URL"], min_size=8, max_size=8, reset=_leave_as_it_is
    ) as app.state.pool:
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
    rows = await request.app.state.pool.fetch(NEAREST, lon, lat, at, limit)
    answer = {"at": at, "havens": [_haven(dict(row)) for row in rows]}
    body = orjson.dumps(answer, default=str, option=orjson.OPT_UTC_Z)
    return Response(body, media_type="application/json")


def _haven(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "distance_m": round(row.pop("metres")),
        "open": {"state": "open", "until": row.pop("open_until"), "closes_soon": False},
        "location": {"lat": row.pop("lat"), "lon": row.pop("lon")},
        **row,
        "schemes": orjson.Fragment(row["schemes"]),
    }
