"""Signing in and out, and the administrator's accounts, over HTTP on both databases."""

import json
import logging
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher
from fastapi import FastAPI
from pydantic import SecretStr
from sqlmodel import Session, select

from app.accounts import passwords
from app.accounts.actions import SIGN_IN_LASTS
from app.accounts.attempts import KNOWN, STRANGERS
from app.accounts.models import Account, SignIn
from app.accounts.passwords import hashed
from app.accounts.tokens import ACCESS_SECONDS, DEVICE_SECONDS, Unauthorized
from app.audit.reports.calendar import make_address
from tests.accounts import add_account, sign_in, signed_in
from tests.servers import serving

PASSWORD = "correct horse battery staple"
ACCOUNTS = "/v1/admin/accounts"
FAILED = "/v1/admin/failed-sign-ins"
CALENDAR = "/v1/audit/calendar"
LIMIT = STRANGERS.tries
Headers = dict[str, str]


def with_password(app: FastAPI, *roles: str, **details: Any) -> Account:
    hash_ = hashed(SecretStr(PASSWORD))
    return add_account(app.state.journal.engine, *roles, **{"password_hash": hash_, **details})


def ask_in(
    client: httpx.Client, name: str, password: str = PASSWORD, device: str = ""
) -> httpx.Response:
    form = {"username": name, "password": password, "device_token": device}
    return client.post("/v1/auth/token", data=form)


def bearer(answer: httpx.Response) -> Headers:
    assert answer.status_code == 200, answer.text
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def status_of(client: httpx.Client, headers: Headers, path: str = "/v1/auth/me") -> int:
    return client.get(path, headers=headers).status_code


def stored(app: FastAPI, name: str) -> Account:
    with Session(app.state.journal.engine) as session:
        return session.exec(select(Account).where(Account.name == name)).one()


def later(app: FastAPI, monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    monkeypatch.setattr(app.state.tokens, "_clock", lambda: time.time() + seconds)


# --- signing in ------------------------------------------------------------------------------


def test_a_name_and_a_password_open_a_sign_in(app: FastAPI, client: httpx.Client) -> None:
    account = with_password(app, "officer", "licensing", name="p.okafor")
    answer = ask_in(client, " P.Okafor ")
    assert answer.json().keys() == {"access_token", "token_type", "expires_in", "device_token"}
    assert answer.json()["token_type"] == "bearer"
    assert answer.json()["expires_in"] == ACCESS_SECONDS
    assert answer.headers["Cache-Control"] == "no-store"
    me = client.get("/v1/auth/me", headers=bearer(answer)).json()
    assert (me["name"], me["roles"]) == (account.name, ["officer", "licensing"])
    assert not me["password_is_temporary"]


def test_wrong_unknown_disabled_and_without_a_password_look_the_same(
    app: FastAPI, client: httpx.Client
) -> None:
    with_password(app, "officer", name="right")
    with_password(app, "officer", name="disabled", disabled=True)
    add_account(app.state.journal.engine, "officer", name="without")
    answers = [
        ask_in(client, "right", "correct horse battery stable"),
        ask_in(client, "right", "short"),
        ask_in(client, "unknown"),
        ask_in(client, "disabled"),
        ask_in(client, "without"),
    ]
    assert {(a.status_code, a.headers["WWW-Authenticate"]) for a in answers} == {(401, "Bearer")}
    alike = [{**answer.json(), "request_id": ""} for answer in answers]
    assert alike == alike[:1] * len(answers)
    assert len({len(answer.content) for answer in answers}) == 1


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({}, "username"),
        ({"username": "p.okafor"}, "password"),
        ({"username": "p.okafor", "password": "x" * 201}, "password"),
        ({"username": "p.okafor", "password": "x\0" * 10}, "password"),
        ({"username": "p\0okafor", "password": PASSWORD}, "username"),
        ({"username": "x" * 81, "password": PASSWORD}, "username"),
        ({"username": "p.okafor", "password": PASSWORD, "grant_type": "none"}, "grant_type"),
    ],
)
def test_a_form_that_is_not_right_says_where(
    client: httpx.Client, form: dict[str, str], field: str
) -> None:
    answer = client.post("/v1/auth/token", data=form)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field
    assert form.get("password", "?") not in answer.text


