"""Which contacts a letter is due to, and what it says."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.audit.frame.question import Question, View
from app.audit.reports.due import DueItem, DueKind, work_list
from app.core.journal import now
from app.core.london import london_day
from app.core.settings import Settings
from app.http.languages import LANGUAGES, SOURCE
from app.outreach.models import Letter
from app.outreach.statements import ends_at, link_secret
from app.schemes.registry import SchemeKey, schemes
from app.training.courses import COURSES
from app.venues.models import Contact, Venue

EVERY_DAYS = 14
"""A contact gets no more than one letter in so many days, about all that is due by then."""

ENDS = (DueKind.ACCREDITATION, DueKind.TRAINING)


class Addressed(NamedTuple):
    """What ends soon at venues of one contact."""

    contact: Contact
    items: list[DueItem]


def due(session: Session, at: datetime, days: int) -> tuple[list[Addressed], int]:
    """Whom to write to at an instant, and at how many venues nobody can be written to.

    A letter is due when something ends within so many days of which none has told, and goes to the
    business's contact or, where it has none with an address, to the venue's; one who is to be asked
    first comes first.
    """
    view = View.of(session, Question(), at)
    items = [
        item
        for item in work_list(session, view, days)
        if item.kind in ENDS and item.on and item.on >= view.as_at
    ]
    told, lately = _told(session, at)
    contacts = _contacts(session, {item.venue_id for item in items})
    by_contact: dict[UUID, Addressed] = {}
    for item in items:
        if contact := contacts.get(item.venue_id):
            by_contact.setdefault(contact.id, Addressed(contact, [])).items.append(item)
    letters = [
        one
        for one in by_contact.values()
        if one.contact.id not in lately and not told.issuperset(map(_key, one.items))
    ]
    nobody = {item.venue_id for item in items} - contacts.keys()
    return letters, len(nobody)


def _key(item: DueItem) -> tuple[str, ...]:
    return (str(item.venue_id), item.kind, item.of, str(item.on))


def _told(session: Session, at: datetime) -> tuple[set[tuple[str, ...]], set[UUID]]:
    """What letters have told of or are about to, and who has had one lately, or had it refused."""
    told: set[tuple[str, ...]] = set()
    lately = set()
    # What ended before that is due no longer, whatever letter told of it.
    since = at - timedelta(days=366)
    for letter in session.exec(select(Letter).where(col(Letter.made_at) > since)):
        if letter.made_at > at - timedelta(days=EVERY_DAYS):
            lately.add(letter.contact_id)
        if not letter.refused:
            told |= {(one["venue_id"], one["kind"], one["of"], one["on"]) for one in letter.about}
    return told, lately


def _contacts(session: Session, venue_ids: set[UUID]) -> dict[UUID, Contact]:
    """Whom to write to about each of some venues."""
    found = session.exec(
        select(Contact)
        .where(col(Contact.ended_on).is_(None), col(Contact.email) != "")
        .order_by(col(Contact.preferred), col(Contact.name).desc(), col(Contact.id).desc())
    ).all()
    # Of several the last counts.
    of_business = {one.business_id: one for one in found if one.business_id}
    of_venue = {one.venue_id: one for one in found if one.venue_id}
    contacts = {}
    venues = session.execute(sa.select(col(Venue.id), col(Venue.business_id)))
    for venue_id, business_id in venues:
        if venue_id in venue_ids:
            contact = of_business.get(business_id) or of_venue.get(venue_id)
            if contact:
                contacts[venue_id] = contact
    return contacts


def keep(session: Session, letters: Sequence[Addressed]) -> None:
    """Keep letters to be sent."""
    names = ("venue_id", "kind", "of", "on")
    for contact, items in letters:
        about = [dict(zip(names, _key(item), strict=True)) for item in items]
        session.add(
            Letter(
                contact_id=contact.id,
                business_id=contact.business_id,
                about=about,
                made_at=now(session),
            )
        )


# --- what it says --------------------------------------------------------------------------------


def subject(letter: Letter, venues: Mapping[UUID, str]) -> str:
    """What a letter is called: the venue, or how many."""
    names = {venues[UUID(one["venue_id"])] for one in letter.about}
    where = names.pop() if len(names) == 1 else f"{len(names)} of your venues"
    return f"What ends soon at {where}: please check what we know"


def text(letter: Letter, contact: Contact, venues: Mapping[UUID, str], ours: Settings) -> str:
    """A letter to a contact. `venues` are their names."""
    secret = link_secret(ours, letter.id)
    path = f"/letters/{secret}"
    until = london_day(ends_at(letter))
    others = [
        f"{language.name}: {ours.address(f'/{language.code}{path}')}"
        for language in LANGUAGES.values()
        if language.code != SOURCE
    ]
    return "\n".join(
        [
            *(
                ["DEMONSTRATION: no place in this letter is real.", ""]
                if ours.demonstration
                else []
            ),
            f"Dear {contact.name},",
            "",
            "This ends soon:",
            "",
            *_endings(letter.about, venues),
            "Please look at what the Safe Havens register has about your venues: opening hours,",
            "what people find there, how many staff should be trained, and how many of those who",
            "were trained have left. It takes two minutes, and no password:",
            "",
            ours.address(path),
            "",
            *others,
            "",
            f"Whoever has the link can answer until {_day(until)}, and sees what it asks about.",
            "So pass it on only to those who look after your venues.",
            "An officer reads what you say; nothing becomes public by itself.",
            "",
            "You get this as a contact in the register. If it should go to somebody else, please",
            "tell the officer who looks after your venues.",
            "",
            "Safe Havens",
            ours.public_url,
        ]
    )


def _endings(about: Sequence[Mapping[str, str]], venues: Mapping[UUID, str]) -> Iterator[str]:
    by_venue = defaultdict(list)
    for one in about:
        by_venue[UUID(one["venue_id"])].append(one)
    for venue_id in sorted(by_venue, key=lambda id_: venues[id_]):
        yield venues[venue_id]
        for one in by_venue[venue_id]:
            yield f"  - {ending(one)} on {_day(date.fromisoformat(one['on']))}"
        yield ""


def ending(one: Mapping[str, str]) -> str:
    """What ends, as a letter says it."""
    if one["kind"] == DueKind.TRAINING:
        return f"{COURSES[one['of']].name}: training runs out"
    return f"{schemes()[SchemeKey(one['of'])].name} ends"


def _day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"
