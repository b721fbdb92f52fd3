"""A second factor of one's own: set up with an app, confirmed, and its recovery codes."""

from typing import Annotated

import segno
from fastapi import Form, Request, Response

from app.accounts.second_factor import is_missing
from app.web.forms import from_our_pages
from app.web.staff.api import Told
from app.web.staff.pages import staff_page
from app.web.staff.visits import Somebody, Visitor

API = "/v1/auth/second-factor"

Typed = Annotated[str, Form(max_length=100)]

BEGIN = (
    "You need an app for one-time codes on your phone, such as Google Authenticator, Aegis or"
    " 2FAS. It needs no connection."
)
RENEW = "New recovery codes make those that you have worth nothing."


async def show(request: Request, visitor: Somebody) -> Response:
    """What is needed to set one up."""
    return _form(request, visitor)


async def begin(
    request: Request, visitor: Somebody, token: Typed = "", code: Typed = ""
) -> Response:
    """A secret for an app, shown once."""
    told = await _sent(request, visitor, "", token, {"code": code} if code else {})
    if not told.is_done:
        return _form(request, visitor, told=told)
    return staff_page(
        request,
        visitor,
        "second_factor.html",
        "Set up your app",
        step="confirm",
        secret=told.body["secret"],
        qr=_drawn(told.body["address"]),
    )


async def show_confirm(request: Request, visitor: Somebody) -> Response:
    """The form for a code of the new secret, which is shown no more."""
    return _confirm_form(request, visitor)


async def confirm(
    request: Request, visitor: Somebody, token: Typed = "", code: Typed = ""
) -> Response:
    """The second factor counts, and codes for who loses the app are shown once."""
    told = await _sent(request, visitor, "/confirm", token, {"code": code})
    return _codes(request, visitor, told) if told.is_done else _confirm_form(request, visitor, told)


async def show_renew(request: Request, visitor: Somebody) -> Response:
    """What new recovery codes take."""
    return _form(request, visitor, renews=True)


async def renew(
    request: Request, visitor: Somebody, token: Typed = "", code: Typed = ""
) -> Response:
    """New recovery codes, shown once."""
    told = await _sent(request, visitor, "/recovery-codes", token, {"code": code})
    if told.is_done:
        return _codes(request, visitor, told)
    return _form(request, visitor, told=told, renews=True)


async def _sent(
    request: Request, visitor: Visitor, path: str, token: str, body: dict[str, str]
) -> Told:
    await from_our_pages(request)
    visitor.check(token)
    return await visitor.api.send("POST", API + path, body)


def _codes(request: Request, visitor: Visitor, told: Told) -> Response:
    codes = told.body["recovery_codes"]
    return staff_page(request, visitor, "recovery_codes.html", "Your recovery codes", codes=codes)


def _form(
    request: Request, visitor: Visitor, *, told: Told | None = None, renews: bool = False
) -> Response:
    title = "New recovery codes" if renews else "Set up a second factor"
    return staff_page(
        request,
        visitor,
        "second_factor.html",
        title,
        told.status if told else 200,
        step="renew" if renews else "begin",
        about=RENEW if renews else BEGIN,
        button="Show new codes" if renews else "Show the secret",
        has_factor=renews or visitor.account.second_factor is not None,
        is_missing=is_missing(request.app.state.settings, visitor.account),
        problem=_problem(told),
    )


def _confirm_form(request: Request, visitor: Visitor, told: Told | None = None) -> Response:
    return staff_page(
        request,
        visitor,
        "second_factor.html",
        "Confirm the second factor",
        told.status if told else 200,
        step="confirm",
        problem=_problem(told),
    )


def _problem(told: Told | None) -> str:
    """What is wrong, as it stands beside the one field."""
    if told is None:
        return ""
    return " ".join(f"The code {one.message}" if one.field else one.message for one in told.errors)


def _drawn(address: str) -> str:
    """A QR code as a drawing of black on white, which a page can hold."""
    drawn: str = segno.make(address, error="m").svg_inline(
        scale=5, border=4, light="#ffffff", omitsize=False, svgclass=None, lineclass=None
    )
    return drawn
