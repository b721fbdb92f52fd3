"""Passwords: what they may be, and that checking them can't stop the service."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from argon2 import PasswordHasher
from pydantic import SecretStr, TypeAdapter, ValidationError

from app.accounts import passwords
from app.accounts.passwords import Busy, ChosenPassword, Password, hashed, temporary, verified
from tests.servers import until

RIGHT = SecretStr("correct horse battery")
WRONG = SecretStr("incorrect horse battery")


class SlowHasher:
    """Hashes when told to, and knows how many were under way at once."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.running = self.most = self.asked = 0
        self._lock = threading.Lock()

    def hash(self, password: str) -> str:
        with self._lock:
            self.running += 1
            self.asked += 1
            self.most = max(self.most, self.running)
        assert self.go.wait(30)
        with self._lock:
            self.running -= 1
        return password[::-1]


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowHasher]:
    hasher = SlowHasher()
    monkeypatch.setattr(passwords, "_hasher", hasher)
    yield hasher
    hasher.go.set()


def test_a_right_password_is_verified_and_a_wrong_one_is_not() -> None:
    hash_ = hashed(RIGHT)
    assert hash_.startswith("$argon2id$")
    assert verified(RIGHT, hash_) == hash_
    assert verified(WRONG, hash_) is None
    assert verified(RIGHT, "not a hash") is None


def test_finding_no_account_takes_the_same_path_as_a_wrong_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    verify, seen = PasswordHasher.verify, []

    def watched(self: PasswordHasher, hash_: str, password: str) -> object:
        seen.append((hash_, password))
        return verify(self, hash_, password)

    monkeypatch.setattr(PasswordHasher, "verify", watched)
    assert verified(RIGHT, None) is None
    [(hash_, password)] = seen
    assert password == RIGHT.get_secret_value()
    assert not passwords._hasher.check_needs_rehash(hash_)


def test_a_hash_of_other_parameters_is_replaced_when_the_password_is_right() -> None:
    dated = PasswordHasher(time_cost=2, memory_cost=16, parallelism=1).hash(
        RIGHT.get_secret_value()
    )
    assert verified(WRONG, dated) is None
    fresh = verified(RIGHT, dated)
    assert fresh is not None
    assert fresh != dated
    assert verified(RIGHT, fresh) == fresh


def test_two_are_hashed_at_once_a_few_wait_and_the_rest_are_told(slow: SlowHasher) -> None:
    with ThreadPoolExecutor(30) as pool:
        first = [pool.submit(hashed, RIGHT) for _ in range(8)]
        until(lambda: slow.running == 2 and passwords._waiting._value == 0)
        for late in [pool.submit(hashed, RIGHT) for _ in range(22)]:
            with pytest.raises(Busy):
                late.result(30)
        slow.go.set()
        assert {done.result(30) for done in first} == {RIGHT.get_secret_value()[::-1]}
    assert (slow.most, slow.asked) == (2, 8)


def test_nobody_waits_for_long(slow: SlowHasher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_PATIENCE_SECONDS", 0.01)
    with ThreadPoolExecutor(3) as pool:
        first = [pool.submit(hashed, RIGHT) for _ in range(2)]
        until(lambda: slow.running == 2)
        with pytest.raises(Busy):
            hashed(RIGHT)
        slow.go.set()
        for done in first:
            done.result(30)
    assert hashed(RIGHT), "and afterwards there is room again"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("elevenchars", "too short"),
        ("", "nothing"),
        ("x" * 201, "too long"),
        ("x" * 20_000, "far too long"),
        ("correct\0horse battery", "NUL"),
        ("correct horse\nbattery", "a line end"),
        ("correct horse battery\x7f", "a control character"),
        ("correct horse \ud800 battery", "half a character"),
    ],
)
def test_what_can_not_be_a_password_is_refused_before_it_is_hashed(text: str, why: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(ChosenPassword).validate_python(text)


@pytest.mark.parametrize("text", ["x" * 12, "x" * 200, "pässwörter sind lang", "🐎🔋📎✅" * 3])
def test_what_can_be_a_password(text: str) -> None:
    chosen = TypeAdapter(ChosenPassword).validate_python(text)
    assert verified(chosen, hashed(chosen))


def test_composed_in_another_way_it_is_the_same_password() -> None:
    typed = TypeAdapter[SecretStr](Password).validate_python
    assert typed("cafe\u0301 au lait") == typed("caf\u00e9 au lait")


def test_temporary_passwords_differ_and_may_be_chosen() -> None:
    made = {temporary().get_secret_value() for _ in range(100)}
    assert len(made) == 100
    for password in made:
        TypeAdapter(ChosenPassword).validate_python(password)
