"""Certificates of awards: one, or all of a season or of a day in one document.

They are in English, which is the language in which an award is made.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import Any, Self
from uuid import UUID

from pydantic import Field, model_validator
from sqlmodel import Session, col, select

from app.core.db import find, read_session
from app.core.errors import DomainError, FieldError
from app.core.journal import Journal
from app.core.london import Day, effective, end_of
from app.core.settings import Settings
from app.core.text import folded
from app.http.fields import Given, Maybe
from app.schemes.history import decisions_of
from app.schemes.models import Decision, Season
from app.schemes.registry import SchemeKey
from app.schemes.rules import Kind, award_in_force
from app.venues.models import Venue, VenueStatus
from app.web.paper.models import CertificateCode
from app.web.paper.press import Sheet
from app.web.paper.qr import qr_code
from app.web.paper.verification import code_of, draw_code, in_groups


class NoCertificate(DomainError):
    """A certificate must not say what is not so."""

    status = 409
    code = "no-certificate"
    title = "There is no certificate of this"

    def __init__(self, field: str, message: str) -> None:
        super().__init__([FieldError(field=field, message=message)])


class CertificatesQuestion(Given):
    """Which awards: those of a season, or those of a scheme that took effect on one day."""

    season_id: Maybe[UUID] = None
    scheme: Maybe[SchemeKey] = Field(default=None, examples=["safe_haven"])
    on: Maybe[Day] = Field(
        default=None,
        description="With `scheme`: the London day on which they took effect",
        examples=["2026-03-02"],
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        by_day = self.scheme is not None and self.on is not None
        has_either = self.scheme is not None or self.on is not None
        if (self.season_id is None) != by_day or (self.season_id and has_either):
            raise ValueError("give either season_id, or scheme and on")
        return self


Chosen = tuple[Decision, Venue]
Choose = Callable[[Session, datetime], Sequence[Chosen]]


def one(decision_id: UUID) -> Choose:
    """The award that a decision made. Raises `NotFound` and `NoCertificate`."""

    def choose(session: Session, at: datetime) -> Sequence[Chosen]:
        award = find(session, Decision, decision_id)
        venue = find(session, Venue, award.venue_id)
        if why_not := _why_not(session, award, venue, at):
            raise NoCertificate("decision_id", why_not)
        return [(award, venue)]

    return choose


def several(question: CertificatesQuestion) -> Choose:
    """The awards that a question is after and that stand, by the names of venues.

    Raises `NotFound`, and `NoCertificate` when there are none.
    """

    def choose(session: Session, at: datetime) -> Sequence[Chosen]:
        if question.season_id:
            find(session, Season, question.season_id)
            conditions = [col(Decision.season_id) == question.season_id]
        else:
            assert question.on  # noqa: S101 - the question has checked it
            conditions = [
                col(Decision.scheme) == question.scheme,
                col(Decision.effective_at) >= effective(question.on),
                col(Decision.effective_at) < end_of(question.on),
            ]
        statement = (
            select(Decision, Venue)
            .join(Venue, col(Venue.id) == col(Decision.venue_id))
            .where(col(Decision.kind) == Kind.AWARDED, *conditions)
        )
        standing = [
            (award, venue)
            for award, venue in session.exec(statement)
            if not _why_not(session, award, venue, at)
        ]
        if not standing:
            field = "season_id" if question.season_id else "on"
            raise NoCertificate(field, "has no award that is in force, or will be")
        return sorted(standing, key=lambda pair: (folded(pair[1].name), pair[0].id))

    return choose


def _why_not(session: Session, award: Decision, venue: Venue, at: datetime) -> str:
    """Why there is no certificate of a decision; empty if there is."""
    if award.kind != Kind.AWARDED:
        return f"is no award, but {award.kind}"
    if award.voided_at is not None:
        return "was voided"
    if venue.status != VenueStatus.ACTIVE:
        return f"is of a venue that is not active, but {venue.status}"
    decisions = decisions_of(session, venue.id, award.scheme)
    held = award_in_force(decisions, award, max(at, award.effective_at))
    if held is None:
        return "is not in force: see the standing of the venue"
    if held.award != (award.until, award.grade, award.certificate):
        return "was renewed: make the certificate of the newer award"
    return ""


def certificates(journal: Journal, actor: str, choose: Choose, ours: Settings) -> Sheet:
    """The certificates of the awards that are chosen, a page each.

    An award that has no code yet gets one, on behalf of `actor`. Raises what `choose` raises, and
    `WrongClock`.
    """
    at = datetime.now(UTC)
    with read_session(journal.engine) as session:
        chosen = [award.id for award, _ in choose(session, at)]
        without = [id_ for id_ in chosen if session.get(CertificateCode, id_) is None]
    if without:
        with journal.writing(actor) as session:
            for id_ in without:
                draw_code(session, id_)
    with read_session(journal.engine) as session:
        awards = choose(session, at)
        pages = [_page(award, venue, code_of(session, award.id), ours) for award, venue in awards]
        made_at = max(award.recorded_at for award, _ in awards)
    return Sheet(
        "certificates.typ",
        {
            "language": "en",
            "direction": "ltr",
            "title": f"Certificate of {pages[0]['name']}" if len(pages) == 1 else "Certificates",
            "check": ours.address("/verify").partition("://")[2],
            "is_sample": ours.demonstration,
            "pages": pages,
        },
        made_at=int(made_at.timestamp()),
    )


_SAYS = MappingProxyType(
    {
        SchemeKey.SAFE_HAVEN: (
            "is a Safe Haven",
            "A place of temporary refuge for a person,\nto make their way onward in safety.",
        ),
        SchemeKey.ASK_FOR_ANGELA: (
            "takes part in Ask for Angela",
            "Its staff know what to do\nwhen somebody asks for Angela.",
        ),
        SchemeKey.SAFETY_THIRST: (
            "holds the Safety Thirst award",
            "For keeping those who go there safe.",
        ),
        SchemeKey.WOMENS_NIGHT_SAFETY_CHARTER: (
            "has signed the Women’s Night Safety Charter",
            "A promise to make the night safer for women.",
        ),
    }
)
"""What a certificate says of a venue, by scheme."""


def _page(award: Decision, venue: Venue, code: str, ours: Settings) -> dict[str, Any]:
    says, about = _SAYS[award.scheme]
    return {
        "name": venue.name,
        "place": ", ".join(filter(None, (venue.address, venue.postcode))),
        "says": says,
        "about": about,
        "grade": (award.grade or "").replace("_", " ").capitalize(),
        "first": _day(award.on),
        "last": _day(award.until) if award.until else "",
        "certificate": award.certificate or "",
        "code": in_groups(code),
        "qr": qr_code(ours.address(f"/verify/{code}")),
    }


def _day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"
