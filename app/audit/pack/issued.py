"""Packs as they were issued: kept whole, made again to prove them, and told apart from later ones.

What a stored pack shows comes from what was stored and is never worked out anew.
"""

import logging
from datetime import date, datetime
from typing import Any, Self
from uuid import UUID

import orjson
from pydantic import BaseModel, Field, ValidationError
from sqlmodel import Session, select

from app.audit.cover.on_foot import OnFoot
from app.audit.frame import figures
from app.audit.frame.figures import A_HASH, FigureChange
from app.audit.frame.question import Filters
from app.audit.models import Pack
from app.audit.pack.differences import REVEALING, Recorded, recorded_between
from app.audit.pack.pack import Parameters, QuarterlyPack, QuarterName, compose, hash_of, parameters
from app.audit.pack.quarters import Quarter
from app.core.errors import wrong
from app.core.journal import actor, now
from app.core.journal_chain import Entry
from app.http.fields import to_json

log = logging.getLogger(__name__)


class PackIn(Filters):
    """Which quarter's pack to issue, and about which venues."""

    quarter: QuarterName


class PackOut(BaseModel):
    """An issued pack, without what it says."""

    id: UUID
    quarter: str = Field(examples=["2025-Q1"])
    first: date = Field(description="The quarter's first day", examples=["2025-01-01"])
    last: date = Field(description="The quarter's last day", examples=["2025-03-31"])
    as_at: date = Field(
        description="`last`, or the day of issue before it", examples=["2025-03-31"]
    )
    known_at: datetime
    issued_at: datetime
    issued_by: str = Field(examples=["account licensing"])
    chosen: Filters
    figures_hash: str = Field(description="SHA-256 of the figures", examples=[A_HASH])

    @classmethod
    def of(cls, pack: Pack) -> Self:
        """A pack as lists have it, who have not read its document."""
        stored = pack.model_dump(exclude={"document", "parameters"})
        return cls(figures_hash=pack.hash, **pack.parameters, **stored)


class PackCheck(BaseModel):
    """Whether a pack is what it was: by what is recorded, by what is stored, by the journal."""

    as_issued: bool = Field(description="False is a fault, and somebody has to look into it")
    faults: list[str] = Field(examples=[[]])
    figures_hash: str = Field(description="As it was issued", examples=[A_HASH])
    made_again_hash: str = Field(description="As it is worked out again now", examples=[A_HASH])
    stored_hash: str = Field(
        description="That of the figures in the stored document", examples=[A_HASH]
    )
    changes: list[FigureChange] = Field(
        description="What is not the same when it is made again", examples=[[]]
    )


class Difference(BaseModel):
    """The same quarter as known when the pack was issued and as known later, and why.

    `events` are all that took effect by the pack's day, and were recorded or voided in between.
    """

    quarter: str = Field(examples=["2025-Q1"])
    as_at: date = Field(examples=["2025-03-31"])
    issued_known_at: datetime
    known_at: datetime
    figures_hash: str = Field(description="As it was issued", examples=[A_HASH])
    known_hash: str = Field(description="As known later", examples=[A_HASH[::-1]])
    explained: bool = Field(
        description="Whether something was recorded that can account for what changed; "
        "False is a fault"
    )
    changes: list[FigureChange]
    events: list[Recorded]

    def tested(self) -> set[UUID]:
        """The venues of which it tells how a scheme test may have gone."""
        events = (event for event in self.events if event.kind in REVEALING)
        return {event.venue_id for event in events if event.venue_id}


def issue(session: Session, given: PackIn, on_foot: OnFoot) -> Pack:
    """Make a pack by what is known now, and keep it. Raises `Invalid`."""
    at = now(session)
    made_from, known_at = parameters(session, given.quarter, given, None, at)
    document = compose(session, made_from, known_at, on_foot)
    quarter = Quarter.of(made_from.quarter)
    pack = Pack(
        first=quarter.first,
        last=quarter.last,
        known_at=known_at,
        issued_at=at,
        issued_by=actor(session),
        parameters=made_from.model_dump(mode="json"),
        hash=document.about.figures_hash,
        document="",
    )
    document.about.pack_id = pack.id
    document.about.issued_at, document.about.issued_by = at, pack.issued_by
    pack.document = to_json(document).decode()
    session.add(pack)
    session.flush()
    return pack


def check(session: Session, pack: Pack) -> PackCheck:
    """Make a pack again by what was known then, and hold it against what was stored.

    What is wrong is told in the log too, for it must not happen.
    """
    made_from = Parameters.model_validate(pack.parameters)
    again = compose(session, made_from, pack.known_at)
    stored, stored_hash = _stored(pack, made_from)
    made_again_hash = again.about.figures_hash
    checks = {
        "the figures come out otherwise when they are worked out again": made_again_hash,
        "the stored document does not have the figures that were issued": stored_hash,
    }
    faults = [fault for fault, found_hash in checks.items() if found_hash != pack.hash]
    if not _as_journalled(session, pack):
        faults.append("what is stored is not what the journal says was issued")
    for fault in faults:
        log.error("pack %s: %s", pack.id, fault)
    return PackCheck(
        as_issued=not faults,
        faults=faults,
        figures_hash=pack.hash,
        made_again_hash=made_again_hash,
        stored_hash=stored_hash,
        changes=figures.changes(stored, figures.figures(again)),
    )


def _stored(pack: Pack, made_from: Parameters) -> tuple[dict[str, figures.Figure], str]:
    """The figures in a stored document and their hash; none of what can't be read."""
    try:
        document = QuarterlyPack.model_validate_json(pack.document)
    except ValidationError:
        return {}, ""
    return figures.figures(document), hash_of(made_from, document)


def _as_journalled(session: Session, pack: Pack) -> bool:
    entries = session.exec(
        select(Entry).where(Entry.subject == "pack", Entry.subject_id == str(pack.id))
    ).all()
    if len(entries) != 1 or entries[0].before is not None:
        return False
    columns: dict[str, Any] = {column: getattr(pack, column) for column in Pack.model_fields}
    return bool(orjson.loads(entries[0].after or "null") == orjson.loads(orjson.dumps(columns)))


def difference(session: Session, pack: Pack, known_at: datetime) -> Difference:
    """What a pack would say as known later, and what was recorded since that accounts for it.

    Raises `Invalid` for an instant before it was issued.
    """
    if known_at < pack.known_at:
        raise wrong("known_at", "lies before the pack was issued")
    made_from = Parameters.model_validate(pack.parameters)
    later = compose(session, made_from, known_at)
    stored, _ = _stored(pack, made_from)
    changed = figures.changes(stored, figures.figures(later))
    events = recorded_between(session, made_from.view(pack.known_at), made_from.view(known_at))
    return Difference(
        quarter=made_from.quarter,
        as_at=made_from.as_at,
        issued_known_at=pack.known_at,
        known_at=known_at,
        figures_hash=pack.hash,
        known_hash=later.about.figures_hash,
        explained=bool(events) or not changed,
        changes=changed,
        events=events,
    )
