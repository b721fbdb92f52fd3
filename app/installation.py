"""Backup and health at a glance, for administrators: what the doctor finds without taking long."""

from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from app.accounts.guards import Administrator
from app.core.journal import Journal
from app.directory.live import Directory
from app.directory.read_side import NotReady
from app.directory.routes import Live
from app.http.conditional import TheJournal, unstored
from app.http.fields import Absent, to_json

router = APIRouter(prefix="/v1/admin", tags=["journal"])

Severity = Literal["well", "look", "wrong"]
SEVERITIES: tuple[Severity, ...] = ("well", "look", "wrong")
"""As the doctor counts them."""

SEE_LOG = "The service's log says why: journalctl -u havens"


class LookedAt(BaseModel):
    """Something that was looked at, what was found, and what to do about it unless all is well."""

    subject: str = Field(examples=["backup"])
    severity: Severity = Field(description="`look`: somebody should. `wrong`: now")
    says: str = Field(
        examples=["2026-11-28.havens, made on 28 November 2026 at 05:30 UTC, 4 h ago"]
    )
    remedy: str | Absent = None


class Installation(BaseModel):
    """How this installation is, as far as can be told at once."""

    severity: Severity = Field(description="Of the worst that was found")
    findings: list[LookedAt] = Field(description="The worst first")


@router.get(
    "/installation",
    summary="Backup and health",
    response_model=Installation,
    response_description="What was found",
)
def read_installation(
    request: Request, directory: Live, journal: TheJournal, _: Administrator
) -> Response:
    """Backup, directory, database, clock, journal and disk, as far as can be told at once.

    `havens doctor` looks at the whole database, too, and `/v1/admin/journal/check` at the whole
    journal.
    """
    # Brings what a service that starts has no need of.
    from app.doctor import examine  # noqa: PLC0415

    found = [
        _service(directory, journal),
        *(
            LookedAt(
                subject=one.subject,
                severity=SEVERITIES[one.severity],
                says=one.says,
                remedy=one.remedy or None,
            )
            for one in examine(request.app.state.settings, thorough=False)
        ),
    ]
    found.sort(key=lambda one: SEVERITIES.index(one.severity), reverse=True)
    return unstored(to_json(Installation(severity=found[0].severity, findings=found)))


def _service(directory: Directory, journal: Journal) -> LookedAt:
    """Whether the process that answers is ready, as a load balancer is told."""
    severity: Severity = "well"
    try:
        version = directory.search.snapshot.version
        says = f"ready; directory {version} was confirmed {directory.age_seconds} s ago"
    except NotReady:
        severity, says = "wrong", "it has no usable directory: nobody gets an answer"
    if severity == "well" and journal.writes.fail:
        severity, says = "wrong", f"{says}; nothing can be recorded"
    elif severity == "well" and directory.is_degraded:
        severity, says = "look", f"{says}; it can't be confirmed now"
    remedy = None if severity == "well" else SEE_LOG
    return LookedAt(subject="service", severity=severity, says=says, remedy=remedy)
