"""The one place that reads the environment."""

import hmac
import re
import secrets
import warnings
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from filelock import FileLock
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    HttpUrl,
    IPvAnyNetwork,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema
from pydantic.warnings import UnsupportedFieldAttributeWarning
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict, SettingsError

from app.core.text import marked

# What reads and writes a model is made when it is first used: nobody needs all of them, and
# together they take 7 MB.
BaseModel.model_config["defer_build"] = True
# The framework knows of it, and ignores it for as long as it makes parameters: no longer then.
warnings.filterwarnings("ignore", category=UnsupportedFieldAttributeWarning)

SECRET_BYTES = 32
TOKEN_LENGTH = 16
ED25519_BYTES = 32

# To the nearest haven the way over the streets has a median of 1.5 to 1.7 times the distance, more
# than to places farther off; an estimate that errs must err late.
WALKING_FACTOR = 1.7


class Contact(BaseModel):
    """Somebody to call."""

    name: str = Field(examples=["Emergency services"])
    phone: str | SkipJsonSchema[None] = Field(default=None, examples=["999"])
    text: str | SkipJsonSchema[None] = Field(
        default=None, description="Number to send a text message to"
    )
    url: str | SkipJsonSchema[None] = Field(default=None)
    note: str | SkipJsonSchema[None] = Field(default=None)

    @model_validator(mode="after")
    def _reachable(self) -> "Contact":
        if not (self.phone or self.text or self.url):
            raise ValueError("needs a phone, a text number or a url")
        return self


HELP = (
    Contact(
        name=marked("Emergency services"),
        phone="999",
        note=marked(
            "If you can't speak on a mobile, listen to the questions and press 55 when asked. "
            "Pressing 55 does not tell the police where you are."
        ),
    ),
    Contact(
        name=marked("Emergency services by text"),
        text="999",
        note=marked("Only if you registered this phone beforehand: text 'register' to 999."),
    ),
    Contact(
        name=marked("Emergency services by Relay UK"),
        phone="18000",
        note=marked("For people who can't hear or speak on the phone."),
    ),
    Contact(name=marked("Police, when it is not an emergency"), phone="101"),
    Contact(name=marked("Victim Support"), phone="08 08 16 89 111"),
    Contact(name=marked("National Domestic Abuse Helpline"), phone="0808 2000 247"),
    Contact(name=marked("British Transport Police"), text="61016"),
)


class SchemeChange(BaseModel):
    """What an area does otherwise in a scheme; what is not given stays as it is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    months: int | None = Field(default=None, ge=1, le=120)
    review_months: int | None = Field(default=None, ge=1, le=120)
    criteria: dict[
        Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")],
        Annotated[str, Field(min_length=1, max_length=200)],
    ] = Field(default={}, max_length=60)


class IdentityProvider(BaseModel):
    """An OpenID Connect provider with whose accounts staff sign in."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    issuer: str = Field(description="As its discovery document says it, to the letter")
    client_id: str = Field(min_length=1)
    client_secret: SecretStr = SecretStr("")
    groups: dict[Literal["officer", "licensing", "administrator"], tuple[str, ...]] = Field(
        min_length=1, description="By role: who is in one of the groups has it"
    )
    groups_claim: str = "groups"
    name_claim: str = "preferred_username"
    scopes: str = Field(default="openid profile", pattern=r"^openid( |$)")
    audience: str = Field(
        default="", description="Whom programs' access tokens are for; empty, none is taken"
    )

    @field_validator("issuer")
    @classmethod
    def _by_tls(cls, value: str) -> str:
        url = HttpUrl(value)
        if not is_safe_address(url):
            raise ValueError("must begin with https://")
        return value

    @model_validator(mode="after")
    def _tokens_told_apart(self) -> "IdentityProvider":
        if self.audience == self.client_id:
            raise ValueError("audience must not be client_id, or ID tokens would open the API")
        return self


_EMAIL = r"[!-?A-~]+@[A-Za-z0-9.-]+"

_Days = Annotated[int, Field(ge=1, le=36_500)]


