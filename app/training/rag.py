"""When coverage is green, amber or red: by what percentage of the declared staff is trained."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Self, TypeVar

from app.core.columns import Ints
from app.core.settings import Settings


# From the worst on, for `rag_place`.
class Rag(StrEnum):
    RED = "red"
    AMBER = "amber"
    GREEN = "green"


@dataclass(frozen=True)
class Thresholds:
    """From what percentage of coverage on a venue is green or amber, and how far `due` looks."""

    green: int = 75
    amber: int = 50
    due_days: int = 60

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Those of the operator."""
        return cls(settings.rag_green, settings.rag_amber, settings.due_days)


USUAL = Thresholds()


def rag(trained: int, headcount: int | None, thresholds: Thresholds) -> Rag | None:
    """The colour of a coverage; None without a headcount, or with one of nobody."""
    return list(Rag)[rag_place(trained, headcount, thresholds)] if headcount else None


_Number = TypeVar("_Number", int, Ints)


def rag_place(trained: _Number, headcount: _Number, thresholds: Thresholds) -> _Number:
    """The place of a colour in `Rag`, or of many in columns; each headcount is of somebody."""
    # Whole numbers: exactly three quarters must be green whatever the headcount.
    percent = 100 * trained
    # `1 *`, for to numpy the sum of two truths is a truth.
    return 1 * (percent >= thresholds.amber * headcount) + (percent >= thresholds.green * headcount)
