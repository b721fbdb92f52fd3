"""Accounts, their sign-ins and calendars' addresses, and sign-ins that failed."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy import JSON
from sqlmodel import Field, SQLModel

from app.core.db import Instant


class Role(StrEnum):
    OFFICER = "officer"
    LICENSING = "licensing"
    ADMINISTRATOR = "administrator"


class Account(SQLModel, table=True):
    """Somebody who signs in. `name` is what they sign in with, and what the journal calls them.

    An account begins without a password, so that nobody can sign in with it. A password is
    temporary while somebody else knows it too. `generation` counts how often all that had been
    given out to it was ended: what carries an earlier one is worth nothing.

    `second_factor` is the sealed secret that an app makes codes from, `pending_factor` one that
    nobody has shown a code of yet; `factor_step` numbers the half minute of the last code that was
    used. Of each recovery code that is left there is a hash.

    `subject` is what the identity provider calls who signs in there; they have no password.
    """

    __table_args__ = (sa.Index("account_subject", "subject", unique=True),)
    __secret__ = ("password_hash", "second_factor", "pending_factor", "recovery_hashes")

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    name: str = Field(unique=True, max_length=80)
    roles: list[Role] = Field(sa_type=JSON)
    password_hash: str | None = Field(default=None, max_length=200)
    password_is_temporary: bool = False
    disabled: bool = False
    generation: int = 0
    second_factor: str | None = Field(default=None, max_length=200)
    pending_factor: str | None = Field(default=None, max_length=200)
    factor_step: int = 0
    recovery_hashes: list[str] = Field(default_factory=list, sa_type=JSON)
    subject: str | None = Field(default=None, max_length=255)

    @property
    def actor(self) -> str:
        """Who the journal says it was."""
        return f"account {self.name}"


class SignIn(SQLModel, table=True):
    """One stay of an account, from signing in to signing out or `expires_at`."""

    __tablename__ = "sign_in"

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    account_id: UUID = Field(foreign_key="account.id", index=True)
    began_at: datetime = Field(sa_type=Instant)
    expires_at: datetime = Field(sa_type=Instant)
    ended_at: datetime | None = Field(default=None, sa_type=Instant)

    def lasts(self, at: datetime) -> bool:
        """Whether it goes on at an instant."""
        return self.ended_at is None and at < self.expires_at


class SignInUse(SQLModel, table=True):
    """When a sign-in was used last, to the minute. Not in the journal: reading adds nothing."""

    __tablename__ = "sign_in_use"
    __unjournalled__ = True

    sign_in_id: UUID = Field(foreign_key="sign_in.id", ondelete="CASCADE", primary_key=True)
    used_at: datetime = Field(sa_type=Instant)


class CalendarAddress(SQLModel, table=True):
    """A private address at which an account's calendar is read without signing in.

    Only the hash of its secret part is kept.
    """

    __tablename__ = "calendar_address"
    __secret__ = ("secret_hash",)

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    account_id: UUID = Field(foreign_key="account.id", index=True)
    secret_hash: str = Field(unique=True, max_length=64)
    made_at: datetime = Field(sa_type=Instant)
    revoked_at: datetime | None = Field(default=None, sa_type=Instant)


class FailedSignIn(SQLModel, table=True):
    """A password that was tried in vain, or `throttled`: that none may be tried for a while.

    What was typed is not kept, nor the whole address. `counted_as` is a keyed hash of whose tries
    count together; what is `forgiven` counts no longer. `known` says that the account had been used
    from there before, `of_code` that the password was right, and the code was not. Not in the
    journal, which no stranger may make grow.
    """

    __tablename__ = "failed_sign_in"
    __unjournalled__ = True
    __table_args__ = (
        sa.Index("failed_sign_in_counted", "counted_as", "at"),
        sa.Index("failed_sign_in_newest", "at", "id"),
    )

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    at: datetime = Field(sa_type=Instant)
    throttled: bool
    counted_as: str = Field(max_length=64)
    account_id: UUID | None = Field(default=None, foreign_key="account.id")
    known: bool
    of_code: bool = False
    network: str | None = Field(default=None, max_length=43)
    forgiven: bool = False
