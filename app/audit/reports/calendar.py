"""The work list as a calendar, at a private address that needs no signing in.

Whoever has the address can read it, as calendar programs have no other way. So it is a secret of
which only a hash is kept, an account has one at a time, and it can be ended at any moment. A new
password, the loss of a role and a disabled account end it too. Nothing in it tells of a scheme
test.
"""

import hashlib
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid5

from pydantic import BaseModel, Field
from sqlmodel import Session, col, select

from app.accounts.guards import AUDITORS
from app.accounts.models import Account, CalendarAddress
from app.accounts.tokens import Unauthorized
from app.audit.frame.question import Question, View
from app.audit.frame.report import DEMONSTRATION
from app.audit.reports.due import Bucket, DueItem, DueKind, work_list
from app.core.db import find
from app.core.errors import NotFound
from app.core.journal import now
from app.core.settings import settings
from app.http.fields import Absent

if TYPE_CHECKING:
    from icalendar import Event

DAYS = 90
"""How far ahead the calendar looks."""

REFRESHED = timedelta(hours=6)
"""How often calendar programs are asked to come back."""

_SECRET_BYTES = 32

_IS_LIVE = col(CalendarAddress.revoked_at).is_(None)


class NoSuchCalendar(NotFound):
    """Nobody is told whether there has ever been one."""

    title = "There is no calendar at this address"


class NoAddress(NotFound):
    title = "Your calendar has no address"


class CalendarOut(BaseModel):
    """Whether your calendar has an address; what it is was shown once."""

    made_at: datetime | Absent = Field(
        default=None,
        description="Since when it has one; absent when it has none",
        examples=["2026-03-02T14:05:00Z"],
    )


class CalendarSecret(BaseModel):
    """Where your calendar can be read, without signing in. It is shown this once."""

    address: str = Field(
        description="A path on this service: whoever knows it can read your calendar",
        examples=["/v1/calendar/vXQpN3yWb1q0m6Jt2u5Zc8dKfRr7aHsEoLg4iTwYxMk.ics"],
    )


def shown(session: Session, account: Account) -> CalendarOut:
    """Whether an account's calendar has an address."""
    address = _live(session, account)
    return CalendarOut(made_at=address.made_at if address else None)


def make_address(session: Session, account: Account, secret: str) -> None:
    """Give an account's calendar an address that ends with a secret; one it had ends.

    Raises `Unauthorized` if all that was given out to the account has ended since it was read.
    """
    if find(session, Account, account.id).generation != account.generation:
        raise Unauthorized
    if live := _live(session, account):
        live.revoked_at = now(session)
    session.add(
        CalendarAddress(account_id=account.id, secret_hash=_hash(secret), made_at=now(session))
    )


def new_secret() -> str:
    """A secret that nobody can guess, of letters, digits, hyphens and underscores."""
    return secrets.token_urlsafe(_SECRET_BYTES)


def revoke(session: Session, account: Account) -> None:
    """End the address of an account's calendar, at once. Raises `NoAddress`."""
    live = _live(session, account)
    if live is None:
        raise NoAddress
    live.revoked_at = now(session)


def _live(session: Session, account: Account) -> CalendarAddress | None:
    return session.exec(
        select(CalendarAddress).where(CalendarAddress.account_id == account.id, _IS_LIVE)
    ).first()


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()


def calendar(session: Session, secret: str, at: datetime) -> bytes:
    """The calendar with a secret, as of now. Raises `NoSuchCalendar`.

    An account that may not read the audit any more has none.
    """
    # By its hash, so that how long it takes tells nothing of a secret that is nearly right.
    account = session.exec(
        select(Account)
        .join(CalendarAddress)
        .where(CalendarAddress.secret_hash == _hash(secret), _IS_LIVE)
    ).first()
    if (
        account is None
        or account.disabled
        or account.password_is_temporary
        or not AUDITORS.roles.intersection(account.roles)
    ):
        raise NoSuchCalendar
    today = View.of(session, Question(), at)
    items = work_list(session, today, DAYS)
    return written(items, today.known_at)


def written(items: Iterable[DueItem], known_at: datetime) -> bytes:
    """A work list as iCalendar (RFC 5545, 7986): a whole-day event for each item with a day."""
    # 80 modules, for the few who follow a calendar.
    from icalendar import Calendar  # noqa: PLC0415

    name, about = "Safe Havens: due", f"What lapses within {DAYS} days, or has lapsed"
    if settings().demonstration:
        name, about = f"{name} (demonstration)", f"{about}; {DEMONSTRATION}"
    # Not by `Calendar.new`, which gives each one an id of its own.
    made = Calendar(prodid="-//Safe Havens//Audit//EN", version="2.0")
    made.calendar_name, made.description = name, about
    made.add("refresh-interval", REFRESHED, parameters={"VALUE": "DURATION"})
    made.add("x-published-ttl", "PT6H")
    for item in items:
        if item.on:
            made.add_component(_event(item, known_at))
    content: bytes = made.to_ical()
    return content


def _event(item: DueItem, known_at: datetime) -> "Event":
    from icalendar import TRANSP, Event  # noqa: PLC0415  as above

    return Event.new(
        # The same for as long as it is about the same, though its day may move.
        uid=str(uuid5(item.venue_id, f"{item.kind}/{item.of}")),
        stamp=known_at.replace(microsecond=0),
        start=item.on,
        summary=f"{item.name}: {_summary(item)}",
        description="\n".join(_lines(item)),
        categories=[item.kind],
        transparency=TRANSP.TRANSPARENT,
    )


def _summary(item: DueItem) -> str:
    is_over = item.bucket is Bucket.OVERDUE
    if item.kind is DueKind.REVIEW:
        return f"{item.title} review {'overdue' if is_over else 'due'}"
    noun = " training" if item.kind is DueKind.TRAINING else ""
    return f"{item.title}{noun} {'lapsed' if is_over else 'lapses'}"


def _lines(item: DueItem) -> Iterable[str]:
    yield f"Reference: {item.reference}"
    yield f"Ward: {item.ward}"
    for name in ("business", "certificate", "note"):
        if value := getattr(item, name):
            yield f"{name.capitalize()}: {value}"
