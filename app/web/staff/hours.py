"""A venue's opening hours as a week or as text, tried out in words before they count.

What is typed as a week replaces the weekly times alone: seasons, exceptions and closures stay.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Request, Response
from fastapi.responses import RedirectResponse

from app.venues.hours import WEEKDAYS, Hours, times_by_weekday
from app.web.forms import from_our_pages
from app.web.staff.api import Told
from app.web.staff.fields import Typed, typed_in
from app.web.staff.operations import Operations
from app.web.staff.pages import staff_page
from app.web.staff.sign_in import ask_again
from app.web.staff.visits import IfAnybody, Somebody, Visitor

NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

SPANS = 2
"""How many times of a day there is room for, at least."""

PUBLIC_HOLIDAYS = {"as_usual": "As on other days", "closed": "Closed"}
KEPT = "kept"
"""That bank holidays have times of their own, which stay."""


@dataclass(frozen=True)
class Box:
    """Where an opening or closing time is typed; its key is like `Mo.0.opens`."""

    key: str
    label: str
    value: str = ""
    error: str = ""

    @property
    def id(self) -> str:
        return self.key.replace(".", "-")


async def show(request: Request, visitor: Somebody, venue_id: UUID) -> Response:
    """The hours as they are, as a week and as text."""
    visitor.must_be(Operations.of(request.app)["put_hours"].roles)
    told = await visitor.api.get(_path(venue_id))
    typed = {"by": ["week"], "text": [told.body.get("text", "")]}
    hours = _hours(told)
    for day, times in times_by_weekday(hours.weekly).items():
        for n, span in enumerate(times):
            typed |= {f"{day}.{n}.opens": [span.opens], f"{day}.{n}.closes": [span.closes]}
    rule = hours.bank_holidays
    typed["bank_holidays"] = [rule if isinstance(rule, str) else KEPT]
    return await _form(request, visitor, venue_id, told, typed)


async def take(
    request: Request, visitor: IfAnybody, venue_id: UUID, typed: Annotated[Typed, Depends(typed_in)]
) -> Response:
    """What was filled in: shown in words, or made the venue's hours."""
    if visitor is None:
        return ask_again(request, typed)
    await from_our_pages(request)
    visitor.check(_last(typed, "token"))
    operation = Operations.of(request.app)["put_hours"]
    visitor.must_be(operation.roles)
    path = _path(venue_id)
    now = await visitor.api.get(path)
    if "again" in typed:
        return await _form(request, visitor, venue_id, now, typed)
    body = _body(typed, _hours(now))
    tries = "try" in typed
    told = (
        await visitor.api.send("POST", f"{path}/preview", body)
        if tries
        else await visitor.api.send("PUT", path, body, seen=_last(typed, "seen"))
    )
    if told.is_done and not tries:
        return RedirectResponse(f"/console/venues/{venue_id}?done={operation.name}", 303)
    return await _form(request, visitor, venue_id, now, typed, told)


async def _form(
    request: Request,
    visitor: Visitor,
    venue_id: UUID,
    now: Told,
    typed: Typed,
    told: Told | None = None,
) -> Response:
    """The form with what was typed; `told` is what the API says of that."""
    is_stale = told is not None and told.status == HTTPStatus.PRECONDITION_FAILED
    errors = _errors(told, typed) if told and not told.is_done and not is_stale else {}
    venue = await visitor.api.get(f"/v1/admin/venues/{venue_id}")
    rows = [(name, _boxes(day, typed, errors)) for day, name in zip(WEEKDAYS, NAMES, strict=True)]
    boxes = {box.key: box for _, some in rows for box in some}
    return staff_page(
        request,
        visitor,
        "hours.html",
        "Change the hours",
        409 if is_stale else 422 if errors else 200,
        subject=venue.body["name"],
        back=f"/console/venues/{venue_id}",
        rows=rows,
        by=_last(typed, "by") or "week",
        text=_last(typed, "text"),
        text_error=errors.get("text", ""),
        holidays=_last(typed, "bank_holidays") or "as_usual",
        offered=PUBLIC_HOLIDAYS
        | ({} if isinstance(_hours(now).bank_holidays, str) else {KEPT: "As they are now"}),
        more=[name for name in ("seasons", "exceptions", "closures") if getattr(_hours(now), name)],
        tried=told.body if told and told.is_done else None,
        now=now.body if is_stale else None,
        # What was seen is what the form began with, until somebody is shown what it has become.
        seen=now.etag if is_stale else _last(typed, "seen") or now.etag,
        errors=[
            (f"{boxes[key].label} {text}" if key in boxes else text, f"#{key.replace('.', '-')}")
            for key, text in errors.items()
        ],
    )


def _path(venue_id: UUID) -> str:
    return f"/v1/admin/venues/{venue_id}/hours"


def _hours(told: Told) -> Hours:
    return Hours.model_validate(told.body.get("hours") or {})


def _body(typed: Typed, now: Hours) -> dict[str, Any]:
    """What the API is sent."""
    if _last(typed, "by") == "text":
        return {"text": _last(typed, "text")}
    rule = _last(typed, "bank_holidays")
    weekly = [
        {"days": [day], "opens": opens, "closes": closes} for day, _, opens, closes in _spans(typed)
    ]
    changed = {"weekly": weekly} | ({"bank_holidays": rule} if rule in PUBLIC_HOLIDAYS else {})
    return now.model_dump(mode="json") | changed


def _spans(typed: Typed) -> Iterator[tuple[str, int, str, str]]:
    """The times of the week that were typed: their day, which of that day, from and until when."""
    for day in WEEKDAYS:
        for n in range(_room(day, typed)):
            opens, closes = (
                _clock(_last(typed, f"{day}.{n}.{end}")) for end in ("opens", "closes")
            )
            if opens or closes:
                yield day, n, opens, closes


def _room(day: str, typed: Typed) -> int:
    """How many times there is room for on a day."""
    numbers = [int(key.split(".")[1]) for key in typed if re.fullmatch(rf"{day}\.\d\.opens", key)]
    return max(SPANS, *(number + 1 for number in numbers), 0)


def _clock(text: str) -> str:
    """A time as the API takes it: 9, 9:30 and 0930 are as good as 09:30."""
    found = re.fullmatch(r"(\d{1,2})[:.]?(\d\d)?", text)
    return f"{int(found[1]):02}:{found[2] or '00'}" if found else text


def _boxes(day: str, typed: Typed, errors: Mapping[str, str]) -> Sequence[Box]:
    name = NAMES[[*WEEKDAYS].index(day)]  # type: ignore[arg-type]
    return [
        Box(key, f"{name}, {words}", _last(typed, key), errors.get(key, ""))
        for n in range(_room(day, typed))
        for end, says in (("opens", "opens"), ("closes", "closes"))
        for words in [f"{says} again" if n else says]
        for key in [f"{day}.{n}.{end}"]
    ]


def _errors(told: Told, typed: Typed) -> dict[str, str]:
    """What is wrong, by where it was typed."""
    places = [(day, n) for day, n, *_ in _spans(typed)]
    found: dict[str, str] = {}
    for error in told.errors:
        at = re.match(r"weekly[.\[](\d+)\]?(?:\.(opens|closes))?", error.field)
        key = "text" if _last(typed, "by") == "text" else "week"
        if at and int(at[1]) < len(places):
            day, n = places[int(at[1])]
            key = f"{day}.{n}.{at[2] or 'opens'}"
        found.setdefault(key, error.message)
    return found


def _last(typed: Typed, key: str) -> str:
    return next(iter(reversed(typed.get(key, ()))), "").strip()
