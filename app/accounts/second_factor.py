"""A second factor: codes that an app makes of a secret and the time (RFC 6238), and codes on paper
for who has lost it.

The secret is sealed with a key of the installation before it is stored: a copy of the database or
of the journal gives nobody a code. Of codes on paper only hashes are kept, which is enough for what
has 75 random bits.
"""

import hashlib
import hmac
import logging
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Self

import pyotp
from pydantic import AfterValidator, Field, SecretStr

from app.accounts.models import Account, Role
from app.accounts.passwords import read_out
from app.core.errors import DomainError
from app.core.settings import Settings

if TYPE_CHECKING:
    from cryptography.fernet import Fernet, MultiFernet

log = logging.getLogger(__name__)

STEP_SECONDS = 30
RECOVERY_CODES = 10

_DRIFT = (0, -1, 1)
"""Steps by which the clock of somebody's phone may differ."""


def _typed(code: SecretStr) -> SecretStr:
    """A code as it was made: people type blanks into it, and capitals."""
    return SecretStr("".join(code.get_secret_value().split()).lower())


Code = Annotated[SecretStr, Field(max_length=60, examples=["123456"]), AfterValidator(_typed)]


class SecondFactorFirst(DomainError):
    """The account may do nothing with a password alone."""

    status = 403
    code = "second-factor-first"
    title = "Set up a second factor first, at /v1/auth/second-factor"


def is_missing(settings: Settings, account: Account) -> bool:
    """Whether an account has to have a second factor, and has none."""
    if account.password_hash is None or account.second_factor is not None:
        return False
    whose = settings.second_factor
    return whose == "everybody" or (
        whose == "administrators" and Role.ADMINISTRATOR in account.roles
    )


@dataclass(frozen=True)
class Use:
    """What of an account a code uses up: a step of its app, or a code on paper."""

    step: int
    recovery_hash: str = ""

    def up(self, account: Account) -> None:
        """See to it that the code is worth nothing any more."""
        account.factor_step = max(account.factor_step, self.step)
        account.recovery_hashes = [
            one for one in account.recovery_hashes if one != self.recovery_hash
        ]


class SecondFactors:
    """Makes secrets and checks codes, with the key that seals and older ones that still open."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = keys

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Those of this installation."""
        return cls(settings.keys("second-factor"))

    @cached_property
    def _newest(self) -> "Fernet":
        # Brings all of a library of ciphers, for those who have a second factor.
        from cryptography.fernet import Fernet  # noqa: PLC0415

        return Fernet(urlsafe_b64encode(self._keys[0]))

    @cached_property
    def _seal(self) -> "MultiFernet":
        from cryptography.fernet import Fernet, MultiFernet  # noqa: PLC0415  as above

        return MultiFernet([Fernet(urlsafe_b64encode(key)) for key in self._keys])

    def begin(self, account: Account) -> str:
        """Give an account a new secret, which counts once a code of it was shown; returns it."""
        secret = pyotp.random_base32()
        account.pending_factor = self._seal.encrypt(secret.encode()).decode()
        return secret

    def confirm(self, account: Account, code: SecretStr, at: datetime) -> list[str] | None:
        """Have the new secret count if a code is of it; returns codes to keep on paper."""
        step = self._step(account, account.pending_factor, code, at)
        if step is None:
            return None
        account.second_factor, account.pending_factor = account.pending_factor, None
        account.factor_step = step
        return self.renew(account)

    def renew(self, account: Account) -> list[str]:
        """New codes to keep on paper, in place of those before."""
        codes = [read_out(groups=3) for _ in range(RECOVERY_CODES)]
        account.recovery_hashes = sorted(map(_hash, codes))
        return codes

    def use(self, account: Account, code: SecretStr, at: datetime) -> Use | None:
        """What a code uses up; None when it is wrong, or was used before."""
        step = self._step(account, account.second_factor, code, at)
        if step is not None:
            return Use(step) if step > account.factor_step else None
        hash_ = _hash(code.get_secret_value())
        known = account.second_factor and hash_ in account.recovery_hashes
        return Use(account.factor_step, hash_) if known else None

    def seal_anew(self, account: Account) -> None:
        """Seal an account's secret with the newest key, unless it is, so that an older can go."""
        from cryptography.fernet import InvalidToken  # noqa: PLC0415  as above

        sealed = (account.second_factor or "").encode()
        try:
            self._newest.decrypt(sealed)
        except InvalidToken:
            with suppress(InvalidToken):
                account.second_factor = self._seal.rotate(sealed).decode()

    def _step(
        self, account: Account, sealed: str | None, code: SecretStr, at: datetime
    ) -> int | None:
        """The half minute that a code is of, near to an instant."""
        if sealed is None:
            return None
        from cryptography.fernet import InvalidToken  # noqa: PLC0415  as above

        try:
            app = pyotp.TOTP(self._seal.decrypt(sealed.encode()).decode(), interval=STEP_SECONDS)
        except InvalidToken:
            log.error(
                "the second factor of account %s can't be opened: was HAVENS_SECRET_KEY changed"
                " without HAVENS_OLD_SECRET_KEYS?", account.id,
            )  # fmt: skip
            return None
        now = int(at.timestamp()) // STEP_SECONDS
        typed = code.get_secret_value().encode()
        right = [
            now + drift
            for drift in _DRIFT
            if hmac.compare_digest(app.generate_otp(now + drift).encode(), typed)
        ]
        return max(right, default=None)


def address(secret: str, account: Account) -> str:
    """What an app reads from a QR code to make codes of a secret."""
    return pyotp.TOTP(secret).provisioning_uri(name=account.name, issuer_name="Safe Havens")


def forget(account: Account) -> None:
    """Take an account's second factor, and all that belongs to it."""
    account.second_factor = account.pending_factor = None
    account.recovery_hashes = []


def _hash(code: str) -> str:
    return hashlib.sha256(code.replace("-", "").encode()).hexdigest()
