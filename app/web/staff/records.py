"""Lists of the register, and one record of it, as pages."""

from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from fastapi import Request, Response

from app.accounts.models import Role
from app.web.staff.api import Refused, Told
from app.web.staff.asking import title_of
from app.web.staff.fields import fields, with_errors
from app.web.staff.forms import choices_of, name_of, page_of
from app.web.staff.operations import Found, Operation, Operations
from app.web.staff.pages import file_of, staff_page
from app.web.staff.shown import (
    HIDDEN,
    Part,
    cells,
    in_full,
    light_of,
    name,
    resolved,
    shown,
    wording,
)
from app.web.staff.venue_names import with_venues
from app.web.staff.visits import PASSWORD, SECOND_FACTOR, Visitor

PAGED = {"limit", "after", "format", "table"}
WIDE = 7
"""How many columns a list has at most; the record says the rest."""

FIRST = ("name", "on", "venue")
"""What a row is known by comes first, and leads to the record."""

IN_RECORD = HIDDEN | {"recorded_at", "recorded_by", "note", "attendances"}
"""What the record alone says."""

LISTED_AS = {"next-steps": "engagements", "retests": "scheme-tests"}
"""Lists of records that have their page elsewhere, by how the paths of both end."""
ALSO = {
    "me": (
        ("Change your password", PASSWORD),
        ("Second factor", SECOND_FACTOR),
        ("Your sign-ins", "/account/sign-ins"),
    )
}
"""Where else a record leads."""

TAGGED = {"text": "Found by"}
"""What is asked of a list, where it is called otherwise than what a record has."""

OF_LISTS = {"check_journal"}
"""What is done with all of a list, and has an address of its own."""

FOUND_BY = ("text", "name")
"""What may be asked of a list in the box above it."""


async def show_list(request: Request, visitor: Visitor, found: Found) -> Response:
    """A page of a list, with what may be asked of it."""
    operation = found.operation
    told = await visitor.api.get(found.path, **_asked(request))
    root = operation.shown
    items = resolved(resolved(root, root)["properties"]["items"]["items"], root)
    items, rows = _flat(items, root, told.body["items"])
    keys = _columns(items, rows)
    begin = _records_of(request, operation)
    more = told.body.get("next")
    subject, back = await _subject(visitor, found)
    question = {k: v for k, v in request.query_params.multi_items() if k not in ("after", "done")}
    known = operation.question.model_fields if operation.question else {}
    return staff_page(
        request,
        visitor,
        "list.html",
        title_of(operation, {}),
        subject=subject,
        back=back,
        find=next((key for key in FOUND_BY if key in known), ""),
        asked=question,
        columns=[name(key) for key in keys],
        rows=[
            (f"{begin}{row['id']}" if begin and "id" in row else "", cells(row, keys, items, root))
            for row in rows
        ],
        filters=await filters(request, visitor, operation),
        tags=tags(request, operation),
        more="?" + urlencode({**question, "after": more}) if more else "",
        acts=_acts(request, visitor, found, of_list=True),
    )


async def show_record(request: Request, visitor: Visitor, found: Found) -> Response:
    """One record, and what may be done with it; or a file; or what has to be asked first."""
    operation = found.operation
    told = await visitor.api.send("GET", found.path, asked=_asked(request))
    is_asked = not told.is_done and told.status == HTTPStatus.UNPROCESSABLE_ENTITY
    if not told.is_done and not (is_asked and operation.question):
        raise Refused(told)
    if told.is_done and (operation.answer is None or _is_file(found.path)):
        return file_of(told)
    subject, back = await _subject(visitor, found)
    asks = await filters(request, visitor, operation)
    errors: list[tuple[str, str]] = []
    # Where nothing was asked yet, that something is missing is no mistake.
    if is_asked and request.query_params:
        asks, errors = with_errors(asks, told.errors)
    return staff_page(
        request,
        visitor,
        "record.html",
        name_of(told) or operation.summary,
        HTTPStatus.UNPROCESSABLE_ENTITY if errors else HTTPStatus.OK,
        subject=subject,
        back=back,
        summary=operation.summary,
        about=operation.about,
        filters=asks,
        tags=tags(request, operation),
        errors=errors,
        must_ask=is_asked,
        part=Part() if is_asked else await _in_full(visitor, found, told),
        acts=[*_acts(request, visitor, found, of_list=False), *ALSO.get(operation.name, ())],
    )


async def _in_full(visitor: Visitor, found: Found, told: Told) -> Part:
    schema = found.operation.shown
    part = in_full(await with_venues(visitor, told.body), schema, schema)
    if found.operation.name != "one_business":
        return part
    its = {"business": str(found.places["business_id"]), "limit": 200}
    venues = (await visitor.api.get("/v1/admin/venues", **its)).body["items"]
    rows = [
        [
            Part(one["name"], href=f"/console/venues/{one['id']}"),
            Part(one["reference"]),
            Part(wording(one["status"]), light=light_of(one["status"])),
        ]
        for one in venues
    ]
    table = Part(columns=["Name", "Reference", "Status"], rows=rows) if rows else Part("None yet")
    return replace(part, lines=[*part.lines, ("Venues", table)])


