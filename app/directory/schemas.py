"""What the public API takes and gives. The same models check requests and make the OpenAPI."""

import json
import re
from collections import Counter
from collections.abc import Iterable
from datetime import date, datetime
from typing import Annotated, Any, Literal, Self
from urllib.parse import unquote_to_bytes
from uuid import UUID

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
)
from pydantic.json_schema import SkipJsonSchema

from app.core.errors import FieldError, Invalid, field_errors, field_name, wrong
from app.core.london import instant
from app.schemes.registry import SchemeKey
from app.venues.models import Category, Facility, StepFree

Absent = SkipJsonSchema[None]
"""For what is left out of an answer where it does not apply; it is never null."""

AN_HAVEN_ID = "6f1c0c5e-2f6e-4d4b-9a57-0f7c3f1f2a10"


def _facilities(value: object) -> tuple[Facility, ...]:
    named = value.split(",") if isinstance(value, str) else value
    if not isinstance(named, list | tuple) or not all(name in list(Facility) for name in named):
        raise ValueError(f"must be some of {', '.join(Facility)}")
    return tuple(Facility(name) for name in named)


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


Number = Annotated[float, BeforeValidator(_number)]
WholeNumber = Annotated[int, BeforeValidator(_whole_number)]


class NearestQuestion(BaseModel):
    """Where somebody stands and what they need."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lat: Number = Field(
        ge=-90, le=90, allow_inf_nan=False, description="Degrees, WGS 84", examples=[51.5155]
    )
    lon: Number = Field(
        ge=-180, le=180, allow_inf_nan=False, description="Degrees, WGS 84", examples=[-0.0922]
    )
    limit: WholeNumber = Field(default=5, ge=1, le=50, description="How many havens at the most")
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
            several = [name for name, count in counts.items() if count > 1]
            raise _each(several, "is given more than once")
        if None in values.values():
            values = {k: v for k, v in pairs if v is not None or k not in cls.model_fields}
        try:
            checked: Self = validate(values)
        except ValidationError as error:
            raise Invalid(field_errors(error.errors())) from None
        return checked


def _each(names: Iterable[str], message: str) -> Invalid:
    return Invalid([FieldError(field=field_name([name]), message=message) for name in names])


def _decoded(part: bytes) -> tuple[str, str]:
    name, _, value = (unquote_to_bytes(side.replace(b"+", b" ")) for side in part.partition(b"="))
    try:
        return name.decode(), value.decode()
    except UnicodeDecodeError:
        field = field_name([name.decode(errors="replace")])
        raise wrong(field, "is not UTF-8") from None


class Location(BaseModel):
    lat: float = Field(examples=[51.5148])
    lon: float = Field(examples=[-0.0931])


class OpenState(BaseModel):
    """Whether a haven is open; `unknown` is never a promise. Times are UTC."""

    state: Literal["open", "closed", "unknown"]
    until: datetime | Absent = Field(
        default=None,
        description="When it closes; absent when it does not within two weeks",
        examples=["2026-11-28T02:00:00Z"],
    )
    closes_soon: bool | Absent = Field(
        default=None, description="Whether that is within 30 minutes"
    )
    opens_at: datetime | Absent = Field(
        default=None,
        description="When it opens, if that is known; in `opens_next`, for the first time that one"
        " can be there before it shuts again",
    )


class InForce(BaseModel):
    """A scheme in which the venue is accredited."""

    scheme: SchemeKey = Field(examples=["safe_haven"])
    until: date | Absent = Field(
        default=None,
        description="The last day, in London; absent where there is no end",
        examples=["2027-03-31"],
    )
    grade: str | Absent = Field(
        default=None,
        description="In a scheme that is awarded in grades",
        examples=["highly_commended"],
    )


class Span(BaseModel):
    """From one instant up to, not including, another. UTC."""

    model_config = ConfigDict(populate_by_name=True)

    begin: datetime = Field(alias="from", examples=["2026-11-27T11:00:00Z"])
    until: datetime = Field(examples=["2026-11-28T02:00:00Z"])


class Haven(BaseModel):
    """A venue with trained staff who offer refuge. What does not apply is absent, never null."""

    id: UUID = Field(examples=[AN_HAVEN_ID])
    name: str = Field(examples=["The Lantern & Anchor"])
    category: Category = Field(examples=["pub"])
    notice: str | Absent = Field(
        default=None,
        description="Present on invented havens only: they must never be shown as real",
        examples=["demonstration data: not a real haven"],
    )
    address: str | Absent = Field(default=None, examples=["1 Lantern Passage"])
    postcode: str | Absent = Field(default=None, examples=["EC2V 0ZZ"])
    ward: str | Absent = Field(default=None, examples=["Lanterngate (demonstration)"])
    location: Location
    opening_hours: str | Absent = Field(
        default=None,
        description="As OpenStreetMap writes them; absent when unknown",
        examples=["Mo-We 11:00-23:00; Th-Sa 11:00-02:00; PH off"],
    )
    phone: str | Absent = Field(default=None, examples=["020 7946 0123"])
    entrance: str | Absent = Field(default=None, examples=["Blue door on the passage side"])
    facilities: list[Facility] = Field(examples=[["water", "seat", "toilet", "phone_charging"]])
    step_free: StepFree = Field(examples=["yes"])
    schemes: list[InForce]
    directions_url: str = Field(
        description="Opens walking directions; holds the destination only, never where you are"
    )


class NearHaven(Haven):
    """A haven seen from where somebody stands."""

    distance_m: int = Field(description="As the crow flies", examples=[100])
    bearing_deg: int = Field(ge=0, lt=360, description="0 is north, 90 east", examples=[219])
    walking_minutes: int = Field(
        description="An estimate that rather errs late: the distance in metres, not yet rounded,"
        " times the `walking_factor` of `GET /v1/havens`, at 80 m a minute, rounded up",
        examples=[3],
    )
    open: OpenState


class DirectoryInfo(BaseModel):
    """Which state of the directory an answer comes from."""

    version: int = Field(examples=[42])
    generated_at: datetime = Field(examples=["2026-11-27T23:04:11Z"])
    notice: str | Absent = Field(default=None, description="Present when every haven is invented")


class LiveDirectoryInfo(DirectoryInfo):
    age_seconds: int = Field(
        ge=0, description="Since the directory was last known to be current", examples=[0]
    )


class WholeDirectoryInfo(DirectoryInfo):
    valid_from: datetime = Field(description="The first instant that `availability` covers")
    valid_until: datetime = Field(description="The instant up to which `availability` covers")
    confirm_by: datetime = Field(
        description="After this, a client shows that the directory may have changed"
    )
    walking_factor: float = Field(
        ge=1,
        le=5,
        description="How many times the distance the way on foot is taken to be. Minutes on foot"
        " are metres, by the distance on the sphere, times this, divided by 80, rounded up.",
        examples=[1.7],
    )


class Contact(BaseModel):
    """Somebody to call."""

    name: str = Field(examples=["Emergency services"])
    phone: str | Absent = Field(default=None, examples=["999"])
    text: str | Absent = Field(default=None, description="Number to send a text message to")
    url: str | Absent = Field(default=None)
    note: str | Absent = Field(default=None)


class ProblemReportTaken(BaseModel):
    """The report is kept. Nobody reads it live: `help` says whom to call."""

    notice: str
    help: list[Contact]


class NearestAnswer(BaseModel):
    """The nearest havens, nearest first."""

    at: datetime = Field(examples=["2026-11-27T23:30:00Z"])
    directory: LiveDirectoryInfo
    havens: list[NearHaven] = Field(
        description="Open, and still open 5 minutes after one has walked there"
    )
    closing: list[NearHaven] = Field(
        description="Open, and can be reached before closing, but without those 5 minutes; none"
        " that lies beyond 2 km and beyond `limit` of `havens`"
    )
    opens_next: list[NearHaven] = Field(
        description="When fewer than `limit` of `havens` lie within 2 km: what opens next, by the"
        " later of opening and arrival. One arrives before it shuts again, without those 5 minutes"
        " to spare. It can hold a haven that is open now but shuts before one can be there:"
        " `open.state` is then `open`, and `open.opens_at` its next opening that one can be there"
        " for."
    )
    help: list[Contact] = Field(description="Whom to call, always")


class DirectoryHaven(Haven):
    """A haven in the whole directory."""

    availability: list[Span] | Absent = Field(
        default=None,
        description="When it is open and accredited; absent when its hours are unknown",
    )


class WholeDirectory(BaseModel):
    """Every listed haven, with all that a phone needs to answer without a network."""

    directory: WholeDirectoryInfo
    havens: list[DirectoryHaven]


class Geometry(BaseModel):
    """A place as GeoJSON writes it."""

    type: Literal["Point"]
    coordinates: tuple[float, float] = Field(description="Longitude, then latitude")


class HavenFeature(BaseModel):
    type: Literal["Feature"]
    id: UUID
    geometry: Geometry
    properties: DirectoryHaven


class HavenFeatures(BaseModel):
    """The whole directory as GeoJSON."""

    type: Literal["FeatureCollection"]
    directory: WholeDirectoryInfo
    features: list[HavenFeature]


class OneHaven(DirectoryHaven):
    """One haven, as it is now."""

    open: OpenState


class HelpAnswer(BaseModel):
    """Whom to call."""

    help: list[Contact]


class Health(BaseModel):
    """`degraded`: answers come from the last good directory, which can't be confirmed now."""

    status: Literal["ok", "degraded", "unavailable"]
    version: int | Absent = Field(default=None)
    age_seconds: int | Absent = Field(default=None, ge=0)
