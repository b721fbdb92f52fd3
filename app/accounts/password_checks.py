"""What a right password does: with a code, where one is needed, it begins a sign-in; or it may be
changed, and with a code, what makes codes."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID, uuid4

from pydantic import SecretStr
from sqlmodel import Session
from starlette.concurrency import run_in_threadpool

from app.accounts import actions
from app.accounts.attempts import Asker, Attempts, TooManyAttempts
from app.accounts.guards import Visit
from app.accounts.lane import Busy, Lane
from app.accounts.models import Account
from app.accounts.passwords import hashed, verified
from app.accounts.schemas import (
    CodeGiven,
    Credentials,
    PasswordChange,
    RecoveryCodes,
    SecondFactorAsked,
    SecondFactorBegun,
    SecondStep,
    SignedIn,
)
from app.accounts.second_factor import SecondFactors, address
from app.accounts.tokens import Device, Tokens, Unauthorized
from app.core.db import find, read_session
from app.core.errors import wrong
from app.core.journal import Journal
from app.core.metrics import PASSWORDS
from app.http.database import Turns

log = logging.getLogger(__name__)

_Answer = TypeVar("_Answer")

REFUSED_SECONDS = 3


class WrongPassword(Unauthorized):
    """There is no such account, it is disabled, or the password is another: it isn't said which."""

    code = "wrong-password"
    title = "This name and this password don't open an account"


class CodeNeeded(Unauthorized):
    """The password is right; a code has to come with it, or with the token that this has."""

    code = "code-needed"
    title = "Give the code of your second factor, too"

    def __init__(self, step_token: str = "") -> None:
        super().__init__()
        self.extra = {"step_token": step_token}


class WrongCode(Unauthorized):
    """The code is of another moment or another secret, or was used: it isn't said which."""

    code = "wrong-code"
    title = "This code is wrong, or was used already; wait for the next one"


class SignInAgain(Unauthorized):
    """The token of the first step is too old, or worth nothing any more."""

    code = "sign-in-again"
    title = "That took too long: give your name and password again"


