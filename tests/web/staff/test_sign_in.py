"""Signing in on a page, staying signed in, and losing nothing when it ends."""

import re
from html import unescape

import httpx
import pytest
from pydantic import SecretStr

from app.accounts.models import Role
from app.accounts.passwords import hashed
from app.accounts.tokens import Tokens
from tests.accounts import add_account
from tests.web.staff.conftest import Staff, text

PASSWORD = "quiet lantern by the river"


@pytest.fixture(scope="module")
def name(staff: Staff) -> str:
    """An officer who signs in with a password."""
    engine = staff.app.state.journal.engine
    hash_ = hashed(SecretStr(PASSWORD))
    return add_account(engine, Role.OFFICER, password_hash=hash_).name


def sign_in(browser: httpx.Client, name: str, **more: str) -> httpx.Response:
    return browser.post("/sign-in", data={"username": name, "password": PASSWORD} | more)


def test_signing_in_and_out(staff: Staff, name: str) -> None:
    browser = staff.browser()
    asked = browser.get("/console/venues?name=Lamp%20%26%20Co")
    assert asked.status_code == 303
    form = browser.client.get(asked.headers["location"])
    assert 'value="/console/venues?name=Lamp%20%26%20Co"' in form.text
    begun = sign_in(browser.client, name, back="/console/venues?name=Lamp%20%26%20Co")
    assert begun.headers["location"] == "/console/venues?name=Lamp%20%26%20Co"
    cookie, device = begun.headers.get_list("set-cookie")
    assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(cookie.split("; "))
    assert {"HttpOnly", "SameSite=lax", "Path=/", "Max-Age=15552000"} <= set(device.split("; "))
    page = browser.get("/console")
    assert page.headers["cache-control"] == "private, no-store"
    kept = dict(browser.client.cookies)
    token = page.text.partition('name="token" value="')[2].partition('"')[0]
    assert browser.client.post("/sign-out", data={"token": "another"}).status_code == 403
    assert browser.client.post("/sign-out", data={"token": token}).status_code == 303
    # Taken from this browser, which is known all the same; and worth nothing in any other.
    assert set(browser.client.cookies) == {"havens-device"}
    tokens: Tokens = staff.app.state.tokens
    known = tokens.read_device(browser.client.cookies["havens-device"])
    assert sign_in(browser.client, name).status_code == 303
    assert tokens.read_device(browser.client.cookies["havens-device"]).id == known.id
    again = staff.browser()
    again.client.cookies.update(kept)
    assert again.get("/console").status_code == 303


def test_a_wrong_password_says_so_and_keeps_the_name(staff: Staff, name: str) -> None:
    page = staff.browser().client.post(
        "/sign-in", data={"username": name, "password": "a guess", "back": "/console"}
    )
    assert page.status_code == 401
    assert "don't open an account" in text(page)
    assert f'value="{name}"' in page.text
    assert "a guess" not in page.text
    assert "set-cookie" not in page.headers


@pytest.mark.parametrize(
    "back", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)"]
)
def test_nobody_is_led_elsewhere(staff: Staff, name: str, back: str) -> None:
    assert sign_in(staff.browser().client, name, back=back).headers["location"] == "/welcome"


def test_a_forged_cookie_is_worth_nothing(staff: Staff) -> None:
    genuine = staff.browser(Role.OFFICER)
    [value] = dict(genuine.client.cookies).values()
    for forged in (value[:-1] + ("0" if value[-1] != "0" else "1"), value.partition(".")[0], "x"):
        browser = staff.browser()
        browser.client.cookies.set("havens", forged)
        assert browser.get("/console").status_code == 303


def test_forms_count_only_from_our_own_pages(staff: Staff) -> None:
    browser = staff.browser(Role.OFFICER)
    path = "/console/businesses/new"
    fields = browser.fields(browser.get(path)) | {"name": "Lamp & Co"}

    def status(form: dict[str, str], **headers: str) -> int:
        return browser.client.post(path, data=form, headers=headers).status_code

    other = staff.browser(Role.OFFICER)
    theirs = other.fields(other.get(path))["token"]
    assert status({**fields, "token": ""}) == 403
    assert status({**fields, "token": theirs}) == 403
    assert status(fields, **{"Sec-Fetch-Site": "cross-site"}) == 403
    assert status(fields, Origin="https://evil.example") == 403
    assert status(fields, **{"Sec-Fetch-Site": "same-origin"}) == 303


def test_what_was_typed_outlives_the_sign_in(staff: Staff, name: str) -> None:
    browser = staff.browser(Role.OFFICER)
    path = "/console/businesses/new"
    typed = browser.fields(browser.get(path)) | {"name": 'Ümläut & "Söhne" <b>', "notes": "شكرا"}
    browser.client.cookies.clear()
    asked = browser.client.post(path, data=typed)
    assert asked.status_code == 401
    assert "What you typed is kept" in text(asked)
    kept = unescape(asked.text.partition('name="kept" value="')[2].partition('"')[0])
    page = sign_in(browser.client, name, back=path, kept=kept)
    hidden = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.text)
    back = browser.client.post(path, data={key: unescape(value) for key, value in hidden})
    assert back.status_code == 200
    for text_ in (typed["name"], typed["notes"]):
        assert text_ in unescape(back.text)
    assert "<b>" not in back.text
    # It was not sent by itself; now it is, once.
    assert typed["name"] not in unescape(browser.get("/console/businesses").text)
    form = browser.fields(back) | {"name": typed["name"], "notes": typed["notes"]}
    assert browser.client.post(path, data=form).status_code == 303
    assert browser.client.post(path, data=form).status_code == 303
    assert unescape(browser.get("/console/businesses").text).count(typed["name"]) == 1
