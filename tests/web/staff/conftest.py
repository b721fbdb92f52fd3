"""The pages for those who sign in, over HTTP, as a browser without script would use them."""

import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI, Request, Response

from app.accounts.models import Role
from app.accounts.tokens import Tokens
from app.web.staff.visits import remember
from tests.accounts import make_app, signed_in
from tests.servers import client_of, serving, until


@dataclass(frozen=True)
class Staff:
    """The service, and browsers in which somebody has signed in."""

    app: FastAPI
    client: httpx.Client
    stack: ExitStack

    def browser(self, *roles: Role) -> "Browser":
        """A new browser; with roles, somebody with these has signed in on it."""
        held = Browser(self.stack.enter_context(client_of(self.client.base_url)))
        if roles:
            held.keep(self.app, self.sign_in_id(*roles))
        return held

    def sign_in_id(self, *roles: Role) -> UUID:
        """A new sign-in of a new account."""
        tokens: Tokens = self.app.state.tokens
        _, found = tokens.read(signed_in(self.app, *roles)["Authorization"].removeprefix("Bearer "))
        return found


class Form(HTMLParser):
    """The fields of a form, each with the last value that stands in it, and what may be chosen."""

    def __init__(self) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self.choices: dict[str, list[str]] = {}
        self.typed: list[str] = []
        """Where something is typed that comes back: no password does."""
        self._select = self._area = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        key, value = given.get("name") or "", given.get("value") or ""
        if tag == "option" and value:
            self.choices.setdefault(self._select, []).append(value)
        elif given.get("type") in ("radio", "checkbox"):
            self.choices.setdefault(key, []).append(value)
        elif tag == "textarea" or given.get("type") in ("text", "date", "datetime-local"):
            self.typed.append(key)
        match tag:
            case "input" if given.get("type") not in ("radio", "checkbox") or "checked" in given:
                self.fields[key] = value
            case "select":
                self._select = key
            case "option" if "selected" in given:
                self.fields[self._select] = value
            case "textarea":
                self._area = key
                self.fields[key] = ""

    def handle_data(self, data: str) -> None:
        if self._area:
            self.fields[self._area] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._area = ""


@dataclass(frozen=True)
class Browser:
    client: httpx.Client

    def keep(self, app: FastAPI, sign_in_id: UUID) -> None:
        """Hold the cookie of a sign-in."""
        answer = Response()
        remember(Request({"type": "http", "app": app}), answer, sign_in_id)
        name, _, value = answer.headers["set-cookie"].partition(";")[0].partition("=")
        self.client.cookies.set(name, value)

    def get(self, path: str) -> httpx.Response:
        return self.client.get(path)

    def form(self, page: httpx.Response) -> Form:
        """The form on a page."""
        form = Form()
        form.feed(page.text[page.text.index("novalidate>") :])
        return form

    def fields(self, page: httpx.Response) -> dict[str, str]:
        """What a browser would send of the form on a page if nothing were typed."""
        return self.form(page).fields

    def send(self, path: str, typed: dict[str, str], **more: str) -> httpx.Response:
        """Fill in the form at an address, and send it."""
        page = self.get(path)
        assert page.status_code == 200, page.text
        return self.client.post(path.partition("?")[0], data=self.fields(page) | typed | more)


@pytest.fixture(scope="module")
def staff(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Staff]:
    folder = tmp_path_factory.mktemp("staff")
    url = f"sqlite:///{shutil.copyfile(sqlite_template, folder / 'havens.sqlite')}"
    app = make_app(url, folder)
    with serving(app) as client, ExitStack() as stack:
        until(lambda: client.get("/health/ready").is_success)
        yield Staff(app, client, stack)


def text(page: httpx.Response) -> str:
    """What a page says."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page.text)).split())
