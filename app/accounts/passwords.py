"""Passwords: what they may be, and their hashes. The service works them out in the `lane`."""

import secrets
import string
import unicodedata
from functools import cache
from typing import Annotated

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from pydantic import AfterValidator, Field, SecretStr

AT_LEAST = 12
AT_MOST = 200

_hasher = PasswordHasher()


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
    """The Argon2id hash of a password."""
    return _hasher.hash(password.get_secret_value())


def verified(password: SecretStr, hash_: str | None) -> str | None:
    """The hash to keep of a right password; None of a wrong one.

    The hash is a new one if the parameters have changed since. Where there is none to compare
    with, finding that out takes as long as a wrong password does.
    """
    given = password.get_secret_value()
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
    return SecretStr(read_out(groups=4))


def read_out(groups: int) -> str:
    """Letters and digits by chance, in groups of five that can be read out."""
    letters = "".join(c for c in string.ascii_lowercase + string.digits if c not in "l1o0")
    return "-".join("".join(secrets.choice(letters) for _ in range(5)) for _ in range(groups))


@cache
def _nobodys() -> str:
    return _hasher.hash(secrets.token_urlsafe())
