"""Coverage by night: of need, of licensed premises and of the streets' length, how much has an
open haven near on foot.

By the hours of an ordinary week, the night with the day on which it begins: it begins at noon. A
haven counts in the hours through all of which it is open. The change since the quarter before is by
the same need, so that it tells of doors alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Annotated, Any
from uuid import UUID

import numpy as np
from pydantic import Field
from sqlmodel import Session

from app.audit.cover.on_foot import OnFoot
from app.audit.cover.street_length import StreetLength
from app.audit.frame.doors import Door, doors
from app.audit.frame.figures import Aside, Key, Label
from app.audit.frame.names import WardNames, ward_names
from app.audit.frame.question import View
from app.audit.frame.report import Mark, Report, Row, Share, about
from app.audit.frame.rows import change
from app.audit.reports.ground import DAYS, Ground, NeedSourceRow
from app.core.places import Point
from app.http.fields import Absent
from app.venues.models import VenueStatus
from app.venues.open_week import HOURS, Bools, Floats

REACHES = (5, 10)
"""Minutes on foot."""

NIGHT = tuple(hour for hour in range(HOURS) if not 6 <= hour % 24 < 18)
"""The hours of nights, from 18:00 to 06:00."""

LATE = tuple(hour for day in (5, 6) for hour in range(24 * day + 2, 24 * day + 5))
"""Friday's and Saturday's nights, from 02:00 to 05:00."""

SPANS = {
    "week": ("All hours of the week", tuple(range(HOURS))),
    "nights": ("Nights, 18:00 to 06:00", NIGHT),
    "late": ("Friday and Saturday nights, 02:00 to 05:00", LATE),
}

Change = Annotated[Annotated[float, Field(ge=-1, le=1)] | Absent, Mark.PERCENT, Mark.SIGNED]


class _Near(Row):
    five: Share = Field(default=None, title="Within 5 minutes", examples=[0.61])
    ten: Share = Field(default=None, title="Within 10 minutes", examples=[0.8])


class _Over(Row):
    of: Key = Field(title="Key", examples=["need"])
    hours: Key = Field(title="Key of the hours", examples=["nights"])
    what: Label = Field(title="Of", examples=["Need"])
    period: Label = Field(title="When", examples=["Nights, 18:00 to 06:00"])


class _InHour(Row):
    at: Key = Field(title="Key of the hour", examples=["Friday 02:00"])
    night: Label = Field(title="Night of", examples=["Friday"])
    hour: Label = Field(title="Hour from", examples=["02:00"])


class _InWard(Row):
    ward_id: Key = Field(title="Ward key", examples=["0c6f5d1e-3f6b-4f5e-9a51-6b1b7a3f2c10"])
    code: Aside = Field(title="Code", examples=["E05009288"])
    ward: Label = Field(title="Ward", examples=["Bishopsgate"])


class NightTotal(_Near, _Over):
    """How much of one thing has an open haven near, over some hours."""

    before: Share = Field(default=None, title="Within 5 minutes, quarter before", examples=[0.57])
    change: Change = Field(default=None, title="Points of change", examples=[0.04])


class NightWard(NightTotal, _InWard):
    """The same in one ward."""


class NightHour(_Near, _InHour):
    """An hour of the week: how much of its need, and of licensed premises, is near."""

    before: Share = Field(default=None, title="Within 5 minutes, quarter before", examples=[0.57])
    need: Share = Field(default=None, title="Of all need", examples=[0.0119])
    havens: int = Field(title="Havens open", examples=[3])
    licensed_five: Share = Field(
        default=None, title="Licensed premises within 5 minutes", examples=[0.7]
    )
    licensed_ten: Share = Field(
        default=None, title="Licensed premises within 10 minutes", examples=[0.9]
    )


class NightWardHour(_Near, _InHour, _InWard):
    """An hour of the week in one ward: how much of its need is near."""


class Night(Report):
    """How much has an open haven near on foot, by the hours of an ordinary week."""

    totals: list[NightTotal] = Field(title="In all")
    wards: list[NightWard] = Field(title="By ward")
    hours: list[NightHour] = Field(title="By hour of the week")
    ward_hours: list[NightWardHour] = Field(title="By ward and hour")
    need: list[NeedSourceRow] = Field(title="Sources of need")


def night(session: Session, view: View, on_foot: OnFoot) -> Night:
    """Coverage by night at the end of a day; the filters say which havens count."""
    ground = Ground.read(session, view, on_foot)
    covered, names = things(session, view, ground), ward_names(session)
    of_need, of_licensed, *_ = covered
    hours = [door.hours for door in _counted(ground, view)]
    return Night(
        about=about(session, "A door within five minutes, by night", view, ground.sources()),
        totals=totals(covered),
        wards=list(by_ward(covered, names)),
        hours=list(_hours(of_need, of_licensed, ground.open_by_hour(hours))),
        ward_hours=[
            NightWardHour(**_ward(ward, names), **row)
            for ward, number in _in_order(of_need.wards, names)
            for row in of_need.at(number).by_hour()
        ],
        need=ground.need.sources,
    )


def things(session: Session, view: View, ground: Ground) -> "list[Thing]":
    """What may have an open haven near: need, licensed premises, and streets where there are any.

    On what has been read of a view.
    """
    view_before = replace(view, as_at=_quarter_before(view.as_at))
    before = replace(ground, doors=doors(session, view_before), day=view_before.as_at)
    havens, havens_before = _counted(ground, view), _counted(before, view)
    licensed = [
        door
        for door in ground.doors
        if door.facts.licensed and door.facts.status == VenueStatus.ACTIVE
    ]
    need, at_licensed = ground.need, [door.location for door in licensed]
    return [
        Thing.of("need", "Need", ground, havens, before, havens_before, need.places, need.wards,
                 need.by_hour),
        Thing.of(
            "licensed", "Licensed premises", ground, havens, before, havens_before, at_licensed,
            [door.facts.ward_id for door in licensed], np.ones((len(licensed), HOURS)),
        ),
        *Thing.of_streets(ground, havens, before, havens_before),
    ]  # fmt: skip


def _counted(ground: Ground, view: View) -> list[Door]:
    """The havens that a view's filters let count."""
    return [door for door in ground.havens if view.counts(door.facts)]


