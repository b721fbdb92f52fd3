"""A second factor set up and used on pages, in Chromium; sign-ins looked at and ended there."""

import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page, expect
from pydantic import SecretStr

from app.accounts.models import Role
from app.accounts.passwords import hashed
from tests.accounts import add_account, make_app
from tests.servers import serving, until
from tests.web.paper.documents import codes_of
from tests.web.phones import audit, fits, phone
from tests.web.staff.conftest import Staff, text

PASSWORD = "quiet lantern by the river"


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Staff]:
    """The service as it is for who sets nothing: administrators need a second factor."""
    folder = tmp_path_factory.mktemp("strict")
    url = f"sqlite:///{shutil.copyfile(sqlite_template, folder / 'havens.sqlite')}"
    app = make_app(url, folder, second_factor="administrators")
    with serving(app) as client, ExitStack() as stack:
        until(lambda: client.get("/health/ready").is_success)
        yield Staff(app, client, stack)


def person(staff: Staff, *roles: Role) -> str:
    hash_ = hashed(SecretStr(PASSWORD))
    return add_account(staff.app.state.journal.engine, *roles, password_hash=hash_).name


def give_password(page: Page, name: str) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def looked_at(page: Page) -> None:
    audit(page)
    assert fits(page), page.url


def test_an_administrator_on_a_phone(chromium: Chromium, strict: Staff) -> None:
    name = person(strict, Role.ADMINISTRATOR)
    ahead = 0.0
    strict.app.state.tokens._clock = lambda: time.time() + ahead
    with phone(chromium, color_scheme="dark", java_script_enabled=False) as held:
        page = held.page
        page.goto(f"{strict.client.base_url}/console/accounts")
        give_password(page, name)
        # Nothing else is to be seen before it is set up.
        expect(page).to_have_url(f"{strict.client.base_url}/account/second-factor")
        page.get_by_role("button", name="Show the secret").click()
        secret = page.locator("code.sh-secret").inner_text()
        [address] = codes_of(page.pdf())
        assert parse_qs(urlsplit(address).query)["secret"] == [secret]
        app = pyotp.TOTP(secret)
        page.get_by_label("Code", exact=True).fill("no code")
        page.get_by_role("button", name="Confirm").click()
        expect(page.get_by_role("alert")).to_contain_text("The code is wrong")
        assert secret not in page.content()
        page.get_by_label("Code", exact=True).fill(app.at(time.time()))
        page.get_by_role("button", name="Confirm").click()
        recovery = page.locator(".sh-secret code").all_inner_texts()
        assert len(recovery) == 10
        page.get_by_role("link", name="I have kept them").click()
        expect(page).to_have_url(f"{strict.client.base_url}/console/accounts")
        page.get_by_role("button", name="Sign out").click()
        give_password(page, name)
        page.get_by_label("Code", exact=True).fill("000")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_contain_text("This code is wrong")
        ahead = 60.0
        page.get_by_label("Code", exact=True).fill(app.at(time.time() + ahead))
        page.get_by_role("button", name="Sign in").click()
        page.goto(f"{strict.client.base_url}/account/me")
        expect(page.get_by_text("Recovery codes left")).to_be_visible()
        page.get_by_role("link", name="Second factor").click()
        page.get_by_role("link", name="Get new ones").click()
        page.get_by_label("Code", exact=True).fill(recovery[0])
        page.get_by_role("button", name="Show new codes").click()
        fresh = page.locator(".sh-secret code").all_inner_texts()
        assert len(fresh) == 10
        assert not {*fresh} & {*recovery}
    strict.app.state.tokens._clock = time.time


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (1280, "dark")])
def test_axe_finds_nothing(chromium: Chromium, strict: Staff, width: int, scheme: str) -> None:
    name = person(strict, Role.ADMINISTRATOR)
    with phone(chromium, viewport={"width": width, "height": 780}, color_scheme=scheme) as held:
        page = held.page
        page.goto(f"{strict.client.base_url}/account/second-factor")
        give_password(page, name)
        looked_at(page)
        page.get_by_role("button", name="Show the secret").click()
        looked_at(page)
        secret = page.locator("code.sh-secret").inner_text()
        page.get_by_role("button", name="Confirm").click()
        looked_at(page)
        page.get_by_label("Code", exact=True).fill(pyotp.TOTP(secret).now())
        page.get_by_role("button", name="Confirm").click()
        looked_at(page)
        for path in ("/account/me", "/account/sign-ins", "/console/sign-ins"):
            page.goto(f"{strict.client.base_url}{path}")
            looked_at(page)
        page.goto(f"{strict.client.base_url}/account/second-factor")
        looked_at(page)
        page.get_by_role("button", name="Sign out").click()
        give_password(page, name)
        looked_at(page)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_be_visible()
        looked_at(page)


