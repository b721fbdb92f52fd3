"""What the public API gives. Answers are written by hand; these describe them in OpenAPI."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from app.core.settings import Contact
from app.http.fields import Absent
from app.schemes.registry import SchemeKey
from app.venues.kinds import Category, Facility, StepFree
from app.walking.file import ATTRIBUTION, LICENCE
from app.walking.steps import Course, Turn


class Location(BaseModel):
    lat: float = Field(examples=[51.5148])
    lon: float = Field(examples=[-0.0931])


class OpenState(BaseModel):
    """Whether a haven is open; `unknown` is never a promise. Times are UTC."""

    state: Literal["open", "closed", "unknown"]
    until: datetime | Absent = Field(
        default=None,
        description="When it closes; absent when it does not before the `valid_until` of `GET"
        " /v1/havens`, which lies two weeks ahead",
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

    id: UUID = Field(examples=["6f1c0c5e-2f6e-4d4b-9a57-0f7c3f1f2a10"])
    name: str = Field(examples=["The Lantern & Anchor"])
    category: Category = Field(examples=["pub"])
    notice: str | Absent = Field(
        default=None,
        description="Present on invented havens only: they must never be shown as real",
        examples=["demonstration data: not a real haven"],
    )
    address: str | Absent = Field(default=None, examples=["1 Lantern Passage"])
    postcode: str | Absent = Field(default=None, examples=["EC2V 0ZZ"])
    uprn: str | Absent = Field(
        default=None,
        description="Unique Property Reference Number, to bring it together with other registers",
    )
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
        description="At 80 m a minute, rounded up: over the streets, or an estimate that rather"
        " errs late, the distance in metres, not yet rounded, times the `walking_factor` of"
        " `GET /v1/havens`",
        examples=[3],
    )
    walking: Literal["streets", "estimate"] = Field(
        description="Whether the minutes are over the streets of OpenStreetMap",
        examples=["estimate"],
    )
    open: OpenState


class Source(BaseModel):
    """Whose haven it is that is not ours, to be shown with it."""

    name: str = Field(examples=["The next borough (demonstration)"])
    as_of: datetime = Field(
        description="The full hour in which the neighbour last confirmed what it tells",
        examples=["2026-11-27T23:00:00Z"],
    )
    confirm_by: datetime = Field(
        description="After this, a client shows that it may have changed",
        examples=["2026-11-28T23:00:00Z"],
    )


class NearNeighbour(NearHaven):
    """A haven of a neighbour, which vouches for it."""

    neighbour: Source


class BeyondAnswer(BaseModel):
    """The havens of neighbours that would be among the first `limit` of each list if they were
    ours: who puts both together by `walking_minutes`, then `distance_m`, has the nearest of all."""

    havens: list[NearNeighbour]
    closing: list[NearNeighbour]
    opens_next: list[NearNeighbour]


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
    valid_until: datetime = Field(
        description="The instant up to which `availability` covers. A span that reaches it has no"
        " end that is known, and of this instant and later ones nothing is known."
    )
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
    streets: str | Absent = Field(
        default=None,
        description="Which streets `GET /v1/streets` has, where there are any: another value, other"
        " streets",
        examples=["8d1f7c1f6f1b4d0e9f3a1c5b7e2d4a60"],
    )


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
    beyond: BeyondAnswer | Absent = Field(
        default=None, description="What neighbours tell; absent where none is known"
    )
    help: list[Contact] = Field(description="Whom to call, always")


class DirectoryHaven(Haven):
    """A haven in the whole directory."""

    availability: list[Span] | Absent = Field(
        default=None,
        description="When it is open and accredited, from `valid_from` to `valid_until`; absent"
        " when its hours are unknown",
    )
    listed: list[Span] | Absent = Field(
        default=None,
        description="When it is accredited; absent when it is all the time from `valid_from` to"
        " `valid_until`. `opens_next` holds only what is listed at the instant asked about.",
    )


class NeighbourDirectory(Source):
    """What a neighbour tells of its havens, which it vouches for."""

    valid_from: datetime = Field(description="As of the `directory`, for this neighbour's havens")
    valid_until: datetime = Field(description="As of the `directory`, for this neighbour's havens")
    notice: str | Absent = Field(default=None, description="Present when every haven is invented")
    attribution: str | Absent = Field(
        default=None, description="What is to be shown where its havens are"
    )
    havens: list[DirectoryHaven]
    upcoming: list[DirectoryHaven]


class WholeDirectory(BaseModel):
    """Every listed haven, with all that a phone needs to answer without a network."""

    directory: WholeDirectoryInfo
    havens: list[DirectoryHaven]
    upcoming: list[DirectoryHaven] = Field(
        description="Not listed yet, and so no havens yet, but before `valid_until`: for answers"
        " about an instant that lies ahead"
    )
    neighbours: list[NeighbourDirectory] | Absent = Field(
        default=None,
        description="Havens beyond our boundary, by who vouches for them; absent where no"
        " neighbour is known. None of them is in anything else that is told here of havens.",
    )


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


Ring = list[tuple[float, float]]


class Area(BaseModel):
    """One or more polygons as GeoJSON writes them."""

    type: Literal["Polygon", "MultiPolygon"]
    coordinates: list[Ring] | list[list[Ring]] = Field(
        description="Longitude, then latitude; of a polygon its outer ring, then its holes"
    )


class WardNamed(BaseModel):
    code: str = Field(examples=["E05009288"])
    name: str = Field(description="As the `ward` of a haven", examples=["Aldersgate"])


class WardOutline(BaseModel):
    type: Literal["Feature"]
    id: str = Field(description="The ward's code", examples=["E05009288"])
    geometry: Area
    properties: WardNamed


class WardOutlines(BaseModel):
    """Every ward, as GeoJSON."""

    type: Literal["FeatureCollection"]
    notice: str | Absent = Field(default=None, description="Present when every haven is invented")
    features: list[WardOutline]


class PostcodesOfDistrict(BaseModel):
    codes: str = Field(description="Their second halves, three letters each", examples=["8AH8AJ"])
    lat: list[int] = Field(
        description="How far north the first lies, and each next one of the one before",
        examples=[[5_151_352, -11]],
    )
    lon: list[int] = Field(description="The same for east", examples=[[-8_931, 24]])


class PostcodeList(BaseModel):
    """The postcodes of the area."""

    source: str = Field(description="Who published them", examples=["ONS Postcode Directory"])
    attribution: str = Field(description="What is to be shown where they are used")
    imported: date = Field(description="On which day they were imported")
    per_degree: int = Field(description="How many steps a degree has", examples=[100_000])
    districts: dict[str, PostcodesOfDistrict] = Field(description="By the first half of the code")


class OneHaven(DirectoryHaven):
    """One haven, as it is now."""

    open: OpenState


class Line(BaseModel):
    """A line as GeoJSON writes it."""

    type: Literal["LineString"]
    coordinates: list[tuple[float, float]] = Field(description="Longitude, then latitude")


class RouteStep(BaseModel):
    """One step of a way."""

    text: str = Field(
        description="In words, its length told round",
        examples=["Turn left into Lantern Passage, 80 m"],
    )
    metres: float = Field(ge=0, description="Exactly; those of all steps add up", examples=[81.37])
    # In place: a report has a Turn, too, and the two would take each other's name.
    turn: Annotated[str, WithJsonSchema({"type": "string", "enum": list(Turn)})] = Field(
        description="How it begins. The last step is the door, and on which side it is.",
        examples=["left"],
    )
    over: Annotated[Course | Absent, WithJsonSchema({"type": "string", "enum": list(Course)})] = (
        Field(
            default=None, description="What it leads over; absent of the door", examples=["street"]
        )
    )
    street: str | Absent = Field(
        default=None, description="Its name, if it has one", examples=["Lantern Passage"]
    )
    begins: tuple[float, float] = Field(
        description="Longitude, then latitude", examples=[(-0.0931, 51.5148)]
    )


class RouteFacts(BaseModel):
    haven: UUID = Field(examples=["6f1c0c5e-2f6e-4d4b-9a57-0f7c3f1f2a10"])
    notice: str | Absent = Field(
        default=None, description="Present on the way to an invented haven only"
    )
    metres: float = Field(ge=0, description="Over the streets, to the centimetre", examples=[212.4])
    walking_minutes: int = Field(
        ge=0, description="As `nearest` says from the same place", examples=[3]
    )
    no_known_steps: str | Absent = Field(
        default=None,
        description="Present where the way was to be without steps: it has none that the map knows,"
        " and no more than that is known",
        examples=["No known steps"],
    )
    steps: list[RouteStep] = Field(description="The way in words")
    attribution: str = Field(description="To be shown with the way", examples=[ATTRIBUTION])
    licence: str = Field(examples=[LICENCE])
    streets_of: datetime | Absent = Field(
        default=None, description="Of when the map is, if that is known"
    )


class Route(BaseModel):
    """A way on foot over the streets of OpenStreetMap, as GeoJSON."""

    type: Literal["Feature"]
    geometry: Line
    properties: RouteFacts


class HelpAnswer(BaseModel):
    """Whom to call."""

    help: list[Contact]


class NeighbourHealth(BaseModel):
    """How it stands with a neighbour."""

    name: str = Field(examples=["The next borough (demonstration)"])
    as_of: datetime | Absent = Field(
        default=None, description="When it last confirmed what is shown; absent before it ever did"
    )
    held: str | Absent = Field(
        default=None, description="Why it is held at that, if it is", examples=["it answers 502"]
    )


class Health(BaseModel):
    """`degraded`: answers come from the last good directory, which can't be confirmed now."""

    status: Literal["ok", "degraded", "unavailable"]
    version: int | Absent = Field(default=None)
    age_seconds: int | Absent = Field(default=None, ge=0)
    neighbours: list[NeighbourHealth] | Absent = Field(
        default=None, description="Each that is shown; none of them makes this service degraded"
    )
