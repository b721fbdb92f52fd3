"""A register with something of nearly every kind, and the pages of all that can be done with it."""

import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
from fastapi import FastAPI

from app.accounts.models import Role
from app.sheets.files import SheetName, template
from app.web.staff.operations import Operation, Operations
from tests.accounts import add_account, make_app, sign_in, signed_in
from tests.servers import client_of, serving, until
from tests.web.staff.conftest import Browser, Form, Staff
from tests.web.staff.test_matrix import NO_PAGE

ENDS_THIS = "/v1/auth"
"""How paths begin of what could end the very sign-in that fills in forms."""


@dataclass(frozen=True)
class Desk:
    """Two processes of one service, with something in the register of nearly every kind."""

    app: FastAPI
    api: httpx.Client
    known: Mapping[str, str]
    first: Browser
    second: Browser
    stranger: Browser

    @property
    def length(self) -> int:
        """How much was recorded so far."""
        length: int = self.app.state.journal.length()
        return length

    def forms(self, names: tuple[str, ...] = ()) -> Iterator[tuple[Operation, str, Form]]:
        """The forms of what changes something, about the first of each kind, each with its
        address; of some operations, or of all. What takes something away comes last."""
        addresses = sorted(
            self.addresses(forms=True),
            key=lambda one: one[0].method == "DELETE" or one[0].name.startswith("void"),
        )
        for operation, address in addresses:
            if operation.path.startswith(ENDS_THIS) or (names and operation.name not in names):
                continue
            for kind in operation.kinds or [""]:
                asked = "?" + str(httpx.QueryParams(kind=kind, scheme="safe_haven"))
                where = address + (asked if kind else "")
                page = self.first.get(where)
                if "novalidate>" in page.text:
                    yield operation, where, self.first.form(page)

    def addresses(self, *, forms: bool) -> Iterator[tuple[Operation, str]]:
        """The pages of what changes something, or of what does not."""
        operations = Operations.of(self.app)
        lists = {one.path for one in operations.all if one.is_list}
        known = dict(self.known)
        for one in operations.all:
            places = re.findall(r"\{(\w+)\}", one.path)
            for place in places:
                begin = one.path.partition(f"/{{{place}}}")[0]
                if place not in known and begin in lists:
                    items = self.api.get(begin, params={"limit": 1}).json()["items"]
                    if items and "id" in items[0]:
                        known[place] = items[0]["id"]
            is_one = (one.method != "GET") is forms and one.name not in NO_PAGE
            if is_one and known.keys() >= {*places}:
                yield one, one.address.format_map(known)


@contextmanager
def desk_of(folder: Path, sqlite_template: Path, *, empty: bool = False) -> Iterator[Desk]:
    """A desk; if it is `empty`, with nothing in the register."""
    # Pages tell where its files are, and a path has no place to break a line at.
    folder /= "a_folder_with_a_long_name_" * 3
    folder.mkdir()
    url = f"sqlite:///{shutil.copyfile(sqlite_template, folder / 'havens.sqlite')}"
    with ExitStack() as stack:
        apps = [make_app(url, folder) for _ in range(2)]
        clients = [stack.enter_context(serving(app)) for app in apps]
        for client in clients:
            until(partial(is_ready, client))
        first, second = (
            Staff(app, client, stack) for app, client in zip(apps, clients, strict=True)
        )
        api = stack.enter_context(client_of(clients[0].base_url, signed_in(apps[0], *Role)))
        for name in [] if empty else SheetName:
            kind = {"Content-Type": "text/csv"}
            sent = api.post(f"/v1/admin/bulk/{name}", content=template(name), headers=kind)
            sent.raise_for_status()
        if not empty:
            issue_pack(api)
        # Somebody else's, so that nothing here ends its own sign-in.
        other = add_account(apps[0].state.journal.engine, Role.OFFICER)
        token = sign_in(apps[0], other)["Authorization"].removeprefix("Bearer ")
        _, sign_in_id = apps[0].state.tokens.read(token)
        known = {"account_id": str(other.id), "sign_in_id": str(sign_in_id)}
        one = first.browser(*Role)
        two = second.browser()
        two.client.cookies.update(one.client.cookies)
        yield Desk(apps[0], api, known, one, two, second.browser())


def issue_pack(api: httpx.Client) -> None:
    """Issue a quarter's report, so that there is one to be read, checked and compared."""
    api.post("/v1/audit/packs", json={"quarter": "2025-Q1"}).raise_for_status()


def is_ready(client: httpx.Client) -> bool:
    return client.get("/health/ready").is_success