class KeepDays(BaseModel):
    """How many days what is not needed for ever is kept."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    answered_creates: _Days = 30
    sign_ins: _Days = 90
    comments: _Days = 365
    contacts: _Days = 365
    statements: _Days = 365


def is_safe_address(url: HttpUrl) -> bool:
    """Whether nobody on the way can change what is said there: by TLS, or on this host."""
    return url.scheme == "https" or url.host in ("127.0.0.1", "localhost", "[::1]")


class Neighbour(BaseModel):
    """Whose havens are shown beside ours, and where they publish them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=80, description="As people are shown it")
    directory: HttpUrl | None = Field(
        default=None, description="The directory document of an installation like this one"
    )
    oruk: HttpUrl | None = Field(
        default=None, description="The base address of an Open Referral UK feed"
    )
    term: str = Field(
        default="",
        max_length=200,
        description="In such a feed: the id of the taxonomy term of a place of refuge",
    )
    terms: dict[str, str] = Field(
        default={},
        max_length=100,
        description="In such a feed: which of our categories and facilities its terms mean, by id",
    )
    bounds: tuple[float, float, float, float] | None = Field(
        default=None, description="Where its places lie, in degrees: west, south, east, north"
    )
    within_km: float = Field(
        default=20, gt=0, le=200, description="How far its places may lie from all of ours"
    )
    every_minutes: int = Field(
        default=0,
        ge=0,
        le=1440,
        description="How often it is asked: a directory every 5 minutes, a feed every hour, when 0",
    )
    attribution: str = Field(
        default="", max_length=300, description="What its licence wants said beside it"
    )

    @model_validator(mode="after")
    def _one_address(self) -> "Neighbour":
        if (self.directory is None) == (self.oruk is None):
            raise ValueError("needs either directory or oruk")
        if bool(self.term) != bool(self.oruk):
            raise ValueError("term goes with oruk: which of its terms means a place of refuge")
        url = self.address
        if not is_safe_address(url):
            raise ValueError("its address must begin with https://")
        if url.username or url.password or url.fragment is not None:
            raise ValueError("its address must hold no name, password or #")
        return self

    @field_validator("bounds")
    @classmethod
    def _a_box(
        cls, value: tuple[float, float, float, float] | None
    ) -> tuple[float, float, float, float] | None:
        if value and not (-180 <= value[0] < value[2] <= 180 and -90 <= value[1] < value[3] <= 90):
            raise ValueError("must be west, south, east, north in degrees")
        return value

    @property
    def address(self) -> HttpUrl:
        """Where it publishes."""
        url = self.directory or self.oruk
        assert url is not None  # noqa: S101  as it was checked
        return url

    @property
    def pause_seconds(self) -> int:
        """How long it is left alone after it was asked."""
        return 60 * (self.every_minutes or (5 if self.directory else 60))


