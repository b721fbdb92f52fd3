"""What is decided about a venue: recorded when it is a legal step, voided when it was a mistake."""

from collections.abc import Callable, Collection, Iterable
from datetime import date, datetime
from functools import partial
from uuid import UUID

from sqlmodel import Session, col, select

from app.core.db import find
from app.core.errors import DomainError, FieldError, Invalid, wrong
from app.core.events import not_in_future, recorded, void
from app.core.journal import now
from app.core.london import effective, last_day, london_day
from app.schemes.history import decisions_of, settle
from app.schemes.models import Decision, Season
from app.schemes.prerequisites import Trained, refuse_lacking
from app.schemes.registry import Scheme, schemes
from app.schemes.rules import Kind, State, first_illegal, in_order, later, standing, unmet
from app.schemes.schemas import Application, Assessment, Award, Step
from app.training.evidence import trained_in_date
from app.venues.models import Venue, VenueStatus

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


def decide(session: Session, venue_id: UUID, given: Step) -> Decision:
    """Record a decision. Raises `NotFound`, and as `new_decision` does."""
    venue = find(session, Venue, venue_id)
    decision = new_decision(
        session,
        venue,
        given,
        decisions_of(session, venue.id, given.scheme),
        partial(trained_in_date, session),
        partial(newest_certificate, session),
    )
    session.add(decision)
    settle(session, venue.id, given.scheme)
    return decision


def new_decision(
    session: Session,
    venue: Venue,
    given: Step,
    history: Collection[Decision],
    trained: Trained,
    newest_certificate: Callable[[Scheme, int], int],
) -> Decision:
    """A decision that can follow the `history` of the venue in the scheme.

    `newest_certificate` is the last number that a scheme gave in a year. Raises `Invalid` for what
    the scheme does not know; `IllegalStep`; and for an award or a reinstatement `NotActive`,
    `NotPassed` or `PrerequisiteLacking`.
    """
    scheme = schemes()[given.scheme]
    season = _season(session, scheme, given)
    criteria = season.areas if season else scheme.criteria
    decision = Decision(
        venue_id=venue.id,
        scheme=scheme.key,
        kind=given.kind,
        effective_at=_effective_at(session, given, history),
        season_id=season.id if season else None,
        reason=getattr(given, "reason", None),
        **recorded(session),
    )
    if isinstance(given, Assessment):
        _refuse_other_criteria(criteria, season, given)
        decision.findings = [f.model_dump(exclude_none=True) for f in given.findings]
    if isinstance(given, Award):
        decision.grade = _grade(season, given)
        decision.until = _until(scheme, given, decision, history)
        decision.override_reason = given.override_reason
    _refuse_illegal(decision, history)
    if given.kind in (Kind.AWARDED, Kind.REINSTATED):
        if venue.status != VenueStatus.ACTIVE:
            raise NotActive
        refuse_lacking(venue.id, scheme, decision.on, trained)
    if isinstance(given, Award):
        _refuse_unmet(criteria, decision, history)
        year = decision.on.year
        decision.certificate = _certificate(scheme, year, newest_certificate(scheme, year) + 1)
    return decision


def assess(session: Session, venue_id: UUID, given: Assessment) -> Decision:
    """Record an assessment that may be the licensing team's. Raises as `decide` does."""
    if not schemes()[given.scheme].assessed_by_licensing:
        raise wrong("scheme", "is assessed by officers only")
    return decide(session, venue_id, given)


def void_decision(session: Session, decision: Decision, reason: str) -> None:
    """Mark a decision as a mistake. Raises `AlreadyVoid` or `LaterDecisionDepends`."""
    void(session, decision, reason)
    history = decisions_of(session, decision.venue_id, decision.scheme)
    if illegal := first_illegal(history):
        raise _would_not_stand(illegal[0])
    settle(session, decision.venue_id, decision.scheme)


# --- what a decision must be -----------------------------------------------------------------


def _effective_at(session: Session, given: Step, history: Iterable[Decision]) -> datetime:
    today = london_day(now(session))
    day = given.on or today
    if day == today and given.kind in AT_ONCE:
        return now(session)
    first = not_in_future(session, day)
    # After whatever was decided before it on that day, or it could be undone by that.
    return max([first, *(d.effective_at for d in in_order(history) if d.on == day)])


def _season(session: Session, scheme: Scheme, given: Step) -> Season | None:
    if not isinstance(given, Application | Assessment | Award):
        return None
    if scheme.seasonal and given.season_id is None:
        raise wrong("season_id", "is required in a scheme with seasons")
    if given.season_id is None:
        return None
    season = session.get(Season, given.season_id)
    if season is None or season.scheme != scheme.key:
        raise wrong("season_id", "is not a season of this scheme")
    return season


