"""Reading the journal: over HTTP, page by page and venue by venue, and `havens journal`."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from typer.testing import CliRunner

from app.accounts.models import Account, Role
from app.cli import cli
from app.core.db import connected
from app.core.journal import HEAD_FILE, Journal, erase, note
from app.core.journal_proof import strays
from app.core.london import LONDON
from app.core.settings import Settings
from app.outreach.models import Debrief, Engagement, SchemeTest
from app.register import journal_cli
from app.training.models import Attendance, TrainingSession
from app.venues.models import Business, Contact, Venue
from tests.conftest import SignIn
from tests.factories import make_venue

JOURNAL = "/v1/admin/journal"

Command = Callable[[str], tuple[int, str]]


def read(client: httpx.Client, path: str = JOURNAL, **asked: Any) -> list[Any]:
    answer = client.get(path, params=asked)
    assert answer.status_code == 200, answer.text
    items: list[Any] = answer.json()["items"]
    return items


def rename(journal: Journal, venue_id: UUID, entrance: str, actor: str = "account ada") -> None:
    with journal.writing(actor) as session:
        session.get_one(Venue, venue_id).entrance = entrance


def test_the_journal_is_read_newest_first(sign_in: SignIn, journal: Journal) -> None:
    venue = make_venue(journal.engine, entrance="Front door").id
    rename(journal, venue, "Side door")
    rename(journal, venue, "", "account bob")
    second, first = read(sign_in("licensing"))
    assert (first["number"], first["actor"], first["happened"]) == (1, "account ada", "changed")
    assert (first["subject"], first["subject_id"]) == ("venue", str(venue))
    assert first["changes"] == [{"field": "entrance", "before": "Front door", "after": "Side door"}]
    assert second["changes"] == [{"field": "entrance", "before": "Side door", "after": ""}]
    assert datetime.fromisoformat(first["at"]).tzinfo is not None


def test_it_is_verified_over_http(sign_in: SignIn, journal: Journal) -> None:
    rename(journal, make_venue(journal.engine).id, "Side door")
    administrator = sign_in("administrator")
    told = administrator.get(f"{JOURNAL}/check").json()
    assert told == {"checked": 1, "entries": 1, "covered": 1, "misdated": 0}
    assert administrator.get(f"{JOURNAL}/check", params={"after": "WzFd"}).status_code == 422
    assert sign_in("officer").get(f"{JOURNAL}/check").status_code == 403


def test_what_was_recorded_or_removed_shows_only_what_there_was(
    sign_in: SignIn, journal: Journal
) -> None:
    venue = make_venue(journal.engine).id
    with journal.writing("account ada") as session:
        session.add(engagement(venue))
    with journal.writing("account ada") as session:
        session.delete(session.scalars(sa.select(Engagement)).one())
    removed, recorded = read(sign_in("officer"), subject="engagement")
    assert (recorded["happened"], removed["happened"]) == ("recorded", "removed")
    fields = {change["field"] for change in recorded["changes"]}
    assert {"kind", "outcome", "venue_id"} <= fields
    assert "next_step" not in fields, "what was never there is left out"
    assert all("before" not in change for change in recorded["changes"])
    assert all("after" not in change for change in removed["changes"])


def engagement(venue: UUID) -> Engagement:
    return Engagement.model_validate(
        {"venue_id": venue, "kind": "visit", "outcome": "other", **happened("account ada")}
    )


def attendance(training: UUID, venue: UUID) -> Attendance:
    whom = {"session_id": training, "venue_id": venue, "role": "bar_staff"}
    counts = {"new_count": 12, "refresher_count": 0}
    return Attendance.model_validate(whom | counts | happened("account ada"))


def happened(by: str) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {"effective_at": now, "recorded_at": now, "recorded_by": by}


def test_the_journal_is_filtered_and_paged(sign_in: SignIn, journal: Journal) -> None:
    venue, other = make_venue(journal.engine).id, make_venue(journal.engine).id
    for n in range(5):
        rename(journal, venue, f"Door {n}")
    rename(journal, other, "Gate", "account bob")
    officer = sign_in("officer")

    def numbers(**asked: Any) -> list[int]:
        return [entry["number"] for entry in read(officer, **asked)]

    assert numbers(actor="account bob") == [6]
    assert numbers(subject="venue", subject_id=str(other)) == [6]
    assert numbers(subject="business") == []
    today = datetime.now(LONDON).date()
    tomorrow = (today + timedelta(days=1)).isoformat()
    assert len(numbers(**{"from": today.isoformat(), "until": tomorrow})) == 6
    assert numbers(**{"from": tomorrow}) == []
    assert numbers(until=(today - timedelta(days=1)).isoformat()) == []
    page = officer.get(JOURNAL, params={"limit": 4}).json()
    rest = officer.get(JOURNAL, params={"limit": 4, "after": page["next"]}).json()
    assert [e["number"] for e in page["items"] + rest["items"]] == [6, 5, 4, 3, 2, 1]
    assert "next" not in rest
    for wrong in (
        {"subject": "venue'--"},
        {"subject_id": "\x00"},
        {"actor": "a\x00"},
        {"from": "2025-02-01", "until": "2025-01-01"},
        {"until": "9999-12-31"},
        {"colour": "red"},
        {"after": "x"},
    ):
        assert officer.get(JOURNAL, params=wrong).status_code == 422, wrong


def test_only_administrators_read_about_accounts(
    sign_in: SignIn, app: FastAPI, journal: Journal
) -> None:
    venue = make_venue(journal.engine).id
    rename(journal, venue, "Side door")
    with journal.writing("command root") as session:
        session.add(Account(name="eve", roles=[Role.OFFICER], password_hash="argon2-x"))
    assert {e["subject"] for e in read(sign_in("officer"))} == {"venue"}
    administrator = sign_in("administrator")
    assert {e["subject"] for e in read(administrator)} == {"venue", "account"}
    assert "argon2" not in administrator.get(JOURNAL).text
    assert read(sign_in("licensing"), subject="account") == []


def test_nobody_else_reads_it(sign_in: SignIn, anybody: httpx.Client, journal: Journal) -> None:
    venue = make_venue(journal.engine).id
    for path in (JOURNAL, f"/v1/admin/venues/{venue}/journal"):
        assert anybody.get(path).status_code == 401
        assert sign_in("officer").post(path).status_code == 405


def test_the_story_of_a_venue_has_all_that_happened_to_it_in_order(
    sign_in: SignIn, journal: Journal
) -> None:
    venue, other = make_venue(journal.engine).id, make_venue(journal.engine).id
    rename(journal, venue, "Side door")
    rename(journal, other, "Gate")
    with journal.writing("account ada") as session:
        given = TrainingSession(course="wave", **happened("account ada"))
        elsewhere = TrainingSession(course="bystander", **happened("account ada"))
        session.add_all([given, elsewhere])
        session.flush()
        for training, where in ((given, venue), (given, other), (elsewhere, other)):
            session.add(attendance(training.id, where))
    for where in (venue, other):
        with journal.writing("account ada") as session:
            session.add(engagement(where))
    with journal.writing("account ada") as session:
        failed = {"venue_id": venue, "scheme": "ask_for_angela", "result": "failed"}
        test = SchemeTest.model_validate(failed | happened("account ada"))
        session.add(test)
        session.flush()
        session.add(Debrief(test_id=test.id, **happened("account ada")))
    officer = sign_in("officer")
    path = f"/v1/admin/venues/{venue}/journal"
    story = read(officer, path)
    assert [entry["subject"] for entry in story] == [
        *("venue", "training_session", "attendance", "engagement", "scheme_test", "debrief")
    ]
    assert [entry["number"] for entry in story] == sorted(entry["number"] for entry in story)
    assert {"field": "course", "after": "wave"} in story[1]["changes"]
    page = officer.get(path, params={"limit": 4}).json()
    rest = officer.get(path, params={"limit": 4, "after": page["next"]}).json()
    assert page["items"] + rest["items"] == story
    assert officer.get(f"/v1/admin/venues/{uuid4()}/journal").status_code == 404


# --- the command -----------------------------------------------------------------------------


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return Settings.model_validate(
        {"database_url": database_url, "data_dir": tmp_path, "secret_key": "s" * 32}
    )


@pytest.fixture
def command(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs `havens journal …` on a database; gives the exit code and what it says."""
    for module in ("app.cli", "app.backup_cli", "app.register.journal_cli"):
        monkeypatch.setattr(f"{module}.settings", lambda: settings)

    def run(name: str) -> tuple[int, str]:
        result = CliRunner().invoke(cli, ["journal", *name.split()])
        return result.exit_code, result.output

    return run


