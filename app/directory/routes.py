"""The public API. No read touches the database, and every one can be answered without it.

Where somebody stands is read, answered and forgotten: the rule is in `app.core.privacy`.
"""

import math
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.concurrency import run_in_threadpool

from app.core.errors import DomainError, FieldError, NotFound, responses, wrong
from app.core.geo import Point
from app.directory import examples, render
from app.directory.engine.search import Question, Search
from app.directory.live import Directory, NotReady
from app.directory.nearest_question import NearestQuestion
from app.directory.schemas import Health, HelpAnswer, NearestAnswer, OneHaven, WholeDirectory
from app.directory.snapshot import PROVIDES, STEP_FREE
from app.http.headers import conditions, described, parameter, preferred

router = APIRouter(tags=["havens"])

NEAREST = "/v1/havens/nearest"
LOOKS_BACK_SECONDS = 5 * 60
LOOKS_AHEAD_SECONDS = 7 * 24 * 3600
NO_STORE = {"Cache-Control": "no-store"}
GEOJSON = "application/geo+json"


# Not `async` for anything awaited: the framework runs plain functions in a thread, at five times
# the price of the search.
async def _directory(request: Request) -> Directory:
    directory: Directory = request.app.state.directory
    return directory


async def _help_json(request: Request) -> bytes:
    contacts: bytes = request.app.state.help_json
    return contacts


Live = Annotated[Directory, Depends(_directory)]
Help = Annotated[bytes, Depends(_help_json)]


HavenId = Annotated[UUID, Path(description="The `id` from another answer")]


class UnsupportedMediaType(DomainError):
    status = 415
    code = "unsupported-media-type"
    title = "The body must be JSON"

    def __init__(self) -> None:
        super().__init__([FieldError(field="Content-Type", message="must be application/json")])


def _documented_parameters() -> list[dict[str, Any]]:
    schema = NearestQuestion.model_json_schema(ref_template="#/components/schemas/{model}")
    return [
        {
            "name": name,
            "in": "query",
            "required": name in schema["required"],
            "description": field.pop("description"),
            **({"example": field.pop("examples")[0]} if "examples" in field else {}),
            **({"style": "form", "explode": False} if field.get("type") == "array" else {}),
            "schema": {k: v for k, v in field.items() if k != "title" and v is not None},
        }
        for name, field in schema["properties"].items()
    ]


def _answers(example: dict[str, Any], *errors: DomainError) -> dict[int | str, dict[str, Any]]:
    """What `responses=` of a route says of its answer in JSON, and of its errors."""
    return {200: {"content": {"application/json": {"example": example}}}, **responses(*errors)}


@router.get(
    NEAREST,
    summary="The nearest open havens",
    response_model=NearestAnswer,
    response_description="What is open, what opens next, and whom to call",
    responses=_answers(
        examples.NEAREST, wrong("lat", "Input should be less than or equal to 90"), NotReady()
    ),
    openapi_extra={"parameters": _documented_parameters()},
)
async def nearest_havens(request: Request, directory: Live, contacts: Help) -> Response:
    """The havens that are open now, and still will be when you get there, nearest first.

    Never an empty answer: it always says whom to call, and what opens next where little is open.
    Where you ask from is not stored or logged; `POST` keeps it out of addresses as well.
    """
    question = NearestQuestion.from_query(request.scope["query_string"])
    return _json(answer(question, directory, contacts))


@router.post(
    NEAREST,
    summary="The nearest open havens, asked in a body",
    response_model=NearestAnswer,
    response_description="What is open, what opens next, and whom to call",
    responses=_answers(
        examples.NEAREST, wrong("lon", "is required"), NotReady(), UnsupportedMediaType()
    ),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"$ref": "#/components/schemas/NearestQuestion"},
                    "example": examples.QUESTION,
                }
            },
        }
    },
)
async def nearest_havens_in_body(request: Request, directory: Live, contacts: Help) -> Response:
    """The same question as JSON, so that no address, history or log on the way holds a position."""
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "application/json":
        raise UnsupportedMediaType
    question = NearestQuestion.from_json(await request.body())
    return _json(answer(question, directory, contacts))


def answer(question: NearestQuestion, directory: Directory, contacts: bytes) -> bytes:
    """The answer in JSON. Raises `Invalid` and `NotReady`."""
    now = directory.clock()
    at = question.at.timestamp() if question.at else now
    if not now - LOOKS_BACK_SECONDS <= at <= now + LOOKS_AHEAD_SECONDS:
        raise wrong("at", "must lie between 5 minutes ago and 7 days ahead")
    needs = STEP_FREE if question.step_free else 0
    for facility in question.facilities:
        needs |= PROVIDES[facility]
    of_search = Question(
        origin=Point(question.lat, question.lon),
        at=int(at),
        limit=question.limit,
        needs=needs,
        max_distance_m=question.max_distance_m or math.inf,
    )
    search = directory.search
    if not search.snapshot.covers(of_search.at):
        raise NotReady
    matches = search.answer(of_search)
    return render.nearest(search.snapshot, of_search, matches, directory.age_seconds, contacts)


