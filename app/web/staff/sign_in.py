"""Signing in and out on a page, without losing what somebody was about to send."""

from collections.abc import Sequence
from typing import Annotated
from urllib.parse import urlsplit

import orjson
from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from app.accounts.tokens import Tokens
from app.core.settings import Settings
from app.http.middleware import FORM_LIMIT
from app.web.forms import from_our_pages
from app.web.pages import PageRoute
from app.web.staff.api import Api, Told
from app.web.staff.fields import Typed
from app.web.staff.pages import home, staff_page
from app.web.staff.visits import (
    SIGN_IN,
    IfAnybody,
    forget,
    form_token,
    known_device,
    remember,
    whole_address,
)

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get(SIGN_IN)
async def show(request: Request, back: str = "") -> Response:
    """The form, and where it leads."""
    return ask_to_sign_in(request, back=ours(back))


def ask_again(request: Request, typed: Typed) -> Response:
    """The form in place of an answer, with what was sent: the sign-in had ended."""
    # A password is typed again rather than written into a page.
    kept = [
        (key, text)
        for key, texts in typed.items()
        for text in texts
        if key != "token" and not key.endswith("password")
    ]
    return ask_to_sign_in(request, back=whole_address(request), kept=kept, status=401)


@router.post(SIGN_IN)
async def sign_in(
    request: Request,
    username: Annotated[str, Form(max_length=200)] = "",
    password: Annotated[str, Form(max_length=400)] = "",
    back: Annotated[str, Form(max_length=2000)] = "",
    kept: Annotated[str, Form(max_length=FORM_LIMIT)] = "",
) -> Response:
    """Begin a sign-in that this browser keeps."""
    await from_our_pages(request)
    back, was_typed = ours(back), held(kept)
    given = {"username": username, "password": password, "device_token": known_device(request)}
    told = await Api(request).send("POST", "/v1/auth/token", form=given)
    if step_token := told.body.get("step_token", ""):
        return _code_form(request, back=back, kept=was_typed, step_token=step_token)
    if not told.is_done:
        return ask_to_sign_in(
            request,
            back=back,
            kept=was_typed,
            problem=_problem(told),
            name=username,
            status=told.status,
        )
    return _signed_in(request, told, back, was_typed)


@router.post("/sign-in/code")
async def give_code(
    request: Request,
    step_token: Annotated[str, Form(max_length=4096)] = "",
    code: Annotated[str, Form(max_length=60)] = "",
    back: Annotated[str, Form(max_length=2000)] = "",
    kept: Annotated[str, Form(max_length=FORM_LIMIT)] = "",
) -> Response:
    """Begin a sign-in, whose password was right, with a code."""
    await from_our_pages(request)
    back, was_typed = ours(back), held(kept)
    given = {"step_token": step_token, "code": code, "device_token": known_device(request)}
    told = await Api(request).send("POST", "/v1/auth/token/code", form=given)
    if told.is_done:
        return _signed_in(request, told, back, was_typed)
    if told.body.get("type", "").endswith(":sign-in-again") or not step_token:
        return ask_to_sign_in(
            request, back=back, kept=was_typed, problem=_problem(told), status=told.status
        )
    return _code_form(
        request,
        back=back,
        kept=was_typed,
        step_token=step_token,
        problem=_problem(told),
        status=told.status,
    )


def _problem(told: Told) -> str:
    return " ".join(error.message for error in told.errors)


def _signed_in(
    request: Request, told: Told, back: str, was_typed: list[tuple[str, str]]
) -> Response:
    """Where somebody goes who has signed in."""
    tokens: Tokens = request.app.state.tokens
    _, sign_in_id = tokens.read(told.body["access_token"])
    if was_typed:
        response = staff_page(
            request,
            None,
            "again.html",
            "You are signed in again",
            back=back,
            kept=[*was_typed, ("token", form_token(request, sign_in_id))],
        )
    else:
        response = RedirectResponse(back or "/welcome", 303)
    remember(request, response, sign_in_id, told.body["device_token"])
    return response


@router.get("/welcome")
async def welcome(visitor: IfAnybody) -> Response:
    """Where somebody begins, by what they may do."""
    return RedirectResponse(home(visitor) if visitor else SIGN_IN, 303)


@router.post("/sign-out")
async def sign_out(
    request: Request, visitor: IfAnybody, token: Annotated[str, Form(max_length=100)] = ""
) -> Response:
    """End this sign-in."""
    await from_our_pages(request)
    if visitor is not None:
        visitor.check(token)
        await visitor.api.send("POST", "/v1/auth/sign-out")
    is_of_provider = visitor is not None and visitor.account.subject is not None
    response = RedirectResponse("/sign-out" if is_of_provider else SIGN_IN, 303)
    forget(request, response)
    return response


def _code_form(
    request: Request,
    *,
    back: str,
    kept: Sequence[tuple[str, str]],
    step_token: str,
    problem: str = "",
    status: int = 200,
) -> Response:
    return staff_page(
        request,
        None,
        "code.html",
        "Give your code",
        status,
        back=back,
        kept=_as_text(kept),
        step_token=step_token,
        problem=problem,
    )


def _as_text(kept: Sequence[tuple[str, str]]) -> str:
    return orjson.dumps(list(kept)).decode() if kept else ""


def ask_to_sign_in(
    request: Request,
    *,
    back: str,
    kept: Sequence[tuple[str, str]] = (),
    problem: str = "",
    name: str = "",
    status: int = 200,
) -> Response:
    """The page on which somebody signs in, as may be done here."""
    settings: Settings = request.app.state.settings
    return staff_page(
        request,
        None,
        "sign_in.html",
        "Sign in",
        status,
        back=back,
        kept=_as_text(kept),
        problem=problem,
        name=name,
        has_provider=settings.identity_provider is not None,
        has_passwords=settings.passwords,
    )


def ours(address: str) -> str:
    """An address of our own, or nothing: nobody is led elsewhere from here."""
    parts = urlsplit(address)
    is_ours = address.startswith("/") and not address.startswith(("//", "/\\"))
    return address if is_ours and not parts.netloc and not parts.scheme else ""


def held(kept: str) -> list[tuple[str, str]]:
    """What was typed into a form before it was known that nobody is signed in."""
    try:
        found = orjson.loads(kept or "[]")
        return [(str(key), str(text)) for key, text in found]
    except (ValueError, TypeError):
        return []
