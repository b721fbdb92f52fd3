"""The question of the public API: read from an address or a body, refused where it is unclear."""

import json
import re
from collections import Counter
from datetime import datetime
from typing import Annotated, Any, Self
from urllib.parse import unquote_to_bytes

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
)

from app.core.errors import FieldError, Invalid, field_errors, field_name, wrong
from app.core.london import instant
from app.venues.kinds import Facility


def _facilities(value: object) -> tuple[Facility, ...]:
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or not all(name in list(Facility) for name in names):
        raise ValueError(f"must be some of {', '.join(Facility)}")
    return tuple(map(Facility, names))


_DECIMAL = re.compile(r"[+-]?[0-9.]+([eE][+-]?[0-9]+)?")
_WHOLE = re.compile(r"[+-]?[0-9]+(\.0*)?")


def _number(value: object) -> object:
    # Pydantic would also read " 5 " and "1_0" for 5.
    if isinstance(value, str) and not _DECIMAL.fullmatch(value):
        raise ValueError("must be a decimal number")
    return value


def _whole_number(value: object) -> object:
    if isinstance(value, str) and not _WHOLE.fullmatch(value):
        raise ValueError("must be a whole number")
    # In JSON 5.0 is the same number as 5.
    return int(value) if isinstance(value, float) and value.is_integer() else value


USUAL_LIMIT = 5
"""How many havens are told of when nobody says how many."""

Number = Annotated[float, BeforeValidator(_number)]
WholeNumber = Annotated[int, BeforeValidator(_whole_number)]


class Asked(BaseModel):
    """What somebody asks, in an address or as JSON."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def from_query(cls, query: bytes) -> Self:
        """Read a query string; a parameter given twice or not in UTF-8 is an error. Raises
        `Invalid`."""
        if b"%" in query or b"+" in query or not query.isascii():
            pairs = [_decoded(part) for part in query.split(b"&") if part]
        else:
            # Nothing to decode, in one go.
            parts = query.decode().split("&")
            pairs = [(name, value) for name, _, value in (p.partition("=") for p in parts if p)]
        return cls._checked(pairs, cls.model_validate_strings)

    @classmethod
    def from_json(cls, body: bytes) -> Self:
        """Read a JSON object; a field given twice is an error. Raises `Invalid`."""
        pairs: list[tuple[str, Any]] = []

        def keep(members: list[tuple[str, Any]]) -> dict[str, Any]:
            pairs[:] = members
            return dict(members)

        try:
            document = json.loads(body, object_pairs_hook=keep)
        except UnicodeDecodeError:
            raise wrong("body", "is not UTF-8") from None
        except (ValueError, RecursionError):
            raise wrong("body", "is not valid JSON") from None
        if not isinstance(document, dict):
            raise wrong("body", "must be a JSON object")
        return cls._checked(pairs, lambda values: cls.model_validate(values, strict=True))

    @classmethod
    def _checked(cls, pairs: list[tuple[str, Any]], validate: Any) -> Self:
        values = dict(pairs)
        if len(values) < len(pairs):
            counts = Counter(name for name, _ in pairs)
            fields = [field_name([name]) for name, count in counts.items() if count > 1]
            message = "is given more than once"
            raise Invalid([FieldError(field=field, message=message) for field in fields])
        if None in values.values():
            values = {k: v for k, v in pairs if v is not None or k not in cls.model_fields}
        try:
            checked: Self = validate(values)
        except ValidationError as error:
            raise Invalid(field_errors(error.errors())) from None
        return checked


class NearestQuestion(Asked):
    """Where somebody stands and what they need."""

    lat: Number = Field(
        ge=-90, le=90, allow_inf_nan=False, description="Degrees, WGS 84", examples=[51.5155]
    )
    lon: Number = Field(
        ge=-180, le=180, allow_inf_nan=False, description="Degrees, WGS 84", examples=[-0.0922]
    )
    limit: WholeNumber = Field(
        default=USUAL_LIMIT, ge=1, le=50, description="How many havens at the most"
    )
    at: Annotated[
        datetime | None,
        BeforeValidator(instant),
        WithJsonSchema({"type": "string", "format": "date-time"}),
    ] = Field(
        default=None,
        description="The instant asked about, with its offset: from 5 minutes ago to 7 days"
        " ahead. Now, when absent.",
        examples=["2026-11-27T23:30:00Z"],
    )
    facilities: Annotated[tuple[Facility, ...], BeforeValidator(_facilities)] = Field(
        default=(), description="Only havens with all of these", examples=[["toilet", "seat"]]
    )
    step_free: bool = Field(default=False, description="Only havens known to have step-free access")
    max_distance_m: Annotated[
        Number | None, WithJsonSchema({"type": "number", "exclusiveMinimum": 0})
    ] = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="Only havens at most this far away; `opens_next` looks farther",
        examples=[1500],
    )


def _decoded(part: bytes) -> tuple[str, str]:
    name, _, value = (unquote_to_bytes(side.replace(b"+", b" ")) for side in part.partition(b"="))
    try:
        return name.decode(), value.decode()
    except UnicodeDecodeError:
        field = field_name([name.decode(errors="replace")])
        raise wrong(field, "is not UTF-8") from None


PLAIN = re.compile(
    rb"lat=(-?[0-8]?[0-9](?:\.[0-9]{1,15})?)"
    rb"&lon=(-?(?:1[0-7]|[0-9])?[0-9](?:\.[0-9]{1,15})?)"
    rb"(?:&limit=([1-9]|[1-4][0-9]))?"
)


def read_plain(query: bytes) -> tuple[float, float, int] | None:
    """Latitude, longitude and limit as `NearestQuestion` reads them, in a fifth of the time, from a
    query string that has nothing else and is worded as nearly everybody words it; None for others.

    What is near the limits of a parameter is left to `NearestQuestion`, which alone knows them.
    """
    if plain := PLAIN.fullmatch(query):
        lat, lon, limit = plain.groups()
        return float(lat), float(lon), int(limit or USUAL_LIMIT)
    return None
