"""How scheme tests went: visited, passed, and what the failed ones still ask for."""

from datetime import date, timedelta
from operator import attrgetter
from typing import Any, NamedTuple
from uuid import UUID

from pydantic import Field
from sqlmodel import Session

from app.audit.frame.activity import Scope
from app.audit.frame.names import venue_names, ward_names
from app.audit.frame.question import ReportQuestion, View
from app.audit.frame.report import Report, Row, Share, about
from app.audit.frame.rows import AtVenue, grouped
from app.core.errors import wrong
from app.core.london import Day, last_day
from app.http.fields import Absent, Maybe
from app.outreach.rules import (
    KnownTest,
    asks_for_debrief,
    asks_for_retest,
    is_overdue,
    rate,
    retest_by,
)
from app.outreach.scheme_tests import known_tests
from app.schemes.registry import SchemeKey, schemes
from app.venues.models import VenueStatus

SOURCES = ["scheme tests", "debriefs", "venue facts"]

_A_DAY = timedelta(days=1)


class SchemeTestsQuestion(ReportQuestion):
    """What the reports on scheme tests can be asked: those on which days."""

    from_: Maybe[Day] = Field(
        default=None,
        alias="from",
        description="First day of the tests; twelve months up to `until` when absent",
        examples=["2024-04-01"],
    )
    until: Maybe[Day] = Field(
        default=None,
        description="Last day of the tests, included; `as_at` when absent",
        examples=["2025-03-31"],
    )

    def period(self, as_at: date) -> tuple[date, date]:
        """The first and the last day. Raises `Invalid` if they are not in order, up to `as_at`."""
        last = self.until or as_at
        if last > as_at:
            raise wrong("until", "must not be after as_at")
        # A year before the day after it.
        first = self.from_ or last_day(last + _A_DAY, -12) + _A_DAY
        if first > last:
            raise wrong("from", "must not be after until")
        return first, last


class TestFigures(Row):
    """How tests went, and what became of those that failed, up to `as_at`.

    `failed` is `retests_done` + `retests_due` + `closed_before_retest`; what is overdue is due too.
    """

    visited: int = Field(title="Visited", examples=[12])
    venues: int = Field(title="Venues", description="How many were visited", examples=[11])
    passed: int = Field(title="Passed", examples=[9])
    rate: Share = Field(default=None, title="Pass rate", examples=[0.75])
    failed: int = Field(title="Failed", examples=[3])
    debriefs_held: int = Field(title="Debriefs held", examples=[2])
    debriefs_due: int = Field(title="Debriefs due", examples=[1])
    retests_done: int = Field(title="Retests done", examples=[1])
    retests_due: int = Field(title="Retests due", examples=[2])
    retests_overdue: int = Field(title="Of these overdue", examples=[1])
    closed_before_retest: int = Field(title="Closed before a retest", examples=[0])


class _InWard(Row):
    ward_code: str = Field(title="Ward code", examples=["E05009288"])
    ward: str = Field(title="Ward", examples=["Bishopsgate"])


class _OfScheme(Row):
    scheme: str = Field(title="Scheme", examples=["ask_for_angela"])
    name: str = Field(title="Name", examples=["Ask for Angela"])


class WardTests(TestFigures, _InWard):
    """How tests at the venues of a ward went, by the ward that they lay in as at the day."""

    ward_id: UUID | Absent = Field(default=None, title="Ward id")


class OneSchemeTests(TestFigures, _OfScheme):
    """How tests of one scheme went."""


class VenueTests(TestFigures, AtVenue, _InWard):
    """How tests at one venue went."""


class _OfPeriod(Report):
    from_: date = Field(alias="from", description="First day of the tests", examples=["2024-04-01"])
    until: date = Field(description="Last day, included", examples=["2025-03-31"])


class SchemeTests(_OfPeriod):
    """How the scheme tests of a period went: by ward, by scheme and in all."""

    wards: list[WardTests] = Field(title="By ward")
    schemes: list[OneSchemeTests] = Field(title="By scheme")
    total: list[TestFigures] = Field(title="In all", description="One row")


class VenueSchemeTests(_OfPeriod):
    """How the scheme tests of a period went, venue by venue. Never to be published."""

    venues: list[VenueTests] = Field(title="By venue")


