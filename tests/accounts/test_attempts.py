"""How often a password may be tried, by name and client, or by a device that is known."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, col, select

from app.accounts.attempts import KEPT, KNOWN, STRANGERS, Asker, Attempts, TooManyAttempts
from app.accounts.models import FailedSignIn
from app.accounts.tokens import Device

BEGIN = datetime(2026, 3, 2, 22, 0, tzinfo=UTC)
DEVICE = Device(uuid4(), uuid4(), 0)


class Clock:
    now = BEGIN

    def __call__(self) -> datetime:
        return self.now

    def at(self, **since: float) -> None:
        self.now = BEGIN + timedelta(**since)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tries(engine: Engine, clock: Clock) -> Attempts:
    return Attempts(engine, b"key", clock)


def stranger(tries: Attempts, name: str = "officer", client: str = "203.0.113.9") -> Asker:
    return tries.asker(None, name, client, None)


def known(tries: Attempts, device: Device = DEVICE) -> Asker:
    return tries.asker(None, "officer", "203.0.113.9", device)


def spend(tries: Attempts, asker: Asker) -> None:
    for _ in range(asker.allowance.tries):
        tries.count(asker)
    for turned_away in (tries.count, tries.refuse):
        with pytest.raises(TooManyAttempts):
            turned_away(asker)


def kept(engine: Engine) -> list[FailedSignIn]:
    with Session(engine) as session:
        return list(session.exec(select(FailedSignIn).order_by(col(FailedSignIn.at))))


@pytest.mark.parametrize(
    ("asks", "allowed", "title"),
    [(stranger, (5, 15 * 60), "try again in 13 min"), (known, (10, 3600), "try again in 58 min")],
    ids=["stranger", "known"],
)
def test_one_too_many_waits_and_is_told_how_long(
    tries: Attempts, clock: Clock, asks: object, allowed: tuple[int, int], title: str
) -> None:
    assert callable(asks)
    asker = asks(tries)
    assert (asker.allowance.tries, asker.allowance.within.seconds) == allowed
    for _ in range(allowed[0]):
        tries.count(asker)
    clock.at(seconds=125.5)
    with pytest.raises(TooManyAttempts, match=title) as refused:
        tries.refuse(asker)
    assert refused.value.headers == {"Retry-After": str(allowed[1] - 125)}
    with pytest.raises(TooManyAttempts):
        tries.count(asker)
    # What was tried while waiting did not count.
    clock.at(seconds=allowed[1])
    tries.refuse(asker)
    tries.count(asker)


def test_those_elsewhere_and_those_known_are_counted_apart(tries: Attempts) -> None:
    spend(tries, stranger(tries))
    for other in (
        stranger(tries, client="198.51.100.7"),
        stranger(tries, name="other"),
        known(tries),
    ):
        spend(tries, other)
    tries.count(known(tries, Device(uuid4(), DEVICE.account_id, 0)))


def test_a_right_password_takes_back_what_was_counted_and_leaves_it_to_be_seen(
    tries: Attempts, engine: Engine
) -> None:
    asker = stranger(tries)
    *_, right = [tries.count(asker) for _ in range(3)]
    spend(tries, stranger(tries, name="other"))
    tries.was_right(asker, right)
    assert len(kept(engine)) == 2 + STRANGERS.tries
    spend(tries, asker)
    with pytest.raises(TooManyAttempts):
        tries.count(stranger(tries, name="other"))


def test_many_at_once_do_not_slip_by_whichever_process_they_ask(
    engine: Engine, clock: Clock
) -> None:
    processes = [Attempts(engine, b"key", clock) for _ in range(2)]
    asker = stranger(processes[0])

    def passes(number: int) -> bool:
        try:
            processes[number % 2].count(asker)
        except TooManyAttempts:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(passes, range(16))) == STRANGERS.tries


def test_a_clock_that_was_far_ahead_keeps_nobody_out(tries: Attempts, clock: Clock) -> None:
    clock.at(days=366)
    spend(tries, stranger(tries))
    clock.at()
    tries.count(stranger(tries))


def test_that_somebody_is_turned_away_is_written_once_and_all_is_kept_a_week(
    tries: Attempts, clock: Clock, engine: Engine
) -> None:
    spend(tries, stranger(tries))
    assert [tries.note(stranger(tries)) for _ in range(3)] == [True, False, False]
    with pytest.raises(TooManyAttempts) as refused:
        tries.refuse(stranger(tries))
    assert refused.value.is_noted
    assert sorted(row.throttled for row in kept(engine)) == [False] * STRANGERS.tries + [True]
    clock.at(seconds=KEPT.total_seconds() + 1)
    tries.count(stranger(tries))
    assert len(kept(engine)) == 1


def test_neither_the_name_nor_the_address_is_kept(tries: Attempts, engine: Engine) -> None:
    networks = {
        "203.0.113.9": "203.0.113.0/24",
        "2001:db8:2:3::": "2001:db8:2::/48",
        "": None,
    }
    for client in networks:
        tries.count(tries.asker(None, "my secret phrase", client, None))
    rows = kept(engine)
    assert {row.network for row in rows} == {*networks.values()}
    text = "".join(row.model_dump_json() for row in rows)
    for secret in ("my secret phrase", "203.0.113.9", "2001:db8:2:3"):
        assert secret not in text
    others = Attempts(engine, b"another key", tries._now)
    assert others.asker(None, "x", "y", None) != tries.asker(None, "x", "y", None)
    assert KNOWN.within < KEPT
