"""What goes in and out of the accounts' API. No answer ever holds a hash."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, Field

from app.accounts.models import Account, FailedSignIn, Role, SignIn
from app.accounts.passwords import ChosenPassword, Password
from app.accounts.second_factor import Code, is_missing
from app.core.events import shown
from app.core.settings import Settings
from app.http.fields import Absent, Given, Maybe
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
    device_token: str = Field(
        default="",
        max_length=4096,
        description="What the last sign-in from this device gave; one that is worth nothing any"
        " more does no harm",
    )
    code: Maybe[Code] = Field(
        default=None,
        description="Of the second factor, for an account that has one: from the app, or one of"
        " the recovery codes",
    )


class SecondStep(BaseModel):
    """A code, after a right password."""

    step_token: str = Field(
        max_length=4096,
        description="From the `code-needed` answer to the password; good for five minutes",
        examples=["eyJhbGciOiJIUzI1NiIs…"],
    )
    code: Code
    device_token: str = Field(default="", max_length=4096, description="As with the password")


class CodeGiven(Given):
    """A code of one's second factor."""

    code: Code


class SecondFactorAsked(Given):
    """What a new second factor is asked for with."""

    code: Maybe[Code] = Field(
        default=None, description="Of the one that you have, if you have one already"
    )


class SecondFactorBegun(BaseModel):
    """A secret for your app; it is shown this once, and counts once you have sent a code of it."""

    secret: str = Field(examples=["JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"])
    address: str = Field(
        description="The same for an app to read, as a QR code",
        examples=["otpauth://totp/Safe%20Havens:p.okafor?secret=JBSWY3DPEHPK3PXP"],
    )


class RecoveryCodes(BaseModel):
    """Codes for whoever has lost their app, each good once; they are shown this once."""

    recovery_codes: list[str] = Field(examples=[["k7f3a-w9xme-t2hcv"]])


class AccessToken(BaseModel):
    """Proof of a sign-in, to be sent as `Authorization: Bearer …`."""

    access_token: str = Field(examples=["eyJhbGciOiJIUzI1NiIs…"])
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - what kind it is
    expires_in: int = Field(description="Seconds until a fresh one is due", examples=[900])


class SignedIn(AccessToken):
    """A sign-in has begun."""

    device_token: str = Field(
        description="Keep it, and send it with the next sign-in from this device: it is then told"
        " from strangers, whose wrong passwords don't count for it. It opens nothing by itself",
        examples=["eyJhbGciOiJIUzI1NiIs…"],
    )


class Me(BaseModel):
    """Who you are to this service."""

    name: str = Field(examples=["p.okafor"])
    roles: list[Role] = Field(examples=[["officer"]])
    password_is_temporary: bool = Field(
        description="You have to choose your own before you can do anything else"
    )
    second_factor: bool = Field(description="Whether you sign in with a code, too")
    second_factor_missing: bool = Field(
        description="You have to set one up before you can do anything else"
    )
    recovery_codes_left: int
    signed_in_at: datetime
    signed_in_until: datetime = Field(description="At the latest: sooner if you do nothing")

    @classmethod
    def of(cls, account: Account, sign_in: SignIn, settings: Settings) -> Self:
        """An account and its sign-in, as its owner sees them."""
        return shown(
            cls,
            account,
            second_factor=account.second_factor is not None,
            second_factor_missing=is_missing(settings, account),
            recovery_codes_left=len(account.recovery_hashes),
            signed_in_at=sign_in.began_at,
            signed_in_until=sign_in.expires_at,
        )


class SignInsQuestion(Paging):
    """Which sign-ins to list."""

    account_id: UUID | Absent = None


class SignInShown(BaseModel):
    """One stay of somebody who signed in."""

    id: UUID
    account: str = Field(description="Its name", examples=["p.okafor"])
    account_id: UUID
    began_at: datetime
    used_at: datetime = Field(description="When it was used last, to the minute")
    expires_at: datetime = Field(description="At the latest: sooner if nobody uses it")
    ended_at: datetime | Absent = Field(default=None, description="Absent while it lasts")


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
    password: Literal["none", "temporary", "own", "elsewhere"] = Field(
        description="Whether there is one, and whether its owner chose it; `elsewhere` signs in at"
        " the identity provider"
    )
    second_factor: bool = Field(description="Whether it signs in with a code, too")

    @classmethod
    def of(cls, account: Account) -> Self:
        """An account without its secret."""
        chosen = "temporary" if account.password_is_temporary else "own"
        without = "elsewhere" if account.subject is not None else "none"
        return shown(
            cls,
            account,
            password=chosen if account.password_hash else without,
            second_factor=account.second_factor is not None,
        )


class AccountsQuestion(Paging):
    """Which accounts to list."""

    role: Role | Absent = None
    disabled: bool | Absent = None


class TemporaryPassword(BaseModel):
    """A password to be passed on to its owner; it is shown this once."""

    temporary_password: str = Field(examples=["k7f3a-w9xme-t2hcv-8rqdn"])


class FailedSignInsQuestion(Paging):
    """Which failed sign-ins to list."""

    account_id: UUID | Absent = None
    throttled: bool | Absent = None
    known: bool | Absent = None
    of_code: bool | Absent = None


class FailedSignInShown(BaseModel):
    """A password or a code that was tried in vain, or that none may be tried for a while."""

    id: UUID
    at: datetime
    throttled: bool = Field(
        description="Whether passwords were not even checked from here on; it is listed once"
    )
    account_id: UUID | Absent = Field(default=None, description="Absent when no account was named")
    account: str | Absent = Field(default=None, description="Its name", examples=["p.okafor"])
    known: bool = Field(
        description="From a device that the account was used on before, or while signed in"
    )
    of_code: bool = Field(
        description="The password was right and the code was not: somebody may know the password"
    )
    network: str | Absent = Field(
        default=None, description="Where from, cut short", examples=["203.0.113.0/24"]
    )

    @classmethod
    def of(cls, failed: FailedSignIn, account: str | None) -> Self:
        """One as an administrator sees it."""
        return shown(cls, failed, account=account)
