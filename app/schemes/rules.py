"""Which steps a venue can take in a scheme, and how it stands after them.

It can apply, be assessed and be awarded, though not awarded while suspended. What is in force can
be suspended, and that reinstated; what is in force, suspended or applied for can be withdrawn, and
what is applied for refused. An award is in force from its own day to the end of its last London
day, but for suspensions; then it has expired, by the clock. A renewal never shortens it.

Decisions count in the order in which they took effect, those of one instant in the order in which
they were recorded. One that was not a legal step when it took effect changes nothing.
"""

from collections.abc import Collection, Iterable
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple, Protocol, TypeVar

from app.core.london import end_of, last_day, london_day


class Kind(StrEnum):
    """What can be decided. The order is that of decisions recorded in one go for one day."""

    APPLIED = "applied"
    ASSESSED = "assessed"
    REFUSED = "refused"
    AWARDED = "awarded"
    SUSPENDED = "suspended"
    REINSTATED = "reinstated"
    WITHDRAWN = "withdrawn"


class State(StrEnum):
    NONE = "none"
    APPLIED = "applied"
    ASSESSED = "assessed"
    IN_FORCE = "in_force"
    SUSPENDED = "suspended"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    REFUSED = "refused"


class Decided(Protocol):
    """What the rules need of a decision. `until` is an award's last day, None for no end."""

    @property
    def kind(self) -> str: ...
    @property
    def effective_at(self) -> datetime: ...
    @property
    def recorded_at(self) -> datetime: ...
    @property
    def voided_at(self) -> datetime | None: ...
    @property
    def until(self) -> date | None: ...
    @property
    def grade(self) -> str | None: ...
    @property
    def certificate(self) -> str | None: ...


D = TypeVar("D", bound=Decided)


class Standing(NamedTuple):
    """How a venue stands in a scheme.

    `since` is when the decision, or the expiry, that made it so took effect. `until`, `grade` and
    `certificate` are the award's. `pending` is an application, or the assessment after it, that
    nothing has come of yet; it can be there while an older award is in force.
    """

    state: State = State.NONE
    since: datetime | None = None
    until: date | None = None
    grade: str | None = None
    certificate: str | None = None
    pending: Kind | None = None

    @property
    def award(self) -> tuple[date | None, str | None, str | None]:
        """Its `until`, `grade` and `certificate`."""
        return self.until, self.grade, self.certificate


NO_STANDING = Standing()
"""That of a venue about which nothing has been decided."""


class Span(NamedTuple):
    """A standing from one instant on and until another; None is no end."""

    start: datetime
    end: datetime | None
    standing: Standing


# --- legal steps -----------------------------------------------------------------------------

_AFRESH = frozenset({Kind.APPLIED, Kind.ASSESSED, Kind.AWARDED})
_STEPS = {
    State.NONE: _AFRESH,
    State.APPLIED: _AFRESH | {Kind.WITHDRAWN},
    State.ASSESSED: _AFRESH | {Kind.WITHDRAWN},
    State.IN_FORCE: _AFRESH | {Kind.SUSPENDED, Kind.WITHDRAWN},
    # An award here would lift a suspension that nobody decided to lift.
    State.SUSPENDED: frozenset({Kind.APPLIED, Kind.ASSESSED, Kind.REINSTATED, Kind.WITHDRAWN}),
    State.EXPIRED: _AFRESH,
    State.WITHDRAWN: _AFRESH,
    State.REFUSED: _AFRESH,
}


def steps_from(standing: Standing) -> frozenset[Kind]:
    """What can be decided for a venue that stands so."""
    steps = _STEPS[standing.state]
    return steps - {Kind.APPLIED} | {Kind.REFUSED} if standing.pending else steps


def legal_steps(decisions: Iterable[Decided], at: datetime) -> frozenset[Kind]:
    """What can be decided at an instant."""
    return steps_from(standing(decisions, at))


def first_illegal(decisions: Iterable[D]) -> tuple[D, frozenset[Kind]] | None:
    """The first decision that was no legal step when it took effect, with those that were."""
    ordered = in_order(decisions)
    for place, decision in enumerate(ordered):
        steps = legal_steps(ordered[:place], decision.effective_at)
        if decision.kind not in steps:
            return decision, steps
    return None


# --- standing --------------------------------------------------------------------------------

AWARDED = (State.IN_FORCE, State.SUSPENDED)
"""In which there is an award that has not ended."""


def standing(decisions: Iterable[Decided], at: datetime) -> Standing:
    """How a venue stands at an instant."""
    spans = timeline(decisions)
    return next((span.standing for span in reversed(spans) if span.start <= at), NO_STANDING)


def in_force_intervals(decisions: Iterable[Decided]) -> list[tuple[datetime, datetime | None]]:
    """When an accreditation is in force: half-open, in order, in UTC; None is no end."""
    intervals: list[tuple[datetime, datetime | None]] = []
    for span in timeline(decisions):
        if span.standing.state is State.IN_FORCE:
            touches = bool(intervals) and intervals[-1][1] == span.start
            intervals.append((intervals.pop()[0] if touches else span.start, span.end))
    return intervals


