"""Bringing in the streets of the area in which the havens are."""

import math
from pathlib import Path

from sqlalchemy import Engine
from sqlmodel import col, select

from app.core.db import read_session
from app.core.trouble import Trouble
from app.venues.models import Venue, VenueStatus
from app.walking.extract import BadExtract, Box, read_extract
from app.walking.made import Track, streets
from app.walking.streets import Streets, save

MARGIN_M = 1000
"""So far around the havens the streets must reach: nearer to where they are cut off, the shortest
way may lead over what is missing."""

_DEGREE_M = 111_195


class NotCovered(Trouble):
    """An extract that ends too near to some haven."""

    def __init__(self, file: str, lacks: list[str]) -> None:
        super().__init__(
            f"{file} does not reach far enough around the venues: {', '.join(lacks)} are missing."
            " Take a larger extract, or less of a margin with --margin."
        )


def import_streets(
    engine: Engine, folder: Path, file: Path, *, margin_m: float = MARGIN_M, track: Track = iter
) -> Streets:
    """Make the streets around the active venues out of an extract, and put them into a folder.

    All of the extract, where there are no venues yet. A service that runs takes them up by itself.
    Raises `BadExtract`, `NotCovered` and OSError.
    """
    with read_session(engine) as session:
        query = select(col(Venue.location)).where(col(Venue.status) == VenueStatus.ACTIVE)
        places = [(place.lat, place.lon) for place in session.exec(query)]
    within = _around(places, margin_m) if places else None
    extract = read_extract(file, within)
    if within and (lacks := lacking(extract.box, within)):
        raise NotCovered(file.name, lacks)
    made = streets(extract, file, track=track)
    if not len(made.tails):
        raise BadExtract(f"{file.name} has no network of ways there that people may walk")
    folder.mkdir(parents=True, exist_ok=True)
    save(made, folder)
    return made


def _around(places: list[tuple[float, float]], metres: float) -> Box:
    lats, lons = zip(*places, strict=True)
    north = metres / _DEGREE_M
    east = north / math.cos(math.radians(max(map(abs, lats))))
    return Box(min(lons) - east, min(lats) - north, max(lons) + east, max(lats) + north)


def lacking(box: Box, within: Box) -> list[str]:
    """What a box lacks of another one, in words; nothing when it holds all of it."""
    east = _DEGREE_M * math.cos(math.radians((within.south + within.north) / 2))
    lacks = {
        "west": (box.west - within.west) * east,
        "south": (box.south - within.south) * _DEGREE_M,
        "east": (within.east - box.east) * east,
        "north": (within.north - box.north) * _DEGREE_M,
    }
    return [f"{math.ceil(metres)} m in the {side}" for side, metres in lacks.items() if metres > 1]