class _Held(NamedTuple):
    """A test, and where its venue stood as at the day."""

    test: KnownTest
    ward_id: UUID | None
    is_closed: bool

    @property
    def venue_id(self) -> str:
        return self.test.venue_id

    @property
    def scheme(self) -> str:
        return self.test.scheme


def scheme_tests(
    session: Session, view: View, first: date, last: date, scope: Scope | None = None
) -> SchemeTests:
    """How the tests on some London days went, the last one included, and what is still to do.

    Every test counts, at a venue that is not active any more too; which ones the filters choose,
    and in which ward, goes by the venue's facts as at the day, or by its first ones if it was
    registered later. What it is about, the `scope`, is read unless it is given.
    """
    held = _held(session, view, first, last, scope)
    wards = ward_names(session)
    return SchemeTests(
        **_of_period(session, view, "Scheme tests", first, last),
        wards=sorted(
            (
                WardTests(
                    ward_id=ward_id,
                    ward_code=wards[ward_id].code,
                    ward=wards[ward_id].name,
                    **_figures(tests, view),
                )
                for ward_id, tests in grouped(held, attrgetter("ward_id")).items()
            ),
            key=lambda row: (not row.ward_code, row.ward_code, row.ward, str(row.ward_id)),
        ),
        schemes=[
            OneSchemeTests(
                scheme=scheme, name=schemes()[SchemeKey(scheme)].name, **_figures(tests, view)
            )
            for scheme, tests in sorted(grouped(held, attrgetter("scheme")).items())
        ],
        total=[TestFigures(**_figures(held, view))],
    )


def alone(session: Session, view: View, first: date, last: date) -> set[UUID]:
    """The venues whose tests `scheme_tests` gives away: each alone in a ward, or in a scheme."""
    held = _held(session, view, first, last)
    groups = [
        {test.venue_id for test in tests}
        for of in ("ward_id", "scheme")
        for tests in grouped(held, attrgetter(of)).values()
    ]
    return {UUID(venue) for venues in groups if len(venues) == 1 for venue in venues}


def venue_scheme_tests(session: Session, view: View, first: date, last: date) -> VenueSchemeTests:
    """As `scheme_tests`, venue by venue."""
    by_venue = grouped(_held(session, view, first, last), attrgetter("venue_id"))
    names, wards = venue_names(session, [*map(UUID, by_venue)]), ward_names(session)
    return VenueSchemeTests(
        **_of_period(session, view, "Scheme tests by venue", first, last),
        venues=sorted(
            (
                VenueTests(
                    venue_id=venue_id,
                    **names[venue_id]._asdict(),
                    ward_code=wards[tests[0].ward_id].code,
                    ward=wards[tests[0].ward_id].name,
                    **_figures(tests, view),
                )
                for venue_id, tests in by_venue.items()
            ),
            key=attrgetter("reference"),
        ),
    )


def _of_period(session: Session, view: View, title: str, first: date, last: date) -> dict[str, Any]:
    title = f"{title} from {first} to {last}"
    return {"about": about(session, title, view, SOURCES), "from": first, "until": last}


def _held(
    session: Session, view: View, first: date, last: date, scope: Scope | None = None
) -> list[_Held]:
    scope = scope or Scope.read(session, view)
    closed = {venue for venue, facts in scope.facts.items() if facts.status == VenueStatus.CLOSED}
    return [
        _Held(test, scope.ward_of(test.venue_id), test.venue_id in closed)
        for test in known_tests(session, view.at, view.known_at, first)
        if test.on <= last and scope.has_venue(test.venue_id)
    ]


def _figures(held: list[_Held], view: View) -> dict[str, Any]:
    failed = [(test, is_closed) for test, _, is_closed in held if not test.passed]
    asking = [test for test, is_closed in failed if asks_for_retest(test, is_closed=is_closed)]
    passed = len(held) - len(failed)
    done = sum(test.retest_id is not None for test, _ in failed)
    return {
        "visited": len(held),
        "venues": len({test.venue_id for test in held}),
        "passed": passed,
        "rate": rate(passed, len(held)),
        "failed": len(failed),
        "debriefs_held": sum(test.debrief_id is not None for test, _ in failed),
        "debriefs_due": sum(asks_for_debrief(test, is_closed=closed) for test, closed in failed),
        "retests_done": done,
        "retests_due": len(asking),
        "retests_overdue": sum(
            is_overdue(retest_by(test.on, view.limits.retest_days), view.as_at) for test in asking
        ),
        "closed_before_retest": len(failed) - done - len(asking),
    }
