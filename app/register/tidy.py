"""Removing what is kept no longer, by `HAVENS_KEEP_DAYS`: a few at a time, so that nobody waits.

What is removed leaves no content in the journal, only how much it was and up to which day. Done
twice, or by two at once, it removes nothing more.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.accounts.models import SignIn
from app.core.journal import Journal, erase, note, now
from app.core.journal_changes import Content
from app.core.london import effective, london_day
from app.core.settings import KeepDays
from app.http.idempotency import AnsweredCreate
from app.outreach.models import ProblemReport, Statement
from app.venues.contacts import erase_contacts
from app.venues.models import Business, Contact, Venue

AT_ONCE = 200


def tidy(journal: Journal, keep: KeepDays, actor: str) -> dict[str, int]:
    """Remove what has ended for longer than it is kept; says how many of each kind."""
    return {
        kind: _remove(journal, actor, kind, days, KINDS[kind])
        for kind, days in keep.model_dump().items()
    }


def _remove(
    journal: Journal, actor: str, kind: str, days: int, some: Callable[[Session, datetime], int]
) -> int:
    total = 0
    while True:
        with journal.writing(actor) as session:
            until = london_day(now(session)) - timedelta(days=days)
            removed = some(session, effective(until))
            if removed:
                what, much = kind.replace("_", "-"), {"removed": removed, "until": until}
                note(session, [Content("tidy", what, None, much)])
        total += removed
        if removed < AT_ONCE:
            return total


def _answered_creates(session: Session, before: datetime) -> int:
    key = (col(AnsweredCreate.account_id), col(AnsweredCreate.key))
    some = sa.select(*key).where(col(AnsweredCreate.at) < before).limit(AT_ONCE)
    found = session.execute(some).all()
    session.execute(sa.delete(AnsweredCreate).where(sa.tuple_(*key).in_(found)))
    return len(found)


def _sign_ins(session: Session, before: datetime) -> int:
    over = sa.func.coalesce(col(SignIn.ended_at), col(SignIn.expires_at)) < before
    found = session.exec(select(SignIn).where(over).limit(AT_ONCE)).all()
    erase(session, found)
    return len(found)


def _comments(session: Session, before: datetime) -> int:
    said = (col(ProblemReport.comment) != "", col(ProblemReport.effective_at) < before)
    some = session.exec(select(ProblemReport.id).where(*said).limit(AT_ONCE)).all()
    session.execute(
        sa.update(ProblemReport).where(col(ProblemReport.id).in_(some)).values(comment="")
    )
    return len(some)


def _contacts(session: Session, before: datetime) -> int:
    day = london_day(before)
    ended = sa.or_(
        col(Contact.ended_on) < day, col(Business.closed_on) < day, col(Venue.closed_on) < day
    )
    some = (
        select(Contact)
        .join(Business, col(Business.id) == Contact.business_id, isouter=True)
        .join(Venue, col(Venue.id) == Contact.venue_id, isouter=True)
        .where(ended)
        .limit(AT_ONCE)
    )
    found = session.exec(some).all()
    erase_contacts(session, found)
    return len(found)


def _statements(session: Session, before: datetime) -> int:
    found = session.exec(select(Statement).where(Statement.said_at < before).limit(AT_ONCE)).all()
    erase(session, found)
    return len(found)


KINDS: dict[str, Callable[[Session, datetime], int]] = {
    "answered_creates": _answered_creates,
    "sign_ins": _sign_ins,
    "comments": _comments,
    "contacts": _contacts,
    "statements": _statements,
}
"""By what `KeepDays` calls it, what removes some that ended before an instant, and counts them."""
