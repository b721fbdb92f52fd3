"""Signing in and out, and the administrator's accounts."""

from typing import Annotated, Any
from uuid import UUID

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Form, Query, Request, Response
from sqlmodel import Session, col, select

from app.accounts import actions
from app.accounts.attempts import TooManyAttempts
from app.accounts.guards import Administrator, Forbidden, Visiting
from app.accounts.models import Account, SignIn
from app.accounts.password_checks import PasswordChecks, WrongPassword
from app.accounts.passwords import Busy, hashed, temporary
from app.accounts.schemas import (
    AccessToken,
    AccountShown,
    AccountsQuestion,
    Credentials,
    Me,
    NewAccount,
    PasswordChange,
    RolesGiven,
    TemporaryPassword,
)
from app.accounts.tokens import Tokens, Unauthorized
from app.core.errors import responses, wrong
from app.core.journal import WrongClock
from app.http.conditional import Register
from app.http.fields import to_json
from app.http.headers import client_address
from app.http.idempotency import KeyReused
from app.http.paging import page
from app.http.records import Records

NO_STORE = {"Cache-Control": "no-store"}


async def _tokens(request: Request) -> Tokens:
    tokens: Tokens = request.app.state.tokens
    return tokens


async def _password_checks(request: Request) -> PasswordChecks:
    state = request.app.state
    address = client_address(request, state.trusted_proxies)
    return PasswordChecks(state.journal, state.tokens, state.attempts, address)


Issuer = Annotated[Tokens, Depends(_tokens)]
Checks = Annotated[PasswordChecks, Depends(_password_checks)]

router = APIRouter(prefix="/v1/auth", tags=["accounts"])


@router.post(
    "/token",
    summary="Sign in",
    response_model=AccessToken,
    response_description="You are signed in",
    responses=responses(
        WrongPassword(),
        wrong("username", "is required"),
        TooManyAttempts(),
        Busy(),
        WrongClock(),
    ),
)
def sign_in(credentials: Annotated[Credentials, Form()], checks: Checks) -> Response:
    """Begin a sign-in, which lasts up to twelve hours; its tokens are short-lived."""
    return _secret(checks.sign_in(credentials))


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
def me(visit: Visiting) -> Response:
    """Your name and roles as they are now, and how long you are signed in."""
    return _secret(Me.of(visit.account, visit.sign_in))


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
def change_password(given: PasswordChange, visit: Visiting, checks: Checks) -> Response:
    """Choose a password of your own; your other sign-ins end."""
    checks.change_password(visit, given)
    return Response(status_code=204)


def _secret(model: AccessToken | Me | TemporaryPassword) -> Response:
    return Response(to_json(model), media_type="application/json", headers=NO_STORE)


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
    **ACCOUNTS.changes("Change roles", actions.LastAdministrator()),
)
def change_roles(
    account_id: UUID, given: RolesGiven, register: Register, administrator: Administrator
) -> Response:
    """Give an account these roles and no others; they count from its next request on."""
    return ACCOUNTS.change(register, administrator, account_id, actions.set_roles, given.roles)


@admin.post(
    "/{account_id}/disable",
    **ACCOUNTS.changes("Disable an account", actions.LastAdministrator()),
)
def disable_account(account_id: UUID, register: Register, administrator: Administrator) -> Response:
    """Keep an account out from its next request on, and end its sign-ins."""
    return ACCOUNTS.change(register, administrator, account_id, actions.disable)


@admin.post("/{account_id}/enable", **ACCOUNTS.changes("Enable an account"))
def enable_account(account_id: UUID, register: Register, administrator: Administrator) -> Response:
    """Let an account sign in again."""
    return ACCOUNTS.change(register, administrator, account_id, actions.enable)


@admin.post(
    "/{account_id}/password",
    **ACCOUNTS.changes("Give a temporary password", Busy())
    | {
        "response_model": TemporaryPassword,
        "response_description": "The password, shown this once",
    },
)
def reset_password(account_id: UUID, register: Register, administrator: Administrator) -> Response:
    """A temporary password in place of any there was; the account's sign-ins end.

    Its owner has to choose another before doing anything else.
    """
    password = temporary()
    action, fresh = actions.set_password, hashed(password)
    ACCOUNTS.change(register, administrator, account_id, action, fresh, temporary=True)
    return _secret(TemporaryPassword(temporary_password=password.get_secret_value()))
