"""What a report is asked: as at which day, as known when, about which venues, in which form."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import Field
from sqlmodel import Session, col, select

from app.core.errors import FieldError, Invalid
from app.core.london import Day, KnownAt, effective, end_of, london_day
from app.core.settings import settings
from app.core.text import Line
from app.http.fields import Given, Maybe
from app.training.rag import Thresholds
from app.venues.facts import Facts
from app.venues.fields import A_BUSINESS_ID
from app.venues.kinds import Category
from app.venues.models import Business, VenueStatus, Ward

AsKnownAt = Annotated[
    Maybe[KnownAt],
    Field(
        description="Only what had been recorded by this instant; all of it when absent",
        examples=["2025-04-01T08:00:00Z"],
    ),
]


class Moment(Given):
    """As at which day, by what was known when."""

    as_at: Maybe[Day] = Field(
        default=None,
        description="What was true at the end of this London day; today, as of now, when absent",
        examples=["2025-03-31"],
    )
    known_at: AsKnownAt = None


class Filters(Given):
    """Which venues count: all that are active, or only those that fit everything given here."""

    ward: list[Annotated[Line, Field(max_length=20)]] = Field(
        default=[], description="Codes of wards", examples=[["E05009288"]]
    )
    category: list[Category] = Field(default=[])
    licensed: Maybe[bool] = None
    late_night: Maybe[bool] = None
    business: list[UUID] = Field(default=[], examples=[[A_BUSINESS_ID]])


class Question(Moment, Filters):
    """What is asked of the register: as at which day, as known when, about which venues."""


class Form(StrEnum):
    """How a report comes: `csv` has one of its tables, the others have all."""

    JSON = "json"
    CSV = "csv"
    XLSX = "xlsx"


class Output(Given):
    """In which form a report comes."""

    format: Form = Form.JSON
    table: Maybe[Annotated[str, Field(max_length=40)]] = Field(
        default=None,
        description="Which table a file has. When absent, a CSV file has the first, a workbook all",
    )


class ReportQuestion(Question, Output):
    """What every report can be asked."""


class Limits(Given):
    """The limits that figures are judged by; an issued paper keeps its own."""

    rag_green: int = Field(examples=[75])
    rag_amber: int = Field(examples=[50])
    due_days: int = Field(examples=[60])
    retest_days: int = Field(examples=[28])

    @classmethod
    def now(cls) -> Self:
        """Those that the settings give."""
        return cls.model_validate(settings(), from_attributes=True)

    @property
    def thresholds(self) -> Thresholds:
        """As the training rules take them."""
        return Thresholds(self.rag_green, self.rag_amber, self.due_days)


@dataclass(frozen=True)
class View:
    """What a report looks at. `at` is the one instant that `as_at` and `known_at` come to.

    It is the end of the day `as_at`; if `known_at` lies in that day, it is `known_at` itself. So
    the same two give the same figures for ever, today's too. `filters` may be a whole question, and
    `wards` are those that its codes stand for.
    """

    as_at: date
    known_at: datetime
    filters: Filters = field(default_factory=Filters)
    wards: frozenset[UUID] | None = None
    limits: Limits = field(default_factory=Limits.now)

    @classmethod
    def of(cls, session: Session, question: Question, now: datetime) -> Self:
        """What a question is about; as of now where it doesn't say when.

        Raises `Invalid` for a day to come, and for a ward or business that is not in the register.
        """
        as_at = question.as_at or london_day(now)
        wards = session.exec(select(Ward.id).where(col(Ward.code).in_(question.ward))).all()
        businesses = session.exec(
            select(Business.id).where(col(Business.id).in_(question.business))
        ).all()
        errors = [
            FieldError(field=name, message=message)
            for name, message, is_wrong in (
                ("as_at", "lies in the future", effective(as_at) > now),
                ("ward", "is not the code of a ward", len(wards) < len({*question.ward})),
                ("business", "is not in the register", len(businesses) < len({*question.business})),
            )
            if is_wrong
        ]
        if errors:
            raise Invalid(errors)
        known_at = question.known_at or now
        in_wards = frozenset(wards) if question.ward else None
        return cls(as_at, known_at, question, in_wards)

    @property
    def at(self) -> datetime:
        return instant(self.as_at, self.known_at)

    @cached_property
    def criteria(self) -> dict[str, Collection[Any]]:
        """For the report to be about a venue, its facts must have one of these values, by name."""
        return {"status": [VenueStatus.ACTIVE], **self._filtered}

    @cached_property
    def _filtered(self) -> dict[str, Collection[Any]]:
        filters = self.filters
        criteria: dict[str, Collection[Any] | None] = {
            "ward_id": self.wards,
            "category": filters.category or None,
            "licensed": None if filters.licensed is None else [filters.licensed],
            "late_night": None if filters.late_night is None else [filters.late_night],
            "business_id": filters.business or None,
        }
        return {name: values for name, values in criteria.items() if values is not None}

    def counts(self, facts: Facts) -> bool:
        """Whether a venue with these facts is one that the report is about."""
        return facts.status == VenueStatus.ACTIVE and self.chooses(facts)

    def chooses(self, facts: Facts) -> bool:
        """Whether the filters choose a venue with these facts, whatever its status."""
        return all(getattr(facts, name) in values for name, values in self._filtered.items())


def instant(day: date, known_at: datetime) -> datetime:
    """The last instant of a London day, or `known_at` if that lies in it."""
    end = end_of(day) - timedelta(microseconds=1)
    return known_at if effective(day) <= known_at <= end else end
