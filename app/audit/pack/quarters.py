"""Calendar quarters."""

import re
from datetime import date, timedelta
from typing import NamedTuple, Self


class Quarter(NamedTuple):
    """Three months of a year, `2025-Q1` for example."""

    year: int
    number: int

    @classmethod
    def of(cls, text: str) -> Self:
        """The quarter that a text names. Raises `ValueError`."""
        found = re.fullmatch("(20[0-9]{2})-Q([1-4])", text)
        if found is None:
            raise ValueError("must be a quarter of the years 2000 to 2099, like 2025-Q1")
        return cls(int(found[1]), int(found[2]))

    @classmethod
    def at(cls, day: date) -> Self:
        """The quarter that a day lies in."""
        return cls(day.year, (day.month + 2) // 3)

    def __str__(self) -> str:
        return f"{self.year}-Q{self.number}"

    @property
    def first(self) -> date:
        return date(self.year, 3 * self.number - 2, 1)

    @property
    def last(self) -> date:
        return self.after.first - timedelta(days=1)

    @property
    def before(self) -> "Quarter":
        return Quarter(self.year - (self.number == 1), (self.number - 2) % 4 + 1)

    @property
    def after(self) -> "Quarter":
        return Quarter(self.year + (self.number == 4), self.number % 4 + 1)

    @property
    def months(self) -> str:
        """How people say it."""
        return f"{self.first:%B} to {self.last:%B %Y}"
