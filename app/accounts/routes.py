"""Signing in and out, one's own account, and the administrator's accounts."""

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Form, Query, Request, Response
from sqlmodel import Session, col, select
from starlette.concurrency import run_in_threadpool

from app.accounts import actions, sign_ins
from app.accounts.attempts import TooManyAttempts
from app.accounts.guards import Administrator, Forbidden, Visiting
from app.accounts.lane import Busy, Lane
from app.accounts.models import Account, FailedSignIn, SignIn
from app.accounts.password_checks import (
    CodeNeeded,
    PasswordChecks,
    SignInAgain,
    WrongCode,
    WrongPassword,
)
from app.accounts.passwords import hashed, temporary
from app.accounts.schemas import (
    AccessToken,
    AccountShown,
    AccountsQuestion,
    CodeGiven,
    Credentials,
    FailedSignInShown,
    FailedSignInsQuestion,
    Me,
    NewAccount,
    PasswordChange,
    RecoveryCodes,
    RolesGiven,
    SecondFactorAsked,
    SecondFactorBegun,
    SecondStep,
    SignedIn,
    SignInShown,
    SignInsQuestion,
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
from app.http.idempotency import KeyReused
from app.http.paging import Paging, page
from app.http.records import Records, matching

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
    return _secret(await checks.sign_in(credentials))


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
    return _secret(await checks.second_step(given))


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
    return _secret(AccessToken(access_token=token, expires_in=seconds))


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
    return _secret(Me.of(visit.account, visit.sign_in, request.app.state.settings))


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
    return _secret(await checks.begin_factor(visit, given))


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
    return _secret(await checks.confirm_factor(visit, given))


@router.post(
    "/second-factor/recovery-codes",
    summary="New recovery codes",
    response_model=RecoveryCodes,
    response_description="The new codes, shown this once; the ones before are worth nothing",
    responses=_CODES,
)
async def renew_recovery_codes(given: CodeGiven, visit: Visiting, checks: Checks) -> Response:
    """Codes in place of those that you have used or lost."""
    return _secret(await checks.renew_recovery_codes(visit, given))


SIGN_INS = Records(
    SignIn,
    SignInShown,
    "sign-ins",
    sign_ins.views,
    order=("began_at", "id"),
    shown="The sign-in",
)
_NO_PAGE = wrong("after", "is not a page of this list")


def _own(session: Session, sign_in_id: UUID, account: Account) -> SignIn:
    found = find(session, SignIn, sign_in_id)
    if found.account_id != account.id:
        raise none_such(SignIn)
    return found


@router.get(
    "/sign-ins",
    **SIGN_INS.lists("Your sign-ins", _NO_PAGE, Unauthorized()),
    response_description="A page of them, newest first",
)
def list_own_sign_ins(
    paging: Annotated[Paging, Query()], visit: Visiting, register: Register, request: Request
) -> Response:
    """Where you are signed in at this moment: one for each browser and program."""
    lasting = _lasting(request).where(col(SignIn.account_id) == visit.account.id)
    return register.read(lambda session: SIGN_INS.page(session, paging, lasting))


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


def _lasting(request: Request) -> Any:
    tokens: Tokens = request.app.state.tokens
    return sign_ins.lasting(request.app.state.settings, tokens.now())


def _secret(
    model: AccessToken | Me | TemporaryPassword | SecondFactorBegun | RecoveryCodes,
) -> Response:
    return Response(to_json(model), media_type="application/json", headers=NO_STORE)


class OwnSecondFactor(DomainError):
    """Who has taken over a sign-in must not get rid of the code that keeps them from the next."""

    status = 409
    code = "own-second-factor"
    title = "Your own second factor is reset by another administrator, or on the service's host"


admin = APIRouter(
    prefix="/v1/admin/accounts",
    tags=["accounts"],
    responses=responses(Unauthorized(), Forbidden()),
)
ACCOUNTS = Records(
    Account,
    AccountShown,
    "accounts",
    lambda _, accounts: [AccountShown.of(account) for account in accounts],
    shown="The account",
    changed="The account as it is now",
)


@admin.get(
    "",
    **ACCOUNTS.lists("Accounts", wrong("after", "is not a page of this list")),
    response_description="A page of accounts, by name",
)
def list_accounts(
    question: Annotated[AccountsQuestion, Query()], register: Register, _: Administrator
) -> Response:
    """Who may sign in, and as what."""
    statement = select(Account)
    if question.role is not None:
        statement = statement.where(sa.cast(Account.roles, sa.Text).contains(f'"{question.role}"'))
    if question.disabled is not None:
        statement = statement.where(Account.disabled == question.disabled)
    order: list[Any] = [col(Account.name)]
    return register.read(lambda session: page(session, statement, order, question, AccountShown.of))


@admin.post("", **ACCOUNTS.creates("Add an account", actions.NameTaken(), KeyReused()))
def add_account(given: NewAccount, register: Register, administrator: Administrator) -> Response:
    """An account without a password: nobody can sign in before you give it a temporary one."""

    def make(session: Session, given: NewAccount) -> Account:
        return actions.add(session, given.name, given.roles)

    return ACCOUNTS.create(register, administrator, given, make)


@admin.get("/{account_id}", **ACCOUNTS.shows("One account"))
def one_account(account_id: UUID, register: Register, _: Administrator) -> Response:
    """An account as it is now."""
    return ACCOUNTS.read(register, account_id)


@admin.put(
    "/{account_id}/roles",
    **ACCOUNTS.changes("Change roles", actions.LastAdministrator(), actions.SignsInElsewhere()),
)
def change_roles(
    account_id: UUID, given: RolesGiven, register: Register, administrator: Administrator
) -> Response:
    """Give an account these roles and no others; they count from its next request on.

    To lose one ends its sign-ins, its devices' tokens and its calendar's address.
    """
    return ACCOUNTS.change(register, administrator, account_id, actions.set_roles, given.roles)


@admin.post(
    "/{account_id}/disable",
    **ACCOUNTS.changes("Disable an account", actions.LastAdministrator()),
)
def disable_account(account_id: UUID, register: Register, administrator: Administrator) -> Response:
    """Keep an account out from its next request on, and end all that was given out to it."""
    return ACCOUNTS.change(register, administrator, account_id, actions.disable)


@admin.post("/{account_id}/enable", **ACCOUNTS.changes("Enable an account"))
def enable_account(account_id: UUID, register: Register, administrator: Administrator) -> Response:
    """Let an account sign in again."""
    return ACCOUNTS.change(register, administrator, account_id, actions.enable)


@admin.post(
    "/{account_id}/password",
    **ACCOUNTS.changes("Give a temporary password", Busy(), actions.SignsInElsewhere())
    | {
        "response_model": TemporaryPassword,
        "response_description": "The password, shown this once",
    },
)
async def reset_password(
    account_id: UUID,
    register: Register,
    administrator: Administrator,
    lane: Annotated[Lane, Depends(_lane)],
) -> Response:
    """A temporary password in place of any there was; all that was given out to the account ends.

    Its owner has to choose another before doing anything else.
    """
    password = temporary()
    async with lane.turn(str(administrator.id), is_known=True):
        fresh = await lane.run(hashed, password)

    def change() -> None:
        action = actions.set_password
        ACCOUNTS.change(register, administrator, account_id, action, fresh, temporary=True)

    await run_in_threadpool(change)
    return _secret(TemporaryPassword(temporary_password=password.get_secret_value()))


@admin.post(
    "/{account_id}/second-factor/reset",
    **ACCOUNTS.changes("Reset the second factor", OwnSecondFactor()),
)
def reset_second_factor(
    account_id: UUID, register: Register, administrator: Administrator
) -> Response:
    """Take the second factor of somebody who has lost their app and their recovery codes.

    All that was given out to the account ends; its owner sets up another one at the next sign-in.
    Make sure that it is they who ask.
    """
    if account_id == administrator.id:
        raise OwnSecondFactor
    action = actions.reset_second_factor
    return ACCOUNTS.change(register, administrator, account_id, action)


signed_in = APIRouter(
    prefix="/v1/admin/sign-ins",
    tags=["accounts"],
    responses=responses(Unauthorized(), Forbidden()),
)


@signed_in.get(
    "",
    **SIGN_INS.lists("Who is signed in", _NO_PAGE),
    response_description="A page of sign-ins that last, newest first",
)
def list_sign_ins(
    question: Annotated[SignInsQuestion, Query()],
    register: Register,
    _: Administrator,
    request: Request,
) -> Response:
    """Every browser and program that is signed in at this moment."""
    lasting = _lasting(request).where(*matching(SignIn, question))
    return register.read(lambda session: SIGN_INS.page(session, question, lasting))


@signed_in.get("/{sign_in_id}", **SIGN_INS.shows("One sign-in"))
def one_sign_in(sign_in_id: UUID, register: Register, _: Administrator) -> Response:
    """When a sign-in began, and when it was used last; also of one that has ended."""
    return SIGN_INS.read(register, sign_in_id)


@signed_in.post(
    "/{sign_in_id}/end",
    summary="End a sign-in",
    status_code=204,
    response_description="It has ended",
    responses=responses(none_such(SignIn)),
)
def end_sign_in(sign_in_id: UUID, register: Register, administrator: Administrator) -> Response:
    """End somebody's sign-in; its tokens are worth nothing from now on. They can sign in again:
    disable the account to keep them out."""
    with register.journal.writing(administrator.actor) as session:
        actions.end_sign_in(session, find(session, SignIn, sign_in_id))
    return Response(status_code=204)


failed = APIRouter(
    prefix="/v1/admin/failed-sign-ins",
    tags=["accounts"],
    responses=responses(Unauthorized(), Forbidden()),
)


def _failures(session: Session, failures: Sequence[FailedSignIn]) -> list[FailedSignInShown]:
    ids = {failure.account_id for failure in failures}
    found = session.exec(select(Account.id, Account.name).where(col(Account.id).in_(ids)))
    names: dict[UUID | None, str] = dict(found.all())
    return [FailedSignInShown.of(each, names.get(each.account_id)) for each in failures]


FAILURES = Records(
    FailedSignIn, FailedSignInShown, "failed-sign-ins", _failures, order=("at", "id")
)


@failed.get(
    "",
    **FAILURES.lists("Failed sign-ins", wrong("after", "is not a page of this list")),
    response_description="A page of them, newest first",
)
def list_failed_sign_ins(
    question: Annotated[FailedSignInsQuestion, Query()], register: Register, _: Administrator
) -> Response:
    """Wrong passwords of the last seven days, and who was not let try any more.

    What was typed is not kept: whether it was a name or, by mistake, a password.
    """
    return register.read(lambda session: FAILURES.page(session, question))
