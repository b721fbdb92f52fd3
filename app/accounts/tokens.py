"""Tokens: proof of a sign-in, for a quarter of an hour, of a right password that a code has to
follow, for five minutes, and of a device that an account has signed in from, for half a year. The
one module that knows how they are written.

A token is accepted only if it is, to the byte, what this service would write for the claims in
it. That leaves no room for another algorithm or header, for keys given twice, or for any other
way of writing the same thing.
"""

import hmac
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal, Self, TypeVar
from uuid import UUID, uuid4

from pydantic import BaseModel, ConfigDict

from app.core.errors import DomainError
from app.core.settings import Settings

ACCESS_SECONDS = 15 * 60
DEVICE_SECONDS = 180 * 24 * 3600
STEP_SECONDS = 5 * 60
OLD_KEY_SECONDS = 60 * 60
"""How long after its start a process reads tokens of older keys: one may have been stolen."""
LENGTH = 4096

_ALGORITHM = "HS256"
_AUDIENCE = "safe-havens"
_KEY_ID = "tokens-1"
# Clocks of several machines never agree quite.
_SKEW_SECONDS = 30


class Unauthorized(DomainError):
    """Nobody has signed in, or not any longer."""

    status = 401
    code = "unauthorized"
    title = "Sign in first"
    headers = {"WWW-Authenticate": "Bearer"}  # noqa: RUF012 - never changed


@dataclass(frozen=True)
class Device:
    """A device that an account has signed in from, in a generation of what was given out to it."""

    id: UUID
    account_id: UUID
    generation: int

    def is_known_to(self, account_id: UUID, generation: int) -> bool:
        """Whether an account that is now of a generation knows it."""
        return (self.account_id, self.generation) == (account_id, generation)


class _Claims(BaseModel):
    """What a token of every kind says; each kind says more, and nothing else."""

    model_config = ConfigDict(extra="forbid")

    HEADER: ClassVar[str]
    SECONDS: ClassVar[int]

    iss: Literal["safe-havens"] = "safe-havens"
    aud: Literal["safe-havens"] = "safe-havens"
    environment: str
    sub: UUID
    iat: int
    nbf: int
    exp: int


class _Access(_Claims):
    HEADER = "at+jwt"
    SECONDS = ACCESS_SECONDS

    typ: Literal["access"] = "access"
    sid: UUID
    jti: UUID


class _Device(_Claims):
    HEADER = "device+jwt"
    SECONDS = DEVICE_SECONDS

    typ: Literal["device"] = "device"
    did: UUID
    generation: int


class _Step(_Claims):
    HEADER = "step+jwt"
    SECONDS = STEP_SECONDS

    typ: Literal["step"] = "step"
    generation: int


_Kind = TypeVar("_Kind", bound=_Claims)


class Tokens:
    """Writes and reads the tokens of one environment. `clock` gives seconds since 1970.

    It writes with `key`, and for an hour reads what was written with one of `old_keys`, too: so
    nobody is signed out when keys change, and an old one is worth nothing afterwards.
    """

    def __init__(
        self,
        key: bytes,
        environment: str,
        clock: Callable[[], float] = time.time,
        old_keys: Collection[bytes] = (),
    ) -> None:
        self._key = key
        self._old_keys = tuple(old_keys)
        self._environment = environment
        self._clock = clock
        self._began = clock()

    @classmethod
    def of(cls, settings: Settings, clock: Callable[[], float] = time.time) -> Self:
        """The tokens of this installation."""
        key, *old_keys = settings.keys("tokens")
        return cls(key, settings.environment, clock, old_keys)

    def now(self) -> datetime:
        """The instant that sign-ins and tokens are held against."""
        return datetime.fromtimestamp(self._clock(), UTC)

    def issue(self, account_id: UUID, sign_in_id: UUID, until: datetime) -> tuple[str, int]:
        """A token for a sign-in that lasts `until`, and for how many seconds it is good."""
        now = int(self._clock())
        seconds = min(ACCESS_SECONDS, int(until.timestamp()) - now)
        claims = _Access(
            environment=self._environment,
            sub=account_id,
            sid=sign_in_id,
            jti=uuid4(),
            iat=now,
            nbf=now,
            exp=now + seconds,
        )
        return self._write(claims, self._key), seconds

    def issue_device(self, device: Device) -> str:
        """A token by which a device is known at the next sign-in."""
        now = int(self._clock())
        claims = _Device(
            environment=self._environment,
            sub=device.account_id,
            did=device.id,
            generation=device.generation,
            iat=now,
            nbf=now,
            exp=now + DEVICE_SECONDS,
        )
        return self._write(claims, self._key)

    def issue_step(self, account_id: UUID, generation: int) -> str:
        """A token for whose password was right, to be given with the code that is needed too."""
        now = int(self._clock())
        claims = _Step(
            environment=self._environment,
            sub=account_id,
            generation=generation,
            iat=now,
            nbf=now,
            exp=now + STEP_SECONDS,
        )
        return self._write(claims, self._key)

    def read_step(self, token: str) -> tuple[UUID, int]:
        """The account whose password was right, and its generation then. Raises `Unauthorized`."""
        claims = self._read(token, _Step)
        return claims.sub, claims.generation

    def read(self, token: str) -> tuple[UUID, UUID]:
        """The account and the sign-in that a token is for. Raises `Unauthorized`, whatever it is.

        Whether that sign-in still lasts is for the database to say.
        """
        claims = self._read(token, _Access)
        return claims.sub, claims.sid

    def read_device(self, token: str) -> Device:
        """The device that a token is for. Raises `Unauthorized`, whatever it is.

        Whether the account's generation is still the same is for the database to say.
        """
        claims = self._read(token, _Device)
        return Device(claims.did, claims.sub, claims.generation)

    def _read(self, token: str, kind: type[_Kind]) -> _Kind:
        change_lasts = self._clock() < self._began + OLD_KEY_SECONDS
        for key in (self._key, *(self._old_keys if change_lasts else ())):
            # A hostile token finds errors nobody has listed.
            with suppress(Exception):
                return self._checked(token, kind, key)
        raise Unauthorized

    def _checked(self, token: str, kind: type[_Kind], key: bytes) -> _Kind:
        if len(token) > LENGTH:
            raise Unauthorized
        # Brings all of a library of ciphers, for those who have signed in.
        from jose import jwt  # noqa: PLC0415

        given: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[_ALGORITHM],
            audience=_AUDIENCE,
            # Every claim is required and checked below, the times by our clock.
            options={"verify_exp": False, "verify_nbf": False},
        )
        claims = kind.model_validate(given)
        now = self._clock()
        genuine = (
            claims.environment == self._environment
            and claims.nbf == claims.iat <= now + _SKEW_SECONDS
            and now < claims.exp <= claims.iat + kind.SECONDS
            and hmac.compare_digest(self._write(claims, key).encode(), token.encode())
        )
        if not genuine:
            raise Unauthorized
        return claims

    def _write(self, claims: _Claims, key: bytes) -> str:
        from jose import jwt  # noqa: PLC0415  as above

        written: str = jwt.encode(
            claims.model_dump(mode="json"),
            key,
            _ALGORITHM,
            headers={"typ": claims.HEADER, "kid": _KEY_ID},
        )
        return written
