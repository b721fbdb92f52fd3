"""The identity provider: OpenID Connect by authorisation code with PKCE for people, and its signed
access tokens for programs. What it has to say of itself and its keys is kept, and asked for with
restraint: nobody's bad token makes us ask it often, and who is signed in goes on while it is down.
"""

import asyncio
import hmac
import logging
import secrets
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import httpx
import orjson
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.jwk import KeySet

from app.accounts.provided import Begun, Claims, NotConfirmed, ProviderDown
from app.accounts.tokens import LENGTH, Unauthorized
from app.core.settings import IdentityProvider

log = logging.getLogger(__name__)

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "Ed25519")
"""None with a shared key: whoever can check one of those could write it."""

TIMEOUT_SECONDS = 5
FRESH_SECONDS = 24 * 3600
AGAIN_SECONDS = 60
"""How long after asking for keys, or in vain, the provider is left alone."""

_LEEWAY_SECONDS = 30
_DISCOVERY = "/.well-known/openid-configuration"


class Provider:
    """One provider, as this process knows it. `clock` gives seconds since 1970."""

    def __init__(
        self, settings: IdentityProvider, redirect_uri: str, clock: Callable[[], float]
    ) -> None:
        self._settings = settings
        self._redirect_uri = redirect_uri
        self._clock = clock
        self._about: dict[str, Any] = {}
        self._keys = KeySet([])
        self._fetched_at = self._tried_at = float("-inf")
        self._asking = asyncio.Lock()

    async def begin(self) -> Begun:
        """Where a browser is sent to sign in. Raises `ProviderDown`."""
        about = await self._known()
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        asked = {
            "response_type": "code",
            "client_id": self._settings.client_id,
            "redirect_uri": self._redirect_uri,
            "scope": self._settings.scopes,
            "state": state,
            "nonce": nonce,
            "code_challenge": create_s256_code_challenge(verifier),
            "code_challenge_method": "S256",
        }
        return Begun(_with_query(about["authorization_endpoint"], asked), state, nonce, verifier)

    async def confirmed(self, begun: Begun, state: str, code: str, issuer: str) -> Claims:
        """What the provider says of who came back with a state and a code.

        Raises `NotConfirmed` and `ProviderDown`.
        """
        about = await self._known()
        names_itself = issuer or not about.get("authorization_response_iss_parameter_supported")
        if not hmac.compare_digest(state.encode(), begun.state.encode()) or not names_itself:
            raise NotConfirmed
        if issuer and issuer != self._settings.issuer:
            raise NotConfirmed
        given = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_uri,
            "client_id": self._settings.client_id,
            "code_verifier": begun.verifier,
        }
        secret = self._settings.client_secret.get_secret_value()
        auth = httpx.BasicAuth(self._settings.client_id, secret) if secret else None
        try:
            answer = await _ask("POST", about["token_endpoint"], data=given, auth=auth)
        except httpx.HTTPError as error:
            raise _down(error) from None
        if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise ProviderDown
        try:
            told = orjson.loads(answer.content) if answer.is_success else {}
            token, params = str(told["id_token"]), {"access_token": told.get("access_token")}
        except (ValueError, TypeError, KeyError):
            raise NotConfirmed from None
        params |= {"nonce": begun.nonce, "client_id": self._settings.client_id}
        found = await self._read(token, self._settings.client_id, params)
        if found is None:
            raise NotConfirmed
        return {**await self._more(found, str(told.get("access_token", ""))), **found}

    async def _more(self, claims: Claims, access_token: str) -> Claims:
        """What the provider says of somebody at its other address, where their token lacks it.

        Raises `NotConfirmed` and `ProviderDown`.
        """
        address = (await self._known()).get("userinfo_endpoint", "")
        if not address or {self._settings.groups_claim, self._settings.name_claim} <= {*claims}:
            return {}
        try:
            answer = await _ask("GET", address, headers={"Authorization": f"Bearer {access_token}"})
            told = orjson.loads(answer.raise_for_status().content)
        except (httpx.HTTPError, ValueError) as error:
            raise _down(error) from None
        if not isinstance(told, dict) or told.get("sub") != claims["sub"]:
            raise NotConfirmed
        return told

    def wrote(self, token: str) -> bool:
        """Whether a token says that it is the provider's, and is to be checked as such."""
        with suppress(Exception):
            payload = token.split(".")[1]
            said = orjson.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
            return bool(self._settings.audience) and said["iss"] == self._settings.issuer
        return False

    async def claims_of(self, token: str) -> Claims:
        """What a program's access token says. Raises `Unauthorized` and `ProviderDown`."""
        await self._known()
        found = await self._read(token, self._settings.audience, {})
        if found is None:
            raise Unauthorized
        return found

    async def sign_out_address(self, back: str) -> str:
        """Where a browser signs out at the provider; empty where it can't, or it is down."""
        with suppress(ProviderDown):
            about = await self._known()
            if "end_session_endpoint" in about:
                asked = {"client_id": self._settings.client_id, "post_logout_redirect_uri": back}
                return _with_query(about["end_session_endpoint"], asked)
        return ""

    async def _read(self, token: str, audience: str, params: dict[str, Any]) -> Claims | None:
        """The claims of a genuine token for an audience; None of any other."""
        found = self._checked(token, audience, params)
        if found is None and self._clock() >= self._tried_at + AGAIN_SECONDS:
            # Perhaps a new key: but only so often, for anybody can send a token with any key.
            await self._ask_anew()
            found = self._checked(token, audience, params)
        return found

    def _checked(self, token: str, audience: str, params: dict[str, Any]) -> Claims | None:
        if len(token) > 4 * LENGTH:
            return None
        options: Any = {
            "iss": {"essential": True, "value": self._settings.issuer},
            "aud": {"essential": True, "value": audience},
        }
        # A hostile token finds errors nobody has listed.
        with suppress(Exception):
            read = jwt.decode(token, self._keys, algorithms=ALGORITHMS)
            claims: Any = CodeIDToken(read.claims, read.header, options, params)
            claims.validate(now=int(self._clock()), leeway=_LEEWAY_SECONDS)
            if isinstance(claims["sub"], str) and 0 < len(claims["sub"]) <= 255:
                return dict(claims)
        return None

    async def _known(self) -> dict[str, Any]:
        """What the provider says of itself. Raises `ProviderDown` while it never said anything."""
        if self._clock() >= self._fetched_at + FRESH_SECONDS:
            await self._ask_anew()
        if not self._about:
            raise ProviderDown
        return self._about

    async def _ask_anew(self) -> None:
        """Ask for what the provider says of itself, and for its keys; keep the last on trouble."""
        async with self._asking:
            now = self._clock()
            if now < self._tried_at + (AGAIN_SECONDS if self._about else 5):
                return
            self._tried_at = now
            try:
                about = orjson.loads((await _ask("GET", self._at(_DISCOVERY))).content)
                if about["issuer"] != self._settings.issuer:
                    raise ValueError
                keys = orjson.loads((await _ask("GET", about["jwks_uri"])).content)
                for needed in ("authorization_endpoint", "token_endpoint"):
                    httpx.URL(about[needed])
                usable = [key for key in keys["keys"] if key.get("kty") in ("RSA", "EC", "OKP")]
                self._keys = KeySet.import_key_set({"keys": usable})
            except Exception as error:  # noqa: BLE001 - whatever it sends, we go on with what we have
                _down(error)
                return
            self._about, self._fetched_at = about, now

    def _at(self, path: str) -> str:
        return self._settings.issuer.rstrip("/") + path


async def _ask(method: str, address: str, **more: Any) -> httpx.Response:
    async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS) as client:
        return await client.request(method, address, **more)


def _down(error: Exception) -> ProviderDown:
    log.warning("the identity provider can't be used: %s", type(error).__name__)
    return ProviderDown()


def _with_query(address: str, asked: Mapping[str, str]) -> str:
    return f"{address}{'&' if '?' in address else '?'}{urlencode(asked)}"
