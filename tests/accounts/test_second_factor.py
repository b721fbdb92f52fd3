"""Signing in with a code, sign-ins that end by themselves, and who is signed in: over HTTP."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pyotp
import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from pydantic import SecretStr
from sqlmodel import Session, SQLModel, select

from app.accounts.attempts import KNOWN, STRANGERS
from app.accounts.models import Account
from app.accounts.passwords import hashed
from app.accounts.tokens import STEP_SECONDS
from app.core.journal_chain import Entry
from tests.accounts import SECRET, add_account, make_app, sign_in, signed_in
from tests.accounts.conftest import WithoutSocket

PASSWORD = "correct horse battery staple"
FACTOR = "/v1/auth/second-factor"
Headers = dict[str, str]


@pytest.fixture
def app(database_url: str, tmp_path: Path) -> Iterator[FastAPI]:
    """The application as it is for who sets nothing."""
    app = make_app(
        database_url,
        tmp_path,
        second_factor="administrators",
        trusted_proxies="127.0.0.1",
    )
    yield app
    app.state.journal.engine.dispose()


class Clock:
    """The application's clock; it stands unless it is moved."""

    def __init__(self) -> None:
        self.seconds = float(int(time.time()) // 30 * 30 + 5)

    def __call__(self) -> float:
        return self.seconds

    def pass_(self, **by: float) -> None:
        self.seconds += by.get("minutes", 0) * 60 + by.get("seconds", 0)


@pytest.fixture
def clock(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(app.state.tokens, "_clock", clock)
    return clock


def person(app: FastAPI, *roles: str) -> Account:
    hash_ = hashed(SecretStr(PASSWORD))
    return add_account(app.state.journal.engine, *roles, password_hash=hash_)


def ask_in(client: httpx.Client, name: str, client_address: str = "", **more: str) -> Any:
    form = {"username": name, "password": PASSWORD, **more}
    headers = {"X-Forwarded-For": client_address} if client_address else {}
    return client.post("/v1/auth/token", data=form, headers=headers)


def code_of(answer: httpx.Response) -> str:
    return str(answer.json()["type"].rpartition(":")[2])


def bearer(answer: httpx.Response) -> Headers:
    assert answer.status_code == 200, answer.text
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


class App:
    """The app on somebody's phone."""

    def __init__(self, secret: str, clock: Clock) -> None:
        self._codes, self._clock = pyotp.TOTP(secret), clock

    @property
    def code(self) -> str:
        return self._codes.at(int(self._clock()))

    def wrong(self) -> str:
        near = {self._codes.at(int(self._clock()) + step) for step in (-30, 0, 30)}
        return next(code for code in map(str, range(100_000, 100_004)) if code not in near)


def enrol(client: httpx.Client, clock: Clock, headers: Headers) -> tuple[App, list[str]]:
    begun = client.post(FACTOR, json={}, headers=headers)
    assert begun.status_code == 200, begun.text
    assert begun.headers["Cache-Control"] == "no-store"
    app = App(begun.json()["secret"], clock)
    assert begun.json()["secret"] in begun.json()["address"]
    done = client.post(f"{FACTOR}/confirm", json={"code": app.code}, headers=headers)
    assert done.status_code == 200, done.text
    return app, done.json()["recovery_codes"]


def everything_stored(app: FastAPI) -> str:
    """All that the database holds, as text."""
    found = []
    with app.state.journal.engine.connect() as connection:
        for table in SQLModel.metadata.sorted_tables:
            found += [str(row) for row in connection.execute(sa.select(table))]
    return "\n".join(found)


def test_an_administrator_sets_one_up_at_the_first_sign_in(
    app: FastAPI, client: httpx.Client, clock: Clock
) -> None:
    name = person(app, "administrator").name
    elsewhere = bearer(ask_in(client, name))
    headers = bearer(ask_in(client, name))
    refused = client.get("/v1/admin/accounts", headers=headers)
    assert (refused.status_code, code_of(refused)) == (403, "second-factor-first")
    me = client.get("/v1/auth/me", headers=headers).json()
    assert (me["second_factor"], me["second_factor_missing"]) == (False, True)
    # A secret that nobody has shown a code of counts for nothing.
    client.post(FACTOR, json={}, headers=headers)
    assert ask_in(client, name).status_code == 200
    phone, recovery = enrol(client, clock, headers)
    assert len(set(recovery)) == 10
    assert client.get("/v1/admin/accounts", headers=headers).status_code == 200
    assert client.get("/v1/auth/me", headers=elsewhere).status_code == 401
    without = ask_in(client, name)
    assert (without.status_code, code_of(without)) == (401, "code-needed")
    used = phone.code
    assert code_of(ask_in(client, name, code=used)) == "wrong-code"
    clock.pass_(seconds=30)
    assert ask_in(client, name, code=f" {phone.code[:3]} {phone.code[3:]}").status_code == 200
    for replayed in (phone.code, used):
        assert code_of(ask_in(client, name, code=replayed)) == "wrong-code"
    assert ask_in(client, name, code=recovery[0].upper()).status_code == 200
    assert code_of(ask_in(client, name, code=recovery[0])) == "wrong-code"
    assert app.state.journal.verify() is None
    stored = everything_stored(app)
    secrets = [phone._codes.secret, *recovery, *(one.replace("-", "") for one in recovery)]
    assert [secret for secret in secrets if secret in stored] == []


def test_a_clock_that_differs_by_a_step_is_borne(
    app: FastAPI, client: httpx.Client, clock: Clock
) -> None:
    account = person(app, "officer")
    phone, _ = enrol(client, clock, sign_in(app, account))
    code = phone.code
    clock.pass_(seconds=60)
    assert code_of(ask_in(client, account.name, code=code)) == "wrong-code"
    code = phone.code
    clock.pass_(seconds=30)
    assert ask_in(client, account.name, code=code).status_code == 200
    ahead = phone._codes.at(int(clock()) + 30)
    assert ask_in(client, account.name, code=ahead).status_code == 200
    # Steps never go back.
    assert code_of(ask_in(client, account.name, code=phone.code)) == "wrong-code"


def test_codes_are_throttled_for_the_account_wherever_they_come_from(
    app: FastAPI, client: httpx.Client, clock: Clock
) -> None:
    account = person(app, "officer")
    phone, _ = enrol(client, clock, sign_in(app, account))
    clock.pass_(minutes=1)
    device = ask_in(client, account.name, code=phone.code).json()["device_token"]
    for number in range(STRANGERS.tries):
        # A right password in between forgives nothing.
        assert code_of(ask_in(client, account.name, f"203.0.113.{number}")) == "code-needed"
        answer = ask_in(client, account.name, f"203.0.113.{number}", code=phone.wrong())
        assert code_of(answer) == "wrong-code"
    clock.pass_(seconds=30)
    late = ask_in(client, account.name, "198.51.100.1", code=phone.code)
    assert (late.status_code, code_of(late)) == (429, "too-many-attempts")
    assert int(late.headers["Retry-After"]) > 60
    # The owner's own device has tries that no stranger uses up.
    assert ask_in(client, account.name, code=phone.code, device_token=device).status_code == 200
    office = signed_in(app, "administrator")
    listed = client.get("/v1/admin/failed-sign-ins?of_code=true", headers=office).json()["items"]
    assert [one["throttled"] for one in listed] == [True] + [False] * STRANGERS.tries
    assert {one["account"] for one in listed} == {account.name}
    # It is known by the new generation alone: what ended with the second factor is nobody's.
    clock.pass_(minutes=16)
    assert ask_in(client, account.name, code=phone.code).status_code == 200


def test_codes_of_who_is_signed_in_are_throttled_too(
    app: FastAPI, client: httpx.Client, clock: Clock
) -> None:
    headers = sign_in(app, person(app, "officer"))
    phone, _ = enrol(client, clock, headers)
    for path in [""] * (KNOWN.tries // 2) + ["/recovery-codes"] * (KNOWN.tries // 2):
        wrong = client.post(FACTOR + path, json={"code": phone.wrong()}, headers=headers)
        assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "code")
    clock.pass_(seconds=30)
    again = client.post(FACTOR, json={"code": phone.code}, headers=headers)
    assert again.status_code == 429


def test_the_code_may_follow_the_password(app: FastAPI, client: httpx.Client, clock: Clock) -> None:
    account = person(app, "officer")
    phone, recovery = enrol(client, clock, sign_in(app, account))
    clock.pass_(minutes=1)

    def follow(step_token: str, code: str) -> Any:
        form = {"step_token": step_token, "code": code}
        return client.post("/v1/auth/token/code", data=form)

    step = ask_in(client, account.name).json()["step_token"]
    assert code_of(follow(step, phone.wrong())) == "wrong-code"
    begun = follow(step, phone.code)
    assert client.get("/v1/auth/me", headers=bearer(begun)).json()["name"] == account.name
    assert code_of(follow(step, phone.code)) == "wrong-code"
    # Neither what proves a sign-in nor what proves a device will do, nor anything that is old.
    for other in (begun.json()["access_token"], begun.json()["device_token"], "x", step[:-2]):
        assert code_of(follow(other, recovery[0])) == "sign-in-again"
    assert client.get("/v1/auth/me", headers={"Authorization": f"Bearer {step}"}).status_code == 401
    clock.pass_(seconds=STEP_SECONDS)
    assert code_of(follow(step, recovery[0])) == "sign-in-again"
    step = ask_in(client, account.name).json()["step_token"]
    office = signed_in(app, "administrator")
    assert client.post(
        f"/v1/admin/accounts/{account.id}/password", headers=office | state(client, account, office)
    ).is_success
    assert code_of(follow(step, recovery[0])) == "sign-in-again"


def state(client: httpx.Client, account: Account, headers: Headers) -> Headers:
    shown = client.get(f"/v1/admin/accounts/{account.id}", headers=headers)
    return {"If-Match": shown.headers["ETag"]}


def test_another_app_needs_a_code_of_the_first(
    app: FastAPI, client: httpx.Client, clock: Clock
) -> None:
    account = person(app, "officer")
    headers = sign_in(app, account)
    first, recovery = enrol(client, clock, headers)
    clock.pass_(minutes=1)
    without = client.post(FACTOR, json={}, headers=headers)
    assert without.json()["errors"][0]["message"].startswith("is required")
    begun = client.post(FACTOR, json={"code": first.code}, headers=headers)
    second = App(begun.json()["secret"], clock)
    clock.pass_(minutes=1)
    # The first counts until the second is confirmed.
    assert ask_in(client, account.name, code=first.code).status_code == 200
    done = client.post(f"{FACTOR}/confirm", json={"code": second.code}, headers=headers)
    assert done.status_code == 200
    clock.pass_(minutes=1)
    assert code_of(ask_in(client, account.name, code=first.code)) == "wrong-code"
    assert code_of(ask_in(client, account.name, code=recovery[1])) == "wrong-code"
    assert ask_in(client, account.name, code=second.code).status_code == 200
    clock.pass_(minutes=1)
    fresh = client.post(f"{FACTOR}/recovery-codes", json={"code": second.code}, headers=headers)
    old, new = done.json()["recovery_codes"], fresh.json()["recovery_codes"]
    assert not {*old} & {*new}
    assert code_of(ask_in(client, account.name, code=old[0])) == "wrong-code"
    assert ask_in(client, account.name, code=new[0]).status_code == 200
    assert client.get("/v1/auth/me", headers=headers).json()["recovery_codes_left"] == 9


def test_an_administrator_resets_anothers_and_not_their_own(
    app: FastAPI, client: httpx.Client, clock: Clock
) -> None:
    lost, office = person(app, "administrator"), person(app, "administrator")
    theirs = sign_in(app, lost)
    enrol(client, clock, theirs)
    headers = sign_in(app, office)
    enrol(client, clock, headers)

    def reset(account: Account) -> Any:
        path = f"/v1/admin/accounts/{account.id}/second-factor/reset"
        return client.post(path, headers=headers | state(client, account, headers))

    own = reset(office)
    assert (own.status_code, code_of(own)) == (409, "own-second-factor")
    assert reset(lost).json()["second_factor"] is False
    assert client.get("/v1/auth/me", headers=theirs).status_code == 401
    again = bearer(ask_in(client, lost.name))
    assert code_of(client.get("/v1/admin/accounts", headers=again)) == "second-factor-first"
    enrol(client, clock, again)


@pytest.mark.parametrize(("whose", "asked"), [("everybody", 403), ("nobody", 200)])
def test_who_needs_one_is_set(sqlite_url: str, tmp_path: Path, whose: str, asked: int) -> None:
    app = make_app(sqlite_url, tmp_path, second_factor=whose)
    with httpx.Client(transport=WithoutSocket(app), base_url="http://test") as client:
        headers = bearer(ask_in(client, person(app, "officer").name))
        assert client.get("/v1/admin/venues", headers=headers).status_code == asked
    app.state.journal.engine.dispose()


def test_a_changed_secret_key_opens_what_older_ones_sealed(
    sqlite_url: str, tmp_path: Path, clock: Clock, app: FastAPI, client: httpx.Client
) -> None:
    account = person(app, "officer")
    phone, recovery = enrol(client, clock, sign_in(app, account))

    def by(code: str, **keys: Any) -> int:
        given = {"second_factor": "administrators", **keys}
        other = make_app(str(app.state.settings.database_url), tmp_path, **given)
        other.state.tokens._clock = clock
        clock.pass_(minutes=1)
        with httpx.Client(transport=WithoutSocket(other), base_url="http://test") as client:
            status: int = ask_in(client, account.name, code=code or phone.code).status_code
        other.state.journal.engine.dispose()
        return status

    newer = {"secret_key": "another secret that is long enough"}
    assert by("", **newer) == 401
    assert by(recovery[0], **newer) == 200
    assert by("", **newer, old_secret_keys=[SECRET]) == 200
    # It was sealed anew, so that the old key may go.
    assert by("", **newer) == 200


# --- who is signed in --------------------------------------------------------------------------


def test_a_sign_in_ends_when_nobody_uses_it(
    app: FastAPI, client: httpx.Client, clock: Clock
) -> None:
    office = signed_in(app, "administrator")
    account = person(app, "officer")
    headers = bearer(ask_in(client, account.name))
    for _ in range(3):
        # A program asks for a fresh token before its own is too old.
        clock.pass_(minutes=14)
        headers = bearer(client.post("/v1/auth/refresh", headers=headers))
        office = bearer(client.post("/v1/auth/refresh", headers=office))
    listed = client.get("/v1/admin/sign-ins", headers=office).json()["items"]
    [theirs] = [one for one in listed if one["account"] == account.name]
    assert theirs["used_at"] > theirs["began_at"]
    sign_in_id = app.state.tokens.read(headers["Authorization"].removeprefix("Bearer "))[1]
    assert theirs["id"] == str(sign_in_id)
    for _ in range(5):
        clock.pass_(minutes=12.5)
        office = bearer(client.post("/v1/auth/refresh", headers=office))
    token, _ = app.state.tokens.issue(
        account.id, sign_in_id, app.state.tokens.now().replace(year=2099)
    )
    assert (
        client.get("/v1/auth/me", headers={"Authorization": f"Bearer {token}"}).status_code == 401
    )
    names = {
        one["account"] for one in client.get("/v1/admin/sign-ins", headers=office).json()["items"]
    }
    assert account.name not in names
    assert names


def test_sign_ins_are_ended_by_their_owner_and_by_administrators(
    app: FastAPI, client: httpx.Client, clock: Clock
) -> None:
    account = person(app, "officer")
    here, lost, third = (sign_in(app, account) for _ in range(3))
    other = signed_in(app, "officer")
    own = client.get("/v1/auth/sign-ins", headers=here).json()["items"]
    assert len(own) == 3
    assert {one["account"] for one in own} == {account.name}

    def id_of(headers: Headers) -> str:
        return str(app.state.tokens.read(headers["Authorization"].removeprefix("Bearer "))[1])

    path = f"/v1/auth/sign-ins/{id_of(lost)}"
    # Somebody else's is nothing to them.
    assert client.get(path, headers=other).status_code == 404
    assert client.post(f"{path}/end", headers=other).status_code == 404
    for _ in range(2):
        assert client.post(f"{path}/end", headers=here).status_code == 204
    assert client.get("/v1/auth/me", headers=lost).status_code == 401
    assert client.get(path, headers=here).json()["ended_at"]
    assert len(client.get("/v1/auth/sign-ins", headers=here).json()["items"]) == 2
    office = signed_in(app, "administrator")
    asked = {"account_id": str(account.id), "limit": "1"}
    listed = client.get("/v1/admin/sign-ins", params=asked, headers=office).json()
    assert len(listed["items"]) == 1
    assert listed["next"]
    ended = client.post(f"/v1/admin/sign-ins/{id_of(third)}/end", headers=office)
    assert ended.status_code == 204
    assert client.get("/v1/auth/me", headers=third).status_code == 401
    assert client.get("/v1/auth/me", headers=here).status_code == 200
    with Session(app.state.journal.engine) as session:
        ended_by = {
            entry.subject_id: entry.actor.startswith("account")
            for entry in session.exec(select(Entry).where(Entry.subject == "sign_in"))
        }
    assert ended_by == {id_of(lost): True, id_of(third): True}
