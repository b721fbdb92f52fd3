"""Signing in at an identity provider that says what is wrong, over HTTP.

That all of it works with a real one is tried in tests/drills/provider.py.
"""

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from joserfc.jwk import RSAKey
from pydantic import SecretStr, ValidationError
from sqlmodel import Session, select

from app.accounts.actions import leave_to_provider
from app.accounts.models import Account, Role
from app.accounts.passwords import hashed
from app.accounts.provider import AGAIN_SECONDS, FRESH_SECONDS
from app.core.settings import Settings
from tests.accounts import SECRET, add_account, make_app, signed_in
from tests.accounts.conftest import WithoutSocket
from tests.accounts.stand_in import AUDIENCE, CLIENT, CLIENT_SECRET, StandIn, standing_in

PUBLIC = "http://havens.test"
PLAIN = {"Accept-Encoding": "identity"}


@pytest.fixture(scope="module")
def running() -> Iterator[StandIn]:
    with standing_in() as provider:
        yield provider


@pytest.fixture
def provider(running: StandIn) -> StandIn:
    running.is_down, running.about, running.claims = False, {}, {}
    running.asked.clear()
    return running


class Clock:
    ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


def settings_of(provider: StandIn, **more: Any) -> dict[str, Any]:
    return {
        "public_url": PUBLIC,
        "identity_provider": {
            "issuer": provider.issuer,
            "client_id": CLIENT,
            "client_secret": CLIENT_SECRET,
            "groups": {"officer": ["officers"], "administrator": ["admins", "chiefs"]},
            "audience": AUDIENCE,
        },
        **more,
    }


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def app(provider: StandIn, database_url: str, tmp_path: Path, clock: Clock) -> Iterator[FastAPI]:
    app = make_app(database_url, tmp_path, **settings_of(provider))
    app.state.tokens._clock = app.state.provider._clock = clock
    yield app
    app.state.journal.engine.dispose()


Browser = Callable[[], httpx.Client]


@pytest.fixture
def browser(app: FastAPI) -> Iterator[Browser]:
    clients: list[httpx.Client] = []

    def made() -> httpx.Client:
        client = httpx.Client(transport=WithoutSocket(app), base_url=PUBLIC, headers=PLAIN)
        clients.append(client)
        return clients[-1]

    yield made
    for client in clients:
        client.close()


def begin(browser: httpx.Client, back: str = "") -> str:
    answer = browser.get("/sign-in/organisation", params={"back": back})
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def there_and_back(browser: httpx.Client, provider: StandIn, back: str = "") -> httpx.Response:
    found = provider.authorise(begin(browser, back))
    return browser.get("/sign-in/callback", params=found)


def who(browser: httpx.Client) -> int:
    return browser.get("/account/me").status_code


def account(app: FastAPI, name: str = "p.okafor") -> Account:
    with Session(app.state.journal.engine) as session:
        return session.exec(select(Account).where(Account.name == name)).one()


def test_there_and_back(app: FastAPI, browser: Browser, provider: StandIn) -> None:
    here = browser()
    begun = there_and_back(here, provider, "/console/venues?name=Lamp")
    assert (begun.status_code, begun.headers["location"]) == (303, "/console/venues?name=Lamp")
    assert who(here) == 200
    assert account(app).roles == [Role.OFFICER]
    assert here.get("/console/accounts").status_code == 403
    # Neither the password nor a second factor of ours is asked of them.
    assert account(app).password_hash is None
    assert app.state.journal.verify() is None
    for back in ("https://evil.example", "//evil.example"):
        assert there_and_back(browser(), provider, back).headers["location"] == "/welcome"


