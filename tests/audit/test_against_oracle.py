"""Every report equals a slow computation made for this test, whatever day it is asked for."""

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from statistics import median
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import Session

from app.audit.frame.question import ReportQuestion, View
from app.audit.pack.pack import QuarterlyPack, compose, parameters
from app.audit.pack.quarters import Quarter
from app.audit.pack.sections import FEW
from app.audit.reports.coverage import coverage
from app.audit.reports.due import due
from app.audit.reports.levy import levy
from app.audit.reports.levy_rows import Levy
from app.audit.reports.quality import Check, quality
from app.audit.reports.scheme_tests import scheme_tests, venue_scheme_tests
from app.audit.reports.trend import trend, turn
from app.core.db import connected, read_session
from app.training.courses import CourseKey
from app.venues.kinds import Category
from tests.audit.history import FIRST_DAY, LAST_DAY, WARDS, History, Row
from tests.audit.oracle import (
    COURSES,
    SCHEMES,
    Events,
    Levied,
    Oracle,
    day_of,
    end_of,
    month_ends,
    start_of,
)
from tests.conftest import Scale

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
"""Later than all that was recorded."""

PAIRS = 50


@dataclass(eq=False)
class Case:
    """One thing that reports are asked, and what is so then by the slow computation."""

    question: ReportQuestion
    oracle: Oracle

    @cache  # noqa: B019  both databases are asked the same
    def on(self, day: date) -> Oracle:
        """What was so on another day."""
        return replace(self.oracle, as_at=day)

    @property
    def first(self) -> date:
        """A day some months before, for what is asked of a period."""
        return self.oracle.as_at - timedelta(days=self.oracle.as_at.toordinal() % 300)

    def __str__(self) -> str:
        return self.question.model_dump_json(exclude_defaults=True)


@pytest.fixture(scope="session")
def cases(history: History, scale: Scale) -> list[Case]:
    """Days from before anything happened until all had expired, as known at all sorts of times."""
    chance = random.Random(7)
    events = Events(history)
    return [_case(chance, events, number) for number in range(scale(PAIRS))]


def _case(chance: random.Random, events: Events, number: int) -> Case:
    history = events.history
    days = (LAST_DAY - FIRST_DAY).days
    as_at = FIRST_DAY + timedelta(days=chance.randrange(-60, days + 200))
    some = chance.choice([rows for _, rows in history.events()])
    row = chance.choice(some)
    known_at = (
        start_of(FIRST_DAY + timedelta(days=chance.randrange(-10, days + 120))),
        end_of(as_at) + timedelta(days=chance.uniform(-60, 90)),
        end_of(as_at) - timedelta(hours=chance.uniform(0, 24)),
        # The very instant at which something was recorded or voided.
        chance.choice([row.recorded_at, row.voided_at or row.recorded_at]),
        NOW,
    )[number % 5]
    question: dict[str, Any] = {"as_at": as_at, "known_at": known_at}
    if chance.random() < 0.8:
        filters: dict[str, Any] = {
            "ward": [f"W{n:02}" for n in chance.sample(range(WARDS), 5)],
            "category": chance.sample(list(Category), 4),
            "licensed": chance.random() < 0.5,
            "late_night": chance.random() < 0.5,
            "business": [one.id for one in chance.sample(history.businesses, 40)],
        }
        kept = chance.sample(list(filters), chance.choice((1, 1, 2)))
        question |= {name: filters[name] for name in kept}
    given = ReportQuestion.model_validate(question)
    return Case(
        given,
        Oracle(
            events,
            as_at,
            known_at,
            tuple(given.ward),
            tuple(given.category),
            given.licensed,
            given.late_night,
            frozenset(given.business),
        ),
    )


@pytest.fixture
def session(history_url: str) -> Iterator[Session]:
    with connected(history_url) as engine, read_session(engine) as session:
        yield session


def view_of(session: Session, case: Case) -> View:
    return View.of(session, case.question, NOW)


def by(rows: Iterable[Any], *names: str) -> dict[Any, Any]:
    """Rows of a report by the columns that tell them apart; no two may be alike."""
    found: dict[Any, Any] = {}
    for row in rows:
        key = tuple(getattr(row, name) for name in names)
        assert key not in found
        found[key[0] if len(names) == 1 else key] = row
    return found


def grouped(rows: Iterable[dict[str, Any]], name: str) -> dict[Any, list[dict[str, Any]]]:
    found = defaultdict(list)
    for row in rows:
        found[row[name]].append(row)
    return dict(found)


