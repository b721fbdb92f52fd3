"""How all venues stand in the schemes over time, as known at an instant, read in one go."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import cached_property
from itertools import pairwise, starmap
from typing import NamedTuple
from uuid import UUID

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlmodel import Session, col

from app.core.columns import Ints, places, read_columns
from app.core.events import known
from app.core.london import end_of
from app.schemes.columns import FOR_EVER, NOTHING, PENDING, Decisions, Spans, spans_of
from app.schemes.models import Decision
from app.schemes.registry import SchemeKey
from app.schemes.rules import NO_STANDING, Kind, Span, Standing, State

_FEW = 100
"""Up to so many venues the database is asked for; to name more takes longer than to read all."""

_SCHEMES, _STATES = list(SchemeKey), list(State)
_NONE = _STATES.index(State.NONE)


def _places(states: Collection[State]) -> list[int]:
    return [_STATES.index(state) for state in states]


@dataclass(frozen=True, eq=False)
class Timelines(Mapping[tuple[UUID, SchemeKey], list[Span]]):
    """By venue and scheme: every standing there ever is, in order; without any it is left out.

    They are kept in columns, and made where one is looked up. History `n` is that of the venue
    whose id has the `hex` in `venues[n]` in the scheme at the place `schemes[n]` in `SchemeKey`;
    its spans are those from `first[n]` until `first[n + 1]`. `last_days` are by when they end;
    `grades` and `certificates` by awards, empty where there is none.
    """

    venues: list[str]
    schemes: Ints
    spans: Spans
    first: Ints
    last_days: Mapping[int, date | None]
    grades: Sequence[str]
    certificates: Sequence[str]

    def __len__(self) -> int:
        return len(self.venues)

    def __iter__(self) -> Iterator[tuple[UUID, SchemeKey]]:
        return (_with_id(*self.key(number)) for number in range(len(self)))

    def __getitem__(self, key: tuple[UUID, SchemeKey]) -> list[Span]:
        venue_id, scheme = key
        rows = self._rows[self._where[venue_id.hex, _SCHEMES.index(scheme)]]
        starts = [_instant(start) for _, start, *_ in rows]
        return [*map(Span, starts, [*starts[1:], None], starmap(self._standing, rows))]

    @cached_property
    def _where(self) -> dict[tuple[str, int], slice]:
        keys = zip(self.venues, self.schemes.tolist(), strict=True)
        return dict(zip(keys, starmap(slice, pairwise(self.first.tolist())), strict=True))

    @cached_property
    def _rows(self) -> list[tuple[int, ...]]:
        return [*zip(*(column.tolist() for column in self.spans), strict=True)]

    def key(self, number: int) -> tuple[str, SchemeKey]:
        """The venue, by the `hex` of its id, and the scheme of a history."""
        return self.venues[number], _SCHEMES[self.schemes[number]]

    def at(self, instant: datetime, besides: Collection[State] = ()) -> Ints:
        """The span in which each history is at an instant, else `NOTHING`.

        Or, where that has one of some states, the last one before it that has not.
        """
        counted = self.spans.start <= _microseconds(instant)
        counted &= ~np.isin(self.spans.state, _places(besides))
        latest = np.maximum.accumulate(np.where(counted, np.arange(len(counted)), NOTHING))
        # Of a history without any, its number is that of one before it, or -1: the last one's.
        last = np.append(latest, NOTHING)[self.first[1:] - 1]
        return np.where(last >= self.first[:-1], last, NOTHING)

    def states(self, at: Ints) -> Ints:
        """The places in `State` of what some spans, or `NOTHING`, say."""
        return np.append(self.spans.state, _NONE)[at]

    def are(self, at: Ints, states: Collection[State]) -> NDArray[np.bool_]:
        """Whether each of some spans, or `NOTHING`, has one of some states."""
        return np.isin(self.states(at), _places(states))

    def standings(self, at: Ints) -> list[Standing]:
        """What some spans say."""
        columns = (column[at].tolist() for column in self.spans)
        return [*starmap(self._standing, zip(*columns, strict=True))]

    def _standing(
        self, _: int, __: int, state: int, pending: int, since: int, ends: int, award: int
    ) -> Standing:
        return Standing(
            _STATES[state],
            _instant(since),
            self.last_days[ends],
            self.grades[award] or None,
            self.certificates[award] or None,
            PENDING[pending],
        )

    def in_force(self, instant: datetime) -> list[tuple[str, SchemeKey]]:
        """The keys of those in which an accreditation is in force at an instant."""
        in_force = self.are(self.at(instant), [State.IN_FORCE])
        return [*map(self.key, np.flatnonzero(in_force).tolist())]

    def turning(self, first: datetime, last: datetime) -> dict[tuple[UUID, SchemeKey], list[Span]]:
        """The histories in which a standing begins from one instant to another, both included."""
        start = self.spans.start
        begins = (start >= _microseconds(first)) & (start <= _microseconds(last))
        turn = np.unique(self.spans.history[begins]).tolist()
        keys = (_with_id(*self.key(number)) for number in turn)
        return {key: self[key] for key in keys}


def timelines(
    session: Session,
    known_at: datetime | None,
    *,
    schemes: Collection[SchemeKey] | None = None,
    venues: Collection[UUID] | None = None,
    states_only: bool = False,
) -> Timelines:
    """The timeline of each venue in each scheme, or in those asked for, as known at an instant.

    None is now. With `states_only` no standing has a grade or a certificate.
    """
    columns = ("venue_id", "scheme", "kind", "effective_at", "recorded_at", "until")
    texts = () if states_only else ("grade", "certificate")
    statement = sa.select(*(col(getattr(Decision, name)) for name in (*columns, *texts))).where(
        known(Decision, known_at)
    )
    if schemes is not None:
        statement = statement.where(col(Decision.scheme).in_(schemes))
    if venues is not None and len(venues) <= _FEW:
        statement = statement.where(col(Decision.venue_id).in_(venues))
    venue, scheme, kind, effective_at, recorded_at, until, *said = read_columns(session, statement)
    grades, certificates = said or ([], [])
    each = sorted({*venue} if venues is None else {*venue} & {id_.hex for id_ in venues})
    place, rank = places(venue, each), places(kind, Kind)
    history = place * len(_SCHEMES) + places(scheme, SchemeKey)
    # As `in_order` has them, of all at once.
    rows = np.lexsort((rank, recorded_at, effective_at, history))
    rows = rows[place[rows] >= 0]
    days = [*{*until}]
    last_days = [date.fromisoformat(day) if day else None for day in days]
    ends = [_microseconds(end_of(last)) if last else FOR_EVER for last in last_days]
    histories, number = np.unique(history[rows], return_inverse=True)
    until_ends = np.array(ends, np.int64)[places(until, days)]
    at = effective_at.astype(np.int64)
    spans = spans_of(Decisions(number, rank[rows], at[rows], until_ends[rows]))
    awarded_by = np.full_like(rows, NOTHING) if states_only else rows
    return Timelines(
        venues=[each[place] for place in (histories // len(_SCHEMES)).tolist()],
        schemes=histories % len(_SCHEMES),
        # What is no award has the row -1: the last one's.
        spans=spans._replace(award=np.append(awarded_by, NOTHING)[spans.award]),
        first=np.searchsorted(spans.history, np.arange(len(histories) + 1)),
        last_days=dict(zip(ends, last_days, strict=True)) | {FOR_EVER: None},
        grades=[*grades, ""],
        certificates=[*certificates, ""],
    )


def _with_id(venue: str, scheme: SchemeKey) -> tuple[UUID, SchemeKey]:
    return UUID(venue), scheme


_1970 = datetime(1970, 1, 1, tzinfo=UTC)


def _microseconds(at: datetime) -> int:
    return (at - _1970) // timedelta.resolution


def _instant(microseconds: int) -> datetime:
    return _1970 + timedelta(microseconds=microseconds)


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


def changes(
    timelines: Mapping[tuple[UUID, SchemeKey], Sequence[Span]], first: datetime, last: datetime
) -> list[Change]:
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
