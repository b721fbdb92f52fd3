"""The audit over HTTP: every report as JSON, CSV and XLSX, for those who answer for coverage."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from sqlmodel import Session

from app.accounts.guards import Auditor, Officer
from app.audit.cover.on_foot import OnFoot
from app.audit.cover.solver import NoSolver, NotPlanned
from app.audit.frame import files
from app.audit.frame.disclosure import note_read
from app.audit.frame.question import Form, Output, Question, ReportQuestion, View
from app.audit.frame.report import Report
from app.audit.reports.coverage import Coverage, coverage
from app.audit.reports.due import Due, DueQuestion, due
from app.audit.reports.levy import LevyQuestion, levy
from app.audit.reports.levy_rows import Levy
from app.audit.reports.night import Night, night
from app.audit.reports.plan import Plan, Planning, PlanQuestion
from app.audit.reports.quality import Quality, quality
from app.audit.reports.scheme_tests import (
    SchemeTests,
    SchemeTestsQuestion,
    VenueSchemeTests,
    alone,
    scheme_tests,
    venue_scheme_tests,
)
from app.audit.reports.trend import Trend, TrendQuestion, Turn, TurnQuestion, trend, turn
from app.audit.reports.venue import NotKnownThen, SheetQuestion, venue_sheet
from app.audit.reports.venue_rows import VenueSheet
from app.audit.reports.ward_map import WardFeatures, ward_features
from app.core.db import none_such, seen_until
from app.core.errors import responses, wrong
from app.core.journal import Journal, WrongClock
from app.directory.routes import GEOJSON, GeoJson
from app.http.conditional import TheJournal, download, unstored, unstored_model
from app.http.fields import to_json
from app.venues.models import Venue

router = APIRouter(prefix="/v1/audit", tags=["audit"])

R = TypeVar("R", bound=Report)

_INVALID = responses(wrong("as_at", "lies in the future"))
_FORMS: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            "text/csv": {"schema": {"type": "string"}, "example": "Course,Venues\r\nwave,412\r\n"},
            files.XLSX: {
                "schema": {"type": "string", "contentMediaType": files.XLSX},
                "example": "(a workbook)",
            },
        }
    },
    **_INVALID,
}
"""What `responses=` of a report's route says."""

_NOTED = _FORMS | responses(WrongClock())
"""The same where that it was read is journalled."""


@dataclass(frozen=True)
class _Reading:
    """A report as somebody reads it who answers for coverage."""

    request: Request
    journal: TheJournal
    auditor: Auditor

    @property
    def on_foot(self) -> OnFoot:
        """How the way on foot is known here."""
        return OnFoot.of(self.request.app.state.settings)

    def answer(
        self,
        question: ReportQuestion,
        name: str,
        make: Callable[[Session, View], R],
        revealed: Callable[[R], Collection[UUID]] = lambda _: (),
    ) -> Response:
        """A report in the form that is asked for; `name` is that of its file.

        If it shows the test results of venues, which `revealed` names, that it is read is
        journalled before it goes out, and only if there is something to go out.
        """
        with self.journal.reports() as session:
            view = View.of(session, question, seen_until(session))
            report = make(session, view)
        answer = _in_form(self.request, report, question, f"{name}-{view.as_at}.{question.format}")
        note_read(self.journal, self.auditor.actor, name, view, revealed(report))
        return answer

    def worked_out(
        self, question: ReportQuestion, name: str, read: Callable[[Session, View], Callable[[], R]]
    ) -> Response:
        """As `answer`, of a report that takes long once all is read that it needs."""
        with self.journal.reports() as session:
            view = View.of(session, question, seen_until(session))
            work_out = read(session, view)
        file = f"{name}-{view.as_at}.{question.format}"
        return _in_form(self.request, work_out(), question, file)


def _in_form(request: Request, report: Report, output: Output, name: str) -> Response:
    match output.format:
        case Form.JSON:
            return unstored_model(request, report)
        case Form.CSV:
            return download(files.as_csv(report, output.table), "text/csv", name)
        case Form.XLSX:
            return download(files.as_xlsx(report, output.table), files.XLSX, name)