@pytest.fixture
def kept(settings: Settings) -> Iterator[Journal]:
    with connected(settings.database_url) as engine:
        yield Journal.of(settings, engine)


def test_the_command_says_whether_the_journal_is_whole(
    command: Command, kept: Journal, tmp_path: Path
) -> None:
    agrees = "The register is what the journal says.\n"
    assert command("verify") == (0, f"The journal is whole: 0 entries.\n{agrees}")
    for n in range(3):
        add_business(kept, f"Business {n}")
    assert command("verify") == (0, f"The journal is whole: 3 entries.\n{agrees}")
    older = (tmp_path / HEAD_FILE).read_bytes()
    add_business(kept, "Last Business")
    (tmp_path / HEAD_FILE).write_bytes(older)
    code, said = command("verify")
    assert code == 0
    assert "knows entries up to 3: a cut that took only later ones would not show" in said

    (tmp_path / HEAD_FILE).unlink()
    assert command("verify") == (
        1,
        f"The journal is broken: entry 5 can't be ruled out: {HEAD_FILE} is missing.\n",
    )
    assert command("accept") == (0, f"{HEAD_FILE} now knows entries up to 4.\n")
    assert command("verify") == (0, f"The journal is whole: 4 entries.\n{agrees}")


def test_the_command_names_the_rows_that_differ(
    command: Command, kept: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_cli, "SHOWN", 2)
    venues = [make_venue(kept.engine, safe_haven_from=None).id for _ in range(3)]
    code, said = command("verify")
    assert code == 1
    whole, *named, more, result = said.splitlines()
    assert whole == "The journal is whole: 0 entries."
    assert named == [f"venue {id_} is not in the journal" for id_ in sorted(venues)[:2]]
    assert (more, result) == (
        "… and 1 more", "The register is not what the journal says: 3 rows differ."
    )  # fmt: skip
    assert command("accept --rows") == (0, "Recorded as they stand: 3 rows.\n")
    assert command("verify")[0] == 0
    rename(kept, venues[0], "Side door")
    assert command("verify")[0] == 0


