"""The tables of a quarterly pack: what each row is about, and its figures."""

from datetime import date
from typing import Annotated

from pydantic import Field

from app.audit.frame.figures import Aside, Key, Label
from app.audit.frame.report import Mark, Row, Share
from app.http.fields import Absent
from app.training.rag import Rag
from app.venues.fields import A_VENUE_ID

Change = Annotated[Annotated[float, Field(ge=-1, le=1)] | Absent, Mark.PERCENT, Mark.SIGNED]
"""How far a share is from what it was; absent where one of the two is."""

_BEFORE = "Quarter before"


class _OfCourse(Row):
    course: Key = Field(title="Key", examples=["wave"])
    name: Label = Field(title="Course", examples=["Welfare And Vulnerability Engagement (WAVE)"])


class _OfScheme(Row):
    scheme: Key = Field(title="Key", examples=["safe_haven"])
    name: Label = Field(title="Scheme", examples=["Safe Haven"])


class _InWard(Row):
    ward_id: Key = Field(title="Key", examples=["0c6f5d1e-3f6b-4f5e-9a51-6b1b7a3f2c10"])
    code: Aside = Field(title="Code", examples=["E05009288"])
    ward: Label = Field(title="Ward", examples=["Bishopsgate"])


class Measure(Row):
    """One number of what was done."""

    measure: Key = Field(title="Measure", examples=["people"])
    title: Label = Field(title="What", examples=["People trained"])
    number: int = Field(title="This quarter", examples=[122])
    before: int = Field(title=_BEFORE, examples=[97])
    change: Annotated[int, Mark.SIGNED] = Field(title="Change", examples=[25])


class Engagements(Row):
    """How many engagements of one sort there were."""

    sort: Key = Field(title="Key", examples=["visit"])
    title: Label = Field(title="What", examples=["Visit"])
    engagements: int = Field(title="Engagements", examples=[84])
    all: int = Field(title="Of all", examples=[152])
    share: Share = Field(default=None, title="Share", examples=[0.553])
    before: int = Field(title=_BEFORE, examples=[71])


class CourseDelivered(_OfCourse):
    """What was delivered of one course."""

    sessions: int = Field(title="Sessions", examples=[11])
    venues: int = Field(title="Venues", examples=[38])
    new: int = Field(title="New people", examples=[101])
    refresher: int = Field(title="Refreshers", examples=[21])
    people: int = Field(title="People trained", examples=[122])
    before: int = Field(title=_BEFORE, examples=[97])


class WardActivity(_InWard):
    """What was done in one ward."""

    engagements: int = Field(title="Engagements", examples=[41])
    businesses: int = Field(title="Businesses engaged", examples=[33])
    sessions: int = Field(title="Sessions attended", examples=[9])
    venues: int = Field(title="Venues trained", examples=[21])
    new: int = Field(title="New people", examples=[64])
    refresher: int = Field(title="Refreshers", examples=[12])
    people: int = Field(title="People trained", examples=[76])


class ProblemKind(Row):
    """What became of problem reports of one kind."""

    kind: Key = Field(title="Key", examples=["closed"])
    title: Label = Field(title="Kind", examples=["Closed"])
    open_before: int = Field(title="Open at the start", examples=[3])
    reported: int = Field(title="Reported", examples=[12])
    resolved: int = Field(title="Resolved", examples=[11])
    open: int = Field(title="Still open", examples=[4])
    median_days: float | Absent = Field(
        default=None, title="Median days to resolve", examples=[2.5]
    )
    ninety_days: int | Absent = Field(default=None, title="90th percentile of days", examples=[9])


class CourseCoverage(_OfCourse):
    """How far staff are trained in one course, at the venues that count."""

    trained: int = Field(title="Trained", examples=[3120])
    headcount: int = Field(title="Headcount", examples=[4460])
    coverage: Share = Field(default=None, title="Coverage", examples=[0.6996])
    rag: Rag | Absent = Field(default=None, title="RAG", examples=["amber"])
    trained_before: int = Field(title="Trained before", examples=[2890])
    headcount_before: int = Field(title="Headcount before", examples=[4380])
    coverage_before: Share = Field(default=None, title="Coverage before", examples=[0.6598])
    change: Change = Field(default=None, title="Points of change", examples=[0.0398])


class CourseVenues(_OfCourse):
    """How venues stand in one course. Those without a headcount have no colour."""

    venues: int = Field(title="Venues", examples=[412])
    green: int = Field(title="Green", examples=[201])
    amber: int = Field(title="Amber", examples=[89])
    red: int = Field(title="Red", examples=[100])
    nobody: int = Field(title="Nobody declared", examples=[2])
    without_headcount: int = Field(title="No headcount", examples=[20])
    trained_without_headcount: int = Field(title="Trained there", examples=[31])
    current: int = Field(title="Current", examples=[280])
    due: int = Field(title="Due", examples=[40])
    lapsed: int = Field(title="Lapsed", examples=[52])
    never: int = Field(title="Never", examples=[40])


