"""The one place that reads the environment."""

import hmac
import secrets
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from filelock import FileLock
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    IPvAnyNetwork,
    SecretStr,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

SECRET_BYTES = 32

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
        name="Emergency services",
        phone="999",
        note="If you can't speak on a mobile, listen to the questions and press 55 when asked. "
        "Pressing 55 does not tell the police where you are.",
    ),
    Contact(
        name="Emergency services by text",
        text="999",
        note="Only if you registered this phone beforehand: text 'register' to 999.",
    ),
    Contact(
        name="Emergency services by Relay UK",
        phone="18000",
        note="For people who can't hear or speak on the phone.",
    ),
    Contact(name="Police, when it is not an emergency", phone="101"),
    Contact(name="Victim Support", phone="08 08 16 89 111"),
    Contact(name="National Domestic Abuse Helpline", phone="0808 2000 247"),
    Contact(name="British Transport Police", text="61016"),
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


def _several(value: object) -> object:
    return value.replace(",", " ").split() if isinstance(value, str) else value


Networks = tuple[IPvAnyNetwork, ...]


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
    secret_key: SecretStr = SecretStr("")
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
        default=50, ge=1, description="How many problem reports a day are kept about one haven"
    )
    help_contacts: tuple[Contact, ...] = Field(default=HELP, min_length=1)
    trusted_proxies: Annotated[Networks, NoDecode, BeforeValidator(_several)] = Field(
        default=(),
        description="Our own proxies, whose X-Forwarded-For is believed: addresses or networks,"
        " with commas or spaces between them",
    )
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @model_validator(mode="before")
    @classmethod
    def _default_database(cls, values: dict[str, object]) -> dict[str, object]:
        if not values.get("database_url"):
            data_dir = Path(str(values.get("data_dir", "data")))
            values["database_url"] = f"sqlite:///{data_dir / 'havens.sqlite'}"
        return values

    @model_validator(mode="after")
    def _known_database(self) -> "Settings":
        if not self.database_url.startswith(("sqlite:///", "postgresql+psycopg://")):
            raise ValueError(
                "HAVENS_DATABASE_URL must begin with sqlite:/// or postgresql+psycopg://"
            )
        return self

    @model_validator(mode="after")
    def _green_is_better(self) -> "Settings":
        if self.rag_amber > self.rag_green:
            raise ValueError("HAVENS_RAG_AMBER must not be above HAVENS_RAG_GREEN")
        return self

    def key(self, purpose: str) -> bytes:
        """A secret key for one purpose, made from `secret_key`.

        Outside production a key is made and kept in the data directory when none is set. Raises
        `UnsafeSettings` when production has none, or one that could be guessed.
        """
        secret = self.secret_key.get_secret_value().encode()
        if not secret and self.environment != "production":
            secret = self._kept_secret()
        if len(secret) < SECRET_BYTES:
            raise UnsafeSettings(
                f"HAVENS_SECRET_KEY must hold at least {SECRET_BYTES} bytes that nobody can guess"
            )
        return hmac.digest(secret, f"{self.environment} {purpose}".encode(), "sha256")

    def _kept_secret(self) -> bytes:
        path = self.data_dir / "secret.key"
        self.data_dir.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            if not path.exists():
                path.touch(mode=0o600)
                path.write_text(secrets.token_urlsafe(SECRET_BYTES))
            return path.read_bytes()

    @property
    def demonstration(self) -> bool:
        """Whether every venue here is invented."""
        return self.environment == "demo"


@cache
def settings() -> Settings:
    """The settings of this process, read once."""
    return Settings()
