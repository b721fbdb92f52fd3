"""What plans and coverage by night are worked out from: need by place and hour, and open doors."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import numpy as np
from pydantic import Field
from sqlmodel import Session, col, select

from app.audit.cover.on_foot import OnFoot
from app.audit.frame.doors import Door, doors
from app.audit.frame.figures import Key, Label
from app.audit.frame.question import View
from app.audit.frame.report import Row
from app.core.events import known
from app.core.places import Point
from app.outreach.need import ASSUMPTION, NeedSource, assumed_by_hour
from app.venues import osm_hours
from app.venues.hours import Hours
from app.venues.models import Ward
from app.venues.open_week import HOURS, Bools, Floats, open_hours, share_by_hour
from app.venues.wards import WardMap

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class NeedSourceRow(Row):
    """One of the sources of need that count, and by which content it is known again."""

    checksum: Key = Field(title="Checksum", examples=["dd833a555e33dcc5"])
    source: Label = Field(title="Source", examples=["City of London Police, street level"])
    on: Label = Field(title="Date", examples=["2026-02-01"])
    rows: int = Field(title="Rows of its file", examples=[826])
    unplaced: int = Field(title="Of these without a place", examples=[62])
    weight: float = Field(title="Need", examples=[764.0])
    without_hours: float = Field(title="Of this with hours assumed", examples=[764.0])


@dataclass(frozen=True)
class Need:
    """Need within the wards by place and hour of the week, of [place, hour]; `outside` is what lies
    outside of them. While there are no wards, all counts."""

    sources: list[NeedSourceRow]
    places: list[Point]
    wards: list[UUID | None]
    by_hour: Floats
    outside: float

    @property
    def weight(self) -> Floats:
        """The need of each place, in all hours."""
        weight: Floats = self.by_hour.sum(axis=1)
        return weight

    def redrawn(self, times: int) -> Iterator[Floats]:
        """The same need drawn again by chance, as often as there were rows; always the same draws.

        What is known of a month is one draw of what might have been.
        """
        weight = self.weight
        number = round(weight.sum())
        chance = np.random.default_rng(int.from_bytes(hashlib.sha256(weight.tobytes()).digest()))
        for drawn in chance.multinomial(number, weight / weight.sum(), size=times):
            yield self.by_hour * (drawn / weight)[:, np.newaxis]


def need(session: Session, view: View, map_: WardMap) -> Need:
    """The need of a view: of all sources that are dated by its day, as known then."""
    found = session.exec(
        select(NeedSource)
        .where(known(NeedSource, view.known_at), col(NeedSource.effective_at) <= view.at)
        .order_by(col(NeedSource.effective_at), col(NeedSource.name), col(NeedSource.id))
    ).all()
    spread: dict[str, Floats] = {"": assumed_by_hour()}
    by_place: dict[tuple[float, float], Floats] = {}
    for source in found:
        for lat, lon, weight, text in source.points:
            if text not in spread:
                spread[text] = share_by_hour(osm_hours.parse(text), view.as_at)
            at = by_place.setdefault((lat, lon), np.zeros(HOURS))
            at += weight * spread[text]
    places = [Point(*place) for place in sorted(by_place)]
    by_hour = np.array([by_place[place] for place in sorted(by_place)]).reshape(-1, HOURS)
    wards = map_.wards_of(places) if places else []
    inside = np.array([not map_ or ward is not None for ward in wards], bool)
    return Need(
        sources=[_row(source) for source in found],
        places=[place for place, is_in in zip(places, inside, strict=True) if is_in],
        wards=[ward for ward, is_in in zip(wards, inside, strict=True) if is_in],
        by_hour=by_hour[inside],
        outside=float(by_hour[~inside].sum()),
    )


def _row(source: NeedSource) -> NeedSourceRow:
    return NeedSourceRow(
        checksum=source.checksum,
        source=source.name,
        on=source.on.isoformat(),
        rows=source.rows,
        unplaced=source.unplaced,
        weight=sum(weight for _, _, weight, _ in source.points),
        without_hours=sum(weight for _, _, weight, hours in source.points if not hours),
    )


@dataclass(frozen=True)
class Ground:
    """The doors and the need of a view, the wards, and the way on foot."""

    doors: list[Door]
    need: Need
    map: WardMap
    on_foot: OnFoot
    day: date

    @classmethod
    def read(cls, session: Session, view: View, on_foot: OnFoot) -> "Ground":
        map_ = WardMap(session.exec(select(Ward)))
        return cls(doors(session, view), need(session, view, map_), map_, on_foot, view.as_at)

    @property
    def havens(self) -> list[Door]:
        """The doors with an accreditation in force."""
        return [door for door in self.doors if door.is_haven]

    def open_by_hour(self, hours: Sequence[Hours | None]) -> Bools:
        """Through which hours of the week places with these hours are open, of [place, hour]; where
        they are unknown, through none."""
        by_hours = {one: open_hours(one, self.day) for one in {*hours} if one}
        never = np.zeros(HOURS, bool)
        rows = [by_hours[one] if one else never for one in hours]
        return np.array(rows, bool).reshape(-1, HOURS)

    def met(
        self, some: Sequence[Door], reaches: Sequence[float], places: Sequence[Point]
    ) -> list[Bools]:
        """Where one of some doors is open within so many minutes on foot, of [place, hour], for
        each of several such reaches."""
        minutes = self.on_foot.minutes(some, places, max(reaches))
        open_ = self.open_by_hour([door.hours for door in some]).astype(np.float64)
        return [(minutes <= reach).T.astype(np.float64) @ open_ > 0 for reach in reaches]

    def sources(self) -> list[str]:
        """What figures are worked out from, in words."""
        of_need = [f"need: {row.source}, {row.on}" for row in self.need.sources]
        return [
            *of_need,
            "opening hours, places and accreditations as they were recorded",
            str(self.on_foot),
            *([ASSUMPTION] if any(row.without_hours for row in self.need.sources) else ()),
        ]
