"""A venue's page: where it stands in each scheme, its training, hours, contacts, and its story."""

import asyncio
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool

from app.accounts.models import Role
from app.core.london import LONDON, london_day
from app.core.places import Point
from app.training.rag import Thresholds
from app.venues.addresses import Addresses, remark
from app.venues.hours import Hours, open_intervals
from app.venues.words import notes_of_days
from app.web.havens import week_table
from app.web.staff.asking import STEPS, title_of
from app.web.staff.operations import Operations
from app.web.staff.pages import ENGLISH, staff_page
from app.web.staff.shown import day_of, light_of, shown, wording
from app.web.staff.story import story
from app.web.staff.today import Task
from app.web.staff.visits import Somebody
from app.web.week import MORNING, week

SAYS = {"none": "Not accredited", "never": "Never trained"}

SAID_ABOVE = {"name", "address", "postcode", "business", "reference", "status", "demonstration"} | {
    "opening_hours",
    "licensed",
    "late_night",
    "category",
}
"""What the head of the page says, or a part of its own."""

FREQUENT: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("Log a visit", "record_engagement", {"kind": "visit"}),
    ("Log training", "record_training_session", {}),
    ("Declare a headcount", "declare_headcount", {}),
    ("Record a scheme test", "record_scheme_test", {}),
    ("Confirm the details", "confirm_venue", {}),
)


GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "Details",
        ("put_venue", "register_prospect", "close_venue", "reopen_venue", "facts_of_venue"),
    ),
    (
        "Hours",
        (
            "hours_of_venue",
            "put_hours",
            "post_closure",
            "post_exception",
            "forget_hours",
        ),
    ),
    ("Contacts", ("contacts_at_venue", "add_contact_at_venue")),
    ("Schemes", ("list_decisions", "add_decision", "add_assessment", "venue_standing")),
    ("Training", ("venue_training", "headcounts")),
)
"""All that can be done here, by what it is about. What is not named here comes last."""

NOT_NOW = {
    "active": {"register_prospect", "reopen_venue"},
    "prospect": {"reopen_venue", "add_decision", "add_assessment"},
    "closed": {"register_prospect", "close_venue"},
}
"""What has no sense for a venue in each status."""


async def show(request: Request, visitor: Somebody, venue_id: UUID) -> Response:
    """The page."""
    get, path = visitor.api.get, f"/v1/admin/venues/{venue_id}"
    of_venue = {"venue_id": str(venue_id)}
    venue, standing, training, hours, contacts, steps, retests = await asyncio.gather(
        get(path),
        get(f"{path}/standing"),
        get(f"{path}/training"),
        get(f"{path}/hours"),
        get(f"{path}/contacts"),
        get("/v1/admin/next-steps", **of_venue),
        get("/v1/admin/scheme-tests", **of_venue, result="failed"),
    )
    roles = set(visitor.account.roles)
    misplaced = await run_in_threadpool(_misplaced, request.app.state.addresses, venue.body)
    whole = Operations.of(request.app)["one_venue"].shown
    told = {key: value for key, value in venue.body.items() if key not in SAID_ABOVE}
    return staff_page(
        request,
        visitor,
        "venue.html",
        venue.body["name"],
        venue={
            **venue.body,
            "category": wording(venue.body["category"]),
            "last_checked": day_of(venue.body.get("last_checked")),
        },
        misplaced=misplaced,
        details=shown(told, whole, whole),
        standing=[
            _standing(one, venue_id, is_officer=Role.OFFICER in roles)
            for one in standing.body["schemes"]
        ],
        training=[_course(one) for one in training.body["courses"]],
        headcount=training.body.get("headcount"),
        thresholds=Thresholds.of(request.app.state.settings),
        days=week_of(Hours.model_validate(hours.body["hours"]), datetime.now(LONDON))
        if "hours" in hours.body
        else None,
        people=contacts.body["items"],
        story=await story(visitor.api, venue_id),
        open_work=[
            *map(_retest, _to_repeat(retests.body["items"])),
            *map(_step, steps.body["items"]),
        ],
        frequent=_frequent(request, roles, venue_id),
        groups=_groups(request, roles, venue_id, venue.body["status"]),
        path=f"/console/venues/{venue_id}",
        is_officer=Role.OFFICER in roles,
    )


