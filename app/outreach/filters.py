"""Conditions that every question about outreach shares."""

from datetime import UTC, date, datetime, timedelta

import sqlalchemy as sa
from sqlmodel import col

from app.events import Event, effective, in_effect


def between(
    model: type[Event], first: date | None, last: date | None
) -> list[sa.ColumnElement[bool]]:
    """SQL: events took effect within some London days, the last one included."""
    conditions: list[sa.ColumnElement[bool]] = []
    if first:
        conditions.append(col(model.effective_at) >= effective(first))
    if last:
        conditions.append(col(model.effective_at) < effective(last + timedelta(days=1)))
    return conditions


def known(model: type[Event], at: datetime | None) -> sa.ColumnElement[bool]:
    """SQL: events stood as known at an instant; now, when there is none."""
    standing: sa.ColumnElement[bool] = in_effect(model)
    if at is None:
        return standing
    instant = at.astimezone(UTC)
    return sa.and_(
        col(model.recorded_at) <= instant, sa.or_(standing, col(model.voided_at) > instant)
    )
