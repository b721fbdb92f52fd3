"""Keys are made from secrets that nobody can guess, the newest first."""

import pytest

from app.core.settings import KeepDays, Settings, UnsafeSettings

NEW, OLD = "n" * 32, "o" * 32


def settings(**given: object) -> Settings:
    return Settings.model_validate({"environment": "production", **given})


def test_the_newest_secret_signs_and_older_ones_verify() -> None:
    both = settings(secret_key=NEW, old_secret_keys=[OLD])
    assert both.keys("journal") == (
        settings(secret_key=NEW).key("journal"),
        settings(secret_key=OLD).key("journal"),
    )
    assert both.key("journal") == both.keys("journal")[0]
    assert len({*both.keys("journal"), *both.keys("tokens")}) == 4


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({}, "HAVENS_SECRET_KEY"),
        ({"secret_key": "short"}, "HAVENS_SECRET_KEY"),
        ({"secret_key": NEW, "old_secret_keys": [OLD, "short"]}, "HAVENS_OLD_SECRET_KEYS"),
        ({"secret_key": NEW, "old_secret_keys": [""]}, "HAVENS_OLD_SECRET_KEYS"),
    ],
    ids=["none", "short", "short and old", "empty and old"],
)
def test_a_secret_that_can_be_guessed_is_refused(given: dict[str, object], name: str) -> None:
    with pytest.raises(UnsafeSettings, match=f"^{name} must hold at least 32 bytes"):
        settings(**given).keys("journal")


def test_both_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAVENS_OLD_SECRET_KEYS", f'["a b, {OLD}"]')
    monkeypatch.setenv("HAVENS_KEEP_DAYS", '{"comments": 180}')
    read = Settings()
    assert [key.get_secret_value() for key in read.old_secret_keys] == [f"a b, {OLD}"]
    assert read.keep_days == KeepDays(comments=180)
    assert OLD not in repr(read)