def test_a_row_may_have_been_named_without_hyphens(command: Command, kept: Journal) -> None:
    venue = make_venue(kept.engine, safe_haven_from=None).id
    with kept.writing("command operator") as session:
        [stray] = strays(session)
        assert stray.content
        note(session, [stray.content._replace(subject_id=venue.hex)])
    rename(kept, venue, "Side door")
    assert command("verify")[0] == 0


def add_business(journal: Journal, name: str) -> None:
    with journal.writing("account ada") as session:
        session.add(Business(name=name))


def test_what_the_journal_says_of_a_person_is_read_until_it_is_erased(
    sign_in: SignIn, journal: Journal
) -> None:
    venue = make_venue(journal.engine).id
    with journal.writing("account ada") as session:
        contact = Contact(venue_id=venue, name="Sam Okafor", preferred=True)
        session.add(contact)
        session.flush()
        contact.phone, contact_id = "020 7946 0123", contact.id
    officer = sign_in("officer")
    changed, recorded = read(officer, subject="contact")
    assert {"field": "name", "after": "Sam Okafor"} in recorded["changes"]
    assert changed["happened"] == "changed"
    assert changed["changes"] == [{"field": "phone", "before": "", "after": "020 7946 0123"}]
    assert "erased" not in changed
    with journal.writing("account bob") as session:
        erase(session, [session.get_one(Contact, contact_id)])
    removed, changed, recorded = read(officer, subject="contact")
    assert (removed["happened"], removed["changes"]) == ("removed", [])
    assert (changed["happened"], changed["changes"], changed["erased"]) == ("changed", [], True)
    assert (recorded["happened"], recorded["erased"]) == ("recorded", True)
    assert "Okafor" not in officer.get(JOURNAL).text
