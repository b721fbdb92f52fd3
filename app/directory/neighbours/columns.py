"""What a neighbour tells, as a snapshot that is searched as our own is."""

from array import array
from collections.abc import Iterable

import numpy as np
import orjson

from app.core.text import line
from app.directory.build import Found, Schedules, assembled
from app.directory.neighbours.checks import Held, is_invented
from app.directory.render import DEMONSTRATION_HAVEN, directions_url
from app.directory.rules import Interval
from app.directory.schemas import DirectoryHaven, Span, WholeDirectory
from app.directory.snapshot import (
    HORIZON,
    HOUR,
    MINUTE,
    PROVIDES,
    STEP_FREE,
    UNKNOWN_HOURS,
    Snapshot,
    start_of,
)
from app.venues.kinds import StepFree

_LONGEST = {
    "name": 200,
    "address": 300,
    "postcode": 10,
    "ward": 200,
    "opening_hours": 5000,
    "phone": 40,
    "entrance": 300,
    "uprn": 12,
}
"""What is written of a haven, and how long it may be."""


def columns(told: WholeDirectory) -> Snapshot:
    """The snapshot of what was told. Raises `Held` for what can't be shown.

    It begins and ends with what was told, whenever that was: of any other instant nothing is known.
    """
    start = int(told.directory.valid_from.timestamp()) // HOUR * HOUR
    # By which a snapshot knows when it starts.
    generated_at = start + HOUR
    within = start_of(generated_at), start_of(generated_at) + HORIZON
    schedules, found = Schedules(within), Found(bytearray(), array("d"), array("q"), array("q"), [])
    for haven in (*told.havens, *told.upcoming):
        lists = _intervals(haven, haven.listed, within) if haven.listed is not None else (within,)
        opens = UNKNOWN_HOURS
        if haven.availability is not None:
            opens = schedules.number(_intervals(haven, haven.availability, within))
        provides = sum(PROVIDES[facility] for facility in set(haven.facilities))
        provides |= STEP_FREE * (haven.step_free == StepFree.YES)
        found.ids.extend(haven.id.bytes)
        found.places.extend((haven.location.lat, haven.location.lon))
        found.rows.extend((provides, opens, schedules.number(lists)))
        found.texts.append(_fragment(haven))
    return assembled(
        found,
        schedules,
        database="",
        version=0,
        generated_at=generated_at,
        streets="",
        demonstration=is_invented(told),
        wards=np.zeros(0, dtype=np.uint8),
    )


def _intervals(
    haven: DirectoryHaven, spans: Iterable[Span], within: Interval
) -> tuple[Interval, ...]:
    """The spans in whole minutes, never longer; those that touch made one."""
    intervals: list[Interval] = []
    for span in spans:
        begin = max(-(-int(span.begin.timestamp()) // MINUTE) * MINUTE, within[0])
        end = min(int(span.until.timestamp()) // MINUTE * MINUTE, within[1])
        if span.begin >= span.until or (intervals and begin < intervals[-1][1]):
            raise Held(f"the times of haven {haven.id} are not in order")
        if begin >= end:
            continue
        if intervals and begin == intervals[-1][1]:
            begin = intervals.pop()[0]
        intervals.append((begin, end))
    return tuple(intervals)


def _fragment(haven: DirectoryHaven) -> bytes:
    """As the directory has it of our own, and nothing more: an address to open is made here."""
    shown = haven.model_dump(
        mode="json", exclude_none=True, exclude={"availability", "listed", "directions_url"}
    )
    for name, longest in _LONGEST.items():
        if name in shown:
            try:
                shown[name] = line(shown[name])
            except ValueError as error:
                raise Held(f"the {name} of haven {haven.id} {error}") from None
            if len(shown[name]) > longest:
                raise Held(f"the {name} of haven {haven.id} is longer than {longest} letters")
    if not shown["name"]:
        raise Held(f"haven {haven.id} has no name")
    if "notice" in shown:
        shown["notice"] = DEMONSTRATION_HAVEN
    lat, lon = haven.location.lat, haven.location.lon
    shown["directions_url"] = directions_url(lat, lon)
    return orjson.dumps(shown)[1:]
