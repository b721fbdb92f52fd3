"""Who may call a route, as a type in its signature: `officer: Officer`."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import OAuth2PasswordBearer
from sqlmodel import select

from app.accounts.models import Account, Role, SignIn
from app.accounts.tokens import Tokens, Unauthorized
from app.core.db import read_session
from app.core.errors import DomainError


class Forbidden(DomainError):
    """The account has none of the roles that this takes."""

    status = 403
    code = "forbidden"
    title = "Your account may not do this"


class PasswordIsTemporary(DomainError):
    """Somebody else knows the password, so what it is used for can't be put down to its owner."""

    status = 403
    code = "password-is-temporary"
    title = "Choose a password of your own first, at /v1/auth/password"


@dataclass(frozen=True)
class Visit:
    """An account, and the sign-in by which it is here."""

    account: Account
    sign_in: SignIn


_bearer = OAuth2PasswordBearer("/v1/auth/token", scheme_name="sign-in", auto_error=False)


def visiting(request: Request, token: Annotated[str | None, Depends(_bearer)]) -> Visit:
    """Who calls, as the database has it now: an end or another role counts at once."""
    if token is None:
        raise Unauthorized
    tokens: Tokens = request.app.state.tokens
    account_id, sign_in_id = tokens.read(token)
    with read_session(request.app.state.journal.engine) as session:
        row = session.exec(
            select(Account, SignIn)
            .join(SignIn)
            .where(Account.id == account_id, SignIn.id == sign_in_id)
        ).first()
    if row is None or row[0].disabled or not row[1].lasts(tokens.now()):
        raise Unauthorized
    return Visit(*row)


Visiting = Annotated[Visit, Depends(visiting)]


@dataclass(frozen=True)
class Guard:
    """Lets accounts pass that hold one of the roles."""

    roles: frozenset[Role]

    async def __call__(self, visit: Visiting) -> Account:
        if not self.roles.intersection(visit.account.roles):
            raise Forbidden
        if visit.account.password_is_temporary:
            raise PasswordIsTemporary
        return visit.account


Officer = Annotated[Account, Depends(Guard(frozenset({Role.OFFICER})))]
Licensing = Annotated[Account, Depends(Guard(frozenset({Role.LICENSING})))]
Administrator = Annotated[Account, Depends(Guard(frozenset({Role.ADMINISTRATOR})))]
Reader = Annotated[Account, Depends(Guard(frozenset(Role)))]
AUDITORS = Guard(frozenset({Role.LICENSING, Role.ADMINISTRATOR}))
Auditor = Annotated[Account, Depends(AUDITORS)]