def _refuse_other_criteria(
    criteria: Collection[str], season: Season | None, given: Assessment
) -> None:
    assessed = [finding.criterion for finding in given.findings]
    errors = []
    for place, criterion in enumerate(assessed):
        field = f"findings.{place}.criterion"
        if criterion not in criteria:
            errors.append(FieldError(field=field, message="is not in the checklist"))
        if criterion in assessed[:place]:
            errors.append(FieldError(field=field, message="is there twice"))
    needed = "is required for an area of a season" if season else "is for the areas of a season"
    errors += [
        FieldError(field=f"findings.{place}.score", message=needed)
        for place, finding in enumerate(given.findings)
        if (finding.score is None) == (season is not None)
    ]
    if missing := [criterion for criterion in criteria if criterion not in assessed]:
        errors.append(FieldError(field="findings", message=f"must speak of {', '.join(missing)}"))
    if errors:
        raise Invalid(errors)


def _grade(season: Season | None, given: Award) -> str | None:
    if season is None and given.grade is not None:
        raise wrong("grade", "is for a scheme with seasons")
    if season is not None and given.grade not in season.grades:
        raise wrong("grade", f"must be one of {', '.join(season.grades)}")
    return given.grade


def _until(
    scheme: Scheme, given: Award, decision: Decision, history: Iterable[Decision]
) -> date | None:
    """The last day of an award; a renewal never ends before what it renews."""
    if scheme.months is None:
        if given.until is not None:
            raise wrong("until", "must be absent: an award of this scheme has no end")
        return None
    if given.until is not None and given.until < decision.on:
        raise wrong("until", "must not be before the award itself")
    before = standing(history, decision.effective_at)
    until = given.until or last_day(decision.on, scheme.months)
    if before.state is not State.IN_FORCE:
        return until
    if given.until is not None and later(before.until, until) != until:
        raise wrong("until", f"must not be before {before.until}, the end of what is in force")
    return later(before.until, until)


def _refuse_illegal(decision: Decision, history: Iterable[Decision]) -> None:
    illegal = first_illegal([*history, decision])
    if illegal is None:
        return
    first, steps = illegal
    if first is not decision:
        raise _would_not_stand(first)
    legal = ", ".join(kind for kind in Kind if kind in steps)
    raise IllegalStep([FieldError(field="kind", message=f"can be one of {legal}")])


def _refuse_unmet(
    criteria: Collection[str], decision: Decision, history: Iterable[Decision]
) -> None:
    if not criteria or decision.override_reason:
        return
    same = [d for d in history if d.season_id == decision.season_id or d.kind != Kind.ASSESSED]
    lacking = unmet(same, criteria, decision.effective_at)
    if lacking is None:
        raise NotPassed([FieldError(field="kind", message="needs an assessment before it")])
    if lacking:
        message = f"does not meet {', '.join(lacking)}"
        raise NotPassed([FieldError(field="findings", message=message)])


def _would_not_stand(decision: Decision) -> LaterDecisionDepends:
    message = f"{decision.kind} on {decision.on} would not stand"
    return LaterDecisionDepends([FieldError(field="kind", message=message)])


class Certificates:
    """As `newest_certificate`, asked for one more each time: by one query for scheme and year."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._newest: dict[tuple[str, int], int] = {}

    def __call__(self, scheme: Scheme, year: int) -> int:
        newest = self._newest.get((scheme.key, year))
        if newest is None:
            newest = newest_certificate(self._session, scheme, year)
        self._newest[scheme.key, year] = newest + 1
        return newest


def _certificate(scheme: Scheme, year: int, number: int) -> str:
    return f"{scheme.certificate_prefix}-{year}-{number:04}"


def newest_certificate(session: Session, scheme: Scheme, year: int) -> int:
    """The last number of the year. A voided award's number is never given again."""
    prefix = f"{scheme.certificate_prefix}-{year}-"
    certificates = session.exec(
        select(Decision.certificate).where(
            col(Decision.scheme) == scheme.key,
            # By the day, which has an index.
            col(Decision.effective_at) >= effective(date(year, 1, 1)),
            col(Decision.effective_at) < effective(date(year + 1, 1, 1)),
            col(Decision.certificate).is_not(None),
        )
    )
    numbers = (number.removeprefix(prefix) for number in certificates if number)
    return max((int(number) for number in numbers if number.isdecimal()), default=0)
