"""A form for each operation of the API that changes something: filled in, sent, and answered.

It holds a key, so that what is sent twice is done once; and the version that was seen, so that
nobody overwrites what they have not seen.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from app.core.errors import FieldError, NotFound
from app.core.london import today
from app.venues.addresses import Addresses, Lookup
from app.venues.fields import postcode
from app.web.finder import Listing
from app.web.forms import from_our_pages
from app.web.staff.api import Refused, Told
from app.web.staff.asking import title_of
from app.web.staff.fields import (
    Choice,
    Field,
    Typed,
    beside,
    fields,
    given,
    rows_typed,
    with_errors,
    with_typed,
)
from app.web.staff.operations import ADDRESSES, Found, Operation, Operations
from app.web.staff.pages import staff_page
from app.web.staff.shown import resolved, shown, wording
from app.web.staff.story import after
from app.web.staff.venue_names import with_venues
from app.web.staff.visits import Visitor

ONLY = {"preview_hours": ("text",)}
"""Of what may be given in several ways: the fields that are asked for on a page."""

BEGUN = {"register_prospect"}
"""What is recorded afresh of something that is known: its form begins with that."""

VOIDED = "Why this was wrong. It stays in the history, struck through."

KEY_REUSED = "urn:safe-havens:problem:idempotency-key-reused"
SENT_ALREADY = (
    "You have sent this form before, with something else in it, and that was recorded. Press the"
    " button again only if what is below is to be recorded as well"
)

MORE = "more"
"""The button that asks for another row."""

PLACE = "find_place"
"""The button that looks a place up by what the form says of its address."""


async def show_form(request: Request, visitor: Visitor, found: Found) -> Response:
    """An operation's form as it begins."""
    operation = found.operation
    seen = await _subject(request, visitor, found)
    values: dict[str, Any] = dict(request.query_params)
    if "on" in resolved(operation.asked, operation.asked).get("required", ()):
        values.setdefault("on", today().isoformat())
    if (operation.method == "PUT" or operation.name in BEGUN) and seen:
        values = _as_edited(operation, seen.body)
    elif seen:
        values.setdefault("venue_id", (seen.body.get("venue") or {}).get("id", ""))
    schema = _schema(operation, request.query_params.get("kind", ""))
    if schema is None:
        kinds = [(kind, wording(kind)) for kind in operation.kinds]
        return _ask_which(request, visitor, found, seen, "kind", kinds)
    asked = schema.get("properties", {})
    if "scheme" in schema.get("required", ()) and not values.get("scheme"):
        schemes = (await visitor.api.get("/v1/admin/schemes")).body["items"]
        some = resolved(asked["scheme"], schema).get("enum", ())
        keys = [(one["key"], one["name"]) for one in schemes if not some or one["key"] in some]
        return _ask_which(request, visitor, found, seen, "scheme", keys)
    schema = await _of_scheme(visitor, schema, values.get("scheme", ""))
    choices = await choices_of(visitor, schema, values)
    if "venue_id" in request.query_params and "attendances" in asked:
        values["attendances"] = [{"venue_id": request.query_params["venue_id"]}]
    # A checklist has a row for each thing that is looked at.
    values |= {"findings": [{"criterion": one.value} for one in choices.get("criterion", ())]}
    parts = fields(schema, values, choices)
    return await _form(request, visitor, found, seen, parts, schema=schema)


