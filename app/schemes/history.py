"""The decisions as they are stored, and the lookup table that is made from them."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from itertools import starmap
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.core.batch import Batch
from app.core.db import as_hex, many_rows
from app.core.events import in_effect
from app.core.journal import now
from app.schemes.models import NO_LAST_DAY, Accreditation, Decision
from app.schemes.registry import SchemeKey
from app.schemes.rules import Kind, timeline

_LISTED_BY = (Kind.AWARDED, Kind.SUSPENDED, Kind.REINSTATED, Kind.WITHDRAWN)
"""The kinds that say whether an accreditation is in force; the others only lead up to them."""


def decisions_of(session: Session, venue_id: UUID, scheme: SchemeKey) -> list[Decision]:
    """All of a venue's decisions in a scheme, voided ones too, in no order."""
    return list(
        session.exec(
            select(Decision).where(
                col(Decision.venue_id) == venue_id, col(Decision.scheme) == scheme
            )
        )
    )


class PlainDecision(NamedTuple):
    """A decision that counts, as plain values: many are read. Its venue's id is a `hex`."""

    venue_id: str
    scheme: str
    kind: str
    effective_at: datetime
    recorded_at: datetime
    until: date | None
    grade: str | None
    certificate: str | None = None
    voided_at: None = None


def decisions_that_list(session: Session) -> Iterable[PlainDecision]:
    """What counts now and says what is in force, in the order of venue and scheme.

    Without certificates, which put nothing in force.
    """
    venue_id = as_hex(Decision.venue_id)
    rows = many_rows(
        session,
        sa.select(venue_id, *(getattr(Decision, name) for name in PlainDecision._fields[1:-2]))
        .where(in_effect(Decision), col(Decision.kind).in_(_LISTED_BY))
        # Not by the id itself: to follow its index all over the table takes longer than to sort.
        .order_by(venue_id, col(Decision.scheme)),
    )
    return starmap(PlainDecision, rows)


def settle(session: Session, venue_id: UUID, scheme: SchemeKey) -> None:
    """Bring the lookup table up to date with a venue's decisions in a scheme."""
    session.flush()
    session.execute(
        sa.delete(Accreditation)
        .where(col(Accreditation.venue_id) == venue_id, col(Accreditation.scheme) == scheme)
        # Nobody reads these here, and to look for them in the session takes longer the more it has.
        .execution_options(synchronize_session=False)
    )
    rows = settled(decisions_of(session, venue_id, scheme), now(session))
    if rows:
        # Past the session, which may know the rows that have just been deleted.
        session.execute(sa.insert(Accreditation), rows)


def settle_many(batch: Batch, histories: Iterable[tuple[Sequence[Decision], datetime]]) -> None:
    """As `settle`, for the decisions of several venues and schemes, each from an instant on."""
    table: Any = sa.inspect(Accreditation).local_table
    pairs, rows = [], []
    for decisions, at in histories:
        pairs.append({"_venue": decisions[0].venue_id, "_scheme": decisions[0].scheme})
        rows += settled(decisions, at)
    batch.run(
        table.delete().where(
            table.c.venue_id == sa.bindparam("_venue"), table.c.scheme == sa.bindparam("_scheme")
        ),
        pairs,
    )
    batch.run(table.insert(), rows)


def settled(decisions: Sequence[Decision], at: datetime) -> list[dict[str, Any]]:
    """The rows of `Accreditation` that a venue's decisions in a scheme make, from an instant on."""
    return [
        {
            "venue_id": decisions[0].venue_id,
            "scheme": decisions[0].scheme,
            "starts_at": start,
            "ends_at": end,
            **standing._asdict(),
            "until": standing.until or NO_LAST_DAY,
        }
        for start, end, standing in timeline(decisions)
        if end is None or end > at
    ]


def standing_at(at: datetime) -> list[sa.ColumnElement[bool]]:
    """SQL: the row of `Accreditation` is about an instant that is not in the past."""
    ends_at = col(Accreditation.ends_at)
    return [col(Accreditation.starts_at) <= at, ends_at.is_(None) | (ends_at > at)]
