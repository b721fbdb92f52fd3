"""A token opens the door only if this service wrote it, for a sign-in that still lasts."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI

from app.accounts.tokens import (
    ACCESS_SECONDS,
    DEVICE_SECONDS,
    LENGTH,
    OLD_KEY_SECONDS,
    Device,
    Tokens,
    Unauthorized,
)
from app.http.connections import Limits
from tests.accounts import add_account, make_app, sign_in
from tests.accounts.hostile import HOSTILE, KEY, Forger, Text
from tests.servers import serving


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> FastAPI:
    folder = tmp_path_factory.mktemp("tokens")
    url = f"sqlite:///{shutil.copyfile(sqlite_template, folder / 'havens.sqlite')}"
    return make_app(url, folder)


@pytest.fixture(scope="module")
def client(app: FastAPI) -> Iterator[httpx.Client]:
    with serving(app) as client:
        yield client


@pytest.fixture
def forger(app: FastAPI) -> Forger:
    engine = app.state.journal.engine
    account = add_account(engine, "officer", "administrator")
    good = sign_in(app, account)["Authorization"].removeprefix("Bearer ")
    return Forger(good, add_account(engine, "officer"))


def asked_with(client: httpx.Client, authorization: Text) -> httpx.Response:
    value = authorization if isinstance(authorization, bytes) else authorization.encode()
    return client.get("/v1/auth/me", headers=[(b"Authorization", value)])


def test_the_forger_writes_what_we_write(client: httpx.Client, forger: Forger) -> None:
    # So each forgery below is refused for the one thing that differs.
    assert forger.write() == forger.good
    assert asked_with(client, f"Bearer {forger.good}").status_code == 200
    assert len(HOSTILE) > 100


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_token_opens_nothing(
    client: httpx.Client, app: FastAPI, forger: Forger, name: str
) -> None:
    hostile = HOSTILE[name](forger)
    assert hostile != forger.good
    text = hostile.decode("latin-1") if isinstance(hostile, bytes) else hostile
    if name not in {"unknown account", "another account", "unknown sign-in"}:
        # Those three are as we would write them; only the database knows better.
        with pytest.raises(Unauthorized):
            app.state.tokens.read(text)
    raw = hostile if isinstance(hostile, bytes) else hostile.encode()
    answer = asked_with(client, (b"Bearer " + raw).rstrip())
    if len(raw) > Limits.line:
        assert answer.status_code == 431
        return
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.json()["type"] == "urn:safe-havens:problem:unauthorized"


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Basic b2ZmaWNlcjpwYXNzd29yZA==",
        "Token {}",
        "{}",
        "Bearer Bearer {}",
    ],
)
def test_another_kind_of_authorization_opens_nothing(
    client: httpx.Client, forger: Forger, authorization: str
) -> None:
    assert asked_with(client, authorization.format(forger.good)).status_code == 401


def test_a_token_is_good_for_a_quarter_of_an_hour_and_no_longer_than_its_sign_in() -> None:
    now = 1_800_000_000.0
    tokens = Tokens(KEY, "production", lambda: now)
    account_id, sign_in_id = uuid4(), uuid4()
    token, seconds = tokens.issue(account_id, sign_in_id, _later(tokens, 12 * 3600))
    assert seconds == ACCESS_SECONDS
    assert len(token) < LENGTH
    now += ACCESS_SECONDS - 1
    assert tokens.read(token) == (account_id, sign_in_id)
    now += 1
    with pytest.raises(Unauthorized):
        tokens.read(token)

    _, seconds = tokens.issue(account_id, sign_in_id, _later(tokens, 60))
    assert seconds == 60


def test_a_device_is_known_for_half_a_year_to_who_wrote_its_token() -> None:
    now = 1_800_000_000.0
    tokens = Tokens(KEY, "production", lambda: now)
    device = Device(uuid4(), uuid4(), 3)
    token = tokens.issue_device(device)
    access, _ = tokens.issue(device.account_id, uuid4(), _later(tokens, 3600))
    now += DEVICE_SECONDS - 1
    assert tokens.read_device(token) == device
    assert device.is_known_to(device.account_id, 3)
    assert not device.is_known_to(device.account_id, 4)
    assert not device.is_known_to(uuid4(), 3)
    head, claims, signature = token.split(".")
    for reader, given in (
        (tokens.read, token),
        (tokens.read_device, access),
        (tokens.read_device, f"{head}.{claims}.{signature[::-1]}"),
        (tokens.read_device, f"{access.split('.')[0]}.{claims}.{signature}"),
        (Tokens(KEY, "demo", lambda: now).read_device, token),
        (Tokens(KEY[::-1], "production", lambda: now).read_device, token),
        (Tokens(KEY, "production", lambda: now + 1).read_device, token),
        (tokens.read_device, ""),
    ):
        with pytest.raises(Unauthorized):
            reader(given)


def test_clocks_of_several_machines_may_differ_a_little() -> None:
    ahead = Tokens(KEY, "production", lambda: 1_800_000_020)
    token, _ = ahead.issue(uuid4(), uuid4(), _later(ahead, 3600))
    Tokens(KEY, "production", lambda: 1_800_000_000).read(token)
    with pytest.raises(Unauthorized):
        Tokens(KEY, "production", lambda: 1_799_999_000).read(token)


def _later(tokens: Tokens, seconds: float) -> datetime:
    return tokens.now() + timedelta(seconds=seconds)


def test_a_token_of_an_older_key_is_good_while_keys_change() -> None:
    old, new, seconds = b"o" * 32, b"n" * 32, [1_800_000_000.0]
    ids, until = (uuid4(), uuid4()), datetime(2040, 1, 1, tzinfo=UTC)

    def tokens(*keys: bytes, environment: str = "production") -> Tokens:
        return Tokens(keys[0], environment, lambda: seconds[0], keys[1:])

    def written(*keys: bytes) -> str:
        return tokens(*keys).issue(*ids, until)[0]

    after = tokens(new, old)
    assert after.read(written(old)) == ids
    assert tokens(new).read(written(new, old)) == ids
    for without in (tokens(new), tokens(new, old, environment="demo")):
        with pytest.raises(Unauthorized):
            without.read(written(old))
    seconds[0] += OLD_KEY_SECONDS
    assert after.read(written(new)) == ids
    with pytest.raises(Unauthorized):
        after.read(written(old))
