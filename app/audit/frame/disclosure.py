"""Who read how a single venue's scheme tests went: journalled before they see it."""

from collections.abc import Collection
from uuid import UUID

from app.audit.frame.question import View
from app.audit.models import TestResultsRead
from app.core.journal import Journal, actor, now


def note_read(
    journal: Journal, reader: str, report: str, view: View, venues: Collection[UUID]
) -> None:
    """Journal that a report which shows the test results of these venues is about to be read.

    To be called before it goes out: what can't be noted must not be shown. It is one entry however
    many venues there are, since what was asked says which; none where nothing is revealed.
    """
    if not venues:
        return
    question = view.filters.model_dump(
        mode="json", by_alias=True, exclude_defaults=True, exclude={"format", "table"}
    )
    moment = {"as_at": view.as_at.isoformat(), "known_at": view.known_at.isoformat()}
    with journal.writing(reader) as session:
        session.add(
            TestResultsRead(
                venue_id=next(iter(venues)) if len(venues) == 1 else None,
                venues=len(venues),
                asked=question | moment,
                at=now(session),
                by=actor(session),
                report=report,
            )
        )
