"""What is done with accounts and sign-ins, each in somebody's writing session."""

from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel import Session, col, select

from app.accounts.models import Account, Role, SignIn
from app.core.errors import DomainError
from app.core.journal import now

SIGN_IN_LASTS = timedelta(hours=12)


class NameTaken(DomainError):
    """Names are never given twice, so that the journal always means the same person."""

    status = 409
    code = "name-taken"
    title = "There is an account of this name"


class LastAdministrator(DomainError):
    """Without an administrator nobody could make another."""

    status = 409
    code = "last-administrator"
    title = "This is the last administrator who can sign in; make another first"


def named(session: Session, name: str) -> Account | None:
    """The account with a name, if there is one."""
    return session.exec(select(Account).where(Account.name == name)).first()


def add(session: Session, name: str, roles: Collection[Role]) -> Account:
    """A new account, which nobody can sign in with until it has a password.

    Raises `NameTaken`.
    """
    if named(session, name):
        raise NameTaken
    account = Account(name=name, roles=sorted(set(roles)))
    session.add(account)
    return account


def set_roles(session: Session, account: Account, roles: Collection[Role]) -> None:
    """Give an account these roles and no others. Raises `LastAdministrator`."""
    if Role.ADMINISTRATOR not in roles:
        _refuse_the_last(session, account)
    account.roles = sorted(set(roles))


def disable(session: Session, account: Account) -> None:
    """Keep an account out, from its next request on. Raises `LastAdministrator`."""
    _refuse_the_last(session, account)
    account.disabled = True
    end_sign_ins(session, account)


def enable(_: Session, account: Account) -> None:
    """Let an account in again; it has to sign in anew."""
    account.disabled = False


def set_password(
    session: Session,
    account: Account,
    password_hash: str,
    *,
    temporary: bool,
    but: UUID | None = None,
) -> None:
    """Give an account a password, which ends every sign-in made with the old one (`but` one)."""
    account.password_hash = password_hash
    account.password_is_temporary = temporary
    end_sign_ins(session, account, but=but)


def begin_sign_in(session: Session, account: Account, at: datetime) -> SignIn:
    """A new sign-in of an account whose password was right."""
    sign_in = SignIn(account_id=account.id, began_at=at, expires_at=at + SIGN_IN_LASTS)
    session.add(sign_in)
    return sign_in


def end_sign_in(session: Session, sign_in: SignIn) -> None:
    """End a sign-in, unless that has been done."""
    if sign_in.ended_at is None:
        sign_in.ended_at = now(session)


def end_sign_ins(session: Session, account: Account, *, but: UUID | None = None) -> None:
    """End every sign-in of an account that has not been ended, `but` one."""
    # Those that are over by this host's clock too: another's might say that they still last.
    not_ended = session.exec(
        select(SignIn).where(SignIn.account_id == account.id, col(SignIn.ended_at).is_(None))
    )
    for sign_in in not_ended:
        if sign_in.id != but:
            end_sign_in(session, sign_in)


def _refuse_the_last(session: Session, account: Account) -> None:
    others = session.exec(
        select(Account).where(
            Account.id != account.id,
            col(Account.disabled).is_(False),
            col(Account.password_hash).is_not(None),
        )
    )
    if _administers(account) and not any(map(_administers, others)):
        raise LastAdministrator


def _administers(account: Account) -> bool:
    return (
        Role.ADMINISTRATOR in account.roles
        and not account.disabled
        and account.password_hash is not None
    )
