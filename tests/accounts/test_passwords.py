"""Passwords: what they may be, and how they are checked."""

import pytest
from argon2 import PasswordHasher
from pydantic import SecretStr, TypeAdapter, ValidationError

from app.accounts import passwords
from app.accounts.passwords import ChosenPassword, Password, hashed, temporary, verified

RIGHT = SecretStr("correct horse battery")
WRONG = SecretStr("incorrect horse battery")


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