@pytest.mark.parametrize(
    "body", [b"\xff\xfe=%00&%", b"username=%ff%fe&password=%ff", b"&&&===", b""]
)
@pytest.mark.parametrize(
    "kind", ["application/x-www-form-urlencoded", "multipart/form-data", "application/json", ""]
)
def test_a_body_that_is_no_form_is_the_senders_mistake(
    client: httpx.Client, body: bytes, kind: str
) -> None:
    answer = client.post("/v1/auth/token", content=body, headers={"Content-Type": kind})
    assert answer.status_code in (400, 422)


def test_what_a_browser_sends_beside_the_form_does_not_matter(
    app: FastAPI, client: httpx.Client
) -> None:
    # As the Authorize button of the documentation does.
    with_password(app, "officer", name="p.okafor")
    form = {"username": "p.okafor", "password": PASSWORD, "scope": "", "client_id": "docs"}
    answer = client.post("/v1/auth/token", data={**form, "grant_type": "password"})
    assert answer.status_code == 200


def test_a_hash_of_older_parameters_is_renewed_at_sign_in(
    app: FastAPI, client: httpx.Client
) -> None:
    dated = PasswordHasher(time_cost=2, memory_cost=16, parallelism=1).hash(PASSWORD)
    with_password(app, "officer", name="p.okafor", password_hash=dated)
    assert ask_in(client, "p.okafor").status_code == 200
    renewed = stored(app, "p.okafor").password_hash
    assert renewed is not None
    assert not passwords._hasher.check_needs_rehash(renewed)
    assert ask_in(client, "p.okafor").status_code == 200


def test_guessing_has_to_wait_and_so_does_the_right_password(
    app: FastAPI, client: httpx.Client
) -> None:
    with_password(app, "officer", name="p.okafor")
    with_password(app, "officer", name="other")
    headers = sign_in(app, stored(app, "p.okafor"))
    for name in ("p.okafor", "unknown"):
        tried = [ask_in(client, name, "not the password").status_code for _ in range(LIMIT + 2)]
        assert tried == [401] * LIMIT + [429, 429]
    waiting = ask_in(client, "P.OKAFOR")
    assert waiting.status_code == 429
    assert 0 < int(waiting.headers["Retry-After"]) <= 900
    assert ask_in(client, "other").status_code == 200
    assert status_of(client, headers) == 200, "who is in stays in"


def test_guesses_behind_the_same_proxy_lock_nobody_out_elsewhere(
    app: FastAPI, client: httpx.Client
) -> None:
    with_password(app, "officer", name="p.okafor")

    def statuses(headers: Headers) -> list[int]:
        form = {"username": "p.okafor", "password": "not the password"}
        tries = [form] * (LIMIT + 1) + [form | {"password": PASSWORD}]
        elsewhere = {"X-Forwarded-For": "198.51.100.7"}
        said = [headers] * (LIMIT + 1) + [elsewhere]
        return [
            client.post("/v1/auth/token", data=data, headers=each).status_code
            for data, each in zip(tries, said, strict=True)
        ]

    stranger = {"X-Forwarded-For": "203.0.113.9"}
    # Anybody can write the header: from one who is no proxy of ours it changes nothing.
    assert statuses(stranger) == [401] * LIMIT + [429, 429]
    app.state.trusted_proxies = (ip_network("127.0.0.0/8"),)
    assert statuses(stranger) == [401] * LIMIT + [429, 200]
    # What the stranger writes before it does not count either.
    forged = {"X-Forwarded-For": "192.0.2.1, 203.0.113.9"}
    assert ask_in(client, "p.okafor").status_code == 429, "the proxy's own address"
    assert statuses(forged)[:2] == [429, 429]


