"""Passwords at the door: a right one opens a sign-in, or may be changed."""

from sqlmodel import Session

from app.accounts import actions
from app.accounts.attempts import Attempts
from app.accounts.guards import Visit
from app.accounts.models import Account
from app.accounts.passwords import Busy, Password, hashed, verified
from app.accounts.schemas import AccessToken, Credentials, PasswordChange
from app.accounts.tokens import Tokens, Unauthorized
from app.core.db import find, read_session
from app.core.errors import wrong
from app.core.journal import Journal


class WrongPassword(Unauthorized):
    """There is no such account, it is disabled, or the password is another: it isn't said which."""

    code = "wrong-password"
    title = "This name and this password don't open an account"


def sign_in(
    journal: Journal, tokens: Tokens, attempts: Attempts, given: Credentials, address: str
) -> AccessToken:
    """Begin a sign-in. Raises `WrongPassword`, `TooManyAttempts` and `Busy`.

    Only one that succeeds is written down: a stranger's guess can't make the journal grow.
    """
    with read_session(journal.engine) as session:
        account = actions.named(session, given.username)
    old = account.password_hash if account else None
    fresh = _tried(attempts, given.username, address, given.password, old)
    if account is None or fresh is None or account.disabled:
        raise WrongPassword
    attempts.clear(given.username, address)
    with journal.writing(account.actor) as session:
        account = _unchanged(session, account)
        account.password_hash = fresh
        begun = actions.begin_sign_in(session, account, tokens.now())
        token, seconds = tokens.issue(account.id, begun.id, begun.expires_at)
    return AccessToken(access_token=token, expires_in=seconds)


def change_password(
    journal: Journal, attempts: Attempts, visit: Visit, given: PasswordChange, address: str
) -> None:
    """Change one's own password, which ends one's other sign-ins.

    Raises `Invalid`, `TooManyAttempts` and `Busy`.
    """
    account = visit.account
    old = account.password_hash
    if _tried(attempts, account.name, address, given.current_password, old) is None:
        raise wrong("current_password", "is not your password")
    attempts.clear(account.name, address)
    if given.new_password == given.current_password:
        raise wrong("new_password", "must be another one")
    fresh = hashed(given.new_password)
    with journal.writing(account.actor) as session:
        actions.set_password(
            session,
            _unchanged(session, account),
            fresh,
            temporary=False,
            but=visit.sign_in.id,
        )


def _tried(
    attempts: Attempts, name: str, address: str, password: Password, hash_: str | None
) -> str | None:
    attempts.count(name, address)
    try:
        return verified(password, hash_)
    except Busy:
        attempts.uncount(name, address)
        raise


def _unchanged(session: Session, seen: Account) -> Account:
    """The account as it is now; checking its password took long enough for it to change."""
    account = find(session, Account, seen.id)
    if account.disabled or account.password_hash != seen.password_hash:
        raise WrongPassword
    return account