def test_roles_are_those_of_the_groups_at_each_sign_in(
    app: FastAPI, browser: Browser, provider: StandIn
) -> None:
    first, second = browser(), browser()
    there_and_back(first, provider)
    provider.claims = {"groups": ["chiefs", "officers"]}
    there_and_back(second, provider)
    assert account(app).roles == [Role.ADMINISTRATOR, Role.OFFICER]
    assert first.get("/console/accounts").status_code == 200
    # To lose a role ends what was given out; to lose all of them lets nobody in.
    provider.claims = {"groups": "officers"}
    third = browser()
    assert there_and_back(third, provider).status_code == 303
    assert [who(one) for one in (first, second, third)] == [303, 303, 200]
    provider.claims = {"groups": ["others"]}
    refused = there_and_back(browser(), provider)
    assert refused.status_code == 403
    assert "None of your groups" in refused.text
    assert who(third) == 303
    provider.claims = {}
    office = signed_in(app, "administrator")
    with httpx.Client(transport=WithoutSocket(app), base_url=PUBLIC) as client:
        path = f"/v1/admin/accounts/{account(app).id}"

        def change(what: str, **more: Any) -> int:
            seen = {"If-Match": client.get(path, headers=office).headers["ETag"]}
            method = "PUT" if "json" in more else "POST"
            answer = client.request(method, f"{path}/{what}", headers=office | seen, **more)
            return answer.status_code

        assert client.get(path, headers=office).json()["password"] == "elsewhere"
        assert change("roles", json={"roles": ["licensing"]}) == 409
        assert change("password") == 409
        assert change("disable") == 200
    assert there_and_back(browser(), provider).status_code == 403


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"iss": "https://elsewhere.example"}, id="issuer"),
        pytest.param({"aud": "another"}, id="audience"),
        pytest.param({"aud": [CLIENT, "another"]}, id="audiences"),
        pytest.param({"nonce": "another"}, id="nonce"),
        pytest.param({"nonce": None}, id="no nonce"),
        pytest.param({"exp": int(time.time()) - 60}, id="expired"),
        pytest.param({"exp": None}, id="no end"),
        pytest.param({"sub": None}, id="nobody"),
        pytest.param({"sub": "x" * 256}, id="too long"),
        pytest.param({"azp": "another"}, id="party"),
        pytest.param({"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}, id="access token"),
    ],
)
def test_what_the_provider_says_wrong_opens_nothing(
    app: FastAPI, browser: Browser, provider: StandIn, wrong: dict[str, Any]
) -> None:
    here = browser()
    written = provider.written
    provider.written = lambda **claims: written(**claims | wrong)  # type: ignore[method-assign]
    try:
        answer = there_and_back(here, provider)
    finally:
        provider.written = written  # type: ignore[method-assign]
    assert answer.status_code == 401
    assert "did not confirm" in answer.text
    assert who(here) == 303
    with Session(app.state.journal.engine) as session:
        assert session.exec(select(Account)).all() == []


def test_what_comes_back_counts_once_and_for_who_began(browser: Browser, provider: StandIn) -> None:
    here, other = browser(), browser()
    found = provider.authorise(begin(here))
    begin(other)
    callback = "/sign-in/callback"
    # In another browser, with another state, by another issuer or none, or refused there.
    assert other.get(callback, params=found).status_code == 401
    for wrong in ({"state": "x"}, {"iss": "https://elsewhere.example"}, {"iss": ""}, {"code": ""}):
        begin(here)
        assert here.get(callback, params=found | wrong).status_code == 401
    refused = here.get(callback, params={"error": "access_denied", "state": found["state"]})
    assert refused.status_code == 401
    assert "access_denied" not in refused.text
    begun = begin(here)
    held = dict(here.cookies)
    found = provider.authorise(begun)
    assert here.get(callback, params=found).status_code == 303
    again = here.get(callback, params=found)
    assert again.status_code == 401
    # Not even with the cookie of then: the provider takes a code once.
    thief = browser()
    thief.cookies.update({key: value for key, value in held.items() if key.endswith("-begun")})
    assert thief.get(callback, params=found).status_code == 401
    assert who(thief) == 303


def test_programs_bring_tokens_of_the_provider(
    app: FastAPI, browser: Browser, provider: StandIn, clock: Clock
) -> None:
    client = browser()

    def status(token: str, path: str = "/v1/admin/venues") -> int:
        return client.get(path, headers={"Authorization": f"Bearer {token}"}).status_code

    token = provider.written(sub="robot", preferred_username="robot")
    assert [status(token), status(token), status(token, "/v1/admin/accounts")] == [200, 200, 403]
    office = signed_in(app, "administrator")
    listed = client.get("/v1/admin/sign-ins", headers=office).json()["items"]
    [theirs] = [one for one in listed if one["account"] == "robot"]
    for wrong in (
        provider.written(aud=CLIENT),
        provider.written(aud=None),
        provider.written(exp=int(time.time()) - 60),
        provider.unsigned(),
        provider.signed_with_the_secret(),
        provider.written(RSAKey.generate_key(2048, {"kid": "first"})),
        token[:-4] + "AAAA",
        "e30.e30.",
    ):
        assert status(wrong) == 401, wrong
    assert status(provider.written(groups=["others"])) == 403
    ended = client.post(f"/v1/admin/sign-ins/{theirs['id']}/end", headers=office)
    assert ended.status_code == 204
    assert status(token) == 401
    assert status(provider.written(sub="robot", jti="2")) == 200


def test_a_new_key_is_asked_for_with_restraint(
    browser: Browser, provider: StandIn, clock: Clock
) -> None:
    client = browser()

    def status(**more: Any) -> int:
        token = provider.written(jti=str(time.monotonic_ns()), **more)
        return client.get("/v1/auth/me", headers={"Authorization": f"Bearer {token}"}).status_code

    assert status() == 200
    before = len(provider.asked)
    stranger = RSAKey.generate_key(2048, {"kid": "a stranger's"})
    for _ in range(5):
        assert status(key=stranger) == 401
    assert len(provider.asked) == before
    provider.rotate("second")
    clock.ahead += AGAIN_SECONDS
    for _ in range(5):
        assert status(key=stranger) == 401
    assert provider.asked[before:] == ["/.well-known/openid-configuration", "/jwks"]
    assert status() == 200
    assert len(provider.asked) == before + 2


