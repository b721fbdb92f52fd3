"""Where the pages for those who sign in are: a page of its own, or the one that the API makes."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from app.core.errors import NotFound
from app.web.finder import InListing
from app.web.pages import PageRoute
from app.web.staff import (
    hours,
    installation,
    journal_check,
    packs,
    reports,
    second_factor,
    sheets,
    today,
    venue,
)
from app.web.staff.fields import Typed, typed_in
from app.web.staff.forms import show_form, take_form
from app.web.staff.operations import Found, Operations
from app.web.staff.records import show_list, show_record
from app.web.staff.sign_in import ask_again
from app.web.staff.visits import IfAnybody, Somebody

router = APIRouter(route_class=PageRoute, include_in_schema=False)

AREAS = ("/console/{rest:path}", "/audit/{rest:path}", "/account/{rest:path}")


router.get("/console")(today.show)
router.get("/console/venues/{venue_id:uuid}")(venue.show)
router.get("/console/venues/{venue_id:uuid}/hours/edit")(hours.show)
router.post("/console/venues/{venue_id:uuid}/hours/edit")(hours.take)
router.get("/console/bulk")(sheets.show)
router.get("/console/bulk/staged/{staged_id:uuid}")(sheets.show_staged)
# Whom a sign-in that ended has led back to what was to be confirmed.
router.get("/console/bulk/staged/{staged_id:uuid}/confirm")(sheets.show_unconfirmed)
router.post("/console/bulk/staged/{staged_id:uuid}/confirm")(sheets.confirm)
router.get("/console/bulk/{kind}/staged")(sheets.show_upload)
router.post("/console/bulk/{kind}/staged")(sheets.upload)
router.get("/console/journal/check")(journal_check.show)
router.get("/console/installation")(installation.show)
router.get("/audit")(reports.show_front)
router.get("/audit/packs")(packs.show)
router.get("/audit/packs/{pack_id:uuid}/check")(packs.show_check)
router.get("/audit/packs/{pack_id:uuid}/difference")(packs.show_difference)
router.get("/account/second-factor")(second_factor.show)
router.post("/account/second-factor")(second_factor.begin)
router.get("/account/second-factor/confirm")(second_factor.show_confirm)
router.post("/account/second-factor/confirm")(second_factor.confirm)
router.get("/account/second-factor/recovery-codes")(second_factor.show_renew)
router.post("/account/second-factor/recovery-codes")(second_factor.renew)


async def show(request: Request, visitor: Somebody) -> Response:
    """A list, a record, a report, or a form."""
    found = _found(request)
    visitor.must_be(found.operation.roles)
    if found.operation.method != "GET":
        return await show_form(request, visitor, found)
    if found.operation.is_list:
        return await show_list(request, visitor, found)
    if reports.is_report(found.operation):
        return await reports.show(request, visitor, found)
    return await show_record(request, visitor, found)


async def take(
    request: Request,
    visitor: IfAnybody,
    typed: Annotated[Typed, Depends(typed_in)],
    listing: InListing,
) -> Response:
    """What a form sends."""
    if visitor is None:
        return ask_again(request, typed)
    found = _found(request)
    if found.operation.method == "GET":
        raise NotFound
    visitor.must_be(found.operation.roles)
    return await take_form(request, visitor, found, typed, listing)


for area in AREAS:
    router.get(area)(show)
    router.post(area)(take)


def _found(request: Request) -> Found:
    found = Operations.of(request.app).at(request.url.path)
    if found is None:
        raise NotFound
    return found
