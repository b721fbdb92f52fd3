"""The partnership's quarterly report: what it holds, and how it is put together.

Everything in it is worked out as at the quarter's last day, or so far, by what was known at one
instant, so that it can be had again to the figure.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from itertools import accumulate
from typing import Annotated
from uuid import UUID

import sqlalchemy as sa
from pydantic import AfterValidator, BaseModel, Field
from sqlmodel import Session, col

from app.audit.cover.on_foot import OnFoot
from app.audit.frame import figures
from app.audit.frame.activity import Scope, activity, problems
from app.audit.frame.figures import A_HASH
from app.audit.frame.names import ward_names, words
from app.audit.frame.question import Filters, Limits, Question, View
from app.audit.frame.report import About, Mark, Report, about
from app.audit.pack import rows, sections
from app.audit.pack.quarters import Quarter
from app.audit.reports.coverage import Covered
from app.audit.reports.ground import NeedSourceRow
from app.audit.reports.night import NightTotal, NightWard
from app.audit.reports.quality import quality
from app.audit.reports.scheme_tests import scheme_tests
from app.audit.reports.survey import is_over
from app.core.errors import wrong
from app.core.journal import Entry
from app.core.london import effective, end_of, london_day
from app.http.fields import Absent
from app.outreach.models import EngagementKind, Outcome
from app.schemes.registry import SchemeKey, schemes
from app.schemes.timelines import LOST, WON, timelines
from app.training.courses import COURSES, CourseKey

_QUARTERS = 3
"""How many quarters' ends before the last one are shown with this one's."""

SOURCES = (
    "engagements",
    "training sessions, attendances and headcounts",
    "decisions on accreditation",
    "scheme tests and debriefs",
    "problem reports and what officers did about them",
    "what venues are counted by, as dated facts",
)


QuarterName = Annotated[
    str,
    AfterValidator(lambda text: str(Quarter.of(text))),
    Field(description="A calendar quarter", examples=["2025-Q1"]),
]


class Parameters(BaseModel):
    """What a pack is made from, beside the register; an issued one keeps it.

    `wards` are those that the chosen codes stood for; `courses` and `schemes` are those there were,
    so that a new one changes nothing in an older pack.
    """

    quarter: QuarterName
    as_at: date
    chosen: Filters
    wards: list[UUID] | None
    limits: Limits
    courses: list[str]
    schemes: list[str]

    def view(self, known_at: datetime) -> View:
        """What the pack looks at, by what was known at an instant."""
        wards = None if self.wards is None else frozenset(self.wards)
        return View(self.as_at, known_at, self.chosen, wards, self.limits)


class PackAbout(About):
    """What a pack says of itself."""

    quarter: str = Field(examples=["2025-Q1"])
    first: date = Field(description="The quarter's first day", examples=["2025-01-01"])
    last: date = Field(description="The quarter's last day", examples=["2025-03-31"])
    so_far: bool = Field(description="Whether the quarter was not over", examples=[False])
    journal_entry: int = Field(
        description="The newest entry of the journal by then", examples=[20412]
    )
    journal_hash: str = Field(description="The hash of that entry", examples=[A_HASH])
    figures_hash: str = Field(
        description="SHA-256 of the figures: the same figures have the same", examples=[A_HASH]
    )
    issued_at: datetime | Absent = Field(default=None, description="Absent in a preview")
    issued_by: str | Absent = Field(default=None, examples=["account licensing"])
    pack_id: UUID | Absent = None


class QuarterlyPack(Report):
    """The partnership's quarterly report."""

    about: PackAbout
    activity: list[rows.Measure] = Field(title="In all")
    engagement_kinds: list[rows.Engagements] = Field(title="Engagements by kind")
    engagement_outcomes: list[rows.Engagements] = Field(title="Engagements by outcome")
    training_courses: list[rows.CourseDelivered] = Field(title="Training by course")
    activity_wards: list[rows.WardActivity] = Field(title="Activity by ward")
    coverage_courses: list[rows.CourseCoverage] = Field(title="Coverage by course")
    coverage_quarters: list[rows.QuarterEnd] = Field(title="Coverage at quarters' ends")
    coverage_venues: list[rows.CourseVenues] = Field(title="Venues by course")
    coverage_wards: list[rows.WardCoverage] = Field(title="Coverage by ward")
    schemes: list[rows.SchemeBalance] = Field(title="Accreditations in force")
    scheme_turns: list[rows.SchemeTurns] = Field(title="Won and lost by scheme")
    venues_won: list[rows.VenueTurn] = Field(title="Accreditations won")
    venues_lost: list[rows.VenueTurn] = Field(title="Accreditations lost")
    tests: list[rows.Tests] = Field(title="Scheme tests")
    tests_wards: list[rows.Tests] = Field(title="Scheme tests by ward")
    problem_reports: list[rows.ProblemKind] = Field(title="Problem reports by kind")
    survey: Annotated[list[rows.Survey], Mark.AS_ISSUED] = Field(
        default=[],
        title="What people said",
        description="Counts of the whole quarter once it is over, and of all venues: none while it "
        "goes on, or about some venues alone. A dash stands for fewer than five people, or for a "
        "number from which that could be worked out. They are no part of the hash.",
    )
    night: Annotated[list[NightTotal], Mark.AS_ISSUED] = Field(
        default=[],
        title="An open door near, by night",
        description="They also judge by the streets and the walking factor of the day on which "
        "this was made, which keep no history: they are no part of the hash. With the same sources "
        "the report on coverage by night comes to the same figures.",
    )
    night_wards: Annotated[list[NightWard], Mark.AS_ISSUED] = Field(
        default=[], title="An open door near, by ward"
    )
    night_sources: Annotated[list[NeedSourceRow], Mark.AS_ISSUED] = Field(
        default=[], title="Sources of need"
    )
    quality: list[rows.QualityFigures] = Field(title="By what was known then")
    quality_as_issued: Annotated[list[rows.QualityFigures], Mark.AS_ISSUED] = Field(
        title="As they stood when this was made",
        description="These judge by what keeps no history, like opening hours and the day of the "
        "last check: they are no part of the hash, and are not worked out again.",
    )


