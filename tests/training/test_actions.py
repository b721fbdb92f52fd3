import re
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError
from sqlmodel import select

from app.core.db import connected, read_session
from app.core.events import void
from app.core.journal import Journal, now
from app.core.london import effective
from app.core.settings import Settings
from app.training.actions import declare_headcount, record_session
from app.training.evidence import evidence, trained_in_date
from app.training.grid import training_grid
from app.training.models import Attendance
from app.training.rules import Status
from app.training.schemas import AttendanceIn, HeadcountIn, SessionIn
from app.venues.facts import take_effect
from app.venues.models import Venue
from tests.factories import make_venue

ON = date(2025, 6, 1)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    with connected(database_url) as engine:
        yield engine


@pytest.fixture
def journal(engine: Engine, tmp_path: Path) -> Journal:
    return Journal(engine, b"k" * 32, tmp_path / "journal.head")


def train(journal: Journal, venue: UUID, on: str, new: int, course: str = "wave") -> datetime:
    """Record a session of bar staff; returns when it was recorded."""
    attendance = AttendanceIn.model_validate({"venue_id": venue, "role": "bar_staff", "new": new})
    asked = {"course": course, "on": on, "attendances": [attendance]}
    with journal.writing("test") as session:
        return record_session(session, SessionIn.model_validate(asked)).recorded_at


def declare(journal: Journal, venue: UUID, on: str, staff: int, left: int = 0) -> None:
    with journal.writing("test") as session:
        asked = HeadcountIn(on=date.fromisoformat(on), staff=staff, left=left)
        declare_headcount(session, venue, asked)


def test_trained_in_date(journal: Journal, engine: Engine) -> None:
    venue, other = make_venue(engine).id, make_venue(engine).id
    train(journal, venue, "2025-01-10", 4)
    train(journal, venue, "2025-01-10", 3, course="ask_for_angela")
    train(journal, venue, "2024-01-10", 9, course="bystander")
    train(journal, other, "2025-01-10", 7)
    with read_session(engine) as session:
        assert trained_in_date(session, venue, "wave", ON) == 4
        assert trained_in_date(session, venue, "wave", date(2025, 1, 9)) == 0
        assert trained_in_date(session, venue, "ask_for_angela", ON) == 3
        assert trained_in_date(session, venue, "bystander", ON) == 0
        # Those trained in Ask for Angela may be among those trained in WAVE.
        assert trained_in_date(session, venue, None, ON) == 4
        assert trained_in_date(session, venue, None, date(2024, 6, 1)) == 9
        assert trained_in_date(session, make_venue(engine).id, None, ON) == 0


def test_what_is_being_recorded_counts_at_once(journal: Journal, engine: Engine) -> None:
    venue = make_venue(engine).id
    train(journal, venue, "2025-01-10", 4)
    with journal.writing("test") as session:
        void(session, session.exec(select(Attendance)).one(), "wrong")
        assert trained_in_date(session, venue, "wave", ON) == 0


def test_the_term_of_the_licence_is_that_of_the_day(journal: Journal, engine: Engine) -> None:
    venue = make_venue(engine).id
    train(journal, venue, "2025-01-10", 4)
    with journal.writing("test") as session:
        before = now(session)
        licensed = session.get_one(Venue, venue)
        licensed.refresh_months = 12
        take_effect(session, licensed, effective(date(2025, 1, 1)))
    with journal.writing("test") as session:
        licensed = session.get_one(Venue, venue)
        licensed.refresh_months = 6
        take_effect(session, licensed, effective(date(2025, 9, 1)))
    with read_session(engine) as session:
        for on, known_at, trained, why in (
            (date(2025, 8, 31), None, 4, "the condition is to come"),
            (date(2025, 9, 1), None, 0, "six months from that day on"),
            (date(2025, 9, 1), before, 4, "nobody knew of the condition yet"),
            (date(2025, 2, 1), None, 4, "in date either way"),
        ):
            assert trained_in_date(session, venue, "wave", on, known_at) == trained, why


def test_before_its_first_facts_a_venue_has_those(journal: Journal, engine: Engine) -> None:
    venue = make_venue(engine).id
    with journal.writing("test") as session:
        session.get_one(Venue, venue).refresh_months = 6
    train(journal, venue, "2025-01-10", 4)
    with read_session(engine) as session:
        assert trained_in_date(session, venue, "wave", date(2025, 7, 9)) == 4
        assert trained_in_date(session, venue, "wave", date(2025, 7, 10)) == 0