def assert_shows(row: Any, expected: dict[str, Any], case: Case) -> None:
    """The row has these figures."""
    assert {name: getattr(row, name) for name in expected} == expected, case


# --- coverage --------------------------------------------------------------------------------


def test_coverage(session: Session, cases: list[Case], scale: Scale) -> None:
    seen_venues = 0
    for case in cases:
        report, oracle = coverage(session, view_of(session, case)), case.oracle
        assert [row.course for row in report.courses] == list(COURSES)
        for row in report.courses:
            assert_shows(row, oracle.coverage(row.course), case)
        assert [row.scheme for row in report.schemes] == list(SCHEMES)
        for there in report.schemes:
            assert_shows(there, oracle.in_scheme(there.scheme), case)
        groups = oracle.groups()
        courses = by(report.courses_by, "by", "group", "course")
        schemes = by(report.schemes_by, "by", "group", "scheme")
        assert courses.keys() == {(*group, course) for group in groups for course in COURSES}
        assert schemes.keys() == {(*group, scheme) for group in groups for scheme in SCHEMES}
        for (*group, course), row in courses.items():
            assert_shows(row, oracle.coverage(course, groups[tuple(group)]), case)
        for (*group, scheme), row in schemes.items():
            assert_shows(row, oracle.in_scheme(scheme, groups[tuple(group)]), case)
        seen_venues += report.courses[0].venues
    assert seen_venues > scale(5_000)


def test_trend(session: Session, cases: list[Case]) -> None:
    for case in cases:
        as_at = case.oracle.as_at
        days = [day for day in month_ends(as_at - timedelta(days=90), as_at) if day < as_at]
        report = trend(session, view_of(session, case), [*days, as_at])
        courses = by(report.courses, "day", "course")
        schemes = by(report.schemes, "day", "scheme")
        assert len(courses) == (len(days) + 1) * len(COURSES)
        before: dict[Any, Any] = {}
        for day in [*days, as_at]:
            oracle = case.on(day)
            for course in COURSES:
                expected = oracle.coverage(course)
                row, was = courses[day, course], before.get(("course", course))
                assert_shows(row, expected, case)
                now = before["course", course] = expected["coverage"]
                assert row.change == (None if None in (was, now) else now - was)
            for scheme in SCHEMES:
                expected = oracle.in_scheme(scheme)
                row, was = schemes[day, scheme], before.get(("scheme", scheme))
                assert_shows(row, expected, case)
                before["scheme", scheme] = expected["in_force"]
                assert row.change == (None if was is None else expected["in_force"] - was)


def test_what_turned_a_trend(session: Session, cases: list[Case], scale: Scale) -> None:
    moved = 0
    for number, case in enumerate(cases):
        course, as_at = COURSES[number % len(COURSES)], case.oracle.as_at
        report = turn(session, view_of(session, case), f"{as_at:%Y-%m}", CourseKey(course))
        before = case.on(as_at.replace(day=1) - timedelta(days=1))
        assert [row.trained for row in report.totals] == [
            oracle.coverage(course)["trained"] for oracle in (before, case.oracle)
        ]
        expected, happened = _turned(case, course)
        venues = by(report.venues, "venue_id")
        assert venues.keys() == expected.keys(), case
        for venue_id, there in expected.items():
            assert_shows(venues[venue_id], there, case)
        assert {row.event_id for row in report.events} == {
            row.id for venue_id in expected for row in happened[venue_id]
        }
        moved += len(expected)
    assert moved > scale(500)


@cache
def _turned(
    case: Case, course: str
) -> tuple[dict[UUID, dict[str, Any]], defaultdict[UUID, list[Row]]]:
    """How each venue that counts moved a course's coverage, and what happened there."""
    after = case.oracle
    before = case.on(after.as_at.replace(day=1) - timedelta(days=1))
    happened = _of_month(before, after, course)
    moved = {
        venue_id: there
        for venue_id in {*before.venues, *after.venues}
        if (there := _moved(before, after, venue_id, course, happened[venue_id]))
    }
    return moved, happened


