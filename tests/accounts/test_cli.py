"""`havens account` as an operator meets it."""

import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlmodel import Session, select
from typer.testing import CliRunner, Result

from app.accounts.cli import accounts
from app.accounts.demo import FILE, demo_accounts
from app.accounts.models import Account, Role
from app.accounts.passwords import verified
from app.core.db import make_engine, migrate
from app.core.journal import Journal
from app.core.journal_chain import Entry
from app.core.settings import Settings, UnsafeSettings, settings
from tests.accounts import SECRET

Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def _fresh_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("HAVENS_DATA_DIR", str(tmp_path / "new" / "data"))
    monkeypatch.setenv("HAVENS_SECRET_KEY", SECRET)
    for name in ("HAVENS_ENVIRONMENT", "HAVENS_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LOGNAME", "wren")
    settings.cache_clear()
    yield
    settings.cache_clear()


def run(*arguments: str, typed: str = "") -> Result:
    return CliRunner().invoke(accounts, arguments, input=typed)


def stored(name: str) -> Account:
    engine = make_engine(settings().database_url)
    try:
        with Session(engine) as session:
            return session.exec(select(Account).where(Account.name == name)).one()
    finally:
        engine.dispose()


def entries() -> list[Entry]:
    engine = make_engine(settings().database_url)
    try:
        assert Journal.of(settings(), engine).verify() is None
        with Session(engine) as session:
            return [*session.exec(select(Entry))]
    finally:
        engine.dispose()


def test_an_account_is_added_with_a_temporary_password_shown_once() -> None:
    done = run("add", "P.Okafor", "--role", "officer", "--role", "licensing")
    assert done.exit_code == 0, done.output
    password = done.stdout.strip().removeprefix("Temporary password: ")
    account = stored("p.okafor")
    assert account.roles == [Role.LICENSING, Role.OFFICER]
    assert account.password_is_temporary
    assert verified(SecretStr(password), account.password_hash)
    assert {entry.actor for entry in entries()} == {"command wren"}


def test_a_password_that_is_given_is_the_owners() -> None:
    done = run("add", "p.okafor", "--role=officer", "--password-stdin", typed="a long password\n")
    assert (done.exit_code, done.stdout) == (0, "")
    account = stored("p.okafor")
    assert not account.password_is_temporary
    assert verified(SecretStr("a long password"), account.password_hash)


@pytest.mark.parametrize(
    ("arguments", "typed", "says"),
    [
        (["add", "p okafor", "--role=officer"], "", "pattern"),
        (["add", "known", "--role=officer"], "", "There is an account of this name"),
        (["add", "p.okafor"], "", "--role"),
        (["add", "p.okafor", "--role=owner"], "", "owner"),
        (["add", "p.okafor", "--role=officer", "--password-stdin"], "short-one\n", "12"),
        (["add", "p.okafor", "--role=officer", "--password-stdin"], "", "12"),
        (["reset", "unknown"], "", "There is no such account"),
        (["disable", "known"], "", "the last administrator"),
        (["roles", "known", "--role=officer"], "", "the last administrator"),
    ],
)
def test_what_can_not_be_is_said_and_changes_nothing(
    arguments: list[str], typed: str, says: str
) -> None:
    assert run("add", "known", "--role", "administrator").exit_code == 0
    before = entries()
    done = run(*arguments, typed=typed)
    assert done.exit_code != 0
    assert says in done.output
    assert "short-one" not in done.output
    assert "Temporary" not in done.output
    assert entries() == before


def test_accounts_are_disabled_enabled_reset_given_roles_and_listed() -> None:
    run("add", "first", "--role", "administrator")
    run("add", "second", "--role", "officer")
    old = stored("second").password_hash
    assert run("disable", "second").exit_code == 0
    assert stored("second").disabled
    listed = run("list").stdout
    assert "first" in listed
    assert "disabled" in listed
    assert run("enable", "second").exit_code == 0
    assert not stored("second").disabled
    assert run("roles", "second", "--role", "administrator").exit_code == 0
    assert stored("second").roles == [Role.ADMINISTRATOR]
    assert run("disable", "first").exit_code == 0
    assert "Temporary password" in run("reset", "second").stdout
    assert stored("second").password_hash != old


def test_production_without_a_secret_makes_no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HAVENS_SECRET_KEY")
    settings.cache_clear()
    done = run("add", "p.okafor", "--role", "officer")
    assert isinstance(done.exception, UnsafeSettings)
    assert not (settings().data_dir / "havens.sqlite").exists()


def test_a_demonstration_has_an_account_for_each_role(tmp_path: Path) -> None:
    demo = Settings.model_validate({"environment": "demo", "data_dir": tmp_path})
    migrate(demo.database_url)
    engine = make_engine(demo.database_url)
    try:
        journal = Journal.of(demo, engine)
        passwords = demo_accounts(journal, demo)
        assert passwords.keys() == {*Role}
        assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600
        assert demo_accounts(journal, demo) == passwords
        with Session(engine) as session:
            for account in session.exec(select(Account)):
                assert account.roles == [account.name]
                assert not account.password_is_temporary
                assert verified(SecretStr(passwords[account.name]), account.password_hash)

        (tmp_path / FILE).unlink()
        others = demo_accounts(journal, demo)
        assert not set(passwords.values()).intersection(others.values())
        with Session(engine) as session:
            for account in session.exec(select(Account)):
                assert verified(SecretStr(others[account.name]), account.password_hash)
    finally:
        engine.dispose()


def test_production_has_no_account_of_its_own(sqlite_url: str, tmp_path: Path) -> None:
    given = {"secret_key": SECRET, "data_dir": tmp_path, "database_url": sqlite_url}
    production = Settings.model_validate(given)
    engine = make_engine(sqlite_url)
    assert demo_accounts(Journal.of(production, engine), production) == {}
    assert not (tmp_path / FILE).exists()
    engine.dispose()


def test_a_second_factor_that_was_lost_is_reset() -> None:
    run("add", "p.okafor", "--role", "administrator")
    engine = make_engine(settings().database_url)
    try:
        with Journal.of(settings(), engine).writing("test") as session:
            account = session.exec(select(Account)).one()
            account.second_factor, account.recovery_hashes = "sealed", ["hash"]
    finally:
        engine.dispose()
    before = stored("p.okafor").generation
    assert run("reset-second-factor", "p.okafor").exit_code == 0
    account = stored("p.okafor")
    assert (account.second_factor, account.recovery_hashes) == (None, [])
    assert account.generation == before + 1
    assert run("reset-second-factor", "nobody").exit_code == 1
    entries()
