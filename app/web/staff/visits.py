"""Who is signed in on a page: by a cookie, which nothing under `/v1` takes.

The cookie names a sign-in, signed; the database says whether it still lasts. What a form changes
counts only with a token that only a page of this sign-in holds.
"""

import hmac
from collections.abc import Collection
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Depends, Request, Response
from fastapi.concurrency import run_in_threadpool

from app.accounts import second_factor
from app.accounts.guards import Forbidden, visit_of
from app.accounts.models import Account, Role
from app.accounts.tokens import DEVICE_SECONDS
from app.core.errors import DomainError
from app.core.settings import Settings
from app.http.database import turns_of
from app.web.forms import FromElsewhere
from app.web.staff.api import Api

SIGN_IN = "/sign-in"
PASSWORD = "/account/password"  # noqa: S105 - an address
SECOND_FACTOR = "/account/second-factor"


class SignInFirst(DomainError):
    """Nobody is signed in, or not any longer: the page for that comes first."""

    status = 303
    code = "sign-in-first"
    title = "Sign in first"

    def __init__(self, back: str) -> None:
        super().__init__([])
        self.headers = {"Location": f"{SIGN_IN}?{urlencode({'back': back})}"}


class OwnPasswordFirst(DomainError):
    """Somebody else knows the password."""

    status = 303
    code = "own-password-first"
    title = "Choose a password of your own first"
    headers = {"Location": PASSWORD}  # noqa: RUF012 - never changed


class OwnFactorFirst(DomainError):
    """A password alone is not enough for this account."""

    status = 303
    code = "own-factor-first"
    title = "Set up a second factor first"
    headers = {"Location": SECOND_FACTOR}  # noqa: RUF012 - never changed


@dataclass(frozen=True)
class Visitor:
    """Who is signed in, and the API as they may use it."""

    account: Account
    form_token: str
    api: Api

    def must_be(self, roles: Collection[Role]) -> None:
        """That the account has one of some roles. Raises `Forbidden`."""
        if not set(roles).intersection(self.account.roles):
            raise Forbidden

    def check(self, token: str) -> None:
        """That a form was on a page of this sign-in. Raises `FromElsewhere`."""
        if not hmac.compare_digest(token.encode(), self.form_token.encode()):
            raise FromElsewhere


async def visitor_if_any(request: Request) -> Visitor | None:
    """Who is signed in, if anybody is."""
    keys = _Keys(request)
    sign_in_id = keys.sign_in(request.cookies.get(keys.cookie, ""))
    if sign_in_id is None:
        return None
    # Given back before the page calls the API, which takes turns of its own.
    async with (await turns_of(request)).taken():
        visit = await run_in_threadpool(visit_of, request, sign_in_id)
    if visit is None:
        return None
    account, sign_in = visit.account, visit.sign_in
    return Visitor(account, form_token(request, sign_in.id), Api(request, visit))


async def visitor(request: Request) -> Visitor:
    """Who is signed in. Raises `SignInFirst`, `OwnPasswordFirst` and `OwnFactorFirst`."""
    found = await visitor_if_any(request)
    if found is None:
        raise SignInFirst(whole_address(request))
    account, where = found.account, request.url.path
    if account.password_is_temporary and where != PASSWORD:
        raise OwnPasswordFirst
    is_missing = second_factor.is_missing(request.app.state.settings, account)
    if is_missing and where != PASSWORD and not where.startswith(SECOND_FACTOR):
        raise OwnFactorFirst
    return found


IfAnybody = Annotated[Visitor | None, Depends(visitor_if_any)]
Somebody = Annotated[Visitor, Depends(visitor)]


def whole_address(request: Request) -> str:
    """Where a request went, with what it asked."""
    where, query = request.url.path, request.url.query
    return f"{where}?{query}" if query else where


def form_token(request: Request, sign_in_id: UUID) -> str:
    """What the forms of a sign-in hold, and nobody else knows."""
    return _Keys(request).mac("form", sign_in_id)


def remember(
    request: Request, response: Response, sign_in_id: UUID, device_token: str = ""
) -> None:
    """Keep a sign-in on this browser until it is closed, or ends; and by what the device is known
    at the next one."""
    keys = _Keys(request)
    keys.keep(response, keys.cookie, f"{sign_in_id}.{keys.mac('cookie', sign_in_id)}")
    if device_token:
        keys.keep(response, keys.device_cookie, device_token, DEVICE_SECONDS)


def known_device(request: Request) -> str:
    """By what this browser's device is known, from an earlier sign-in; else empty."""
    return request.cookies.get(_Keys(request).device_cookie, "")


def begun_at_provider(request: Request) -> str:
    """What this browser holds of a sign-in that it began at the identity provider; else empty."""
    return request.cookies.get(_Keys(request).begun_cookie, "")


def keep_begun(request: Request, response: Response, sealed: str, seconds: int) -> None:
    """Hold that until it comes back; for no seconds, hold it no longer."""
    keys = _Keys(request)
    keys.keep(response, keys.begun_cookie, sealed, seconds)


def forget(request: Request, response: Response) -> None:
    """Take a sign-in from this browser."""
    keys = _Keys(request)
    response.delete_cookie(
        keys.cookie, path="/", secure=keys.is_secure, httponly=True, samesite="lax"
    )


class _Keys:
    """How this installation names and signs its cookie."""

    def __init__(self, request: Request) -> None:
        settings: Settings = request.app.state.settings
        self._key = settings.key("pages")
        self.is_secure = settings.public_url.startswith("https:")
        self.cookie = "__Host-havens" if self.is_secure else "havens"
        self.device_cookie = f"{self.cookie}-device"
        self.begun_cookie = f"{self.cookie}-begun"

    def keep(self, response: Response, cookie: str, value: str, seconds: int | None = None) -> None:
        response.set_cookie(
            cookie,
            value,
            max_age=seconds,
            path="/",
            secure=self.is_secure,
            httponly=True,
            samesite="lax",
        )

    def mac(self, purpose: str, sign_in_id: UUID) -> str:
        return hmac.new(self._key, f"{purpose} {sign_in_id}".encode(), sha256).hexdigest()

    def sign_in(self, cookie: str) -> UUID | None:
        name, _, mac = cookie.partition(".")
        try:
            sign_in_id = UUID(name)
        except ValueError:
            return None
        genuine = hmac.compare_digest(self.mac("cookie", sign_in_id).encode(), mac.encode())
        return sign_in_id if genuine else None