def test_all_venues_at_once(journal: Journal, engine: Engine) -> None:
    venues = [make_venue(engine).id for _ in range(4)]
    for number, venue in enumerate(venues[:3]):
        train(journal, venue, "2025-01-10", number + 1)
        declare(journal, venue, "2025-02-01", 4)
    statements = []
    with read_session(engine) as session:
        sa.event.listen(engine, "before_cursor_execute", lambda *a: statements.append(a[2]))
        whole = training_grid(session, [ON])
        assert len([sql for sql in statements if sql.startswith("SELECT")]) == 5
        states = {venue: evidence(session, venue, ON).states()["wave"] for venue in venues}
        trained = whole.standings.trained[0, :, whole.courses.index("wave")].tolist()
        assert dict(zip(map(UUID, whole.venues), trained, strict=True)) == dict(
            zip(venues, [1, 2, 3, 0], strict=True)
        )
        assert [states[venue].trained for venue in venues] == [1, 2, 3, 0]
        assert [states[venue].rag for venue in venues] == ["red", "amber", "green", None]
        assert states[venues[3]].status == "never"
        some = training_grid(session, [ON], venues=venues[:2])
        assert some.standings.trained[0, :, some.courses.index("wave")].tolist() == [
            states[venue].trained for venue in map(UUID, some.venues)
        ]
        assert training_grid(session, [ON], venues=[]).venues == []


def test_thresholds_are_settings(
    journal: Journal, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    venue = make_venue(engine).id
    train(journal, venue, "2025-01-10", 3)
    declare(journal, venue, "2025-02-01", 4)
    for module in ("evidence", "grid"):
        monkeypatch.setattr(
            f"app.training.{module}.settings", lambda: Settings(rag_green=80, due_days=300)
        )
    with read_session(engine) as session:
        found = evidence(session, venue, ON).states()["wave"]
        assert (found.rag, found.status) == ("amber", "due")
        grid = training_grid(session, [ON])
        wave = grid.standings.status[0, 0, grid.courses.index("wave")]
        assert list(Status)[wave] == "due"
    with pytest.raises(ValueError, match="HAVENS_RAG_AMBER"):
        Settings(rag_green=40)


def test_the_database_refuses_counts_that_count_nobody(journal: Journal, engine: Engine) -> None:
    train(journal, make_venue(engine).id, "2025-01-10", 4)
    for column, value in (("new_count", 0), ("refresher_count", -1), ("role", "friend")):
        with pytest.raises(IntegrityError), engine.begin() as connection:
            connection.execute(sa.update(Attendance).values({column: value}))


# --- nobody's name ---------------------------------------------------------------------------

TEXT_ABOUT_TRAINING: dict[str, set[str]] = {
    "training_session": {"course", "place", "provider", "note"},
    "attendance": {"role"},
    "headcount": set(),
}
"""The columns about training that hold words, and what the words are about."""

WHO_RECORDED_IT = {"recorded_by", "voided_by", "void_reason"}
A_TRAINEE = re.compile(
    r"trainee|attendee|participant|learner|delegate|candidate|student|employee|staff_member"
    r"|first_?name|last_?name|full_?name|fore_?name|sur_?name|family_?name|date_of_birth|badge"
)


def test_nothing_can_hold_a_trainees_name(engine: Engine) -> None:
    schema = sa.inspect(engine)
    about_training = TEXT_ABOUT_TRAINING.keys()
    for table in schema.get_table_names():
        columns = {column["name"]: column["type"] for column in schema.get_columns(table)}
        telling = [name for name in (table, *columns) if A_TRAINEE.search(name)]
        assert not telling, f"{table} could hold a trainee's name in {telling}"
        refers_to = {key["referred_table"] for key in schema.get_foreign_keys(table)}
        if table in about_training or refers_to & about_training:
            # Whatever is not a number, a date or a key could hold a name.
            harmless = (sa.Integer, sa.DateTime, sa.Date, sa.Boolean, sa.Uuid)
            words = {name for name, kind in columns.items() if not isinstance(kind, harmless)}
            words -= {name for name in words if name == "id" or name.endswith("_id")}
            assert words - WHO_RECORDED_IT == TEXT_ABOUT_TRAINING.get(table), table
