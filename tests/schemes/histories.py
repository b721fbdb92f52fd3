"""Decisions written down in a line."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from app.core.london import LONDON


@dataclass(frozen=True)
class Made:
    kind: str
    effective_at: datetime
    recorded_at: datetime
    until: date | None = None
    voided_at: datetime | None = None
    grade: str | None = None
    certificate: str | None = None
    findings: list[dict[str, Any]] | None = None


def at(written: str) -> datetime:
    """`2026-07-01` or `2026-07-01T14:00` on London's clock."""
    return datetime.fromisoformat(written).replace(tzinfo=LONDON).astimezone(UTC)


def history(text: str) -> list[Made]:
    """Decisions one a line, recorded in that order from 2027 on, each minute one: `kind when`,
    then `until DAY` and `void`."""
    made = []
    for number, line in enumerate(filter(None, map(str.strip, text.split(";")))):
        words = line.split()
        recorded_at = at("2027-01-01T12:00") + timedelta(minutes=number)
        made.append(
            Made(
                kind=words[0],
                effective_at=at(words[1]),
                recorded_at=recorded_at,
                until=date.fromisoformat(words[3]) if "until" in words else None,
                voided_at=recorded_at + timedelta(hours=1) if "void" in words else None,
                certificate=f"N{number}",
            )
        )
    return made


YEAR = "awarded 2026-01-01 until 2026-12-31"