class AddressServices(BaseModel):
    """Who is asked where a postcode lies, when nobody knows it here."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    postcodes: HttpUrl | None = Field(
        default=None, description="The base address of postcodes.io, or of one like it"
    )
    os_places: HttpUrl | None = Field(
        default=None, description="The base address of the OS Places API, which is asked first"
    )
    os_key: SecretStr = SecretStr("")
    seconds: float = Field(default=5, ge=1, le=20, description="How long anybody waits for them")

    @model_validator(mode="after")
    def _asked_safely(self) -> "AddressServices":
        urls = [url for url in (self.postcodes, self.os_places) if url]
        if not urls:
            raise ValueError("needs postcodes, os_places or both")
        if not all(is_safe_address(url) and not url.username for url in urls):
            raise ValueError("its addresses must begin with https://, and hold no name")
        if bool(self.os_places) != bool(self.os_key):
            raise ValueError("os_places and os_key go together")
        return self


def _several(value: object) -> object:
    return value.replace(",", " ").split() if isinstance(value, str) else value


Networks = tuple[IPvAnyNetwork, ...]


def _of_ed25519(value: str) -> str:
    try:
        is_key = len(b64decode(value, validate=True)) == ED25519_BYTES
    except (NotBase64, ValueError):
        is_key = False
    if not is_key:
        raise ValueError("must be a key as `havens keys` writes it")
    return value


Key = Annotated[str, AfterValidator(_of_ed25519)]
"""A key of Ed25519, private or public, in Base64."""


class UnsafeSettings(ValueError):
    """Settings that must not meet the public."""


class Settings(BaseSettings):
    """What an operator may set, each as `HAVENS_…`.

    `environment` is `production` unless said otherwise, so that nobody ends up with demonstration
    venues by forgetting something. `database_url` defaults to one SQLite file in `data_dir`.
    """

    model_config = SettingsConfigDict(env_prefix="HAVENS_", frozen=True)

    environment: Literal["production", "demo"] = "production"
    data_dir: Path = Path("data")
    database_url: str = ""
    replica_url: str = Field(
        default="",
        description="A streaming replica of that database, from which the directory and reports are"
        " read; PostgreSQL alone has them",
    )
    secret_key: SecretStr = SecretStr("")
    old_secret_keys: tuple[SecretStr, ...] = Field(
        default=(), description="Those before, the newest first: they verify, and sign nothing"
    )
    safe_haven_months: int = Field(
        default=12, ge=1, le=120, description="How long an award is in force when no end is given"
    )
    rag_green: int = Field(default=75, ge=0, le=100, description="Percent of staff trained")
    rag_amber: int = Field(default=50, ge=0, le=100, description="Percent of staff trained")
    due_days: int = Field(
        default=60, ge=0, le=366, description="How long before it lapses training is due again"
    )
    schemes: dict[str, SchemeChange] = Field(
        default={},
        description='By scheme: {"safe_haven": {"criteria": {"cctv": "CCTV at the door"}}}',
    )
    retest_days: int = Field(
        default=28, ge=1, le=366, description="How soon after a failed test it is repeated"
    )
    walking_factor: float = Field(
        default=WALKING_FACTOR,
        ge=1,
        le=5,
        description="How many times the distance the way on foot is taken to be",
    )
    reports_per_day: int = Field(
        default=50,
        ge=1,
        description="How many problem reports about one haven come into a day's queue",
    )
    keep_days: KeepDays = Field(
        default=KeepDays(),
        description='After how many days `havens tidy` removes what has ended: {"comments": 180}',
    )
    exit_url: HttpUrl = Field(
        default=HttpUrl("https://www.bbc.co.uk/weather"),
        description="What who leaves a page in a hurry is shown instead",
    )
    help_contacts: tuple[Contact, ...] = Field(default=HELP, min_length=1)
    trusted_proxies: Annotated[Networks, NoDecode, BeforeValidator(_several)] = Field(
        default=(),
        description="Our own proxies, whose X-Forwarded-For is believed: addresses or networks,"
        " with commas or spaces between them",
    )
    public_url: str = Field(
        default="",
        description="Where the public finds this service, as https://havens.example: the only"
        " source of addresses that are printed or sent",
    )
    mail_server: SecretStr = Field(
        default=SecretStr(""),
        description="What letters are sent by, as smtps://user:password@mail.example, or smtp://"
        " for one that begins TLS when it is asked to; without it none are",
    )
    mail_from: str = Field(default="", description="The address that letters come from")
    remind_days: int = Field(
        default=30, ge=1, le=90, description="How long before something ends a letter says so"
    )
    map_tiles: str = Field(
        default="",
        description="Where the map's pictures of streets are, as"
        " https://tiles.example/{z}/{x}/{y}.png. Phones fetch them from there themselves.",
    )
    map_attribution: str = Field(
        default="", max_length=200, description="Whom the pictures are owed to, shown under the map"
    )
    metrics_token: SecretStr = Field(
        default=SecretStr(""),
        description="What who reads /metrics sends as a bearer token; without it there are none",
    )
    idle_minutes: int = Field(
        default=60, ge=5, le=720, description="A sign-in that nobody uses for so long has ended"
    )
    second_factor: Literal["administrators", "everybody", "nobody"] = Field(
        default="administrators",
        description="Who signs in with a code, too; in a demonstration nobody, unless set",
    )
    identity_provider: IdentityProvider | None = Field(
        default=None,
        description="An OpenID Connect provider with whose accounts staff sign in, as JSON",
    )
    passwords: bool = Field(
        default=True, description="Whether passwords open accounts; only off with a provider"
    )
    neighbours: tuple[Neighbour, ...] = Field(
        default=(),
        max_length=20,
        description="Whose havens beyond our boundary are shown, too, as JSON:"
        ' [{"name": "Westminster", "directory": "https://havens.example/v1/havens"}]',
    )
    addresses: AddressServices | None = Field(
        default=None,
        description="Who is asked where a postcode lies, as JSON:"
        ' {"postcodes": "https://api.postcodes.io"}',
    )
    publishing_key: SecretStr = Field(
        default=SecretStr(""),
        description="Signs the directory for hosts without a database; `havens keys` makes one",
    )
    directory_url: str = Field(
        default="",
        description="Where another host publishes the directory, as"
        " https://havens.example/published: this one then needs no database, and has no register",
    )
    directory_keys: Annotated[tuple[Key, ...], NoDecode, BeforeValidator(_several)] = Field(
        default=(),
        description="The public keys of those who may sign what is published there, with commas or"
        " spaces between them",
    )
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["text", "json"] = "text"

    @model_validator(mode="before")
    @classmethod
    def _default_database(cls, values: dict[str, object]) -> dict[str, object]:
        if not values.get("database_url"):
            data_dir = Path(str(values.get("data_dir", "data")))
            values["database_url"] = f"sqlite:///{data_dir / 'havens.sqlite'}"
        return values

    @model_validator(mode="before")
    @classmethod
    def _no_register_here(cls, values: dict[str, object]) -> dict[str, object]:
        if values.get("directory_url"):
            for name in ("database_url", "replica_url", "publishing_key"):
                if values.get(name):
                    raise ValueError(
                        f"HAVENS_DIRECTORY_URL stands in place of HAVENS_{name.upper()}"
                    )
            # It signs and verifies nothing that another host, or this one tomorrow, has to believe.
            if not values.get("secret_key"):
                values["secret_key"] = secrets.token_urlsafe(SECRET_BYTES)
        return values

    @model_validator(mode="before")
    @classmethod
    def _no_codes_in_a_demonstration(cls, values: dict[str, object]) -> dict[str, object]:
        if values.get("environment") == "demo":
            values.setdefault("second_factor", "nobody")
        return values

    @model_validator(mode="after")
    def _known_database(self) -> "Settings":
        if not self.database_url.startswith(("sqlite:///", "postgresql+psycopg://")):
            raise ValueError(
                "HAVENS_DATABASE_URL must begin with sqlite:/// or postgresql+psycopg://"
            )
        return self

    @model_validator(mode="after")
    def _replica_of_the_same_kind(self) -> "Settings":
        postgresql = "postgresql+psycopg://"
        if self.replica_url and not (
            self.replica_url.startswith(postgresql) and self.database_url.startswith(postgresql)
        ):
            raise ValueError(
                "HAVENS_REPLICA_URL and HAVENS_DATABASE_URL must begin with postgresql+psycopg://"
            )
        return self

    @field_validator("metrics_token")
    @classmethod
    def _hard_to_guess(cls, value: SecretStr) -> SecretStr:
        if 0 < len(value.get_secret_value()) < TOKEN_LENGTH:
            raise ValueError(f"must have at least {TOKEN_LENGTH} characters that nobody can guess")
        return value

    @field_validator("publishing_key")
    @classmethod
    def _a_private_key(cls, value: SecretStr) -> SecretStr:
        if value:
            _of_ed25519(value.get_secret_value())
        return value

    @field_validator("directory_url")
    @classmethod
    def _a_folder(cls, value: str) -> str:
        return str(HttpUrl(value)).rstrip("/") if value else value

    @model_validator(mode="after")
    def _whom_to_believe(self) -> "Settings":
        if self.directory_url and not self.directory_keys:
            raise ValueError("HAVENS_DIRECTORY_URL needs HAVENS_DIRECTORY_KEYS")
        return self

    @field_validator("public_url")
    @classmethod
    def _an_address(cls, value: str) -> str:
        if not value:
            return value
        url = HttpUrl(value)
        if url.username or url.password or url.query is not None or url.fragment is not None:
            raise ValueError(
                "HAVENS_PUBLIC_URL must be an address alone, as https://havens.example"
            )
        return str(url).rstrip("/")

    @field_validator("mail_server")
    @classmethod
    def _a_mail_server(cls, value: SecretStr) -> SecretStr:
        try:
            url = urlsplit(value.get_secret_value())
            is_plain = url.scheme in ("smtp", "smtps") and url.hostname and url.port != 0
            is_plain = is_plain and not (url.path.strip("/") or url.query or url.fragment)
        except ValueError:
            is_plain = False
        if value and not is_plain:
            # Not with what was given, for a password may be in it.
            raise ValueError("must be like smtps://user:password@mail.example:465")
        return value

    @model_validator(mode="after")
    def _letters_have_what_they_need(self) -> "Settings":
        if self.mail_server and not (self.public_url and re.fullmatch(_EMAIL, self.mail_from)):
            raise ValueError(
                "HAVENS_MAIL_SERVER needs HAVENS_MAIL_FROM, an address of e-mail, and"
                " HAVENS_PUBLIC_URL, for the links"
            )
        return self

    @field_validator("map_tiles")
    @classmethod
    def _a_template(cls, value: str) -> str:
        if not value:
            return value
        names = re.findall("[{]([a-z]*)[}]", value)
        url = HttpUrl(re.sub("[{][xyz][}]", "0", value))
        # What is no plain host would say something else in a page's policy.
        is_plain = re.fullmatch(r"[a-z0-9.-]+|\[[0-9a-f:]+\]", url.host or "")
        in_host = "{" in value.split("/")[2]
        if sorted(names) != ["x", "y", "z"] or in_host or not is_plain or url.username:
            raise ValueError(
                "HAVENS_MAP_TILES must be one host's address with {z}, {x} and {y},"
                " as https://tiles.example/{z}/{x}/{y}.png"
            )
        return value

    @model_validator(mode="after")
    def _tiles_are_owed_to_somebody(self) -> "Settings":
        if self.map_tiles and not self.map_attribution:
            raise ValueError("HAVENS_MAP_TILES needs HAVENS_MAP_ATTRIBUTION: whom they are owed to")
        return self

    @model_validator(mode="after")
    def _somebody_can_sign_in(self) -> "Settings":
        if self.identity_provider and not self.public_url:
            raise ValueError("HAVENS_IDENTITY_PROVIDER needs HAVENS_PUBLIC_URL, to come back to")
        if not (self.identity_provider or self.passwords):
            raise ValueError("HAVENS_PASSWORDS=false needs HAVENS_IDENTITY_PROVIDER")
        return self

    @field_validator("neighbours")
    @classmethod
    def _told_apart(cls, value: tuple[Neighbour, ...]) -> tuple[Neighbour, ...]:
        for what in ("name", "address"):
            if len({str(getattr(neighbour, what)) for neighbour in value}) < len(value):
                raise ValueError(f"two neighbours have the same {what}")
        return value

    @model_validator(mode="after")
    def _green_is_better(self) -> "Settings":
        if self.rag_amber > self.rag_green:
            raise ValueError("HAVENS_RAG_AMBER must not be above HAVENS_RAG_GREEN")
        return self

    def key(self, purpose: str) -> bytes:
        """The key that signs for one purpose. Raises `UnsafeSettings`."""
        return self.keys(purpose)[0]

    def keys(self, purpose: str) -> tuple[bytes, ...]:
        """The secret keys for one purpose: the first signs, all verify.

        They are made from `secret_key` and `old_secret_keys`. Outside production a key is made and
        kept in the data directory when none is set. Raises `UnsafeSettings` when production has
        none, or one that could be guessed.
        """
        secret = self.secret_key.get_secret_value().encode()
        if not secret and self.environment != "production":
            secret = self._kept_secret()
        old = [key.get_secret_value().encode() for key in self.old_secret_keys]
        for name, secrets_ in (("HAVENS_SECRET_KEY", [secret]), ("HAVENS_OLD_SECRET_KEYS", old)):
            if any(len(secret) < SECRET_BYTES for secret in secrets_):
                raise UnsafeSettings(
                    f"{name} must hold at least {SECRET_BYTES} bytes that nobody can guess"
                )
        context = f"{self.environment} {purpose}".encode()
        return tuple(hmac.digest(secret, context, "sha256") for secret in (secret, *old))

    def _kept_secret(self) -> bytes:
        path = self.data_dir / "secret.key"
        # First without the lock, which a disk that can't be written to has no room for.
        if not path.exists():
            self.data_dir.mkdir(parents=True, exist_ok=True)
            fresh = path.with_suffix(".new")
            with FileLock(path.with_suffix(".lock")):
                if not path.exists():
                    fresh.touch(mode=0o600)
                    fresh.write_text(secrets.token_urlsafe(SECRET_BYTES))
                    fresh.replace(path)
        return path.read_bytes()

    def address(self, path: str) -> str:
        """Where the public finds a path; empty when nobody has said where they find the service."""
        return f"{self.public_url}{path}" if self.public_url else ""

    @property
    def has_register(self) -> bool:
        """Whether this host has a database, and builds the directory from it."""
        return not self.directory_url

    @property
    def demonstration(self) -> bool:
        """Whether every venue here is invented."""
        return self.environment == "demo"


@cache
def settings() -> Settings:
    """The settings of this process, read once."""
    return Settings()


def wrong_settings() -> list[str]:
    """What is wrong with the settings, a line for each."""
    try:
        settings()
    except ValidationError as error:
        return [_setting(one["loc"], one["msg"]) for one in error.errors()]
    except SettingsError as error:
        return [str(error)]
    return []


def _setting(location: Sequence[str | int], message: str) -> str:
    name = f"HAVENS_{str(location[0]).upper()}: " if location else ""
    return name + message.removeprefix("Value error, ")
