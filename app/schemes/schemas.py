"""What the routes of schemes and decisions take and give."""

from datetime import date, datetime
from typing import Annotated, Literal, TypeAlias
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, Discriminator, Field

from app.core.london import Day, KnownAt
from app.http.fields import Absent, Given, Maybe
from app.http.paging import Paging
from app.schemes.fields import AN_ID, Key, Note, Reason
from app.schemes.models import NO_LAST_DAY
from app.schemes.registry import SchemeKey
from app.schemes.rules import Kind, State
from app.venues.models import VenueStatus

# --- decisions -------------------------------------------------------------------------------


class Finding(Given):
    """What an assessment found about one criterion or, in a season, one area."""

    criterion: Key = Field(examples=["phone_charging"])
    met: bool = Field(examples=[True])
    score: Maybe[int] = Field(
        default=None, ge=0, le=100, description="For the areas of a season", examples=[80]
    )
    note: Maybe[Note] = Field(default=None, examples=["Two sockets behind the bar"])


class _Step(Given):
    scheme: SchemeKey = Field(examples=["safe_haven"])
    on: Maybe[Day] = Field(
        default=None,
        description="The London day on which it took effect; today when absent. A suspension,"
        " reinstatement or withdrawal of today takes effect at once, anything else from the"
        " day's first instant on, or from what was decided before it on that day.",
        examples=["2026-03-02"],
    )


class _InSeason(_Step):
    season_id: Maybe[UUID] = Field(
        default=None, description="In a scheme with seasons: the season it is about"
    )


class Application(_InSeason):
    """The venue applied."""

    kind: Literal[Kind.APPLIED] = Kind.APPLIED


class Assessment(_InSeason):
    """The venue was assessed, criterion by criterion."""

    kind: Literal[Kind.ASSESSED] = Kind.ASSESSED
    findings: list[Finding] = Field(
        default=[],
        max_length=60,
        description="One for each criterion of the checklist, where the scheme has one",
    )


class Award(_InSeason):
    """The accreditation was awarded, or renewed."""

    kind: Literal[Kind.AWARDED] = Kind.AWARDED
    until: Maybe[Day] = Field(
        default=None,
        description="The last day; by the scheme's validity when absent",
        examples=["2027-03-01"],
    )
    grade: Maybe[Key] = Field(
        default=None, description="One of the season's", examples=["commended"]
    )
    override_reason: Maybe[Reason] = Field(
        default=None,
        description="Why it is awarded although the assessment is missing or not passed",
        examples=["The socket by the bar is being fitted this week"],
    )


class Refusal(_Step):
    """The application was refused."""

    kind: Literal[Kind.REFUSED] = Kind.REFUSED
    reason: Reason = Field(examples=["No member of staff is trained"])


class Suspension(_Step):
    """The accreditation was suspended; a Safe Haven is not shown to the public any more."""

    kind: Literal[Kind.SUSPENDED] = Kind.SUSPENDED
    reason: Reason = Field(examples=["Failed an Ask for Angela test on 2 March"])


class Reinstatement(_Step):
    """The suspension was lifted; the accreditation ends when it would have ended."""

    kind: Literal[Kind.REINSTATED] = Kind.REINSTATED
    reason: Maybe[Reason] = Field(default=None, examples=["Debriefed and passed the retest"])


class Withdrawal(_Step):
    """The accreditation, or the application, was withdrawn."""

    kind: Literal[Kind.WITHDRAWN] = Kind.WITHDRAWN
    reason: Reason = Field(examples=["The business has left the scheme"])


Step: TypeAlias = (
    Application | Assessment | Award | Refusal | Suspension | Reinstatement | Withdrawal
)
DecisionIn: TypeAlias = Annotated[Step, Discriminator("kind")]


class DecisionOut(BaseModel):
    """One step of a venue in a scheme, as it was recorded."""

    id: UUID = Field(examples=[AN_ID])
    venue_id: UUID
    scheme: SchemeKey
    kind: Kind = Field(examples=["awarded"])
    on: date = Field(description="The London day of `effective_at`", examples=["2026-03-02"])
    effective_at: datetime
    until: date | Absent = Field(default=None, examples=["2027-03-01"])
    grade: str | Absent = Field(default=None, examples=["commended"])
    certificate: str | Absent = Field(default=None, examples=["SH-2026-0042"])
    season_id: UUID | Absent = None
    reason: str | Absent = None
    override_reason: str | Absent = None
    findings: list[Finding] | Absent = None
    recorded_at: datetime
    recorded_by: str = Field(examples=["account p.okafor"])
    voided_at: datetime | Absent = Field(default=None, description="Set: it was a mistake")
    voided_by: str | Absent = None
    void_reason: str | Absent = None


