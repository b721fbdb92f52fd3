"""The public API. No read touches the database, and every one can be answered without it.

Where somebody stands is read, answered and forgotten: the rule is in `app.core.privacy`.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from app.core.errors import DomainError, FieldError, NotFound, responses, wrong
from app.core.postcodes import Postcodes, postcodes_of
from app.core.settings import Settings
from app.directory import examples, render
from app.directory.contacts import Contacts, HelpJson
from app.directory.engine.search import Search
from app.directory.live import Directory
from app.directory.nearest import NEAREST, NO_STORE, answer, answer_query
from app.directory.nearest_question import Asked, NearestQuestion
from app.directory.read_side import NotReady
from app.directory.schemas import (
    Health,
    HelpAnswer,
    NearestAnswer,
    NeighbourHealth,
    OneHaven,
    PostcodeList,
    WardOutlines,
    WholeDirectory,
)
from app.http.conditional import JournalOutOfTurn
from app.http.headers import described, is_known, parameter, preferred, takes_gzip

if TYPE_CHECKING:
    from app.walking.streets import Streets

router = APIRouter(tags=["havens"])

GEOJSON = "application/geo+json"
BINARY = "application/octet-stream"
NOTHING: Mapping[str, str] = MappingProxyType({})


# Not `async` for anything awaited: the framework runs plain functions in a thread, at five times
# the price of the search.
async def _directory(request: Request) -> Directory:
    directory: Directory = request.app.state.directory
    return directory


async def _help(request: Request) -> HelpJson:
    contacts: Contacts = request.app.state.contacts
    return contacts.wanted(",".join(request.headers.getlist("accept-language")))


async def _postcodes(request: Request) -> Postcodes | None:
    settings: Settings = request.app.state.settings
    return await run_in_threadpool(postcodes_of, settings.data_dir)


Live = Annotated[Directory, Depends(_directory)]
Known = Annotated[Postcodes | None, Depends(_postcodes)]
"""The postcodes that have been imported; None where nobody has."""
Help = Annotated[HelpJson, Depends(_help)]


HavenId = Annotated[UUID, Path(description="The `id` from another answer")]


class UnsupportedMediaType(DomainError):
    status = 415
    code = "unsupported-media-type"
    title = "The body must be JSON"

    def __init__(self) -> None:
        super().__init__([FieldError(field="Content-Type", message="must be application/json")])


class GeoJson(JSONResponse):
    media_type = GEOJSON


def documented_parameters(of: type[Asked]) -> list[dict[str, Any]]:
    """What OpenAPI says of a question in an address."""
    schema = of.model_json_schema(ref_template="#/components/schemas/{model}")
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
        examples.NEAREST, wrong("lat", "must be less than or equal to 90"), NotReady()
    ),
    openapi_extra={"parameters": documented_parameters(NearestQuestion)},
)
async def nearest_havens(request: Request, directory: Live, contacts: Help) -> Response:
    """The havens that are open now, and still will be when you get there, nearest first.

    Never an empty answer: it always says whom to call, and what opens next where little is open.
    Where you ask from is not stored or logged; `POST` keeps it out of addresses as well.
    """
    answered = answer_query(request.scope["query_string"], directory, contacts.body)
    return _json(answered, contacts.headers)


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
    question = NearestQuestion.from_json(await json_body(request))
    return _json(answer(question, directory, contacts.body), contacts.headers)


async def json_body(request: Request) -> bytes:
    """What was sent as JSON. Raises `UnsupportedMediaType`."""
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "application/json":
        raise UnsupportedMediaType
    return await request.body()


def _json(body: bytes, headers: Mapping[str, str] = NOTHING) -> Response:
    return Response(body, media_type="application/json", headers={**NO_STORE, **headers})


TAG = described("ETag", "Names this content")
"""What `responses=` says of the header that tells contents apart."""

_IF_NONE_MATCH = parameter("If-None-Match", "The `ETag` of what you have")


@router.get(
    "/v1/havens",
    summary="The whole directory",
    response_model=WholeDirectory,
    response_description="The directory of this hour",
    responses={
        200: {
            "headers": TAG,
            "content": {
                "application/json": {"example": examples.WHOLE},
                GEOJSON: {
                    "schema": {"$ref": "#/components/schemas/HavenFeatures"},
                    "example": examples.GEOJSON,
                },
            },
        },
        304: {"description": "You have the newest already", "headers": TAG},
        **responses(NotReady()),
    },
    openapi_extra={"parameters": [_IF_NONE_MATCH]},
)
async def whole_directory(request: Request, directory: Live) -> Response:
    """Every listed haven, with when it is open for the next two weeks: enough to answer offline.

    A phone that has it answers as `nearest` does, of any instant that may be asked about there:
    what opens next is looked for in the same two weeks, up to `valid_until`, and `upcoming` has
    what will be listed only later. Drawn up when something changes, and every hour. Compressed for
    those who accept gzip, GeoJSON for those who accept that.
    """
    types = ",".join(request.headers.getlist("accept"))
    media_type = preferred(types, ("application/json", GEOJSON))
    form: render.Form = "geojson" if media_type == GEOJSON else "json"
    document = await run_in_threadpool(directory.document, form)
    return await unless_known(
        request, document, f"{document.tag}-{form}", media_type, "Accept, Accept-Encoding", SHARED
    )


SHARED = "public, max-age=0, s-maxage=2, stale-if-error=86400"
"""How long the directory is kept: by a phone, until it asks again; by a cache that many phones ask,
for two seconds; and for as long as a phone would go by it too, where nobody can be asked."""


async def unless_known(
    request: Request,
    document: render.Document,
    tag: str,
    media_type: str,
    vary: str,
    cached: str = "no-cache",
) -> Response:
    """A document for who does not have it yet, compressed for who accepts that."""
    gzipped = takes_gzip(request.headers)
    headers = tagged(tag, vary, cached, gzipped=gzipped)
    if is_known(request.headers, headers["ETag"]):
        headers.pop("Content-Encoding", None)
        return Response(status_code=304, headers=headers)
    if gzipped and not document.is_compressed:
        await run_in_threadpool(lambda: document.compressed)
    body = document.compressed if gzipped else document.body
    return Response(body, media_type=media_type, headers=headers)


def tagged(tag: str, vary: str, cached: str = "no-cache", *, gzipped: bool) -> dict[str, str]:
    """What is said with a document that may come compressed."""
    headers = {"ETag": f'"{tag}{"-gzip" * gzipped}"', "Cache-Control": cached, "Vary": vary}
    return headers | {"Content-Encoding": "gzip"} if gzipped else headers


@router.get(
    "/v1/wards",
    summary="The wards",
    response_class=GeoJson,
    response_model=WardOutlines,
    response_description="Their outlines",
    responses={
        200: {"headers": TAG, "content": {GEOJSON: {"example": examples.WARDS}}},
        304: {"description": "You have the newest already", "headers": TAG},
        **responses(NotReady()),
    },
    openapi_extra={"parameters": [_IF_NONE_MATCH]},
)
async def all_wards(request: Request, directory: Live) -> Response:
    """Every ward with its outline, as GeoJSON, to draw under the havens.

    Outlines are simplified to some 10 m, and neighbours keep the border that they share: a place
    near a border may lie on its other side here. The `ward` of a haven is the name that counts.
    """
    document = await run_in_threadpool(directory.wards)
    return await unless_known(request, document, document.tag, GEOJSON, "Accept-Encoding")


@router.get(
    "/v1/postcodes",
    summary="The postcodes",
    response_model=PostcodeList,
    response_description="Each postcode of the area, and where it lies",
    responses={
        200: {"headers": TAG, "content": {"application/json": {"example": examples.POSTCODES}}},
        304: {"description": "You have the newest already", "headers": TAG},
        **responses(NotFound("list of postcodes")),
    },
    openapi_extra={"parameters": [_IF_NONE_MATCH]},
)
async def all_postcodes(request: Request, postcodes: Known) -> Response:
    """Where the postcodes near the havens lie, so that a phone finds one that somebody types
    without telling anyone. Show its `attribution` where you use it.

    There is none where the operator has imported none.
    """
    if postcodes is None:
        raise NotFound("list of postcodes")
    document = _of_postcodes(postcodes)
    return await unless_known(
        request, document, document.tag, "application/json", "Accept-Encoding"
    )


@lru_cache(maxsize=1)
def _of_postcodes(postcodes: Postcodes) -> render.Document:
    return render.Document(postcodes.document)


@router.get(
    "/v1/streets",
    summary="The streets",
    response_class=Response,
    response_description="The streets around the havens, © OpenStreetMap contributors",
    responses={
        200: {
            "headers": TAG,
            "content": {
                BINARY: {
                    "schema": {"type": "string", "contentMediaType": BINARY},
                    "example": "(a file)",
                }
            },
        },
        304: {"description": "You have the newest already", "headers": TAG},
        **responses(NotFound("street network")),
    },
    openapi_extra={"parameters": [_IF_NONE_MATCH]},
)
async def all_streets(request: Request, directory: Live) -> Response:
    """The streets around the havens as one small file, so that a phone that has the directory
    ranks havens by the way on foot as `nearest` does, and without a connection.

    © OpenStreetMap contributors, under the [Open Database Licence](
    https://opendatacommons.org/licenses/odbl/1-0/): say so wherever you show them or send them on.
    The file says so itself, and what it holds is told in the project's `docs/streets.md`. There is
    none where the operator has imported no streets; `streets` in the directory says which there
    are.
    """
    streets = directory.streets.current
    if streets is None:
        raise NotFound("street network")
    document = await run_in_threadpool(_of_streets, streets)
    return await unless_known(request, document, document.tag, BINARY, "Accept-Encoding")


@lru_cache(maxsize=1)
def _of_streets(streets: "Streets") -> render.Document:
    # Brings the compiler with it, as the search does.
    from app.walking.phone import on_phone  # noqa: PLC0415

    return render.Document(on_phone(streets))


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
    """One haven as it is now, with when it is open for the next two weeks."""
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
    body = b'{"help":' + contacts.body + b"}"
    return Response(body, media_type="application/json", headers=contacts.headers)


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
async def health_ready(directory: Live, journal: JournalOutOfTurn, response: Response) -> Health:
    """200 while a directory covers this moment; `degraded` when it can't be confirmed now, or when
    nothing can be written.

    A database that is down never makes this fail: a load balancer must not drop good copies.
    """
    response.headers.update(NO_STORE)
    try:
        version = directory.search.snapshot.version
    except NotReady:
        response.status_code = 503
        return Health(status="unavailable")
    fails = directory.builds and journal.writes.fail
    status: Any = "degraded" if directory.is_degraded or fails else "ok"
    neighbours = [
        NeighbourHealth(
            name=kept.neighbour.name,
            as_of=datetime.fromtimestamp(note.confirmed_at, UTC) if note.confirmed_at else None,
            held=kept.trouble(note, directory.clock()) or None,
        )
        for kept, note in directory.neighbours.notes.items()
    ]
    return Health(
        status=status,
        version=version,
        age_seconds=directory.age_seconds,
        neighbours=neighbours or None,
    )
