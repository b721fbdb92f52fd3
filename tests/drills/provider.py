"""Signing in at a real identity provider, in a real browser, and all that can go wrong there.

    python -m tests.drills.provider

The certified `oidc-provider` of npm, installed into a temporary folder; without Node this says so
and ends. Leaves with 1 when something is not as it is promised: sign in, another role, sign out, a
key rotated, the provider down, wrong issuer, wrong audience, code and state replayed, a group
removed.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qs, urlsplit

import httpx
from playwright.sync_api import Browser, BrowserContext, Page, Response, sync_playwright

from tests.bench.report import begin
from tests.browsers import ARGUMENTS, NO_CHROMIUM, find_chromium
from tests.processes import ending_with_us
from tests.servers import until

PACKAGE = "oidc-provider@9"
HAVENS = Path(sys.executable).with_name("havens")
CLIENT, SECRET = "havens", "a secret that only this drill has"
AUDIENCE = "https://havens.example/api"
PERSON = "p.okafor"

_wrong: list[str] = []


def check(what: str, holds: object) -> None:
    """Say whether a promise holds."""
    print(f"{'holds' if holds else 'WRONG':6} {what}", flush=True)
    if not holds:
        _wrong.append(what)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@contextmanager
def started(command: list[str], folder: Path, address: str, **more: str) -> Iterator[None]:
    """A program while it answers at an address."""
    inherited = {name: text for name, text in os.environ.items() if not name.startswith("HAVENS_")}
    log = folder / f"{time.monotonic_ns()}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ending_with_us(command), cwd=folder, env=inherited | more, stdout=output, stderr=output
        )
    try:

        def answers() -> bool:
            assert process.poll() is None, log.read_text()
            try:
                return httpx.get(address).is_success
            except httpx.HTTPError:
                return False

        until(answers)
        yield
    finally:
        process.terminate()
        process.wait(60)


class Drill:
    def __init__(self, folder: Path, browser: Browser) -> None:
        self.folder, self.browser = folder, browser
        self.ours = f"http://127.0.0.1:{free_port()}"
        self.port = free_port()
        self.issuer = f"http://127.0.0.1:{self.port}"
        self.groups(**{PERSON: ["officers"], "robot": ["officers"]})

    def groups(self, **groups: list[str]) -> None:
        """Who is in which groups from now on."""
        file = self.folder / "groups.json"
        known = json.loads(file.read_text()) if file.exists() else {}
        file.write_text(json.dumps(known | groups))

    @contextmanager
    def provider(self) -> Iterator[None]:
        """The provider, with a key of its own each time it starts."""
        given = {
            "issuer": self.issuer,
            "port": self.port,
            "client": CLIENT,
            "secret": SECRET,
            "ours": self.ours,
            "groups": str(self.folder / "groups.json"),
        }
        address = f"{self.issuer}/.well-known/openid-configuration"
        with started(["node", "provider.mjs"], self.folder, address, DRILL=json.dumps(given)):
            yield

    @contextmanager
    def service(self, ours: str, issuer: str, audience: str = AUDIENCE) -> Iterator[None]:
        """The service as an operator starts it."""
        data = self.folder / f"data-{urlsplit(ours).port}"
        given = {
            "issuer": issuer,
            "client_id": CLIENT,
            "client_secret": SECRET,
            "groups": {"officer": ["officers"], "administrator": ["chiefs"]},
            "audience": audience,
        }
        with started(
            [str(HAVENS), "serve", "--port", str(urlsplit(ours).port)],
            self.folder,
            f"{ours}/health/ready",
            HAVENS_DATA_DIR=str(data),
            HAVENS_SECRET_KEY="a secret that nothing but this drill has",
            HAVENS_PUBLIC_URL=ours,
            HAVENS_PASSWORDS="false",
            HAVENS_IDENTITY_PROVIDER=json.dumps(given),
        ):
            yield

    def sign_in(self, context: BrowserContext, ours: str = "") -> tuple[Page, list[str]]:
        """Sign in by clicking; returns the page and the addresses that we were come back to by."""
        page = context.new_page()
        came_back: list[str] = []

        def note(response: Response) -> None:
            if urlsplit(response.url).path == "/sign-in/callback":
                came_back.append(response.url)

        page.on("response", note)
        page.goto(f"{ours or self.ours}/console")
        press(page, "link", "Sign in with your organisation")
        if page.locator("input[name=login]").count():
            page.locator("input[name=login]").fill(PERSON)
            page.locator("input[name=password]").fill("whatever it is")
            press(page, "button", "Sign-in")
        if page.get_by_role("button", name="Continue").count():
            press(page, "button", "Continue")
        return page, came_back

    def token(self, resource: str = AUDIENCE) -> str:
        """An access token of a program."""
        form = {"grant_type": "client_credentials", "resource": resource, "scope": "register"}
        answer = httpx.post(f"{self.issuer}/token", data=form, auth=("robot", SECRET))
        return str(answer.raise_for_status().json()["access_token"])

    def status(self, token: str, path: str = "/v1/admin/venues") -> int:
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.get(self.ours + path, headers=headers).status_code

    def shows(self, page: Page, path: str = "/console") -> bool:
        """Whether somebody who is signed in sees a page, and may."""
        answer = page.goto(self.ours + path)
        return bool(answer and answer.ok) and page.url == self.ours + path


def press(page: Page, role: Literal["link", "button"], name: str) -> None:
    """Press something that leads on, and wait for where it leads."""
    with page.expect_navigation():
        page.get_by_role(role, name=name).click()


def people(drill: Drill, stack: ExitStack) -> None:
    """What somebody does in a browser, and what their groups do to them."""
    context = stack.enter_context(drill.browser.new_context())
    page, came_back = drill.sign_in(context)
    check("sign in: by clicking, to the page asked for", page.url == f"{drill.ours}/console")
    check("sign in: an officer, and no administrator", not drill.shows(page, "/console/accounts"))
    [callback] = came_back
    query = parse_qs(urlsplit(callback).query)
    check("sign in: with a state and an issuer", {"state", "code", "iss"} <= {*query})
    page.goto(callback)
    check("replayed: the same address in the same browser", refused(page))
    other = stack.enter_context(drill.browser.new_context()).new_page()
    other.goto(callback)
    check("replayed: in another browser", refused(other) and not drill.shows(other))
    other.goto(f"{drill.ours}/sign-in/organisation")
    other.goto(f"{drill.ours}/sign-in/callback?code={query['code'][0]}&state=x&iss={drill.issuer}")
    check("state: another's is refused", refused(other))
    check("sign in: still signed in after all that", drill.shows(page))
    drill.groups(**{PERSON: ["officers", "chiefs"]})
    again, _ = drill.sign_in(stack.enter_context(drill.browser.new_context()))
    check("role change: another group, another role", drill.shows(again, "/console/accounts"))
    check("role change: for the sign-in before, too", drill.shows(page, "/console/accounts"))
    drill.groups(**{PERSON: ["officers"]})
    third, _ = drill.sign_in(stack.enter_context(drill.browser.new_context()))
    check("role change: a lost role ends what was given out", not drill.shows(page))
    check("role change: and leaves the other", drill.shows(third))
    drill.groups(**{PERSON: []})
    out, _ = drill.sign_in(stack.enter_context(drill.browser.new_context()))
    check("group removed: not let in", "None of your groups" in out.content())
    check("group removed: and out everywhere", not drill.shows(third))
    drill.groups(**{PERSON: ["officers"]})
    leaving, _ = drill.sign_in(context)
    press(leaving, "button", "Sign out")
    press(leaving, "link", "Sign out at your organisation")
    press(leaving, "button", "Yes")
    check("sign-out: at the provider, and back", leaving.url.startswith(f"{drill.ours}/sign-in"))
    check("sign-out: here", not drill.shows(leaving))
    press(leaving, "link", "Sign in with your organisation")
    check("sign-out: it asks who it is", leaving.locator("input[name=login]").count() == 1)


def refused(page: Page) -> bool:
    return "did not confirm" in page.content()


def programs(drill: Drill) -> None:
    token = drill.token()
    check("programs: a token of the provider", drill.status(token) == 200)
    check(
        "programs: with the roles of its groups", drill.status(token, "/v1/admin/accounts") == 403
    )
    elsewhere = drill.token("https://elsewhere.example")
    check("wrong audience: a token for somebody else", drill.status(elsewhere) == 401)
    drill.groups(robot=[])
    check("group removed: a new token is not let in", drill.status(drill.token()) == 403)
    check("group removed: nor the one before", drill.status(token) == 401)
    drill.groups(robot=["officers"])


def main() -> int:
    begin()
    chromium = find_chromium()
    if not (shutil.which("node") and shutil.which("npm")):
        print("skipped: there is no Node here, which the identity provider of this drill runs on")
        return 0
    if chromium is None:
        print(f"skipped: {NO_CHROMIUM}")
        return 0
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        shutil.copy(Path(__file__).with_suffix(".mjs"), folder)
        subprocess.run(
            ["npm", "install", "--silent", "--no-audit", "--no-fund", PACKAGE],
            cwd=folder,
            check=True,
        )
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        stack.callback(browser.close)
        drill = Drill(folder, browser)
        stack.enter_context(drill.service(drill.ours, drill.issuer))
        with drill.provider():
            people(drill, stack)
            programs(drill)
            stays, _ = drill.sign_in(stack.enter_context(browser.new_context()))
            before = drill.token()
        check("provider down: who is signed in goes on", drill.shows(stays))
        check("provider down: programs go on with their tokens", drill.status(before) == 200)
        stranger = stack.enter_context(browser.new_context()).new_page()
        stranger.goto(f"{drill.ours}/sign-in/callback?code=x&state=x&iss={drill.issuer}")
        check("provider down: nobody gets in meanwhile", refused(stranger))
        with drill.provider():
            rotated(drill, before)
            wrong_issuer(drill, stack)
    return 1 if _wrong else 0


def rotated(drill: Drill, before: str) -> None:
    """The provider came back with another key, and doesn't know the one before."""

    def lets_in(token: Callable[[], str]) -> bool:
        return drill.status(token()) == 200

    # We ask it for its keys once a minute at most.
    until(lambda: lets_in(drill.token), 90)
    check("key rotated: its new tokens count within a minute", True)
    check("key rotated: what the old key signed does not", drill.status(before) == 401)
    with drill.browser.new_context() as context:
        page, _ = drill.sign_in(context)
        check("key rotated: people sign in", page.url == f"{drill.ours}/console")


def wrong_issuer(drill: Drill, stack: ExitStack) -> None:
    """Another service expects the same provider by another name."""
    ours = f"http://127.0.0.1:{free_port()}"
    stack.enter_context(drill.service(ours, f"http://localhost:{drill.port}"))
    page = stack.enter_context(drill.browser.new_context()).new_page()
    page.goto(f"{ours}/sign-in/organisation")
    check("wrong issuer: nobody is sent there", "does not answer" in page.content())
    headers = {"Authorization": f"Bearer {drill.token()}"}
    status = httpx.get(f"{ours}/v1/admin/venues", headers=headers).status_code
    check("wrong issuer: its tokens open nothing", status == 401)


if __name__ == "__main__":
    sys.exit(main())
