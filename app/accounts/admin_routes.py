"""The administrator's side: accounts, who is signed in, and sign-ins that failed."""

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

import sqlalchemy as sa
from fastapi import APIRouter, Query, Request, Response
from sqlmodel import Session, col, select
from starlette.concurrency import run_in_threadpool

from app.accounts import actions
from app.accounts.guards import Administrator, Forbidden
from app.accounts.lane import Busy
from app.accounts.models import Account, FailedSignIn, SignIn
from app.accounts.passwords import hashed, temporary
from app.accounts.routes import NO_PAGE, SIGN_INS, TheLane, lasting, secret
from app.accounts.schemas import (
    AccountShown,
    AccountsQuestion,
    FailedSignInShown,
    FailedSignInsQuestion,
    NewAccount,
    RolesGiven,
    SignInsQuestion,
    TemporaryPassword,
)
from app.accounts.tokens import Unauthorized
from app.core.db import find, none_such
from app.core.errors import DomainError, responses
from app.http.conditional import Register
from app.http.idempotency import KeyReused
from app.http.paging import page
from app.http.records import Records, matching


class OwnSecondFactor(DomainError):
    """Who has taken over a sign-in must not get rid of the code that keeps them from the next."""

    status = 409
    code = "own-second-factor"
    title = "Your own second factor is reset by another administrator, or on the service's host"


accounts = APIRouter(
    prefix="/v1/admin/accounts",
    tags=["accounts"],
    responses=responses(Unauthorized(), Forbidden()),
)
ACCOUNTS = Records(
    Account,
    AccountShown,
    "accounts",
    lambda _, found: [AccountShown.of(account) for account in found],
    shown="The account",
    changed="The account as it is now",
)


@accounts.get(
    "",
    **ACCOUNTS.lists("Accounts", NO_PAGE),
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


@accounts.post("", **ACCOUNTS.creates("Add an account", actions.NameTaken(), KeyReused()))
def add_account(given: NewAccount, register: Register, administrator: Administrator) -> Response:
    """An account without a password: nobody can sign in before you give it a temporary one."""

    def make(session: Session, given: NewAccount) -> Account:
        return actions.add(session, given.name, given.roles)

    return ACCOUNTS.create(register, administrator, given, make)


@accounts.get("/{account_id}", **ACCOUNTS.shows("One account"))
def one_account(account_id: UUID, register: Register, _: Administrator) -> Response:
    """An account as it is now."""
    return ACCOUNTS.read(register, account_id)


@accounts.put(
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


@accounts.post(
    "/{account_id}/disable",
    **ACCOUNTS.changes("Disable an account", actions.LastAdministrator()),
)
def disable_account(account_id: UUID, register: Register, administrator: Administrator) -> Response:
    """Keep an account out from its next request on, and end all that was given out to it."""
    return ACCOUNTS.change(register, administrator, account_id, actions.disable)


@accounts.post("/{account_id}/enable", **ACCOUNTS.changes("Enable an account"))
def enable_account(account_id: UUID, register: Register, administrator: Administrator) -> Response:
    """Let an account sign in again."""
    return ACCOUNTS.change(register, administrator, account_id, actions.enable)


@accounts.post(
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
    lane: TheLane,
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
    return secret(TemporaryPassword(temporary_password=password.get_secret_value()))


@accounts.post(
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
    **SIGN_INS.lists("Who is signed in", NO_PAGE),
    response_description="A page of sign-ins that last, newest first",
)
def list_sign_ins(
    question: Annotated[SignInsQuestion, Query()],
    register: Register,
    _: Administrator,
    request: Request,
) -> Response:
    """Every browser and program that is signed in at this moment."""
    those = lasting(request).where(*matching(SignIn, question))
    return register.read(lambda session: SIGN_INS.page(session, question, those))


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


failed_sign_ins = APIRouter(
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


@failed_sign_ins.get(
    "",
    **FAILURES.lists("Failed sign-ins", NO_PAGE),
    response_description="A page of them, newest first",
)
def list_failed_sign_ins(
    question: Annotated[FailedSignInsQuestion, Query()], register: Register, _: Administrator
) -> Response:
    """Wrong passwords of the last seven days, and who was not let try any more.

    What was typed is not kept: whether it was a name or, by mistake, a password.
    """
    return register.read(lambda session: FAILURES.page(session, question))
