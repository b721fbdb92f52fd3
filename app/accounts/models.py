"""Accounts and their sign-ins."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid4

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
    temporary while somebody else knows it too.
    """

    __secret__ = ("password_hash",)

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    name: str = Field(unique=True, max_length=80)
    roles: list[Role] = Field(sa_type=JSON)
    password_hash: str | None = Field(default=None, max_length=200)
    password_is_temporary: bool = False
    disabled: bool = False

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
