"""What an officer records about scheme tests, and which of them ask for a retest."""

from datetime import date, datetime
from uuid import UUID

import numpy as np
import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from app.core.columns import london_dates, read_columns
from app.core.errors import DomainError, NotFound, wrong
from app.core.events import in_effect, known, not_in_future, record, void, within
from app.outreach.models import Debrief, Result, SchemeTest
from app.outreach.rules import KnownTest
from app.outreach.schemas import DebriefIn, SchemeTestIn
from app.venues.models import Venue, VenueStatus


class NoSuchDebrief(NotFound):
    title = "That test has not been debriefed"


class RetestedAlready(DomainError):
    """A failed test has one retest; when that fails too, it asks for its own."""

    status = 409
    code = "retested-already"
    title = "That test has been repeated already; name its retest if that failed too"


class NothingToDebrief(DomainError):
    status = 409
    code = "nothing-to-debrief"
    title = "Only a failed test that was not voided asks for a debrief"


class DebriefedAlready(DomainError):
    status = 409
    code = "debriefed-already"
    title = "This test has been debriefed already"


def record_test(session: Session, given: SchemeTestIn) -> SchemeTest:
    """Record a test; where the venue owes a retest, this is it.

    Raises `Invalid`, `RetestedAlready`.
    """
    if session.get(Venue, given.venue_id) is None:
        raise wrong("venue_id", "is not in the register")
    at = not_in_future(session, given.on)
    fields = given.model_dump(exclude={"on", "retest_of"})
    return record(session, SchemeTest, at, retest_of_id=_repeated(session, given, at), **fields)


def _repeated(session: Session, given: SchemeTestIn, at: datetime) -> UUID | None:
    """The failed test that a new one repeats, if there is one."""
    owed = select(SchemeTest.id).where(
        SchemeTest.venue_id == given.venue_id,
        SchemeTest.scheme == given.scheme,
        col(SchemeTest.effective_at) <= at,
        asks_for_retest(),
    )
    if given.retest_of is None:
        newest = owed.order_by(
            col(SchemeTest.effective_at).desc(), col(SchemeTest.recorded_at).desc()
        )
        return session.exec(newest).first()
    failed = session.get(SchemeTest, given.retest_of)
    if (
        failed is None
        or failed.voided_at is not None
        or (failed.result, failed.venue_id, failed.scheme)
        != (Result.FAILED, given.venue_id, given.scheme)
        or failed.effective_at > at
    ):
        raise wrong("retest_of", "is not an earlier failed test of this venue and scheme")
    if session.exec(owed.where(SchemeTest.id == failed.id)).first() is None:
        raise RetestedAlready
    return failed.id


def record_debrief(session: Session, test: SchemeTest, given: DebriefIn) -> Debrief:
    """Record the debrief of a failed test.

    Raises `Invalid`, `NothingToDebrief`, `DebriefedAlready`.
    """
    if test.result != Result.FAILED or test.voided_at is not None:
        raise NothingToDebrief
    if debrief_of(session, test):
        raise DebriefedAlready
    if given.on < test.on:
        raise wrong("on", "must not be before the test")
    at = not_in_future(session, given.on)
    return record(session, Debrief, at, test_id=test.id, note=given.note)


def debrief_of(session: Session, test: SchemeTest) -> Debrief | None:
    """The debrief of a test that was not voided."""
    statement = select(Debrief).where(Debrief.test_id == test.id, in_effect(Debrief))
    return session.exec(statement).first()


def void_debrief(session: Session, test: SchemeTest, reason: str) -> None:
    """Say that a debrief was recorded by mistake. Raises `NoSuchDebrief`."""
    if (debrief := debrief_of(session, test)) is None:
        raise NoSuchDebrief
    void(session, debrief, reason)


def asks_for_retest() -> sa.ColumnElement[bool]:
    """SQL: a test failed, at a venue that is still there, and nobody has repeated it."""
    retest = aliased(SchemeTest)
    repeated = sa.exists().where(
        col(retest.retest_of_id) == col(SchemeTest.id), col(retest.voided_at).is_(None)
    )
    shut = sa.exists().where(
        col(Venue.id) == col(SchemeTest.venue_id), col(Venue.status) == VenueStatus.CLOSED
    )
    return sa.and_(
        # Written out, so that the index of just these is found.
        sa.text("scheme_test.result = 'failed' AND scheme_test.voided_at IS NULL"),
        ~repeated,
        ~shut,
    )


def known_tests(
    session: Session,
    at: datetime,
    known_at: datetime,
    first: date | None = None,
    venue_id: UUID | None = None,
) -> list[KnownTest]:
    """The tests up to an instant, as known at another, with what had come of them; oldest first.

    They are those from the London day `first` on, and at one venue, where that is given.
    """

    def up_to(model: type[SchemeTest] | type[Debrief]) -> list[sa.ColumnElement[bool]]:
        # What follows a test is never before it.
        return [*within(model, first, None), col(model.effective_at) <= at, known(model, known_at)]

    names = ("effective_at", "recorded_at", "id", "venue_id", "retest_of_id", "scheme", "result")
    held = sa.select(*(getattr(SchemeTest, name) for name in names)).where(*up_to(SchemeTest))
    talks = sa.select(col(Debrief.test_id), col(Debrief.id), col(Debrief.effective_at)).where(
        *up_to(Debrief)
    )
    if venue_id is not None:
        held = held.where(col(SchemeTest.venue_id) == venue_id)
        talks = talks.join(SchemeTest).where(col(SchemeTest.venue_id) == venue_id)
    tested_at, recorded_at, *columns = read_columns(session, held)
    in_turn = np.lexsort((np.array(columns[0]), recorded_at, tested_at)).tolist()
    ids, venues, repeated, of, results = ([column[row] for row in in_turn] for column in columns)
    days = london_dates(tested_at[in_turn])
    passed = [result == Result.PASSED for result in results]
    test_ids, debrief_ids, debriefed_at = read_columns(session, talks)
    debriefs = dict(
        zip(test_ids, zip(debrief_ids, london_dates(debriefed_at), strict=True), strict=True)
    )
    retests = dict(zip(repeated, zip(ids, days, passed, strict=True), strict=True))
    return [
        KnownTest(
            id_,
            venue,
            scheme,
            on,
            is_passed,
            retest_of or None,
            *debriefs.get(id_, (None, None)),
            *retests.get(id_, (None, None, None)),
        )
        for id_, venue, scheme, on, is_passed, retest_of in zip(
            ids, venues, of, days, passed, repeated, strict=True
        )
    ]
