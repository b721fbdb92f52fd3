"""What is decided about a venue: recorded when it is a legal step, voided when it was a mistake."""

from collections.abc import Iterable
from datetime import date, datetime
from uuid import UUID

from sqlmodel import Session, col, select

from app.core.db import find
from app.core.errors import DomainError, FieldError, Invalid, wrong
from app.core.events import not_in_future, recorded, void
from app.core.journal import now
from app.core.london import effective, last_day, london_day
from app.schemes.history import decisions_of, settle
from app.schemes.models import Decision, Season
from app.schemes.prerequisites import refuse_lacking
from app.schemes.registry import Scheme, schemes
from app.schemes.rules import Kind, State, first_illegal, in_order, later, standing, unmet
from app.schemes.schemas import (
    Application,
    Assessment,
    Award,
    Refusal,
    Reinstatement,
    Suspension,
    Withdrawal,
)
from app.venues.models import Venue, VenueStatus

Step = Application | Assessment | Award | Refusal | Suspension | Reinstatement | Withdrawal

AT_ONCE = (Kind.SUSPENDED, Kind.REINSTATED, Kind.WITHDRAWN)
"""What takes effect at its instant when it is decided today."""


class IllegalStep(DomainError):
    """What is asked can't follow what has been decided; the error says what can."""

    status = 409
    code = "illegal-step"
    title = "This can't be decided as things stand"


class LaterDecisionDepends(DomainError):
    """A change of the past that would leave a later decision without its ground."""

    status = 409
    code = "later-decision-depends"
    title = "A later decision rests on this; void that one first"


class NotPassed(DomainError):
    """An award without an assessment that meets every criterion, and without a reason why."""

    status = 409
    code = "assessment-not-passed"
    title = "The assessment is missing or not passed; award only with an override_reason"


class NotActive(DomainError):
    """An award to a venue that nobody could visit."""

    status = 409
    code = "venue-not-active"
    title = "Only an active venue can be accredited"


def decide(session: Session, venue_id: UUID, asked: Step) -> Decision:
    """Record a decision.

    Raises `NotFound`; `Invalid` for what the scheme does not know; `IllegalStep`; and for an
    award or a reinstatement `NotActive`, `NotPassed` or `PrerequisiteLacking`.
    """
    venue = find(session, Venue, venue_id)
    scheme = schemes()[asked.scheme]
    history = decisions_of(session, venue.id, scheme.key)
    season = _season(session, scheme, asked)
    decision = Decision(
        venue_id=venue.id,
        scheme=scheme.key,
        kind=asked.kind,
        effective_at=_effective_at(session, asked, history),
        season_id=season.id if season else None,
        reason=getattr(asked, "reason", None),
        **recorded(session),
    )
    if isinstance(asked, Assessment):
        _refuse_other_criteria(scheme, season, asked)
        decision.findings = [f.model_dump(exclude_none=True) for f in asked.findings]
    if isinstance(asked, Award):
        decision.grade = _grade(season, asked)
        decision.until = _until(scheme, asked, decision, history)
        decision.override_reason = asked.override_reason
    _refuse_illegal(decision, history)
    if asked.kind in (Kind.AWARDED, Kind.REINSTATED):
        if venue.status != VenueStatus.ACTIVE:
            raise NotActive
        refuse_lacking(session, venue.id, scheme, decision.on)
    if isinstance(asked, Award):
        _refuse_unmet(scheme, season, decision, history)
        decision.certificate = _certificate(session, scheme, decision.on.year)
    session.add(decision)
    settle(session, venue.id, scheme.key)
    return decision


def assess(session: Session, venue_id: UUID, asked: Assessment) -> Decision:
    """Record an assessment that may be the licensing team's. Raises as `decide` does."""
    if not schemes()[asked.scheme].assessed_by_licensing:
        raise wrong("scheme", "is assessed by officers only")
    return decide(session, venue_id, asked)


def void_decision(session: Session, decision: Decision, reason: str) -> None:
    """Mark a decision as a mistake. Raises `AlreadyVoid` or `LaterDecisionDepends`."""
    void(session, decision, reason)
    history = decisions_of(session, decision.venue_id, decision.scheme)
    if illegal := first_illegal(history):
        raise LaterDecisionDepends([_told(illegal[0])])
    settle(session, decision.venue_id, decision.scheme)


# --- what a decision must be -----------------------------------------------------------------


def _effective_at(session: Session, asked: Step, history: Iterable[Decision]) -> datetime:
    today = london_day(now(session))
    day = asked.on or today
    if day == today and asked.kind in AT_ONCE:
        return now(session)
    first = not_in_future(session, day)
    # After whatever was decided before it on that day, or it could be undone by that.
    return max([first, *(d.effective_at for d in in_order(history) if d.on == day)])