class WardCoverage(_InWard):
    """How far staff are trained in one course, at the venues of one ward."""

    course: Key = Field(title="Course key", examples=["wave"])
    name: Label = Field(title="Course", examples=["Welfare And Vulnerability Engagement (WAVE)"])
    venues: int = Field(title="Venues", examples=[31])
    without_headcount: int = Field(title="No headcount", examples=[2])
    trained: int = Field(title="Trained", examples=[210])
    headcount: int = Field(title="Headcount", examples=[300])
    coverage: Share = Field(default=None, title="Coverage", examples=[0.7])
    rag: Rag | Absent = Field(default=None, title="RAG", examples=["amber"])
    change: Change = Field(default=None, title="Points of change", examples=[0.025])


class QuarterEnd(_OfCourse):
    """How far staff were trained in one course at the end of a quarter."""

    day: Key = Field(title="Day", examples=["2024-12-31"])
    quarter: Label = Field(title="Quarter", examples=["2024-Q4"])
    trained: int = Field(title="Trained", examples=[2890])
    headcount: int = Field(title="Headcount", examples=[4380])
    coverage: Share = Field(default=None, title="Coverage", examples=[0.6598])
    rag: Rag | Absent = Field(default=None, title="RAG", examples=["amber"])


class SchemeBalance(_OfScheme):
    """How many venues stand in one scheme. What was in force before, and was won, less what was
    lost, is in force."""

    before: int = Field(title="In force before", examples=[58])
    won: int = Field(title="Won", examples=[7])
    lost: int = Field(title="Lost", examples=[4])
    in_force: int = Field(title="In force", examples=[61])
    renewed: int = Field(title="Renewed", examples=[12])
    active: int = Field(title="In force at active venues", examples=[60])
    venues: int = Field(title="Active venues", examples=[412])
    share: Share = Field(default=None, title="Share", examples=[0.1456])


class SchemeTurns(_OfScheme):
    """How accreditations in one scheme were won and lost."""

    awarded: int = Field(title="Awarded", examples=[4])
    awarded_again: int = Field(title="Awarded again", examples=[2])
    reinstated: int = Field(title="Reinstated", examples=[1])
    suspended: int = Field(title="Suspended", examples=[1])
    expired: int = Field(title="Expired", examples=[2])
    withdrawn: int = Field(title="Withdrawn", examples=[1])


class VenueTurn(Row):
    """One accreditation that was won or lost."""

    scheme: Key = Field(title="Key", examples=["safe_haven"])
    venue_id: Key = Field(title="Venue key", examples=[A_VENUE_ID])
    at: Key = Field(title="Instant", examples=["2025-02-03T00:00:00+00:00"])
    venue: Label = Field(title="Venue", examples=["The Lantern"])
    reference: Label = Field(title="Reference", examples=["COL-0042"])
    name: Label = Field(title="Scheme", examples=["Safe Haven"])
    turn: str = Field(title="What", examples=["Awarded"])
    on: date = Field(title="Day", examples=["2025-02-03"])


class Tests(_InWard):
    """How scheme tests went, in all or in one ward; only how many there were, of too few venues."""

    visited: int = Field(title="Visited", examples=[12])
    venues: int = Field(title="Venues", examples=[11])
    passed: int | Absent = Field(default=None, title="Passed", examples=[9])
    rate: Share = Field(default=None, title="Rate", examples=[0.75])
    failed: int | Absent = Field(default=None, title="Failed", examples=[3])
    retests_done: int | Absent = Field(default=None, title="Retests done", examples=[1])
    retests_due: int | Absent = Field(default=None, title="Retests due", examples=[2])
    retests_overdue: int | Absent = Field(default=None, title="Of these overdue", examples=[1])


class Survey(_InWard):
    """What people said in the survey, in all or about venues of one ward; nothing of few people."""

    answers: int | Absent = Field(default=None, title="Answers", examples=[41])
    safer: int | Absent = Field(default=None, title="Felt safer", examples=[33])
    safer_share: Share = Field(default=None, title="Part", examples=[0.8049])
    helped: int | Absent = Field(default=None, title="Were helped", examples=[30])
    helped_share: Share = Field(default=None, title="Part", examples=[0.7317])


class QualityFigures(Row):
    """How many venues one check found."""

    check: Key = Field(title="Key", examples=["headcount_missing"])
    title: Label = Field(title="Check", examples=["No headcount was ever declared"])
    found: int = Field(title="Found", examples=[20])
    of: int = Field(title="Of", examples=[412])
    share: Share = Field(default=None, title="Share", examples=[0.0485])
