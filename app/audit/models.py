"""Issued packs and who read test results, as the database keeps them."""

from datetime import date, datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import JSON, Text
from sqlmodel import Field, SQLModel

from app.core.db import Instant


class Pack(SQLModel, table=True):
    """A quarterly pack as it was issued: what it was asked, and all its figures. It never changes.

    `parameters` are the quarter, the filters and the limits it was judged by; `hash` is that of its
    figures, `document` the pack itself as JSON.
    """

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    first: date
    last: date
    known_at: datetime = Field(sa_type=Instant)
    issued_at: datetime = Field(sa_type=Instant, index=True)
    issued_by: str = Field(max_length=100)
    parameters: dict[str, Any] = Field(sa_type=JSON)
    hash: str = Field(max_length=64)
    document: str = Field(sa_type=Text)


class TestResultsRead(SQLModel, table=True):
    """That somebody read a report which shows how single venues' scheme tests went.

    `venue_id` is there when it was one venue; `venues` says how many. `asked` is what the report
    was asked: the same question is answered with the same venues again.
    """

    __tablename__ = "test_results_read"

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    venue_id: UUID | None = Field(default=None, foreign_key="venue.id", index=True)
    venues: int
    asked: dict[str, Any] = Field(sa_type=JSON)
    at: datetime = Field(sa_type=Instant)
    by: str = Field(max_length=100)
    report: str = Field(max_length=40)
