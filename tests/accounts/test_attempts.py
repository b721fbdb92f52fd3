"""How often a password may be tried, by name and address."""

import pytest

from app.accounts import attempts
from app.accounts.attempts import LIMIT, WINDOW_SECONDS, Attempts, TooManyAttempts


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tries(clock: Clock) -> Attempts:
    return Attempts(clock)


def spend(tries: Attempts, name: str = "officer", address: str = "a") -> None:
    for _ in range(LIMIT):
        tries.count(name, address)


def test_the_sixth_has_to_wait_and_is_told_how_long(tries: Attempts, clock: Clock) -> None:
    spend(tries)
    clock.now = 100.5
    with pytest.raises(TooManyAttempts) as refused:
        tries.count("officer", "a")
    assert refused.value.headers == {"Retry-After": str(WINDOW_SECONDS - 100)}


def test_waiting_ends_whatever_is_tried_meanwhile(tries: Attempts, clock: Clock) -> None:
    spend(tries)
    for clock.now in range(0, WINDOW_SECONDS, 10):
        with pytest.raises(TooManyAttempts):
            tries.count("officer", "a")
    clock.now = WINDOW_SECONDS
    tries.count("officer", "a")


def test_a_stranger_elsewhere_does_not_count(tries: Attempts) -> None:
    spend(tries, address="stranger")
    tries.count("officer", "a")
    tries.count("other", "stranger")


def test_success_clears_and_what_came_to_nothing_is_taken_back(tries: Attempts) -> None:
    spend(tries)
    tries.uncount("officer", "a")
    tries.count("officer", "a")
    tries.clear("officer", "a")
    spend(tries)
    tries.uncount("nobody", "a")


def test_only_so_many_are_kept_and_the_newest_stay(
    tries: Attempts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "KEPT", 10)
    spend(tries)
    for number in range(50):
        tries.count(f"name-{number}", "a")
        if number == 5:
            with pytest.raises(TooManyAttempts):
                tries.count("officer", "a")
    assert len(tries._failed) == 10
    assert ("name-49", "a") in tries._failed
