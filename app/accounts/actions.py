"""What is done with accounts and sign-ins, each in somebody's writing session."""

from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.accounts import second_factor
from app.accounts.models import Account, CalendarAddress, Role, SignIn, SignInUse
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


class SignsInElsewhere(DomainError):
    """The identity provider says who they are and, by their groups, what they may do."""

    status = 409
    code = "signs-in-elsewhere"
    title = "This account signs in at your organisation, which says what it may do"


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
    """Give an account these roles and no others; to lose one ends all that was given out to it.

    Raises `LastAdministrator` and `SignsInElsewhere`.
    """
    if account.subject is not None:
        raise SignsInElsewhere
    if Role.ADMINISTRATOR not in roles:
        _refuse_the_last(session, account)
    if not set(roles).issuperset(account.roles):
        end_all(session, account)
    account.roles = sorted(set(roles))


def disable(session: Session, account: Account) -> None:
    """Keep an account out, from its next request on. Raises `LastAdministrator`."""
    _refuse_the_last(session, account)
    account.disabled = True
    end_all(session, account)


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
    """Give an account a password, which ends all that was given out to it (`but` one sign-in).

    Raises `SignsInElsewhere`.
    """
    if account.subject is not None:
        raise SignsInElsewhere
    account.password_hash = password_hash
    account.password_is_temporary = temporary
    end_all(session, account, but=but)


def leave_to_provider(session: Session, account: Account) -> None:
    """Take an account's password, so that who has its name at the provider signs in there."""
    account.password_hash, account.password_is_temporary = None, False
    reset_second_factor(session, account)


def reset_second_factor(session: Session, account: Account) -> None:
    """Take an account's second factor, which ends all that was given out to it."""
    second_factor.forget(account)
    end_all(session, account)


def begin_sign_in(
    session: Session,
    account: Account,
    at: datetime,
    until: datetime | None = None,
    id_: UUID | None = None,
) -> SignIn:
    """A new sign-in of an account that has proved to be its owner's; it lasts `until` at most."""
    expires_at = min(at + SIGN_IN_LASTS, until or at + SIGN_IN_LASTS)
    sign_in = SignIn(id=id_ or uuid4(), account_id=account.id, began_at=at, expires_at=expires_at)
    session.add(sign_in)
    session.flush()
    session.add(SignInUse(sign_in_id=sign_in.id, used_at=at))
    return sign_in


def end_sign_in(session: Session, sign_in: SignIn) -> None:
    """End a sign-in, unless that has been done."""
    if sign_in.ended_at is None:
        sign_in.ended_at = now(session)


def end_all(session: Session, account: Account, *, but: UUID | None = None) -> None:
    """End all that was given out to an account: sign-ins, `but` one, and what outlasts them."""
    account.generation += 1
    # Those that are over by this host's clock too: another's might say that they still last.
    not_ended = session.exec(
        select(SignIn).where(SignIn.account_id == account.id, col(SignIn.ended_at).is_(None))
    )
    for sign_in in not_ended:
        if sign_in.id != but:
            end_sign_in(session, sign_in)
    addresses = session.exec(
        select(CalendarAddress).where(
            CalendarAddress.account_id == account.id, col(CalendarAddress.revoked_at).is_(None)
        )
    )
    for address in addresses:
        address.revoked_at = now(session)


def _refuse_the_last(session: Session, account: Account) -> None:
    can_sign_in = sa.or_(col(Account.password_hash).is_not(None), col(Account.subject).is_not(None))
    others = session.exec(
        select(Account).where(
            Account.id != account.id,
            col(Account.disabled).is_(False),
            can_sign_in,
        )
    )
    if _administers(account) and not any(map(_administers, others)):
        raise LastAdministrator


def _administers(account: Account) -> bool:
    return (
        Role.ADMINISTRATOR in account.roles
        and not account.disabled
        and (account.password_hash is not None or account.subject is not None)
    )