def _moved(
    before: Oracle, after: Oracle, venue_id: UUID, course: str, happened: list[Row]
) -> dict[str, Any] | None:
    """How a venue that counts moved a course's coverage in a month; None if it did not."""
    counted = venue_id in before.venues, venue_id in after.venues
    was, is_ = (oracle.training(venue_id)[course] for oracle in (before, after))
    lapsed = was.trained - after.untouched(venue_id, course, before.as_at)
    moved = (was.trained, was.headcount, counted[0]) != (is_.trained, is_.headcount, counted[1])
    if not (moved or lapsed or happened):
        return None
    return {
        "counted_before": counted[0],
        "counted_after": counted[1],
        "trained_before": was.trained,
        "trained_after": is_.trained,
        "lapsed": lapsed,
        "headcount_before": was.headcount,
        "headcount_after": is_.headcount,
        "events": len(happened),
    }


def _of_month(before: Oracle, after: Oracle, course: str) -> defaultdict[UUID, list[Row]]:
    """What took effect in a month and may have moved a course's coverage, by venue."""
    history, first = after.events.history, before.as_at + timedelta(days=1)
    sessions = {row.id: row for row in after.known(history.sessions) if row.course == course}
    attended = [row for row in history.attendances if row.session_id in sessions]
    found = defaultdict(list)
    for rows in (attended, history.headcounts, history.facts):
        for row in after.happened(rows, first, after.as_at):
            found[row.venue_id].append(row)
    return found


# --- the late-night levy ---------------------------------------------------------------------


def test_levy(session: Session, cases: list[Case], scale: Scale) -> None:
    holders = missing = 0
    for number, case in enumerate(cases):
        first, near_days = _levy_year(case.oracle.as_at, number % 3), (92, 20)[number % 2]
        report = levy(session, view_of(session, case), first.year, near_days)
        last, expected = _levied(case, first)
        assert (report.first, report.counted_until) == (first, last)
        held = {id_: there.periods for id_, there in expected.items() if there.periods}
        assert _periods(report) == held, case
        paid = {id_: len(there.pays) for id_, there in expected.items()}
        days = {id_: sum((p[1] - p[0]).days + 1 for p in some) for id_, some in held.items()}
        rows = by(report.holders, "venue_id")
        assert rows.keys() == held.keys()
        for venue_id, row in rows.items():
            there = expected[venue_id]
            shown = {
                "late_night_days": paid[venue_id],
                "held_days": days[venue_id],
                "on_first_day": there.has_discount(first),
                "on_last_day": there.has_discount(last),
                "on_every_day": days[venue_id] == paid[venue_id],
            }
            assert_shows(row, shown, case)
        figures = by(report.figures, "when")
        for when, day in (("first_day", first), ("last_day", last)):
            paying = sum(day in there.pays for there in expected.values())
            holding = sum(there.has_discount(day) for there in expected.values())
            assert (figures[when].paying, figures[when].holding) == (paying, holding), case
        always = sum(days[id_] == paid[id_] for id_ in held)
        assert (figures["any_day"].paying, figures["any_day"].holding) == (
            len(expected),
            len(held),
        )
        assert figures["every_day"].holding == always
        misses = {
            (id_, day): miss
            for id_, there in expected.items()
            for day in (first, last)
            if (miss := there.miss(day, near_days))
        }
        assert {
            key: (row.reason, row.days_off, *_of_award(row))
            for key, row in by(report.misses, "venue_id", "on").items()
        } == misses, case
        holders, missing = holders + len(held), missing + len(misses)
    assert holders > scale(200)
    assert missing > scale(50)


def _levy_year(day: date, before: int) -> date:
    """The first day of the levy year of a day, or of one before it."""
    began = date(day.year, 10, 1)
    began = began if began <= day else began.replace(year=day.year - 1)
    return began.replace(year=began.year - (before == 2))


@cache
def _levied(case: Case, first: date) -> tuple[date, dict[UUID, Levied]]:
    last = min(case.oracle.as_at, first.replace(year=first.year + 1) - timedelta(days=1))
    return last, case.oracle.levy(first, last)


def _periods(report: Levy) -> dict[UUID, list[tuple[Any, ...]]]:
    found = defaultdict(list)
    for row in report.periods:
        found[row.venue_id].append((row.first, row.last, *_of_award(row)))
    return found


def _of_award(row: Any) -> tuple[Any, ...]:
    return row.certificate, row.grade, row.awarded_on, row.until


# --- what is to be done, and to be mended -----------------------------------------------------


