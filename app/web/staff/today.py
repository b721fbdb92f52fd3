"""The officer's day: what is to be done, grouped by how late it is."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlencode

from fastapi import Request, Response

from app.accounts.models import Role
from app.core.london import today
from app.web.staff.api import Told
from app.web.staff.pages import staff_page
from app.web.staff.shown import day, day_of, wording
from app.web.staff.visits import Somebody

AHEAD_DAYS = 60
SOON_DAYS = 14
UNCHECKED_DAYS = 183
LISTED = 50
"""How many of each kind the page looks at, and how many it shows in a group."""

VENUES = "/v1/admin/venues"


class Task(NamedTuple):
    """Something to be done, by when, and where."""

    title: str
    what: str
    href: str
    due: date | None

    @property
    def when(self) -> str:
        if self.due is None:
            return ""
        late = (today() - self.due).days
        if late > 0:
            return f"{late} day late" if late == 1 else f"{late} days late"
        return "Today" if late == 0 else day(self.due)

    @property
    def light(self) -> str:
        """How pressing it is."""
        if self.due is None or self.due > today() + timedelta(days=SOON_DAYS):
            return "none"
        return "bad" if self.due < today() else "warn"


class Group(NamedTuple):
    """What is to be done in one span of time; `is_all` is false where there may be more."""

    heading: str
    kind: str
    tasks: Sequence[Task]
    is_all: bool

    @property
    def number(self) -> str:
        return str(len(self.tasks)) if self.is_all else f"{len(self.tasks)}+"


class Count(NamedTuple):
    """What holds of some venues, or waits for somebody, and the list of it."""

    text: str
    href: str


async def show(request: Request, visitor: Somebody) -> Response:
    """Follow-ups, awards that end, retests, problem reports, lapsing training, headcounts."""
    visitor.must_be([Role.OFFICER])
    get = visitor.api.get
    ahead = (today() + timedelta(days=AHEAD_DAYS)).isoformat()
    some: dict[str, Any] = {"limit": LISTED, "count": True}
    steps, retests, endings, new, taken, said, courses, *counts = await asyncio.gather(
        # To count these would take as long as to find them, or longer.
        get("/v1/admin/next-steps", due_by=ahead, limit=LISTED),
        get("/v1/admin/scheme-tests/retests", limit=LISTED),
        get("/v1/admin/accreditations", expiring_before=ahead, **some),
        get("/v1/admin/problem-reports", state="new", **some),
        get("/v1/admin/problem-reports", state="acting", **some),
        get("/v1/admin/statements", state="new", **some),
        get("/v1/admin/courses"),
        *(_count(visitor, text, asked) for text, asked in _waiting()),
    )
    tasks = [
        *map(_step, steps.body["items"]),
        *map(_ending, endings.body["items"]),
        *map(_retest, retests.body["items"]),
    ]
    tasks.sort(key=lambda task: (task.due or date.max, task.title))
    # The lists come by when things are due: what is due before the last of each is all there.
    whole = min(
        (
            _due_last(told, of)
            for told, of in ((steps, _step), (endings, _ending), (retests, _retest))
        ),
        default=date.max,
    )
    soon = today() + timedelta(days=SOON_DAYS)
    late, next_, later = (
        Group(heading, kind, found[:LISTED], is_all=len(found) <= LISTED and last < whole)
        for heading, kind, first, last in (
            ("Overdue", "late", date.min, today() - timedelta(days=1)),
            (f"In the next {SOON_DAYS} days", "soon", today(), soon),
            (
                f"In the next {AHEAD_DAYS} days",
                "later",
                soon + timedelta(days=1),
                date.max - timedelta(days=1),
            ),
        )
        for found in [[task for task in tasks if task.due and first <= task.due <= last]]
    )
    reports = [
        Group(heading, "new", [*map(task, told.body["items"])], is_all="next" not in told.body)
        for heading, told, task in (
            ("New from the public", new, _report),
            ("Taken up", taken, _report),
            ("Answers to letters", said, _statement),
        )
    ]
    return staff_page(
        request,
        visitor,
        "today.html",
        "Today",
        groups=[late, next_, later],
        reports=reports,
        lists=[
            Count(f"{text} ({total:,})" if total else text, f"/console/{at}")
            for text, told, at in (
                ("Next steps", steps, f"next-steps?due_by={ahead}"),
                ("Awards that end", endings, f"accreditations?expiring_before={ahead}"),
                ("Retests", retests, "scheme-tests/retests"),
                ("New problem reports", new, "problem-reports?state=new"),
                ("Those taken up", taken, "problem-reports?state=acting"),
                ("Answers to letters", said, "statements?state=new"),
            )
            for total in [told.body.get("total")]
            if told.body["items"]
        ],
        renewals=[*map(_renewals, courses.body["courses"])],
        counts=[count for count in counts if count],
        day=f"{today():%A} {today().day} {today():%B %Y}",
        summary=f"{late.number} overdue, {next_.number} due in {SOON_DAYS} days,"
        f" {new.body['total']:,} new from the public.",
    )


def _due_last(told: Told, task: Callable[[Mapping[str, Any]], Task]) -> date:
    """When the last thing of a list is due that has more; without more, never."""
    last = task(told.body["items"][-1]).due if "next" in told.body else None
    return last or date.max


def _waiting() -> list[tuple[str, dict[str, Any]]]:
    """What else waits at venues, as something that the list of venues can be asked."""
    unchecked = today() - timedelta(days=UNCHECKED_DAYS)
    return [
        ("no headcount", {"headcount": "false"}),
        ("details not checked for six months", {"not_checked_since": unchecked.isoformat()}),
    ]


def _renewals(course: Mapping[str, Any]) -> tuple[str, list[Count]]:
    """A course, and the lists of venues where it is to be renewed: to count them takes long."""
    asked = {"status": "active", "course": course["key"]}
    return wording(course["key"]), [
        Count(is_, f"/console/venues?{urlencode({**asked, 'training': is_})}")
        for is_ in ("due", "lapsed")
    ]


async def _count(visitor: Somebody, text: str, asked: Mapping[str, Any]) -> Any:
    asked = {"status": "active", **asked}
    number = (await visitor.api.get(VENUES, **asked, count=True, limit=1)).body["total"]
    if not number:
        return None
    venues = "1 venue" if number == 1 else f"{number:,} venues"
    return Count(f"{venues}: {text}", f"/console/venues?{urlencode(asked)}")


def _step(item: Mapping[str, Any]) -> Task:
    about = item.get("venue") or item.get("business") or {}
    return Task(
        about.get("name", ""),
        f"{item['next_step']}. Agreed on {day_of(item['on'])} ({wording(item['kind']).lower()})",
        f"/console/engagements/{item['id']}",
        date.fromisoformat(item["next_step_on"]),
    )


def _ending(item: Mapping[str, Any]) -> Task:
    return Task(
        item["venue"]["name"],
        f"{wording(item['scheme'])} ends. In force since {day_of(item['since'])}",
        f"/console/venues/{item['venue']['id']}",
        date.fromisoformat(item["until"]) if "until" in item else None,
    )


def _retest(item: Mapping[str, Any]) -> Task:
    test = item["test"]
    return Task(
        test["venue"]["name"],
        f"Retest after the failed {wording(test['scheme'])} test of {day_of(test['on'])}",
        f"/console/venues/{test['venue']['id']}",
        date.fromisoformat(item["retest_by"]),
    )


def _report(item: Mapping[str, Any]) -> Task:
    return Task(
        item["venue"]["name"],
        f"{wording(item['kind'])}. Reported on {day_of(item['on'])}",
        f"/console/problem-reports/{item['id']}",
        None,
    )


def _statement(item: Mapping[str, Any]) -> Task:
    what = "as it is" if item["unchanged"] else item.get("changed", "")
    if item["subject"] == "headcount":
        what = f"{item['staff']} to be trained, {item['left']} left"
    return Task(
        item["venue"]["name"],
        f"{wording(item['subject'])}: {what}",
        f"/console/statements/{item['id']}",
        None,
    )
