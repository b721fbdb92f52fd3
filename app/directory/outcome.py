"""What becomes of an order to build the directory."""

from enum import IntEnum
from typing import NamedTuple


class Outcome(IntEnum):
    """What became of an order to build."""

    PUBLISHED = 0
    FAILED = 1
    BUSY = 2
    """Another process of this host is at it, or a replica has to catch up."""
    MIXED = 3
    NOT_SAVED = 4
    WENT_BACK = 5


class Answer(NamedTuple):
    """What became of an order, and why, where there is more to say."""

    outcome: Outcome
    reason: str = ""