def test_due(session: Session, cases: list[Case], scale: Scale) -> None:
    notes: Counter[tuple[str, str | None]] = Counter()
    for number, case in enumerate(cases):
        days = (90, 30, 200)[number % 3]
        report = due(session, view_of(session, case), days)
        expected = _due(case, days)
        names = ("kind", "of", "venue_id", "on", "certificate", "note")
        rows = by([*report.items, *report.retests], *names)
        assert rows.keys() == expected, case
        assert all(row.kind == "retest" for row in report.retests)
        counted = Counter((kind, of, _bucket(case, on)) for kind, of, _, on, *_ in expected)
        shown = {
            (row.kind, row.of, name): getattr(row, name)
            for row in report.counts
            for name in ("overdue", "within_30", "within_60", "within_90", "later")
        }
        assert Counter(shown) == counted, case
        notes.update((kind, note) for kind, *_, note in expected)
    assert len(notes) == 8
    assert min(notes.values()) > scale(20)


@cache
def _due(case: Case, days: int) -> set[tuple[Any, ...]]:
    return case.oracle.due(days)


def _bucket(case: Case, on: date | None) -> str:
    left = -1 if on is None else (on - case.oracle.as_at).days
    if left < 0:
        return "overdue"
    return next((f"within_{most}" for most in (30, 60, 90) if left <= most), "later")


def test_quality(session: Session, cases: list[Case]) -> None:
    found: Counter[str] = Counter()
    for case in cases:
        expected = case.oracle.quality()
        assert expected.keys() <= {*Check}
        report = quality(session, view_of(session, case), [Check(check) for check in expected])
        venues = defaultdict(set)
        for row in report.findings:
            venues[row.check].add(row.venue_id)
        for check, row in by(report.checks, "check").items():
            of, those = expected[check]
            assert (row.of, row.found, venues[check]) == (of, len(those), those), (check, case)
            found[check] += row.found
    assert len(found) == 8
    assert min(found.values()) > 0, found


# --- scheme tests ----------------------------------------------------------------------------


def test_scheme_tests(session: Session, cases: list[Case], scale: Scale) -> None:
    visited = 0
    for case in cases:
        last = case.oracle.as_at - timedelta(days=case.oracle.as_at.toordinal() % 40)
        first = min(case.first, last)
        expected = case.oracle.scheme_tests(first, last)
        report = scheme_tests(session, view_of(session, case), first, last)
        (total,) = report.total
        _shows_tests(total, expected, case)
        wards = by(report.wards, "ward_code")
        assert {code: row.visited for code, row in wards.items()} == {
            code: len(some) for code, some in grouped(expected, "ward").items()
        }, case
        for code, some in grouped(expected, "ward").items():
            _shows_tests(wards[code], some, case)
        venues = by(
            venue_scheme_tests(session, view_of(session, case), first, last).venues, "venue_id"
        )
        assert venues.keys() == grouped(expected, "venue").keys(), case
        for venue_id, some in grouped(expected, "venue").items():
            _shows_tests(venues[venue_id], some, case)
        visited += total.visited
    assert visited > scale(500)


def _shows_tests(row: Any, tests: list[dict[str, Any]], case: Case) -> None:
    failed = [one for one in tests if not one["passed"]]
    asks = [one for one in failed if not one["repeated"] and not one["closed"]]
    passed = len(tests) - len(failed)
    expected = {
        "visited": len(tests),
        "passed": passed,
        "rate": round(passed / len(tests), 3) if tests else None,
        "failed": len(failed),
        "debriefs_held": sum(one["debriefed"] for one in failed),
        "debriefs_due": sum(not one["debriefed"] and not one["closed"] for one in failed),
        "retests_done": sum(one["repeated"] for one in failed),
        "retests_due": len(asks),
        "retests_overdue": sum(one["late"] for one in asks),
        "closed_before_retest": sum(not one["repeated"] and one["closed"] for one in failed),
    }
    assert_shows(row, expected, case)


# --- the quarterly pack ----------------------------------------------------------------------