def totals(covered: "Sequence[Thing]") -> list[NightTotal]:
    """How much of each is near, over each of `SPANS`."""
    return [NightTotal(**row) for thing in covered for row in thing.totals()]


def by_ward(covered: "Sequence[Thing]", names: WardNames) -> Iterator[NightWard]:
    """The same in each ward."""
    everywhere = [ward for thing in covered for ward in thing.wards]
    for ward, _ in _in_order(everywhere, names):
        for thing in covered:
            there = thing.at(np.array([one == ward for one in thing.wards], bool))
            if there.weight.size:
                yield from (NightWard(**_ward(ward, names), **row) for row in there.totals())


def _quarter_before(day: date) -> date:
    """The last day of the quarter before that of a day."""
    return date(day.year, day.month - (day.month - 1) % 3, 1) - timedelta(days=1)


@dataclass(frozen=True)
class Thing:
    """Something at places that has a weight by hour: which part of it is near, within each of
    `REACHES`, and was within the first a quarter before; all are of [place, hour]."""

    key: str
    title: str
    wards: Sequence[UUID | None]
    weight: Floats
    near: Sequence[Bools | Floats]
    before: Bools | Floats

    @classmethod
    def of(
        cls,
        key: str,
        title: str,
        ground: Ground,
        havens: Sequence[Door],
        before: Ground,
        havens_before: Sequence[Door],
        places: Sequence[Point],
        wards: Sequence[UUID | None],
        weight: Floats,
    ) -> "Thing":
        near = ground.met(havens, REACHES, places)
        [was_near] = before.met(havens_before, REACHES[:1], places)
        return cls(key, title, wards, weight, near, was_near)

    @classmethod
    def of_streets(
        cls, ground: Ground, havens: Sequence[Door], before: Ground, havens_before: Sequence[Door]
    ) -> Iterator["Thing"]:
        """The streets of each ward, by their length; nothing where an installation has none."""
        if ground.on_foot.streets is None:
            return
        streets = StreetLength.of(ground.on_foot.streets)
        wards = ground.map.wards_of(streets.places)
        # While there are no wards, all streets count.
        named = [ward for ward in dict.fromkeys(wards) if ward is not None or not ground.map]
        if not named:
            return
        areas = np.array([[one == ward for one in wards] for ward in named])
        length = areas @ streets.metres

        def part(at: Ground, some: Sequence[Door], minutes: float) -> Floats:
            open_ = at.open_by_hour([door.hours for door in some])
            return streets.near(some, open_, minutes, areas) / length[:, np.newaxis]

        yield cls(
            "streets",
            "Streets, by their length",
            named,
            np.repeat(length[:, np.newaxis], HOURS, axis=1),
            [part(ground, havens, reach) for reach in REACHES],
            part(before, havens_before, REACHES[0]),
        )

    def at(self, number: Bools) -> "Thing":
        """The same at some of the places."""
        return replace(
            self,
            weight=self.weight[number],
            near=[near[number] for near in self.near],
            before=self.before[number],
        )

    def share(self, near: Bools | Floats, hours: Sequence[int]) -> float | None:
        """Which part of it is near in some hours."""
        weight = self.weight[:, hours]
        whole = float(weight.sum())
        return round(float((weight * near[:, hours]).sum()) / whole, 9) if whole else None

    def totals(self) -> Iterator[dict[str, Any]]:
        for key, (title, hours) in SPANS.items():
            five, ten = (self.share(near, hours) for near in self.near)
            before = self.share(self.before, hours)
            yield {
                "of": self.key,
                "what": self.title,
                "hours": key,
                "period": title,
                "five": five,
                "ten": ten,
                "before": before,
                "change": change(five, before),
            }

    def by_hour(self) -> Iterator[dict[str, Any]]:
        """Night by night, each from noon on."""
        for hour in range(12, HOURS + 12):
            at = [hour % HOURS]
            five, ten = (self.share(near, at) for near in self.near)
            night, clock = DAYS[(hour - 12) // 24], f"{hour % 24:02}:00"
            key = {"at": f"{night} {clock}", "night": night, "hour": clock}
            yield {**key, "five": five, "ten": ten}


def _in_order(
    wards: Sequence[UUID | None], names: WardNames
) -> Iterator[tuple[UUID | None, Bools]]:
    """The wards there are among some places, by name, and which places lie in each."""
    for ward in sorted({*wards}, key=lambda ward: (ward is None, names[ward], str(ward))):
        yield ward, np.array([one == ward for one in wards], bool)


def _ward(ward: UUID | None, names: WardNames) -> dict[str, Any]:
    return {"ward_id": str(ward), "code": names[ward].code, "ward": names[ward].name}


def _hours(need: Thing, licensed: Thing, open_: Bools) -> Iterator[NightHour]:
    whole = float(need.weight.sum())
    open_havens = open_.sum(axis=0)
    by_hour = zip(need.by_hour(), licensed.by_hour(), strict=True)
    for number, (of_need, of_licensed) in enumerate(by_hour, start=12):
        at = number % HOURS
        yield NightHour(
            **of_need,
            need=round(float(need.weight[:, at].sum()) / whole, 9) if whole else None,
            havens=int(open_havens[at]),
            licensed_five=of_licensed["five"],
            licensed_ten=of_licensed["ten"],
            before=need.share(need.before, [at]),
        )
