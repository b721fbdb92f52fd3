"""What happened at a venue, newest first, each thing in a sentence, from the records themselves.

What was voided stays, struck through. Changes to a venue's own details are in its journal alone.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from app.core.london import instant, london_day
from app.web.staff.api import Api
from app.web.staff.shown import day, day_of, wording

SHOWN = 20
"""How many things of each kind are looked at, and how many are told."""

SHAPES = {"refused": "bad", "suspended": "bad", "withdrawn": "bad", "failed": "bad"} | {
    "awarded": "good",
    "reinstated": "good",
    "passed": "good",
}


@dataclass(frozen=True)
class Happened:
    """A thing of the story. `shape` is good, bad, training or empty."""

    on: date
    title: str
    more: str
    href: str
    shape: str = ""
    is_void: bool = False


async def story(api: Api, venue_id: UUID) -> list[Happened]:
    """The last things that happened at a venue."""
    path, at = f"/v1/admin/venues/{venue_id}", {"venue_id": str(venue_id), "voided": True}
    decisions, headcounts, engagements, tests, sessions = await asyncio.gather(
        api.get(f"{path}/decisions", limit=SHOWN),
        api.get(f"{path}/headcounts", voided=True, limit=SHOWN),
        api.get("/v1/admin/engagements", **at, limit=SHOWN),
        api.get("/v1/admin/scheme-tests", **at, limit=SHOWN),
        api.get("/v1/admin/training/sessions", **at, limit=SHOWN),
    )
    found = [
        *map(_decision, decisions.body["items"]),
        *map(_headcount, headcounts.body["items"]),
        *map(_engagement, engagements.body["items"]),
        *map(_test, tests.body["items"]),
        *(_session(item, venue_id) for item in sessions.body["items"]),
    ]
    return sorted(found, key=lambda one: one.on, reverse=True)[:SHOWN]


async def after(api: Api, decision: Mapping[str, Any]) -> list[Happened]:
    """The steps in a scheme that a venue took after one of them, and that still count."""
    path = f"/v1/admin/venues/{decision['venue_id']}/decisions"
    told = await api.get(path, scheme=decision["scheme"], limit=200)
    return [
        _decision(one)
        for one in told.body["items"]
        if one["effective_at"] > decision["effective_at"] and "voided_at" not in one
    ]


def _decision(item: Mapping[str, Any]) -> Happened:
    kind = item["kind"]
    scheme = wording(item["scheme"])
    titles = {"applied": f"{scheme} applied for", "assessed": f"{scheme}: assessed"}
    until = f"Until {day_of(item['until'])}" if "until" in item else ""
    return _happened(
        item,
        titles.get(kind, f"{scheme} {kind}"),
        "console/decisions",
        [until, wording(item.get("grade", "")), item.get("certificate"), item.get("reason")],
        SHAPES.get(kind, ""),
    )


def _headcount(item: Mapping[str, Any]) -> Happened:
    left = f"{item['left']} trained people had left" if item["left"] else ""
    return _happened(
        item, f"Headcount: {item['staff']} staff", "console/headcounts", [left], "training"
    )


def _engagement(item: Mapping[str, Any]) -> Happened:
    title = f"{wording(item['kind'])}: {wording(item['outcome']).lower()}"
    step = ""
    if "next_step" in item:
        done = f", done on {day_of(item['done']['on'])}" if "done" in item else ""
        step = f"Next: {item['next_step']}, by {day_of(item['next_step_on'])}{done}"
    return _happened(item, title, "console/engagements", [item.get("note"), step])


def _test(item: Mapping[str, Any]) -> Happened:
    retest = f"Retest by {day_of(item['retest_by'])}" if "retest_by" in item else ""
    return _happened(
        item,
        f"{wording(item['scheme'])} test {item['result']}",
        "console/scheme-tests",
        [item.get("note"), retest],
        SHAPES.get(item["result"], ""),
    )


def _session(item: Mapping[str, Any], venue_id: UUID) -> Happened:
    """What a training session did for one venue; void once all its rows there are."""
    rows = [one for one in item["attendances"] if one["venue_id"] == str(venue_id)]
    left = [one for one in rows if "voided" not in one]
    new, again = (sum(one[key] for one in left or rows) for key in ("new", "refresher"))
    people = [f"{new} new"] * bool(new) + [_refreshers(again)] * bool(again)
    others = len({one["venue_id"] for one in item["attendances"]}) - 1
    return _happened(
        item if left or not rows else {**item, "voided": item.get("voided") or rows[0]["voided"]},
        f"{wording(item['course'])}: {', '.join(people) or 'nobody'}",
        "console/training/sessions",
        [
            f"At {item['place']}" if "place" in item else "",
            f"With {others} other venue{'s' * (others > 1)}" if others else "",
            item.get("note"),
        ],
        "training",
    )


def _refreshers(count: int) -> str:
    return "1 refresher" if count == 1 else f"{count} refreshers"


def _happened(
    item: Mapping[str, Any], title: str, where: str, more: list[str | None], shape: str = ""
) -> Happened:
    on = date.fromisoformat(item["on"])
    recorded = london_day(instant(item["recorded_at"]))
    told = [day(on) + (f", recorded {day(recorded)}" if recorded > on else ""), *more]
    void = item.get("voided")
    # A decision says it in fields of its own.
    if "voided_at" in item:
        void = {"at": item["voided_at"], "reason": item.get("void_reason", "")}
    if void:
        told.append(f"Voided {day_of(void['at'])}: “{void['reason']}”")
    sentences = ". ".join(part.rstrip(".") for part in told if part)
    return Happened(on, title, f"{sentences}.", f"/{where}/{item['id']}", shape, bool(void))
