"""The one place that reads the environment."""

from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class HelpContact(BaseModel):
    """Somebody to call. At least one of `phone`, `text` and `url` is given."""

    name: str
    phone: str | None = None
    text: str | None = Field(default=None, description="Number to send a text message to")
    url: str | None = None
    note: str | None = None

    @model_validator(mode="after")
    def _reachable(self) -> "HelpContact":
        if not (self.phone or self.text or self.url):
            raise ValueError("needs a phone, a text number or a url")
        return self


HELP = (
    HelpContact(
        name="Emergency services",
        phone="999",
        note="If you can't speak on a mobile, listen to the questions and press 55 when asked. "
        "Pressing 55 does not tell the police where you are.",
    ),
    HelpContact(
        name="Emergency services by text",
        text="999",
        note="Only if you registered this phone beforehand: text 'register' to 999.",
    ),
    HelpContact(
        name="Emergency services by Relay UK",
        phone="18000",
        note="For people who can't hear or speak on the phone.",
    ),
    HelpContact(name="Police, when it is not an emergency", phone="101"),
    HelpContact(name="Victim Support", phone="08 08 16 89 111"),
    HelpContact(name="National Domestic Abuse Helpline", phone="0808 2000 247"),
    HelpContact(name="British Transport Police", text="61016"),
)


class Settings(BaseSettings):
    """What an operator may set, each as `HAVENS_…`.

    `environment` is `production` unless said otherwise, so that nobody ends up with demonstration
    venues by forgetting something. `database_url` defaults to one SQLite file in `data_dir`.
    """

    model_config = SettingsConfigDict(env_prefix="HAVENS_", frozen=True)

    environment: Literal["production", "demo"] = "production"
    data_dir: Path = Path("data")
    database_url: str = ""
    safe_haven_months: int = Field(
        default=12, ge=1, le=120, description="How long an award is in force when no end is given"
    )
    help_contacts: tuple[HelpContact, ...] = Field(default=HELP, min_length=1)
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

    @property
    def demonstration(self) -> bool:
        """Whether every venue here is invented."""
        return self.environment == "demo"


@cache
def settings() -> Settings:
    """The settings of this process, read once."""
    return Settings()