class DecisionsQuestion(Given, Paging):
    """Which of a venue's decisions to list."""

    scheme: Maybe[SchemeKey] = None


# --- standing --------------------------------------------------------------------------------


class StandingQuestion(Given):
    """A day, and what was known when."""

    on: Maybe[Day] = Field(
        default=None,
        description="The end of that London day; now for today, and when absent",
        examples=["2026-03-31"],
    )
    known_at: Maybe[KnownAt] = Field(
        default=None,
        description="By what had been recorded then; by what is known now when absent",
        examples=["2026-04-01T09:00:00Z"],
    )


class PrerequisiteOut(BaseModel):
    """What an award or reinstatement needs, and whether the venue has it on that day."""

    title: str = Field(examples=["At least one trained member of staff"])
    met: bool
    trained: int = Field(description="How many staff are in date", examples=[12])


class StandingOut(BaseModel):
    """How a venue stands in a scheme, and what can be decided."""

    scheme: SchemeKey
    name: str = Field(examples=["Safe Haven"])
    state: State = Field(examples=["in_force"])
    since: datetime | Absent = Field(
        default=None, description="When the decision or the expiry that made it so took effect"
    )
    until: date | Absent = Field(default=None, description="The last day", examples=["2027-03-01"])
    review_due: date | Absent = Field(
        default=None, description="In a scheme whose awards have no end", examples=["2027-03-02"]
    )
    grade: str | Absent = Field(default=None, examples=["commended"])
    certificate: str | Absent = Field(default=None, examples=["SH-2026-0042"])
    pending: Literal[Kind.APPLIED, Kind.ASSESSED] | Absent = Field(
        default=None, description="An application or assessment that nothing has come of yet"
    )
    next_steps: list[Kind] = Field(
        description="What can be decided", examples=[["applied", "assessed", "awarded"]]
    )
    prerequisites: list[PrerequisiteOut]


class VenueStandings(BaseModel):
    """A venue's standing in every scheme at one instant."""

    venue_id: UUID
    at: datetime = Field(description="The instant: the end of the day asked about, or now")
    schemes: list[StandingOut]


ListedState = Literal[
    State.APPLIED,
    State.ASSESSED,
    State.IN_FORCE,
    State.SUSPENDED,
    State.EXPIRED,
    State.WITHDRAWN,
    State.REFUSED,
]


class AccreditationsQuestion(Given, Paging):
    """Which accreditations of the register to list."""

    scheme: Maybe[SchemeKey] = None
    state: Maybe[ListedState] = Field(default=None, examples=["in_force"])
    expiring_before: Maybe[Day] = Field(
        default=None,
        description="Only those in force or suspended whose last day is before this one",
        examples=["2026-06-01"],
    )


class AccreditedVenue(BaseModel):
    """Which venue it is."""

    id: UUID = Field(examples=[AN_ID])
    reference: str = Field(examples=["V0042"])
    name: str = Field(examples=["The Lantern"])
    status: VenueStatus = Field(examples=["active"])


def _shown_end(until: date) -> date | None:
    return None if until == NO_LAST_DAY else until


class AccreditationOut(BaseModel):
    """How a venue stands in a scheme now."""

    venue: AccreditedVenue
    scheme: SchemeKey
    state: ListedState = Field(examples=["in_force"])
    since: datetime
    until: Annotated[date | Absent, BeforeValidator(_shown_end)] = Field(
        default=None, examples=["2027-03-01"]
    )
    grade: str | Absent = Field(default=None, examples=["commended"])
    certificate: str | Absent = Field(default=None, examples=["SH-2026-0042"])
    pending: Literal[Kind.APPLIED, Kind.ASSESSED] | Absent = None


# --- schemes ---------------------------------------------------------------------------------


class CriterionOut(BaseModel):
    """One line of a checklist."""

    key: str = Field(examples=["phone_charging"])
    title: str = Field(examples=["A place to charge a phone"])


class SchemeOut(BaseModel):
    """A scheme as it is run here."""

    key: SchemeKey
    name: str = Field(examples=["Safe Haven"])
    months: int | Absent = Field(
        default=None, description="How long an award is in force; absent: no end", examples=[12]
    )
    review_months: int | Absent = Field(default=None, examples=[12])
    criteria: list[CriterionOut] = Field(description="Of a scheme with seasons: the usual areas")
    prerequisites: list[str] = Field(examples=[["At least one trained member of staff"]])
    grades: list[str] = Field(description="The usual ones of a season", examples=[["commended"]])
    seasonal: bool
    assessed_by_licensing: bool


class SchemesOut(BaseModel):
    """Every scheme."""

    items: list[SchemeOut]
