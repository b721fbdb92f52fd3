"""What of a pack is drawn, and the numbers that it begins with."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from app.audit.pack.pack import QuarterlyPack
from app.audit.pack.rows import CourseDelivered, Engagements, WardActivity
from app.audit.pack.svg import Bar, Chart, Line, bars, lines
from app.schemes.registry import LISTS_PUBLICLY
from app.training.courses import CourseKey


@dataclass(frozen=True)
class Headline:
    """A number to begin with, and what it is of."""

    value: str
    title: str
    note: str


def headlines(pack: QuarterlyPack) -> Iterator[Headline]:
    """The numbers that a reader looks for first."""
    measures = {row.measure: row for row in pack.activity}
    for row in (measures["businesses"], measures["people"]):
        yield Headline(f"{row.number:,}", row.title, f"{row.before:,} in the quarter before")
    for course in pack.coverage_courses:
        if course.course == CourseKey.WAVE and course.coverage is not None:
            note = f"{course.trained:,} of {course.headcount:,} staff; {course.rag}"
            yield Headline(f"{course.coverage:.1%}", "Trained in WAVE", note)
    for scheme in pack.schemes:
        if scheme.scheme == LISTS_PUBLICLY:
            note = f"{scheme.won:,} won, {scheme.lost:,} lost"
            yield Headline(f"{scheme.active:,}", "Safe Havens in force", note)
    for tests in pack.tests:
        if tests.rate is not None:
            note = f"{tests.passed:,} of {tests.visited:,} visits"
            yield Headline(f"{tests.rate:.1%}", "Scheme tests passed", note)
    reported = sum(row.reported for row in pack.problem_reports)
    still_open = sum(row.open for row in pack.problem_reports)
    resolved = sum(row.resolved for row in pack.problem_reports)
    note = f"{reported:,} reported, {still_open:,} still open"
    yield Headline(f"{resolved:,}", "Problem reports resolved", note)


_BEFORE = "quarter before"


def _engagements(title: str, rows: Sequence[Engagements]) -> Chart:
    drawn = [Bar(row.title, (row.engagements,), f"{row.engagements:,}", row.before) for row in rows]
    return bars(title, drawn, ("this quarter", _BEFORE))


def _trained(label: str, row: CourseDelivered | WardActivity, before: float | None = None) -> Bar:
    return Bar(label, (row.new, row.refresher), f"{row.new:,} + {row.refresher:,}", before)


def _courses(pack: QuarterlyPack) -> Chart:
    drawn = [_trained(row.name, row, row.before) for row in pack.training_courses]
    return bars("People trained, by course", drawn, ("for the first time", "again", _BEFORE))


def _wards(pack: QuarterlyPack) -> Chart:
    drawn = [_trained(row.ward, row) for row in pack.activity_wards]
    return bars("People trained, by ward", drawn, ("for the first time", "again"))


def _coverage(pack: QuarterlyPack) -> Chart:
    limits = pack.about.limits
    return bars(
        "Staff trained, by course",
        [
            Bar(row.name, (0,), "no headcount")
            if row.coverage is None
            else Bar(
                row.name, (row.coverage,), f"{row.coverage:.1%} {row.rag}", row.coverage_before
            )
            for row in pack.coverage_courses
        ],
        ("this quarter", "a quarter before"),
        most=1,
        limits=((limits.rag_amber / 100, "amber"), (limits.rag_green / 100, "green")),
    )


def _quarters(pack: QuarterlyPack) -> Chart:
    courses: dict[tuple[str, str], list[float | None]] = {}
    for row in pack.coverage_quarters:
        courses.setdefault((row.course, row.name), []).append(row.coverage)
    quarters = list(dict.fromkeys(row.quarter for row in pack.coverage_quarters))
    drawn = [Line(name, shares) for (_, name), shares in courses.items()]
    return lines("Staff trained, at the ends of quarters", quarters, drawn)


def _schemes(pack: QuarterlyPack) -> Chart:
    drawn = [
        Bar(row.name, (row.in_force,), f"{row.in_force:,}", row.before) for row in pack.schemes
    ]
    return bars("Accreditations in force", drawn, ("at the end", "before the quarter"))


def _tests(pack: QuarterlyPack) -> Chart:
    drawn = [
        Bar(row.ward, (row.passed, row.failed), f"{row.passed:,} of {row.visited:,}")
        for row in pack.tests_wards
        if row.passed is not None and row.failed is not None
    ]
    return bars("Scheme tests, by ward", drawn, ("passed", "failed"))


def _problems(pack: QuarterlyPack) -> Chart:
    drawn = [
        Bar(row.title, (row.resolved, row.open), f"{row.resolved:,} + {row.open:,}")
        for row in pack.problem_reports
    ]
    return bars("Problem reports", drawn, ("resolved", "still open"))


CHARTS: Mapping[str, Callable[[QuarterlyPack], Chart]] = MappingProxyType(
    {
        "engagement_kinds": lambda pack: _engagements("Engagements by kind", pack.engagement_kinds),
        "engagement_outcomes": lambda pack: _engagements(
            "Engagements by outcome", pack.engagement_outcomes
        ),
        "training_courses": _courses,
        "activity_wards": _wards,
        "coverage_courses": _coverage,
        "coverage_quarters": _quarters,
        "schemes": _schemes,
        "tests_wards": _tests,
        "problem_reports": _problems,
    }
)
"""By table, what draws it."""
