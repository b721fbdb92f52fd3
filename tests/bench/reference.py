"""What the service is measured against: routes that answer with fixed bytes from a file."""

import os
from pathlib import Path
from typing import Annotated

from fastapi import FastAPI, Query, Response
from starlette.types import Receive, Scope, Send

BODY = Path(os.environ["BENCH_BODY"]).read_bytes()

framework = FastAPI()


@framework.get("/v1/havens/nearest")
async def nearest(
    lat: Annotated[float, Query(ge=-90, le=90)],
    lon: Annotated[float, Query(ge=-180, le=180)],
    limit: Annotated[int, Query(ge=1, le=50)] = 5,
) -> Response:
    """B: the framework checks the parameters, then the same bytes every time."""
    return Response(BODY, media_type="application/json")


async def bare(scope: Scope, receive: Receive, send: Send) -> None:
    """A: the same bytes with nothing in between."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(BODY)).encode()),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": BODY})
