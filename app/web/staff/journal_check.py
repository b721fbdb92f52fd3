"""Whether the journal is whole, some thousand entries at a time: the page goes on by itself."""

from urllib.parse import urlencode

from fastapi import Request, Response

from app.web.staff.operations import Operations
from app.web.staff.pages import staff_page
from app.web.staff.visits import Somebody

GOES_ON = "go"
"""What stands in the address once somebody has asked for it: it takes time."""


async def show(request: Request, visitor: Somebody) -> Response:
    """How far the chain was followed, and what was found."""
    operation = Operations.of(request.app)["check_journal"]
    visitor.must_be(operation.roles)
    asked = request.query_params
    told = None
    if GOES_ON in asked:
        told = (await visitor.api.get(operation.path, after=asked.get("after"))).body
    onward = urlencode({GOES_ON: "yes", "after": told["next"]}) if told and "next" in told else ""
    return staff_page(
        request,
        visitor,
        "journal_check.html",
        operation.summary,
        told=told,
        onward=f"?{onward}" if onward else "",
        percent=round(100 * told["checked"] / told["entries"]) if told and told["entries"] else 100,
    )
