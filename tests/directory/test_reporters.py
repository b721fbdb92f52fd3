"""Tokens for those who report: so many at once, back with time, in bounded memory."""

import asyncio
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError
from sqlmodel import select

from app.core.db import read_session
from app.core.journal import Journal
from app.directory import reporters as reporters_module
from app.directory.reporters import Reporters, Tokens
from app.http.database import Unavailable
from app.outreach.models import ProblemReport, ReportKind
from app.outreach.schemas import ProblemReportIn
from tests.factories import make_venue


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def taken(tokens: Tokens, key: bytes, tries: int = 10) -> int:
    return sum(tokens.take(key) for _ in range(tries))


def test_tokens_come_back_one_by_one() -> None:
    clock = Clock()
    tokens = Tokens(3, 60, clock=clock)
    assert taken(tokens, b"a") == 3
    assert taken(tokens, b"b") == 3, "each has its own"
    clock.now += 59
    assert taken(tokens, b"a") == 0
    clock.now += 1
    assert taken(tokens, b"a") == 1
    clock.now += 1000
    assert taken(tokens, b"a") == 3, "never more than it began with"
    tokens.give_back(b"a")
    assert taken(tokens, b"a") == 1


def test_who_has_all_tokens_is_forgotten_and_so_are_the_last_of_too_many() -> None:
    clock = Clock()
    tokens = Tokens(1, 60, most=100, clock=clock)
    for number in range(1000):
        assert tokens.take(number.to_bytes(2))
        assert len(tokens._full_at) <= 100
    clock.now += 60
    assert tokens.take(b"a")
    assert list(tokens._full_at) == [b"a"]
    tokens.give_back(b"b")
    assert list(tokens._full_at) == [b"a"]


def test_one_that_cannot_be_written_takes_no_other_with_it(engine: Engine, tmp_path: Path) -> None:
    journal = Journal(engine, b"k" * 32, tmp_path / "journal.head")
    haven, given = make_venue(engine).id, ProblemReportIn(kind=ReportKind.CLOSED)

    async def crowd() -> list[object]:
        reporters = Reporters(journal)
        sent = [(f"{number}", haven) for number in range(5)]
        sent.insert(2, ("6", uuid4()))
        keeping = (reporters.keep(client, haven_id, given) for client, haven_id in sent)
        return await asyncio.gather(*keeping, return_exceptions=True)

    said = asyncio.run(crowd())
    assert isinstance(said.pop(2), IntegrityError)
    assert said == [None] * 5
    with read_session(engine) as session:
        assert len(session.exec(select(ProblemReport)).all()) == 5


def test_trouble_costs_no_token_and_junk_takes_few_places_in_the_line(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(engine, b"k" * 32, tmp_path / "journal.head")
    haven, given = make_venue(engine).id, ProblemReportIn(kind=ReportKind.CLOSED)
    monkeypatch.setattr(reporters_module, "MOST_WAITING", 9)
    monkeypatch.setattr(reporters_module, "JUNK_WAITING", 7)

    async def crowd() -> list[list[BaseException | None]]:
        reporters = Reporters(journal)
        rounds = []
        for _ in range(2):
            clients = ["flood"] * 10 + ["a", "b", "c"]
            keeping = (reporters.keep(client, haven, given) for client in clients)
            rounds.append(await asyncio.gather(*keeping, return_exceptions=True))
        return rounds

    first, second = asyncio.run(crowd())
    assert [error is None for error in first] == [True] * 7 + [False] * 3 + [True] * 2 + [False]
    assert {type(error) for error in first if error} == {Unavailable}
    assert [error is None for error in second] == [True] * 7 + [False] * 3 + [True] * 2 + [False]
    with read_session(engine) as session:
        kept = [report.set_apart for report in session.exec(select(ProblemReport))]
    assert sorted(kept) == [False] * (5 + 4) + [True] * (2 + 7)