# --- how it is put together ------------------------------------------------------------------


def parameters(
    session: Session, quarter: str, filters: Filters, known_at: datetime | None, now: datetime
) -> tuple[Parameters, datetime]:
    """What a pack is to be made from, as things are set now, and by what was known when.

    Raises `Invalid` for what is to come, for what is not in the register, and for an instant at
    which the quarter had not begun.
    """
    first, last = Quarter.of(quarter).first, Quarter.of(quarter).last
    known_at = known_at or now
    if effective(first) > now:
        raise wrong("quarter", "lies in the future")
    if effective(first) > known_at:
        raise wrong("known_at", "lies before the quarter")
    chosen = Filters(**{name: getattr(filters, name) for name in Filters.model_fields})
    as_at = min(last, london_day(min(known_at, now)))
    view = View.of(session, Question(as_at=as_at, **dict(chosen)), now)
    made_from = Parameters(
        quarter=quarter,
        as_at=as_at,
        chosen=chosen,
        wards=None if view.wards is None else sorted(view.wards),
        limits=view.limits,
        courses=list(COURSES),
        schemes=list(schemes()),
    )
    return made_from, known_at


def compose(
    session: Session, made_from: Parameters, known_at: datetime, on_foot: OnFoot | None = None
) -> QuarterlyPack:
    """A pack by what was known at an instant; with coverage by night where it is said how the way
    on foot is known."""
    quarter = Quarter.of(made_from.quarter)
    courses = [CourseKey(key) for key in made_from.courses]
    scheme_keys = [SchemeKey(key) for key in made_from.schemes]
    view = made_from.view(known_at)
    view_before = replace(view, as_at=quarter.before.last)
    known_timelines = timelines(session, known_at)
    ends = [*accumulate(range(_QUARTERS), lambda end, _: end.before, initial=quarter.before)]
    days = [*(end.last for end in ends), view.as_at]
    covered = Covered.read(session, view, days, known_timelines)
    trained_before, trained = (
        {row.course: row for row in covered.training(day)} for day in (-2, -1)
    )
    in_schemes = {row.scheme: row for row in covered.in_schemes(-1)}

    venues, facts = covered.grid.venues, covered.grid.facts
    scope, scope_before = (
        Scope.on(-1, view, venues, facts),
        Scope.on(-2, view_before, venues, facts),
    )
    done = activity(session, view, quarter.first, scope)
    before = activity(session, view_before, quarter.before.first, scope_before)
    accreditations = sections.Accreditations(known_timelines, view, quarter.first, scope)
    tests = scheme_tests(session, view, quarter.first, view.as_at, scope)
    reported = problems(session, view, quarter.first, scope)
    wards = ward_names(session)
    checks = [
        rows.QualityFigures.based_on(result, share=result.found / result.of if result.of else None)
        for result in quality(session, view, sections.CHECKS).checks
    ]
    by_night, night_sources = sections.night(session, view, on_foot, wards) if on_foot else ({}, [])
    pack = QuarterlyPack(
        about=_about(session, quarter, view, [*SOURCES, *night_sources]),
        activity=sections.measures(done.whole, before.whole),
        engagement_kinds=sections.engagements(EngagementKind, done.by_kind, before.by_kind),
        engagement_outcomes=sections.engagements(Outcome, done.by_outcome, before.by_outcome),
        training_courses=sections.courses_delivered(courses, done.by_course, before.by_course),
        activity_wards=sections.ward_activity(done, wards),
        coverage_courses=[
            sections.course_coverage(trained[key], trained_before[key]) for key in courses
        ],
        coverage_quarters=list(sections.quarter_ends(covered, courses)),
        coverage_venues=[
            rows.CourseVenues.based_on(trained[key], name=COURSES[key].name) for key in courses
        ],
        coverage_wards=list(sections.ward_coverage(covered, courses, wards)),
        schemes=[accreditations.balance(in_schemes[key]) for key in scheme_keys],
        scheme_turns=[accreditations.turns(key) for key in scheme_keys],
        venues_won=accreditations.venues(session, scheme_keys, WON),
        venues_lost=accreditations.venues(session, scheme_keys, LOST),
        tests=[sections.tests("all", "", "In all", tests.total)],
        tests_wards=sections.tests_by_ward(tests.wards),
        problem_reports=[
            rows.ProblemKind.based_on(of_kind, kind=kind, title=words(kind))
            for kind, of_kind in reported.items()
        ],
        survey=sections.survey(session, quarter, wards)
        if made_from.chosen == Filters() and is_over(quarter.first, known_at)
        else [],
        **by_night,
        quality=[row for row in checks if row.check in sections.DATED],
        quality_as_issued=[row for row in checks if row.check not in sections.DATED],
    )
    pack.about.figures_hash = hash_of(made_from, pack)
    return pack


def hash_of(made_from: Parameters, pack: QuarterlyPack) -> str:
    """The hash of a pack's figures, and of what they are figures of."""
    return figures.digest(made_from.model_dump(mode="json"), figures.figures(pack))


def _about(session: Session, quarter: Quarter, view: View, sources: Sequence[str]) -> PackAbout:
    newest = session.execute(
        sa.select(col(Entry.number), col(Entry.hash))
        .where(col(Entry.at) <= view.known_at)
        .order_by(col(Entry.number).desc())
        .limit(1)
    ).first()
    return PackAbout(
        **dict(about(session, f"Quarterly report, {quarter.months}", view, sources)),
        quarter=str(quarter),
        first=quarter.first,
        last=quarter.last,
        so_far=view.known_at < end_of(quarter.last),
        journal_entry=newest.number if newest else 0,
        journal_hash=newest.hash if newest else "",
        figures_hash="",
    )
