"""A stand-in for an identity provider, for what a real one can't be made to do wrong.

What works is tried with a real one: tests/drills/provider.py.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

from authlib.oauth2.rfc7636 import create_s256_code_challenge
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, RSAKey

from tests.servers import serving

CLIENT = "havens"
CLIENT_SECRET = "a secret of the two that is long enough"
AUDIENCE = "https://havens.example/api"


class StandIn:
    """A provider at an address; what it says can be changed by what a test sets."""

    def __init__(self) -> None:
        self.issuer = ""
        self.keys = [RSAKey.generate_key(2048, {"kid": "first", "use": "sig"})]
        self.is_down = False
        self.about: dict[str, Any] = {}
        self.claims: dict[str, Any] = {}
        self.asked: list[str] = []
        self._codes: dict[str, dict[str, str]] = {}

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.middleware("http")
        async def down(request: Request, call_next: Any) -> Response:
            self.asked.append(request.url.path)
            return Response(status_code=500) if self.is_down else await call_next(request)

        @app.get("/.well-known/openid-configuration")
        async def configuration() -> dict[str, Any]:
            return {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/auth",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/jwks",
                "authorization_response_iss_parameter_supported": True,
            } | self.about

        @app.get("/jwks")
        async def jwks() -> Any:
            return KeySet([*self.keys]).as_dict(private=False)

        @app.post("/token")
        async def token(request: Request) -> Response:
            form = await request.form()
            asked = self._codes.pop(str(form.get("code")), None)
            challenge = create_s256_code_challenge(str(form.get("code_verifier")))
            is_client = request.headers.get("authorization", "").startswith("Basic ")
            if asked is None or challenge != asked["code_challenge"] or not is_client:
                return JSONResponse({"error": "invalid_grant"}, 400)
            id_token = self.written(aud=CLIENT, nonce=asked["nonce"], **self.claims)
            return JSONResponse({"access_token": "x", "token_type": "Bearer", "id_token": id_token})

        return app

    def authorise(self, address: str) -> dict[str, str]:
        """What a browser that was sent here comes back with, once somebody has signed in."""
        asked = {key: values[0] for key, values in parse_qs(urlsplit(address).query).items()}
        assert asked["code_challenge_method"] == "S256"
        code = uuid4().hex
        self._codes[code] = asked
        return {"code": code, "state": asked["state"], "iss": self.issuer}

    def written(self, key: Any = None, algorithm: str = "RS256", **claims: Any) -> str:
        """A token as this provider writes them, but for some claims; None leaves one out."""
        now = int(time.time())
        usual = {
            "iss": self.issuer,
            "sub": "subject-1",
            "aud": AUDIENCE,
            "iat": now,
            "exp": now + 600,
            "preferred_username": "p.okafor",
            "groups": ["officers"],
        }
        said = {name: value for name, value in (usual | claims).items() if value is not None}
        key = key or self.keys[-1]
        header = {"alg": algorithm, **({"kid": key.kid} if key.kid else {})}
        return jwt.encode(header, said, key, algorithms=[algorithm])

    def unsigned(self, **claims: Any) -> str:
        """A token that says it needs no signature."""
        _, payload, _ = self.written(**claims).split(".")
        return f"eyJhbGciOiJub25lIn0.{payload}."

    def signed_with_the_secret(self, **claims: Any) -> str:
        """A token signed with what both know."""
        return self.written(OctKey.import_key(CLIENT_SECRET), "HS256", **claims)

    def rotate(self, name: str) -> None:
        """Sign with another key from now on, and know the ones before no more."""
        self.keys = [RSAKey.generate_key(2048, {"kid": name, "use": "sig"})]


@contextmanager
def standing_in() -> Iterator[StandIn]:
    """A provider on a port of its own."""
    provider = StandIn()
    with serving(provider.app()) as client:
        provider.issuer = str(client.base_url).rstrip("/")
        yield provider
