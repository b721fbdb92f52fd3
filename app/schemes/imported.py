"""What an import of venues may know and do of accreditations: give the first award, no more."""

from datetime import date
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.core.events import recorded
from app.core.journal import now
from app.core.london import effective, london_day
from app.schemes.history import settled
from app.schemes.models import Accreditation, Decision
from app.schemes.registry import LISTS_PUBLICLY
from app.schemes.rules import Kind, in_order
from app.venues.models import Venue

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


def award_from_import(session: Session, venue: Venue, first: date, last: date) -> Decision:
    """Record the Safe Haven award of a venue that has no decisions yet, as a file gives it.

    Its certificate is whatever was handed over then, so it gets no number here. A new venue must
    have been flushed.
    """
    decision = Decision(
        venue_id=venue.id,
        scheme=LISTS_PUBLICLY,
        kind=Kind.AWARDED,
        effective_at=effective(first),
        until=last,
        **recorded(session),
    )
    session.add(decision)
    # Not `settle`, whose queries would make a long import slow.
    session.add_all(Accreditation(**row) for row in settled([decision], now(session)))
    return decision
