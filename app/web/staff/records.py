"""Lists of the register, and one record of it, as pages."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from fastapi import Request, Response

from app.accounts.models import Role
from app.web.staff.asking import title_of
from app.web.staff.fields import fields
from app.web.staff.forms import choices_of, name_of
from app.web.staff.operations import Found, Operation, Operations
from app.web.staff.pages import file_of, staff_page
from app.web.staff.shown import HIDDEN, cells, name, resolved, shown, wording
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
    question = {k: v for k, v in request.query_params.multi_items() if k not in ("after", "done")}
    known = operation.question.model_fields if operation.question else {}
    return staff_page(
        request,
        visitor,
        "list.html",
        title_of(operation, {}),
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
    """One record, and what may be done with it; or a file."""
    operation = found.operation
    told = await visitor.api.get(found.path, **_asked(request))
    if operation.answer is None or _is_file(found.path):
        return file_of(told)
    return staff_page(
        request,
        visitor,
        "record.html",
        name_of(told) or operation.summary,
        summary=operation.summary,
        about=operation.about,
        part=shown(await with_venues(visitor, told.body), operation.shown, operation.shown),
        acts=[*_acts(request, visitor, found, of_list=False), *ALSO.get(operation.name, ())],
    )


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
    asked = {**schema, "properties": properties, "required": []}
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
            f"{name(key)}: {shown(wording(text), {}, {}).text}",
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