async def _subject(visitor: Visitor, found: Found) -> tuple[str, str]:
    """The name of the venue or business that a page is about, and where that is, unless it is its
    own page; else empty."""
    for key, kind in (("venue_id", "venues"), ("business_id", "businesses")):
        if key in found.places and (path := f"/v1/admin/{kind}/{found.places[key]}") != found.path:
            told = await visitor.api.send("GET", path)
            if told.is_done:
                return told.body["name"], page_of(path)
    return "", ""


def _is_file(path: str) -> bool:
    """Whether what is at an address is for programs that read files, as a map is for GIS."""
    return "." in path.rpartition("/")[2]


def _asked(request: Request) -> dict[str, Any]:
    asked: dict[str, list[str]] = {}
    for key, text in request.query_params.multi_items():
        if key != "done" and text:
            asked.setdefault(key, []).append(text)
    return {key: texts if len(texts) > 1 else texts[0] for key, texts in asked.items()}


def _flat(
    items: Mapping[str, Any], root: Mapping[str, Any], rows: list[dict[str, Any]]
) -> tuple[Mapping[str, Any], list[dict[str, Any]]]:
    """The schema of a list's items and the items, with a record that lies in each laid out flat."""
    properties = items.get("properties", {})
    for key, part in properties.items():
        inner = resolved(part, root).get("properties", {})
        # What has a name is shown by it.
        if "id" in inner and "name" not in inner and "id" not in properties:
            others = {k: v for k, v in properties.items() if k != key}
            flat = [{**row[key], **{k: v for k, v in row.items() if k != key}} for row in rows]
            return {**items, "properties": inner | others}, flat
    return items, rows


def _columns(items: Mapping[str, Any], rows: list[dict[str, Any]]) -> list[str]:
    properties = items.get("properties", {})
    filled = [
        key
        for key in sorted(properties, key=lambda key: (*FIRST, key).index(key))
        if key not in IN_RECORD and any(row.get(key) not in (None, "", [], {}) for row in rows)
    ]
    return filled[:WIDE]


def _records_of(request: Request, operation: Operation) -> str:
    """How the addresses of the records in a list begin; empty where they have no page."""
    kind = operation.path.rpartition("/")[2]
    kind = LISTED_AS.get(kind, kind)
    operations = Operations.of(request.app)
    # Its own records, if it has some; else those of its kind.
    for one in sorted(operations.all, key=lambda one: not one.path.startswith(operation.path)):
        head, _, last = one.path.rpartition("/")
        is_record = one.method == "GET" and last.startswith("{") and "{" not in head
        if is_record and head.rpartition("/")[2] == kind:
            return one.address.partition("{")[0]
    return ""


async def filters(request: Request, visitor: Visitor, operation: Operation) -> list[Any]:
    """The fields of what may be asked of a list or a report."""
    schema = operation.questions
    if not schema:
        return []
    boxed = next((key for key in FOUND_BY if key in schema.get("properties", {})), "")
    left = PAGED | {boxed} if operation.is_list else PAGED
    properties = {k: v for k, v in schema.get("properties", {}).items() if k not in left}
    asked = {**schema, "properties": properties}
    values: dict[str, Any] = {}
    for key, part in properties.items():
        texts = request.query_params.getlist(key)
        many = part.get("type") == "array"
        values[key] = texts if many else (texts or [""])[-1]
    return fields(asked, values, await choices_of(visitor, asked, values))


def tags(request: Request, operation: Operation) -> list[tuple[str, str]]:
    """What is asked of a list now, each with the address that no longer asks it."""
    known = operation.questions.get("properties", {})
    asked = [
        (key, text)
        for key, text in request.query_params.multi_items()
        if key in known and key not in PAGED and text
    ]
    return [
        (
            f"{TAGGED.get(key) or name(key)}: {shown(wording(text), {}, {}).text}",
            "?" + urlencode([one for one in asked if one != (key, text)]),
        )
        for key, text in asked
    ]


def _acts(
    request: Request, visitor: Visitor, found: Found, *, of_list: bool
) -> list[tuple[str, str]]:
    roles: set[Role] = set(visitor.account.roles)
    operations = Operations.of(request.app)
    path = found.operation.path
    beside = operations.beside(path)
    if of_list:
        beside = [one for one in beside if one.path == path or one.name in OF_LISTS]
    return [
        (title_of(one, {}), one.address.format(**found.places))
        for one in beside
        if roles & one.roles and one.name != found.operation.name
    ]
