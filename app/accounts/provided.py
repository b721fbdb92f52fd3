"""What comes of asking the identity provider, without what it takes to ask."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.accounts.tokens import Unauthorized
from app.core.errors import DomainError

Claims = Mapping[str, Any]


class ProviderDown(DomainError):
    """The provider does not answer, or not as it should."""

    status = 503
    code = "provider-down"
    title = "Your organisation's sign-in does not answer; try again in a minute"
    headers = {"Retry-After": "60"}  # noqa: RUF012 - never changed


class NotConfirmed(Unauthorized):
    """What came back is not what the provider said, or was used, or is of somebody else's try."""

    code = "not-confirmed"
    title = "Your organisation did not confirm this sign-in; begin again"


@dataclass(frozen=True)
class Begun:
    """A sign-in that a browser takes to the provider, and what must come back with it."""

    address: str
    state: str
    nonce: str
    verifier: str
