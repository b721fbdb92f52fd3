"""What an import of venues may know and do of accreditations: give the first award, no more."""

from collections.abc import Iterable
from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.core.batch import Batch, made
from app.core.events import recorded
from app.core.journal import now
from app.core.london import effective, london_day
from app.schemes.history import settled
from app.schemes.models import Accreditation, Decision
from app.schemes.registry import LISTS_PUBLICLY
from app.schemes.rules import Kind, in_order

Window = tuple[date | None, date | None]


def imported_window(session: Session) -> dict[UUID, Window]:
    """What a file must say of each venue that has Safe Haven decisions, or say nothing.

    The first and last day of its newest award, or twice None: a decision that was voided, or an
    application alone, keeps an import from awarding too. Any other venue is left out.
    """
    columns = ("venue_id", "kind", "effective_at", "recorded_at", "voided_at", "until")
    # Plain rows, for there can be many.
    decisions = session.execute(
        sa.select(*(getattr(Decision, name) for name in columns)).where(
            col(Decision.scheme) == LISTS_PUBLICLY
        )
    ).all()
    windows: dict[UUID, Window] = {decision.venue_id: (None, None) for decision in decisions}
    for decision in in_order(decisions):
        if decision.kind == Kind.AWARDED:
            windows[decision.venue_id] = london_day(decision.effective_at), decision.until
    return windows


def awards_from_import(batch: Batch, awards: Iterable[tuple[UUID, date, date]]) -> None:
    """Record the Safe Haven awards of venues that have no decisions yet, as a file gives them.

    Their certificates are whatever was handed over then, so they get no numbers here.
    """
    decisions = [
        made(
            Decision,
            venue_id=venue_id,
            scheme=LISTS_PUBLICLY,
            kind=Kind.AWARDED,
            effective_at=effective(first),
            until=last,
            **recorded(batch.session),
        )
        for venue_id, first, last in awards
    ]
    for decision in decisions:
        batch.add(decision)
    at = now(batch.session)
    rows = [row for decision in decisions for row in settled([decision], at)]
    table: Any = sa.inspect(Accreditation).local_table
    batch.run(table.insert(), rows)
