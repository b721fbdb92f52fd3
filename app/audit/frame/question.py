"""What a report is asked: as at which day, as known when, about which venues, in which form."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, Field
from sqlmodel import Session, col, select

from app.core.errors import FieldError, Invalid
from app.core.london import Day, GivenInstant, effective, in_our_time, london_day
from app.core.settings import settings
from app.core.text import Line
from app.http.fields import Given, Maybe
from app.training.rules import Thresholds
from app.venues.facts import Facts, facts_as
from app.venues.fields import A_BUSINESS_ID
from app.venues.models import Business, Category, VenueStatus, Ward


class Form(StrEnum):
    """How a report comes: `csv` has one of its tables, the others have all."""

    JSON = "json"
    CSV = "csv"
    XLSX = "xlsx"


def _in_utc(value: datetime) -> datetime:
    return value.astimezone(UTC)


KnownAt = Annotated[GivenInstant, AfterValidator(in_our_time), AfterValidator(_in_utc)]


class Moment(Given):
    """As at which day, by what was known when."""

    as_at: Maybe[Day] = Field(
        default=None,
        description="What was true at the end of this London day; today, as of now, when absent",
        examples=["2025-03-31"],
    )
    known_at: Maybe[KnownAt] = Field(
        default=None,
        description="Only what had been recorded by this instant; all of it when absent",
        examples=["2025-04-01T08:00:00Z"],
    )


class Chosen(Given):
    """Which venues count: all that are active, or only those that fit everything given here."""

    ward: list[Annotated[Line, Field(max_length=20)]] = Field(
        default=[], description="Codes of wards", examples=[["E05009288"]]
    )
    category: list[Category] = Field(default=[])
    licensed: Maybe[bool] = None
    late_night: Maybe[bool] = None
    business: list[UUID] = Field(default=[], examples=[[A_BUSINESS_ID]])


class Formed(Given):
    """In which form a report comes."""

    format: Form = Form.JSON
    table: Maybe[Annotated[str, Field(max_length=40)]] = Field(
        default=None, description="Which table a CSV file has; the first when absent"
    )


class Asked(Moment, Chosen, Formed):
    """What every report can be asked."""


class Limits(Given):
    """The limits that figures are judged by; an issued paper keeps its own."""

    rag_green: int = Field(examples=[75])
    rag_amber: int = Field(examples=[50])
    due_days: int = Field(examples=[60])
    retest_days: int = Field(examples=[28])

    @classmethod
    def now(cls) -> "Limits":
        """Those that the settings give."""
        return cls.model_validate({name: getattr(settings(), name) for name in cls.model_fields})

    @property
    def thresholds(self) -> Thresholds:
        """As the training rules take them."""
        return Thresholds(self.rag_green, self.rag_amber, self.due_days)


@dataclass(frozen=True)
class View:
    """What a report looks at. `at` is the one instant that `as_at` and `known_at` come to.

    It is the end of the day `as_at`; if `known_at` lies in that day, it is `known_at` itself. So
    the same two give the same figures for ever, today's too.
    """

    as_at: date
    known_at: datetime
    chosen: Chosen
    wards: frozenset[UUID] | None
    limits: Limits

    @property
    def at(self) -> datetime:
        return instant(self.as_at, self.known_at)

    @cached_property
    def wanted(self) -> dict[str, Collection[Any]]:
        """What a venue's facts have to be for the report to be about it: one of these, by name."""
        chosen = self.chosen
        wanted: dict[str, Collection[Any]] = {"status": [VenueStatus.ACTIVE]}
        if self.wards is not None:
            wanted["ward_id"] = self.wards
        if chosen.category:
            wanted["category"] = chosen.category
        if chosen.licensed is not None:
            wanted["licensed"] = [chosen.licensed]
        if chosen.late_night is not None:
            wanted["late_night"] = [chosen.late_night]
        if chosen.business:
            wanted["business_id"] = chosen.business
        return wanted

    def counts(self, facts: Facts) -> bool:
        """Whether a venue with these facts is one that the report is about."""
        return all(getattr(facts, name) in values for name, values in self.wanted.items())


def instant(day: date, known_at: datetime) -> datetime:
    """The last instant of a London day, or `known_at` if that lies in it."""
    end = effective(day + timedelta(days=1)) - timedelta(microseconds=1)
    return known_at if effective(day) <= known_at <= end else end


def view(session: Session, moment: Moment, chosen: Chosen, now: datetime) -> View:
    """What is asked, made whole. Raises `Invalid` for what is to come, or not in the register."""
    known_at = moment.known_at or now
    as_at = moment.as_at or london_day(now)
    wrong = [
        FieldError(field=field, message="lies in the future")
        for field, is_to_come in (
            ("as_at", effective(as_at) > now),
            ("known_at", known_at > now),
        )
        if is_to_come
    ]
    wards = session.exec(select(Ward.id).where(col(Ward.code).in_(chosen.ward))).all()
    if len(wards) < len(set(chosen.ward)):
        wrong.append(FieldError(field="ward", message="is not the code of a ward"))
    businesses = session.exec(
        select(Business.id).where(col(Business.id).in_(chosen.business))
    ).all()
    if len(businesses) < len(set(chosen.business)):
        wrong.append(FieldError(field="business", message="is not in the register"))
    if wrong:
        raise Invalid(wrong)
    return View(as_at, known_at, chosen, frozenset(wards) if chosen.ward else None, Limits.now())


def counted(session: Session, seen: View) -> dict[UUID, Facts]:
    """The venues that a report is about, with what they are counted by."""
    facts = facts_as(session, seen.at, seen.known_at)
    return {venue_id: held for venue_id, held in facts.items() if seen.counts(held)}