async def take_form(
    request: Request, visitor: Visitor, found: Found, typed: Typed, listing: Listing
) -> Response:
    """What was filled in, done or sent back with what is wrong."""
    await from_our_pages(request)
    visitor.check(_last(typed, "token"))
    operation = found.operation
    schema = _schema(operation, _last(typed, "kind") or request.query_params.get("kind", ""))
    if schema is None:
        raise NotFound
    schema = await _of_scheme(visitor, schema, _last(typed, "scheme"))
    rows: dict[str, Any] = {
        key: [
            {"criterion": _last(typed, f"{key}.{n}.criterion")}
            for n in range(rows_typed(typed, key))
        ]
        for key, part in schema.get("properties", {}).items()
        if part.get("type") == "array"
    }
    values = rows | {"scheme": _last(typed, "scheme")}
    choices = await choices_of(visitor, schema, values)
    parts = with_typed(fields(schema, values, choices), typed)
    seen = await _subject(request, visitor, found)
    key = _last(typed, "key")
    # What was seen is what the form began with, until somebody is shown what it has become.
    version = _last(typed, "seen")
    form = partial(_form, request, visitor, found, schema=schema, key=key, version=version)
    if PLACE in typed:
        known = await _known_place(request, typed)
        parts, told_errors = with_errors(*_placed(parts, typed, listing, known))
        return await form(seen, parts, errors=told_errors, status=200)
    if MORE in typed or "again" in typed:
        return await form(seen, parts, status=200)
    resolved_typed, errors = await _with_references(visitor, parts, typed)
    if not errors:
        body = given(parts, resolved_typed, edits=operation.method == "PUT") if schema else None
        if "location" in (body or {}):
            # So that the venue's page can say whether it lies near its postcode.
            await _known_place(request, typed)
        told = await visitor.api.send(
            operation.method,
            found.path,
            body,
            key=key if operation.creates else "",
            seen=version if operation.asks_seen else "",
        )
        if told.is_done:
            return _done(request, visitor, found, told)
        errors = told.errors
        if alike := [one["venue"] for one in told.body.get("errors", ()) if "venue" in one]:
            parts = await _asked_whether_others(visitor, parts, alike)
            told_errors = [
                (
                    f"{_told_apart(one)} is {one['distance_m']} m away",
                    f"/console/venues/{one['id']}",
                )
                for one in alike
            ]
            return await form(seen, parts, errors=told_errors)
        if told.status == HTTPStatus.PRECONDITION_FAILED:
            now = await _subject(request, visitor, found)
            if now and _is_so(operation, now, body):
                return _done(request, visitor, found, now)
            theirs = await _as_it_is(visitor, operation, now, schema, choices)
            return await form(now, parts, version=now.etag if now else "", theirs=theirs)
        if told.body.get("type") == KEY_REUSED:
            return await form(seen, parts, key="", errors=[(SENT_ALREADY, "")])
        if told.status == HTTPStatus.UNAUTHORIZED:
            raise NotFound
    parts, told_errors = with_errors(parts, errors)
    return await form(seen, parts, errors=told_errors)


async def _form(
    request: Request,
    visitor: Visitor,
    found: Found,
    seen: Told | None,
    parts: Sequence[Field],
    *,
    schema: Mapping[str, Any],
    key: str = "",
    version: str | None = None,
    errors: Sequence[tuple[str, str]] = (),
    theirs: Sequence[Field] | None = None,
    status: int = 0,
) -> Response:
    """`version` is the one that was seen, by default that of `seen`; `theirs` are the fields as
    somebody else has filled them in meanwhile."""
    operation = found.operation
    about_it = _about(request, found)
    record = None
    if seen and about_it:
        told = await with_venues(visitor, seen.body)
        record = shown(told, about_it.shown, about_it.shown)
    asked = {part.key: part.value for part in parts} | dict(request.query_params)
    voids = operation.name.startswith("void") or operation.method == "DELETE"
    if voids:
        parts = [replace(part, hint=VOIDED) for part in parts]
    parts = await _named(visitor, parts)
    about = (schema.get("description", "") if operation.kinds else "") or operation.about
    return staff_page(
        request,
        visitor,
        "form.html",
        title_of(operation, asked),
        status or (200 if theirs is None and not errors else 422 if errors else 409),
        operation=operation,
        subject=name_of(seen),
        back=_back(request, found),
        fields=parts,
        about=about.removesuffix(" Needs `If-Match`."),
        voids=record if voids else None,
        after=await after(visitor.api, seen.body)
        if seen and operation.name == "void_decision"
        else (),
        query=request.url.query,
        has_place=any(one.key == "location" for one in parts),
        has_rows=any(one.kind == "rows" and one.is_long and not one.is_seldom for one in parts),
        key=key or str(uuid4()),
        seen=version if version is not None else seen.etag if seen else "",
        errors=errors,
        now=record if theirs is not None else None,
        apart=beside(theirs or (), parts),
    )


