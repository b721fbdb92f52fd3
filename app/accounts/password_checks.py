"""What a right password does: it begins a sign-in, or may be changed."""

from dataclasses import dataclass

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


@dataclass(frozen=True)
class PasswordChecks:
    """Checks the passwords that come from one address."""

    journal: Journal
    tokens: Tokens
    attempts: Attempts
    address: str

    def sign_in(self, given: Credentials) -> AccessToken:
        """Begin a sign-in. Raises `WrongPassword`, `TooManyAttempts` and `Busy`.

        Only one that succeeds is written down: a stranger's guess can't make the journal grow.
        """
        with read_session(self.journal.engine) as session:
            account = actions.named(session, given.username)
        old = account.password_hash if account else None
        fresh = self._verified(given.username, given.password, old)
        if account is None or fresh is None or account.disabled:
            raise WrongPassword
        self.attempts.clear(given.username, self.address)
        with self.journal.writing(account.actor) as session:
            account = _unchanged(session, account)
            account.password_hash = fresh
            begun = actions.begin_sign_in(session, account, self.tokens.now())
            token, seconds = self.tokens.issue(account.id, begun.id, begun.expires_at)
        return AccessToken(access_token=token, expires_in=seconds)

    def change_password(self, visit: Visit, given: PasswordChange) -> None:
        """Change one's own password, which ends one's other sign-ins.

        Raises `Invalid`, `TooManyAttempts` and `Busy`.
        """
        account = visit.account
        if not self._verified(account.name, given.current_password, account.password_hash):
            raise wrong("current_password", "is not your password")
        self.attempts.clear(account.name, self.address)
        if given.new_password == given.current_password:
            raise wrong("new_password", "must be another one")
        fresh = hashed(given.new_password)
        with self.journal.writing(account.actor) as session:
            now = _unchanged(session, account)
            actions.set_password(session, now, fresh, temporary=False, but=visit.sign_in.id)

    def _verified(self, name: str, password: Password, hash_: str | None) -> str | None:
        self.attempts.count(name, self.address)
        try:
            return verified(password, hash_)
        except Busy:
            self.attempts.uncount(name, self.address)
            raise


def _unchanged(session: Session, before: Account) -> Account:
    """The account as it is now; checking its password took long enough for it to change."""
    account = find(session, Account, before.id)
    if account.disabled or account.password_hash != before.password_hash:
        raise WrongPassword
    return account
