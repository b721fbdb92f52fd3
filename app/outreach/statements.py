"""What those who look after venues say when a letter asks them, and what officers make of it.

A letter's link holds its id and a keyed hash of that, so nothing secret is kept, and one that
somebody made up costs no question to the database. It is worth something for a while after the
letter, to its contact as long as they are one, and about venues that are theirs; whatever is amiss,
nobody is told more than that it has ended.
"""

import base64
import hmac
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from sqlmodel import Session, col, select

from app.core.errors import DomainError, NotFound
from app.core.journal import actor, now
from app.core.london import london_day
from app.core.settings import Settings
from app.outreach.models import Letter, Statement, StatementState, Subject
from app.outreach.statement_schemas import AcceptanceIn, AnswerIn, DeclineIn
from app.training.actions import declare_headcount
from app.training.schemas import HeadcountIn
from app.venues.models import Contact, Venue, VenueStatus

LINK_DAYS = 30
"""How long a link is good for after its letter went."""

READER = "reader of a letter"
"""Who says what comes by a link, as the journal has it; the letter leads to whom it went to."""

_PURPOSE = "letter"


class LinkEnded(NotFound):
    """Nobody is told whether there has ever been one."""

    title = "This link has ended, or is not whole; ask the officer who looks after your venue"


class LetterEnded(DomainError):
    status = 409
    code = "letter-ended"
    title = "The link of this letter has been revoked already"


class DecidedAlready(DomainError):
    status = 409
    code = "decided-already"
    title = "This statement has been accepted or declined already"


def link_secret(settings: Settings, letter_id: UUID) -> str:
    """The secret part of a letter's link: the same each time it is asked for."""
    return _written(settings.key(_PURPOSE), letter_id.bytes)


def _written(key: bytes, id_: bytes) -> str:
    signed = id_ + hmac.digest(key, id_, "sha256")[:16]
    return base64.urlsafe_b64encode(signed).decode().rstrip("=")


def letter_id_of(settings: Settings, secret: str) -> UUID:
    """The letter whose link has a secret part. Raises `LinkEnded` for one that is not ours."""
    if not re.fullmatch("[A-Za-z0-9_-]{43}", secret):
        raise LinkEnded
    id_ = base64.urlsafe_b64decode(f"{secret}=")[:16]
    ours = [_written(key, id_) for key in settings.keys(_PURPOSE)]
    if not any(hmac.compare_digest(secret, one) for one in ours):
        raise LinkEnded
    return UUID(bytes=id_)


def ends_at(letter: Letter) -> datetime:
    """When a letter's link ends by itself."""
    return (letter.sent_at or letter.made_at) + timedelta(days=LINK_DAYS)


def asked_of(session: Session, letter_id: UUID, at: datetime) -> tuple[Letter, list[Venue]]:
    """A letter whose link is good at an instant, and the venues that it asks about, by name.

    Raises `LinkEnded`.
    """
    letter = session.get(Letter, letter_id)
    if letter is None or letter.revoked_at or letter.refused or at >= ends_at(letter):
        raise LinkEnded
    contact = session.get(Contact, letter.contact_id)
    if contact is None or contact.ended_on:
        raise LinkEnded
    ids = {UUID(one["venue_id"]) for one in letter.about}
    found = session.exec(
        select(Venue)
        .where(col(Venue.id).in_(ids), Venue.status == VenueStatus.ACTIVE)
        .order_by(col(Venue.name), col(Venue.id))
    )
    # A venue may have been taken over by somebody else since.
    venues = [venue for venue in found if _is_theirs(venue, contact)]
    if not venues:
        raise LinkEnded
    return letter, venues


def _is_theirs(venue: Venue, contact: Contact) -> bool:
    if contact.venue_id:
        return venue.id == contact.venue_id
    return venue.business_id == contact.business_id


def unanswered(session: Session, letter: Letter, venues: Sequence[Venue]) -> list[Venue]:
    """Those of some venues about which a letter has not been answered."""
    answered = set(session.exec(select(Statement.venue_id).where(Statement.letter_id == letter.id)))
    return [venue for venue in venues if venue.id not in answered]


def say(session: Session, letter: Letter, venue: Venue, given: AnswerIn) -> None:
    """Keep what the reader of a letter says about a venue, for an officer to look at.

    Each letter is answered once about each venue: sent again, it changes nothing.
    """
    if not unanswered(session, letter, [venue]):
        return
    made = partial(Statement, letter_id=letter.id, venue_id=venue.id, said_at=now(session))
    for subject, text in ((Subject.HOURS, given.hours), (Subject.FACILITIES, given.facilities)):
        session.add(made(subject=subject, unchanged=not text, changed=text))
    if given.staff is not None:
        session.add(
            made(subject=Subject.HEADCOUNT, unchanged=False, staff=given.staff, left=given.left)
        )
    session.flush()


def accept(session: Session, statement: Statement, given: AcceptanceIn) -> None:
    """Take a statement for true. A headcount is declared, as of the day on which it was said.

    What else has changed is for the officer to write into the register. Raises `DecidedAlready`,
    and `DeclaredAlready` where there is a headcount of that day.
    """
    _decide(session, statement, StatementState.ACCEPTED, given.note)
    if statement.staff is not None and statement.left is not None:
        declared = HeadcountIn(
            on=london_day(statement.said_at), staff=statement.staff, left=statement.left
        )
        declare_headcount(session, statement.venue_id, declared)


def decline(session: Session, statement: Statement, given: DeclineIn) -> None:
    """Leave things as they are, whatever a statement says. Raises `DecidedAlready`."""
    _decide(session, statement, StatementState.DECLINED, given.note)


def _decide(session: Session, statement: Statement, state: StatementState, note: str) -> None:
    if statement.state != StatementState.NEW:
        raise DecidedAlready
    statement.state, statement.note = state, note
    statement.decided_at, statement.decided_by = now(session), actor(session)


def revoke(session: Session, letter: Letter) -> None:
    """End a letter's link at once; one that waits is not sent. Raises `LetterEnded`."""
    if letter.revoked_at:
        raise LetterEnded
    letter.revoked_at = now(session)
