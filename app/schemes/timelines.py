"""How all venues stand in the schemes over time, as known at an instant, read in one go."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from enum import StrEnum
from itertools import pairwise
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlmodel import Session, col

from app.core.columns import places, read_columns
from app.core.events import known
from app.schemes.history import PlainDecision
from app.schemes.models import Decision
from app.schemes.registry import SchemeKey
from app.schemes.rules import NO_STANDING, RANK, Span, Standing, State, timeline_of

Timelines = Mapping[tuple[UUID, SchemeKey], Sequence[Span]]
"""By venue and scheme: every standing there ever is, in order. Without any, a venue is left out."""

_FEW = 100
"""Up to so many venues the database is asked for; to name more takes longer than to read all."""


def timelines(
    session: Session,
    known_at: datetime | None,
    *,
    schemes: Collection[SchemeKey] | None = None,
    venues: Collection[UUID] | None = None,
) -> dict[tuple[UUID, SchemeKey], list[Span]]:
    """The timeline of each venue in each scheme, or in those asked for, as known at an instant.

    None is now.
    """
    # All but `voided_at`: of what counts as known then nothing was.
    columns = [col(getattr(Decision, name)) for name in PlainDecision._fields[:-1]]
    statement = sa.select(*columns).where(known(Decision, known_at))
    if schemes is not None:
        statement = statement.where(col(Decision.scheme).in_(schemes))
    if venues is not None and len(venues) <= _FEW:
        statement = statement.where(col(Decision.venue_id).in_(venues))
    venue, scheme, kind, effective_at, recorded_at, until, grade, certificate = read_columns(
        session, statement
    )
    took_effect = _instants(effective_at)
    days = {day: date.fromisoformat(day) if day else None for day in {*until}}

    def decision(row: int) -> PlainDecision:
        return PlainDecision(
            venue[row],
            scheme[row],
            kind[row],
            took_effect[row],
            took_effect[row],  # when it was recorded says no more than what comes first
            days[until[row]],
            grade[row] or None,
            certificate[row] or None,
        )

    # As `in_order` has them, of all at once.
    in_turn = np.lexsort(
        (places(kind, RANK), recorded_at, effective_at, np.array(scheme), np.array(venue))
    ).tolist()
    if venues is not None:
        wanted = {venue_id.hex for venue_id in venues}
        in_turn = [row for row in in_turn if venue[row] in wanted]
    firsts = [
        place
        for place, (last, row) in enumerate(pairwise([-1, *in_turn]))
        if not place or venue[last] != venue[row] or scheme[last] != scheme[row]
    ]
    keys = {key.value: key for key in SchemeKey}
    return {
        (UUID(venue[in_turn[first]]), keys[scheme[in_turn[first]]]): timeline_of(
            map(decision, in_turn[first:end])
        )
        for first, end in pairwise([*firsts, len(in_turn)])
    }


def _instants(column: NDArray[Any]) -> list[datetime]:
    # Most take effect at the beginning of some day.
    each, which = np.unique(column, return_inverse=True)
    instants = [at.replace(tzinfo=UTC) for at in each.tolist()]
    return [instants[place] for place in which.tolist()]


def standings(spans: Sequence[Span], instants: Sequence[datetime]) -> list[Standing]:
    """How a venue stands at each of several instants, which come in order."""
    standings, current, following = [], NO_STANDING, 0
    for at in instants:
        while following < len(spans) and spans[following].start <= at:
            current = spans[following].standing
            following += 1
        standings.append(current)
    return standings


class Award(NamedTuple):
    """One award: when it began, what it says, and when it was in force.

    `in_force` are half-open and in order, None is no end; apart from each other, but for what
    changed nothing of it. `until` is its last day, None for no end.
    """

    began: datetime
    until: date | None
    grade: str | None
    certificate: str | None
    in_force: list[tuple[datetime, datetime | None]]


def awards(spans: Sequence[Span]) -> list[Award]:
    """The awards that a timeline tells of, in order; one that never came into force is none."""
    awards: list[Award] = []
    before = NO_STANDING
    for start, end, standing in spans:
        if standing.state is State.IN_FORCE:
            goes_on = before.state in (State.IN_FORCE, State.SUSPENDED)
            if not goes_on or before.award != standing.award:
                awards.append(Award(start, *standing.award, []))
            awards[-1].in_force.append((start, end))
        before = standing
    return awards


class Turn(StrEnum):
    """What becomes of an accreditation."""

    AWARDED = "awarded"
    AWARDED_AGAIN = "awarded_again"
    REINSTATED = "reinstated"
    RENEWED = "renewed"
    SUSPENDED = "suspended"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


WON = (Turn.AWARDED, Turn.AWARDED_AGAIN, Turn.REINSTATED)
"""It comes into force: for the first time, after an earlier award ended, after a suspension."""

LOST = (Turn.SUSPENDED, Turn.EXPIRED, Turn.WITHDRAWN)
"""It is in force no more. One that is suspended can't be lost again."""


class Change(NamedTuple):
    """A turn of a venue's accreditation in a scheme, with the standings on either side.

    After a withdrawal only `before` has the award's certificate, grade and last day.
    """

    venue_id: UUID
    scheme: SchemeKey
    turn: Turn
    at: datetime
    before: Standing
    after: Standing


def changes(timelines: Timelines, first: datetime, last: datetime) -> list[Change]:
    """What becomes of accreditations from one instant to another, both included, in time's order.

    Those in force just before `first`, and those won, less those lost, are in force at `last`. A
    `RENEWED` one was in force and goes on with a new award, so it is neither won nor lost.
    """
    turned = [
        Change(*key, turn, span.start, before, span.standing)
        for key, spans in timelines.items()
        for turn, before, span in _turns(spans)
        if first <= span.start <= last
    ]
    return sorted(turned, key=lambda change: (change.at, change.venue_id.int, change.scheme))


def _turns(spans: Sequence[Span]) -> Iterator[tuple[Turn, Standing, Span]]:
    before, was_in_force = NO_STANDING, False
    for span in spans:
        if turn := _turn(before, span.standing, was_in_force=was_in_force):
            yield turn, before, span
        before = span.standing
        was_in_force = was_in_force or before.state is State.IN_FORCE


def _turn(before: Standing, after: Standing, *, was_in_force: bool) -> Turn | None:
    goes_on = before.award == after.award
    match before.state is State.IN_FORCE, after.state is State.IN_FORCE:
        case True, True:
            return None if goes_on else Turn.RENEWED
        case False, True if before.state is State.SUSPENDED and goes_on:
            return Turn.REINSTATED
        case False, True:
            return Turn.AWARDED_AGAIN if was_in_force else Turn.AWARDED
        case True, False if after.state in (State.SUSPENDED, State.WITHDRAWN):
            return Turn(after.state)
        case True, False:
            # Whatever it becomes at the very instant of its end.
            return Turn.EXPIRED
        case _:
            return None
