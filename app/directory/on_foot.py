"""The way on foot to a haven, over the streets.

Where somebody stands is read, answered and forgotten: the rule is in `app.core.privacy`.
"""

from functools import cache
from typing import Any
from uuid import UUID

import orjson
from fastapi import APIRouter, Request, Response
from pydantic import Field

from app.core.errors import DomainError, FieldError, NotFound, responses, wrong
from app.directory import examples
from app.directory.engine.search import REACH_M, Search
from app.directory.live import Directory
from app.directory.nearest import NO_STORE
from app.directory.nearest_question import Asked, Number
from app.directory.read_side import NotReady
from app.directory.render import DEMONSTRATION_HAVEN
from app.directory.routes import (
    GEOJSON,
    GeoJson,
    HavenId,
    Live,
    UnsupportedMediaType,
    documented_parameters,
    json_body,
    listed_row,
)
from app.directory.schemas import Route
from app.directory.walking import METRES_A_MINUTE
from app.http.languages import LANGUAGES, InLanguage, Language
from app.walking.file import ATTRIBUTION, LICENCE
from app.walking.steps import Place, Step, steps
from app.walking.wording import Phrases, in_words, phrases

router = APIRouter(tags=["havens"])


class RouteQuestion(Asked):
    """From where somebody wants to walk to a haven."""

    from_lat: Number = Field(
        ge=-90, le=90, allow_inf_nan=False, description="Degrees, WGS 84", examples=[51.5155]
    )
    from_lon: Number = Field(
        ge=-180, le=180, allow_inf_nan=False, description="Degrees, WGS 84", examples=[-0.0922]
    )
    step_free: bool = Field(
        default=False, description="Only over ways without steps, as far as the map knows"
    )


class NoStreets(DomainError):
    """Nobody has imported the streets, or they can't be read now."""

    status = 404
    code = "no-streets"
    title = "There are no streets here to find a way over"


class OffTheStreets(DomainError):
    """A position from which no way can begin."""

    status = 422
    code = "off-the-streets"
    title = "There is no known street where you ask from"

    def __init__(self, message: str) -> None:
        super().__init__(
            [FieldError(field=name, message=message) for name in ("from_lat", "from_lon")]
        )


class NoWay(DomainError):
    """A haven that no way is known to."""

    status = 404
    code = "no-way"
    title = "No way on foot to this haven is known from there"

    def __init__(self, *, step_free: bool = False) -> None:
        if step_free:
            self.title = "No way on foot without steps to this haven is known from there"
        super().__init__()


_ERRORS = (
    NotFound("haven"),
    NoStreets(),
    NoWay(),
    OffTheStreets(f"lies more than {REACH_M} m from any known street"),
    NotReady(),
)
_ANSWER: dict[int | str, dict[str, Any]] = {
    200: {"content": {GEOJSON: {"example": examples.ROUTE}}}
}
_PATH = "/v1/havens/{haven_id}/route"


@router.get(
    _PATH,
    summary="The way on foot to a haven",
    response_class=GeoJson,
    response_model=Route,
    response_description="The way, and its steps in words",
    responses=_ANSWER | responses(wrong("from_lat", "must be less than or equal to 90"), *_ERRORS),
    openapi_extra={"parameters": documented_parameters(RouteQuestion)},
)
async def route_to_haven(
    haven_id: HavenId, request: Request, directory: Live, language: InLanguage
) -> Response:
    """The shortest way over the streets, where the operator has imported them: as long as
    `nearest` takes it for.

    Where you ask from is not stored or logged; `POST` keeps it out of addresses as well. Show the
    `attribution` where you show the way.
    """
    question = RouteQuestion.from_query(request.scope["query_string"])
    return _answer(question, directory, haven_id, language)


@router.post(
    _PATH,
    summary="The way on foot to a haven, asked in a body",
    response_class=GeoJson,
    response_model=Route,
    response_description="The way, and its steps in words",
    responses=_ANSWER
    | responses(wrong("from_lon", "is required"), *_ERRORS, UnsupportedMediaType()),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"$ref": "#/components/schemas/RouteQuestion"},
                    "example": examples.ROUTE_QUESTION,
                }
            },
        }
    },
)
async def route_to_haven_in_body(
    haven_id: HavenId, request: Request, directory: Live, language: InLanguage
) -> Response:
    """The same question as JSON, so that no address, history or log on the way holds a position."""
    question = RouteQuestion.from_json(await json_body(request))
    return _answer(question, directory, haven_id, language)


def _answer(
    question: RouteQuestion, directory: Directory, haven_id: UUID, language: Language
) -> Response:
    search = directory.search
    row = listed_row(search, haven_id, directory.clock())
    body = route(search, row, question, _phrases(language.code))
    said = {"Content-Language": language.code, "Vary": "Accept-Language"}
    return Response(body, media_type=GEOJSON, headers={**NO_STORE, **said})


@cache
def _phrases(code: str) -> Phrases:
    return phrases(LANGUAGES[code])


def route(search: Search, row: int, question: RouteQuestion, words: Phrases) -> bytes:
    """A `Route`. Raises `NoStreets`, `OffTheStreets` and `NoWay`."""
    # Brings the compiler with it, as the search does.
    from app.walking.paths import path  # noqa: PLC0415
    from app.walking.streets import Tie  # noqa: PLC0415

    snapshot, streets, step_free = search.snapshot, search.streets, question.step_free
    if streets is None:
        raise NoStreets
    start = streets.tie(question.from_lat, question.from_lon)
    if start is None:
        west, south, east, north = streets.box
        is_inside = west <= question.from_lon <= east and south <= question.from_lat <= north
        far = f"lies more than {REACH_M} m from any known street"
        raise OffTheStreets(far if is_inside else "lies outside of the area of known streets")
    end = Tie(*snapshot.ties[row].tolist())
    way = path(streets, start, end, step_free=step_free) if end.edge >= 0 else None
    if way is None:
        raise NoWay(step_free=step_free)
    here = round(question.from_lon * 1e6), round(question.from_lat * 1e6)
    door = round(float(snapshot.lon[row]) * 1e6), round(float(snapshot.lat[row]) * 1e6)
    line = [here, *(place for leg in way.legs for place in leg.points), door]
    facts: dict[str, Any] = {
        "haven": str(snapshot.uuid(row)),
        **({"notice": DEMONSTRATION_HAVEN} if snapshot.demonstration else {}),
        "metres": way.cm / 100,
        "walking_minutes": -(-way.cm // (100 * METRES_A_MINUTE)),
        **({"no_known_steps": words["no_known_steps"]} if step_free else {}),
        "steps": [
            _step(step, words) for step in steps(here, start.off_cm, way.legs, door, end.off_cm)
        ],
        "attribution": ATTRIBUTION,
        "licence": LICENCE,
        **({"streets_of": streets.taken_at} if streets.taken_at else {}),
    }
    places = [_degrees(b) for a, b in zip([None, *line], line, strict=False) if a != b]
    # A line has two ends, even where there is no way to go.
    shape = {"type": "LineString", "coordinates": places if len(places) > 1 else places * 2}
    return orjson.dumps({"type": "Feature", "geometry": shape, "properties": facts})


def _step(step: Step, words: Phrases) -> dict[str, Any]:
    return {
        "text": in_words(step, words),
        "metres": step.cm / 100,
        "turn": step.turn,
        **({"over": step.course} if step.course else {}),
        **({"street": step.name} if step.name else {}),
        "begins": _degrees(step.begins),
    }


def _degrees(place: Place) -> tuple[float, float]:
    return place[0] / 1e6, place[1] / 1e6