async def _known_place(request: Request, typed: Typed) -> Lookup:
    """Where the postcode that was typed lies, by the list on disk or by who is asked."""
    addresses: Addresses = request.app.state.addresses
    try:
        code = postcode(_last(typed, "postcode"))
    except ValueError:
        code = ""
    return await addresses.find(code) if code else Lookup()


def _is_so(operation: Operation, now: Told, body: Mapping[str, Any] | None) -> bool:
    """Whether what an edit was to change is so already: the button was pressed twice, say."""
    if operation.method != "PUT" or not body:
        return False
    values = _as_edited(operation, now.body)
    return all((values.get(key) or None) == (value or None) for key, value in body.items())


async def _as_it_is(
    visitor: Visitor,
    operation: Operation,
    now: Told | None,
    schema: Mapping[str, Any],
    choices: Mapping[str, Sequence[Choice]],
) -> list[Field]:
    """The fields of an edit as they would be filled in now; none of what is no edit."""
    if operation.method != "PUT" or now is None:
        return []
    return await _named(visitor, fields(schema, _as_edited(operation, now.body), choices))


def _placed(
    parts: Sequence[Field], typed: Typed, listing: Listing, known: Lookup
) -> tuple[list[Field], list[FieldError]]:
    """The fields with the place that a postcode or a street has, as far as anybody tells."""
    texts = [text for key in ("postcode", "address") if (text := _last(typed, key).strip())]
    places = [place for text in texts for place in listing.places.find(text).places]
    if known.place:
        lat, lon, where = known.place.lat, known.place.lon, f"Of the postcode, by {known.source}"
    elif places:
        lat, lon, where = places[0].lat, places[0].lon, f"Amid the havens of {places[0].name}"
    else:
        message = "is not known by this postcode or street: choose it on the map, or type it"
        if known.trouble:
            message += f". Who might know could not be asked: {known.trouble}"
        return [*parts], [FieldError(field="location", message=message)]
    at = {"location.lat": [f"{lat:.6f}"], "location.lon": [f"{lon:.6f}"]}
    return [
        replace(
            one,
            parts=with_typed(one.parts, at),
            hint=f"{where}. Move it to the door itself.",
        )
        if one.key == "location"
        else one
        for one in parts
    ], []


async def _asked_whether_others(
    visitor: Visitor, parts: Sequence[Field], alike: Sequence[Mapping[str, Any]]
) -> list[Field]:
    """The fields, with the venues that may be the one that is registered to be told apart from."""
    others = [Choice(one["id"], f"{_told_apart(one)} is another place") for one in alike]
    made = []
    for part in parts:
        if part.key == "not_a_duplicate_of":
            ticked = str(part.value).split()
            known = [
                Choice(id_, await _name(visitor, replace(part, kind="venue", value=id_)))
                for id_ in ticked
            ]
            part = replace(  # noqa: PLW2901 - what is made of it
                part,
                kind="several",
                label="Is it one of these?",
                hint="If so, open it instead: its name is a link above",
                choices=[*known, *others],
                value=ticked,
                is_seldom=False,
            )
        made.append(part)
    # Last, so that it stands beside the button.
    return sorted(made, key=lambda part: part.key == "not_a_duplicate_of")


