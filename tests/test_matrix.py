"""Who may call what: every route is public on purpose or guarded, and each guard is tried."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts

from app.accounts.guards import Guard, visiting
from app.accounts.models import Role
from tests.accounts import make_app, signed_in
from tests.servers import serving, until

EVERYBODY = frozenset(Role)
OFFICER = frozenset({Role.OFFICER})
ADMINISTRATOR = frozenset({Role.ADMINISTRATOR})
AUDITORS = frozenset({Role.LICENSING, Role.ADMINISTRATOR})

PUBLIC = {
    ("GET", "/openapi.json"),
    ("GET", "/docs"),
    ("GET", "/docs/{name}"),
    ("GET", "/v1/havens/nearest"),
    ("POST", "/v1/havens/nearest"),
    ("GET", "/v1/havens"),
    ("GET", "/v1/havens/{haven_id}"),
    ("POST", "/v1/havens/{haven_id}/problem-reports"),
    ("GET", "/v1/help"),
    ("GET", "/health/live"),
    ("GET", "/health/ready"),
    ("GET", "/metrics"),
    ("POST", "/v1/auth/token"),
    ("GET", "/v1/calendar/{secret}.ics"),
}
"""What nobody has to sign in for; HEAD goes with GET."""

PREVIEWS = {"POST /v1/admin/venues/{venue_id}/hours/preview"}
"""What takes a body and yet changes nothing."""

ASSESSMENTS = "POST /v1/admin/venues/{venue_id}/assessments"
"""What licensing may record too: it assesses Safety Thirst."""

AUDITORS_OWN = {
    "POST /v1/audit/packs",
    "POST /v1/audit/calendar",
    "POST /v1/audit/calendar/revoke",
}
"""What auditors make for themselves: it changes nothing of the register."""

EXPECTED = (
    ("POST", ASSESSMENTS.removeprefix("POST "), OFFICER | {Role.LICENSING}),
    *(("POST", preview.removeprefix("POST "), EVERYBODY) for preview in PREVIEWS),
    ("", "/v1/auth/", EVERYBODY),
    ("", "/v1/admin/accounts", ADMINISTRATOR),
    ("", "/v1/audit/", AUDITORS),
    ("GET", "/v1/admin/", EVERYBODY),
    ("", "/v1/admin/", OFFICER),
)
"""Who may, by method and the beginning of the path; the first that fits counts."""


@dataclass(frozen=True)
class Route:
    method: str
    path: str
    guards: tuple[frozenset[Role], ...]

    @property
    def is_public(self) -> bool:
        return (self.method.replace("HEAD", "GET"), self.path) in PUBLIC

    @property
    def expected(self) -> frozenset[Role] | None:
        return next(
            (
                roles
                for method, prefix, roles in EXPECTED
                if self.method.startswith(method) and self.path.startswith(prefix)
            ),
            None,
        )

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def routes_of(app: FastAPI) -> list[Route]:
    """Every method of every route, with the guards anywhere in its signature."""
    return [
        # What has no methods, as a mounted application, is nothing that could be listed here.
        Route(method, str(context.path), tuple(_guards(getattr(context, "dependant", None))))
        for context in iter_route_contexts(app.routes)
        for method in sorted(context.methods or {"(any)"})
    ]


def _guards(dependant: Dependant | None) -> Iterator[frozenset[Role]]:
    if dependant is None:
        return
    if isinstance(dependant.call, Guard):
        yield dependant.call.roles
    elif dependant.call is visiting:
        yield EVERYBODY
    else:
        for needed in dependant.dependencies:
            yield from _guards(needed)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> FastAPI:
    folder = tmp_path_factory.mktemp("matrix")
    url = f"sqlite:///{shutil.copyfile(sqlite_template, folder / 'havens.sqlite')}"
    return make_app(url, folder)


@pytest.fixture(scope="module")
def routes(app: FastAPI) -> list[Route]:
    return routes_of(app)


@pytest.fixture(scope="module")
def client(app: FastAPI) -> Iterator[httpx.Client]:
    with serving(app) as client:
        until(lambda: client.get("/health/ready").is_success)
        yield client


def asked(client: httpx.Client, route: Route, headers: dict[str, str]) -> int:
    """The status of an empty request about something that does not exist."""
    path = re.sub(r"\{\w+\}", lambda _: str(uuid4()), route.path)
    with client.stream(route.method, path, headers=headers) as answer:
        return answer.status_code


def test_every_route_is_guarded_or_public_on_purpose(routes: list[Route]) -> None:
    assert [str(r) for r in routes if r.is_public == bool(r.guards)] == []


def test_every_guard_is_the_one_that_is_expected(routes: list[Route]) -> None:
    wrong = [str(r) for r in routes if r.guards and set(r.guards) != {r.expected}]
    assert wrong == []


def test_the_lists_name_nothing_that_is_gone(routes: list[Route]) -> None:
    assert PUBLIC - {(r.method, r.path) for r in routes} == set()


def test_only_officers_change_the_register(routes: list[Route]) -> None:
    others = EVERYBODY - OFFICER
    own = ("/v1/auth/", "/v1/admin/accounts")
    may = {
        str(r)
        for r in routes
        if r.guards and r.method not in ("GET", "HEAD") and not r.path.startswith(own)
        if others.intersection(*r.guards)
    }
    assert may == PREVIEWS | AUDITORS_OWN | {ASSESSMENTS}


def test_nobody_passes_a_guard_without_signing_in(
    client: httpx.Client, routes: list[Route]
) -> None:
    answers = {str(r): asked(client, r, {}) for r in routes}
    assert {r for r, status in answers.items() if status >= 500} <= {
        "GET /health/ready",
        "HEAD /health/ready",
    }
    guarded = {str(r) for r in routes if r.guards}
    assert {r for r, status in answers.items() if status == 401} - {
        "POST /v1/auth/token"
    } == guarded


@pytest.mark.parametrize("role", Role)
def test_a_role_passes_its_guards_and_no_other(
    app: FastAPI, client: httpx.Client, routes: list[Route], role: Role
) -> None:
    # Signed in anew each time: one of the routes signs out.
    answers = {r: asked(client, r, signed_in(app, role)) for r in routes if r.guards}
    wrong = {
        str(r): status
        for r, status in answers.items()
        if (status == 403) != (role not in (r.expected or ())) or status == 401 or status >= 500
    }
    assert wrong == {}


def test_all_roles_together_pass_everywhere(
    app: FastAPI, client: httpx.Client, routes: list[Route]
) -> None:
    answers = {str(r): asked(client, r, signed_in(app, *Role)) for r in routes if r.guards}
    assert {r: status for r, status in answers.items() if status in (401, 403)} == {}