def test_sign_ins_are_ended_on_pages(strict: Staff) -> None:
    office, officer = strict.browser(Role.ADMINISTRATOR), strict.browser()
    sign_in_id = strict.sign_in_id(Role.OFFICER)
    officer.keep(strict.app, sign_in_id)
    own = officer.get("/account/sign-ins")
    assert f'href="/account/sign-ins/{sign_in_id}"' in own.text
    assert f'href="/console/sign-ins/{sign_in_id}"' in office.get("/console/sign-ins").text
    assert "End a sign-in" in text(office.get(f"/console/sign-ins/{sign_in_id}"))
    path = f"/console/sign-ins/{sign_in_id}/end"
    form = office.fields(office.get(path))
    assert officer.client.post(path, data=form).status_code == 403
    assert office.client.post(path, data={**form, "token": "x"}).status_code == 403
    ended = office.client.post(path, data=form)
    assert ended.headers["location"] == f"/console/sign-ins/{sign_in_id}?done=end_sign_in"
    assert "Ended" in text(office.get(ended.headers["location"]))
    assert officer.get("/console").headers["location"].startswith("/sign-in?")


@pytest.mark.parametrize("path", ["", "/confirm", "/recovery-codes"])
def test_forms_count_only_from_our_own_pages(strict: Staff, path: str) -> None:
    officer = strict.browser(Role.OFFICER)
    path = f"/account/second-factor{path}"
    token = officer.fields(officer.get(path))["token"]

    def status(token: str, **headers: str) -> int:
        form = {"token": token, "code": "123456"}
        return officer.client.post(path, data=form, headers=headers).status_code

    assert status("") == 403
    assert status(token, Origin="https://evil.example") == 403
    assert status(token, **{"Sec-Fetch-Site": "cross-site"}) == 403
    assert status(token) in (200, 422)


def test_what_was_typed_outlives_a_sign_in_with_a_code(strict: Staff) -> None:
    name = person(strict, Role.OFFICER)
    officer = strict.browser()
    begun = officer.client.post("/sign-in", data={"username": name, "password": PASSWORD})
    assert begun.status_code == 303
    path = "/account/second-factor"
    shown = officer.send(path, {})
    secret = shown.text.partition('<code class="sh-secret">')[2].partition("<")[0]
    done = officer.send(f"{path}/confirm", {"code": pyotp.TOTP(secret).now()})
    recovery = done.text.partition("<li><code>")[2].partition("<")[0]
    officer.client.cookies.clear()
    asked = officer.client.post("/console/businesses/new", data={"name": "Ümläut & Söhne"})
    kept = unescape(asked.text.partition('name="kept" value="')[2].partition('"')[0])
    form = {"username": name, "password": PASSWORD, "kept": kept, "back": "/console/businesses/new"}
    page = officer.client.post("/sign-in", data=form)
    again = officer.client.post("/sign-in/code", data=officer.fields(page) | {"code": recovery})
    assert 'value="Ümläut &amp; Söhne"' in again.text
    too_late = officer.client.post("/sign-in/code", data={"code": recovery, "back": "/console"})
    assert 'name="password"' in too_late.text