def _ask_which(
    request: Request,
    visitor: Visitor,
    found: Found,
    seen: Told | None,
    key: str,
    offered: Sequence[tuple[str, str]],
) -> Response:
    """Which kind of thing is to be recorded, or in which scheme, where there are several."""
    kept = {k: v for k, v in request.query_params.items() if k != key}
    return staff_page(
        request,
        visitor,
        "kinds.html",
        found.operation.summary,
        subject=name_of(seen),
        back=_back(request, found),
        kinds=[(text, "?" + urlencode({**kept, key: value})) for value, text in offered],
    )


async def _of_scheme(visitor: Visitor, schema: dict[str, Any], scheme: str) -> dict[str, Any]:
    """What is to be filled in for a scheme: without a season, one has neither grades nor scores."""
    if not scheme or "season_id" not in schema.get("properties", {}):
        return schema
    schemes = (await visitor.api.get("/v1/admin/schemes")).body["items"]
    if any(one["key"] == scheme and one["seasonal"] for one in schemes):
        return schema
    less: dict[str, Any] = _without(schema, {"season_id", "grade", "score"})
    return less


def _without(part: Any, keys: set[str]) -> Any:
    """A schema without some of its fields, wherever they stand in it."""
    if isinstance(part, list):
        return [_without(one, keys) for one in part]
    if not isinstance(part, dict):
        return part
    return {
        key: {k: _without(v, keys) for k, v in value.items() if k not in keys}
        if key == "properties"
        else _without(value, keys)
        for key, value in part.items()
    }


def _schema(operation: Operation, kind: str) -> dict[str, Any] | None:
    """What is to be filled in; of several kinds, the one that was chosen, or None."""
    if not operation.kinds:
        asked = operation.asked
        schema = {**resolved(asked, asked), "$defs": asked.get("$defs", {})}
        if only := ONLY.get(operation.name):
            schema["properties"] = {key: schema["properties"][key] for key in only}
        return schema
    if kind not in operation.kinds:
        return None
    return {**operation.kinds[kind], "$defs": operation.asked["$defs"]}


async def _subject(request: Request, visitor: Visitor, found: Found) -> Told | None:
    """What the operation is about as it is now: the nearest record above it."""
    about = _about(request, found)
    return await visitor.api.get(about.path.format(**found.places)) if about else None


def _about(request: Request, found: Found) -> Operation | None:
    operations = Operations.of(request.app)
    shows = {one.path: one for one in operations.all if one.method == "GET" and not one.is_list}
    path = found.operation.path
    while path.count("/") > 2:
        if path in shows and ("{" in path or found.operation.asks_seen):
            return shows[path]
        path = path.rpartition("/")[0]
    return None


def _back(request: Request, found: Found) -> str:
    """Where one came from: a venue's page, or that of what the operation is about."""
    venue_id = request.query_params.get("venue_id", "")
    if _is_id(venue_id):
        return f"/console/venues/{venue_id}"
    about = _about(request, found)
    if about:
        return about.address.format(**found.places)
    return found.operation.address.format(**found.places).removesuffix("/new")


def name_of(seen: Told | None) -> str:
    body = seen.body if seen else {}
    return str(body.get("name") or (body.get("venue") or {}).get("name") or "")


def _as_edited(operation: Operation, body: Mapping[str, Any]) -> dict[str, Any]:
    """A record as the form that edits it is filled in."""
    asked = resolved(operation.asked, operation.asked).get("properties", {})
    values = {key: body[key] for key in asked if key in body}
    for key in asked:
        if key.endswith("_id") and key not in values and body.get(key[:-3]):
            values[key] = body[key[:-3]]["id"]
    return values


