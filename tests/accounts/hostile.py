"""Tokens that somebody who has a good one, and even the key, could try instead of it."""

import base64
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jose import jwt

from app.accounts.models import Account
from app.accounts.tokens import ACCESS_SECONDS
from app.core.settings import Settings
from tests.accounts import SECRET

Text = str | bytes


def _settings(environment: str) -> Settings:
    return Settings.model_validate({"environment": environment, "secret_key": SECRET})


KEY = _settings("production").key("tokens")
DEMO_KEY = _settings("demo").key("tokens")
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())


def pem(key: Any) -> bytes:
    private: bytes = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return private


def public_pem(key: Any) -> bytes:
    public: bytes = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return public


def b64(data: Text) -> str:
    data = data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass")
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


@dataclass(frozen=True)
class Forger:
    """Somebody who has a good token, and here even the key; changes one thing at a time."""

    good: str
    other: Account

    @property
    def parts(self) -> list[str]:
        return self.good.split(".")

    @property
    def header(self) -> dict[str, Any]:
        header: dict[str, Any] = jwt.get_unverified_header(self.good)
        return header

    @property
    def claims(self) -> dict[str, Any]:
        claims: dict[str, Any] = jwt.get_unverified_claims(self.good)
        return claims

    def write(
        self,
        header: Any = None,
        payload: Any = None,
        key: bytes = KEY,
        hash_: str = "sha256",
    ) -> str:
        """A token with another header or payload (text is taken as it is), rightly signed."""
        header = self.header if header is None else header
        payload = self.claims if payload is None else payload
        signed = ".".join(
            b64(part if isinstance(part, (str, bytes)) else compact(part))
            for part in (header, payload)
        )
        return f"{signed}.{b64(hmac.digest(key, signed.encode(), hash_))}"

    def head(self, **changes: Any) -> str:
        return self.write(header=self.header | changes)

    def unsigned(self, algorithm: str) -> str:
        return f"{b64(compact(self.header | {'alg': algorithm}))}.{self.parts[1]}."

    def claim(self, **changes: Any) -> str:
        return self.write(payload=self.claims | changes)

    def raw(self, name: str, value: str) -> str:
        """One claim's value written as no serializer would."""
        return self.write(payload=compact(self.claims | {name: "@"}).replace('"@"', value))

    def without(self, name: str) -> str:
        return self.write(payload={k: v for k, v in self.claims.items() if k != name})

    def part(self, number: int, text: str) -> str:
        """The good token with one of its three parts replaced."""
        parts = self.parts
        parts[number] = text
        return ".".join(parts)

    def by_library(self, algorithm: str, key: Any) -> str:
        written: str = jwt.encode(
            self.claims, key, algorithm, headers={"kid": self.header["kid"], "typ": "at+jwt"}
        )
        return written


CLAIMS = ("iss", "aud", "typ", "environment", "sub", "sid", "jti", "iat", "nbf", "exp")


def same_bytes(signature: str) -> str:
    """A signature written in another way."""
    # The last of 43 characters holds four bits of the signature, and two that mean nothing.
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return signature[:-1] + alphabet[alphabet.index(signature[-1]) ^ 1]