Reading = Annotated[_Reading, Depends()]


# --- coverage --------------------------------------------------------------------------------


@router.get("/coverage", summary="Who is covered?", response_model=Coverage, responses=_FORMS)
def read_coverage(question: Annotated[ReportQuestion, Query()], reading: Reading) -> Response:
    """How many are trained of how many, and how many venues stand in each scheme.

    In all, and by ward, category and late night. Venues without a headcount are counted apart.
    """
    return reading.answer(question, "coverage", coverage)


@router.get("/trend", summary="How did coverage change?", response_model=Trend, responses=_FORMS)
def read_trend(question: Annotated[TrendQuestion, Query()], reading: Reading) -> Response:
    """Coverage at each month's end, all by what was known at one instant."""
    return reading.answer(
        question,
        "trend",
        lambda session, view: trend(session, view, question.days(view.as_at)),
    )


@router.get("/trend/turn", summary="What turned it?", response_model=Turn, responses=_FORMS)
def read_turn(question: Annotated[TurnQuestion, Query()], reading: Reading) -> Response:
    """The venues that moved a course's coverage in one month, and the events that did it."""
    return reading.answer(
        question,
        f"turn-{question.month}",
        lambda session, view: turn(session, view, question.month, question.course),
    )


@router.get(
    "/wards.geojson",
    summary="Coverage on a map",
    response_model=WardFeatures,
    response_class=GeoJson,
    response_description="Wards with their figures",
    responses=_INVALID,
)
def read_ward_features(question: Annotated[Question, Query()], reading: Reading) -> Response:
    """Every ward with its boundary and its figures, as GeoJSON."""
    with reading.journal.reports() as session:
        features = ward_features(session, View.of(session, question, seen_until(session)))
    return unstored(to_json(features), GEOJSON)


# --- one venue -------------------------------------------------------------------------------


@router.get(
    "/venues/{venue_id}",
    summary="What is there to know about a venue?",
    response_model=VenueSheet,
    responses=_NOTED | responses(none_such(Venue), NotKnownThen()),
)
def read_venue_sheet(
    venue_id: UUID, question: Annotated[SheetQuestion, Query()], reading: Reading
) -> Response:
    """Its facts, standings, training, tests, reports, and the events behind each figure.

    It shows how the venue's tests went; that it was read is journalled.
    """
    return reading.answer(
        ReportQuestion(**dict(question)),
        "venue-sheet",
        lambda session, view: venue_sheet(session, view, venue_id),
        lambda _: [venue_id],
    )


# --- scheme tests ----------------------------------------------------------------------------


@router.get(
    "/scheme-tests",
    summary="How did scheme tests go?",
    response_model=SchemeTests,
    responses=_NOTED,
)
def read_scheme_tests(
    question: Annotated[SchemeTestsQuestion, Query()], reading: Reading
) -> Response:
    """Visited, passed, and the debriefs and retests that failures ask for: by ward, by scheme.

    Where a ward has tests of one venue alone, that this was read is journalled.
    """
    revealed: set[UUID] = set()

    def make(session: Session, view: View) -> SchemeTests:
        period = question.period(view.as_at)
        revealed.update(alone(session, view, *period))
        return scheme_tests(session, view, *period)

    return reading.answer(question, "scheme-tests", make, lambda _: revealed)


@router.get(
    "/scheme-tests/venues",
    summary="How did scheme tests go at each venue?",
    response_model=VenueSchemeTests,
    responses=_NOTED,
)
def read_venue_scheme_tests(
    question: Annotated[SchemeTestsQuestion, Query()], reading: Reading
) -> Response:
    """The same, venue by venue; never to be published. That it was read is journalled."""
    return reading.answer(
        question,
        "scheme-tests-by-venue",
        lambda session, view: venue_scheme_tests(session, view, *question.period(view.as_at)),
        lambda report: {row.venue_id for row in report.venues},
    )


# --- data quality ----------------------------------------------------------------------------


@router.get("/quality", summary="How good is the data?", response_model=Quality, responses=_FORMS)
def read_quality(question: Annotated[ReportQuestion, Query()], reading: Reading) -> Response:
    """What is missing, old or in contradiction: how much of each, then venue by venue."""
    return reading.answer(question, "quality", quality)


