"""What goes in and out of the accounts' API. No answer ever holds a hash."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, Field

from app.accounts.models import Account, Role, SignIn
from app.accounts.passwords import ChosenPassword, Password
from app.core.events import shown
from app.http.fields import Absent, Given
from app.http.paging import Paging


def _typed_name(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


Name = Annotated[
    str,
    BeforeValidator(_typed_name),
    Field(
        min_length=2,
        max_length=80,
        pattern=r"^[a-z0-9][a-z0-9._@+-]*$",
        description="Letters, digits and `. _ @ + -`; capitals make no difference",
        examples=["p.okafor"],
    ),
]
Roles = Annotated[list[Role], Field(min_length=1, max_length=len(Role), examples=[["officer"]])]


class Credentials(BaseModel):
    """The OAuth2 password form. What else such a form may hold is not used."""

    username: Name
    password: Annotated[Password, Field(examples=["correct horse battery staple"])]
    grant_type: Literal["password"] = "password"


class AccessToken(BaseModel):
    """Proof of a sign-in, to be sent as `Authorization: Bearer …`."""

    access_token: str = Field(examples=["eyJhbGciOiJIUzI1NiIs…"])
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - what kind it is
    expires_in: int = Field(description="Seconds until a fresh one is due", examples=[900])


class Me(BaseModel):
    """Who you are to this service."""

    name: str = Field(examples=["p.okafor"])
    roles: list[Role] = Field(examples=[["officer"]])
    password_is_temporary: bool = Field(
        description="You have to choose your own before you can do anything else"
    )
    signed_in_at: datetime
    signed_in_until: datetime

    @classmethod
    def of(cls, account: Account, sign_in: SignIn) -> Self:
        """An account and its sign-in, as its owner sees them."""
        since, until = sign_in.began_at, sign_in.expires_at
        return shown(cls, account, signed_in_at=since, signed_in_until=until)


class PasswordChange(Given):
    """A password of your own, instead of the one you have."""

    current_password: Password
    new_password: ChosenPassword


class NewAccount(Given):
    """Somebody who is to sign in."""

    name: Name
    roles: Roles


class RolesGiven(Given):
    """All the roles that an account is to have."""

    roles: Roles


class AccountShown(BaseModel):
    """An account as an administrator sees it."""

    id: UUID
    name: str = Field(examples=["p.okafor"])
    roles: list[Role] = Field(examples=[["officer"]])
    disabled: bool
    password: Literal["none", "temporary", "own"] = Field(
        description="Whether there is one, and whether its owner chose it"
    )

    @classmethod
    def of(cls, account: Account) -> Self:
        """An account without its secret."""
        chosen = "temporary" if account.password_is_temporary else "own"
        return shown(cls, account, password=chosen if account.password_hash else "none")


class AccountsQuestion(Paging):
    """Which accounts to list."""

    role: Role | Absent = None
    disabled: bool | Absent = None


class TemporaryPassword(BaseModel):
    """A password to be passed on to its owner; it is shown this once."""

    temporary_password: str = Field(examples=["k7f3a-w9xme-t2hcv-8rqdn"])