def _json(body: bytes) -> Response:
    return Response(body, media_type="application/json", headers=NO_STORE)


_TAG = described("ETag", "Names this content")


@router.get(
    "/v1/havens",
    summary="The whole directory",
    response_model=WholeDirectory,
    response_description="The directory of this hour",
    responses={
        200: {
            "headers": _TAG,
            "content": {
                "application/json": {"example": examples.WHOLE},
                GEOJSON: {
                    "schema": {"$ref": "#/components/schemas/HavenFeatures"},
                    "example": examples.GEOJSON,
                },
            },
        },
        304: {"description": "You have the newest already", "headers": _TAG},
        **responses(NotReady()),
    },
    openapi_extra={"parameters": [parameter("If-None-Match", "The `ETag` of what you have")]},
)
async def whole_directory(request: Request, directory: Live) -> Response:
    """Every listed haven, with when it is open for the next seven days: enough to answer offline.

    Drawn up when something changes, and every hour. Compressed for those who accept gzip, GeoJSON
    for those who accept that.
    """
    types, codings = (
        ",".join(request.headers.getlist(name)) for name in ("accept", "accept-encoding")
    )
    media_type = preferred(types, ("application/json", GEOJSON))
    form: render.Form = "geojson" if media_type == GEOJSON else "json"
    document = await run_in_threadpool(directory.document, form)
    gzipped = preferred(codings, ("identity", "gzip")) == "gzip"
    headers = {
        "ETag": f'"{document.tag}-{form}{"-gzip" * gzipped}"',
        "Cache-Control": "no-cache",
        "Vary": "Accept, Accept-Encoding",
    }
    if {headers["ETag"], "*"} & conditions(request.headers, "if-none-match"):
        return Response(status_code=304, headers=headers)
    if not gzipped:
        return Response(document.body, media_type=media_type, headers=headers)
    headers["Content-Encoding"] = "gzip"
    body = await run_in_threadpool(lambda: document.compressed)
    return Response(body, media_type=media_type, headers=headers)


@router.get(
    "/v1/havens/{haven_id}",
    summary="One haven",
    response_model=OneHaven,
    response_description="The haven",
    responses=_answers(
        examples.ONE, NotFound("haven"), wrong("haven_id", "must be a UUID"), NotReady()
    ),
)
async def one_haven(haven_id: HavenId, directory: Live) -> Response:
    """One haven as it is now, with when it is open for the next seven days."""
    search, now = directory.search, int(directory.clock())
    return _json(render.one_haven(search, listed_row(search, haven_id, now), now))


def listed_row(search: Search, haven_id: UUID, now: float) -> int:
    """The row of a haven that is listed now. Raises `NotFound`."""
    row = search.row(haven_id)
    if row is None or not search.is_listed(row, int(now)):
        raise NotFound("haven")
    return row


@router.get(
    "/v1/help",
    summary="Whom to call",
    response_model=HelpAnswer,
    response_description="Whom to call",
    responses=_answers(examples.HELP),
)
async def whom_to_call(contacts: Help) -> Response:
    """Whom to call. This needs no directory and always answers."""
    return Response(b'{"help":' + contacts + b"}", media_type="application/json")


health = APIRouter(prefix="/health", tags=["operators"])


@health.get(
    "/live",
    summary="Is the process up?",
    response_model=Health,
    response_description="It is",
    responses=_answers({"status": "ok"}),
)
async def health_live() -> Response:
    """200 as long as the process answers at all."""
    return _json(b'{"status":"ok"}')


@health.get(
    "/ready",
    summary="Can it answer?",
    response_model=Health,
    response_model_exclude_none=True,
    response_description="It can",
    responses={
        **_answers({"status": "ok", "version": 42, "age_seconds": 0}),
        503: {
            "model": Health,
            "description": "There is no usable directory",
            "content": {"application/json": {"example": {"status": "unavailable"}}},
        },
    },
)
async def health_ready(directory: Live, response: Response) -> Health:
    """200 while a directory covers this moment, `degraded` when it can't be confirmed now.

    A database that is down never makes this fail: a load balancer must not drop good copies.
    """
    response.headers.update(NO_STORE)
    try:
        version = directory.search.snapshot.version
    except NotReady:
        response.status_code = 503
        return Health(status="unavailable")
    status: Any = "degraded" if directory.is_degraded else "ok"
    return Health(status=status, version=version, age_seconds=directory.age_seconds)
