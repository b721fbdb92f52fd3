"""OGC API - Features: the havens and wards at `/ogc`, and at `/ogc/licensing`, for those who answer
for coverage, the wards with their figures.

What everybody may read comes from the directory in memory; coverage from the database.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import date, datetime
from functools import lru_cache, partial
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Request, Response
from fastapi.concurrency import run_in_threadpool

from app.accounts.guards import Auditor
from app.audit.frame.question import Question as ReportQuestion
from app.audit.frame.question import View
from app.audit.reports.coverage import InScheme, Training
from app.audit.reports.ward_map import WardFeature, ward_features
from app.core.db import seen_until
from app.core.errors import NotFound
from app.core.settings import Settings
from app.directory.live import Directory
from app.directory.render import Document
from app.directory.routes import Live
from app.feeds.listed import Haven, hours_of, listed_in, today_of, told
from app.feeds.ogc import (
    CONFORMS_TO,
    GEOJSON,
    OPENAPI,
    Api,
    Collection,
    Feature,
    Features,
    Question,
    refused,
)
from app.feeds.weekly import osm_text
from app.http.conditional import TheJournal, unstored
from app.schemes.registry import SchemeKey
from app.training.courses import CourseKey
from app.venues.kinds import Category, Facility, StepFree

Json = dict[str, Any]
Tell = Callable[..., Awaitable[Response]]

PUBLIC, LICENSING = "/ogc", "/ogc/licensing"

_TEXT: Json = {"type": "string"}

HAVEN = {
    "name": _TEXT,
    "category": {"type": "string", "enum": list(Category)},
    "notice": _TEXT,
    "address": _TEXT,
    "postcode": _TEXT,
    "uprn": _TEXT,
    "ward": _TEXT,
    "opening_hours": _TEXT,
    "phone": _TEXT,
    "entrance": _TEXT,
    "facilities": {"type": "array", "items": {"type": "string", "enum": list(Facility)}},
    "step_free": {"type": "string", "enum": list(StepFree)},
    "last_checked": {"type": "string", "format": "date"},
}
"""What is told of a haven."""

WARD = {"code": _TEXT, "name": _TEXT}

_COUNTS = ("venues", "with_headcount", "trained", "headcount", "green", "amber", "red")
_NUMBER: Json = {"type": "number"}
COVERAGE: dict[str, Json] = {
    **WARD,
    **{f"{c}_{name}": {"type": "integer"} for c in CourseKey for name in _COUNTS},
    **{f"{course}_coverage": _NUMBER for course in CourseKey},
    **{f"{s}_{name}": {"type": "integer"} for s in SchemeKey for name in ("venues", "in_force")},
    **{f"{scheme}_share": _NUMBER for scheme in SchemeKey},
}
"""The figures of a ward, as columns."""


# --- what there is ---------------------------------------------------------------------------


def _havens(directory: Directory, category: Category | None = None) -> Features:
    return _of_document(directory.document("json"), today_of(directory), category)


@lru_cache(maxsize=4)
def _of_document(document: Document, today: date, category: Category | None) -> Features:
    return Features(
        [
            _haven(haven, osm_text(hours_of(haven, today)))
            for haven in listed_in(document).havens.values()
            if category in (None, haven["category"])
        ]
    )


def _haven(haven: Haven, hours: str) -> Feature:
    place = haven["location"]
    properties = {name: haven[name] for name in HAVEN if name in haven}
    if hours:
        properties["opening_hours"] = hours
    return Feature(
        haven["id"],
        {"type": "Point", "coordinates": [place["lon"], place["lat"]]},
        properties,
        [
            (datetime.fromisoformat(span["from"]), datetime.fromisoformat(span["until"]))
            for span in haven.get("availability", ())
        ],
    )


def _wards(directory: Directory) -> Features:
    return _of_wards(directory.wards())


@lru_cache(maxsize=1)
def _of_wards(document: Document) -> Features:
    found = orjson.loads(document.body)["features"]
    return Features([Feature(f["id"], f["geometry"], f["properties"]) for f in found])


def _coverage(journal: TheJournal) -> Features:
    with journal.reports() as session:
        view = View.of(session, ReportQuestion(), seen_until(session))
        wards = ward_features(session, view).features
    return Features([Feature(w.id, w.geometry, _figures(w)) for w in wards])


def _figures(ward: WardFeature) -> Json:
    shown = ward.properties
    found: Json = {"code": shown.code, "name": shown.name}
    for course in shown.courses:
        found |= _columns(course, course.course, (*_COUNTS, "coverage"))
    for scheme in shown.schemes:
        found |= _columns(scheme, scheme.scheme, ("venues", "in_force", "share"))
    return {name: value for name, value in found.items() if value is not None}


def _columns(row: Training | InScheme, key: str, names: Sequence[str]) -> Json:
    return {f"{key}_{name}": getattr(row, name) for name in names}


# --- at which addresses ----------------------------------------------------------------------


async def _public(request: Request, directory: Live) -> Api:
    settings: Settings = request.app.state.settings
    notice = "Demonstration data: no haven here is real. " if settings.demonstration else ""
    open_then = " At a `datetime`: those that are open then."
    return _api(
        request,
        PUBLIC,
        "Safe Havens",
        f"{notice}Places whose trained staff offer refuge.",
        Collection(
            "havens",
            "Havens",
            f"{notice}Those that are listed now.{open_then}",
            HAVEN,
            partial(_havens, directory),
            has_times=True,
        ),
        Collection(
            "help-points",
            "Help points",
            f"{notice}Those of the havens that stand on some nights alone.{open_then}",
            HAVEN,
            partial(_havens, directory, Category.HELP_POINT),
            has_times=True,
        ),
        Collection(
            "wards",
            "Wards",
            "Their outlines, simplified to some 10 m.",
            WARD,
            partial(_wards, directory),
        ),
    )


async def _licensing(request: Request, journal: TheJournal, _: Auditor) -> Api:
    return _api(
        request,
        LICENSING,
        "Safe Havens: coverage",
        "For those who answer for coverage, with their token.",
        Collection(
            "coverage",
            "Coverage by ward",
            "Who is trained and accredited in each ward, as known now.",
            COVERAGE,
            partial(_coverage, journal),
        ),
    )


def _api(
    request: Request, path: str, title: str, description: str, *collections: Collection
) -> Api:
    settings: Settings = request.app.state.settings
    # Without a public address links begin at the root: a Host header is whatever somebody sends.
    return Api(
        settings.address(path) or path,
        title,
        description,
        {collection.id: collection for collection in collections},
        is_guarded=path == LICENSING,
    )


async def _unstored(_: Request, answer: Json, media_type: str = "application/json") -> Response:
    return unstored(orjson.dumps(answer), media_type)


def _add_routes(router: APIRouter, offered: Callable[..., Any], tell: Tell) -> APIRouter:
    Offered = Annotated[Api, Depends(offered)]  # noqa: N806  a type

    def collection_of(api: Offered, collection_id: str) -> Collection:
        if collection_id not in api.collections:
            raise NotFound("collection")
        return api.collections[collection_id]

    Asked = Annotated[Collection, Depends(collection_of)]  # noqa: N806  a type

    @router.get("")
    async def landing(request: Request, api: Offered) -> Response:
        _refuse_parameters(request)
        return await tell(request, api.landing())

    @router.get("/conformance")
    async def conformance(request: Request, _: Offered) -> Response:
        _refuse_parameters(request)
        return await tell(request, {"conformsTo": CONFORMS_TO})

    @router.get("/api")
    async def contract(request: Request, api: Offered) -> Response:
        _refuse_parameters(request)
        return await tell(request, api.contract(), OPENAPI)

    @router.get("/collections")
    async def collections(request: Request, api: Offered) -> Response:
        _refuse_parameters(request)
        return await tell(request, await run_in_threadpool(api.list))

    @router.get("/collections/{collection_id}")
    async def collection(request: Request, api: Offered, asked: Asked) -> Response:
        _refuse_parameters(request)
        return await tell(request, await run_in_threadpool(api.describe, asked))

    @router.get("/collections/{collection_id}/items")
    async def items(request: Request, api: Offered, asked: Asked) -> Response:
        question = Question.of(request.query_params.multi_items(), asked)
        return await tell(request, await run_in_threadpool(api.items, asked, question), GEOJSON)

    @router.get("/collections/{collection_id}/items/{feature_id}")
    async def item(request: Request, api: Offered, asked: Asked, feature_id: str) -> Response:
        _refuse_parameters(request)
        features = await run_in_threadpool(asked.read)
        if feature_id not in features.by_id:
            raise NotFound("feature")
        return await tell(request, api.item(asked, features.by_id[feature_id]), GEOJSON)

    return router


def _refuse_parameters(request: Request) -> None:
    """The standard wants an error for each parameter that it has not."""
    if request.query_params:
        raise refused("query", "takes no parameters here")


router = _add_routes(APIRouter(prefix=PUBLIC, include_in_schema=False), _public, told)
licensing = _add_routes(APIRouter(prefix=LICENSING, include_in_schema=False), _licensing, _unstored)
