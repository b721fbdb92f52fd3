"""The partnership's quarterly report: what it holds, and how it is put together.

Everything in it is worked out as at the quarter's last day, or so far, by what was known at one
instant, so that it can be had again to the figure.
"""

from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import accumulate
from typing import Annotated
from uuid import UUID

import sqlalchemy as sa
from pydantic import AfterValidator, BaseModel, Field
from sqlmodel import Session, col

from app.audit.frame import figures
from app.audit.frame.activity import activity, involved_by, problems
from app.audit.frame.figures import A_HASH, Mark
from app.audit.frame.names import ward_names
from app.audit.frame.question import Chosen, Limits, Moment, View, view
from app.audit.frame.report import About, Report, about
from app.audit.pack import chapters
from app.audit.pack.chapters import DATED, Accreditations
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
from app.audit.reports.coverage import Covered
from app.audit.reports.quality import quality
from app.audit.reports.scheme_tests import scheme_tests
from app.core.errors import wrong
from app.core.journal import Entry
from app.core.london import effective, london_day
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


def _is_quarter(text: str) -> str:
    return str(Quarter.of(text))


QuarterName = Annotated[
    str,
    AfterValidator(_is_quarter),
    Field(description="A calendar quarter", examples=["2025-Q1"]),
]


class Parameters(BaseModel):
    """What a pack is made from, beside the register; an issued one keeps it.

    `wards` are those that the chosen codes stood for; `courses` and `schemes` are those there were,
    so that a new one changes nothing in an older pack.
    """

    quarter: QuarterName
    as_at: date
    chosen: Chosen
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
    activity: list[Measure] = Field(title="In all")
    engagement_kinds: list[Engagements] = Field(title="Engagements by kind")
    engagement_outcomes: list[Engagements] = Field(title="Engagements by outcome")
    training_courses: list[CourseDelivered] = Field(title="Training by course")
    activity_wards: list[WardActivity] = Field(title="Activity by ward")
    coverage_courses: list[CourseCoverage] = Field(title="Coverage by course")
    coverage_quarters: list[QuarterEnd] = Field(title="Coverage at quarters' ends")
    coverage_venues: list[CourseVenues] = Field(title="Venues by course")
    coverage_wards: list[WardCoverage] = Field(title="Coverage by ward")
    schemes: list[SchemeStanding] = Field(title="Accreditations in force")
    scheme_turns: list[SchemeTurns] = Field(title="Won and lost by scheme")
    venues_won: list[VenueTurn] = Field(title="Accreditations won")
    venues_lost: list[VenueTurn] = Field(title="Accreditations lost")
    tests: list[Tests] = Field(title="Scheme tests")
    tests_wards: list[Tests] = Field(title="Scheme tests by ward")
    problem_reports: list[ProblemKind] = Field(title="Problem reports by kind")
    quality: list[Quality] = Field(title="By what was known then")
    quality_as_issued: Annotated[list[Quality], Mark.AS_ISSUED] = Field(
        title="As they stood when this was made",
        description="These judge by what keeps no history, like opening hours and the day of the "
        "last check: they are no part of the hash, and are not worked out again.",
    )


# --- how it is put together ------------------------------------------------------------------


def parameters(
    session: Session, quarter: str, chosen: Chosen, known_at: datetime | None, now: datetime
) -> tuple[Parameters, datetime]:
    """What a pack is to be made from, as things are set now, and by what was known when.

    Raises `Invalid` for what is to come, for what is not in the register, and for an instant at
    which the quarter had not begun.
    """
    asked = Quarter.of(quarter)
    if effective(asked.first) > now:
        raise wrong("quarter", "lies in the future")
    known_at = known_at or now
    if known_at < effective(asked.first):
        raise wrong("known_at", "lies before the quarter")
    as_at = min(asked.last, london_day(min(known_at, now)))
    seen = view(session, Moment(as_at=as_at, known_at=known_at), chosen, now)
    made_from = Parameters(
        quarter=quarter,
        as_at=as_at,
        chosen=Chosen(**{name: getattr(chosen, name) for name in Chosen.model_fields}),
        wards=None if seen.wards is None else sorted(seen.wards),
        limits=seen.limits,
        courses=list(COURSES),
        schemes=list(schemes()),
    )
    return made_from, known_at