def test_a_device_that_is_known_is_counted_apart_from_strangers(
    app: FastAPI, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_password(app, "officer", name="p.okafor")
    with_password(app, "officer", name="other")
    device = ask_in(client, "p.okafor").json()["device_token"]
    others = ask_in(client, "other").json()["device_token"]
    access = ask_in(client, "p.okafor").json()["access_token"]
    assert status_of(client, {"Authorization": f"Bearer {device}"}) == 401, "it opens nothing"
    for no_device in ("", "x", others, access, f"{device[:-1]}?", "\0", "é" * 300):
        answer = ask_in(client, "p.okafor", "not the password", no_device)
        assert answer.status_code in (401, 429)
    assert ask_in(client, "p.okafor").status_code == 429
    again = ask_in(client, "p.okafor", device=device)
    assert again.status_code == 200
    tried = [ask_in(client, "p.okafor", "no", device).status_code for _ in range(11)]
    assert tried == [401] * KNOWN.tries + [429]
    same = again.json()["device_token"]
    assert ask_in(client, "p.okafor", device=same).status_code == 429, "it is the same device"
    assert int(ask_in(client, "p.okafor", device=same).headers["Retry-After"]) > 900
    later(app, monkeypatch, KNOWN.within.total_seconds())
    assert ask_in(client, "p.okafor", device=same).status_code == 200
    assert app.state.tokens.read_device(same).account_id == stored(app, "p.okafor").id
    later(app, monkeypatch, DEVICE_SECONDS + 1)
    with pytest.raises(Unauthorized):
        app.state.tokens.read_device(same)


def test_a_right_password_counts_as_none_though_nothing_can_be_recorded(
    app: FastAPI, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_password(app, "officer", name="p.okafor")
    with monkeypatch.context() as patch:
        long_ago = datetime(2020, 1, 1, tzinfo=UTC)
        patch.setattr("app.core.journal.database_clock", lambda _: long_ago)
        tried = [ask_in(client, "p.okafor").status_code for _ in range(LIMIT + 1)]
    assert tried == [503] * (LIMIT + 1)
    assert ask_in(client, "p.okafor").status_code == 200


def test_guesses_all_at_once_let_nobody_more_in_and_keep_nobody_out(app: FastAPI) -> None:
    with_password(app, "officer", name="p.okafor")
    app.state.trusted_proxies = (ip_network("127.0.0.0/8"),)
    with serving(app) as client, ThreadPoolExecutor(10) as pool:
        device = ask_in(client, "p.okafor").json()["device_token"]

        def guess(number: int) -> int:
            address = {"X-Forwarded-For": f"203.0.113.{number % 2}"}
            form = {"username": ("p.okafor", "unknown")[number // 2 % 2], "password": "a guess"}
            answer = client.post("/v1/auth/token", data=form, headers=address)
            return answer.status_code

        guesses = pool.map(guess, range(40))
        genuine = [ask_in(client, "p.okafor"), ask_in(client, "p.okafor", device=device)]
        assert [answer.status_code for answer in genuine] == [200, 200]
        counted = Counter(guesses)
    # Two names from two addresses.
    assert counted == {401: 4 * LIMIT, 429: 40 - 4 * LIMIT}


# --- while signed in -------------------------------------------------------------------------


def test_an_access_token_is_refreshed_while_it_is_good_and_the_sign_in_lasts(
    app: FastAPI, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = signed_in(app, "officer")
    beat = ACCESS_SECONDS - 60
    lasts = SIGN_IN_LASTS.total_seconds()
    at = 0.0
    while (at := at + beat) < lasts:
        later(app, monkeypatch, at)
        refreshed = client.post("/v1/auth/refresh", headers=headers)
        headers = bearer(refreshed)
        assert refreshed.json()["expires_in"] <= min(ACCESS_SECONDS, lasts - at + 1)
    later(app, monkeypatch, lasts + 1)
    assert status_of(client, headers) == 401


def test_an_access_token_that_is_over_refreshes_nothing(
    app: FastAPI, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = signed_in(app, "officer")
    later(app, monkeypatch, ACCESS_SECONDS + 1)
    assert client.post("/v1/auth/refresh", headers=headers).status_code == 401


def test_a_good_token_of_a_sign_in_that_is_over_opens_nothing(
    app: FastAPI, client: httpx.Client
) -> None:
    headers = sign_in(app, add_account(app.state.journal.engine, "officer"))
    assert status_of(client, headers) == 200
    with app.state.journal.engine.execution_options(writes=True).begin() as connection:
        long_ago = app.state.tokens.now() - SIGN_IN_LASTS
        connection.execute(sa.update(SignIn).values(expires_at=long_ago))
    assert status_of(client, headers) == 401


def test_signing_out_counts_at_once_for_every_token_of_that_sign_in_only(
    app: FastAPI, client: httpx.Client
) -> None:
    account = add_account(app.state.journal.engine, "officer")
    here, elsewhere = sign_in(app, account), sign_in(app, account)
    again = bearer(client.post("/v1/auth/refresh", headers=here))
    assert client.post("/v1/auth/sign-out", headers=here).status_code == 204
    assert [status_of(client, h) for h in (here, again, elsewhere)] == [401, 401, 200]
    assert client.post("/v1/auth/refresh", headers=again).status_code == 401
    assert client.post("/v1/auth/sign-out", headers=again).status_code == 401


def test_a_temporary_password_opens_nothing_but_the_choice_of_another(
    app: FastAPI, client: httpx.Client
) -> None:
    with_password(app, "administrator", name="p.okafor", password_is_temporary=True)
    headers, elsewhere = bearer(ask_in(client, "p.okafor")), bearer(ask_in(client, "p.okafor"))
    assert client.get("/v1/auth/me", headers=headers).json()["password_is_temporary"]
    refused = client.get(ACCOUNTS, headers=headers)
    assert (refused.status_code, refused.json()["type"].rpartition(":")[2]) == (
        403,
        "password-is-temporary",
    )

    def choose(current: str, new: str) -> httpx.Response:
        asked = {"current_password": current, "new_password": new}
        return client.post("/v1/auth/password", headers=headers, json=asked)

    wrong = [choose(PASSWORD, PASSWORD), choose("other", "x" * 12), choose(PASSWORD, "x" * 11)]
    assert [(a.status_code, a.json()["errors"][0]["field"]) for a in wrong] == [
        (422, "new_password"),
        (422, "current_password"),
        (422, "new_password"),
    ]
    assert choose(PASSWORD, "quite another password").status_code == 204
    assert status_of(client, headers, ACCOUNTS) == 200
    assert status_of(client, elsewhere) == 401
    assert ask_in(client, "p.okafor").status_code == 401
    assert ask_in(client, "p.okafor", "quite another password").status_code == 200


# --- accounts --------------------------------------------------------------------------------


class Office:
    """An administrator at work."""

    def __init__(self, app: FastAPI, client: httpx.Client) -> None:
        self.me = with_password(app, "administrator", name="the-administrator")
        self.headers = sign_in(app, self.me)
        self.client = client

    def show(self, account_id: UUID | str) -> httpx.Response:
        return self.client.get(f"{ACCOUNTS}/{account_id}", headers=self.headers)

    def change(
        self, account_id: UUID | str, what: str, json: Any = None, **headers: str
    ) -> httpx.Response:
        seen = {"If-Match": self.show(account_id).headers.get("ETag", '"none"')}
        return self.client.request(
            "PUT" if what == "roles" else "POST",
            f"{ACCOUNTS}/{account_id}/{what}",
            json=json,
            headers=self.headers | seen | headers,
        )

    def add(self, key: str = "", **asked: Any) -> httpx.Response:
        headers = self.headers | ({"Idempotency-Key": key} if key else {})
        return self.client.post(ACCOUNTS, json=asked, headers=headers)


@pytest.fixture
def office(app: FastAPI, client: httpx.Client) -> Office:
    return Office(app, client)


def test_an_account_is_added_given_a_password_and_used(
    client: httpx.Client, office: Office
) -> None:
    added = office.add(name="N.Singh", roles=["officer", "licensing", "officer"])
    assert added.status_code == 201
    account_id = added.json()["id"]
    assert added.headers["Location"] == f"{ACCOUNTS}/{account_id}"
    assert added.json() == {
        "id": account_id,
        "name": "n.singh",
        "roles": ["licensing", "officer"],
        "disabled": False,
        "password": "none",
        "second_factor": False,
    }
    given = office.change(account_id, "password")
    assert given.headers["Cache-Control"] == "no-store"
    password = given.json()["temporary_password"]
    assert office.show(account_id).json()["password"] == "temporary"
    headers = bearer(ask_in(client, "n.singh", password))
    chosen = {"current_password": password, "new_password": "a password of my own"}
    assert client.post("/v1/auth/password", headers=headers, json=chosen).status_code == 204
    assert office.show(account_id).json()["password"] == "own"


@pytest.mark.parametrize(
    "asked",
    [
        {"name": "n.singh", "roles": []},
        {"name": "n.singh", "roles": ["owner"]},
        {"name": "n.singh"},
        {"name": "", "roles": ["officer"]},
        {"name": "n singh", "roles": ["officer"]},
        {"name": "n\0singh", "roles": ["officer"]},
        {"name": "n\ud800singh", "roles": ["officer"]},
        {"name": "x" * 81, "roles": ["officer"]},
        {"name": "n.singh", "roles": ["officer"], "password": "not by this way"},
    ],
)
def test_an_account_that_can_not_be_is_refused(office: Office, asked: dict[str, Any]) -> None:
    body = json.dumps(asked).encode()
    headers = office.headers | {"Content-Type": "application/json"}
    assert office.client.post(ACCOUNTS, content=body, headers=headers).status_code == 422


def test_a_name_is_given_once(office: Office) -> None:
    assert office.add(name="n.singh", roles=["officer"]).status_code == 201
    assert office.add(name="N.Singh", roles=["licensing"]).status_code == 409


def test_asking_again_with_the_same_key_adds_nothing(office: Office) -> None:
    first = office.add("key", name="n.singh", roles=["officer"])
    again = office.add("key", name="n.singh", roles=["officer"])
    assert (again.status_code, again.content) == (201, first.content)
    assert office.add("key", name="other", roles=["officer"]).status_code == 422


def test_roles_count_at_once(app: FastAPI, client: httpx.Client, office: Office) -> None:
    account = add_account(app.state.journal.engine, "officer")
    headers = sign_in(app, account)
    assert status_of(client, headers, ACCOUNTS) == 403
    changed = office.change(account.id, "roles", {"roles": ["administrator", "officer"]})
    assert changed.json()["roles"] == ["administrator", "officer"]
    assert status_of(client, headers, ACCOUNTS) == 200
    office.change(account.id, "roles", {"roles": ["officer"]})
    assert status_of(client, headers) == 401, "to lose one ends the sign-ins"
    assert status_of(client, sign_in(app, account), ACCOUNTS) == 403


def test_disabling_counts_at_once_and_enabling_revives_no_sign_in(
    app: FastAPI, client: httpx.Client, office: Office
) -> None:
    account = with_password(app, "officer")
    headers = sign_in(app, account)
    assert office.change(account.id, "disable").json()["disabled"]
    assert status_of(client, headers) == 401
    assert client.post("/v1/auth/refresh", headers=headers).status_code == 401
    assert ask_in(client, account.name).status_code == 401
    assert not office.change(account.id, "enable").json()["disabled"]
    assert status_of(client, headers) == 401
    assert status_of(client, bearer(ask_in(client, account.name))) == 200


def test_a_reset_ends_the_sign_ins_and_the_old_password(
    app: FastAPI, client: httpx.Client, office: Office
) -> None:
    account = with_password(app, "officer")
    headers = sign_in(app, account)
    assert office.change(account.id, "password").status_code == 200
    assert status_of(client, headers) == 401
    assert ask_in(client, account.name).status_code == 401


def test_the_last_administrator_who_can_sign_in_stays(app: FastAPI, office: Office) -> None:
    engine = app.state.journal.engine
    add_account(engine, "administrator", name="has-no-password")
    with_password(app, "administrator", name="is-disabled", disabled=True)
    for refused in (
        office.change(office.me.id, "disable"),
        office.change(office.me.id, "roles", {"roles": ["officer"]}),
    ):
        assert refused.status_code == 409
        assert refused.json()["type"] == "urn:safe-havens:problem:last-administrator"
    assert office.change(office.me.id, "roles", {"roles": ["administrator", "officer"]}).is_success
    second = with_password(app, "administrator")
    assert office.change(second.id, "disable").is_success
    assert office.change(second.id, "enable").is_success
    assert office.change(office.me.id, "disable").is_success


def test_a_change_needs_the_state_it_changes(app: FastAPI, office: Office) -> None:
    account = add_account(app.state.journal.engine, "officer")
    path = f"{ACCOUNTS}/{account.id}/disable"
    assert office.client.post(path, headers=office.headers).status_code == 428
    assert office.change(account.id, "disable", **{"If-Match": '"older"'}).status_code == 412
    unknown = uuid4()
    for what in ("disable", "enable", "password"):
        assert office.change(unknown, what).status_code == 404
    assert office.change(unknown, "roles", {"roles": ["officer"]}).status_code == 404
    assert office.show(unknown).status_code == 404


def test_accounts_are_listed_by_name_and_by_what_they_are(app: FastAPI, office: Office) -> None:
    engine = app.state.journal.engine
    add_account(engine, "officer", name="b")
    add_account(engine, "officer", "licensing", name="a", disabled=True)
    add_account(engine, "licensing", name="c")

    def names(**asked: Any) -> list[str]:
        found: list[str] = []
        page: dict[str, Any] = {"next": None}
        while "next" in page:
            after = {"after": page["next"]} if page["next"] else {}
            answer = office.client.get(
                ACCOUNTS, params={"limit": 2, **asked, **after}, headers=office.headers
            )
            page = answer.json()
            found += [account["name"] for account in page["items"]]
        return found

    assert names() == ["a", "b", "c", "the-administrator"]
    assert names(role="officer") == ["a", "b"]
    assert names(role="licensing", disabled=False) == ["c"]
    assert names(disabled=True) == ["a"]
    bad = office.client.get(ACCOUNTS, params={"after": "x"}, headers=office.headers)
    assert bad.status_code == 422


@pytest.mark.parametrize("ended_by", ["password", "reset", "disabled", "role lost"])
def test_all_that_was_given_out_ends(
    app: FastAPI, client: httpx.Client, office: Office, ended_by: str
) -> None:
    account = with_password(app, "officer", "licensing")
    signed_in_at = ask_in(client, account.name)
    headers, device = bearer(signed_in_at), signed_in_at.json()["device_token"]
    elsewhere = sign_in(app, account)
    seen = {"If-Match": client.get(CALENDAR, headers=headers).headers["ETag"]}
    calendar = client.post(CALENDAR, headers=headers | seen).json()["address"]
    assert client.get(calendar).status_code == 200

    password = "quite another password" if ended_by == "password" else PASSWORD
    match ended_by:
        case "password":
            asked = {"current_password": PASSWORD, "new_password": password}
            answer = client.post("/v1/auth/password", headers=headers, json=asked)
            assert answer.status_code == 204
        case "reset":
            password = office.change(account.id, "password").json()["temporary_password"]
        case "disabled":
            assert office.change(account.id, "disable").is_success
            assert office.change(account.id, "enable").is_success
        case "role lost":
            assert office.change(account.id, "roles", {"roles": ["officer"]}).is_success
            both = {"roles": ["officer", "licensing"]}
            assert office.change(account.id, "roles", both).is_success

    assert status_of(client, elsewhere) == 401
    assert client.get(calendar).status_code == 404
    for _ in range(LIMIT):
        ask_in(client, account.name, "not the password")
    assert ask_in(client, account.name, password, device).status_code == 429, "it is a stranger"


def test_who_loses_all_at_that_moment_gets_no_calendar_any_more(
    app: FastAPI, client: httpx.Client, office: Office
) -> None:
    account = add_account(app.state.journal.engine, "licensing")
    assert office.change(account.id, "password").is_success
    with pytest.raises(Unauthorized), app.state.journal.writing(account.actor) as session:
        make_address(session, account, "secret")


# --- what is written down --------------------------------------------------------------------


def test_administrators_see_what_failed_and_nothing_that_was_typed(
    app: FastAPI, client: httpx.Client, office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    account = with_password(app, "officer", name="p.okafor")
    app.state.trusted_proxies = (ip_network("127.0.0.0/8"),)
    client.headers["X-Forwarded-For"] = "203.0.113.9"
    device = ask_in(client, "p.okafor").json()["device_token"]
    secrets = ["mypassw0rdtypedasaname", "a guess of somebody's"]
    for name, password, by in [
        ("p.okafor", secrets[1], device),
        (secrets[0], secrets[1], ""),
        *[("p.okafor", secrets[1], "")] * (LIMIT + 3),
    ]:
        ask_in(client, name, password, by)

    def listed(**asked: Any) -> list[dict[str, Any]]:
        answer = client.get(FAILED, params=asked, headers=office.headers)
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    everything = listed()
    newest, *wrong, unknown, known = everything
    theirs = {
        "account_id": str(account.id),
        "account": "p.okafor",
        "known": False,
        "of_code": False,
        "network": "203.0.113.0/24",
    }
    assert {k: v for k, v in newest.items() if k not in ("id", "at")} == theirs | {
        "throttled": True
    }
    assert [failed["throttled"] for failed in wrong] == [False] * LIMIT
    assert unknown.keys() == {"id", "at", "throttled", "known", "of_code", "network"}
    assert known["known"]
    assert listed(throttled=True) == [newest]
    assert listed(known=True, account_id=str(account.id)) == [known]
    assert listed(account_id=str(office.me.id)) == []
    page = client.get(FAILED, params={"limit": 3}, headers=office.headers).json()
    assert page["items"] + listed(after=page["next"]) == everything
    assert client.get(FAILED, params={"after": "x"}, headers=office.headers).status_code == 422

    told = [r.getMessage() for r in caplog.records if r.name.startswith("app.accounts")]
    assert len(told) == 1 + 1 + LIMIT + 1, "what is turned away is told once"
    assert str(account.id) in told[-1]
    written = json.dumps(everything) + "".join(told)
    for secret in (*secrets, "203.0.113.9"):
        assert secret not in written
    assert "p.okafor" not in "".join(told), "a name may be somebody's address"


def test_the_journal_tells_who_came_and_who_was_changed_and_no_secret(
    app: FastAPI, client: httpx.Client, office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    account_id = office.add("a key", name="n.singh", roles=["officer"]).json()["id"]
    password = office.change(account_id, "password").json()["temporary_password"]
    answer = ask_in(client, "n.singh", password)
    headers = bearer(answer)
    chosen = {"current_password": password, "new_password": "a password of my own"}
    client.post("/v1/auth/password", headers=headers, json=chosen)
    client.post("/v1/auth/sign-out", headers=headers)
    ask_in(client, "n.singh", "a wrong guess of somebody's")

    with app.state.journal.engine.connect() as connection:
        told = connection.execute(
            sa.text("SELECT actor, subject FROM journal ORDER BY number")
        ).all()
        written = "".join(
            str(row)
            for table in ("journal", "answered_create", "account", "sign_in")
            for row in connection.execute(sa.text(f"SELECT * FROM {table}"))  # noqa: S608
        )
    by_administrator, by_owner = "account the-administrator", "account n.singh"
    assert [tuple(row) for row in told] == [
        (by_administrator, "account"),
        (by_administrator, "account"),
        (by_owner, "sign_in"),
        (by_owner, "account"),
        (by_owner, "sign_in"),
    ]
    token = answer.json()["access_token"]
    for secret in (password, "a password of my own", "a wrong guess", token):
        assert secret not in written
        assert secret not in caplog.text
    hash_ = stored(app, "n.singh").password_hash
    assert hash_ is not None
    assert written.count(hash_) == 1, "in the account and nowhere else"
    assert caplog.text
    assert hash_ not in caplog.text
    assert app.state.journal.verify() is None


def test_a_guess_writes_nothing(app: FastAPI, client: httpx.Client) -> None:
    with_password(app, "officer", name="p.okafor")
    for name in ("p.okafor", "unknown"):
        ask_in(client, name, "not the password")
    with Session(app.state.journal.engine) as session:
        assert session.exec(select(SignIn)).first() is None
        assert session.connection().scalar(sa.text("SELECT count(*) FROM journal")) == 0
