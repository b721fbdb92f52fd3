"""OGC API - Features, Part 1: collections of features, and the documents that lead to them; pure.

Conforms to Core, GeoJSON and OpenAPI 3.0 of version 1.0. Places are in WGS 84, longitude first.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from itertools import compress
from typing import Any, NamedTuple
from urllib.parse import urlencode

import numpy as np
import orjson
from numpy.typing import NDArray

from app.core.errors import FieldError, Invalid
from app.core.london import instant

Json = dict[str, Any]
Moment = datetime

GEOJSON = "application/geo+json"
OPENAPI = "application/vnd.oai.openapi+json;version=3.0"
CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
GREGORIAN = "http://www.opengis.net/def/uom/ISO-8601/0/Gregorian"
CONFORMS_TO = [
    f"http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/{name}"
    for name in ("core", "geojson", "oas30")
]

USUAL, MOST = 10, 1000
"""Features in a page, when nothing is said and at the most; who asks for more gets the most."""


class BadQuestion(Invalid):
    """The standard wants this status for a parameter that it has not, or a value that is wrong."""

    status = 400


def refused(name: str, message: str) -> BadQuestion:
    """One parameter is wrong, and why."""
    return BadQuestion([FieldError(field=name, message=message)])


class Feature(NamedTuple):
    """Something with a place. `times` are when it is there, from and until; None if that is no
    question."""

    id: str
    geometry: Json
    properties: Json
    times: Sequence[tuple[datetime, datetime]] | None = None

    def shown(self, **more: Any) -> Json:
        """As GeoJSON."""
        return {
            "type": "Feature",
            "id": self.id,
            "geometry": self.geometry,
            "properties": self.properties,
            **more,
        }


class Features:
    """The features of a collection at one moment, in order."""

    def __init__(self, features: Sequence[Feature]) -> None:
        self.all = features
        self.by_id = {feature.id: feature for feature in features}

    @cached_property
    def shapes(self) -> NDArray[np.object_]:
        """Their geometries."""
        # Brings a library of geometry, for those who ask for boxes and extents.
        import shapely  # noqa: PLC0415

        texts = [orjson.dumps(feature.geometry).decode() for feature in self.all]
        shapes: NDArray[np.object_] = shapely.from_geojson(np.array(texts, dtype=object))
        return shapes

    @cached_property
    def extent(self) -> list[float] | None:
        """The box around them all."""
        import shapely  # noqa: PLC0415  as above

        return [float(side) for side in shapely.total_bounds(self.shapes)] if self.all else None


@dataclass(frozen=True)
class Collection:
    """What is offered: `properties` are what features have, as JSON Schema, by which they can be
    asked for. `read` gives the features as they are now."""

    id: str
    title: str
    description: str
    properties: Mapping[str, Json]
    read: Callable[[], Features]
    has_times: bool = False


@dataclass(frozen=True)
class Question:
    """Which features: in a box, at a time, with values of properties, from which on."""

    given: Mapping[str, str]
    limit: int
    offset: int
    boxes: Sequence[tuple[float, float, float, float]]
    during: tuple[Moment | None, Moment | None] | None
    values: Mapping[str, str]

    @classmethod
    def of(cls, pairs: Sequence[tuple[str, str]], collection: Collection) -> "Question":
        """Read the parameters of an address. Raises `BadQuestion`."""
        given = dict(pairs)
        known = {"limit", "offset", "bbox", "datetime", *collection.properties}
        if len(given) < len(pairs):
            raise refused("query", "has a parameter more than once")
        if given.keys() - known:
            raise refused("query", f"has a parameter that is none of {', '.join(sorted(known))}")
        return cls(
            given,
            min(_whole("limit", given.get("limit", str(USUAL)), 1), MOST),
            _whole("offset", given.get("offset", "0"), 0),
            _boxes(given["bbox"]) if "bbox" in given else (),
            _during(given["datetime"]) if "datetime" in given else None,
            {name: given[name] for name in collection.properties if name in given},
        )

    def among(self, features: Features) -> list[Feature]:
        """All that it asks for, on whichever page."""
        found = list(features.all)
        if self.boxes:
            import shapely  # noqa: PLC0415  as above

            areas = [shapely.box(*box) for box in self.boxes]
            hits = np.any([shapely.intersects(features.shapes, area) for area in areas], axis=0)
            found = [*compress(found, hits)]
        return [f for f in found if self._is_then(f) and self._has_values(f)]

    def _is_then(self, feature: Feature) -> bool:
        if self.during is None or feature.times is None:
            return True
        begin, end = self.during
        return any(
            (end is None or start <= end) and (begin is None or begin < until)
            for start, until in feature.times
        )

    def _has_values(self, feature: Feature) -> bool:
        return all(
            wanted in value if isinstance(value, list) else _text(value) == wanted
            for name, wanted in self.values.items()
            for value in (feature.properties.get(name),)
        )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _whole(name: str, text: str, least: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) >= least):
        raise refused(name, f"must be a whole number from {least} on")
    return int(text)


def _boxes(text: str) -> list[tuple[float, float, float, float]]:
    try:
        sides = [float(side) for side in text.split(",")]
    except ValueError:
        sides = []
    if len(sides) == 6:  # with heights, which nothing here has
        del sides[5], sides[2]
    if len(sides) != 4 or not np.isfinite(sides).all() or sides[1] > sides[3]:
        raise refused("bbox", "must be west,south,east,north in degrees")
    west, south, east, north = sides
    if west <= east:
        return [(west, south, east, north)]
    return [(west, south, 180.0, north), (-180.0, south, east, north)]


def _during(text: str) -> tuple[Moment | None, Moment | None]:
    begin, slash, end = text.partition("/")
    try:
        first = None if begin in ("", "..") and slash else instant(begin)
        last = (None if end in ("", "..") else instant(end)) if slash else first
    except ValueError:
        raise refused("datetime", "must be an instant, or two with a slash between") from None
    if first and last and first > last:
        raise refused("datetime", "ends before it begins")
    return first, last


# --- the documents ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Api:
    """Collections at an address."""

    root: str
    title: str
    description: str
    collections: Mapping[str, Collection]
    is_guarded: bool = False

    def landing(self) -> Json:
        """Where everything begins."""
        return {
            "title": self.title,
            "description": self.description,
            "links": [
                self._link("self", "", "This document"),
                self._link("service-desc", "/api", "The contract", OPENAPI),
                self._link("conformance", "/conformance", "What it conforms to"),
                self._link("data", "/collections", "The collections"),
            ],
        }

    def list(self) -> Json:
        """What there is."""
        return {
            "links": [self._link("self", "/collections", "This document")],
            "collections": [self.describe(each) for each in self.collections.values()],
        }

    def describe(self, collection: Collection) -> Json:
        """A collection."""
        features, path = collection.read(), f"/collections/{collection.id}"
        extent: Json = {}
        if features.extent:
            extent["spatial"] = {"bbox": [features.extent], "crs": CRS84}
        times = [moment for f in features.all for span in f.times or () for moment in span]
        if times:
            ends = [_written(min(times)), _written(max(times))]
            extent["temporal"] = {"interval": [ends], "trs": GREGORIAN}
        return {
            "id": collection.id,
            "title": collection.title,
            "description": collection.description,
            **({"extent": extent} if extent else {}),
            "itemType": "feature",
            "crs": [CRS84],
            "links": [
                self._link("self", path, "This document"),
                self._link("items", f"{path}/items", collection.title, GEOJSON),
            ],
        }

    def items(self, collection: Collection, question: Question) -> Json:
        """A page of features."""
        found = question.among(collection.read())
        begin, end = question.offset, question.offset + question.limit
        here, path = found[begin:end], f"/collections/{collection.id}/items"

        def page(rel: str, offset: int, title: str) -> Json:
            asked = urlencode({**question.given, "offset": offset})
            return self._link(rel, f"{path}?{asked}", title, GEOJSON)

        links = [page("self", begin, "This page")]
        if end < len(found):
            links.append(page("next", end, "The next page"))
        if begin:
            links.append(page("prev", max(0, begin - question.limit), "The page before"))
        links.append(self._link("collection", f"/collections/{collection.id}", collection.title))
        return {
            "type": "FeatureCollection",
            "features": [feature.shown() for feature in here],
            "links": links,
            "numberMatched": len(found),
            "numberReturned": len(here),
        }

    def item(self, collection: Collection, feature: Feature) -> Json:
        """One feature."""
        path = f"/collections/{collection.id}"
        return feature.shown(
            links=[
                self._link("self", f"{path}/items/{feature.id}", "This feature", GEOJSON),
                self._link("collection", path, collection.title),
            ]
        )

    def contract(self) -> Json:
        """The API in OpenAPI 3.0: each collection with its own parameters."""
        paths: Json = {
            path or "/": {"get": _operation(summary)}
            for path, summary in (
                ("", "Where everything begins"),
                ("/conformance", "What it conforms to"),
                ("/collections", "The collections"),
            )
        }
        for name, collection in self.collections.items():
            here = f"/collections/{name}"
            paths[here] = {"get": _operation(collection.title)}
            paths[f"{here}/items"] = {
                "get": _operation(f"{collection.title}: a page", GEOJSON, _parameters(collection))
            }
            one = {"in": "path", "required": True, "schema": {"type": "string"}}
            paths[f"{here}/items/{{featureId}}"] = {
                "get": _operation(
                    f"{collection.title}: one", GEOJSON, [one | {"name": "featureId"}]
                )
            }
        token = {"token": {"type": "http", "scheme": "bearer"}}
        return {
            "openapi": "3.0.3",
            "info": {"title": self.title, "description": self.description, "version": "1.0.0"},
            "servers": [{"url": self.root}],
            "paths": paths,
            **(
                {"components": {"securitySchemes": token}, "security": [{"token": []}]}
                if self.is_guarded
                else {}
            ),
        }

    def _link(self, rel: str, path: str, title: str, kind: str = "application/json") -> Json:
        return {"href": f"{self.root}{path}", "rel": rel, "type": kind, "title": title}


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _operation(summary: str, kind: str = "application/json", parameters: Any = ()) -> Json:
    wrong = {"description": "What is wrong", "content": {"application/problem+json": {}}}
    return {
        "summary": summary,
        "parameters": list(parameters),
        "responses": {
            "200": {"description": "It", "content": {kind: {"schema": {"type": "object"}}}},
            "400": wrong,
            "404": wrong,
        },
    }


def _parameters(collection: Collection) -> Iterator[Json]:
    side = {"type": "number"}
    yield _parameter(
        "bbox", {"type": "array", "items": side, "minItems": 4, "maxItems": 6}, explode=False
    )
    if collection.has_times:
        yield _parameter("datetime", {"type": "string"})
    yield _parameter("limit", {"type": "integer", "minimum": 1, "maximum": MOST, "default": USUAL})
    yield _parameter("offset", {"type": "integer", "minimum": 0, "default": 0})
    for name, schema in collection.properties.items():
        of_one = schema["items"] if schema["type"] == "array" else schema
        yield _parameter(name, {k: v for k, v in of_one.items() if k != "description"})


def _parameter(name: str, schema: Json, *, explode: bool = True) -> Json:
    return {
        "name": name,
        "in": "query",
        "required": False,
        "style": "form",
        "explode": explode,
        "schema": schema,
    }
