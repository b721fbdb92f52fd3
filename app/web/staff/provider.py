"""Signing in at the identity provider: there and back, and out again.

What has to come back is held by the browser, sealed and for ten minutes; a sign-in that has come
back once can't again.
"""

from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING, Annotated

import orjson
from fastapi import APIRouter, Form, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse

from app.accounts.arrivals import NameIsTaken, NoName, NotLetIn, arrive
from app.accounts.provided import Begun, NotConfirmed, ProviderDown
from app.core.errors import NotFound
from app.core.settings import Settings
from app.http.database import turns_of
from app.http.middleware import FORM_LIMIT
from app.web.forms import from_our_pages
from app.web.pages import PageRoute
from app.web.staff.pages import staff_page
from app.web.staff.sign_in import ask_to_sign_in, held, ours
from app.web.staff.visits import SIGN_IN, IfAnybody, begun_at_provider, keep_begun, remember

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

    from app.accounts.provider import Provider

router = APIRouter(route_class=PageRoute, include_in_schema=False)

BEGIN = f"{SIGN_IN}/organisation"
CALLBACK = f"{SIGN_IN}/callback"
BEGUN_SECONDS = 600


@router.get(BEGIN)
async def begin(request: Request, back: str = "") -> Response:
    """The way to the provider."""
    try:
        begun = await _provider(request).begin()
    except ProviderDown as error:
        return ask_to_sign_in(request, back=ours(back), problem=error.title, status=error.status)
    sealed = _seal(request).encrypt(
        orjson.dumps([begun.state, begun.nonce, begun.verifier, ours(back)])
    )
    response = RedirectResponse(begun.address, 303)
    response.headers["Cache-Control"] = "no-store"
    keep_begun(request, response, sealed.decode(), BEGUN_SECONDS)
    return response


@router.get(CALLBACK)
async def come_back(
    request: Request, state: str = "", code: str = "", iss: str = "", error: str = ""
) -> Response:
    """Begin a sign-in that this browser keeps, if the provider confirms it."""
    provider = _provider(request)
    back = ""
    try:
        begun, back = _begun(request)
        if error or not code:
            raise NotConfirmed
        claims = await provider.confirmed(begun, state, code, iss)
        app = request.app.state
        async with (await turns_of(request)).taken():
            sign_in_id = await run_in_threadpool(
                arrive,
                app.journal,
                app.settings.identity_provider,
                claims,
                app.tokens.now(),
            )
    except (NotConfirmed, ProviderDown, NotLetIn, NameIsTaken, NoName) as refused:
        response = ask_to_sign_in(request, back=back, problem=refused.title, status=refused.status)
    else:
        response = RedirectResponse(back or "/welcome", 303)
        response.headers["Cache-Control"] = "no-store"
        remember(request, response, sign_in_id)
    keep_begun(request, response, "", 0)
    return response


@router.post(f"{SIGN_IN}/again")
async def go_on(
    request: Request,
    visitor: IfAnybody,
    back: Annotated[str, Form(max_length=2000)] = "",
    kept: Annotated[str, Form(max_length=FORM_LIMIT)] = "",
) -> Response:
    """What was typed before a sign-in ended, for who has signed in again in another tab."""
    await from_our_pages(request)
    if visitor is None:
        problem = "You are not signed in yet: do that first, in the other tab."
        return ask_to_sign_in(
            request, back=ours(back), kept=held(kept), problem=problem, status=401
        )
    return staff_page(
        request,
        None,
        "again.html",
        "You are signed in again",
        back=ours(back),
        kept=[*held(kept), ("token", visitor.form_token)],
    )


@router.get("/sign-out")
async def signed_out(request: Request) -> Response:
    """That somebody is signed out here, and where they sign out at the provider."""
    settings: Settings = request.app.state.settings
    address = await _provider(request).sign_out_address(settings.address(SIGN_IN))
    return staff_page(request, None, "signed_out.html", "You are signed out", address=address)


def _provider(request: Request) -> "Provider":
    provider: Provider | None = request.app.state.provider
    if provider is None:
        raise NotFound
    return provider


def _begun(request: Request) -> tuple[Begun, str]:
    """What this browser began, and where it leads. Raises `NotConfirmed`."""
    # Brings all of a library of ciphers, where there is a provider.
    from cryptography.fernet import InvalidToken  # noqa: PLC0415

    try:
        found = _seal(request).decrypt(begun_at_provider(request).encode(), BEGUN_SECONDS)
    except InvalidToken:
        raise NotConfirmed from None
    state, nonce, verifier, back = orjson.loads(found)
    return Begun("", state, nonce, verifier), back


def _seal(request: Request) -> "Fernet":
    from cryptography.fernet import Fernet  # noqa: PLC0415  as above

    settings: Settings = request.app.state.settings
    return Fernet(urlsafe_b64encode(settings.key("provider")))
