"""Conditions that every question about training shares."""

from datetime import date, datetime, timedelta

import sqlalchemy as sa
from sqlmodel import col

from app.events import Event, effective


def known(model: type[Event], at: datetime | None) -> list[sa.ColumnElement[bool]]:
    """SQL: the event was recorded by an instant, and not voided by then; None is now."""
    voided_at = col(model.voided_at)
    if at is None:
        return [voided_at.is_(None)]
    return [col(model.recorded_at) <= at, voided_at.is_(None) | (voided_at > at)]


def within(
    model: type[Event], first: date | None, last: date | None
) -> list[sa.ColumnElement[bool]]:
    """SQL: the event took effect from one London day to another, both included."""
    effective_at = col(model.effective_at)
    return [
        *([effective_at >= effective(first)] if first else []),
        *([effective_at < effective(last + timedelta(days=1))] if last else []),
    ]