@dataclass(frozen=True)
class PasswordChecks:
    """Checks the passwords that come from one client. What waits for the database has a thread."""

    journal: Journal
    tokens: Tokens
    attempts: Attempts
    lane: Lane
    turns: Turns
    factors: SecondFactors
    client: str

    async def sign_in(self, given: Credentials) -> SignedIn:
        """Begin a sign-in.

        Raises `WrongPassword`, `CodeNeeded`, `WrongCode`, `TooManyAttempts` and `Busy`. Only one
        that succeeds is in the journal: a stranger's guess can't make it grow.
        """
        account, device = await self._ask(self._find, given)
        asker = self.attempts.asker(account, given.username, self.client, device)
        async with self._try(asker) as counted:
            old = account.password_hash if account else None
            fresh = await self.lane.run(verified, given.password, old)
        if account is None or fresh is None or account.disabled:
            _note(asker, "wrong")
            raise WrongPassword
        if account.second_factor is None:
            begun = await self._ask(self._begin, account, fresh, asker, counted, device)
        elif given.code is None:
            await self._ask(self.attempts.take_back, counted)
            raise CodeNeeded(self.tokens.issue_step(account.id, account.generation))
        else:
            await self._ask(self.attempts.take_back, counted)
            begun = await self._begin_with(given.code, account, fresh, device)
        self.lane.forget(asker.queues_as)
        _note(asker, "right")
        return begun

    async def second_step(self, given: SecondStep) -> SignedIn:
        """Begin a sign-in whose password was right before.

        Raises `SignInAgain`, `WrongCode` and `TooManyAttempts`.
        """
        try:
            account_id, generation = self.tokens.read_step(given.step_token)
        except Unauthorized:
            raise SignInAgain from None
        account, device = await self._ask(self._find_again, account_id, generation, given)
        return await self._begin_with(given.code, account, account.password_hash, device)

    async def change_password(self, visit: Visit, given: PasswordChange) -> None:
        """Change one's own password, which ends all else that was given out to oneself.

        Raises `Invalid`, `TooManyAttempts` and `Busy`.
        """
        account = visit.account
        asker = self.attempts.asker(account, account.name, self.client, visit.sign_in)
        async with self._try(asker) as counted:
            right = await self.lane.run(verified, given.current_password, account.password_hash)
            is_new = given.new_password != given.current_password
            fresh = await self.lane.run(hashed, given.new_password) if right and is_new else None
        if not right:
            _note(asker, "wrong")
            raise wrong("current_password", "is not your password")
        await self._ask(self._change, visit, fresh, asker, counted)

    async def begin_factor(self, visit: Visit, given: SecondFactorAsked) -> SecondFactorBegun:
        """A new secret for one's app, which counts once `confirm_factor` has a code of it.

        Raises `Invalid` and `TooManyAttempts`: who has a second factor shows that first.
        """

        def begin(account: Account) -> SecondFactorBegun:
            secret = self.factors.begin(account)
            return SecondFactorBegun(secret=secret, address=address(secret, account))

        return await self._with_code(visit, given.code, begin)

    async def confirm_factor(self, visit: Visit, given: CodeGiven) -> RecoveryCodes:
        """Have the new secret count, which ends all else that was given out to oneself.

        Raises `Invalid` and `TooManyAttempts`.
        """
        return await self._counting(visit, self._confirm, given.code)

    async def renew_recovery_codes(self, visit: Visit, given: CodeGiven) -> RecoveryCodes:
        """New codes to keep on paper. Raises `Invalid` and `TooManyAttempts`."""

        def renew(account: Account) -> RecoveryCodes:
            if account.second_factor is None:
                raise wrong("code", "can't be right, for you have no second factor")
            return RecoveryCodes(recovery_codes=self.factors.renew(account))

        return await self._with_code(visit, given.code, renew)

    async def _with_code(
        self, visit: Visit, code: SecretStr | None, change: Callable[[Account], _Answer]
    ) -> _Answer:
        """Change one's own account with a code of the second factor, if there is one."""
        if visit.account.second_factor is None:
            return await self._ask(self._change_factor, visit, None, change)
        if code is None:
            raise wrong("code", "is required: one of the second factor that you have")
        return await self._counting(visit, self._change_factor, code, change)

    async def _counting(
        self, visit: Visit, work: Callable[..., _Answer], code: SecretStr, *more: object
    ) -> _Answer:
        """Do with a code what takes a right one. Raises `Invalid` of a wrong one."""
        asker = self.attempts.asker_of_code(visit.account, self.client, visit.sign_in)
        counted = await self._count_code(asker)
        try:
            answer = await self._ask(work, visit, code, *more)
        except WrongCode:
            _note(asker, "wrong_code")
            raise wrong("code", "is wrong, or was used already; wait for the next one") from None
        await self._ask(self.attempts.was_right, asker, counted)
        return answer

    async def _count_code(self, asker: Asker) -> UUID:
        try:
            return await self._ask(self.attempts.count, asker)
        except TooManyAttempts as error:
            await self._turn_away(asker, error)
            raise

    async def _turn_away(self, asker: Asker, error: TooManyAttempts) -> None:
        is_new = not error.is_noted and await self._ask(self.attempts.note, asker)
        _note(asker, "throttled", is_new=is_new)
        await _slowly()

    async def _begin_with(
        self, code: SecretStr, account: Account, fresh: str | None, device: Device | None
    ) -> SignedIn:
        """Begin the sign-in of an account whose password was right, if the code is, too."""
        asker = self.attempts.asker_of_code(account, self.client, device)
        counted = await self._count_code(asker)
        # First, as for passwords: where the journal can't be written nobody's code was wrong.
        if self.factors.use(account, code, self.tokens.now()) is None:
            _note(asker, "wrong_code")
            raise WrongCode
        begun = await self._ask(self._begin, account, fresh, asker, counted, device, code)
        first = self.attempts.asker(account, account.name, self.client, device)
        await self._ask(self.attempts.forgive, first)
        return begun

    async def _ask(self, work: Callable[..., _Answer], *args: object) -> _Answer:
        """Ask the database, in a turn at it: who waits for the lane, or is refused, holds none."""
        async with self.turns.taken():
            return await run_in_threadpool(work, *args)

    def _find(self, given: Credentials) -> tuple[Account | None, Device | None]:
        """The account that is named, and the device that asks, if that account knows it."""
        with read_session(self.journal.engine) as session:
            account = actions.named(session, given.username)
        return account, self._known_device(account, given.device_token)

    def _find_again(
        self, account_id: UUID, generation: int, given: SecondStep
    ) -> tuple[Account, Device | None]:
        """The account of a right password, if nothing ended what that was worth."""
        with read_session(self.journal.engine) as session:
            account = session.get(Account, account_id)
        if account is None or account.disabled or account.generation != generation:
            raise SignInAgain
        return account, self._known_device(account, given.device_token)

    def _known_device(self, account: Account | None, token: str) -> Device | None:
        with suppress(Unauthorized):
            device = self.tokens.read_device(token)
            if account and device.is_known_to(account.id, account.generation):
                return device
        return None

    @asynccontextmanager
    async def _try(self, asker: Asker) -> AsyncIterator[UUID]:
        """Try a password, in the lane and when it is the asker's turn."""
        try:
            await self._ask(self.attempts.refuse, asker)
            async with self.lane.turn(asker.queues_as, is_known=asker.is_known):
                yield await self._ask(self.attempts.count, asker)
        except TooManyAttempts as error:
            await self._turn_away(asker, error)
            raise
        except Busy:
            _note(asker, "busy", is_new=False)
            await _slowly()
            raise

    def _begin(
        self,
        account: Account,
        fresh: str,
        asker: Asker,
        counted: UUID,
        device: Device | None,
        code: SecretStr | None = None,
    ) -> SignedIn:
        # First: where the journal can't be written nobody's password was wrong.
        self.attempts.was_right(asker, counted)
        with self.journal.writing(account.actor) as session:
            account = _unchanged(session, account)
            account.password_hash = fresh
            if code is not None:
                self._use(account, code)
            begun = actions.begin_sign_in(session, account, self.tokens.now())
            token, seconds = self.tokens.issue(account.id, begun.id, begun.expires_at)
            device = Device(device.id if device else uuid4(), account.id, account.generation)
        return SignedIn(
            access_token=token, expires_in=seconds, device_token=self.tokens.issue_device(device)
        )

    def _change(self, visit: Visit, fresh: str | None, asker: Asker, counted: UUID) -> None:
        self.attempts.was_right(asker, counted)
        if fresh is None:
            raise wrong("new_password", "must be another one")
        with self.journal.writing(visit.account.actor) as session:
            account = _unchanged(session, visit.account)
            but = visit.sign_in.id
            actions.set_password(session, account, fresh, temporary=False, but=but)

    def _use(self, account: Account, code: SecretStr) -> None:
        """Use a code up, which may have been done since it was looked at. Raises `WrongCode`."""
        use = self.factors.use(account, code, self.tokens.now())
        if use is None:
            raise WrongCode
        use.up(account)
        self.factors.seal_anew(account)

    def _change_factor(
        self, visit: Visit, code: SecretStr | None, change: Callable[[Account], _Answer]
    ) -> _Answer:
        with self.journal.writing(visit.account.actor) as session:
            account = find(session, Account, visit.account.id)
            if account.second_factor is not None:
                self._use(account, code or SecretStr(""))
            return change(account)

    def _confirm(self, visit: Visit, code: SecretStr) -> RecoveryCodes:
        with self.journal.writing(visit.account.actor) as session:
            account = find(session, Account, visit.account.id)
            codes = self.factors.confirm(account, code, self.tokens.now())
            if codes is None:
                raise WrongCode
            actions.end_all(session, account, but=visit.sign_in.id)
        return RecoveryCodes(recovery_codes=codes)


async def _slowly() -> None:
    # Who is refused at once asks again at once, and again: that would keep others waiting. Not all
    # after the same time, or they would come again together.
    await asyncio.sleep(random.uniform(1, 2) * REFUSED_SECONDS)  # noqa: S311 - no secret


def _note(asker: Asker, outcome: str, *, is_new: bool = True) -> None:
    PASSWORDS.labels(outcome).inc()
    if outcome == "right" or not is_new:
        return
    log.warning(
        "%s: %s, %s from %s",
        {"wrong": "wrong password", "wrong_code": "right password, wrong code"}.get(
            outcome, "too many wrong passwords or codes"
        ),
        f"account {asker.account_id}" if asker.account_id else "no account",
        "known" if asker.is_known else "a stranger",
        asker.network or "an unknown address",
    )


def _unchanged(session: Session, before: Account) -> Account:
    """The account as it is now; checking its password took long enough for it to change."""
    account = find(session, Account, before.id)
    if account.disabled or account.password_hash != before.password_hash:
        raise WrongPassword
    return account