def test_while_the_provider_is_down(
    app: FastAPI, browser: Browser, provider: StandIn, clock: Clock
) -> None:
    here = browser()
    there_and_back(here, provider)
    token = provider.written(exp=int(time.time()) + 3 * FRESH_SECONDS)
    provider.is_down = True
    clock.ahead = 1_000
    # Who is signed in goes on; what is known of it is enough for programs, even when it is old.
    assert who(here) == 200
    program = {"Authorization": f"Bearer {token}"}
    assert here.get("/v1/auth/me", headers=program).status_code == 200
    found = provider.authorise(begin(browser()))
    stranger = browser()
    begin(stranger)
    found = provider.authorise(begin(stranger))
    answer = stranger.get("/sign-in/callback", params=found)
    assert (answer.status_code, answer.headers.get("location")) == (503, None)
    assert "does not answer" in answer.text
    clock.ahead = FRESH_SECONDS + 1_000
    again = provider.written(exp=int(time.time()) + 3 * FRESH_SECONDS, jti="2")
    assert here.get("/v1/auth/me", headers={"Authorization": f"Bearer {again}"}).status_code == 200


def test_a_provider_that_never_answered_is_left_alone_for_a_while(
    app: FastAPI, browser: Browser, provider: StandIn
) -> None:
    provider.about = {"issuer": "https://elsewhere.example"}
    for _ in range(3):
        answer = browser().get("/sign-in/organisation")
        assert answer.status_code == 503
        assert "does not answer" in answer.text
    assert provider.asked == ["/.well-known/openid-configuration"]
    token = {"Authorization": f"Bearer {provider.written()}"}
    assert browser().get("/v1/auth/me", headers=token).status_code == 503


def test_a_name_that_has_a_password_is_not_taken_over(
    app: FastAPI, browser: Browser, provider: StandIn
) -> None:
    hash_ = hashed(SecretStr("a password of their own"))
    add_account(app.state.journal.engine, "officer", name="p.okafor", password_hash=hash_)
    refused = there_and_back(browser(), provider)
    assert refused.status_code == 409
    assert "signs in with a password" in refused.text
    with app.state.journal.writing("test") as session:
        leave_to_provider(session, session.get(Account, account(app).id))
    assert there_and_back(browser(), provider).status_code == 303
    assert account(app).subject == "subject-1"
    # Of another person at the provider it is not.
    provider.claims = {"sub": "subject-2"}
    assert there_and_back(browser(), provider).status_code == 409
    for name in (None, "", "\u202eevil", 7):
        provider.claims = {"sub": "subject-3", "preferred_username": name}
        assert there_and_back(browser(), provider).status_code == 403


def test_passwords_can_be_switched_off(
    provider: StandIn, sqlite_template: Path, tmp_path: Path
) -> None:
    url = f"sqlite:///{shutil.copyfile(sqlite_template, tmp_path / 'havens.sqlite')}"
    app = make_app(url, tmp_path, **settings_of(provider, passwords=False))
    add_account(
        app.state.journal.engine,
        "officer",
        name="officer",
        password_hash=hashed(SecretStr("a password of their own")),
    )
    with httpx.Client(transport=WithoutSocket(app), base_url=PUBLIC, headers=PLAIN) as client:
        form = {"username": "officer", "password": "a password of their own"}
        answer = client.post("/v1/auth/token", data=form)
        assert answer.status_code == 403
        assert answer.json()["type"].endswith("passwords-are-off")
        page = client.get("/sign-in")
        assert 'name="password"' not in page.text
        assert "/sign-in/organisation" in page.text
        assert client.post("/sign-in", data=form).status_code == 403
    app.state.journal.engine.dispose()


def test_signing_out_leads_on_to_the_provider(browser: Browser, provider: StandIn) -> None:
    provider.about = {"end_session_endpoint": f"{provider.issuer}/out"}
    here = browser()
    there_and_back(here, provider)
    token = here.get("/account/me").text.partition('name="token" value="')[2].partition('"')[0]
    out = here.post("/sign-out", data={"token": token})
    assert out.headers["location"] == "/sign-out"
    page = here.get("/sign-out")
    assert f"{provider.issuer}/out?client_id={CLIENT}&amp;post_logout_redirect_uri=" in page.text
    assert who(here) == 303


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"public_url": ""}, "needs HAVENS_PUBLIC_URL"),
        ({"identity_provider": None, "passwords": False}, "needs HAVENS_IDENTITY_PROVIDER"),
        ({"issuer": "http://provider.example"}, "must begin with https"),
        ({"audience": CLIENT}, "audience must not be client_id"),
        ({"groups": {}}, "at least 1"),
        ({"groups": {"mayor": ["x"]}}, "officer"),
    ],
)
def test_settings_that_can_not_be_are_refused(
    provider: StandIn, change: dict[str, Any], said: str
) -> None:
    given = settings_of(provider, secret_key=SECRET)
    for name, value in change.items():
        inside = name in ("issuer", "audience", "groups")
        (given["identity_provider"] if inside else given)[name] = value
    with pytest.raises(ValidationError, match=said):
        Settings.model_validate(given)
