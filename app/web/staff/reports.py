"""The reports of the audit as pages: what is asked stands in the address, and each table is a file.

What a page shows comes from the report's own tables, so that it says what its files say.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from fastapi import Request, Response

from app.audit.frame.question import Filters
from app.audit.frame.report import Report
from app.core.london import instant
from app.walking.file import ATTRIBUTION
from app.web.staff.boards import Board, board
from app.web.staff.fields import Field, of_london
from app.web.staff.operations import Found, Operation, Operations
from app.web.staff.pages import file_of, staff_page
from app.web.staff.records import filters
from app.web.staff.shown import day, day_of, moment, name, resolved, with_days, wording
from app.web.staff.visits import Somebody, Visitor

JOURNALLED = {"read_venue_scheme_tests", "read_venue_sheet", "read_scheme_tests", "read_due"}
"""What is, or may be, written down when somebody reads it."""

SELDOM_JOURNALLED = {"read_scheme_tests", "read_due"}
"""What shows a venue's tests only where it owes a retest, or is alone in its ward with them."""

FILES = ("csv", "xlsx", "pdf", "html")

LABELS = {
    "as_at": "As at the end of",
    "known_at": "As known at",
    "quarter": "Quarter, like 2025-Q1",
}
MONTHS = {"from": "First month, like 2024-04", "until": "Last month, like 2025-03"}
"""Of a report that asks for months, where others ask for days."""


def is_report(operation: Operation) -> bool:
    """Whether it can be had as a file, too."""
    question = operation.question
    return question is not None and "format" in question.model_fields


async def show_front(request: Request, visitor: Somebody) -> Response:
    """Coverage: where an auditor begins."""
    operation = Operations.of(request.app)["read_coverage"]
    visitor.must_be(operation.roles)
    return await show(request, visitor, Found(operation, {}))


async def show(request: Request, visitor: Visitor, found: Found) -> Response:
    """A report, or the file of it that is asked for."""
    operation = found.operation
    if operation.name in JOURNALLED and "read" not in request.query_params:
        return staff_page(
            request,
            visitor,
            "journalled.html",
            operation.summary,
            onward="?" + urlencode([*request.query_params.multi_items(), ("read", "yes")]),
            always=operation.name not in SELDOM_JOURNALLED,
        )
    asked = _asked(request, operation)
    told = await visitor.api.send("GET", found.path, asked=asked, as_model=True)
    if told.is_done and asked.get("format") in FILES:
        return file_of(told)
    fields = await filters(request, visitor, operation)
    report: Report | None = told.model(operation.answer) if told.is_done else None
    drawn = await board(request, visitor, report) if report else Board()
    # Where nothing was asked yet, that something is missing is no mistake.
    is_wrong = not told.is_done and (bool(request.query_params) or told.status >= 500)
    return staff_page(
        request,
        visitor,
        "report.html",
        operation.summary if report is None else with_days(report.about.title),
        told.status if is_wrong else 200,
        about=operation.about,
        report=report,
        when=f"As at the end of {day(report.about.as_at)}, by what was known on "
        f"{moment(report.about.known_at)}."
        if report
        else "",
        credit=_credit(report) if report else "",
        board=drawn,
        moments=[_of_moment(field) for field in fields if field.key not in Filters.model_fields],
        filters=[field for field in fields if field.key in Filters.model_fields],
        tags=_tags(request, fields),
        errors=[(f"{name(e.field)} {e.message}", f"#{e.field}") for e in told.errors]
        if is_wrong
        else [],
        files=_files(request, operation) if report else [],
        csv=_file(request, "csv") if report and "csv" in _forms(operation) else "",
        xlsx=_file(request, "xlsx") if report and "xlsx" in _forms(operation) else "",
        is_read=operation.name in JOURNALLED,
        links=_links(request, visitor, found) if report else [],
    )


def _credit(report: Report) -> str:
    """Whose streets a report rests on, to be said where its figures are."""
    return ATTRIBUTION if any(ATTRIBUTION in source for source in report.about.sources) else ""


def _of_moment(field: Field) -> Field:
    # They stand side by side, and what is left empty is now.
    return replace(field, label=_label(field), hint="", is_needed=True, is_long=True)


def _label(field: Field) -> str:
    months = MONTHS if field.kind == "text" else {}
    return (LABELS | months).get(field.key, field.label)


def _known(operation: Operation) -> Sequence[str]:
    return tuple(operation.questions.get("properties", ()))


def _asked(request: Request, operation: Operation) -> dict[str, Any]:
    """What is asked of the report; a time without a zone is one of London's clocks."""
    asked: dict[str, Any] = {}
    for key in _known(operation):
        if texts := [text for text in request.query_params.getlist(key) if text]:
            asked[key] = texts if len(texts) > 1 else texts[0]
    if isinstance(asked.get("known_at"), str):
        asked["known_at"] = of_london(asked["known_at"])
    return asked


def _tags(request: Request, fields: Sequence[Field]) -> list[tuple[str, str]]:
    """What is asked now, each with the address that no longer asks it."""
    by_key = {field.key: field for field in fields}
    asked = [(key, text) for key, text in request.query_params.multi_items() if text]
    return [
        (
            f"{_label(by_key[key]).partition(',')[0]}: {_said(by_key[key], text)}",
            "?" + urlencode([one for one in asked if one != (key, text)]),
        )
        for key, text in asked
        if key in by_key
    ]


def _said(field: Field, text: str) -> str:
    chosen = next((choice.text for choice in field.choices if choice.value == text), "")
    try:
        match field.kind:
            case "day":
                return day_of(text)
            case "moment":
                return moment(instant(of_london(text)))
    except ValueError:
        return text
    return chosen or wording(text)


def _forms(operation: Operation) -> list[str]:
    schema = operation.questions
    forms = resolved(schema.get("properties", {}).get("format", {}), schema).get("enum", ())
    return [form for form in forms if form in FILES]


def _file(request: Request, form: str) -> str:
    """The address of what is asked now as a file; of a table, with `&table=` behind it."""
    asked = [
        one
        for one in request.query_params.multi_items()
        if one[0] not in ("format", "table", "done") and one[1]
    ]
    return "?" + urlencode([*asked, ("format", form)])


def _files(request: Request, operation: Operation) -> list[tuple[str, str]]:
    return [(form.upper(), _file(request, form)) for form in _forms(operation) if form != "csv"]


def _links(request: Request, visitor: Visitor, found: Found) -> list[tuple[str, str]]:
    """What else there is beside a report: what lies under its address, and what is made of it."""
    operation, operations = found.operation, Operations.of(request.app)
    beside = [
        one
        for one in operations.all
        if one.path.startswith(operation.path + "/")
        and "{" not in one.path[len(operation.path) :]
        and "month" not in (one.question.model_fields if one.question else ())
    ]
    if operation.name == "preview_pack":
        beside.append(operations["issue_pack"])
    roles = set(visitor.account.roles)
    # Who agreed to have read one thing has not agreed to another.
    asked = [one for one in request.query_params.multi_items() if one[0] != "read"]
    query = f"?{urlencode(asked)}" if asked else ""
    return [
        (one.summary, one.address.format(**found.places) + query)
        for one in beside
        if roles & one.roles
    ]
