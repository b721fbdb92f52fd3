"""The postcodes of an area, and where each of them lies: one file in the data directory.

There is one where an operator has imported it (`havens import postcodes`); it is read without a
database, as the directory is. What is in it is public, and the same for everybody.
"""

import hashlib
import logging
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any

import orjson

from app.core import files
from app.core.places import Point

log = logging.getLogger(__name__)

POSTCODES = "postcodes"
_PER_DEGREE = 100_000
"""The file holds degrees to five places: a metre, and a postcode is a street."""


@dataclass(frozen=True, eq=False)
class Postcodes:
    """Where postcodes lie, by their usual form ("EC2R 8AJ"), and what is to be said of them."""

    places: Mapping[str, Point]
    about: Mapping[str, str]
    """`source`, `attribution`, and the day on which they were `imported`."""

    @cached_property
    def document(self) -> bytes:
        """All of it as JSON, small: by district, the second halves in one string, each place as
        what it lies north and east of the one before."""
        districts: dict[str, list[tuple[str, int, int]]] = defaultdict(list)
        for code, place in sorted(self.places.items()):
            outward, inward = code.split(" ")
            steps = (round(place.lat * _PER_DEGREE), round(place.lon * _PER_DEGREE))
            districts[outward].append((inward, *steps))
        told = {
            outward: {
                "codes": "".join(inward for inward, _, _ in codes),
                "lat": _steps([lat for _, lat, _ in codes]),
                "lon": _steps([lon for _, _, lon in codes]),
            }
            for outward, codes in districts.items()
        }
        return orjson.dumps({**self.about, "per_degree": _PER_DEGREE, "districts": told})

    @cached_property
    def checksum(self) -> str:
        """Tells one document from another."""
        return hashlib.sha256(self.document).hexdigest()

    def write(self, folder: Path) -> None:
        """Put them into the place of those there were, whole or not at all. Raises OSError."""
        files.replace(folder / POSTCODES, [self.checksum.encode(), b"\n", self.document])


def postcodes_of(folder: Path) -> Postcodes | None:
    """Those that are in a data directory now; None where there are none, or the file is spoilt."""
    try:
        state = (folder / POSTCODES).stat()
    except OSError:
        return None
    return _read(folder / POSTCODES, (state.st_ino, state.st_size, state.st_mtime_ns))


@lru_cache(maxsize=2)
def _read(file: Path, _state: tuple[int, int, int]) -> Postcodes | None:
    try:
        checksum, _, body = file.read_bytes().partition(b"\n")
        if hashlib.sha256(body).hexdigest().encode() != checksum:
            raise ValueError
        return _postcodes(orjson.loads(body))
    except (OSError, ValueError, LookupError, TypeError):
        log.error("%s is spoilt: import the postcodes anew (havens import postcodes)", file.name)
        return None


def _postcodes(told: dict[str, Any]) -> Postcodes:
    districts, per_degree = told.pop("districts"), told.pop("per_degree")
    places = {}
    for outward, of in districts.items():
        lats, lons = accumulate(of["lat"]), accumulate(of["lon"])
        for i, (lat, lon) in enumerate(zip(lats, lons, strict=True)):
            inward = of["codes"][3 * i : 3 * i + 3]
            places[f"{outward} {inward}"] = Point(lat / per_degree, lon / per_degree)
    return Postcodes(places, told)


def _steps(numbers: list[int]) -> list[int]:
    return [number - before for before, number in zip([0, *numbers], numbers, strict=False)]
