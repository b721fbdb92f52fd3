"""Signing in and out, and one's own account."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Query, Request, Response
from sqlmodel import Session, col

from app.accounts import actions, sign_ins
from app.accounts.attempts import TooManyAttempts
from app.accounts.guards import Visiting
from app.accounts.lane import Busy, Lane
from app.accounts.models import Account, SignIn
from app.accounts.password_checks import (
    CodeNeeded,
    PasswordChecks,
    SignInAgain,
    WrongCode,
    WrongPassword,
)
from app.accounts.schemas import (
    AccessToken,
    CodeGiven,
    Credentials,
    Me,
    PasswordChange,
    RecoveryCodes,
    SecondFactorAsked,
    SecondFactorBegun,
    SecondStep,
    SignedIn,
    SignInShown,
    TemporaryPassword,
)
from app.accounts.tokens import Tokens, Unauthorized
from app.core.db import find, none_such
from app.core.errors import DomainError, responses, wrong
from app.core.journal import WrongClock
from app.core.settings import Settings
from app.http.conditional import Register
from app.http.database import TheTurns, Unavailable
from app.http.fields import to_json
from app.http.headers import client_address
from app.http.paging import Paging
from app.http.records import Records

NO_STORE = {"Cache-Control": "no-store"}


async def _tokens(request: Request) -> Tokens:
    tokens: Tokens = request.app.state.tokens
    return tokens


async def _password_checks(request: Request, turns: TheTurns) -> PasswordChecks:
    state = request.app.state
    client = client_address(request, state.trusted_proxies)
    return PasswordChecks(
        state.journal, state.tokens, state.attempts, state.lane, turns, state.factors, client
    )


async def _lane(request: Request) -> Lane:
    lane: Lane = request.app.state.lane
    return lane


Issuer = Annotated[Tokens, Depends(_tokens)]
TheLane = Annotated[Lane, Depends(_lane)]
Checks = Annotated[PasswordChecks, Depends(_password_checks)]

router = APIRouter(prefix="/v1/auth", tags=["accounts"])


class PasswordsAreOff(DomainError):
    """Only the identity provider says who somebody is."""

    status = 403
    code = "passwords-are-off"
    title = "Nobody signs in with a password here: sign in at your organisation"


def _refuse_passwords(request: Request) -> None:
    settings: Settings = request.app.state.settings
    if not settings.passwords:
        raise PasswordsAreOff


@router.post(
    "/token",
    summary="Sign in",
    response_model=SignedIn,
    response_description="You are signed in",
    responses=responses(
        WrongPassword(),
        CodeNeeded("eyJhbGciOiJIUzI1NiIs…"),
        WrongCode(),
        PasswordsAreOff(),
        wrong("username", "is required"),
        TooManyAttempts(),
        Busy(),
        Unavailable(),
        WrongClock(),
    ),
)
async def sign_in(
    credentials: Annotated[Credentials, Form()], checks: Checks, request: Request
) -> Response:
    """Begin a sign-in, which lasts up to twelve hours; its access tokens are short-lived.

    Wrong passwords count: five for a name within a quarter of an hour from one address, or ten
    within an hour from a device that has signed in before and sends its `device_token`. Wrong codes
    count as wrong passwords do, but of strangers for the account, wherever they are.
    """
    _refuse_passwords(request)
    return secret(await checks.sign_in(credentials))


@router.post(
    "/token/code",
    summary="Sign in: the code",
    response_model=SignedIn,
    response_description="You are signed in",
    responses=responses(
        SignInAgain(),
        WrongCode(),
        PasswordsAreOff(),
        wrong("code", "is required"),
        TooManyAttempts(),
        Unavailable(),
        WrongClock(),
    ),
)
async def second_step(
    given: Annotated[SecondStep, Form()], checks: Checks, request: Request
) -> Response:
    """Begin a sign-in with the code that was missing, for who did not send it with the password."""
    _refuse_passwords(request)
    return secret(await checks.second_step(given))


@router.post(
    "/refresh",
    summary="A fresh access token",
    response_model=AccessToken,
    response_description="The fresh token",
    responses=responses(Unauthorized()),
)
def refresh(visit: Visiting, tokens: Issuer) -> Response:
    """Another token for the same sign-in, asked for with one that is still good.

    Whoever makes no request for the life of a token signs in again.
    """
    sign_in = visit.sign_in
    token, seconds = tokens.issue(visit.account.id, sign_in.id, sign_in.expires_at)
    return secret(AccessToken(access_token=token, expires_in=seconds))


@router.post(
    "/sign-out",
    summary="Sign out",
    status_code=204,
    response_description="You are signed out",
    responses=responses(Unauthorized()),
)
def sign_out(visit: Visiting, register: Register) -> Response:
    """End this sign-in; its tokens are worth nothing from now on."""
    with register.journal.writing(visit.account.actor) as session:
        actions.end_sign_in(session, session.get_one(SignIn, visit.sign_in.id))
    return Response(status_code=204)


@router.get(
    "/me",
    summary="Who you are",
    response_model=Me,
    response_description="Your account and this sign-in",
    responses=responses(Unauthorized()),
)
def me(visit: Visiting, request: Request) -> Response:
    """Your name and roles as they are now, and how long you are signed in."""
    return secret(Me.of(visit.account, visit.sign_in, request.app.state.settings))


@router.post(
    "/password",
    summary="Change your password",
    status_code=204,
    response_description="The new password counts",
    responses=responses(
        Unauthorized(),
        wrong("current_password", "is not your password"),
        TooManyAttempts(),
        Busy(),
    ),
)
async def change_password(given: PasswordChange, visit: Visiting, checks: Checks) -> Response:
    """Choose a password of your own; your other sign-ins, your devices' tokens and your calendar's
    address end."""
    await checks.change_password(visit, given)
    return Response(status_code=204)


_CODES = responses(
    Unauthorized(),
    wrong("code", "is wrong, or was used already; wait for the next one"),
    TooManyAttempts(),
)


@router.post(
    "/second-factor",
    summary="Set up a second factor",
    response_model=SecondFactorBegun,
    response_description="A secret for your app, shown this once",
    responses=_CODES,
)
async def begin_second_factor(
    given: SecondFactorAsked, visit: Visiting, checks: Checks
) -> Response:
    """A secret from which an app on your phone makes codes. The one you have counts until you have
    sent a code of the new one."""
    return secret(await checks.begin_factor(visit, given))


@router.post(
    "/second-factor/confirm",
    summary="Confirm the second factor",
    response_model=RecoveryCodes,
    response_description="Codes for when you have lost your app, shown this once",
    responses=_CODES,
)
async def confirm_second_factor(given: CodeGiven, visit: Visiting, checks: Checks) -> Response:
    """Show that your app makes codes: from now on you sign in with one. Your other sign-ins, your
    devices' tokens and your calendar's address end."""
    return secret(await checks.confirm_factor(visit, given))


@router.post(
    "/second-factor/recovery-codes",
    summary="New recovery codes",
    response_model=RecoveryCodes,
    response_description="The new codes, shown this once; the ones before are worth nothing",
    responses=_CODES,
)
async def renew_recovery_codes(given: CodeGiven, visit: Visiting, checks: Checks) -> Response:
    """Codes in place of those that you have used or lost."""
    return secret(await checks.renew_recovery_codes(visit, given))


SIGN_INS = Records(
    SignIn,
    SignInShown,
    "sign-ins",
    sign_ins.views,
    order=("began_at", "id"),
    shown="The sign-in",
)
NO_PAGE = wrong("after", "is not a page of this list")


def _own(session: Session, sign_in_id: UUID, account: Account) -> SignIn:
    found = find(session, SignIn, sign_in_id)
    if found.account_id != account.id:
        raise none_such(SignIn)
    return found


@router.get(
    "/sign-ins",
    **SIGN_INS.lists("Your sign-ins", NO_PAGE, Unauthorized()),
    response_description="A page of them, newest first",
)
def list_own_sign_ins(
    paging: Annotated[Paging, Query()], visit: Visiting, register: Register, request: Request
) -> Response:
    """Where you are signed in at this moment: one for each browser and program."""
    those = lasting(request).where(col(SignIn.account_id) == visit.account.id)
    return register.read(lambda session: SIGN_INS.page(session, paging, those))


@router.get("/sign-ins/{sign_in_id}", **SIGN_INS.shows("One of your sign-ins"))
def one_own_sign_in(sign_in_id: UUID, visit: Visiting, register: Register) -> Response:
    """When one of your sign-ins began, and when it was used last."""
    return register.read(
        lambda session: sign_ins.views(session, [_own(session, sign_in_id, visit.account)])[0]
    )


@router.post(
    "/sign-ins/{sign_in_id}/end",
    summary="End one of your sign-ins",
    status_code=204,
    response_description="It has ended",
    responses=responses(Unauthorized(), none_such(SignIn)),
)
def end_own_sign_in(sign_in_id: UUID, visit: Visiting, register: Register) -> Response:
    """End a sign-in of yours, on a device that you have left or lost; its tokens are worth nothing
    from now on."""
    with register.journal.writing(visit.account.actor) as session:
        actions.end_sign_in(session, _own(session, sign_in_id, visit.account))
    return Response(status_code=204)


def lasting(request: Request) -> Any:
    tokens: Tokens = request.app.state.tokens
    return sign_ins.lasting(request.app.state.settings, tokens.now())


def secret(
    model: AccessToken | Me | TemporaryPassword | SecondFactorBegun | RecoveryCodes,
) -> Response:
    return Response(to_json(model), media_type="application/json", headers=NO_STORE)
