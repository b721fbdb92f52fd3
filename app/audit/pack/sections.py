"""The sections of a quarterly pack, each from the reports and rules that have its figures."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from sqlmodel import Session

from app.audit.cover.on_foot import OnFoot
from app.audit.frame.activity import Activity, Place, Scope, Tally
from app.audit.frame.names import WardName, WardNames, venue_names, words
from app.audit.frame.question import View
from app.audit.pack import rows
from app.audit.pack.quarters import Quarter
from app.audit.reports.coverage import Covered, InScheme, Training
from app.audit.reports.ground import Ground
from app.audit.reports.night import by_ward, things, totals
from app.audit.reports.quality import Check
from app.audit.reports.scheme_tests import TestFigures, WardTests
from app.audit.reports.survey import Told, counted, told
from app.core.london import effective, london_day
from app.outreach.rules import rate
from app.schemes.registry import SchemeKey, schemes
from app.schemes.timelines import LOST, WON, Timelines, Turn, changes
from app.training.courses import COURSES, CourseKey


def _ward_name(place: Place, wards: WardNames) -> WardName:
    if isinstance(place, str):
        return WardName("", "businesses as a whole")
    return wards[place]


# --- activity --------------------------------------------------------------------------------

_MEASURES = {
    "businesses": "Businesses engaged",
    "engagements": "Engagements",
    "sessions": "Training sessions",
    "venues_trained": "Venues trained",
    "people": "People trained",
    "new": "of these, for the first time",
    "refresher": "of these, again",
}


def measures(now: Tally, before: Tally) -> list[rows.Measure]:
    numbers, numbers_before = (
        tally.numbers() | {"venues_trained": len(tally.venues)} for tally in (now, before)
    )
    return [
        rows.Measure(
            measure=measure,
            title=title,
            number=numbers[measure],
            before=numbers_before[measure],
            change=numbers[measure] - numbers_before[measure],
        )
        for measure, title in _MEASURES.items()
    ]


def engagements(
    sorts: Iterable[str], now: Mapping[str, int], before: Mapping[str, int]
) -> list[rows.Engagements]:
    whole = sum(now.values())
    return [
        rows.Engagements(
            sort=sort,
            title=words(sort),
            engagements=now.get(sort, 0),
            all=whole,
            share=now.get(sort, 0) / whole if whole else None,
            before=before.get(sort, 0),
        )
        for sort in sorts
    ]


def courses_delivered(
    courses: Iterable[CourseKey], now: Mapping[str, Tally], before: Mapping[str, Tally]
) -> list[rows.CourseDelivered]:
    return [
        rows.CourseDelivered(
            course=course,
            name=COURSES[course].name,
            before=before[course].people,
            **now[course].numbers(),
        )
        for course in courses
    ]


def ward_activity(done: Activity, wards: WardNames) -> list[rows.WardActivity]:
    by_ward = [
        rows.WardActivity(ward_id=str(place), code=code, ward=name, **tally.numbers())
        for place, tally in done.by_ward.items()
        for code, name in [_ward_name(place, wards)]
    ]
    # What lies in no ward comes last.
    return sorted(by_ward, key=lambda row: (not row.code, row.ward, row.ward_id))


# --- coverage --------------------------------------------------------------------------------


def course_coverage(now: Training, before: Training) -> rows.CourseCoverage:
    return rows.CourseCoverage.based_on(
        now,
        name=COURSES[now.course].name,
        trained_before=before.trained,
        headcount_before=before.headcount,
        coverage_before=before.coverage,
        change=_change(now, before),
    )


def _change(now: Training, before: Training) -> float | None:
    if now.coverage is None or before.coverage is None:
        return None
    return now.coverage - before.coverage


def quarter_ends(covered: Covered, courses: Collection[CourseKey]) -> Iterator[rows.QuarterEnd]:
    """Coverage on each of the days that were read, course by course."""
    days = covered.grid.days
    by_day = [{row.course: row for row in covered.training(place)} for place in range(len(days))]
    for course in courses:
        for day, by_course in zip(days, by_day, strict=True):
            yield rows.QuarterEnd.based_on(
                by_course[course],
                name=COURSES[course].name,
                day=day.isoformat(),
                quarter=str(Quarter.at(day)),
            )


def ward_coverage(
    covered: Covered, courses: Collection[str], wards: WardNames
) -> Iterator[rows.WardCoverage]:
    """Coverage in each ward where a venue counts, on the last of the days and a quarter before."""
    facts = covered.grid.facts
    # What lies in no ward has the place -1.
    places = {**dict(enumerate(facts.wards)), -1: None}
    with_venues = [
        (_ward_name(ward_id, wards), str(ward_id), in_ward)
        for place, ward_id in places.items()
        if (covered.counts[-1] & (in_ward := facts.ward == place)[-1]).any()
    ]
    for ward, ward_id, in_ward in sorted(with_venues, key=lambda row: (not row[0].code, *row[:2])):
        before = {row.course: row for row in covered.training(-2, in_ward[-2])}
        for now in covered.training(-1, in_ward[-1]):
            if now.course in courses:
                yield rows.WardCoverage.based_on(
                    now,
                    ward_id=ward_id,
                    code=ward.code,
                    ward=ward.name,
                    name=COURSES[now.course].name,
                    change=_change(now, before[now.course]),
                )


# --- accreditation ---------------------------------------------------------------------------


class Accreditations:
    """What became of accreditations from a London day until `view.as_at`.

    It counts whatever the status of a venue, for what was won and lost is so wherever it was.
    """

    def __init__(self, timelines: Timelines, view: View, first: date, scope: Scope) -> None:
        begin = effective(first)
        self.before, self.in_force = (
            Counter(scheme for venue, scheme in timelines.in_force(at) if scope.has_venue(venue))
            for at in (begin - timedelta(microseconds=1), view.at)
        )
        turning = timelines.turning(begin, view.at)
        counted = {key: spans for key, spans in turning.items() if scope.has_venue(key[0].hex)}
        self.changes = changes(counted, begin, view.at)
        self.count = Counter((change.scheme, change.turn) for change in self.changes)

    def balance(self, active: InScheme) -> rows.SchemeBalance:
        """How venues stand in a scheme, of which `active` has those that are active."""
        scheme = active.scheme
        return rows.SchemeBalance.based_on(
            active,
            name=schemes()[scheme].name,
            before=self.before[scheme],
            won=sum(self.count[scheme, turn] for turn in WON),
            lost=sum(self.count[scheme, turn] for turn in LOST),
            in_force=self.in_force[scheme],
            renewed=self.count[scheme, Turn.RENEWED],
            active=active.in_force,
        )

    def turns(self, scheme: SchemeKey) -> rows.SchemeTurns:
        turns = {turn: self.count[scheme, turn] for turn in (*WON, *LOST)}
        return rows.SchemeTurns(scheme=scheme, name=schemes()[scheme].name, **turns)

    def venues(
        self, session: Session, among: Collection[str], turns: Collection[Turn]
    ) -> list[rows.VenueTurn]:
        """Every accreditation with such a turn, in the order of schemes and of time."""
        order = list(SchemeKey)
        wanted = [row for row in self.changes if row.turn in turns and row.scheme in among]
        wanted.sort(key=lambda change: order.index(change.scheme))
        names = venue_names(session, {change.venue_id for change in wanted})
        return [
            rows.VenueTurn(
                scheme=change.scheme,
                venue_id=str(change.venue_id),
                at=change.at.isoformat(),
                name=schemes()[change.scheme].name,
                turn=words(change.turn),
                on=london_day(change.at),
                reference=names[change.venue_id.hex].reference,
                venue=names[change.venue_id.hex].name,
            )
            for change in wanted
        ]


# --- scheme tests ----------------------------------------------------------------------------

FEW = 3
"""How tests went is told of no fewer venues: a paper must not tell on any one."""

_RESULTS = ("passed", "failed", "retests_done", "retests_due", "retests_overdue")


def tests(key: str, code: str, ward: str, groups: Sequence[TestFigures]) -> rows.Tests:
    """How the tests of some groups went, or how many there were if few venues were visited."""
    visited, venues, *results = (
        sum(getattr(group, name) for group in groups) for name in ("visited", "venues", *_RESULTS)
    )
    shown = dict(zip(_RESULTS, results, strict=True)) if venues >= FEW else {}
    return rows.Tests(
        ward_id=key,
        code=code,
        ward=ward,
        visited=visited,
        venues=venues,
        rate=rate(shown["passed"], visited) if shown else None,
        **shown,
    )


def tests_by_ward(wards: Sequence[WardTests]) -> list[rows.Tests]:
    """How they went in each ward, those of wards with few venues together."""
    apart = sorted(wards, key=lambda ward: ward.venues)
    few: list[WardTests] = []
    # With one ward alone among the few, the total would give it away.
    while apart and (apart[0].venues < FEW or 0 < sum(ward.venues for ward in few) < FEW):
        few.append(apart.pop(0))
    by_ward = [
        tests(str(ward.ward_id), ward.ward_code, ward.ward, [ward])
        for ward in wards
        if ward in apart
    ]
    if few:
        names = ", ".join(sorted(ward.ward for ward in few))
        by_ward.append(tests("few", "", f"With few venues visited: {names}", few))
    return by_ward


# --- the survey ------------------------------------------------------------------------------


def survey(session: Session, quarter: Quarter, wards: WardNames) -> list[rows.Survey]:
    """What people said in a quarter, in all and by ward, as far as it may be told."""
    counts = counted(session).get(quarter.first, {})
    if not counts:
        return []
    in_all, by_ward = told(counts)
    named = sorted(
        (_survey(str(key), *_ward_name(key, wards), one) for key, one in by_ward.items()),
        key=lambda row: (not row.code, row.ward, row.ward_id),
    )
    return [_survey("all", "", "In all", in_all), *named]


def _survey(key: str, code: str, ward: str, of: Told) -> rows.Survey:
    def share(yes: int | None) -> float | None:
        return None if yes is None or of.answers is None else yes / of.answers

    return rows.Survey(
        ward_id=key,
        code=code,
        ward=ward,
        safer_share=share(of.safer),
        helped_share=share(of.helped),
        **of._asdict(),
    )


# --- coverage by night -----------------------------------------------------------------------


def night(
    session: Session, view: View, on_foot: OnFoot, wards: WardNames
) -> tuple[dict[str, Any], list[str]]:
    """How much has an open haven near by night, as tables of the pack, and what from."""
    ground = Ground.read(session, view, on_foot)
    covered = things(session, view, ground)
    in_pack = {
        "night": totals(covered),
        "night_wards": [row for row in by_ward(covered, wards) if row.hours == "nights"],
        "night_sources": ground.need.sources,
    }
    return in_pack, ground.sources()


# --- data quality ----------------------------------------------------------------------------

DATED = (
    Check.HEADCOUNT_MISSING,
    Check.HEADCOUNT_STALE,
    Check.NO_BUSINESS,
    Check.LATE_NIGHT_NOT_LICENSED,
)
"""The checks that judge only by what keeps its history. The others can't be had again."""

CHECKS = (*DATED, Check.NOT_CHECKED, Check.HOURS_UNKNOWN, Check.NO_PREMISES_LICENCE)
"""What is missing or old, which a committee can ask for; the rest is an officer's work."""