def week_of(hours: Hours, now: datetime) -> list[dict[str, Any]]:
    """Seven days as `week.html` shows them, with what is out of the usual.

    All of today is among them, not only what is left of it; a night is a part of the day before.
    """
    first = london_day(now)
    morning = datetime.combine(first, MORNING, LONDON)
    from_, until = first - timedelta(days=2), first + timedelta(days=9)
    spans = [
        (int(opens.timestamp()), int(closes.timestamp()))
        for opens, closes in open_intervals(hours, from_, until)
    ]
    known = (_midnight(from_), _midnight(until))
    days = week(spans, known, min(now, morning).timestamp())
    notes = notes_of_days(hours, days[0].day)
    return [
        {**row, "note": ", ".join(notes[day.day])}
        for day, row in zip(days, week_table(days, first, ENGLISH), strict=True)
    ]


def _midnight(day: date) -> int:
    return int(datetime.combine(day, time.min, LONDON).timestamp())


def _misplaced(addresses: Addresses, body: Mapping[str, Any]) -> str:
    """What to say of a venue's place by its postcode, without asking anybody."""
    code, place = body.get("postcode", ""), body["location"]
    at = Point(place["lat"], place["lon"])
    return remark(code, addresses.kept(code), at) if code else ""


def _frequent(request: Request, roles: set[Role], venue_id: UUID) -> list[tuple[str, str]]:
    operations = Operations.of(request.app)
    return [
        (
            label,
            f"{one.address.format(venue_id=venue_id)}?" + urlencode({"venue_id": venue_id, **more}),
        )
        for label, key, more in FREQUENT
        for one in [operations[key]]
        if roles & one.roles
    ]


def _groups(
    request: Request, roles: set[Role], venue_id: UUID, status: str
) -> list[tuple[str, list[tuple[str, str]]]]:
    beside = {
        one.name: (title_of(one, {}), one.address.format(venue_id=venue_id))
        for one in Operations.of(request.app).beside("/v1/admin/venues/{venue_id}")
        if roles & one.roles and one.name not in NOT_NOW.get(status, ())
    }
    named = {key for _, keys in GROUPS for key in keys} | {key for _, key, _ in FREQUENT}
    rest = tuple(key for key in beside if key not in named)
    return [
        (heading, acts)
        for heading, keys in (*GROUPS, ("More", rest))
        if (acts := [beside[key] for key in keys if key in beside])
    ]


def _to_repeat(tests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [test for test in tests if "retest_by" in test]


def _retest(test: Mapping[str, Any]) -> Task:
    return Task(
        "Retest",
        f"{wording(test['scheme'])} test failed on {day_of(test['on'])}",
        f"/console/scheme-tests/{test['id']}",
        date.fromisoformat(test["retest_by"]),
    )


def _step(item: Mapping[str, Any]) -> Task:
    return Task(
        item["next_step"],
        f"Agreed on {day_of(item['on'])}",
        f"/console/engagements/{item['id']}",
        date.fromisoformat(item["next_step_on"]),
    )


def _standing(item: Mapping[str, Any], venue_id: UUID, *, is_officer: bool) -> dict[str, Any]:
    """A scheme, how the venue stands in it, and the steps that are legal next."""
    begin = f"/console/venues/{venue_id}/decisions/new"
    next_ = [
        (
            STEPS.get(kind, wording(kind)),
            f"{begin}?" + urlencode({"kind": kind, "scheme": item["scheme"]}),
        )
        for kind in item["next_steps"]
    ]
    return {
        **item,
        "until": day_of(item.get("until")),
        "words": SAYS.get(item["state"], wording(item["state"])),
        "light": light_of(item["state"]) or "none",
        "next": next_ if is_officer else [],
    }


def _course(item: Mapping[str, Any]) -> dict[str, Any]:
    """A course, and how many are trained of how many."""
    coverage, status, rag = item.get("coverage"), item["status"], item.get("rag", "")
    is_trained = status != "never"
    return {
        **item,
        "in_date_until": day_of(item.get("in_date_until")),
        "percent": round(100 * coverage) if coverage is not None and is_trained else None,
        "words": f"{wording(rag)}, {status}"
        if rag and is_trained
        else SAYS.get(status, wording(status)),
        "light": (is_trained and light_of(rag or status)) or "none",
    }