def _season(session: Session, scheme: Scheme, asked: Step) -> Season | None:
    if not isinstance(asked, Application | Assessment | Award):
        return None
    if scheme.seasonal and asked.season_id is None:
        raise wrong("season_id", "is required in a scheme with seasons")
    if asked.season_id is None:
        return None
    season = session.get(Season, asked.season_id)
    if season is None or season.scheme != scheme.key:
        raise wrong("season_id", "is not a season of this scheme")
    return season


def _refuse_other_criteria(scheme: Scheme, season: Season | None, asked: Assessment) -> None:
    criteria = season.areas if season else scheme.criteria
    found = [finding.criterion for finding in asked.findings]
    errors = [
        FieldError(field=f"findings.{place}.criterion", message=message)
        for place, criterion in enumerate(found)
        for wrong, message in (
            (criterion not in criteria, "is not in the checklist"),
            (criterion in found[:place], "is there twice"),
        )
        if wrong
    ]
    errors += [
        FieldError(field=f"findings.{place}.score", message=message)
        for place, finding in enumerate(asked.findings)
        for wrong, message in (
            (season and finding.score is None, "is required for an area of a season"),
            (not season and finding.score is not None, "is for the areas of a season"),
        )
        if wrong
    ]
    if missing := [criterion for criterion in criteria if criterion not in found]:
        errors.append(FieldError(field="findings", message=f"must speak of {', '.join(missing)}"))
    if errors:
        raise Invalid(errors)


def _grade(season: Season | None, asked: Award) -> str | None:
    if season is None and asked.grade is not None:
        raise wrong("grade", "is for a scheme with seasons")
    if season is not None and asked.grade not in season.grades:
        raise wrong("grade", f"must be one of {', '.join(season.grades)}")
    return asked.grade


def _until(
    scheme: Scheme, asked: Award, decision: Decision, history: Iterable[Decision]
) -> date | None:
    """The last day of an award; a renewal never ends before what it renews."""
    if scheme.months is None:
        if asked.until is not None:
            raise wrong("until", "must be absent: an award of this scheme has no end")
        return None
    if asked.until is not None and asked.until < decision.on:
        raise wrong("until", "must not be before the award itself")
    before = standing(history, decision.effective_at)
    until = asked.until or last_day(decision.on, scheme.months)
    if before.state is not State.IN_FORCE:
        return until
    if asked.until is not None and later(before.until, until) != until:
        raise wrong("until", f"must not be before {before.until}, the end of what is in force")
    return later(before.until, until)


def _refuse_illegal(decision: Decision, history: Iterable[Decision]) -> None:
    illegal = first_illegal([*history, decision])
    if illegal is None:
        return
    first, steps = illegal
    if first is not decision:
        raise LaterDecisionDepends([_told(first)])
    legal = ", ".join(kind for kind in Kind if kind in steps)
    raise IllegalStep([FieldError(field="kind", message=f"can be one of {legal}")])


def _refuse_unmet(
    scheme: Scheme, season: Season | None, decision: Decision, history: Iterable[Decision]
) -> None:
    criteria = season.areas if season else scheme.criteria
    if not criteria or decision.override_reason:
        return
    same = [d for d in history if d.season_id == decision.season_id or d.kind != Kind.ASSESSED]
    lacking = unmet(same, criteria, decision.effective_at)
    if lacking is None:
        raise NotPassed([FieldError(field="kind", message="needs an assessment before it")])
    if lacking:
        message = f"does not meet {', '.join(lacking)}"
        raise NotPassed([FieldError(field="findings", message=message)])


def _told(decision: Decision) -> FieldError:
    return FieldError(field="kind", message=f"{decision.kind} on {decision.on} would not stand")


def _certificate(session: Session, scheme: Scheme, year: int) -> str:
    """The next number of the year. A voided award's number is never given again."""
    prefix = f"{scheme.certificate_prefix}-{year}-"
    given = session.exec(
        select(Decision.certificate).where(
            col(Decision.scheme) == scheme.key,
            # By the day, which has an index.
            col(Decision.effective_at) >= effective(date(year, 1, 1)),
            col(Decision.effective_at) < effective(date(year + 1, 1, 1)),
            col(Decision.certificate).is_not(None),
        )
    )
    numbers = (number.removeprefix(prefix) for number in given if number)
    newest = max((int(number) for number in numbers if number.isdecimal()), default=0)
    return f"{prefix}{newest + 1:04}"