HOSTILE: dict[str, Callable[[Forger], Text]] = {
    # Not a token at all.
    "empty": lambda _: "",
    "a word": lambda _: "token",
    "dots": lambda _: "..",
    "many dots": lambda _: "." * 4000,
    "null": lambda _: "null",
    "a name and password": lambda _: b64("officer:password"),
    "one part": lambda f: f.parts[0],
    "no signature": lambda f: ".".join(f.parts[:2]),
    "empty signature": lambda f: ".".join(f.parts[:2]) + ".",
    "four parts": lambda f: f.good + ".e30",
    "encrypted (JWE)": lambda f: f.head(alg="dir", enc="A256GCM") + ".e30.e30",
    "as JSON (JWS)": lambda f: compact(
        dict(zip(("protected", "payload", "signature"), f.parts, strict=True))
    ),
    "a token in a token": lambda f: f.write(header=f.header | {"cty": "JWT"}, payload=f.good),
    "two tokens": lambda f: f"{f.good}, {f.good}",
    "1 MB": lambda _: "a" * 2**20,
    "1 MB, rightly signed": lambda f: f.claim(padding="a" * 2**20),
    "not UTF-8": lambda f: b"\xff\xfe" + f.good.encode(),
    "letters beyond ASCII": lambda f: ("é" + f.good).encode(),
    # A good one, altered.
    "cut at its end": lambda f: f.good[:-1],
    "cut at its start": lambda f: f.good[1:],
    "signature of zeros": lambda f: f.part(2, b64(bytes(32))),
    "half a signature": lambda f: f.part(2, f.parts[2][:21]),
    "padded": lambda f: f.good + "=",
    "padded payload": lambda f: f.part(1, f.parts[1] + "="),
    "space within": lambda f: f.part(1, f"{f.parts[1][:9]} {f.parts[1][9:]}"),
    "same signature, other last character": lambda f: f.part(2, same_bytes(f.parts[2])),
    "signature in capitals": lambda f: f.part(2, f.parts[2].upper()),
    "other payload, old signature": lambda f: f.part(
        1, b64(compact(f.claims | {"exp": f.claims["exp"] + 1}))
    ),
    "other header, old signature": lambda f: f.part(0, b64('{"alg":"HS256"}')),
    # Another algorithm or key.
    "no algorithm": lambda f: f.unsigned("none"),
    "no algorithm, signed": lambda f: f.head(alg="none"),
    "no algorithm in capitals": lambda f: f.unsigned("NONE"),
    "no algorithm, mixed": lambda f: f.unsigned("nOnE"),
    "algorithm missing": lambda f: f.write(header={"typ": "at+jwt", "kid": f.header["kid"]}),
    "algorithm empty": lambda f: f.head(alg=""),
    "algorithm null": lambda f: f.head(alg=None),
    "algorithm a number": lambda f: f.head(alg=256),
    "algorithm a list": lambda f: f.head(alg=["HS256"]),
    "algorithm in lower case": lambda f: f.head(alg="hs256"),
    "HS384": lambda f: f.write(header=f.header | {"alg": "HS384"}, hash_="sha384"),
    "HS512": lambda f: f.write(header=f.header | {"alg": "HS512"}, hash_="sha512"),
    "HS256 with the hash of HS512": lambda f: f.write(hash_="sha512"),
    "RS256": lambda f: f.by_library("RS256", pem(RSA)),
    "ES256": lambda f: f.by_library("ES256", pem(EC)),
    "RS256 signed with the HMAC key": lambda f: f.head(alg="RS256"),
    "RS256's public key as HMAC key": lambda f: f.write(key=public_pem(RSA)),
    "the same, saying RS256": lambda f: f.write(
        header=f.header | {"alg": "RS256"}, key=public_pem(RSA)
    ),
    "empty key": lambda f: f.write(key=b""),
    "key of one character": lambda f: f.write(key=b"a"),
    "the secret itself as key": lambda f: f.write(key=SECRET.encode()),
    "the key in hexadecimal": lambda f: f.write(key=KEY.hex().encode()),
    "key of another purpose": lambda f: f.write(key=_settings("production").key("journal")),
    "another environment's key": lambda f: f.write(key=DEMO_KEY),
    "another environment's token": lambda f: f.write(
        payload=f.claims | {"environment": "demo"}, key=DEMO_KEY
    ),
    # A header of another kind.
    "unknown kid": lambda f: f.head(kid="tokens-2"),
    "kid missing": lambda f: f.write(header={"alg": "HS256", "typ": "at+jwt"}),
    "kid that is a path": lambda f: f.head(kid="../../../dev/null"),
    "kid that is SQL": lambda f: f.head(kid="' UNION SELECT 'key"),
    "typ of another kind": lambda f: f.head(typ="JWT"),
    "typ missing": lambda f: f.write(header={"alg": "HS256", "kid": f.header["kid"]}),
    "crit": lambda f: f.head(crit=["exp"]),
    "crit with b64": lambda f: f.head(crit=["b64"], b64=False),
    "compressed": lambda f: f.head(zip="DEF"),
    "its own key": lambda f: f.head(jwk={"kty": "oct", "k": b64(KEY)}),
    "a key to be fetched": lambda f: f.head(jku="http://127.0.0.1:9/keys"),
    "certificate to be fetched": lambda f: f.head(x5u="http://127.0.0.1:9/certificate"),
    "algorithm twice": lambda f: f.write(
        header=compact(f.header).replace("{", '{"alg":"none",', 1)
    ),
    "header in another order": lambda f: f.write(header=dict(reversed(f.header.items()))),
    "header with spaces": lambda f: f.write(header=json.dumps(f.header)),
    "header a list": lambda f: f.write(header=[f.header]),
    "header a string": lambda f: f.write(header='"HS256"'),
    "header empty": lambda f: f.write(header={}),
    "header nested deeply": lambda f: f.write(header="[" * 1500 + "]" * 1500),
    "header a huge number": lambda f: f.write(header=f'{{"alg":{"9" * 1000}}}'),
    "header not UTF-8": lambda f: f.write(header=compact(f.header).encode() + b"\xff"),
    # Claims, each missing once.
    **{f"{name} missing": lambda f, name=name: f.without(name) for name in CLAIMS},  # type: ignore[misc]
    **{f"{name} null": lambda f, name=name: f.claim(**{name: None}) for name in CLAIMS},  # type: ignore[misc]
    # For somebody or something else.
    "other audience": lambda f: f.claim(aud="other"),
    "two audiences": lambda f: f.claim(aud=["safe-havens", "other"]),
    "list of the audience": lambda f: f.claim(aud=["safe-havens"]),
    "other issuer": lambda f: f.claim(iss="https://login.example"),
    "other type": lambda f: f.claim(typ="refresh"),
    "other environment": lambda f: f.claim(environment="demo"),
    "unknown account": lambda f: f.claim(sub=str(uuid4())),
    "another account": lambda f: f.claim(sub=str(f.other.id)),
    "unknown sign-in": lambda f: f.claim(sid=str(uuid4())),
    "account not a UUID": lambda f: f.claim(sub="1"),
    "account in capitals": lambda f: f.claim(sub=f.claims["sub"].upper()),
    "account without hyphens": lambda f: f.claim(sub=f.claims["sub"].replace("-", "")),
    "account with NUL": lambda f: f.claim(sub="\0"),
    "account a list": lambda f: f.claim(sub=[f.claims["sub"]]),
    "sign-in an object": lambda f: f.claim(sid={"id": f.claims["sid"]}),
    "jti not a UUID": lambda f: f.claim(jti="1"),
    "a claim more": lambda f: f.claim(roles=["administrator"]),
    # At another time.
    "over": lambda f: f.claim(exp=f.claims["iat"] - 1),
    "over long ago": lambda f: f.claim(iat=0, nbf=0, exp=ACCESS_SECONDS),
    "over when it began": lambda f: f.claim(exp=f.claims["iat"]),
    "good for too long": lambda f: f.claim(exp=f.claims["exp"] + 1),
    "good for ever": lambda f: f.raw("exp", "Infinity"),
    "good since ever": lambda f: f.raw("nbf", "-Infinity"),
    "over at no time": lambda f: f.raw("exp", "NaN"),
    "over at 1e400": lambda f: f.raw("exp", "1e400"),
    "over at 10**30": lambda f: f.claim(exp=10**30),
    "over at 5,000 digits": lambda f: f.raw("exp", "9" * 2500),
    "over before 1970": lambda f: f.claim(exp=-1),
    "over at a text": lambda f: f.claim(exp=str(f.claims["exp"])),
    "over at a fraction": lambda f: f.claim(exp=f.claims["exp"] - 0.5),
    "over at a decimal": lambda f: f.raw("exp", f"{f.claims['exp']}.0"),
    "over at true": lambda f: f.claim(exp=True),
    "over at a list": lambda f: f.claim(exp=[f.claims["exp"]]),
    "not yet": lambda f: f.claim(nbf=f.claims["nbf"] + 3600),
    "issued later": lambda f: f.claim(
        iat=f.claims["iat"] + 3600, nbf=f.claims["iat"] + 3600, exp=f.claims["exp"] + 3600
    ),
    "issued before 1970": lambda f: f.claim(iat=-1),
    "issued at infinity": lambda f: f.raw("iat", "Infinity"),
    # A payload written in another way.
    "payload empty": lambda f: f.write(payload={}),
    "payload nothing": lambda f: f.write(payload=""),
    "payload a list": lambda f: f.write(payload=[f.claims]),
    "payload a text": lambda f: f.write(payload='"claims"'),
    "payload a number": lambda f: f.write(payload="1"),
    "payload with spaces": lambda f: f.write(payload=json.dumps(f.claims)),
    "payload in another order": lambda f: f.write(payload=dict(reversed(f.claims.items()))),
    "payload with a byte-order mark": lambda f: f.write(payload="\ufeff" + compact(f.claims)),
    "payload in UTF-16": lambda f: f.write(payload=compact(f.claims).encode("utf-16")),
    "payload not UTF-8": lambda f: f.write(
        payload=compact(f.claims | {"jti": "@"}).encode().replace(b"@", b"\xff")
    ),
    "payload with half a character": lambda f: f.raw("jti", '"\\ud800"'),
    "payload escaped": lambda f: f.write(payload=compact(f.claims).replace("safe", "\\u0073afe")),
    "payload nested deeply": lambda f: f.raw("jti", "[" * 1000 + "]" * 1000),
    "payload nested too deeply for the stack": lambda f: f.raw("jti", "[" * 200_000),
    "end twice": lambda f: f.write(
        payload=compact(f.claims).replace("{", '{"exp":99999999999,', 1)
    ),
    "account twice": lambda f: f.write(
        payload=compact(f.claims).replace("{", f'{{"sub":"{f.other.id}",', 1)
    ),
    "payload compressed away": lambda f: f.write(payload=b"\x78\x9c\x03\x00\x00\x00\x00\x01"),
}
