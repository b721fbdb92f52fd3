"""Reporting a problem at a haven, in three taps: the page, what it was, sending it."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from app.core.errors import DomainError, NotFound
from app.directory.live import Directory
from app.directory.problem_reports import REFUSALS, keep_report
from app.directory.reporters import TheReporter, TooManyFromOneAddress
from app.directory.routes import Live
from app.http.languages import InLanguage, Language
from app.outreach.models import ReportKind
from app.outreach.reports import TooManyReports
from app.outreach.schemas import ProblemReportIn
from app.web.finder import InListing, Listing
from app.web.forms import from_our_pages
from app.web.havens import AskedHaven, haven_form, unlisted
from app.web.pages import PageRoute, link, page

router = APIRouter(
    prefix="/havens/{haven_id}/report", route_class=PageRoute, include_in_schema=False
)

Problems = dict[str, str]
"""What is wrong, by field; under `send`, why a report that is right is not kept."""


@router.get("")
async def report_form(
    request: Request,
    asked: AskedHaven,
    language: InLanguage,
    directory: Live,
    listing: InListing,
) -> Response:
    """What can have been wrong, to be chosen from."""
    return _form(request, asked, language, directory, listing)


@router.post("", dependencies=[Depends(from_our_pages)])
async def send_report(
    request: Request,
    asked: AskedHaven,
    language: InLanguage,
    directory: Live,
    listing: InListing,
    reporter: TheReporter,
    kind: Annotated[str, Form()] = "",
    comment: Annotated[str, Form()] = "",
) -> Response:
    """Keep a report, as the API does; what can't be kept comes back with all that was typed."""
    problems, status = {}, 422
    try:
        given = ProblemReportIn.model_validate({"kind": kind, "comment": comment})
        await keep_report(directory, reporter, asked, given)
    except ValidationError as error:
        problems = _in_words(error, language)
    except REFUSALS as error:
        problems, status = {"send": _why_not(error, language)}, error.status
    except NotFound:
        return unlisted(request, asked, language, directory, listing)
    else:
        return RedirectResponse(link(request, f"/havens/{asked}/report/sent"), 303)
    typed = {"kind": kind, "comment": comment}
    return _form(
        request, asked, language, directory, listing, status, typed=typed, problems=problems
    )


@router.get("/sent")
async def report_sent(request: Request, asked: AskedHaven, language: InLanguage) -> Response:
    """Thanks, two questions more for who likes, and whom to call."""
    survey = link(request, f"/havens/{asked}/survey")
    return page(request, language, "report_sent.html", survey_href=survey)


def _form(
    request: Request,
    asked: UUID,
    language: Language,
    directory: Directory,
    listing: Listing,
    status: int = 200,
    **state: Any,
) -> Response:
    """The form, as it begins or with what was typed and what is wrong."""
    return haven_form(
        request, asked, language, directory, listing, "report.html", status,
        choices=_kinds(language), **state,
    )  # fmt: skip


def _kinds(language: Language) -> list[dict[str, str]]:
    _ = language.gettext
    return [
        {"value": ReportKind.CLOSED.value, "text": _("It was closed")},
        {"value": ReportKind.TURNED_AWAY.value, "text": _("I was turned away")},
        {"value": ReportKind.STAFF_UNAWARE.value, "text": _("Staff didn\u2019t know what to do")},
        {"value": ReportKind.FELT_UNSAFE.value, "text": _("I didn\u2019t feel safe there")},
        {"value": ReportKind.WRONG_DETAILS.value, "text": _("Its details here are wrong")},
        {"value": ReportKind.OTHER.value, "text": _("Something else")},
    ]


def _in_words(error: ValidationError, language: Language) -> Problems:
    _ = language.gettext
    problems = {}
    for found in error.errors():
        if found["loc"] == ("kind",):
            problems["kind"] = _("Choose what was wrong")
        elif found["type"] == "string_too_long":
            limit = found["ctx"]["max_length"]
            problems["comment"] = _("What you add must be {n} characters or fewer").format(n=limit)
        else:
            problems["comment"] = _(
                "What you add has a character that can\u2019t be kept: type it anew"
            )
    return problems


def _why_not(error: DomainError, language: Language) -> str:
    if isinstance(error, TooManyReports):
        return language.gettext(
            "So much was reported about this place today that no more is kept. In danger, call 999."
        )
    if isinstance(error, TooManyFromOneAddress):
        return language.gettext(
            "Your report is not kept: too many were sent from your connection. Send it again later."
            " In danger, call 999."
        )
    return language.gettext(
        "Your report is not kept: something broke on our side. Send it again later. In danger,"
        " call 999."
    )
