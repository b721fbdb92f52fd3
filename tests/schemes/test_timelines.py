"""All timelines at once against one at a time, as known at any instant, on both databases."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from datetime import UTC, date, datetime, timedelta
from itertools import groupby, pairwise
from random import Random
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, insert

from app.core.db import make_engine, read_session
from app.core.london import LONDON
from app.schemes.columns import NOTHING
from app.schemes.models import Decision
from app.schemes.registry import SchemeKey
from app.schemes.rules import Kind, State, review_due, standing, timeline
from app.schemes.timelines import LOST, WON, changes, standings, timelines
from tests.factories import make_venue
from tests.schemes.histories import YEAR, Made, at, history

FIRST = datetime(2025, 1, 1, tzinfo=UTC)
Decisions = dict[tuple[UUID, SchemeKey], list[Made]]
_MADE = {field.name for field in fields(Made)}


def _instant(chance: Random) -> datetime:
    return FIRST + timedelta(hours=12 * chance.randrange(400))


def _decision(chance: Random, venue_id: UUID, scheme: SchemeKey) -> dict[str, Any]:
    """A decision that may be recorded late, voided, or no legal step at all."""
    effective_at = _instant(chance)
    recorded_at = effective_at + timedelta(hours=6 * chance.randrange(60), microseconds=1)
    award: dict[str, Any] = {"until": None, "grade": None, "certificate": None}
    kind = chance.choice([*Kind, Kind.AWARDED, Kind.AWARDED])
    if kind is Kind.AWARDED:
        last = (effective_at + timedelta(days=chance.randrange(120))).date()
        award = {
            "until": chance.choice([None, last, last, last]),
            "grade": chance.choice([None, "commended"]),
            "certificate": f"N-{chance.getrandbits(56)}",
        }
    return award | {
        "id": UUID(int=chance.getrandbits(128)),
        "venue_id": venue_id,
        "scheme": scheme,
        "kind": kind,
        "effective_at": effective_at,
        "recorded_at": recorded_at,
        "recorded_by": "test",
        "voided_at": chance.choice([None, None, recorded_at + timedelta(days=20)]),
    }


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = make_engine(database_url)
    yield engine
    engine.dispose()


def _store(engine: Engine, chance: Random) -> Decisions:
    """Random histories of a dozen venues, stored, and the same by venue and scheme."""
    venues = [make_venue(engine, safe_haven_from=None).id for _ in range(12)]
    rows = [
        _decision(chance, venue_id, scheme)
        for venue_id in venues
        for scheme in SchemeKey
        for _ in range(chance.randrange(9))
    ]
    chance.shuffle(rows)
    with engine.execution_options(writes=True).begin() as connection:
        connection.execute(insert(Decision), rows)
    decided: Decisions = defaultdict(list)
    for row in rows:
        decided[row["venue_id"], row["scheme"]].append(_made(row))
    return decided


def _made(row: dict[str, Any]) -> Made:
    return Made(**{name: value for name, value in row.items() if name in _MADE})


def _as_known(decisions: Sequence[Made], known_at: datetime) -> list[Made]:
    """Those that had been recorded by an instant and not been voided."""
    return [
        replace(decision, voided_at=None)
        for decision in decisions
        if decision.recorded_at <= known_at
        and (decision.voided_at is None or decision.voided_at > known_at)
    ]


def test_all_at_once_is_one_at_a_time(engine: Engine) -> None:
    chance = Random(4)
    decided = _store(engine, chance)
    states: Counter[State] = Counter()
    for _ in range(25):
        known_at = _instant(chance)
        with read_session(engine) as session:
            as_known = timelines(session, known_at)
        assert set(as_known) <= set(decided)
        instants = sorted(_instant(chance) for _ in range(5))
        for key, all_decisions in decided.items():
            decisions, spans = _as_known(all_decisions, known_at), as_known.get(key, [])
            assert spans == timeline(decisions)
            one_by_one = [standing(decisions, at) for at in instants]
            assert standings(spans, instants) == one_by_one
            states.update(held.state for held in one_by_one)
    assert set(states) == set(State)


def test_how_all_stand_at_once_is_how_each_does(engine: Engine) -> None:
    chance = Random(6)
    _store(engine, chance)
    applying = State.APPLIED, State.ASSESSED
    shown: Counter[State] = Counter()
    for _ in range(25):
        with read_session(engine) as session:
            whole = timelines(session, _instant(chance))
        first, last = sorted(_instant(chance) for _ in range(2))
        for besides in ((), applying):
            at = whole.at(last, besides)
            expected = [
                [
                    span.standing
                    for span in spans
                    if span.start <= last and span.standing.state not in besides
                ][-1:]
                for spans in whole.values()
            ]
            found = [[] if one == NOTHING else whole.standings(np.array([one])) for one in at]
            assert found == expected
            assert [list(State)[place] for place in whole.states(at)] == [
                held[0].state if held else State.NONE for held in expected
            ]
            shown.update(held.state for standing in expected for held in standing)
        assert {(UUID(venue), scheme) for venue, scheme in whole.in_force(last)} == {
            key
            for key, spans in whole.items()
            if standings(spans, [last])[0].state is State.IN_FORCE
        }
        assert whole.turning(first, last) == {
            key: spans
            for key, spans in whole.items()
            if any(first <= span.start <= last for span in spans)
        }
    assert {*applying, State.IN_FORCE, State.EXPIRED} <= set(shown)


def test_only_those_asked_for(engine: Engine) -> None:
    decided = _store(engine, Random(5))
    two, one = sorted({venue_id for venue_id, _ in decided})[:2], SchemeKey.SAFETY_THIRST
    end = FIRST + timedelta(days=1000)
    with read_session(engine) as session:
        whole = timelines(session, end)
        assert timelines(session, end, venues=two, schemes=[one]) == {
            key: spans for key, spans in whole.items() if key[0] in two and key[1] is one
        }
        many = {*two, *(UUID(int=number) for number in range(200))}
        assert timelines(session, end, venues=many) == timelines(session, end, venues=two)
        assert timelines(session, end, venues=[]) == {}
        assert timelines(session, FIRST - timedelta(days=1)) == {}


def test_states_alone_have_no_grades_and_no_certificates(engine: Engine) -> None:
    _store(engine, Random(7))
    end = FIRST + timedelta(days=1000)
    with read_session(engine) as session:
        whole, states = timelines(session, end), timelines(session, end, states_only=True)
    assert {span.standing.certificate for spans in whole.values() for span in spans} != {None}
    assert states == {
        key: [
            span._replace(standing=span.standing._replace(grade=None, certificate=None))
            for span in spans
        ]
        for key, spans in whole.items()
    }


def test_an_empty_register(engine: Engine) -> None:
    with read_session(engine) as session:
        assert timelines(session, FIRST) == {}


# --- what becomes of them --------------------------------------------------------------------

VENUE = UUID(int=1)
SCHEME = SchemeKey.SAFE_HAVEN


def _turns(decisions: Sequence[Made], first: str, last: str) -> list[str]:
    turned = changes({(VENUE, SCHEME): timeline(decisions)}, at(first), at(last))
    assert all((one.venue_id, one.scheme) == (VENUE, SCHEME) for one in turned)
    return [f"{one.turn} {one.at.astimezone(LONDON):%m-%d}" for one in turned]


@pytest.mark.parametrize(
    ("decisions", "expected", "why"),
    [
        (YEAR, ["awarded 01-01"], "the first award; its end lies outside"),
        ("awarded 2025-12-31 until 2026-12-30", ["expired 12-31"], "awarded before, ended within"),
        (
            "awarded 2024-01-01 until 2024-12-31; awarded 2026-02-01 until 2027-01-31",
            ["awarded_again 02-01"],
            "not its first award",
        ),
        (
            "awarded 2025-05-01 until 2026-04-30; awarded 2026-05-01 until 2027-04-30",
            ["renewed 05-01"],
            "from one day to the next: neither won nor lost",
        ),
        (
            "awarded 2025-05-01 until 2026-04-30; awarded 2026-03-01 until 2027-02-28",
            ["renewed 03-01"],
            "while the old award lasts",
        ),
        (
            "awarded 2025-05-01 until 2026-04-30; awarded 2026-05-02 until 2027-05-01",
            ["expired 05-01", "awarded_again 05-02"],
            "a day too late",
        ),
        (
            f"{YEAR}; suspended 2026-03-01; reinstated 2026-04-01",
            ["awarded 01-01", "suspended 03-01", "reinstated 04-01"],
            "a suspension loses it, its end wins it back",
        ),
        (
            f"{YEAR}; suspended 2026-03-01; withdrawn 2026-04-01; awarded 2026-06-01",
            ["awarded 01-01", "suspended 03-01", "awarded_again 06-01"],
            "what is suspended can't be lost again",
        ),
        (
            "awarded 2025-06-01 until 2026-05-31; suspended 2026-05-01",
            ["suspended 05-01"],
            "nor does it expire",
        ),
        (f"{YEAR}; withdrawn 2026-03-01", ["awarded 01-01", "withdrawn 03-01"], "given up"),
        (
            "awarded 2025-06-01 until 2026-05-31; applied 2026-06-01",
            ["expired 06-01"],
            "applied for again at the very instant of its end",
        ),
        (
            f"{YEAR}; applied 2026-03-01; refused 2026-04-01",
            ["awarded 01-01"],
            "an application changes nothing of what is in force",
        ),
        (
            f"{YEAR}; suspended 2026-03-01; reinstated 2026-03-01",
            ["awarded 01-01"],
            "a suspension of no length",
        ),
        ("applied 2026-02-01; refused 2026-03-01", [], "never in force"),
    ],
)
def test_changes(decisions: str, expected: list[str], why: str) -> None:
    assert _turns(history(decisions), "2026-01-01", "2026-12-31T23:59:59") == expected, why


def test_both_ends_of_a_period_belong_to_it() -> None:
    decisions = history(f"{YEAR}; suspended 2026-03-01")
    assert _turns(decisions, "2026-01-01", "2026-03-01") == ["awarded 01-01", "suspended 03-01"]
    assert _turns(decisions, "2026-01-01T00:00:01", "2026-02-28T23:59:59") == []


def test_a_withdrawal_leaves_the_award_before_it() -> None:
    decisions = history(f"{YEAR}; withdrawn 2026-03-01")
    (lost,) = changes({(VENUE, SCHEME): timeline(decisions)}, at("2026-02-01"), at("2026-04-01"))
    assert (lost.before.certificate, lost.before.until) == ("N0", date(2026, 12, 31))
    assert lost.after.certificate is None


@given(st.randoms(use_true_random=False), st.integers(0, 250), st.integers(0, 250))
def test_those_before_and_won_less_lost_are_in_force_after(
    chance: Random, start: int, length: int
) -> None:
    first = FIRST + timedelta(days=start)
    last = first + timedelta(days=length)
    register = {}
    for number in range(6):
        rows = [_decision(chance, VENUE, SCHEME) for _ in range(chance.randrange(10))]
        decisions = _as_known([_made(row) for row in rows], FIRST + timedelta(days=900))
        register[UUID(int=number), SCHEME] = timeline(decisions)

    def in_force(at: datetime) -> int:
        return sum(standings(spans, [at])[0].state is State.IN_FORCE for spans in register.values())

    turned = changes(register, first, last)
    won, lost = (sum(one.turn in some for one in turned) for some in (WON, LOST))
    assert in_force(first - timedelta(microseconds=1)) + won - lost == in_force(last)
    assert [one.at for one in turned] == sorted(one.at for one in turned)
    for _, one_by_one in groupby(
        sorted(turned, key=lambda one: one.venue_id), lambda one: one.venue_id
    ):
        flips = [one.turn in WON for one in one_by_one if one.turn in WON + LOST]
        assert all(before != after for before, after in pairwise(flips))


@pytest.mark.parametrize(
    ("decisions", "months", "expected", "why"),
    [
        ("awarded 2025-03-10", 12, date(2026, 3, 10), "a year after it was signed"),
        ("awarded 2025-03-10; awarded 2026-02-01", 12, date(2027, 2, 1), "signed again"),
        ("awarded 2024-02-29", 12, date(2025, 3, 1), "no 29 February"),
        ("awarded 2025-03-10", None, None, "no reviews are held"),
        ("awarded 2025-03-10; suspended 2025-04-01", 12, None, "not in force"),
        ("applied 2025-03-10", 12, None, "not awarded"),
        ("", 12, None, "nothing at all"),
    ],
)
def test_review_due(decisions: str, months: int | None, expected: date | None, why: str) -> None:
    assert review_due(standing(history(decisions), at("2027-06-01")), months) == expected, why
