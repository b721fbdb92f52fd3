"""The fields of a form, from the JSON schema of what it sends, and back from what was typed.

A field is named like its place: `attendances.0.role`. What is left empty is left out, or cleared
where something is edited.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from fastapi import Request

from app.core.errors import FieldError
from app.core.london import LONDON, instant
from app.web.staff.asking import LABELS, SELDOM, hint_of, ordered
from app.web.staff.shown import Schema, name, resolved, wording

Kind = Literal[
    "text",
    "long",
    "number",
    "day",
    "moment",
    "yes_no",
    "one",
    "several",
    "lines",
    "pairs",
    "rows",
    "group",
    "fixed",
    "hidden",
    "venue",
    "business",
    "password",
]
BLANK_ROWS = 2
FEW = 7
LONG = 400


@dataclass(frozen=True)
class Choice:
    value: str
    text: str


@dataclass(frozen=True)
class Field:
    """A place for something to be typed or chosen."""

    key: str
    kind: Kind
    label: str
    hint: str = ""
    value: Any = ""
    choices: Sequence[Choice] = ()
    is_needed: bool = False
    is_nullable: bool = False
    is_long: bool = False
    is_seldom: bool = False
    parts: Sequence["Field"] = ()
    """Of a group, its fields; of rows, the groups."""
    error: str = ""
    schema: Schema = field(default_factory=dict)

    @property
    def id(self) -> str:
        return self.key.replace(".", "-")

    def every(self) -> Iterator["Field"]:
        """This field and all inside it."""
        yield self
        for part in self.parts:
            yield from part.every()


def fields(
    schema: Schema, values: Mapping[str, Any], choices: Mapping[str, Sequence[Choice]]
) -> list[Field]:
    """The fields of a form. `choices` are those that the register gives, by the field's name."""
    return _fields(resolved(schema, schema), schema, "", values, choices)


def _fields(
    schema: Schema,
    root: Schema,
    begin: str,
    values: Mapping[str, Any],
    choices: Mapping[str, Sequence[Choice]],
) -> list[Field]:
    needed = set(schema.get("required", ()))
    parts = schema.get("properties", {})
    return [
        _field(
            key, parts[key], root, f"{begin}{key}", values.get(key), choices, needed=key in needed
        )
        for key in ordered(parts)
    ]


def _field(
    key: str,
    schema: Schema,
    root: Schema,
    place: str,
    value: Any,
    choices: Mapping[str, Sequence[Choice]],
    *,
    needed: bool,
) -> Field:
    schema = resolved(schema, root)
    made = Field(
        place,
        "text",
        LABELS.get(key, name(key)),
        hint=hint_of(key, schema, needed=needed),
        value="" if value is None else value,
        is_needed=needed,
        is_nullable=bool(schema.get("nullable")),
        is_seldom=key in SELDOM,
        schema=schema,
    )
    if key == "criterion" or (key == "scheme" and needed and value):
        return replace(made, kind="hidden")
    if key in choices:
        given = list(choices[key])
        return replace(
            made, kind="several" if _is_list(schema) else "one", choices=given, is_long=True
        )
    if "const" in schema:
        return replace(made, kind="fixed", value=schema["const"])
    if "enum" in schema:
        given = [Choice(one, wording(one)) for one in schema["enum"]]
        usual = schema.get("default") or ""
        if usual and len(given) == 1:
            return replace(made, kind="hidden", value=usual)
        return replace(
            made, kind="one", choices=given, is_long=len(given) > FEW, value=made.value or usual
        )
    match schema.get("type"):
        case "boolean":
            given = [Choice("true", "Yes"), Choice("false", "No")]
            chosen = schema.get("default", "") if value is None else value
            said = {True: "true", False: "false"}.get(chosen, chosen)
            return replace(made, kind="yes_no", choices=given, value=said)
        case "integer" | "number":
            default = schema.get("default") if value is None else value
            return replace(made, kind="number", value="" if default is None else default)
        case "array":
            return _several(made, schema, root, value, choices)
        case "object" if "properties" in schema:
            inside = value if isinstance(value, Mapping) else {}
            parts = _fields(schema, root, f"{place}.", inside, choices)
            return replace(made, kind="group", parts=parts)
        case "object":
            pairs = value if isinstance(value, Mapping) else {}
            text = "\n".join(f"{k}: {v}" for k, v in pairs.items()) if pairs else value or ""
            hint = "One on each line: a short name, a colon, and what it is called"
            return replace(made, kind="pairs", value=text, hint=hint)
    return _text(made, key, schema)


