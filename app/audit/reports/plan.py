"""Where the next havens should be: which places, so many of them, would meet most need.

A place meets need within some minutes on foot of it, in the hours of the week through all of which
it is open. The best choice of each number of places is exact; what taking one after the other would
come to stands beside it, and how the choice holds when the need is drawn again by chance.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import Field
from sqlmodel import Session

from app.audit.cover.on_foot import OnFoot
from app.audit.cover.rows import Cover, cover
from app.audit.cover.solver import Choices, choices
from app.audit.frame.doors import Door
from app.audit.frame.names import WardNames, ward_names, words
from app.audit.frame.question import ReportQuestion, View
from app.audit.frame.report import About, Report, Row, Share, about
from app.audit.frame.rows import AtVenue
from app.audit.reports.ground import DAYS, Ground, NeedSourceRow
from app.core.text import folded
from app.venues import osm_hours
from app.venues.hours import Hours
from app.venues.kinds import Category
from app.venues.models import VenueStatus
from app.venues.open_week import ASSUMED_HOURS, HOURS, Bools, Floats, assumed_hours

MOST = 20
"""Up to how many places a plan has."""

REDRAWS = 30
"""How often the need is drawn again."""


class PlanQuestion(ReportQuestion):
    """How many places, within how many minutes on foot; the filters say which may be chosen."""

    places: int = Field(
        default=5, ge=1, le=MOST, description="How many places to show", examples=[5]
    )
    minutes: int = Field(
        default=5, ge=1, le=15, description="How far on foot need is met", examples=[5]
    )


class PlannedPlace(AtVenue):
    """One of the places of the plan."""

    category: Category = Field(examples=["hotel"])
    address: str = Field(title="Address", examples=["1 Lantern Passage, London"])
    ward: str = Field(title="Ward", examples=["Cheap"])
    status: VenueStatus = Field(title="In the register", examples=["prospect"])
    hours: str = Field(title="Open", examples=["Mo-Su 00:00-24:00"])
    hours_are: str = Field(title="Hours are", examples=["assumed"])
    gain: Share = Field(
        default=None,
        title="Need lost without it",
        description="How much less of all need would be met without it, the others as they are",
        examples=[0.0512],
    )
    chosen_again: int = Field(
        title=f"Chosen again, of {REDRAWS} redraws",
        description="How often it, or one that meets the same, is among the best when the need is"
        " drawn again by chance",
        examples=[27],
    )
    in_greedy: bool = Field(title="Also one after the other", examples=[True])
    as_good: int = Field(
        title="Others that meet the same",
        description="At other addresses: any of them would do as well",
        examples=[2],
    )


class PlanStep(Row):
    """The best choice of one number of places."""

    places: int = Field(title="Places", examples=[5])
    met: Share = Field(default=None, title="Need met, with the havens there are", examples=[0.606])
    more: Share = Field(default=None, title="More than with one less", examples=[0.071])
    greedy: Share = Field(default=None, title="Chosen one after the other", examples=[0.601])
    shortfall: Share = Field(default=None, title="Which is less by", examples=[0.005])
    references: list[str] = Field(title="Which", examples=[["COL-0042", "fhrs-294048"]])


class PlanHour(Row):
    """An hour of the week: how much of its need is met, and how much nothing here can meet."""

    day: str = Field(title="Day", examples=["Saturday"])
    hour: str = Field(title="Hour from", examples=["02:00"])
    need: Share = Field(default=None, title="Of all need", examples=[0.0119])
    met: Share = Field(default=None, title="Met today", examples=[0.21])
    planned: Share = Field(default=None, title="Met with the plan", examples=[0.45])
    out_of_reach: Share = Field(
        default=None,
        title="No place can meet",
        description="No haven and no known place is open near enough: only a help point, or a"
        " later closing, would",
        examples=[0.33],
    )


class PlanTotal(Row):
    """What the plan comes to, and what it rests on."""

    met: Share = Field(default=None, title="Need met today", examples=[0.4])
    planned: Share = Field(default=None, title="With the plan", examples=[0.62])
    out_of_reach: Share = Field(default=None, title="No place can meet", examples=[0.13])
    out_of_reach_by_night: Share = Field(
        default=None, title="Of that, from 23:00 to 07:00", examples=[0.98]
    )
    need: float = Field(title="Need", examples=[716.0])
    outside: float = Field(title="Need outside the wards, not counted", examples=[48.0])
    havens: int = Field(title="Havens", examples=[61])
    havens_without_hours: int = Field(title="Of these with unknown hours", examples=[2])
    candidates: int = Field(title="Addresses that may be chosen", examples=[1065])
    assumed: int = Field(title="Of these with hours assumed by kind", examples=[1051])
    left_out: int = Field(
        title="Places left out, as nobody knows their hours",
        description="Of kinds whose hours nothing is assumed of",
        examples=[61],
    )


class Plan(Report):
    """Which places would meet most need, for each number of them."""

    total: list[PlanTotal] = Field(title="In all")
    places: list[PlannedPlace] = Field(title="The places")
    steps: list[PlanStep] = Field(title="By how many places")
    hours: list[PlanHour] = Field(title="By hour of the week")
    need: list[NeedSourceRow] = Field(title="Sources of need")


@dataclass(frozen=True)
class Candidate:
    """A place that may be chosen, one at each address."""

    door: Door
    hours: Hours
    is_known: bool


@dataclass(frozen=True)
class Planning:
    """All that is read from the register for a plan, before it is worked out."""

    view: View
    ground: Ground
    candidates: list[Candidate]
    left_out: int
    about: About
    wards: WardNames

    @classmethod
    def read(cls, session: Session, view: View, on_foot: OnFoot) -> "Planning":
        """What a view has for a plan."""
        ground = Ground.read(session, view, on_foot)
        may_be = [door for door in ground.doors if _may_be_chosen(door, view)]
        candidates = [one for door in may_be if (one := _candidate(door))]
        title = "Where the next havens should be"
        sources = [*ground.sources(), _assumed_in_words()]
        return cls(
            view,
            ground,
            _one_at_each_address(candidates, ground),
            len(may_be) - len(candidates),
            about(session, title, view, sources),
            ward_names(session),
        )

    def plan(self, places: int, minutes: Sequence[int]) -> Plan:
        """The plan of up to `places`, which takes seconds of work.

        Need that is met within the longer ones of several `minutes` alone counts in part: by the
        part of them within which it is. Raises `NoSolver` and `NotPlanned`.
        """
        need, doors = self.ground.need, [one.door for one in self.candidates]
        met = np.array(self.ground.met(self.ground.havens, minutes, need.places))
        left = need.by_hour * ~met / len(minutes)
        on_foot = self.ground.on_foot.minutes(doors, need.places, max(minutes))
        reaches = np.array([on_foot <= reach for reach in minutes])
        open_ = self.ground.open_by_hour([one.hours for one in self.candidates])
        question = cover(left, reaches, open_)
        redraws = need.redrawn(REDRAWS) if need.places else ()
        answer = choices(
            question,
            [question.weighed(drawn * ~met / len(minutes)) for drawn in redraws],
            MOST,
            places,
        )
        chosen = answer.best[min(places, len(answer.best)) - 1] if answer.best else []
        at = question.candidates[chosen]
        near = reaches[0].T.astype(np.float64)
        planned = met[0] | (near[:, at] @ open_[at].astype(np.float64) > 0)
        reachable = met[0] | (near @ open_.astype(np.float64) > 0)
        return Plan(
            about=self.about,
            total=[self._total(met[0], planned, reachable)],
            places=self._places(question, answer, chosen),
            steps=list(self._steps(question, answer, left)),
            hours=list(_hours(need.by_hour, met[0], planned, reachable)),
            need=need.sources,
        )

    def _total(self, met: Bools, planned: Bools, reachable: Bools) -> PlanTotal:
        need = self.ground.need
        whole = need.by_hour.sum()
        lost = np.where(reachable, 0, need.by_hour).sum(axis=0)
        return PlanTotal(
            met=_share(need.by_hour[met].sum(), whole),
            planned=_share(need.by_hour[planned].sum(), whole),
            out_of_reach=_share(lost.sum(), whole),
            out_of_reach_by_night=_share(lost[_BY_NIGHT].sum(), lost.sum()),
            need=round(float(whole), 6),
            outside=round(need.outside, 6),
            havens=len(self.ground.havens),
            havens_without_hours=sum(door.hours is None for door in self.ground.havens),
            candidates=len(self.candidates),
            assumed=sum(not one.is_known for one in self.candidates),
            left_out=self.left_out,
        )

    def _places(self, cover: Cover, answer: Choices, chosen: Sequence[int]) -> list[PlannedPlace]:
        """The places of the plan, those first without which most would be lost."""
        again = Counter(number for drawn in answer.redrawn for number in drawn)
        whole = self.ground.need.by_hour.sum()
        rows = []
        for number in chosen:
            one = self.candidates[cover.candidates[number]]
            door, others = one.door, [other for other in chosen if other != number]
            rows.append(
                PlannedPlace(
                    venue_id=door.id,
                    reference=door.reference,
                    name=door.name,
                    category=door.facts.category,
                    address=", ".join(filter(None, (door.address, door.postcode))),
                    ward=self.wards[door.facts.ward_id].name,
                    status=door.facts.status,
                    hours=osm_hours.text(one.hours),
                    hours_are="known" if one.is_known else "assumed",
                    gain=_share(cover.met(chosen) - cover.met(others), whole),
                    chosen_again=again[number],
                    in_greedy=number in answer.greedy[: len(chosen)],
                    as_good=int(cover.alike[number]) - 1,
                )
            )
        return sorted(rows, key=lambda row: (-(row.gain or 0), row.reference))

    def _steps(self, cover: Cover, answer: Choices, left: Floats) -> Iterator[PlanStep]:
        whole = self.ground.need.by_hour.sum()
        # What the havens meet: all but what is left to the candidates.
        before = met_today = whole - left.sum()
        for number, chosen in enumerate(answer.best, start=1):
            met = met_today + cover.met(chosen)
            one_by_one = met_today + cover.met(answer.greedy[:number])
            references = [
                self.candidates[place].door.reference for place in cover.candidates[chosen]
            ]
            yield PlanStep(
                places=number,
                met=_share(met, whole),
                more=_share(met - before, whole),
                greedy=_share(one_by_one, whole),
                shortfall=_share(met - one_by_one, whole),
                references=sorted(references),
            )
            before = met


_BY_NIGHT = [hour for hour in range(HOURS) if not 7 <= hour % 24 < 23]


def _share(part: float, whole: float) -> float | None:
    # Sums in another order differ in the last digits; a share below nothing is nothing.
    return None if not whole else max(0.0, round(float(part / whole), 9))


def _hours(need: Floats, met: Bools, planned: Bools, reachable: Bools) -> Iterator[PlanHour]:
    by_hour, whole = need.sum(axis=0), need.sum()
    for hour in range(HOURS):
        of = by_hour[hour]
        yield PlanHour(
            day=DAYS[hour // 24],
            hour=f"{hour % 24:02}:00",
            need=_share(of, whole),
            met=_share(need[met[:, hour], hour].sum(), of),
            planned=_share(need[planned[:, hour], hour].sum(), of),
            out_of_reach=_share(need[~reachable[:, hour], hour].sum(), of),
        )


def _may_be_chosen(door: Door, view: View) -> bool:
    return not door.is_haven and view.chooses(door.facts)


def _candidate(door: Door) -> Candidate | None:
    """A place with its hours; none where they are unknown and nothing is assumed of its kind."""
    if door.hours:
        return Candidate(door, door.hours, True)
    assumed = assumed_hours(Category(door.facts.category))
    return Candidate(door, assumed, False) if assumed else None


def _one_at_each_address(candidates: Sequence[Candidate], ground: Ground) -> list[Candidate]:
    """One of those at each address, and none where there is a haven already.

    A hotel's bar and canteen are registered apart. The one with known hours comes first, then the
    one that is open for longest, then one that is active; so does the order in which of equals one
    is chosen.
    """
    open_ = ground.open_by_hour([one.hours for one in candidates]).sum(axis=1)
    in_order = sorted(
        zip(candidates, open_.tolist(), strict=True),
        key=lambda one: (
            not one[0].is_known,
            -one[1],
            one[0].door.facts.status != VenueStatus.ACTIVE,
            one[0].door.reference,
        ),
    )
    taken = {_address(door) for door in ground.doors if door.is_haven}
    kept = []
    for one, _ in in_order:
        address = _address(one.door)
        # What has no address may be anywhere.
        if address and address in taken:
            continue
        taken.add(address)
        kept.append(one)
    return kept


def _address(door: Door) -> str:
    return folded(f"{door.address} {door.postcode}").strip() if door.address else ""


def _assumed_in_words() -> str:
    kinds = "; ".join(f"{words(kind).lower()} {text}" for kind, text in ASSUMED_HOURS.items())
    return f"hours that nobody has recorded are assumed by kind ({kinds})"
