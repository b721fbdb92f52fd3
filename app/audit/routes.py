"""The audit over HTTP: every report as JSON, CSV and XLSX, for those who answer for coverage."""

from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar
from uuid import UUID

from fastapi import APIRouter, Query, Response
from sqlmodel import Session

from app.accounts.guards import Auditor
from app.accounts.models import Account
from app.audit.frame import files
from app.audit.frame.disclosure import note_read
from app.audit.frame.question import Asked, Form, Formed, View, view
from app.audit.frame.report import Report
from app.audit.reports.coverage import Coverage, coverage
from app.audit.reports.due import Due, DueAsked, due
from app.audit.reports.levy import LevyAsked, levy
from app.audit.reports.levy_rows import Levy
from app.audit.reports.quality import Quality, quality
from app.audit.reports.scheme_tests import (
    SchemeTests,
    SchemeTestsAsked,
    VenueSchemeTests,
    alone,
    scheme_tests,
    venue_scheme_tests,
)
from app.audit.reports.trend import Trend, TrendAsked, Turn, TurnAsked, trend, turn
from app.audit.reports.venue import NotKnownThen, SheetAsked, venue_sheet
from app.audit.reports.venue_rows import VenueSheet
from app.audit.reports.ward_map import Mapped, WardFeatures, ward_features
from app.core.db import none_such, read_session
from app.core.errors import responses, wrong
from app.core.journal import Journal, WrongClock
from app.http.conditional import NO_STORE, TheJournal, download, to_json
from app.venues.models import Venue

router = APIRouter(prefix="/v1/audit", tags=["audit"])

R = TypeVar("R", bound=Report)

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
    **responses(wrong("as_at", "lies in the future")),
}
"""What `responses=` of a report's route says."""

_NOTED = _FORMS | responses(WrongClock())
"""The same where that it was read is journalled."""


def _answer(
    journal: Journal,
    auditor: Account,
    asked: Asked,
    name: str,
    make: Callable[[Session, View], R],
    revealed: Callable[[R], Collection[UUID]] = lambda _: (),
) -> Response:
    """A report in the form that is asked for; `name` is that of its file.

    If it shows the test results of venues, which `revealed` names, that it is read is journalled
    before it goes out, and only if there is something to go out.
    """
    with read_session(journal.engine) as session:
        seen = view(session, asked, asked, datetime.now(UTC))
        report = make(session, seen)
    answer = _shown(report, asked, f"{name}-{seen.as_at}")
    note_read(journal, auditor.actor, name, seen, revealed(report))
    return answer


def _shown(report: Report, asked: Formed, name: str) -> Response:
    match asked.format:
        case Form.JSON:
            return Response(to_json(report), media_type="application/json", headers=NO_STORE)
        case Form.CSV:
            return download(files.as_csv(report, asked.table), "text/csv", f"{name}.csv")
        case Form.XLSX:
            return download(files.as_xlsx(report), files.XLSX, f"{name}.xlsx")


# --- coverage --------------------------------------------------------------------------------


@router.get("/coverage", summary="Who is covered?", response_model=Coverage, responses=_FORMS)
def read_coverage(
    asked: Annotated[Asked, Query()], journal: TheJournal, auditor: Auditor
) -> Response:
    """How many are trained of how many, and how many venues stand in each scheme.

    In all, and by ward, category and late night. Venues without a headcount are counted apart.
    """
    return _answer(journal, auditor, asked, "coverage", coverage)


@router.get("/trend", summary="How did coverage change?", response_model=Trend, responses=_FORMS)
def read_trend(
    asked: Annotated[TrendAsked, Query()], journal: TheJournal, auditor: Auditor
) -> Response:
    """Coverage at each month's end, all by what was known at one instant."""
    return _answer(
        journal,
        auditor,
        asked,
        "trend",
        lambda session, seen: trend(session, seen, asked.days(seen.as_at)),
    )


@router.get("/trend/turn", summary="What turned it?", response_model=Turn, responses=_FORMS)
def read_turn(
    asked: Annotated[TurnAsked, Query()], journal: TheJournal, auditor: Auditor
) -> Response:
    """The venues that moved a course's coverage in one month, and the events that did it."""

    def make(session: Session, seen: View) -> Turn:
        return turn(session, seen, asked.month, asked.course)

    return _answer(journal, auditor, asked, f"turn-{asked.month}", make)


