"""Who arrives from the identity provider: their account, with the roles of their groups."""

import hashlib
from datetime import UTC, datetime
from uuid import UUID

from pydantic import TypeAdapter, ValidationError
from sqlmodel import Session, select

from app.accounts import actions
from app.accounts.models import Account, Role, SignIn
from app.accounts.provided import Claims
from app.accounts.schemas import Name
from app.accounts.tokens import Unauthorized
from app.core.errors import DomainError
from app.core.journal import Journal
from app.core.settings import IdentityProvider

ACTOR = "identity provider"

_name = TypeAdapter(Name)


class NotLetIn(DomainError):
    """The provider knows them, and we don't let them in."""

    status = 403
    code = "not-let-in"
    title = "None of your groups may work here, or your account is disabled"


class NameIsTaken(DomainError):
    """An account of this name is another person's, as far as we know."""

    status = 409
    code = "name-is-taken"
    title = (
        "An account of your name signs in with a password: an administrator has to leave it to"
        " your organisation first"
    )


class NoName(DomainError):
    """Without a name the journal can't say who did what."""

    status = 403
    code = "no-name"
    title = "Your organisation gives no name that an account can have; tell your administrator"


def arrive(
    journal: Journal, settings: IdentityProvider, claims: Claims, at: datetime, token: str = ""
) -> UUID:
    """Begin the sign-in of somebody whom the provider vouches for; returns its id.

    Roles are those of their groups at this moment. Who has none any more loses all that was given
    out to them. The sign-in of a program's token ends with that, and begins once. Raises
    `NotLetIn`, `NameIsTaken`, `NoName` and `Unauthorized`.
    """
    roles = _roles(settings, claims)
    with journal.writing(ACTOR) as session:
        account = _account(session, settings, claims, roles)
        if account is not None and not set(roles).issuperset(account.roles):
            actions.end_all(session, account)
        if account is not None and roles and not account.disabled:
            account.roles = roles
            if not token:
                return actions.begin_sign_in(session, account, at).id
            id_, until = sign_in_of(token), datetime.fromtimestamp(claims["exp"], UTC)
            if session.get(SignIn, id_) is not None:
                raise Unauthorized
            return actions.begin_sign_in(session, account, at, until, id_).id
    # After what they have lost was written.
    raise NotLetIn


def sign_in_of(token: str) -> UUID:
    """The id of the sign-in that a token of the provider is."""
    return UUID(bytes=hashlib.sha256(token.encode()).digest()[:16], version=4)


def _roles(settings: IdentityProvider, claims: Claims) -> list[Role]:
    said = claims.get(settings.groups_claim, ())
    groups = {said} if isinstance(said, str) else {one for one in said if isinstance(one, str)}
    return sorted(Role(role) for role, some in settings.groups.items() if groups & {*some})


def _account(
    session: Session, settings: IdentityProvider, claims: Claims, roles: list[Role]
) -> Account | None:
    """Their account, made where there is none and they may work here."""
    known = session.exec(select(Account).where(Account.subject == claims["sub"])).first()
    if known is not None or not roles:
        return known
    try:
        name = _name.validate_python(claims.get(settings.name_claim))
    except ValidationError:
        raise NoName from None
    account = actions.named(session, name)
    if account is None:
        account = actions.add(session, name, roles)
    elif account.password_hash is not None or account.subject is not None:
        raise NameIsTaken
    account.subject = claims["sub"]
    return account
