"""Need: where, and in which hours of the week, somebody may need a haven.

It comes in dated sources, such as a month of the police's street-level records. A newer file of the
same source and date takes the place of the older one, which stays as it was known.
"""

from datetime import date

import numpy as np
import sqlalchemy as sa
from pydantic import Field as Described
from sqlmodel import Field

from app.core.events import Event, RecordedOut
from app.http.fields import Period
from app.http.paging import Paging
from app.venues.open_week import HOURS, Floats

NeedPoint = tuple[float, float, float, str]
"""Latitude and longitude, a weight, and the hours of the week over which it spreads as
OpenStreetMap writes them; empty where the source doesn't say."""

_BY_HOUR = (5, 5, 4, 3, 2, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 3, 3, 4, 4, 5, 6, 6)
_BY_NIGHT = (2, 2, 2, 3, 4, 4, 2)
ASSUMPTION = (
    "Where a source does not say when, its need is taken to be greatest from 21:00 to 02:00, least"
    " from 05:00 to noon, half as much again on Thursday nights, and twice as much on Friday and"
    " Saturday nights, as on the others; a night begins at noon."
)


class NeedSource(Event, table=True):
    """Need as one source has it; `effective_at` is its date, for a month the first day.

    `points` are in order, each place and hours once. `rows` is how many the file had, `unplaced`
    those of them without a place.
    """

    __tablename__ = "need_source"

    name: str = Field(max_length=100)
    rows: int
    unplaced: int
    checksum: str = Field(max_length=64)
    points: list[NeedPoint] = Field(sa_type=sa.JSON)


class NeedSourceOut(RecordedOut):
    """A source of need, without its points."""

    name: str = Described(examples=["City of London Police, street level"])
    on: date = Described(description="Its date; of a month, the first day", examples=["2026-02-01"])
    rows: int = Described(description="How many rows its file had", examples=[826])
    unplaced: int = Described(
        description="Of these without a place, which count nowhere", examples=[62]
    )
    checksum: str = Described(
        description="SHA-256 of its points",
        examples=["dd833a555e33dcc5d80214a90deb2c8e7db5ab798c525509279953559087d939"],
    )


class NeedQuestion(Period, Paging):
    """Which sources of need to list, newest first."""

    voided: bool = Described(default=False, description="Show those that were replaced too")


def assumed_by_hour() -> Floats:
    """How need spreads over the hours of the week where a source doesn't say; in all it is 1."""
    # A night's hours belong to the day on which it begins.
    weights = [_BY_HOUR[hour % 24] * _BY_NIGHT[(hour - 12) // 24 % 7] for hour in range(HOURS)]
    share: Floats = np.array(weights) / sum(weights)
    return share
