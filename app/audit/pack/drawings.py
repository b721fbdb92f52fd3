"""What of a pack is drawn, and what it begins with."""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from app.audit.pack.charts import Bar, Chart, Line, bars, lines
from app.audit.pack.pack import QuarterlyPack
from app.audit.pack.rows import Engagements
from app.schemes.registry import LISTS_PUBLICLY
from app.training.courses import CourseKey

_BEFORE = "quarter before"


def headlines(pack: QuarterlyPack) -> Iterable[tuple[str, str, str]]:
    """The numbers that a reader looks for first: value, what it is, and what it is of."""
    done = {row.measure: row for row in pack.activity}
    for measure in ("businesses", "people"):
        row = done[measure]
        yield f"{row.number:,}", row.title, f"{row.before:,} in the quarter before"
    for covered in pack.coverage_courses:
        if covered.course == CourseKey.WAVE and covered.coverage is not None:
            note = f"{covered.trained:,} of {covered.headcount:,} staff; {covered.rag}"
            yield f"{covered.coverage:.1%}", "Trained in WAVE", note
    for scheme in pack.schemes:
        if scheme.scheme == LISTS_PUBLICLY:
            note = f"{scheme.won:,} won, {scheme.lost:,} lost"
            yield f"{scheme.active:,}", "Safe Havens in force", note
    for tests in pack.tests:
        if tests.rate is not None:
            note = f"{tests.passed:,} of {tests.visited:,} visits"
            yield f"{tests.rate:.1%}", "Scheme tests passed", note
    reported = sum(row.reported for row in pack.problem_reports)
    still_open = sum(row.open for row in pack.problem_reports)
    resolved = sum(row.resolved for row in pack.problem_reports)
    note = f"{reported:,} reported, {still_open:,} still open"
    yield f"{resolved:,}", "Problem reports resolved", note


def _engagements(title: str, rows: list[Engagements]) -> Chart:
    return bars(
        title,
        [Bar(row.title, (row.engagements,), f"{row.engagements:,}", row.before) for row in rows],
        ("this quarter", _BEFORE),
    )


def _courses(pack: QuarterlyPack) -> Chart:
    return bars(
        "People trained, by course",
        [
            Bar(row.name, (row.new, row.refresher), f"{row.new:,} + {row.refresher:,}", row.before)
            for row in pack.training_courses
        ],
        ("for the first time", "again", _BEFORE),
    )


def _wards(pack: QuarterlyPack) -> Chart:
    return bars(
        "People trained, by ward",
        [
            Bar(row.ward, (row.new, row.refresher), f"{row.new:,} + {row.refresher:,}")
            for row in pack.activity_wards
        ],
        ("for the first time", "again"),
    )


def _coverage(pack: QuarterlyPack) -> Chart:
    limits = pack.about.limits
    return bars(
        "Staff trained, by course",
        [
            Bar(
                row.name,
                (row.coverage,),
                f"{row.coverage:.1%} {row.rag}",
                row.coverage_before,
            )
            if row.coverage is not None
            else Bar(row.name, (0,), "no headcount")
            for row in pack.coverage_courses
        ],
        ("this quarter", "a quarter before"),
        most=1,
        limits=((limits.rag_amber / 100, "amber"), (limits.rag_green / 100, "green")),
    )


def _quarters(pack: QuarterlyPack) -> Chart:
    courses = {row.course: row.name for row in pack.coverage_quarters}
    return lines(
        "Staff trained, at the ends of quarters",
        list(dict.fromkeys(row.quarter for row in pack.coverage_quarters)),
        [
            Line(
                name,
                [row.coverage for row in pack.coverage_quarters if row.course == course],
            )
            for course, name in courses.items()
        ],
    )


def _schemes(pack: QuarterlyPack) -> Chart:
    return bars(
        "Accreditations in force",
        [Bar(row.name, (row.in_force,), f"{row.in_force:,}", row.before) for row in pack.schemes],
        ("at the end", "before the quarter"),
    )


def _tests(pack: QuarterlyPack) -> Chart:
    return bars(
        "Scheme tests, by ward",
        [
            Bar(row.ward, (row.passed, row.failed), f"{row.passed:,} of {row.visited:,}")
            for row in pack.tests_wards
            if row.passed is not None and row.failed is not None
        ],
        ("passed", "failed"),
    )


def _problems(pack: QuarterlyPack) -> Chart:
    return bars(
        "Problem reports",
        [
            Bar(row.title, (row.resolved, row.open), f"{row.resolved:,} + {row.open:,}")
            for row in pack.problem_reports
        ],
        ("resolved", "still open"),
    )


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