# --- the late-night levy's discount ----------------------------------------------------------


@router.get("/levy", summary="Who gets the levy's discount?", response_model=Levy, responses=_FORMS)
def read_levy(question: Annotated[LevyQuestion, Query()], reading: Reading) -> Response:
    """The late-night venues that hold Safety Thirst, day by day of a levy year, and near misses."""
    return reading.answer(
        question,
        "levy",
        lambda session, view: levy(session, view, question.year, question.near_days),
    )


# --- what is to be done ----------------------------------------------------------------------


@router.get("/due", summary="What lapses soon or has lapsed?", response_model=Due, responses=_NOTED)
def read_due(question: Annotated[DueQuestion, Query()], reading: Reading) -> Response:
    """A work list: accreditations, reviews and training, and apart from these the retests.

    A retest shows that a test was failed, so reading which venues owe one is journalled.
    """
    # A file can have one table only; a CSV file has the first when none is named.
    is_whole = question.table is None and question.format is not Form.CSV
    shows_retests = is_whole or question.format is Form.JSON or question.table == "retests"
    return reading.answer(
        question,
        "due",
        lambda session, view: due(session, view, question.days),
        lambda report: {row.venue_id for row in report.retests if shows_retests},
    )


# --- coverage by night -----------------------------------------------------------------------


@router.get("/night", summary="Is a door near, by night?", response_model=Night, responses=_FORMS)
def read_night(question: Annotated[ReportQuestion, Query()], reading: Reading) -> Response:
    """Of need, of licensed premises and of the streets' length, how much has an open haven near.

    Within 5 and 10 minutes on foot, by the hours of an ordinary week, and by ward; the filters say
    which havens count.
    """
    on_foot = reading.on_foot
    return reading.answer(question, "night", lambda session, view: night(session, view, on_foot))


# --- where the next havens should be ---------------------------------------------------------


@router.get(
    "/plan",
    summary="Where should the next havens be?",
    response_model=Plan,
    responses=_FORMS | responses(NoSolver(), NotPlanned()),
)
def read_plan(question: Annotated[PlanQuestion, Query()], reading: Reading) -> Response:
    """The places that would meet most need within some minutes on foot while they are open.

    The best choice of each number of them up to 20, beside choosing one after the other. The
    filters say which may be chosen. It takes seconds, and one is worked out at a time.
    """

    on_foot = reading.on_foot

    def read(session: Session, view: View) -> Callable[[], Plan]:
        planning = Planning.read(session, view, on_foot)
        return lambda: planning.plan(question.places, [question.minutes])

    return reading.worked_out(question, "plan", read)


# --- what officers read of this, to do it ----------------------------------------------------

officers = APIRouter(prefix="/v1/admin", tags=["audit"])


def _for_officer(
    request: Request,
    journal: Journal,
    question: ReportQuestion,
    name: str,
    make: Callable[[Session, View], R],
) -> Response:
    """A report for who records test results: that they read it is not journalled."""
    with journal.reports() as session:
        view = View.of(session, question, seen_until(session))
        report = make(session, view)
    return _in_form(request, report, question, f"{name}-{view.as_at}.{question.format}")


@officers.get("/due", summary="What is due at venues?", response_model=Due, responses=_FORMS)
def read_due_as_officer(
    question: Annotated[DueQuestion, Query()], journal: TheJournal, _: Officer, request: Request
) -> Response:
    """Accreditations, reviews, training and retests that are due or overdue, as in the audit."""
    return _for_officer(
        request, journal, question, "due", lambda session, view: due(session, view, question.days)
    )


@officers.get(
    "/quality", summary="What is amiss in the data?", response_model=Quality, responses=_FORMS
)
def read_quality_as_officer(
    question: Annotated[ReportQuestion, Query()], journal: TheJournal, _: Officer, request: Request
) -> Response:
    """What is missing, old or in contradiction, venue by venue, as in the audit."""
    return _for_officer(request, journal, question, "quality", quality)