async def choices_of(
    visitor: Visitor, schema: Mapping[str, Any], values: Mapping[str, Any]
) -> dict[str, list[Choice]]:
    """What the register offers for some fields."""
    asked = schema.get("properties", {})
    found: dict[str, list[Choice]] = {}
    if "season_id" in asked:
        seasons = (await visitor.api.get("/v1/admin/seasons", limit=200)).body["items"]
        if seasons:
            found["season_id"] = [Choice(one["id"], one["name"]) for one in seasons]
    if "ward" in asked:
        wards = (await visitor.api.get("/v1/admin/wards")).body["wards"]
        found["ward"] = [Choice(one["code"], one["name"]) for one in wards]
    if "findings" in asked:
        schemes = (await visitor.api.get("/v1/admin/schemes")).body["items"]
        chosen = [one for one in schemes if one["key"] == values.get("scheme")] or schemes
        criteria = [criterion for one in chosen for criterion in one.get("criteria", ())]
        found["criterion"] = [Choice(one["key"], one["title"]) for one in criteria]
    return found


REFERENCES = {"venue": "/v1/admin/venues", "business": "/v1/admin/businesses"}
"""Where the API has what a field names."""


async def _named(visitor: Visitor, parts: Sequence[Field]) -> list[Field]:
    """The fields with names in place of the ids of venues and businesses."""
    return [
        replace(
            part,
            value=await _name(visitor, part) if part.kind in REFERENCES else part.value,
            parts=await _named(visitor, part.parts),
        )
        for part in parts
    ]


async def _name(visitor: Visitor, part: Field) -> str:
    text = str(part.value)
    if not _is_id(text):
        return text
    try:
        return _told_apart((await visitor.api.get(f"{REFERENCES[part.kind]}/{text}")).body)
    except Refused:
        return text


async def _with_references(
    visitor: Visitor, parts: Sequence[Field], typed: Typed
) -> tuple[dict[str, Sequence[str]], list[FieldError]]:
    """What was typed, with ids in place of the names of venues and businesses."""
    made = dict(typed)
    errors = []
    for part in (one for whole in parts for one in whole.every()):
        text = _last(typed, part.key).strip()
        if part.kind not in REFERENCES or not text or _is_id(text):
            continue
        named = text.removesuffix(")").rpartition(" (")[0] if text.endswith(")") else ""
        asked = {"name": named or text, "limit": 200}
        # What is no name, for its length say, is refused: then nothing is known by it.
        told = await visitor.api.send("GET", REFERENCES[part.kind], asked=asked)
        items = told.body.get("items", [])
        exact = [
            one
            for one in items
            if text.casefold() in (one["name"].casefold(), _told_apart(one).casefold())
        ]
        # A part of a name will do where it fits one alone; with another's reference, none does.
        chosen = exact or ([] if named else items)
        if len(chosen) == 1:
            made[part.key] = [chosen[0]["id"]]
            continue
        names = "; ".join(_told_apart(one) for one in items[:5])
        message = f"could be {names}: type one of them" if items else "is not known by that name"
        errors.append(FieldError(field=part.key, message=message))
    return made, errors


def _told_apart(item: Mapping[str, Any]) -> str:
    """A name that fits one alone, to be read and to be typed."""
    return f"{item['name']} ({item['reference']})" if "reference" in item else str(item["name"])


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _done(request: Request, visitor: Visitor, found: Found, told: Told) -> Response:
    """What was done: the record, or what is shown this once."""
    operation = found.operation
    is_shown_once = told.headers.get("cache-control") == "no-store"
    if told.body and (is_shown_once or not (operation.creates or operation.asks_seen)):
        return staff_page(
            request,
            visitor,
            "result.html",
            operation.summary,
            part=shown(told.body, operation.shown, operation.shown),
            back=_back(request, found),
        )
    # Who came from a venue's page goes back to it.
    is_new = told.location and not {"venue_id"} & {*request.query_params, *found.places}
    where = page_of(told.location) if is_new else _back(request, found)
    return RedirectResponse(f"{where}?{urlencode({'done': operation.name})}", 303)


def page_of(path: str) -> str:
    """The address of the page of what the API shows at a path."""
    begin = next((begin for begin in ADDRESSES if path.startswith(begin)), "")
    return ADDRESSES[begin] + path.removeprefix(begin) if begin else "/console"


def _last(typed: Typed, key: str) -> str:
    return next(iter(reversed(typed.get(key, ()))), "")
