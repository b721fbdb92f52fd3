"""What `havens remind` sends, over SMTP to a real server: each letter once, and none is lost."""

import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from signal import SIGKILL

import httpx
import pytest
from pydantic import SecretStr
from sqlmodel import col, select

from app.core.db import NotAlone, alone_at_mail, connected, read_session
from app.core.journal import Journal
from app.core.london import today
from app.core.settings import Settings
from app.outreach.models import Digest, Letter
from app.reminders.letters import EVERY_DAYS
from app.reminders.mail import MailServerAway
from app.reminders.sending import remind
from app.venues.models import Contact, Venue
from tests.factories import journal_of
from tests.mail import LATER, REFUSED, MailServer, mail_server
from tests.reminders.conftest import PUBLIC_URL, Command, Remind, add_business
from tests.servers import PATIENCE_SECONDS, settings_for

postgresql = pytest.mark.postgresql

SAM = "sam@lantern.test"
NOBODY = "venues with nobody to write to"


def letters(journal: Journal) -> list[Letter]:
    with read_session(journal.engine) as session:
        return list(session.exec(select(Letter).order_by(col(Letter.made_at), col(Letter.id))))


def body(letter: EmailMessage) -> str:
    content: str = letter.get_content()
    return content.replace("\r\n", "\n")


def test_one_letter_tells_of_all_that_ends_at_a_business(
    journal: Journal, mail: MailServer, run: Remind
) -> None:
    add_business(journal, "Lantern", email=SAM, venues=3)
    add_business(journal, "Not yet", email="kim@later.test", days=31)
    add_business(journal, "Nobody")
    assert run() == Counter({"letters sent": 1, NOBODY: 1})
    (letter,) = mail.letters
    assert (letter["To"], letter["From"]) == (SAM, "havens@havens.test")
    assert letter["Subject"] == "What ends soon at 3 of your venues: please check what we know"
    text = body(letter)
    last = today() + timedelta(days=20)
    for number in (1, 2, 3):
        assert f"Lantern {number}\n  - Safe Haven ends on {last.day} {last:%B %Y}" in text
    (kept,) = letters(journal)
    assert letter["Message-ID"] == f"<{kept.id}@havens.test>"
    assert len(set(re.findall(rf"{PUBLIC_URL}/(?:\w\w/)?letters/([\w-]+)", text))) == 1
    assert set(re.findall(r"https?://[^/\s]+", text)) == {PUBLIC_URL}
    assert run() == Counter({NOBODY: 1})


def test_the_venue_s_own_contact_is_written_to_where_the_business_has_none(
    journal: Journal, mail: MailServer, run: Remind
) -> None:
    add_business(journal, "Lantern", venues=2)
    with journal.writing("test") as session:
        first = session.exec(select(Venue.id).where(Venue.name == "Lantern 1")).one()
        for name, preferred in (("ann", False), ("zoe", True)):
            email = f"{name}@lantern.test"
            session.add(Contact(venue_id=first, name=name, email=email, preferred=preferred))
    assert run() == Counter({"letters sent": 1, NOBODY: 1})
    (letter,) = mail.letters
    assert letter["To"] == "zoe@lantern.test"
    assert "Lantern 2" not in body(letter)


def test_the_next_letter_waits_a_fortnight_and_has_news(
    journal: Journal, mail: MailServer, run: Remind
) -> None:
    add_business(journal, "Lantern", email=SAM)
    run()
    with journal.writing("test") as session:
        # As if it had told of something else.
        session.exec(select(Letter)).one().about = []
    assert not run()["letters sent"]
    with journal.writing("test") as session:
        session.exec(select(Letter)).one().made_at = datetime.now(UTC) - timedelta(days=EVERY_DAYS)
    assert run()["letters sent"] == 1
    assert len(mail.letters) == 2


def test_a_mail_server_that_is_down_delays_and_loses_none(
    journal: Journal, settings: Settings
) -> None:
    for number in range(3):
        add_business(journal, f"B{number}", email=f"b{number}@b.test")
    with mail_server() as gone:
        away = settings.model_copy(update={"mail_server": SecretStr(gone.url)})
    with pytest.raises(MailServerAway, match="another time"):
        remind(journal, away, "test")
    assert [letter.sent_at for letter in letters(journal)] == [None] * 3
    with mail_server(gone.port) as back:
        assert remind(journal, away, "test")["letters sent"] == 3
        assert len({letter["To"] for letter in back.letters}) == 3


