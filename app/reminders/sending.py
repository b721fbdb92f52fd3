"""`havens remind`: letters and daily mail that are due, each sent once.

Letters are kept in the database before the first is sent, and each is marked when the mail server
has it. So a run that ends half-way loses none: the next one goes on, and sends at most the one
again that was on its way, with the same Message-ID.
"""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

from sqlmodel import Session, col, select

from app.core.db import alone_at_mail, read_session
from app.core.journal import Journal, now
from app.core.london import london_day
from app.core.settings import Settings
from app.outreach.models import Digest, Letter
from app.reminders import digest as digests
from app.reminders import letters
from app.reminders.mail import Post, Refused, message, post
from app.venues.models import Contact, Venue

Counts = Counter[str]
"""How much of what was done, as the command says it."""


def remind(journal: Journal, settings: Settings, actor: str) -> Counts:
    """Write what is due, and send all that waits.

    Raises `NotAlone` while another run is at it, and `MailServerAway`: what waits stays.
    """
    with alone_at_mail(journal.engine) as check:
        done = Counts()
        with read_session(journal.engine) as session:
            at = datetime.now(UTC)
            made, done["venues with nobody to write to"] = letters.due(
                session, at, settings.remind_days
            )
        if made:
            with journal.writing(actor) as session:
                letters.keep(session, made)
        with post(settings) as server:
            _send_letters(journal, settings, actor, server, check, done)
            _send_digests(journal, settings, actor, server, check, done)
        return done


def _send_letters(
    journal: Journal,
    settings: Settings,
    actor: str,
    server: Post,
    check: Callable[[], object],
    done: Counts,
) -> None:
    with read_session(journal.engine) as session:
        waiting = session.exec(
            select(Letter.id)
            .where(
                col(Letter.sent_at).is_(None),
                col(Letter.revoked_at).is_(None),
                Letter.refused == "",
            )
            .order_by(col(Letter.made_at), col(Letter.id))
        ).all()
    for letter_id in waiting:
        check()
        refused = ""
        try:
            if not _sent(journal, settings, server, letter_id):
                refused = "there is nobody to send it to any more"
        except Refused as error:
            if not error.for_good:
                done["letters that wait"] += 1
                continue
            refused = str(error)
        with journal.writing(actor) as session:
            letter = session.get_one(Letter, letter_id)
            if refused:
                letter.refused = refused
            else:
                letter.sent_at = now(session)
        done["letters refused" if refused else "letters sent"] += 1


def _sent(journal: Journal, settings: Settings, server: Post, letter_id: UUID) -> bool:
    """Send a letter, unless its contact is one no longer. Raises as `Post.send` does."""
    with read_session(journal.engine) as session:
        letter = session.get_one(Letter, letter_id)
        contact = session.get(Contact, letter.contact_id)
        if contact is None or contact.ended_on or not contact.email:
            return False
        names = _names(session, letter)
        mail = message(
            settings,
            contact.email,
            letters.subject(letter, names),
            letters.text(letter, contact, names, settings),
            str(letter.id),
            letter.made_at,
        )
    server.send(mail)
    return True


def _names(session: Session, letter: Letter) -> dict[UUID, str]:
    ids = [UUID(one["venue_id"]) for one in letter.about]
    return dict(session.exec(select(Venue.id, Venue.name).where(col(Venue.id).in_(ids))).all())


def _send_digests(
    journal: Journal,
    settings: Settings,
    actor: str,
    server: Post,
    check: Callable[[], object],
    done: Counts,
) -> None:
    at = datetime.now(UTC)
    today = london_day(at)
    with read_session(journal.engine) as session:
        mails = digests.due(session, at)
        text = digests.text(session, at, settings) if mails else ""
    for digest, _ in mails:
        check()
        if text:
            id_ = f"{digest.account_id}.{today}"
            subject = f"Safe Havens: what waits on {today.day} {today:%B}"
            try:
                server.send(message(settings, digest.email, subject, text, id_, at))
            except Refused as error:
                done["daily mails refused" if error.for_good else "daily mails that wait"] += 1
                continue
            done["daily mails sent"] += 1
        with journal.writing(actor) as session:
            session.get_one(Digest, digest.account_id).sent_for = today
