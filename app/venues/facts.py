"""What reports count venues by, over time: a change appends a version, whoever makes it.

A change takes effect now, unless `take_effect` says since when it has been so. Then what was known
of the time from there on is said anew with the change in it, so that a report as at any day since
has it, and one as known before this has not.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple, Self
from uuid import UUID

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy import event
from sqlalchemy.orm import UOWTransaction, aliased
from sqlmodel import Session, col, select

from app.core.batch import Batch, made
from app.core.columns import Ints, last_by_day, places, read_columns
from app.core.events import in_effect, known, recorded
from app.core.journal import CLOCKS_AGREE, now
from app.core.journal_chain import Entry
from app.core.london import end_of
from app.venues.kinds import Category
from app.venues.models import Venue, VenueFacts, VenueStatus


class Facts(NamedTuple):
    """What reports count a venue by; `refresh_months` is absent where the course's own holds."""

    ward_id: UUID | None
    category: Category
    status: VenueStatus
    business_id: UUID | None
    licensed: bool
    late_night: bool
    refresh_months: int | None

    @classmethod
    def of(cls, record: Venue | VenueFacts) -> Self:
        """The facts that a record holds."""
        return cls(*(getattr(record, name) for name in cls._fields))


FACTS = Facts._fields


def _took_effect() -> sa.ColumnElement[datetime]:
    """SQL: since when facts hold.

    Those that took effect as they were recorded, by a clock that was ahead, hold since what was
    recorded before them: they are no news of the future.
    """
    ahead = datetime.now(UTC) + CLOCKS_AGREE
    own, before = aliased(Entry), aliased(Entry)
    number = (
        sa.select(sa.func.min(own.number))
        .where(col(own.at) == VenueFacts.recorded_at)
        .correlate(VenueFacts)
        .scalar_subquery()
    )
    dated = (
        sa.select(col(before.at))
        .where(col(before.number) < number, col(before.at) <= ahead)
        .order_by(col(before.number).desc())
        .limit(1)
        .scalar_subquery()
    )
    effective_at, recorded_at = col(VenueFacts.effective_at), col(VenueFacts.recorded_at)
    misdated = (effective_at == recorded_at) & (recorded_at > ahead)
    return sa.case((misdated, sa.func.coalesce(dated, effective_at)), else_=effective_at)


@dataclass(frozen=True)
class FactsOn:
    """The facts of venues at the end of each of some London days, in columns of [day, venue].

    A ward, business, category or status is its place in `wards`, `businesses`, `Category` or
    `VenueStatus`, -1 where there is none; `refresh_months` is 0 where there is none. Before its
    first facts a venue has those, and `in_force` is false; so is it of one without any, whose
    numbers are all 0 or -1.
    """

    wards: list[UUID]
    businesses: list[UUID]
    in_force: NDArray[np.bool_]
    ward: Ints
    category: Ints
    status: Ints
    business: Ints
    licensed: NDArray[np.bool_]
    late_night: NDArray[np.bool_]
    refresh_months: Ints

    def on(self, day: int) -> list[Facts | None]:
        """The facts of each venue on one of the days."""
        # What is in none has the place -1: the last one's.
        wards, businesses = [*self.wards, None], [*self.businesses, None]
        categories, statuses = list(Category), list(VenueStatus)
        names = "ward", "category", "status", "business", "licensed", "late_night", "refresh_months"
        of_day = (getattr(self, name)[day].tolist() for name in names)
        return [
            Facts(
                wards[ward],
                categories[category],
                statuses[status],
                businesses[business],
                licensed,
                late_night,
                months or None,
            )
            if status >= 0
            else None
            for ward, category, status, business, licensed, late_night, months in zip(
                *of_day, strict=True
            )
        ]


@dataclass(frozen=True)
class KnownFacts:
    """The facts of some venues over time, as known at an instant, read in one go.

    A venue is named by its id's `hex`. Each of the `columns` is of what `FactsOn` calls so, one row
    each time that it changed, in that order; `owner` is the place in `venues`.
    """

    venues: list[str]
    wards: list[UUID]
    businesses: list[UUID]
    effective_at: NDArray[Any]
    owner: Ints
    columns: dict[str, NDArray[Any]]

    def on(self, days: Sequence[date]) -> FactsOn:
        """On some London days in order."""
        return self._until([*map(end_of, days)])

    def at(self, instant: datetime) -> FactsOn:
        """At an instant, which is the one day of the answer."""
        return self._until([instant + timedelta.resolution])

    def _until(self, ends: Sequence[datetime]) -> FactsOn:
        """Just before some instants in order."""
        until = np.array([end.replace(tzinfo=None) for end in ends], "datetime64[us]")
        since = np.searchsorted(until, self.effective_at, side="right")
        with_facts, first, number = np.unique(self.owner, return_index=True, return_inverse=True)
        began = np.full(len(self.venues), len(ends))
        began[with_facts] = since[first]
        since = np.where(self.effective_at == self.effective_at[first][number], 0, since)
        held = last_by_day(since, self.owner, len(ends), len(self.venues))
        # Where no row holds, its number is -1: the last one's.
        by_day = {
            name: np.append(column, _ABSENT.get(name, -1))[held]
            for name, column in self.columns.items()
        }
        in_force = began <= np.arange(len(ends))[:, np.newaxis]
        return FactsOn(self.wards, self.businesses, in_force, **by_day)


_ABSENT = {"licensed": False, "late_night": False, "refresh_months": 0}
"""What columns say, that are no places, where there is nothing."""


def facts_as(session: Session, at: datetime, known_at: datetime) -> dict[str, Facts]:
    """The facts in force at an instant, as known at another, by the `hex` of venues' ids."""
    known_facts = all_facts(session, known_at)
    facts = known_facts.at(at)
    in_force = facts.in_force[0].tolist()
    return {
        venue: held
        for venue, held, is_in_force in zip(known_facts.venues, facts.on(0), in_force, strict=True)
        if held and is_in_force
    }