def test_what_was_on_its_way_when_it_was_killed_goes_again_and_nothing_else(
    sqlite_url: str, tmp_path: Path
) -> None:
    with connected(sqlite_url) as engine, mail_server() as mail:
        journal = Journal.of(settings_for(tmp_path, sqlite_url), engine)
        for number in range(4):
            add_business(journal, f"B{number}", email=f"b{number}@b.test")
        command = Command(sqlite_url, tmp_path, mail.url)
        first = command.start()

        def kill() -> None:
            if len(mail.letters) == 2:
                first.kill()
                first.wait(PATIENCE_SECONDS)

        mail.on_letter = kill
        assert first.wait(PATIENCE_SECONDS) == -SIGKILL
        assert len(mail.letters) == 2
        assert command.start().wait(PATIENCE_SECONDS) == 0, command.said
        ids = [letter["Message-ID"] for letter in mail.letters]
        assert len(ids) == 5
        assert len(set(ids)) == 4
        assert ids[1] == ids[2]
        assert body(mail.letters[1]) == body(mail.letters[2])
        assert "letters sent: 3" in command.said


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=postgresql)])
def test_one_run_at_a_time(
    request: pytest.FixtureRequest, settings: Settings, mail: MailServer, kind: str
) -> None:
    url: str = request.getfixturevalue(f"{kind}_url")
    with connected(url) as engine:
        journal = journal_of(engine)
        add_business(journal, "Lantern", email=SAM)
        with alone_at_mail(engine), pytest.raises(NotAlone):
            remind(journal, settings, "test")
        assert not mail.letters
        assert remind(journal, settings, "test")["letters sent"] == 1
        assert not remind(journal, settings, "test")["letters sent"]


def test_what_is_refused_is_told_and_what_is_put_off_goes_later(
    journal: Journal, mail: MailServer, run: Remind, officer: httpx.Client
) -> None:
    for name in ("bad", "busy", "good"):
        add_business(journal, name, email=f"{name}@b.test")
    mail.refusals = {"bad@b.test": REFUSED, "busy@b.test": LATER}
    done = {"letters refused": 1, "letters that wait": 1, "letters sent": 1}
    assert run() == Counter(done)
    mail.refusals = {}
    assert run()["letters sent"] == 1
    assert {letter["To"] for letter in mail.letters} == {"busy@b.test", "good@b.test"}
    shown = officer.get("/v1/admin/letters").json()["items"]
    said = {one["business"]["name"]: one.get("refused", "") for one in shown}
    assert said == {"bad": "the mail server says 550", "busy": "", "good": ""}


def test_a_letter_is_not_sent_once_it_is_revoked_or_its_contact_is_one_no_longer(
    journal: Journal, settings: Settings, mail: MailServer, run: Remind, officer: httpx.Client
) -> None:
    for name in ("revoked", "ended"):
        add_business(journal, name, email=f"{name}@b.test")
    mail.refusals = dict.fromkeys(("revoked@b.test", "ended@b.test"), LATER)
    run()
    mail.refusals = {}
    for one in officer.get("/v1/admin/letters").json()["items"]:
        path = f"/v1/admin/letters/{one['id']}"
        seen = {"If-Match": officer.get(path).headers["ETag"]}
        if one["business"]["name"] == "revoked":
            assert officer.post(f"{path}/revoke", headers=seen).status_code == 200
    with journal.writing("test") as session:
        contact = session.exec(select(Contact).where(Contact.email == "ended@b.test")).one()
        contact.ended_on = today()
    assert run()["letters refused"] == 1
    assert mail.letters == []


def test_an_officer_gets_what_waits_once_a_day(
    journal: Journal, mail: MailServer, run: Remind, officer: httpx.Client
) -> None:
    seen = {"If-Match": officer.get("/v1/admin/digest").headers["ETag"]}
    given = {"email": "officer@city.test"}
    answer = officer.put("/v1/admin/digest", json=given, headers=seen)
    assert answer.json() == given
    add_business(journal, "Lantern", days=5)
    assert run()["daily mails sent"] == 1
    assert not run()["daily mails sent"]
    (digest,) = mail.letters
    assert digest["To"] == "officer@city.test"
    assert "    1  awards that end within 14 days" in body(digest)
    assert f"{PUBLIC_URL}/console" in body(digest)
    assert "Lantern" not in body(digest)
    with journal.writing("test") as session:
        session.exec(select(Digest)).one().sent_for = today() - timedelta(days=1)
    seen = {"If-Match": officer.get("/v1/admin/digest").headers["ETag"]}
    assert officer.put("/v1/admin/digest", json={}, headers=seen).json() == {}
    assert not run()["daily mails sent"]
    assert journal.verify() is None


@pytest.mark.parametrize("email", ["josé@lantern.test", "x@-.test"])
def test_an_address_that_no_mail_server_takes_stops_nothing(
    journal: Journal, mail: MailServer, run: Remind, email: str
) -> None:
    add_business(journal, "A", email=email)
    add_business(journal, "B", email=SAM)
    assert run()["letters sent"] >= 1
    assert mail.to(SAM)