def award_in_force(decisions: Iterable[Decided], award: Decided, at: datetime) -> Standing | None:
    """How an award stands at an instant at which it is in force; else None.

    One that was renewed since without a gap goes on as what renewed it, with that one's last day.
    """
    ordered = [decision for decision in in_order(decisions) if decision.effective_at <= at]
    if award.kind != Kind.AWARDED or award not in ordered:
        return None
    count = ordered.index(award) + 1
    held = standing(ordered[:count], award.effective_at)
    if held.state is not State.IN_FORCE:
        return None
    # Decision by decision, since what one ends another can begin again at the same instant.
    for number in range(count, len(ordered) + 1):
        following = ordered[number].effective_at if number < len(ordered) else at
        held = standing(ordered[:number], following)
        if held.state not in AWARDED:
            return None
    return held if held.state is State.IN_FORCE else None


def timeline(decisions: Iterable[Decided]) -> list[Span]:
    """Every standing there ever is, in order, each until the next begins."""
    return timeline_of(in_order(decisions))


def timeline_of(ordered: Iterable[Decided]) -> list[Span]:
    """The timeline of decisions that all count, and are in order already."""
    # Of what happens at one instant, only the last lasts.
    begun: dict[datetime, Standing] = {}
    current = NO_STANDING
    for decision in ordered:
        current = _expire(begun, current, decision.effective_at)
        following = after(current, decision)
        if following != current:
            begun[decision.effective_at] = current = following
    _expire(begun, current)
    ends = [*list(begun)[1:], None]
    return [Span(start, end, held) for (start, held), end in zip(begun.items(), ends, strict=False)]


def _expire(
    begun: dict[datetime, Standing], current: Standing, by: datetime | None = None
) -> Standing:
    """How a venue stands after its award's end, if that comes by an instant; None is ever."""
    if current.state not in AWARDED or current.until is None or current.since is None:
        return current
    # An award that ends before it begins is never in force.
    end = max(end_of(current.until), current.since)
    if by is not None and by < end:
        return current
    begun[end] = Standing(State.EXPIRED, end, *current.award, current.pending)
    return begun[end]


def after(before: Standing, decision: Decided) -> Standing:
    """How a venue stands after a decision."""
    kind, at = decision.kind, decision.effective_at
    if kind not in steps_from(before):
        return before
    # Made anew rather than with `replace`: reports make tens of thousands.
    match kind:
        case Kind.AWARDED:
            renewed = before.state is State.IN_FORCE
            until = later(before.until, decision.until) if renewed else decision.until
            return Standing(State.IN_FORCE, at, until, decision.grade, decision.certificate)
        case Kind.SUSPENDED:
            return Standing(State.SUSPENDED, at, *before.award, before.pending)
        case Kind.REINSTATED:
            return Standing(State.IN_FORCE, at, *before.award, before.pending)
        case Kind.APPLIED | Kind.ASSESSED if before.state in AWARDED:
            return Standing(before.state, before.since, *before.award, _KINDS[kind])
        case Kind.APPLIED | Kind.ASSESSED:
            return Standing(_STATES[kind], since=at, pending=_KINDS[kind])
        case Kind.REFUSED if before.state in AWARDED:
            return Standing(before.state, before.since, *before.award)
        case _:
            return Standing(_STATES[kind], since=at)


# In a tenth of the time that calling the class takes.
_KINDS: dict[str, Kind] = {kind.value: kind for kind in Kind}
_STATES: dict[str, State] = {state.value: state for state in State}


def review_due(standing: Standing, months: int | None) -> date | None:
    """The day on which an award in force is to be reviewed; None where no reviews are held."""
    if months is None or standing.since is None or standing.state is not State.IN_FORCE:
        return None
    return last_day(london_day(standing.since), months) + timedelta(days=1)


def later(first: date | None, second: date | None) -> date | None:
    """The later of two last days, of which None is no end."""
    return None if first is None or second is None else max(first, second)


def in_order(decisions: Iterable[D]) -> list[D]:
    """The decisions that count, for they were not voided, first one first."""
    return sorted((decision for decision in decisions if decision.voided_at is None), key=_order)


RANK: dict[str, int] = {kind: rank for rank, kind in enumerate(Kind)}
"""In which order decisions come that take effect and were recorded at one instant."""


def _order(decision: Decided) -> tuple[Any, ...]:
    return decision.effective_at, decision.recorded_at, RANK[decision.kind]


# --- assessments -----------------------------------------------------------------------------


class Assessed(Decided, Protocol):
    """A decision with what an assessment found: `criterion`, `met` and the like of each."""

    @property
    def findings(self) -> list[dict[str, Any]] | None: ...


def unmet(
    decisions: Iterable[Assessed], criteria: Collection[str], at: datetime
) -> list[str] | None:
    """The criteria that the assessment in hand at an instant does not meet; None without one.

    What has led to an award, a refusal or a withdrawal is not in hand any more.
    """
    in_hand: Assessed | None = None
    for decision in in_order(decisions):
        if decision.effective_at > at:
            break
        if decision.kind == Kind.ASSESSED:
            in_hand = decision
        elif decision.kind in (Kind.AWARDED, Kind.REFUSED, Kind.WITHDRAWN):
            in_hand = None
    if in_hand is None:
        return None
    met = {finding["criterion"] for finding in in_hand.findings or () if finding["met"]}
    return [criterion for criterion in criteria if criterion not in met]