def compose(session: Session, made_from: Parameters, known_at: datetime) -> QuarterlyPack:
    """A pack by what was known at an instant."""
    quarter = Quarter.of(made_from.quarter)
    seen = made_from.view(known_at)
    before = replace(seen, as_at=quarter.before.last)
    wards = ward_names(session)
    ends = [*accumulate(range(_QUARTERS), lambda end, _: end.before, initial=quarter.before)]
    told = timelines(session, known_at)
    covered = Covered.read(session, seen, [*(end.last for end in ends), seen.as_at], told)
    grid = covered.grid
    who_before, who = (
        involved_by(one, grid.venues, grid.facts, day) for one, day in ((before, -2), (seen, -1))
    )
    done = activity(session, seen, quarter.first, who)
    done_before = activity(session, before, quarter.before.first, who_before)
    trained_before, trained = (
        {there.course: there for there in covered.training(day)} for day in (-2, -1)
    )
    courses = [CourseKey(key) for key in made_from.courses]
    won_and_lost = Accreditations(told, seen, quarter.first, who)
    in_schemes = {there.scheme: there for there in covered.in_schemes(-1)}
    keys = [SchemeKey(key) for key in made_from.schemes]
    tested = scheme_tests(session, seen, quarter.first, seen.as_at, who)
    checks = quality(session, seen, chapters.CHECKS).checks
    pack = QuarterlyPack(
        about=_about(session, quarter, seen),
        activity=list(chapters.measures(done.whole, done_before.whole)),
        engagement_kinds=chapters.engagements(EngagementKind, done.by_kind, done_before.by_kind),
        engagement_outcomes=chapters.engagements(Outcome, done.by_outcome, done_before.by_outcome),
        training_courses=[
            chapters.course_delivered(key, done.by_course[key], done_before.by_course[key])
            for key in courses
        ],
        activity_wards=chapters.ward_activity(done, wards),
        coverage_courses=[
            chapters.course_coverage(trained[key], trained_before[key]) for key in courses
        ],
        coverage_quarters=list(chapters.quarter_ends(covered, courses)),
        coverage_venues=[chapters.course_venues(trained[key]) for key in courses],
        coverage_wards=list(chapters.ward_coverage(covered, courses, wards)),
        schemes=[
            won_and_lost.standing(key, in_schemes[key].in_force, in_schemes[key].venues)
            for key in keys
        ],
        scheme_turns=[won_and_lost.by_turn(key) for key in keys],
        venues_won=won_and_lost.venues(session, keys, WON),
        venues_lost=won_and_lost.venues(session, keys, LOST),
        tests=[chapters.tests_in_all(one) for one in tested.total],
        tests_wards=chapters.tests_by_ward(tested.wards),
        problem_reports=[
            chapters.problem_kind(kind, found)
            for kind, found in problems(session, seen, quarter.first, who).items()
        ],
        quality=[chapters.quality_check(one) for one in checks if one.check in DATED],
        quality_as_issued=[chapters.quality_check(one) for one in checks if one.check not in DATED],
    )
    pack.about.figures_hash = hash_of(made_from, pack)
    return pack


def hash_of(made_from: Parameters, pack: QuarterlyPack) -> str:
    """The hash of a pack's figures, and of what they are figures of."""
    return figures.digest(made_from.model_dump(mode="json"), figures.figures(pack))


def _about(session: Session, quarter: Quarter, seen: View) -> PackAbout:
    newest = session.execute(
        sa.select(col(Entry.number), col(Entry.hash))
        .where(col(Entry.at) <= seen.known_at)
        .order_by(col(Entry.number).desc())
        .limit(1)
    ).first()
    title = f"Quarterly report, {quarter.months}"
    return PackAbout(
        **dict(about(session, title, seen, SOURCES)),
        quarter=str(quarter),
        first=quarter.first,
        last=quarter.last,
        so_far=seen.known_at < effective(quarter.last + timedelta(days=1)),
        journal_entry=newest.number if newest else 0,
        journal_hash=newest.hash if newest else "",
        figures_hash="",
    )
