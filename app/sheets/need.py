"""Need from files: the police's street-level records as they publish them, or any weighted points.

A row of the police's counts as 1, wherever in the month; they give neither a day nor an hour.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from functools import partial
from uuid import uuid4

import orjson
from sqlmodel import select

from app.core.batch import Batch
from app.core.events import in_effect, recorded
from app.core.journal import Journal, now
from app.core.london import effective
from app.outreach.need import NeedPoint, NeedSource
from app.sheets.cells import day, read_rows
from app.sheets.import_report import (
    Import,
    ImportRejected,
    ImportReport,
    Skipped,
    Track,
    degrees,
    line_of,
    read_text,
)
from app.sheets.rows import Column, DayColumn, Row, Sheet
from app.venues import osm_hours
from app.venues.hours import Hours

_MOST_WEIGHT = 1_000_000


def _month(text: str) -> date:
    if not re.fullmatch("20[0-9]{2}-[0-9]{2}", text):
        raise ValueError("must be a month, like 2026-02: format the column as text")
    return day(f"{text}-01")


def _weight(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,7}(\.[0-9]{1,6})?", text) or not 0 < float(text) <= _MOST_WEIGHT:
        raise ValueError(f"must be a number above 0 and up to {_MOST_WEIGHT}, like 1 or 2.5")
    return float(text)


def _weekly_hours(text: str) -> str:
    hours = osm_hours.parse(text)
    if not hours.weekly or hours != Hours(weekly=hours.weekly):
        raise ValueError("must be hours of the week and nothing else, like Fr-Sa 22:00-04:00")
    return osm_hours.text(hours)


_name = line_of(NeedSource, "name")
_latitude = Column(partial(degrees, most=90), is_text=False)
_longitude = Column(partial(degrees, most=180), is_text=False)


class _Points(Sheet):
    """Weighted points of any source, each with hours of the week where it has them."""

    columns: Mapping[str, Column] = {
        "source": Column(_name, required=True),
        "on": DayColumn(required=True),
        "latitude": _latitude,
        "longitude": _longitude,
        "weight": Column(_weight, is_text=False, empty=1.0),
        "hours": Column(_weekly_hours, empty=""),
    }
    needed = ("source", "on", "latitude", "longitude")


class _StreetLevel(Sheet):
    """The police's street-level records, as data.police.uk has them."""

    columns: Mapping[str, Column] = {
        "Crime ID": Column(is_text=False),
        "Month": Column(_month, required=True),
        "Reported by": Column(),
        "Falls within": Column(lambda text: _name(f"{text}, street level"), required=True),
        "Longitude": _longitude,
        "Latitude": _latitude,
        "Location": Column(),
        "LSOA code": Column(),
        "LSOA name": Column(),
        "Crime type": Column(),
        "Last outcome category": Column(),
        "Context": Column(),
    }
    needed = ("Month", "Falls within", "Longitude", "Latitude", "Crime type")


_OF_POLICE = {
    "Falls within": "source",
    "Month": "on",
    "Latitude": "latitude",
    "Longitude": "longitude",
}


def import_need(
    journal: Journal,
    content: bytes,
    *,
    actor: str,
    dry_run: bool = False,
    track: Track = iter,
) -> ImportReport:
    """Take need over from a CSV file. Raises `ImportRejected`."""
    return import_of(content, track).carry_out(journal, actor, dry_run=dry_run)


def import_of(content: bytes, track: Track = iter, most_rows: int | None = None) -> Import:
    """What a file of need asks for. Raises `ImportRejected` for one that can't be read."""
    is_police = "Crime type" in read_text(content).partition("\n")[0]
    sheet = _StreetLevel() if is_police else _Points()
    cells, unread = read_rows(content, sheet.columns, sheet.needed, most_rows)
    rows = [Row(*numbered) for numbered in cells]
    for row in track(rows):
        row.read(sheet)
        if is_police:
            row.values = {_OF_POLICE.get(name, name): value for name, value in row.values.items()}
        _check_place(row)
    if bad := [*unread, *(cell for row in rows for cell in row.bad)]:
        raise ImportRejected(bad)

    def plan(batch: Batch, report: ImportReport) -> None:
        of_source: dict[tuple[str, date], list[Row]] = defaultdict(list)
        for row in rows:
            of_source[row.values["source"], row.values["on"]].append(row)
            if "latitude" not in row.values:
                report.skipped.append(
                    Skipped(
                        reference=f"line {row.line}",
                        name=row.values["source"],
                        reason="has no coordinates",
                    )
                )
        kept = {
            (source.name, source.on): source
            for source in batch.session.exec(select(NeedSource).where(in_effect(NeedSource)))
        }
        for (name, on), its_rows in of_source.items():
            source = _source(batch, name, on, its_rows)
            old = kept.get((name, on))
            same = old is not None and old.checksum == source.checksum
            report.count(f"{name}, {on}", is_new=old is None, columns=[] if same else ["points"])
            if not same:
                batch.add(source)
                if old is not None:
                    old.voided_at, old.voided_by = now(batch.session), source.recorded_by
                    old.void_reason = "A newer file of the same source and date"
                    batch.edit(old)

    return Import(plan, (NeedSource,))


def _check_place(row: Row) -> None:
    """Refuse half a place, and the one that programs write where they have none."""
    if row.bad:
        return
    given = [row.values.get(name) for name in ("latitude", "longitude")]
    if given.count(None) == 1:
        row.refuse("", "has one of latitude and longitude: give both, or neither")
    elif given == [0, 0]:
        row.refuse("", "has coordinates 0, 0: leave them empty where there is no place")


def _source(batch: Batch, name: str, on: date, rows: Sequence[Row]) -> NeedSource:
    """What a file has of one source, its points each once and in order."""
    weights: dict[tuple[float, float, str], float] = defaultdict(float)
    for row in rows:
        values = row.values
        if "latitude" in values:
            key = (values["latitude"], values["longitude"], values.get("hours", ""))
            weights[key] += values.get("weight", 1.0)
    points: list[NeedPoint] = [
        (lat, lon, weight, hours) for (lat, lon, hours), weight in sorted(weights.items())
    ]
    return NeedSource(
        id=uuid4(),
        effective_at=effective(on),
        name=name,
        rows=len(rows),
        unplaced=sum("latitude" not in row.values for row in rows),
        checksum=hashlib.sha256(orjson.dumps(points)).hexdigest(),
        points=points,
        **recorded(batch.session),
    )
