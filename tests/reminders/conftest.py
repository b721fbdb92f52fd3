"""Businesses with something that ends soon, and a mail server to write to them by."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from fastapi import FastAPI

from app.core.journal import Journal
from app.core.london import today
from app.core.settings import Settings
from app.reminders.sending import Counts, remind
from app.venues import osm_hours
from app.venues.kinds import Category, Facility
from app.venues.models import Business, Contact, Venue
from tests.factories import BANK, award
from tests.mail import MailServer, mail_server
from tests.processes import ending_with_us
from tests.servers import ROOT, SECRET

PUBLIC_URL = "https://havens.test"
Remind = Callable[[], Counts]


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """One kind is enough, but for the lock."""
    return sqlite_url


@pytest.fixture
def mail() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


@pytest.fixture
def settings(app: FastAPI, mail: MailServer) -> Settings:
    """The application's settings, with the mail server in them."""
    ours: Settings = app.state.settings
    more = {"mail_server": mail.url, "mail_from": "havens@havens.test", "public_url": PUBLIC_URL}
    return Settings.model_validate(ours.model_dump() | more)


@pytest.fixture
def run(journal: Journal, settings: Settings) -> Remind:
    """`havens remind`, as the command does it."""
    return lambda: remind(journal, settings, "test")


def add_business(
    journal: Journal, name: str, *, days: int = 20, email: str = "", venues: int = 1
) -> UUID:
    """A business whose venues' awards end in so many days; with an address it has a contact."""
    with journal.writing("test") as session:
        business = Business(name=name)
        session.add(business)
        session.flush()
        if email:
            contact = Contact(business_id=business.id, name=f"Head of {name}", email=email)
            session.add(contact)
        for number in range(venues):
            venue = Venue(
                reference=f"{name}-{number + 1}",
                name=f"{name} {number + 1}",
                category=Category.PUB,
                location=BANK,
                hours=osm_hours.parse("Mo-Su 10:00-22:00"),
                facilities=[Facility.WATER],
                business_id=business.id,
            )
            session.add(venue)
            session.flush()
            award(session, venue.id, date(2020, 1, 1), today() + timedelta(days=days))
        return business.id


@dataclass
class Command:
    """`havens remind` in a process of its own."""

    database_url: str
    folder: Path
    mail_url: str
    outputs: list[Path] = field(default_factory=list)

    @property
    def said(self) -> str:
        """What the last one printed."""
        return self.outputs[-1].read_text()

    def start(self) -> subprocess.Popen[bytes]:
        """Start one."""
        self.outputs.append(self.folder / f"remind-{len(self.outputs)}.log")
        ours = {
            "HAVENS_DATABASE_URL": self.database_url,
            "HAVENS_DATA_DIR": str(self.folder),
            "HAVENS_SECRET_KEY": SECRET,
            "HAVENS_MAIL_SERVER": self.mail_url,
            "HAVENS_MAIL_FROM": "havens@havens.test",
            "HAVENS_PUBLIC_URL": PUBLIC_URL,
            "PYTHONPATH": str(ROOT),
        }
        others = {k: v for k, v in os.environ.items() if not k.startswith("HAVENS_")}
        command = "from app.cli import main; main()"
        with self.outputs[-1].open("wb") as output:
            return subprocess.Popen(
                ending_with_us([sys.executable, "-c", command, "remind"]),
                env=others | ours,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
