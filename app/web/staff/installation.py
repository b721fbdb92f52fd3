"""Backup and health at a glance: what was found, the worst first, each with what to do."""

from fastapi import Request, Response

from app.web.staff.operations import Operations
from app.web.staff.pages import staff_page
from app.web.staff.shown import light_of, wording
from app.web.staff.visits import Somebody

HEADINGS = {"wrong": ("To mend now", "late"), "look": ("To look at", "soon"), "well": ("Well", "")}
"""What stands above findings of each severity, and how their list is marked."""


async def show(request: Request, visitor: Somebody) -> Response:
    """The doctor's findings in groups."""
    operation = Operations.of(request.app)["read_installation"]
    visitor.must_be(operation.roles)
    found = (await visitor.api.get(operation.path)).body["findings"]
    groups = [
        (heading, mark, [one for one in found if one["severity"] == severity])
        for severity, (heading, mark) in HEADINGS.items()
    ]
    return staff_page(
        request,
        visitor,
        "installation.html",
        operation.summary,
        about=operation.about,
        groups=[group for group in groups if group[-1]],
        light=light_of,
        wording=wording,
    )