@router.get(
    "/wards.geojson",
    summary="Coverage on a map",
    response_model=WardFeatures,
    response_description="Wards with their figures",
    responses=responses(wrong("as_at", "lies in the future")),
)
def read_ward_features(
    asked: Annotated[Mapped, Query()], journal: TheJournal, _: Auditor
) -> Response:
    """Every ward with its boundary and its figures, as GeoJSON."""
    with read_session(journal.engine) as session:
        found = ward_features(session, view(session, asked, asked, datetime.now(UTC)))
    return Response(to_json(found), media_type="application/geo+json", headers=NO_STORE)


# --- one venue -------------------------------------------------------------------------------


@router.get(
    "/venues/{venue_id}",
    summary="What is there to know about a venue?",
    response_model=VenueSheet,
    responses=_NOTED | responses(none_such(Venue), NotKnownThen()),
)
def read_venue_sheet(
    venue_id: UUID, asked: Annotated[SheetAsked, Query()], journal: TheJournal, auditor: Auditor
) -> Response:
    """Its facts, standings, training, tests, reports, and the events behind each figure.

    It shows how the venue's tests went; that it was read is journalled.
    """
    return _answer(
        journal,
        auditor,
        Asked(**asked.model_dump()),
        "venue-sheet",
        lambda session, seen: venue_sheet(session, seen, venue_id),
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
    asked: Annotated[SchemeTestsAsked, Query()], journal: TheJournal, auditor: Auditor
) -> Response:
    """Visited, passed, and the debriefs and retests that failures ask for: by ward, by scheme.

    Where a ward has tests of one venue alone, that this was read is journalled.
    """
    told: set[UUID] = set()

    def make(session: Session, seen: View) -> SchemeTests:
        period = asked.period(seen.as_at)
        told.update(alone(session, seen, *period))
        return scheme_tests(session, seen, *period)

    return _answer(journal, auditor, asked, "scheme-tests", make, lambda _: told)


@router.get(
    "/scheme-tests/venues",
    summary="How did scheme tests go at each venue?",
    response_model=VenueSchemeTests,
    responses=_NOTED,
)
def read_venue_scheme_tests(
    asked: Annotated[SchemeTestsAsked, Query()], journal: TheJournal, auditor: Auditor
) -> Response:
    """The same, venue by venue; never to be published. That it was read is journalled."""

    def make(session: Session, seen: View) -> VenueSchemeTests:
        return venue_scheme_tests(session, seen, *asked.period(seen.as_at))

    return _answer(
        journal,
        auditor,
        asked,
        "scheme-tests-by-venue",
        make,
        lambda report: {row.venue_id for row in report.venues},
    )


# --- data quality ----------------------------------------------------------------------------


@router.get("/quality", summary="How good is the data?", response_model=Quality, responses=_FORMS)
def read_quality(
    asked: Annotated[Asked, Query()], journal: TheJournal, auditor: Auditor
) -> Response:
    """What is missing, old or in contradiction: how much of each, then venue by venue."""
    return _answer(journal, auditor, asked, "quality", quality)


# --- the late-night levy's discount ----------------------------------------------------------


@router.get("/levy", summary="Who gets the levy's discount?", response_model=Levy, responses=_FORMS)
def read_levy(
    asked: Annotated[LevyAsked, Query()], journal: TheJournal, auditor: Auditor
) -> Response:
    """The late-night venues that hold Safety Thirst, day by day of a levy year, and near misses."""

    def make(session: Session, seen: View) -> Levy:
        return levy(session, seen, asked.year, asked.near_days)

    return _answer(journal, auditor, asked, "levy", make)


# --- what is to be done ----------------------------------------------------------------------


@router.get("/due", summary="What lapses soon or has lapsed?", response_model=Due, responses=_NOTED)
def read_due(
    asked: Annotated[DueAsked, Query()], journal: TheJournal, auditor: Auditor
) -> Response:
    """A work list: accreditations, reviews and training, and apart from these the retests.

    A retest shows that a test was failed, so reading which venues owe one is journalled.
    """

    def revealed(report: Due) -> set[UUID]:
        # A CSV file has one table only, the first when none is named.
        in_it = asked.format is not Form.CSV or asked.table == "retests"
        return {row.venue_id for row in report.retests} if in_it else set()

    return _answer(
        journal,
        auditor,
        asked,
        "due",
        lambda session, seen: due(session, seen, asked.days),
        revealed,
    )
