"""Who may call a route, as a type in its signature: `officer: Officer`."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

from fastapi import Depends, Request
from fastapi.security import OAuth2PasswordBearer
from sqlmodel import select

from app.accounts.arrivals import arrive, sign_in_of
from app.accounts.models import Account, Role, SignIn, SignInUse
from app.accounts.provided import Claims
from app.accounts.second_factor import SecondFactorFirst, is_missing
from app.accounts.sign_ins import idle_since, last_used, use
from app.accounts.tokens import Tokens, Unauthorized
from app.core.db import read_session
from app.core.errors import DomainError
from app.http.database import Turn

if TYPE_CHECKING:
    from app.accounts.provider import Provider


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


HANDED_OVER = "havens.visit"
"""Where the scope of a call from a page of ours has the visit that was looked up for the page; no
client can put anything there."""

_bearer = OAuth2PasswordBearer("/v1/auth/token", scheme_name="sign-in", auto_error=False)


async def vouched(
    request: Request, token: Annotated[str | None, Depends(_bearer)]
) -> Claims | None:
    """What the identity provider says in a token of its own; None of any other token.

    Before a turn at the database, for the provider may take its time.
    """
    provider: Provider | None = request.app.state.provider
    if token is None or provider is None or not provider.wrote(token):
        return None
    return await provider.claims_of(token)


def visiting(
    request: Request,
    token: Annotated[str | None, Depends(_bearer)],
    claims: Annotated[Claims | None, Depends(vouched)],
    _: Turn,
) -> Visit:
    """Who calls, as the database has it now: an end or another role counts at once."""
    handed_over: Visit | None = request.scope.get(HANDED_OVER)
    if handed_over is not None:
        return handed_over
    if token is None:
        raise Unauthorized
    tokens: Tokens = request.app.state.tokens
    if claims is not None:
        visit = visit_of(request, sign_in_of(token))
        if visit is None:
            state = request.app.state
            settings = state.settings.identity_provider
            begun = arrive(state.journal, settings, claims, tokens.now(), token)
            visit = visit_of(request, begun)
        if visit is None:
            raise Unauthorized
        return visit
    account_id, sign_in_id = tokens.read(token)
    visit = visit_of(request, sign_in_id)
    if visit is None or visit.account.id != account_id:
        raise Unauthorized
    return visit


def visit_of(request: Request, sign_in_id: UUID) -> Visit | None:
    """The visit that a sign-in is, as the database has it now; None if it lasts no longer."""
    tokens: Tokens = request.app.state.tokens
    journal, now = request.app.state.journal, tokens.now()
    with read_session(*journal.engines) as session:
        row = session.exec(
            select(Account, SignIn, last_used())
            .select_from(SignIn)
            .join(Account)
            .outerjoin(SignInUse)
            .where(SignIn.id == sign_in_id)
        ).first()
    if row is None:
        return None
    account, sign_in, used_at = row
    is_idle = used_at < idle_since(request.app.state.settings, now)
    if account.disabled or not sign_in.lasts(now) or is_idle:
        return None
    use(journal.engine, sign_in, used_at, now)
    return Visit(account, sign_in)


Visiting = Annotated[Visit, Depends(visiting)]


@dataclass(frozen=True)
class Guard:
    """Lets accounts pass that hold one of the roles."""

    roles: frozenset[Role]

    async def __call__(self, request: Request, visit: Visiting) -> Account:
        if not self.roles.intersection(visit.account.roles):
            raise Forbidden
        if visit.account.password_is_temporary:
            raise PasswordIsTemporary
        if is_missing(request.app.state.settings, visit.account):
            raise SecondFactorFirst
        return visit.account


Officer = Annotated[Account, Depends(Guard(frozenset({Role.OFFICER})))]
Licensing = Annotated[Account, Depends(Guard(frozenset({Role.LICENSING})))]
Administrator = Annotated[Account, Depends(Guard(frozenset({Role.ADMINISTRATOR})))]
Reader = Annotated[Account, Depends(Guard(frozenset(Role)))]
AUDITORS = Guard(frozenset({Role.LICENSING, Role.ADMINISTRATOR}))
Auditor = Annotated[Account, Depends(AUDITORS)]
