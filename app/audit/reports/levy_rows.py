"""The tables of the levy-discount register."""

from datetime import date
from enum import StrEnum

from pydantic import Field

from app.audit.frame.report import Report, Row, Share
from app.audit.frame.rows import AtVenue
from app.http.fields import Absent, Text


class When(StrEnum):
    """On which days of the year a venue has to be late-night, and hold Safety Thirst."""

    FIRST_DAY = "first_day"
    LAST_DAY = "last_day"
    ANY_DAY = "any_day"
    EVERY_DAY = "every_day"


class Reason(StrEnum):
    """Why a venue just misses."""

    NOT_YET = "not_yet"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    SUSPENDED = "suspended"
    NOT_LATE_NIGHT = "not_late_night"


class LevyFigures(Row):
    """How many venues pay, and how many of them hold Safety Thirst."""

    when: When = Field(title="When", examples=["first_day"])
    title: str = Field(title="Counted", examples=["On the year's first day"])
    on: date | Absent = Field(default=None, title="Day", examples=["2024-10-01"])
    paying: int = Field(title="Late-night venues", examples=[310])
    holding: int = Field(title="Holding Safety Thirst", examples=[62])
    share: Share = Field(default=None, title="Share", examples=[0.2])


class _LateNight(AtVenue):
    business: str | Absent = Field(default=None, title="Business", examples=["Lantern Taverns"])
    premises_licence: Text = Field(
        default=None, title="Premises licence", examples=["LN/200501234"]
    )


class _OfAward(Row):
    certificate: str | Absent = Field(default=None, title="Certificate", examples=["ST-2024-0007"])
    grade: str | Absent = Field(default=None, title="Grade", examples=["commended"])
    awarded_on: date | Absent = Field(default=None, title="In force from", examples=["2024-07-10"])
    until: date | Absent = Field(default=None, title="In force until", examples=["2025-07-09"])


class LevyHolder(_LateNight):
    """A late-night venue that held Safety Thirst on some day of the year."""

    late_night_days: int = Field(title="Days late-night", examples=[182])
    held_days: int = Field(title="Of these with Safety Thirst", examples=[182])
    on_first_day: bool = Field(title="On the year's first day", examples=[True])
    on_last_day: bool = Field(title="On the last day counted", examples=[True])
    on_every_day: bool = Field(title="On every late-night day", examples=[True])


class LevyPeriod(_OfAward, _LateNight):
    """Days in a row on which a venue was late-night and one award was in force."""

    first: date = Field(title="First day", examples=["2024-10-01"])
    last: date = Field(title="Last day", examples=["2025-03-31"])


class LevyMiss(_OfAward, _LateNight):
    """A late-night venue that just misses on a day; the award is the one that is nearest."""

    on: date = Field(title="Day", examples=["2025-03-31"])
    reason: Reason = Field(title="Reason", examples=["withdrawn"])
    why: str = Field(examples=["withdrawn: in force only until 19 March 2025, 12 days before"])
    days_off: int = Field(title="Days off", examples=[12])


class Levy(Report):
    """Who pays the late-night levy for a year and who of them gets the discount, up to a day."""

    first: date = Field(description="First day of the levy year", examples=["2024-10-01"])
    last: date = Field(description="Its last day", examples=["2025-09-30"])
    counted_until: date = Field(description="Last day counted", examples=["2025-03-31"])
    figures: list[LevyFigures] = Field(title="Figures")
    holders: list[LevyHolder] = Field(title="Holders")
    periods: list[LevyPeriod] = Field(title="Periods held")
    misses: list[LevyMiss] = Field(title="Just missed")
