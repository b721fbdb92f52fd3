"""Signing in and out, and the administrator's accounts."""

from collections.abc import Callable
from typing import Annotated, Any
from uuid import UUID

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Form, Query, Request, Response
from sqlmodel import Session, col, select

from app.accounts import actions, entry
from app.accounts.attempts import Attempts, TooManyAttempts
from app.accounts.guards import Administrator, Forbidden, Visiting
from app.accounts.models import Account, SignIn
from app.accounts.passwords import Busy, hashed, temporary
from app.accounts.schemas import (
    AccessToken,
    AccountFilter,
    AccountShown,
    Credentials,
    Me,
    NewAccount,
    PasswordChange,
    RolesGiven,
    TemporaryPassword,
)
from app.accounts.tokens import Tokens, Unauthorized
from app.core.db import find, none_such
from app.core.errors import responses, wrong
from app.core.journal import WrongClock
from app.http.conditional import KeyReused, PreconditionRequired, Register, Stale, to_json
from app.http.headers import client_address
from app.http.paging import Page, page

NO_STORE = {"Cache-Control": "no-store"}


async def _tokens(request: Request) -> Tokens:
    tokens: Tokens = request.app.state.tokens
    return tokens


async def _attempts(request: Request) -> Attempts:
    attempts: Attempts = request.app.state.attempts
    return attempts


async def _address(request: Request) -> str:
    return client_address(request, request.app.state.trusted_proxies)


Issuer = Annotated[Tokens, Depends(_tokens)]
Tries = Annotated[Attempts, Depends(_attempts)]
Address = Annotated[str, Depends(_address)]

router = APIRouter(prefix="/v1/auth", tags=["accounts"])


@router.post(
    "/token",
    summary="Sign in",
    response_model=AccessToken,
    response_description="You are signed in",
    responses=responses(
        entry.WrongPassword(),
        wrong("username", "is required"),
        TooManyAttempts(),
        Busy(),
        WrongClock(),
    ),
)
def sign_in(
    credentials: Annotated[Credentials, Form()],
    register: Register,
    tokens: Issuer,
    attempts: Tries,
    address: Address,
) -> Response:
    """Begin a sign-in, which lasts up to twelve hours; its tokens are short-lived."""
    return _secret(entry.sign_in(register.journal, tokens, attempts, credentials, address))


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
def change_password(
    asked: PasswordChange, visit: Visiting, register: Register, attempts: Tries, address: Address
) -> Response:
    """Choose a password of your own; your other sign-ins end."""
    entry.change_password(register.journal, attempts, visit, asked, address)
    return Response(status_code=204)


def _secret(shown: AccessToken | Me | TemporaryPassword) -> Response:
    return Response(to_json(shown), media_type="application/json", headers=NO_STORE)


admin = APIRouter(
    prefix="/v1/admin/accounts",
    tags=["accounts"],
    responses=responses(Unauthorized(), Forbidden()),
)

_CHANGES = responses(none_such(Account), Stale(), PreconditionRequired())


@admin.get(
    "",
    summary="Accounts",
    response_model=Page[AccountShown],
    response_description="A page of accounts, by name",
    responses=responses(wrong("after", "is not a page of this list")),
)
def list_accounts(
    asked: Annotated[AccountFilter, Query()], register: Register, _: Administrator
) -> Response:
    """Who may sign in, and as what."""
    statement = select(Account)
    if asked.role is not None:
        statement = statement.where(sa.cast(Account.roles, sa.Text).contains(f'"{asked.role}"'))
    if asked.disabled is not None:
        statement = statement.where(Account.disabled == asked.disabled)
    order: list[Any] = [col(Account.name)]
    return register.read(lambda session: page(session, statement, order, asked, AccountShown.of))


@admin.post(
    "",
    status_code=201,
    summary="Add an account",
    response_model=AccountShown,
    response_description="The account",
    responses=responses(actions.NameTaken(), KeyReused()),
)
def add_account(asked: NewAccount, register: Register, administrator: Administrator) -> Response:
    """An account without a password: nobody can sign in before you give it a temporary one."""

    def make(session: Session) -> tuple[str, AccountShown]:
        made = actions.add(session, asked.name, asked.roles)
        return f"{admin.prefix}/{made.id}", AccountShown.of(made)

    return register.create(administrator, asked, make)


@admin.get(
    "/{account_id}",
    summary="One account",
    response_model=AccountShown,
    response_description="The account",
    responses=responses(none_such(Account)),
)
def one_account(account_id: UUID, register: Register, _: Administrator) -> Response:
    """An account as it is now."""
    return register.read(_show(account_id))


@admin.put(
    "/{account_id}/roles",
    summary="Change roles",
    response_model=AccountShown,
    response_description="The account as it is now",
    responses=_CHANGES | responses(actions.LastAdministrator()),
)
def change_roles(
    account_id: UUID, asked: RolesGiven, register: Register, administrator: Administrator
) -> Response:
    """Give an account these roles and no others; they count from its next request on."""
    return register.change(
        administrator,
        _show(account_id),
        lambda session: actions.set_roles(session, find(session, Account, account_id), asked.roles),
    )


@admin.post(
    "/{account_id}/disable",
    summary="Disable an account",
    response_model=AccountShown,
    response_description="The account as it is now",
    responses=_CHANGES | responses(actions.LastAdministrator()),
)
def disable_account(account_id: UUID, register: Register, administrator: Administrator) -> Response:
    """Keep an account out from its next request on, and end its sign-ins."""
    return register.change(
        administrator,
        _show(account_id),
        lambda session: actions.disable(session, find(session, Account, account_id)),
    )


@admin.post(
    "/{account_id}/enable",
    summary="Enable an account",
    response_model=AccountShown,
    response_description="The account as it is now",
    responses=_CHANGES,
)
def enable_account(account_id: UUID, register: Register, administrator: Administrator) -> Response:
    """Let an account sign in again."""
    return register.change(
        administrator,
        _show(account_id),
        lambda session: actions.enable(find(session, Account, account_id)),
    )


@admin.post(
    "/{account_id}/password",
    summary="Give a temporary password",
    response_model=TemporaryPassword,
    response_description="The password, shown this once",
    responses=_CHANGES | responses(Busy()),
)
def reset_password(account_id: UUID, register: Register, administrator: Administrator) -> Response:
    """A temporary password in place of any there was; the account's sign-ins end.

    Its owner has to choose another before doing anything else.
    """
    password = temporary()
    fresh = hashed(password)
    register.change(
        administrator,
        _show(account_id),
        lambda session: actions.set_password(
            session, find(session, Account, account_id), fresh, temporary=True
        ),
    )
    return _secret(TemporaryPassword(temporary_password=password.get_secret_value()))


def _show(account_id: UUID) -> Callable[[Session], AccountShown]:
    return lambda session: AccountShown.of(find(session, Account, account_id))
