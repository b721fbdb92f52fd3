"""Quarterly reports: the quarters that one can be made of, and those that were issued."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Request, Response

from app.audit.frame.figures import Figure, FigureChange
from app.audit.frame.report import Column, Mark, Table, tables
from app.audit.pack.differences import Recorded
from app.audit.pack.issued import Difference, PackCheck
from app.audit.pack.pack import QuarterlyPack
from app.audit.pack.quarters import Quarter
from app.core.london import today
from app.web.staff.api import Told
from app.web.staff.operations import Operations
from app.web.staff.pages import staff_page
from app.web.staff.shown import NOTHING, Part, day, day_of, moment, moment_of, wording
from app.web.staff.visits import Somebody, Visitor

QUARTERS = 8
"""How many quarters back are offered; any other is asked for by its name."""


async def show(request: Request, visitor: Somebody) -> Response:
    """Each quarter, to look at and to issue; each issued report, to read, check and compare."""
    operation = Operations.of(request.app)["list_packs"]
    visitor.must_be(operation.roles)
    told = await visitor.api.get(operation.path, after=request.query_params.get("after"))
    more = told.body.get("next")
    return staff_page(
        request,
        visitor,
        "packs.html",
        "Quarterly reports",
        quarters=_quarters(),
        packs=[_issued(one) for one in told.body["items"]],
        more="?" + urlencode({"after": more}) if more else "",
    )


async def show_check(request: Request, visitor: Somebody, pack_id: UUID) -> Response:
    """Whether an issued report can be had again as it was."""
    told = await _told(request, visitor, "check_pack", pack_id)
    check = PackCheck.model_validate_json(told.content)
    return staff_page(
        request,
        visitor,
        "compared.html",
        "Is the report as it was issued?",
        pack_id=pack_id,
        is_well=check.as_issued,
        verdict="Yes: made again by what was known then, every figure is as it was issued."
        if check.as_issued
        else "No: this is a fault, and somebody has to look into it.",
        faults=check.faults,
        changes=await _changes(visitor, pack_id, check.changes),
        hashes=[
            ("As issued", check.figures_hash),
            ("Made again", check.made_again_hash),
            ("As stored", check.stored_hash),
        ],
    )


async def show_difference(request: Request, visitor: Somebody, pack_id: UUID) -> Response:
    """Which figures are not what they were when a report was issued, event by event."""
    told = await _told(request, visitor, "explain_difference", pack_id)
    found = Difference.model_validate_json(told.content)
    since = f"since {moment(found.issued_known_at)}"
    count = len(found.changes)
    verdict = (
        f"{count} {'figure is not what it was' if count == 1 else 'figures are not what they were'}"
        f", by what was recorded {since}."
        if count
        else f"Nothing recorded {since} has changed a figure."
    )
    if not found.explained:
        verdict += " No event accounts for that: this is a fault, and somebody has to look into it."
    return staff_page(
        request,
        visitor,
        "compared.html",
        f"{found.quarter}: what has changed since it was issued",
        pack_id=pack_id,
        is_well=found.explained,
        verdict=verdict,
        changes=await _changes(visitor, pack_id, found.changes),
        events=_events(found.events),
        hashes=[("As issued", found.figures_hash), ("As known now", found.known_hash)],
    )


async def _told(request: Request, visitor: Visitor, operation: str, pack_id: UUID) -> Told:
    one = Operations.of(request.app)[operation]
    visitor.must_be(one.roles)
    return await visitor.api.get(one.path.format(pack_id=pack_id))


async def _changes(visitor: Visitor, pack_id: UUID, changes: Sequence[FigureChange]) -> Part:
    """Figures by the names that the report has for them."""
    if not changes:
        return Part()
    told = await visitor.api.get(f"/v1/audit/packs/{pack_id}")
    pack = QuarterlyPack.model_validate_json(told.content)
    columns = {
        f"{table.name}/{column.name}": (table, column)
        for table in tables(pack)
        for column in table.columns
    }
    rows = []
    for change in changes:
        name, *key, last = change.figure.split("/")
        # A report of long ago may have figures that none has now.
        table, column = columns.get(f"{name}/{last}", (None, None))
        what = change.figure
        if table and column:
            what = ", ".join((table.title, _about(table, "/".join(key)), column.title))
        before, now = _figure(change.before, column), _figure(change.after, column)
        rows.append([Part(what), Part(before), Part(now)])
    return Part(columns=["Figure", "Before", "Now"], rows=rows)


def _about(table: Table, key: str) -> str:
    """What a row's key stands for: what the issued report calls it, if it has such a row."""
    keys = [column.name for column in table.columns if Mark.KEY in column.marks]
    for row in table.rows:
        if "/".join(str(getattr(row, name)) for name in keys) == key:
            labels = [
                str(getattr(row, column.name))
                for column in table.columns
                if Mark.LABEL in column.marks and Mark.ASIDE not in column.marks
            ]
            return ", ".join(labels) or wording(key)
    return wording(key)


def _figure(value: Figure | None, column: Column | None) -> str:
    match value:
        case None:
            return NOTHING
        case bool() | str():
            return str(value)
        case float() if column and Mark.PERCENT in column.marks:
            return f"{100 * value:.1f}\N{NO-BREAK SPACE}%"
    return f"{value:,}"


def _events(events: Sequence[Recorded]) -> Part:
    rows = [
        [
            Part(wording(event.kind)),
            Part(day(event.on)),
            Part(event.reference or NOTHING, f"/console/venues/{event.venue_id}")
            if event.venue_id
            else Part(NOTHING),
            Part(
                "; ".join(
                    f"{wording(key)}: {wording(str(value))}"
                    for key, value in event.details.items()
                    if value is not None and not key.endswith("_id")
                )
            ),
            Part(_recorded(event.recorded_at, event.recorded_by)),
            Part(
                f"{_recorded(event.voided_at, event.voided_by or '')}: {event.void_reason}"
                if event.voided_at
                else NOTHING
            ),
        ]
        for event in events
    ]
    columns = ["What", "Took effect", "Venue", "Details", "Recorded", "Voided"]
    return Part(columns=columns, rows=rows)


def _recorded(at: datetime, by: str) -> str:
    return f"{moment(at)}, by {by.removeprefix('account ')}"


def _quarters() -> list[Quarter]:
    """The latest quarters, this one first."""
    quarters = [Quarter.at(today())]
    while len(quarters) < QUARTERS:
        quarters.append(quarters[-1].before)
    return quarters


def _issued(pack: dict[str, Any]) -> dict[str, Any]:
    return {
        **pack,
        "as_at": day_of(pack["as_at"]),
        "issued_at": moment_of(pack["issued_at"]),
        "issued_by": pack["issued_by"].removeprefix("account "),
        "some": any(pack["chosen"].values()),
    }
