"""GDAL reads the havens, help points and wards, as QGIS and other programs for maps do.

    python -m tests.drills.gdal

It wants `pyogrio`, which brings GDAL with it (a hundred megabytes, so it is nobody's dependency):
`.venv/bin/pip install pyogrio`. Without it this says so and ends. Leaves with 1 when GDAL found
anything other than what the service gives in its own form: how many, where, what is said of each;
those in a box and those of a kind, asked of the service; page by page.
"""

import re
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import Executor, ProcessPoolExecutor
from importlib import import_module
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from tests.bench.report import begin, say, table
from tests.servers import running
from tests.web.wire import Wire, wire_to

COLLECTIONS = ("havens", "help-points", "wards")
PAGE = 10
BOX = (-0.095, 51.510, -0.085, 51.518)

Json = dict[str, Any]


def main() -> None:
    """Print what was read of each collection, and leave with 1 unless it is all there."""
    if find_spec("pyogrio") is None:
        print("pyogrio is not installed, so GDAL does not read the collections.")
        return
    begin()
    wrong: list[str] = []
    rows = []
    with tempfile.TemporaryDirectory(prefix="havens-drill-") as name:
        data = Path(name)
        with running(data, environment="demo") as service, service.client() as client:
            given = {
                one: client.get(f"/ogc/collections/{one}/items?limit=1000").json()["features"]
                for one in COLLECTIONS
            }
            # A process of its own: GDAL lets no other thread run while it reads.
            elsewhere = ProcessPoolExecutor(1, get_context("spawn"))
            with wire_to(client) as wire, elsewhere:
                for one, features in given.items():
                    reads = Collection(wire, elsewhere, one)
                    for what, holds in reads.promises(features):
                        rows.append([f"{one}: {what}", "yes" if holds else "NO"])
                        wrong += [] if holds else [f"{one}: {what}"]
    table("What GDAL reads", ["", "as given"], rows)
    say("\n".join(wrong) or f"As given, in pages of {PAGE}.")
    sys.exit(bool(wrong))


class Collection:
    """A collection as GDAL reads it, over a wire that keeps what it asked for."""

    def __init__(self, wire: Wire, elsewhere: Executor, name: str) -> None:
        self._wire, self._elsewhere = wire, elsewhere
        self._layer = f"OAPIF:{wire.url}/ogc", name

    def promises(self, features: list[Json]) -> Iterable[tuple[str, bool]]:
        """What must hold of it, and whether it does; `features` are all there are."""
        said = _said(features)
        about = self._elsewhere.submit(_about, *self._layer).result()
        yield "how many", about["features"] == len(features)
        yield "its extent", bool(np.allclose(about["total_bounds"], _extent(features)))
        yield "its system of coordinates", about["crs"] == "EPSG:4326"
        read, asked = self._read(PAGE_SIZE=PAGE)
        yield "each, and all that is said of it", read == said
        pages = [path for path in asked if f"limit={PAGE}" in path]
        yield f"page by page, {PAGE} each", len(pages) >= len(features) / PAGE
        inside = [one for one in features if _meets(one, BOX)]
        read, asked = self._read(bbox=BOX)
        yield "those in a box", read == _of(said, inside) and len(inside) > 0
        yield "the box asked of the service", any("bbox=" in path for path in asked)
        one = features[0]["properties"]["name"]
        read, asked = self._read(where=f"name = '{one}'")
        yield "the one of a name", read == _of(said, features[:1])
        yield "the name asked of the service", any("name=" in path for path in asked)

    def _read(self, **more: Any) -> tuple[dict[str, Json], list[str]]:
        """Properties by id, and the addresses that were asked for."""
        self._wire.take()
        read = self._elsewhere.submit(_read, *self._layer, more).result()
        asked = [request.split(b" ", 2)[1].decode() for request in self._wire.take()]
        return read, asked


def _about(source: str, layer: str) -> Json:
    gdal = import_module("pyogrio")
    about: Json = gdal.read_info(
        source, layer=layer, force_feature_count=True, force_total_bounds=True
    )
    return about


def _read(source: str, layer: str, more: Json) -> dict[str, Json]:
    about, _, _, columns = import_module("pyogrio.raw").read(source, layer=layer, **more)
    rows = [
        dict(zip(about["fields"], map(_plain, row), strict=True))
        for row in zip(*columns, strict=True)
    ]
    return {row.pop("id"): row for row in rows}


def _plain(value: Any) -> Any:
    """A value as JSON has it: lists come as text, what is absent as None."""
    if isinstance(value, np.ndarray):
        return [str(one) for one in value]
    if isinstance(value, float) and np.isnan(value):
        return None
    return value


def _said(features: list[Json]) -> dict[str, Json]:
    fields = {name for one in features for name in one["properties"]}
    return {one["id"]: {name: one["properties"].get(name) for name in fields} for one in features}


def _of(said: dict[str, Json], features: list[Json]) -> dict[str, Json]:
    return {one["id"]: said[one["id"]] for one in features}


def _points(feature: Json) -> list[tuple[float, float]]:
    numbers = re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", str(feature["geometry"]["coordinates"]))
    flat = [float(number) for number in numbers]
    return list(zip(flat[::2], flat[1::2], strict=True))


def _extent(features: list[Json]) -> tuple[float, float, float, float]:
    lons, lats = zip(*(point for one in features for point in _points(one)), strict=True)
    return min(lons), min(lats), max(lons), max(lats)


def _meets(feature: Json, box: tuple[float, float, float, float]) -> bool:
    """Whether a feature's own box meets a box, which is how the service is asked."""
    west, south, east, north = _extent([feature])
    return west <= box[2] and east >= box[0] and south <= box[3] and north >= box[1]


if __name__ == "__main__":
    main()