def _text(made: Field, key: str, schema: Schema) -> Field:
    match schema.get("format"):
        case "date":
            return replace(made, kind="day")
        case "date-time":
            return replace(made, kind="moment", value=_local(made.value))
        case "password":
            return replace(made, kind="password")
    if key in ("venue_id", "business_id"):
        kind: Kind = "venue" if key == "venue_id" else "business"
        return replace(made, kind=kind)
    if schema.get("maxLength", 0) >= LONG:
        return replace(made, kind="long")
    examples = schema.get("examples", ())
    hint = made.hint or (f"For example: {examples[0]}" if examples else "")
    return replace(made, hint=hint)


def _several(
    made: Field,
    schema: Schema,
    root: Schema,
    value: Any,
    choices: Mapping[str, Sequence[Choice]],
) -> Field:
    items = resolved(schema.get("items", {}), root)
    given = value if isinstance(value, list) else []
    if "enum" in items:
        offered = [Choice(one, wording(one)) for one in items["enum"]]
        return replace(made, kind="several", choices=offered, value=given)
    if items.get("type") == "object":
        # A checklist has its own rows; to others, some may be added.
        is_checklist = "criterion" in items.get("properties", {})
        blank: list[Any] = [] if is_checklist else [{} for _ in range(BLANK_ROWS)]
        rows = [
            Field(
                f"{made.key}.{n}",
                "group",
                _row_name(row, n, choices),
                parts=_fields(items, root, f"{made.key}.{n}.", row, choices),
                schema=items,
            )
            for n, row in enumerate([*given, *blank])
        ]
        return replace(made, kind="rows", parts=rows, is_long=not is_checklist)
    text = "\n".join(map(str, given)) if isinstance(value, list) else str(value or "")
    return replace(made, kind="lines", value=text, hint=made.hint or "One on each line")


def _row_name(row: Mapping[str, Any], n: int, choices: Mapping[str, Sequence[Choice]]) -> str:
    criteria = {one.value: one.text for one in choices.get("criterion", ())}
    return criteria.get(row.get("criterion", ""), str(n + 1))


def _is_list(schema: Schema) -> bool:
    return schema.get("type") == "array"


# --- what was typed ------------------------------------------------------------------------------


Typed = Mapping[str, Sequence[str]]


async def typed_in(request: Request) -> Typed:
    """What was typed into the form that a request sends."""
    form = await request.form()
    return {key: [str(one) for one in form.getlist(key)] for key in form}


def given(parts: Sequence[Field], typed: Typed, *, edits: bool) -> dict[str, Any]:
    """What a form sends. What is empty is left out; where something is edited, it is cleared."""
    found = {}
    for part in parts:
        value = _given(part, typed, edits=edits)
        if value is not None:
            found[part.key.rpartition(".")[2]] = value
        elif edits and part.is_nullable:
            found[part.key.rpartition(".")[2]] = None
    return found


def _given(part: Field, typed: Typed, *, edits: bool) -> Any:
    text = next((one.strip() for one in reversed(typed.get(part.key, ()))), "")
    match part.kind:
        case "fixed":
            return part.value
        case "several":
            some = [one for one in typed.get(part.key, ()) if one]
            return some if some or edits else None
        case "lines":
            written = [line for one in typed.get(part.key, ()) for line in one.splitlines()]
            lines = [line.strip() for line in written if line.strip()]
            return lines if lines or edits else None
        case "pairs":
            return _pairs(text) or None
        case "group":
            return given(part.parts, typed, edits=False) or None
        case "rows":
            rows = [
                row
                for one in part.parts
                if any(_is_typed(inner, typed) for inner in one.every())
                for row in [given(one.parts, typed, edits=False)]
            ]
            return rows if rows or edits else None
    if not text:
        is_text = part.kind in ("text", "long") and part.schema.get("type") == "string"
        return "" if edits and is_text and not part.schema.get("format") else None
    match part.kind:
        case "yes_no":
            return {"true": True, "false": False}.get(text, text)
        case "number":
            return _number(text)
        case "moment":
            return of_london(text)
    return text


