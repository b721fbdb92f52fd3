"""What was done in a period, as everybody in the register may ask it: the audit's own figures."""

from datetime import UTC, date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema
from sqlmodel import Session

from app.accounts.guards import Reader
from app.audit.frame.activity import Activity, Scope, Tally, activity
from app.audit.frame.names import ward_names
from app.audit.frame.question import View
from app.audit.reports.scheme_tests import scheme_tests
from app.audit.reports.survey import counted, is_over, told
from app.core.errors import Invalid, responses, wrong
from app.core.london import today
from app.http.conditional import Register
from app.http.fields import FiguresQuestion
from app.outreach.models import EngagementKind
from app.training.courses import CourseKey
from app.training.schemas import Trained

router = APIRouter(prefix="/v1/admin")

PeriodQuestion = Annotated[FiguresQuestion, Query()]


class _OfPeriod(BaseModel):
    model_config = ConfigDict(populate_by_name=True)

    from_: date = Field(alias="from", examples=["2023-10-01"])
    until: date = Field(examples=["2025-04-30"])
    known_at: datetime | SkipJsonSchema[None] = None


def _activity(session: Session, question: FiguresQuestion) -> tuple[Activity, Scope]:
    view = View(question.until, question.known_at or datetime.now(UTC))
    scope = Scope.read(session, view)
    return activity(session, view, question.from_, scope), scope


# --- engagements -----------------------------------------------------------------------------


class KindFigure(BaseModel):
    """How many engagements of one kind there were."""

    kind: EngagementKind = Field(examples=["visit"])
    engagements: int = Field(examples=[911])


class OutreachFigures(_OfPeriod):
    """What outreach came to in a period. A venue of no known business counts as one business."""

    businesses_engaged: int = Field(description="Each counted once", examples=[380])
    engagements: int = Field(description="Of every kind", examples=[911])
    by_kind: list[KindFigure]


@router.get(
    "/outreach/figures",
    tags=["outreach"],
    summary="How many businesses were engaged?",
    response_model=OutreachFigures,
    responses=responses(Invalid()),
)
def outreach_figures(question: PeriodQuestion, register: Register, _: Reader) -> Response:
    """Businesses engaged and engagements by kind in a period, as known at an instant."""

    def show(session: Session) -> OutreachFigures:
        done, _ = _activity(session, question)
        kinds = [KindFigure(kind=kind, engagements=done.by_kind[kind]) for kind in EngagementKind]
        return OutreachFigures(
            **dict(question),
            businesses_engaged=len(done.whole.businesses),
            engagements=done.whole.engagements,
            by_kind=kinds,
        )

    return register.read(show)


# --- training --------------------------------------------------------------------------------


class Figures(BaseModel):
    """What was delivered."""

    sessions: int = Field(examples=[31])
    trained: Trained
    venues: int = Field(description="Venues whose staff took part", examples=[120])
    businesses: int = Field(
        description="Businesses that ran those venues at the end of the period", examples=[95]
    )


class CourseFigures(Figures):
    """What was delivered of one course."""

    course: CourseKey = Field(examples=["wave"])


class TrainingFigures(_OfPeriod, Figures):
    """What was delivered in a period, in all and by course."""

    courses: list[CourseFigures]


@router.get(
    "/training/figures",
    tags=["training"],
    summary="Training figures",
    response_model=TrainingFigures,
    responses=responses(wrong("until", "must be a valid date")),
)
def training_figures(question: PeriodQuestion, register: Register, _: Reader) -> Response:
    """How many sessions there were in a period, how many people they trained, and from where."""

    def show(session: Session) -> TrainingFigures:
        done, scope = _activity(session, question)

        def figures(tally: Tally) -> dict[str, Any]:
            trained = Trained(new=tally.new, refresher=tally.refresher, total=tally.people)
            businesses = len(scope.businesses_of(tally.venues))
            return tally.numbers() | {"trained": trained, "businesses": businesses}

        courses = [CourseFigures(course=key, **figures(done.by_course[key])) for key in CourseKey]
        return TrainingFigures(**dict(question), courses=courses, **figures(done.whole))

    return register.read(show)


# --- scheme tests ----------------------------------------------------------------------------


class WardFigure(BaseModel):
    """How tests in one ward went. `ward` is absent for venues that lie in none."""

    ward: str | SkipJsonSchema[None] = Field(default=None, examples=["Bishopsgate"])
    visited: int = Field(description="Test visits, retests among them", examples=[12])
    passed: int = Field(examples=[9])
    rate: float | SkipJsonSchema[None] = Field(
        default=None, description="Passed as a part of visited", examples=[0.75]
    )


class SchemeTestFigures(_OfPeriod):
    """How tests went in a period, in all and by the ward that the venue lies in today."""

    visited: int = Field(examples=[12])
    passed: int = Field(examples=[9])
    rate: float | SkipJsonSchema[None] = Field(default=None, examples=[0.75])
    wards: list[WardFigure]


@router.get(
    "/scheme-tests/figures",
    tags=["outreach"],
    summary="How did the tests go?",
    response_model=SchemeTestFigures,
    responses=responses(Invalid()),
)
def scheme_test_figures(question: PeriodQuestion, register: Register, _: Reader) -> Response:
    """Visited, passed and the rate in a period, in all and by ward, as known at an instant.

    As `/v1/audit/scheme-tests` has them as at today: a test counts in the ward where its venue
    lies today, whenever it was.
    """

    def show(session: Session) -> SchemeTestFigures:
        view = View(today(), question.known_at or datetime.now(UTC))
        tests = scheme_tests(session, view, question.from_, question.until)
        wards = [
            WardFigure(**vars(row) | {"ward": row.ward if row.ward_id else None})
            for row in tests.wards
        ]
        return SchemeTestFigures(**vars(tests.total[0]) | dict(question), wards=wards)

    return register.read(show)


# --- the survey ------------------------------------------------------------------------------


class SurveyFigure(BaseModel):
    """What people said in one quarter, in all or about one ward; absent where it is of few."""

    quarter: str = Field(examples=["2026-Q3"])
    ward: str = Field(examples=["Bishopsgate"])
    answers: int | SkipJsonSchema[None] = Field(default=None, examples=[41])
    felt_safer: int | SkipJsonSchema[None] = Field(default=None, examples=[33])
    were_helped: int | SkipJsonSchema[None] = Field(default=None, examples=[30])


class SurveyFigures(BaseModel):
    """What people said in the quarters that are over, the newest first."""

    figures: list[SurveyFigure]


@router.get(
    "/survey/figures",
    tags=["outreach"],
    summary="What did people say in the survey?",
    response_model=SurveyFigures,
)
def survey_figures(register: Register, _: Reader) -> Response:
    """Whether people felt safer and were helped, by quarter and ward, never of fewer than five."""

    def show(session: Session) -> SurveyFigures:
        wards, now = ward_names(session), datetime.now(UTC)
        figures = []
        for first, counts in counted(session).items():
            if is_over(first, now):
                in_all, by_ward = told(counts)
                named = [(wards[ward_id].name, one) for ward_id, one in by_ward.items()]
                named.sort(key=lambda pair: pair[0])
                figures += [
                    SurveyFigure(
                        quarter=f"{first.year}-Q{(first.month + 2) // 3}",
                        ward=name,
                        answers=one.answers,
                        felt_safer=one.safer,
                        were_helped=one.helped,
                    )
                    for name, one in (("In all", in_all), *named)
                ]
        return SurveyFigures(figures=figures)

    return register.read(show)
