"""How often a password or a code may be tried, and what was tried in vain."""

import hmac
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import Engine
from sqlmodel import Session, col, select

from app.accounts.models import Account, FailedSignIn, SignIn
from app.accounts.tokens import Device
from app.core.db import read_session, write_session
from app.core.errors import DomainError
from app.core.journal import CLOCKS_AGREE

KEPT = timedelta(days=7)
"""How long administrators can see what was tried."""


@dataclass(frozen=True)
class Allowance:
    """How many wrong passwords are borne within how long."""

    tries: int
    within: timedelta


STRANGERS = Allowance(5, timedelta(minutes=15))
KNOWN = Allowance(10, timedelta(hours=1))


@dataclass(frozen=True)
class Asker:
    """Who tries a password, or a code: whose tries count together have the same `counted_as`.

    `queues_as` is whose turn it is when many ask at once; `network` is less than their address.
    """

    counted_as: str
    queues_as: str
    is_known: bool
    account_id: UUID | None
    network: str | None
    of_code: bool = False

    @property
    def allowance(self) -> Allowance:
        return KNOWN if self.is_known else STRANGERS


class TooManyAttempts(DomainError):
    """Passwords were tried too often; `is_noted` once that has been written down."""

    status = 429
    code = "too-many-attempts"

    def __init__(self, wait: timedelta = STRANGERS.within, *, is_noted: bool = False) -> None:
        self.is_noted = is_noted
        seconds = math.ceil(wait.total_seconds())
        self.title = f"Too many wrong passwords; try again in {math.ceil(seconds / 60)} min"
        self.headers = {"Retry-After": str(seconds)}
        super().__init__()


class Attempts:
    """The passwords that were tried in vain, as all processes of an installation count them.

    A stranger's count by name and client together, so a stranger elsewhere locks nobody out.
    Whoever has signed in on a device before counts by that device, and whoever is signed in by
    that sign-in: no stranger's count there, not from the same address either. Whether the name
    exists makes no difference, and what was typed is not kept.

    A password counts as wrong before it is checked, so that many at once can't slip by, and
    nothing else counts: so guesses write no more than the lane lets through.
    """

    def __init__(self, engine: Engine, key: bytes, now: Callable[[], datetime]) -> None:
        self._engine = engine
        self._key = key
        self._now = now

    def asker(
        self, account: Account | None, name: str, client: str, by: Device | SignIn | None
    ) -> Asker:
        """Whoever asks for the account with a name, known by a device or sign-in of it or by none.

        The client is an address, or the network that one customer gets.
        """
        text = f"{type(by).__name__} {by.id}" if by else f"{client} {name}"
        return Asker(
            counted_as=hmac.digest(self._key, text.encode(), "sha256").hex(),
            queues_as=str(by.id) if by else client,
            is_known=by is not None,
            account_id=account.id if account else None,
            network=_network(client),
        )

    def asker_of_code(self, account: Account, client: str, by: Device | SignIn | None) -> Asker:
        """Whoever gives a code after a right password, or while signed in.

        A stranger's count for the account, wherever they are: without its password nobody gets
        so far as to lock its owner out.
        """
        asker = self.asker(account, account.name, client, by)
        theirs = asker if by else self.asker(account, str(account.id), "code", None)
        return replace(asker, counted_as=theirs.counted_as, of_code=True)

    def refuse(self, asker: Asker) -> None:
        """Turn away who has tried too often. Raises `TooManyAttempts`."""
        with read_session(self._engine) as session:
            self._refuse(session, asker)

    def count(self, asker: Asker) -> UUID:
        """Count a password that is about to be tried; the id is for `was_right`.

        Raises `TooManyAttempts`.
        """
        with write_session(self._engine) as session:
            self._refuse(session, asker)
            failed = self._add(session, asker, throttled=False)
            # A few at a time, so that nothing waits for long when there are many.
            over = select(FailedSignIn.id).where(col(FailedSignIn.at) < failed.at - KEPT).limit(100)
            session.execute(sa.delete(FailedSignIn).where(col(FailedSignIn.id).in_(over)))
            return failed.id

    def was_right(self, asker: Asker, counted: UUID) -> None:
        """Take back what was counted, and hold nothing before it against the asker any longer."""
        is_it = col(FailedSignIn.id) == counted
        are_theirs = col(FailedSignIn.counted_as) == asker.counted_as
        with write_session(self._engine) as session:
            session.execute(sa.delete(FailedSignIn).where(is_it))
            session.execute(sa.update(FailedSignIn).where(are_theirs).values(forgiven=True))

    def take_back(self, counted: UUID) -> None:
        """Take back what was counted, and forgive nothing yet: a code has to follow."""
        with write_session(self._engine) as session:
            session.execute(sa.delete(FailedSignIn).where(col(FailedSignIn.id) == counted))

    def forgive(self, asker: Asker) -> None:
        """Hold nothing before now against an asker any longer."""
        are_theirs = col(FailedSignIn.counted_as) == asker.counted_as
        with write_session(self._engine) as session:
            session.execute(sa.update(FailedSignIn).where(are_theirs).values(forgiven=True))

    def note(self, asker: Asker) -> bool:
        """Write down that somebody is turned away, unless it has been; returns whether it was."""
        with write_session(self._engine) as session:
            if any(throttled for _, throttled in self._recent(session, asker)):
                return False
            self._add(session, asker, throttled=True)
        return True

    def _refuse(self, session: Session, asker: Asker) -> None:
        recent = self._recent(session, asker)
        counted = [at for at, throttled in recent if not throttled]
        tries, within = asker.allowance.tries, asker.allowance.within
        if len(counted) >= tries:
            wait = counted[-tries] + within - self._now()
            raise TooManyAttempts(wait, is_noted=len(counted) < len(recent))

    def _recent(self, session: Session, asker: Asker) -> list[tuple[datetime, bool]]:
        now = self._now()
        at = col(FailedSignIn.at)
        statement = select(FailedSignIn.at, FailedSignIn.throttled).where(
            FailedSignIn.counted_as == asker.counted_as,
            col(FailedSignIn.forgiven).is_(False),
            at > now - asker.allowance.within,
            # A clock that was far ahead keeps nobody out until then.
            at <= now + CLOCKS_AGREE,
        )
        return list(session.exec(statement.order_by(at)))

    def _add(self, session: Session, asker: Asker, *, throttled: bool) -> FailedSignIn:
        failed = FailedSignIn(
            at=self._now(),
            throttled=throttled,
            counted_as=asker.counted_as,
            account_id=asker.account_id,
            known=asker.is_known,
            of_code=asker.of_code,
            network=asker.network,
        )
        session.add(failed)
        session.flush()
        return failed


def _network(client: str) -> str | None:
    """The part of an address that many share; None of what is no address."""
    try:
        address = ip_address(client)
    except ValueError:
        return None
    return str(ip_network(f"{address}/{24 if address.version == 4 else 48}", strict=False))