def all_facts(session: Session, known_at: datetime | None = None) -> KnownFacts:
    """The facts of every venue, in the order of their ids, as known at an instant; None is now."""
    (venues,) = read_columns(session, sa.select(col(Venue.id)))
    return facts_of(session, sorted(venues), known_at, every=True)


def facts_of(
    session: Session,
    venues: Sequence[str],
    known_at: datetime | None = None,
    *,
    every: bool = False,
) -> KnownFacts:
    """The facts of some venues, as known at an instant; None is now.

    One query, which with `every` reads the facts of all venues: quicker where most are asked for.
    """
    statement = sa.select(
        _took_effect(),
        *(getattr(VenueFacts, name) for name in ("recorded_at", "venue_id", *FACTS)),
    ).where(known(VenueFacts, known_at))
    if not every:
        statement = statement.where(col(VenueFacts.venue_id).in_(map(UUID, venues)))
    effective_at, recorded_at, owner, *facts = read_columns(session, statement)
    owner = places(owner, venues)
    rows = np.lexsort((recorded_at, effective_at))
    rows = rows[owner[rows] >= 0]
    ward, category, status, business, licensed, late_night, refresh_months = facts
    wards, businesses = (sorted({*words} - {""}) for words in (ward, business))
    columns = {
        "ward": places(ward, wards),
        "category": places(category, Category),
        "status": places(status, VenueStatus),
        "business": places(business, businesses),
        "licensed": licensed == 1,
        "late_night": late_night == 1,
        "refresh_months": refresh_months,
    }
    return KnownFacts(
        list(venues),
        [*map(UUID, wards)],
        [*map(UUID, businesses)],
        effective_at[rows],
        owner[rows],
        {name: column[rows] for name, column in columns.items()},
    )


def take_effect(session: Session, venue: Venue, at: datetime, facts: Collection[str] = ()) -> None:
    """Have what this transaction changes of a venue's facts, and these ones, hold since `at`."""
    change = _changes(session).setdefault(venue.id, _Change(venue))
    change.at = at
    change.facts.update(facts)


@dataclass
class _Change:
    """What one transaction does to a venue's facts."""

    venue: Venue
    facts: set[str] = field(default_factory=set)
    at: datetime | None = None


def _changes(session: Session) -> dict[UUID, _Change]:
    changes: dict[UUID, _Change] = session.info.setdefault(_Change, {})
    return changes


@event.listens_for(Session, "after_flush")
def _notice(session: Session, _: UOWTransaction) -> None:
    _note(session, (*session.new, *session.dirty))


def _note(session: Session, records: Iterable[object]) -> None:
    for record in records:
        if isinstance(record, Venue):
            state = sa.inspect(record)
            # One that is made for a batch alone has no history: all of it is new.
            changed = {
                name for name in FACTS if state.transient or state.attrs[name].history.has_changes()
            }
            if changed:
                change = _changes(session).setdefault(record.id, _Change(record))
                change.facts.update(changed)


def add_facts(batch: Batch) -> None:
    """Have written what a batch changes of venues' facts; its last change but for these."""
    _note(batch.session, batch.records(Venue))
    for facts in _news(batch.session):
        batch.add(made(VenueFacts, **facts))


@event.listens_for(Session, "after_rollback")
def _forget(session: Session) -> None:
    session.info.pop(_Change, None)


# Once for a transaction: versions made by each flush would all be of the same instant.
@event.listens_for(Session, "before_commit")
def _append(session: Session) -> None:
    session.flush()
    session.add_all(VenueFacts(**facts) for facts in _news(session))


def _news(session: Session) -> Iterator[dict[str, Any]]:
    """The columns of what is to be appended."""
    changes = session.info.pop(_Change, {}).values()
    if not changes:
        return
    # By a clock that was ahead; what holds from now on must outlast that.
    dated_ahead = col(VenueFacts.effective_at) > now(session)
    ahead = set(session.scalars(sa.select(col(VenueFacts.venue_id)).where(dated_ahead)))
    for change in changes:
        if change.facts:
            yield from _versions(session, change, ahead)


def _versions(
    session: Session, change: _Change, ahead: Collection[UUID]
) -> Iterator[dict[str, Any]]:
    stamp = recorded(session)
    facts = Facts.of(change.venue)
    at = change.at or stamp["recorded_at"]
    versions = [(at, facts)]
    # Where the change reaches other facts, those are said anew with it.
    is_new = sa.inspect(change.venue).transient
    reaches = not is_new and (change.at is not None or change.venue.id in ahead)
    if reaches and (history := _history(session, change.venue.id)):
        if change.at is not None:
            before = [old for start, old in history if start <= at]
            versions = [(at, before[-1] if before else history[0][1])]
        versions += [(start, old) for start, old in history if start > at]
        changed = {name: getattr(facts, name) for name in change.facts}
        versions = [(start, old._replace(**changed)) for start, old in versions]
    for start, held in versions:
        yield {"venue_id": change.venue.id, "effective_at": start, **held._asdict(), **stamp}


def _history(session: Session, venue_id: UUID) -> list[tuple[datetime, Facts]]:
    """Since when which facts of a venue hold, as known now, in order."""
    rows = session.exec(
        select(VenueFacts)
        .where(VenueFacts.venue_id == venue_id, in_effect(VenueFacts))
        .order_by(col(VenueFacts.effective_at), col(VenueFacts.recorded_at))
    )
    # Of those that begin together, what was recorded last holds.
    return list({row.effective_at: Facts.of(row) for row in rows}.items())
