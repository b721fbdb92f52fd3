"""What the public said in the survey, by quarter and ward, and never of fewer than five people.

No number of people is told that is below `FEW`, nor can one be worked out: what is left of a total,
when all that is told by ward is taken from it, is `FEW` or more too, or nothing. Quarters are told
when they are over, and for all venues together, so that no two answers differ by a few people.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlmodel import Session, col, select

from app.core.london import effective
from app.outreach.models import SurveyCount
from app.outreach.survey import quarter_of

FEW = 5


class Counts(NamedTuple):
    """How many people answered, and how many of them said yes to each question."""

    answers: int
    safer: int
    helped: int


class Told(NamedTuple):
    """What is told of some counts: None where it would be of few people."""

    answers: int | None
    safer: int | None
    helped: int | None


Key = UUID | None
"""A ward, or none."""


def told(counts: Mapping[Key, Counts]) -> tuple[Told, dict[Key, Told]]:
    """What may be told in all and by ward."""
    whole = Counts(*map(sum, zip(*counts.values(), strict=True))) if counts else Counts(0, 0, 0)
    untold = _untold({key: (one.answers,) for key, one in counts.items()}, set())
    hidden = {
        name: _untold({key: _parts(one, name) for key, one in counts.items()}, untold)
        for name in ("safer", "helped")
    }
    by_ward = {
        key: Told(
            None if key in untold else one.answers,
            None if key in hidden["safer"] else one.safer,
            None if key in hidden["helped"] else one.helped,
        )
        for key, one in counts.items()
    }
    in_all = Told(
        whole.answers if whole.answers >= FEW else None,
        whole.safer if min(_parts(whole, "safer")) >= FEW else None,
        whole.helped if min(_parts(whole, "helped")) >= FEW else None,
    )
    return in_all, by_ward


def _parts(counts: Counts, name: str) -> tuple[int, int]:
    """How many said yes, and no."""
    yes: int = getattr(counts, name)
    return yes, counts.answers - yes


def _untold(parts: Mapping[Key, Sequence[int]], begin: set[Key]) -> set[Key]:
    """Whose parts are not told: those with a part of few, and as many more as they hide behind."""
    untold = begin | {key for key, some in parts.items() if min(some) < FEW}
    told_ = sorted(parts.keys() - untold, key=lambda key: (min(parts[key]), str(key)))
    for key in told_:
        left = [sum(some) for some in zip(*(parts[one] for one in untold), strict=True)]
        if not untold or min(left) >= FEW:
            break
        untold.add(key)
    return untold


def is_over(quarter: date, at: datetime) -> bool:
    """Whether the quarter that begins on a day is over at an instant."""
    return effective(quarter_of(quarter + timedelta(days=100))) <= at


def counted(session: Session) -> dict[date, dict[Key, Counts]]:
    """All there is, by the first day of the quarter, the newest first, and ward; for `told`."""
    found: dict[date, dict[Key, Counts]] = {}
    for one in session.exec(select(SurveyCount).order_by(col(SurveyCount.quarter).desc())):
        by_ward = found.setdefault(one.quarter, {})
        by_ward[one.ward_id] = Counts(one.answers, one.safer, one.helped)
    return found
