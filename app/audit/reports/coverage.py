"""Coverage: how many are trained of how many, and how many venues stand in each scheme."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any, TypeAlias
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from sqlmodel import Session

from app.audit.frame.names import FORMER_WARD, WardName, ward_names, words
from app.audit.frame.question import View, instant
from app.audit.frame.report import Report, Row, Share, about
from app.audit.frame.rows import share
from app.core.columns import Ints, places
from app.http.fields import Absent
from app.schemes.registry import SchemeKey
from app.schemes.rules import State
from app.schemes.timelines import Timelines, timelines
from app.training.columns import UNKNOWN
from app.training.courses import CourseKey
from app.training.grid import Grid, training_grid
from app.training.rag import Rag, rag, rag_place
from app.training.rules import Status
from app.venues.facts import FactsOn
from app.venues.kinds import Category
from app.venues.models import VenueStatus

SOURCES = (
    "training sessions and attendances",
    "headcount declarations",
    "decisions on accreditation",
    "dated facts of venues",
)

Bools: TypeAlias = NDArray[np.bool_]


class By(StrEnum):
    """What venues are grouped by."""

    WARD = "ward"
    CATEGORY = "category"
    LATE_NIGHT = "late_night"


class Training(Row):
    """How a course is covered at some venues. Venues without a headcount are counted apart.

    `venues` is `with_headcount` + `without_headcount`, and `current` + `due` + `lapsed` + `never`.
    """

    course: CourseKey = Field(examples=["wave"])
    venues: int = Field(examples=[412])
    with_headcount: int = Field(
        title="Venues with a headcount",
        description="`green` + `amber` + `red` + `nobody`",
        examples=[392],
    )
    without_headcount: int = Field(title="Venues without a headcount", examples=[20])
    nobody: int = Field(
        title="Venues that declare nobody",
        description="Those whose headcount is 0: they have one, but no colour",
        examples=[2],
    )
    trained: int = Field(title="Trained, where a headcount is declared", examples=[3120])
    headcount: int = Field(title="Headcount", examples=[4460])
    coverage: Share = Field(
        default=None, description="`trained` as a part of `headcount`", examples=[0.6996]
    )
    rag: Rag | Absent = Field(default=None, title="RAG", examples=["amber"])
    green: int = Field(title="Green venues", examples=[201])
    amber: int = Field(title="Amber venues", examples=[89])
    red: int = Field(title="Red venues", examples=[100])
    trained_without_headcount: int = Field(
        title="Trained, where no headcount is declared", examples=[31]
    )
    current: int = Field(title="Venues current", examples=[280])
    due: int = Field(title="Venues due", examples=[40])
    lapsed: int = Field(title="Venues lapsed", examples=[52])
    never: int = Field(title="Venues never trained", examples=[40])


class InScheme(Row):
    """How many of some venues stand in a scheme."""

    scheme: SchemeKey = Field(examples=["safe_haven"])
    in_force: int = Field(title="Venues in force", examples=[61])
    venues: int = Field(examples=[412])
    share: Share = Field(
        default=None,
        title="Share in force",
        description="`in_force` as a part of `venues`",
        examples=[0.1481],
    )
    suspended: int = Field(title="Venues suspended", examples=[1])
    expired: int = Field(title="Venues expired", examples=[9])
    withdrawn: int = Field(title="Venues withdrawn", examples=[4])


class _Grouped(Row):
    by: By = Field(title="Grouped by", examples=["ward"])
    group: str = Field(
        description="A ward's code, a category, or `yes` and `no`", examples=["E05009288"]
    )
    name: str = Field(examples=["Aldersgate"])


class TrainingOf(Training, _Grouped):
    """How a course is covered in one group of venues."""


class InSchemeOf(InScheme, _Grouped):
    """How many of one group of venues stand in a scheme."""


class Coverage(Report):
    """How far venues are trained and accredited, in all and by group."""

    courses: list[Training]
    schemes: list[InScheme]
    courses_by: list[TrainingOf] = Field(title="Courses by group")
    schemes_by: list[InSchemeOf] = Field(title="Schemes by group")


def coverage(session: Session, view: View) -> Coverage:
    """Coverage by course and by scheme at the end of one day."""
    covered = Covered.read(session, view, [view.as_at])
    groups = list(covered.groups(session, 0))
    return Coverage(
        about=about(session, "Coverage", view, SOURCES),
        courses=list(covered.training(0)),
        schemes=list(covered.in_schemes(0)),
        courses_by=[
            TrainingOf(**group, **vars(row))
            for group, venues in groups
            for row in covered.training(0, venues)
        ],
        schemes_by=[
            InSchemeOf(**group, **vars(row))
            for group, venues in groups
            for row in covered.in_schemes(0, venues)
        ],
    )


@dataclass(frozen=True)
class Covered:
    """Training and standing of all venues on some days, and which of them a report counts.

    `counts` is of [day, venue]; `states`, of [day, venue, scheme], has places in `State`.
    """

    view: View
    grid: Grid
    counts: Bools
    states: NDArray[np.int8]

    @classmethod
    def read(
        cls, session: Session, view: View, days: Sequence[date], spans: Timelines | None = None
    ) -> "Covered":
        """All there is to know of some days in order; `spans` is how venues stand, once read."""
        if spans is None:
            spans = timelines(session, view.known_at, states_only=True)
        grid = training_grid(session, days, view.known_at, due_days=view.limits.due_days)
        place = places(spans.venues, grid.venues)
        states = np.zeros((len(grid.days), len(grid.venues), len(_SCHEMES)), np.int8)
        for number, day in enumerate(grid.days):
            at = spans.at(instant(day, view.known_at))
            states[number, place, spans.schemes] = spans.states(at)
        return cls(view, grid, counted_on(view, grid.facts), states)

    def training(self, day: int, venues: Bools | None = None) -> Iterator[Training]:
        """The figures of every course on a day, at those of some venues that count."""
        counted = self.counts[day] if venues is None else self.counts[day] & venues
        standings = self.grid.standings
        thresholds = self.view.limits.thresholds
        which = np.flatnonzero(counted)
        headcount = standings.headcount[day, which]
        is_declared, is_somebody = headcount != UNKNOWN, headcount > 0
        of = headcount[is_somebody]
        for course, trained, status in zip(
            self.grid.courses,
            standings.trained[day, which].T,
            standings.status[day, which].T,
            strict=True,
        ):
            colours = np.bincount(
                rag_place(trained[is_somebody], of, thresholds), minlength=len(Rag)
            )
            covered, staff = int(trained[is_declared].sum()), int(of.sum())
            by_status = np.bincount(status, minlength=len(Status))
            yield Training(
                course=CourseKey(course),
                venues=len(headcount),
                with_headcount=int(is_declared.sum()),
                without_headcount=int((~is_declared).sum()),
                nobody=int((headcount == 0).sum()),
                trained=covered,
                headcount=staff,
                coverage=share(covered, staff),
                rag=rag(covered, staff, thresholds),
                trained_without_headcount=int(trained[~is_declared].sum()),
                **{colour: int(colours[place]) for place, colour in enumerate(Rag)},
                **{status: int(by_status[place]) for place, status in enumerate(Status)},
            )

    def in_schemes(self, day: int, venues: Bools | None = None) -> Iterator[InScheme]:
        """The figures of every scheme on a day, at those of some venues that count."""
        counted = self.counts[day] if venues is None else self.counts[day] & venues
        states, number = self.states[day, counted], int(counted.sum())
        for place, scheme in enumerate(_SCHEMES):
            by_state = np.bincount(states[:, place], minlength=len(_STATES))
            in_force = int(by_state[_STATES[State.IN_FORCE]])
            yield InScheme(
                scheme=scheme,
                in_force=in_force,
                venues=number,
                share=share(in_force, number),
                **{state: int(by_state[_STATES[state]]) for state in _OUT_OF_FORCE},
            )

    def groups(self, session: Session, day: int) -> Iterator[tuple[dict[str, Any], Bools]]:
        """Every group with a venue that counts on a day: what it is, and which venues it has."""
        facts, counted = self.grid.facts, self.counts[day]
        places = {None: -1} | {ward_id: place for place, ward_id in enumerate(facts.wards)}
        for ward_id, ward in _wards(session, self.view, facts):
            in_ward = facts.ward[day] == places.get(ward_id, _NOWHERE)
            # A ward without a single venue is something to know; what is no ward is not.
            is_ward = ward_id is not None and ward.name != FORMER_WARD
            if is_ward or (counted & in_ward).any():
                yield {"by": By.WARD, "group": ward.code, "name": ward.name}, in_ward
        late_night = facts.late_night[day]
        for by, group, name, venues in (
            *(
                (By.CATEGORY, category, words(category), facts.category[day] == place)
                for place, category in enumerate(Category)
            ),
            (By.LATE_NIGHT, "yes", "Late-night", late_night),
            (By.LATE_NIGHT, "no", "Not late-night", ~late_night),
        ):
            if (counted & venues).any():
                yield {"by": by, "group": group, "name": name}, venues


_NOWHERE = -2
"""The place of a ward in which no venue lies."""

_SCHEMES = list(SchemeKey)
_STATES = {state: place for place, state in enumerate(State)}
"""The first stands for a venue without decisions."""

_OUT_OF_FORCE = (State.SUSPENDED, State.EXPIRED, State.WITHDRAWN)


def _wards(session: Session, view: View, facts: FactsOn) -> list[tuple[UUID | None, WardName]]:
    """The wards that a report is about, those of the past and what lies in none with them."""
    former = {ward_id: WardName(str(ward_id), FORMER_WARD) for ward_id in facts.wards}
    wards = former | ward_names(session)
    chosen = wards if view.wards is None else {id_: wards[id_] for id_ in view.wards}
    return sorted(chosen.items(), key=lambda item: item[1].code)


def counted_on(view: View, facts: FactsOn) -> Bools:
    """Which venues a report counts on each day: what `View.counts` says, in columns."""
    columns: dict[str, tuple[Ints | Bools, Sequence[Any]]] = {
        "status": (facts.status, list(VenueStatus)),
        "ward_id": (facts.ward, facts.wards),
        "category": (facts.category, list(Category)),
        "licensed": (facts.licensed, [False, True]),
        "late_night": (facts.late_night, [False, True]),
        "business_id": (facts.business, facts.businesses),
    }
    counted = facts.in_force.copy()
    for name, values in view.criteria.items():
        column, words = columns[name]
        counted &= np.isin(column, [place for place, word in enumerate(words) if word in values])
    return counted
