"""The journal verified over HTTP: some thousand entries at a time, so that it ends in time."""

import base64
import binascii
from typing import Annotated

import orjson
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from app.accounts.guards import Administrator
from app.core.errors import responses, wrong
from app.core.journal_chain import Verified
from app.http.conditional import TheJournal, unstored
from app.http.fields import Absent, Maybe, to_json

router = APIRouter(prefix="/v1/admin", tags=["journal"])

MOST = 10_000
"""How many entries are verified in one request: about a second."""

_BAD = wrong("after", "is not where a verification stopped")


class CheckQuestion(BaseModel):
    """From where to go on."""

    after: Maybe[str] = Field(
        default=None, max_length=1000, description="`next` of the answer before"
    )


class BrokenAt(BaseModel):
    """The first entry that is wrong."""

    number: int = Field(examples=[1204])
    reason: str = Field(examples=["was altered, or written without the secret"])


class JournalCheck(BaseModel):
    """How far the journal was verified. Without `next` that is all of it."""

    checked: int = Field(description="How many entries are right so far", examples=[10_000])
    entries: int = Field(description="How many there are", examples=[48_211])
    covered: int | Absent = Field(
        default=None,
        description="At the end: up to which entry a cut would show",
        examples=[48_211],
    )
    broken: BrokenAt | Absent = None
    misdated: int | Absent = Field(
        default=None, description="At the end: how many runs of entries a wrong clock dated"
    )
    next: str | Absent = None


@router.get(
    "/journal/check",
    summary="Is the journal whole?",
    response_model=JournalCheck,
    response_description="How far it was verified",
    responses=responses(_BAD),
)
def check_journal(
    question: Annotated[CheckQuestion, Query()], journal: TheJournal, _: Administrator
) -> Response:
    """Follow the chain of entries from the first on, or from where an answer before stopped.

    Whether each row is what the entries say takes longer: `havens journal verify` looks at it, too.
    """
    found = journal.verify_on(_stopped(question.after), MOST)
    entries = journal.length()
    told = JournalCheck(checked=found.number, entries=entries)
    broken = found.broken
    if broken is None and found.number < entries:
        told.next = _token(found)
        return unstored(to_json(told))
    broken = broken or journal.cut()
    told.broken = BrokenAt(number=broken.number, reason=broken.reason) if broken else None
    told.covered = journal.covered()
    told.misdated = len(journal.misdated())
    return unstored(to_json(told))


def _token(found: Verified) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([found.number, found.end])).decode().rstrip("=")


def _stopped(token: str | None) -> Verified | None:
    """Where a verification stopped. Raises `Invalid`."""
    if token is None:
        return None
    try:
        number, end = orjson.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        kept = {
            "last": str(end["last"]),
            "newest": int(end["newest"]),
            "until": str(end["until"]),
            "latest": str(end["latest"]),
        }
        found = Verified(int(number), None, kept)
    except (ValueError, TypeError, KeyError, binascii.Error):
        raise _BAD from None
    return found
