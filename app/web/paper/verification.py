"""The code on a certificate, and what it says of an award: in force until …, not in force, unknown.

A code is 60 random bits, drawn when an award's certificate is first made and kept with the award:
a key of its own for each, so that no other key is needed to check it. It can't be worked out from
anything, unlike the numbers of certificates, which follow on each other; and nothing becomes of it
when the keys of the service are changed. Among 100,000 awards a guess is right once in 10¹³ times,
and a wrong one is told what every wrong one is told.

It is kept as it is, for it must be printed again, and it is no secret: it hangs in a window. It
lets nobody do anything but read what the certificate says. The journal holds no more than its
digest. It is looked up by a unique index, in which how long it takes depends on the first letters
that agree with some code by less than a network's own unsteadiness, and knowing those would help
nobody to the rest.
"""

import re
import secrets
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from pydantic import BaseModel, Field
from sqlmodel import Session, col, select

from app.core.journal import now
from app.http.fields import Absent
from app.schemes.history import decisions_of
from app.schemes.models import Decision
from app.schemes.registry import SchemeKey
from app.schemes.rules import award_in_force
from app.venues.models import Venue, VenueStatus
from app.web.paper.models import CertificateCode

_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's: without those that are taken for others."""

_LENGTH = 12
_READ_AS = str.maketrans("OIL", "011", "- ")
_LONGEST = 40
"""Nothing longer is looked at: a code with a space or a dash after every letter is shorter."""

DEMONSTRATION = "demonstration data: not a real award"


class AwardState(StrEnum):
    """All that a code tells."""

    IN_FORCE = "in_force"
    NOT_IN_FORCE = "not_in_force"
    UNKNOWN = "unknown"


class Verification(BaseModel):
    """What a code says of an award; of whom it is only while it is in force, and never why not."""

    state: AwardState = Field(examples=["in_force"])
    scheme: SchemeKey | Absent = Field(default=None, examples=["safe_haven"])
    grade: str | Absent = Field(
        default=None, description="In a scheme that is awarded in grades", examples=["commended"]
    )
    name: str | Absent = Field(
        default=None, description="The venue's", examples=["The Lantern & Anchor"]
    )
    until: date | Absent = Field(
        default=None,
        description="The last day, in London; absent where there is no end",
        examples=["2027-03-31"],
    )
    notice: str | Absent = Field(
        default=None, description="Present where every award is invented", examples=[DEMONSTRATION]
    )


def verification(session: Session, code: str, at: datetime) -> Verification:
    """What a code, as somebody has typed it, says of an award at an instant."""
    # What can't be a code is not asked of the database, which might choke on it.
    meant = read_code(code)
    found = (
        meant
        and session.exec(
            select(Decision, Venue)
            .join(CertificateCode, col(CertificateCode.decision_id) == col(Decision.id))
            .join(Venue, col(Venue.id) == col(Decision.venue_id))
            .where(CertificateCode.code == meant)
        ).first()
    )
    if not found:
        return Verification(state=AwardState.UNKNOWN)
    award, venue = found
    held = award_in_force(decisions_of(session, venue.id, award.scheme), award, at)
    # What is closed can't be visited, whatever it was awarded.
    if held is None or venue.status != VenueStatus.ACTIVE:
        return Verification(state=AwardState.NOT_IN_FORCE)
    return Verification(
        state=AwardState.IN_FORCE,
        scheme=award.scheme,
        grade=held.grade,
        name=venue.name,
        until=held.until,
    )


def draw_code(session: Session, award_id: UUID) -> None:
    """Give an award a code, unless it has one."""
    if session.get(CertificateCode, award_id) is None:
        drawn = "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))
        session.add(CertificateCode(decision_id=award_id, code=drawn, made_at=now(session)))


def code_of(session: Session, award_id: UUID) -> str:
    """The code of an award that has one."""
    return session.exec(
        select(CertificateCode.code).where(CertificateCode.decision_id == award_id)
    ).one()


def in_groups(code: str) -> str:
    """A code as people read it: `QF7K-2MXP-91TD`."""
    return "-".join(code[place : place + 4] for place in range(0, _LENGTH, 4))


def read_code(text: str) -> str | None:
    """The code that somebody means: in any case, with or without dashes, O for 0, I or L for 1."""
    code = text[:_LONGEST].upper().translate(_READ_AS)
    return code if re.fullmatch(f"[{_LETTERS}]{{{_LENGTH}}}", code) else None
