"""Venues, training and decisions to test with."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from httpx import Client, Response
from sqlalchemy import insert, inspect

from app.core.db import read_session
from app.core.events import recorded
from app.core.journal import Journal
from app.core.london import effective, today
from app.core.places import Point
from app.schemes.listing import listings
from app.training.courses import StaffRole
from app.training.models import Attendance, TrainingSession
from app.venues.kinds import Category
from app.venues.models import Venue, VenueStatus


def add_pub(
    journal: Journal, reference: str = "V0042", status: VenueStatus = VenueStatus.ACTIVE
) -> UUID:
    """A pub without any decision, stored past the journal."""
    pub = Venue(
        reference=reference,
        name=f"The Lantern {reference}",
        category=Category.PUB,
        location=Point(51.5134, -0.0890),
        status=status,
    )
    values = {column.key: getattr(pub, column.key) for column in inspect(Venue).columns}
    with journal.engine.execution_options(writes=True).begin() as connection:
        connection.execute(insert(Venue), values)
    return pub.id


def train(journal: Journal, venue_id: UUID, on: str, course: str = "ask_for_angela") -> None:
    """Twelve of a venue's staff take a course."""
    told: dict[str, Any] = {"effective_at": effective(date.fromisoformat(on))}
    with journal.writing("account p.okafor") as session:
        told |= recorded(session)
        session.add(training := TrainingSession(course=course, **told))
        session.flush()
        session.add(
            Attendance(
                session_id=training.id,
                venue_id=venue_id,
                role=StaffRole.BAR_STAFF,
                new_count=12,
                refresher_count=0,
                **told,
            )
        )


SAFE_HAVEN = (
    *("water", "electricity", "connection", "phone_charging", "seat", "toilet"),
    *("trained_staff_on_duty", "suitability"),
)


def findings(*unmet: str, criteria: tuple[str, ...] = SAFE_HAVEN) -> list[dict[str, Any]]:
    """What an assessment found: everything met but these."""
    return [{"criterion": criterion, "met": criterion not in unmet} for criterion in criteria]


def decide(
    client: Client, venue_id: UUID, kind: str, scheme: str = "safe_haven", **more: Any
) -> Response:
    """Ask for a decision; a reason is given where one is needed."""
    usual: dict[str, Any] = {"kind": kind, "scheme": scheme}
    if kind in ("suspended", "withdrawn", "refused"):
        usual["reason"] = "Failed a test"
    if kind == "assessed":
        usual["findings"] = findings()
    return client.post(f"/v1/admin/venues/{venue_id}/decisions", json=usual | more)


def standing_of(
    client: Client, venue_id: UUID, scheme: str = "safe_haven", **asked: str
) -> dict[str, Any]:
    """How a venue stands in a scheme."""
    answer = client.get(f"/v1/admin/venues/{venue_id}/standing", params=asked)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["schemes"]
    return next(one for one in found if one["scheme"] == scheme)


def day(days: int) -> str:
    """So many days from today on."""
    return (today() + timedelta(days=days)).isoformat()


def refused(answer: Response, status: int, code: str) -> dict[str, str]:
    """The errors of a problem, by field."""
    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (status, f"urn:safe-havens:problem:{code}")
    return {error["field"]: error["message"] for error in problem.get("errors", [])}


def windows(journal: Journal) -> dict[UUID, Any]:
    """What the public is shown of now and the next day."""
    now = int(datetime.now(UTC).timestamp())
    with read_session(journal.engine) as session:
        found = listings(session, (now, now + 86_400), datetime.fromtimestamp(now, UTC))
        return {
            UUID(venue_id): [start <= now + 1 < end for start, end in listing.windows]
            for venue_id, listing in found.items()
            if listing.windows
        }


def void(client: Client, decision: dict[str, Any], reason: str = "Wrong venue") -> Response:
    path = f"/v1/admin/decisions/{decision['id']}"
    tag = client.get(path).headers["ETag"]
    return client.post(f"{path}/void", json={"reason": reason}, headers={"If-Match": tag})