def _is_typed(part: Field, typed: Typed) -> bool:
    # A number that stands there from the beginning says nothing, and neither does what is fixed.
    texts = [text.strip() for text in typed.get(part.key, ())]
    untouched = ("", str(part.schema.get("default", "")))
    return part.kind != "fixed" and any(text not in untouched for text in texts)


def _number(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text.replace(",", ""))
        except ValueError:
            continue
    return text


def _pairs(text: str) -> dict[str, str]:
    lines = [line.partition(":") for line in text.splitlines() if line.strip()]
    return {key.strip(): value.strip() for key, _, value in lines}


def of_london(text: str) -> str:
    """A time of London's clocks as the API takes it; the earlier one where it comes twice."""
    try:
        there = datetime.fromisoformat(text)
    except ValueError:
        return text
    return text if there.tzinfo else there.replace(tzinfo=LONDON).isoformat()


def _local(value: Any) -> str:
    """A time as London's clocks show it; what is none, as it was typed."""
    try:
        return f"{instant(of_london(str(value))).astimezone(LONDON):%Y-%m-%dT%H:%M}"
    except ValueError:
        return str(value)


def rows_typed(typed: Typed, key: str) -> int:
    """How many rows of a table were on the form that was sent."""
    begin = f"{key}."
    numbers = [
        int(number)
        for place in typed
        if place.startswith(begin)
        and (number := place.removeprefix(begin).partition(".")[0]).isdigit()
    ]
    return min(max(numbers, default=-1) + 1, 400)


def with_typed(parts: Sequence[Field], typed: Typed) -> list[Field]:
    """The fields as they were filled in, right or wrong."""
    return [_with_typed(part, typed) for part in parts]


def _with_typed(part: Field, typed: Typed) -> Field:
    if part.parts:
        return replace(part, parts=with_typed(part.parts, typed))
    if part.kind == "fixed":
        return part
    texts = list(typed.get(part.key, ()))
    match part.kind:
        case "several":
            return replace(part, value=texts)
        case "lines":
            return replace(part, value="\n".join(texts))
    return replace(part, value=(texts or [""])[-1])


def with_errors(
    parts: Sequence[Field], errors: Sequence[FieldError]
) -> tuple[list[Field], list[tuple[str, str]]]:
    """The fields with what is wrong with each, and all of it in order, each with where it leads."""
    every = {part.key: part for one in parts for part in one.every()}
    by_place: dict[str, str] = {}
    loose = []
    for error in errors:
        place = error.field.replace("[", ".").replace("]", "")
        while place and place not in every:
            place = place.rpartition(".")[0]
        if place:
            by_place.setdefault(place, error.message)
        else:
            loose.append(
                (error.message if not error.field else f"{name(error.field)} {error.message}", "")
            )
    told = [
        (f"{part.label} {by_place[part.key]}", f"#{part.id}")
        for part in every.values()
        if part.key in by_place
    ]
    return [_with_error(part, by_place) for part in parts], told + loose


def beside(theirs: Sequence[Field], ours: Sequence[Field]) -> list[tuple[str, str, str]]:
    """What is filled in otherwise: the field's name, what stands there, and what was typed."""
    typed = {part.key: part for one in ours for part in one.every() if not part.parts}
    return [
        (part.label, _said(part), _said(typed[part.key]))
        for one in theirs
        for part in one.every()
        if part.key in typed and _said(part) != _said(typed[part.key])
    ]


def _said(part: Field) -> str:
    """What a field holds, as it is read."""
    if isinstance(part.value, list):
        chosen = set(map(str, part.value))
        return ", ".join(choice.text for choice in part.choices if choice.value in chosen)
    text = str(part.value)
    return next((choice.text for choice in part.choices if choice.value == text), text)


def _with_error(part: Field, by_place: Mapping[str, str]) -> Field:
    inside = [_with_error(one, by_place) for one in part.parts]
    return replace(part, error=by_place.get(part.key, ""), parts=inside)
