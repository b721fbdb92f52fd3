"""The chapters of a quarterly pack, each from the reports and rules that have its figures."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from uuid import UUID

from sqlmodel import Session

from app.audit.frame.activity import Activity, Done, Involved, Place, Problems
from app.audit.frame.names import FORMER_WARD, WardName, venue_names
from app.audit.frame.question import View
from app.audit.pack.quarters import Quarter
from app.audit.pack.rows import (
    CourseCoverage,
    CourseDelivered,
    CourseVenues,
    Engagements,
    Measure,
    ProblemKind,
    Quality,
    QuarterEnd,
    SchemeStanding,
    SchemeTurns,
    Tests,
    VenueTurn,
    WardActivity,
    WardCoverage,
)
from app.audit.reports.coverage import Covered, Training
from app.audit.reports.quality import Check, CheckResult
from app.audit.reports.scheme_tests import TestFigures, WardTests
from app.core.london import effective, london_day
from app.outreach.rules import rate
from app.schemes.registry import SchemeKey, schemes
from app.schemes.rules import State
from app.schemes.timelines import LOST, WON, Timelines, Turn, changes, standings
from app.training.courses import COURSES, CourseKey

Wards = Mapping[UUID | None, WardName]


# --- activity --------------------------------------------------------------------------------


def measures(now: Done, before: Done) -> Iterable[Measure]:
    for measure, title, count in (
        ("businesses", "Businesses engaged", lambda done: len(done.businesses)),
        ("engagements", "Engagements", lambda done: done.engagements),
        ("sessions", "Training sessions", lambda done: len(done.sessions)),
        ("venues_trained", "Venues trained", lambda done: len(done.venues)),
        ("people", "People trained", lambda done: done.people),
        ("new", "of these, for the first time", lambda done: done.new),
        ("refresher", "of these, again", lambda done: done.refresher),
    ):
        number, was = count(now), count(before)
        yield Measure(measure=measure, title=title, number=number, before=was, change=number - was)


def engagements(
    sorts: Iterable[str], now: Mapping[str, int], before: Mapping[str, int]
) -> list[Engagements]:
    whole = sum(now.values())
    return [
        Engagements(
            sort=sort,
            title=said(sort),
            engagements=now.get(sort, 0),
            all=whole,
            share=now.get(sort, 0) / whole if whole else None,
            before=before.get(sort, 0),
        )
        for sort in sorts
    ]


def course_delivered(key: str, now: Done, before: Done) -> CourseDelivered:
    return CourseDelivered(
        course=key,
        name=course_name(key),
        sessions=len(now.sessions),
        venues=len(now.venues),
        new=now.new,
        refresher=now.refresher,
        people=now.people,
        before=before.people,
    )


def ward_activity(done: Activity, wards: Wards) -> list[WardActivity]:
    rows = [
        WardActivity(
            ward_id=str(place),
            code=name.code,
            ward=name.name,
            engagements=there.engagements,
            businesses=len(there.businesses),
            sessions=len(there.sessions),
            venues=len(there.venues),
            new=there.new,
            refresher=there.refresher,
            people=there.people,
        )
        for place, there in done.by_ward.items()
        for name in (_ward_name(place, wards),)
    ]
    # What lies in no ward comes last.
    return sorted(rows, key=lambda row: (not row.code, row.ward, row.ward_id))


def problem_kind(kind: str, found: Problems) -> ProblemKind:
    return ProblemKind(
        kind=kind,
        title=said(kind),
        open_before=found.open_before,
        reported=found.reported,
        resolved=len(found.days),
        open=found.open,
        median_days=found.median_days,
        ninety_days=found.ninety_days,
    )


# --- coverage --------------------------------------------------------------------------------


def course_coverage(now: Training, before: Training) -> CourseCoverage:
    return CourseCoverage(
        course=now.course,
        name=course_name(now.course),
        trained=now.trained,
        headcount=now.headcount,
        coverage=now.coverage,
        rag=now.rag,
        trained_before=before.trained,
        headcount_before=before.headcount,
        coverage_before=before.coverage,
        change=_change(now, before),
    )


def _change(now: Training, before: Training) -> float | None:
    if now.coverage is None or before.coverage is None:
        return None
    return now.coverage - before.coverage


def course_venues(there: Training) -> CourseVenues:
    same = {name: getattr(there, name) for name in CourseVenues.model_fields if name != "name"}
    return CourseVenues(name=course_name(there.course), **same)


def quarter_ends(covered: Covered, courses: Collection[CourseKey]) -> Iterator[QuarterEnd]:
    """Coverage on each of the days that were read, course by course."""
    days = [
        {there.course: there for there in covered.training(place)}
        for place in range(len(covered.grid.days))
    ]
    for course in courses:
        for day, found in zip(covered.grid.days, days, strict=True):
            there = found[course]
            yield QuarterEnd(
                course=course,
                name=course_name(course),
                day=day.isoformat(),
                quarter=str(Quarter.at(day)),
                trained=there.trained,
                headcount=there.headcount,
                coverage=there.coverage,
                rag=there.rag,
            )


def ward_coverage(
    covered: Covered, courses: Collection[str], wards: Wards
) -> Iterator[WardCoverage]:
    """Coverage in each ward where a venue counts, on the last of the days and a quarter before."""
    rows = [
        (_ward_name(ward_id, wards), str(ward_id), there)
        for place, ward_id in enumerate([*covered.grid.facts.wards, None])
        if (there := covered.grid.facts.ward == (-1 if ward_id is None else place)).any()
        and (covered.counts[-1] & there[-1]).any()
    ]
    for ward, ward_id, there in sorted(rows, key=lambda row: (not row[0].code, *row[:2])):
        before = {found.course: found for found in covered.training(-2, there[-2])}
        for now in covered.training(-1, there[-1]):
            if now.course in courses:
                yield WardCoverage(
                    ward_id=ward_id,
                    code=ward.code,
                    ward=ward.name,
                    course=now.course,
                    name=course_name(now.course),
                    venues=now.venues,
                    without_headcount=now.without_headcount,
                    trained=now.trained,
                    headcount=now.headcount,
                    coverage=now.coverage,
                    rag=now.rag,
                    change=_change(now, before[now.course]),
                )


# --- accreditation ---------------------------------------------------------------------------


class Accreditations:
    """What became of accreditations from a London day until `seen.as_at`.

    It counts whatever the status of a venue, for what was won and lost is so wherever it was.
    """

    def __init__(self, told: Timelines, seen: View, first: date, who: Involved) -> None:
        found = {key: spans for key, spans in told.items() if who.venue(key[0])}
        begin = effective(first)
        self.before: Counter[str] = Counter()
        self.in_force: Counter[str] = Counter()
        for (_, scheme), spans in found.items():
            then, now = standings(spans, [begin - timedelta(microseconds=1), seen.at])
            self.before[scheme] += then.state is State.IN_FORCE
            self.in_force[scheme] += now.state is State.IN_FORCE
        self.turns = changes(found, begin, seen.at)
        self.count = Counter((change.scheme, change.turn) for change in self.turns)

    def standing(self, scheme: SchemeKey, active: int, venues: int) -> SchemeStanding:
        return SchemeStanding(
            scheme=scheme,
            name=scheme_name(scheme),
            before=self.before[scheme],
            won=sum(self.count[scheme, turn] for turn in WON),
            lost=sum(self.count[scheme, turn] for turn in LOST),
            in_force=self.in_force[scheme],
            renewed=self.count[scheme, Turn.RENEWED],
            active=active,
            venues=venues,
            share=active / venues if venues else None,
        )

    def by_turn(self, scheme: SchemeKey) -> SchemeTurns:
        return SchemeTurns(
            scheme=scheme,
            name=scheme_name(scheme),
            **{turn: self.count[scheme, turn] for turn in (*WON, *LOST)},
        )

    def venues(
        self, session: Session, among: Collection[str], turns: Collection[Turn]
    ) -> list[VenueTurn]:
        """Every accreditation with such a turn, in the order of schemes and of time."""
        found = [one for one in self.turns if one.turn in turns and one.scheme in among]
        names = venue_names(session, {one.venue_id for one in found})
        in_order = list(SchemeKey)
        return [
            VenueTurn(
                scheme=one.scheme,
                venue_id=str(one.venue_id),
                at=one.at.isoformat(),
                name=scheme_name(one.scheme),
                turn=said(one.turn),
                on=london_day(one.at),
                reference=names[one.venue_id].reference,
                venue=names[one.venue_id].name,
            )
            for one in sorted(found, key=lambda one: in_order.index(one.scheme))
        ]


# --- scheme tests ----------------------------------------------------------------------------


FEW = 3
"""How tests went is told of no fewer venues: a paper must not tell on any one."""

_RESULTS = ("passed", "failed", "retests_done", "retests_due", "retests_overdue")


def tests_in_all(found: TestFigures) -> Tests:
    """How all went, or how many there were if few venues were visited."""
    return _tests("all", "", "In all", [found])


def tests_by_ward(wards: Sequence[WardTests]) -> list[Tests]:
    """How they went in each ward, those of wards with few venues together."""
    left = sorted(wards, key=lambda ward: ward.venues)
    few: list[WardTests] = []
    # With one ward alone among the few, the total would give it away.
    while left and (left[0].venues < FEW or 0 < sum(ward.venues for ward in few) < FEW):
        few.append(left.pop(0))
    shown = [
        _tests(str(one.ward_id), one.ward_code, one.ward, [one]) for one in wards if one in left
    ]
    if few:
        names = ", ".join(sorted(ward.ward for ward in few))
        shown.append(_tests("few", "", f"With few venues visited: {names}", few))
    return shown


def _tests(key: str, code: str, ward: str, found: Sequence[TestFigures]) -> Tests:
    venues = sum(one.venues for one in found)
    visited = sum(one.visited for one in found)
    told = _RESULTS if venues >= FEW else ()
    results = {name: sum(getattr(one, name) for one in found) for name in told}
    return Tests(
        ward_id=key,
        code=code,
        ward=ward,
        visited=visited,
        venues=venues,
        rate=rate(results["passed"], visited) if results else None,
        **results,
    )


# --- data quality ----------------------------------------------------------------------------

CHECKS = (
    Check.HEADCOUNT_MISSING,
    Check.HEADCOUNT_STALE,
    Check.NOT_CHECKED,
    Check.HOURS_UNKNOWN,
    Check.NO_BUSINESS,
    Check.NO_PREMISES_LICENCE,
    Check.LATE_NIGHT_NOT_LICENSED,
)
"""What is missing or old, which a committee can ask for; the rest is an officer's work."""

DATED = (
    Check.HEADCOUNT_MISSING,
    Check.HEADCOUNT_STALE,
    Check.NO_BUSINESS,
    Check.LATE_NIGHT_NOT_LICENSED,
)
"""The checks that judge only by what keeps its history. The others can't be had again."""


def quality_check(found: CheckResult) -> Quality:
    return Quality(
        check=found.check,
        title=found.title,
        found=found.found,
        of=found.of,
        share=found.found / found.of if found.of else None,
    )


# --- names -----------------------------------------------------------------------------------


def course_name(key: str) -> str:
    return COURSES[key].name


def scheme_name(key: SchemeKey) -> str:
    return schemes()[key].name


def said(key: str) -> str:
    """How people read a key."""
    return key.replace("_", " ").capitalize()


def _ward_name(place: Place, wards: Wards) -> WardName:
    if isinstance(place, str):
        return WardName("", "businesses as a whole")
    return wards.get(place, WardName("", FORMER_WARD))