def test_pack(session: Session, cases: list[Case]) -> None:
    composed = 0
    for case in cases:
        question, oracle = case.question, case.oracle
        quarter = Quarter(oracle.as_at.year, (oracle.as_at.month + 2) // 3)
        if case.oracle.known_at < start_of(quarter.first):
            # Nobody can report on what has not begun.
            quarter = Quarter(
                day_of(oracle.known_at).year, (day_of(oracle.known_at).month + 2) // 3
            )
        made_from, known_at = parameters(session, str(quarter), question, oracle.known_at, NOW)
        pack = compose(session, made_from, known_at)
        now = case.on(min(quarter.last, day_of(oracle.known_at)))
        assert made_from.as_at == now.as_at
        _shows_activity(pack, now, case.on(quarter.before.last), quarter, case)
        _shows_problems(pack, now.problems(quarter.first), case)
        before = case.on(quarter.before.last)
        for row in pack.coverage_courses:
            one, other = (there.coverage(row.course) for there in (now, before))
            names = ("trained", "headcount", "coverage")
            expected = {name: one[name] for name in (*names, "rag")}
            assert_shows(row, expected | {f"{name}_before": other[name] for name in names}, case)
        for venues in pack.coverage_venues:
            one = now.coverage(venues.course)
            assert_shows(venues, {name: one[name] for name in one if hasattr(venues, name)}, case)
        for scheme in pack.schemes:
            stand = now.in_scheme(scheme.scheme)
            active = {"active": stand["in_force"], "venues": stand["venues"]}
            assert_shows(scheme, now.turns(scheme.scheme, quarter.first) | active, case)
        (tests,) = pack.tests
        held = now.scheme_tests(quarter.first, now.as_at)
        # The results of a few venues would tell those of one.
        is_told = len({one["venue"] for one in held}) >= FEW
        passed = sum(one["passed"] for one in held) if is_told else None
        assert (tests.visited, tests.passed) == (len(held), passed), case
        checks = now.quality()
        for check in (*pack.quality, *pack.quality_as_issued):
            if check.check in checks:
                of, found = checks[check.check]
                assert (check.of, check.found) == (of, len(found)), case
        composed += 1
    assert composed == len(cases)


def _shows_activity(
    pack: QuarterlyPack, now: Oracle, before: Oracle, quarter: Quarter, case: Case
) -> None:
    engaged, was_engaged = now.engagements(quarter.first), before.engagements(quarter.before.first)
    delivered = now.delivered(quarter.first)
    was_delivered = before.delivered(quarter.before.first)
    numbers = zip(_measures(engaged, delivered), _measures(was_engaged, was_delivered), strict=True)
    measures = by(pack.activity, "measure")
    for name, (number, was) in zip(measures, numbers, strict=True):
        assert (measures[name].number, measures[name].before) == (number, was), (name, case)
    for rows, name in ((pack.engagement_kinds, "kind"), (pack.engagement_outcomes, "outcome")):
        count, before_count = (
            Counter(one[name] for one in some) for some in (engaged, was_engaged)
        )
        for sort, row in by(rows, "sort").items():
            expected = count[sort], before_count[sort], len(engaged)
            assert (row.engagements, row.before, row.all) == expected, case
    for course, row in by(pack.training_courses, "course").items():
        names = ("sessions", "venues", "people", "new", "refresher")
        figures = _measures([], [one for one in delivered if one["course"] == course])[2:]
        assert_shows(row, dict(zip(names, figures, strict=True)), case)
    # Businesses as a whole lie in no ward, as some venues do.
    wards: defaultdict[str, list[Any]] = defaultdict(list)
    for row in pack.activity_wards:
        wards[row.code].append(row)
    for code, several in wards.items():
        codes = (code,) if code else ("", "whole")
        there = [one for one in engaged if one["ward"] in codes]
        assert sum(row.engagements for row in several) == len(there), (code, case)
        people = sum(one["new"] + one["refresher"] for one in delivered if one["ward"] == code)
        assert sum(row.people for row in several) == people, (code, case)


def _measures(engaged: list[dict[str, Any]], delivered: list[dict[str, Any]]) -> list[int]:
    new = sum(one["new"] for one in delivered)
    refresher = sum(one["refresher"] for one in delivered)
    return [
        len({one["with"] for one in engaged}),
        len(engaged),
        len({one["session"] for one in delivered}),
        len({one["venue"] for one in delivered} - {None}),
        new + refresher,
        new,
        refresher,
    ]


def _shows_problems(pack: QuarterlyPack, reports: list[dict[str, Any]], case: Case) -> None:
    for kind, row in by(pack.problem_reports, "kind").items():
        some = [one for one in reports if one["kind"] == kind]
        days = sorted(one["days"] for one in some if one["days"] is not None)
        expected = {
            "open_before": sum(one["before"] for one in some),
            "reported": sum(not one["before"] for one in some),
            "resolved": len(days),
            "open": len(some) - len(days),
            "median_days": median(days) if days else None,
            # So many days that nine in ten took no longer.
            "ninety_days": next(
                (most for most in days if sum(d <= most for d in days) * 10 >= len(days) * 9), None
            ),
        }
        assert_shows(row, expected, case)
