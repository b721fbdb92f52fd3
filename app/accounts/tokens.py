"""Access tokens: short-lived proof of a sign-in. The one module that knows how they are written.

A token is accepted only if it is, to the byte, what this service would write for the claims in
it. That leaves no room for another algorithm or header, for keys given twice, or for any other
way of writing the same thing.
"""

import hmac
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Literal, Self
from uuid import UUID, uuid4

from jose import jwt
from pydantic import BaseModel, ConfigDict

from app.core.errors import DomainError
from app.core.settings import Settings

ACCESS_SECONDS = 15 * 60
LENGTH = 4096

_ALGORITHM = "HS256"
_AUDIENCE = "safe-havens"
_HEADERS = {"typ": "at+jwt", "kid": "tokens-1"}
# Clocks of several machines never agree quite.
_SKEW_SECONDS = 30


class Unauthorized(DomainError):
    """Nobody has signed in, or not any longer."""

    status = 401
    code = "unauthorized"
    title = "Sign in first"
    headers = {"WWW-Authenticate": "Bearer"}  # noqa: RUF012 - never changed


class _Claims(BaseModel):
    """What a token says, and nothing else."""

    model_config = ConfigDict(extra="forbid")

    iss: Literal["safe-havens"]
    aud: Literal["safe-havens"]
    typ: Literal["access"]
    environment: str
    sub: UUID
    sid: UUID
    jti: UUID
    iat: int
    nbf: int
    exp: int


class Tokens:
    """Writes and reads the tokens of one environment. `clock` gives seconds since 1970."""

    def __init__(
        self, key: bytes, environment: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._key = key
        self._environment = environment
        self._clock = clock

    @classmethod
    def of(cls, settings: Settings, clock: Callable[[], float] = time.time) -> Self:
        """The tokens of this installation."""
        return cls(settings.key("tokens"), settings.environment, clock)

    def now(self) -> datetime:
        """The instant that sign-ins and tokens are held against."""
        return datetime.fromtimestamp(self._clock(), UTC)

    def issue(self, account_id: UUID, sign_in_id: UUID, until: datetime) -> tuple[str, int]:
        """A token for a sign-in that lasts `until`, and for how many seconds it is good."""
        now = int(self._clock())
        seconds = min(ACCESS_SECONDS, int(until.timestamp()) - now)
        claims = _Claims(
            iss="safe-havens",
            aud="safe-havens",
            typ="access",
            environment=self._environment,
            sub=account_id,
            sid=sign_in_id,
            jti=uuid4(),
            iat=now,
            nbf=now,
            exp=now + seconds,
        )
        return self._write(claims), seconds

    def read(self, token: str) -> tuple[UUID, UUID]:
        """The account and the sign-in that a token is for. Raises `Unauthorized`, whatever it is.

        Whether that sign-in still lasts is for the database to say.
        """
        try:
            claims = self._checked(token)
        except Exception:  # noqa: BLE001 - a hostile token finds errors nobody has listed
            raise Unauthorized from None
        return claims.sub, claims.sid

    def _checked(self, token: str) -> _Claims:
        if len(token) > LENGTH:
            raise Unauthorized
        given: dict[str, Any] = jwt.decode(
            token,
            self._key,
            algorithms=[_ALGORITHM],
            audience=_AUDIENCE,
            # Every claim is required and checked below, the times by our clock.
            options={"verify_exp": False, "verify_nbf": False},
        )
        claims = _Claims.model_validate(given)
        now = self._clock()
        genuine = (
            claims.environment == self._environment
            and claims.nbf == claims.iat <= now + _SKEW_SECONDS
            and now < claims.exp <= claims.iat + ACCESS_SECONDS
            and hmac.compare_digest(self._write(claims).encode(), token.encode())
        )
        if not genuine:
            raise Unauthorized
        return claims

    def _write(self, claims: _Claims) -> str:
        written: str = jwt.encode(
            claims.model_dump(mode="json"), self._key, _ALGORITHM, headers=_HEADERS
        )
        return written
