"""Passwords: what they may be, and their hashes.

A hash costs 64 MiB and a good part of a second, so that guessing is dear. It must not become a way
to stop the service: few are worked out at once, few wait, and nobody waits for long.
"""

import secrets
import string
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import BoundedSemaphore
from typing import Annotated

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from pydantic import AfterValidator, Field, SecretStr

from app.core.errors import DomainError

AT_LEAST = 12
AT_MOST = 200

_hasher = PasswordHasher()
_running = BoundedSemaphore(2)
_waiting = BoundedSemaphore(8)
_PATIENCE_SECONDS = 5


class Busy(DomainError):
    """Too many passwords are being checked at once."""

    status = 503
    code = "busy"
    title = "Too many people are signing in at this moment; try again"
    headers = {"Retry-After": "2"}  # noqa: RUF012 - never changed


def _typed(password: SecretStr) -> SecretStr:
    """The same characters for the same key strokes, whichever keyboard composed them."""
    text = unicodedata.normalize("NFKC", password.get_secret_value())
    if any(unicodedata.category(c) in ("Cc", "Cs") for c in text):
        raise ValueError("must not contain control characters")
    return SecretStr(text)


Password = Annotated[SecretStr, Field(max_length=AT_MOST), AfterValidator(_typed)]
ChosenPassword = Annotated[
    SecretStr, Field(min_length=AT_LEAST, max_length=AT_MOST), AfterValidator(_typed)
]


def hashed(password: SecretStr) -> str:
    """The Argon2id hash of a password. Raises `Busy`."""
    with _turn():
        return _hasher.hash(password.get_secret_value())


def verified(password: SecretStr, hash_: str | None) -> str | None:
    """The hash to keep of a right password; None of a wrong one. Raises `Busy`.

    The hash is a new one if the parameters have changed since. Where there is none to compare
    with, finding that out takes as long as a wrong password does.
    """
    given = password.get_secret_value()
    with _turn():
        nobodys = _nobodys()
        try:
            _hasher.verify(hash_ or nobodys, given)
        except (VerificationError, InvalidHashError):
            return None
        if hash_ is None or not _hasher.check_needs_rehash(hash_):
            return hash_
        return _hasher.hash(given)


def temporary() -> SecretStr:
    """A new password of letters and digits, in groups that can be read out."""
    letters = "".join(c for c in string.ascii_lowercase + string.digits if c not in "l1o0")
    return SecretStr("-".join("".join(secrets.choice(letters) for _ in range(5)) for _ in range(4)))


@cache
def _nobodys() -> str:
    return _hasher.hash(secrets.token_urlsafe())


@contextmanager
def _turn() -> Iterator[None]:
    if not _waiting.acquire(blocking=False):
        raise Busy
    try:
        if not _running.acquire(timeout=_PATIENCE_SECONDS):
            raise Busy
        try:
            yield
        finally:
            _running.release()
    finally:
        _waiting.release()
