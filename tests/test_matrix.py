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
from app.http.languages import IN_LANGUAGE
from app.web.sharing import PREFIXES
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
    ("GET", "/static/{name}"),
    ("GET", "/v1/havens/nearest"),
    ("POST", "/v1/havens/nearest"),
    ("GET", "/v1/havens"),
    ("GET", "/v1/havens/{haven_id}"),
    ("GET", "/v1/havens/{haven_id}/route"),
    ("POST", "/v1/havens/{haven_id}/route"),
    ("POST", "/v1/havens/{haven_id}/problem-reports"),
    ("GET", "/v1/wards"),
    ("GET", "/v1/changes"),
    ("GET", "/v1/postcodes"),
    ("GET", "/v1/streets"),
    ("GET", "/v1/help"),
    ("GET", "/oruk"),
    *(
        ("GET", f"/ogc{path}")
        for path in (
            *("", "/conformance", "/api", "/collections", "/collections/{collection_id}"),
            "/collections/{collection_id}/items",
            "/collections/{collection_id}/items/{feature_id}",
        )
    ),
    *(
        ("GET", f"/oruk/{name}{one}")
        for name, one in (
            *(("services", ""), ("services", "/{service_id}")),
            *(("service_at_locations", ""), ("service_at_locations", "/{place_id}")),
            *(("taxonomies", ""), ("taxonomies", "/{taxonomy_id}")),
            *(("taxonomy_terms", ""), ("taxonomy_terms", "/{term_id}")),
        )
    ),
    ("GET", "/v1/verify/{code}"),
    ("GET", "/print/leaflet.pdf"),
    ("GET", "/print/poster/{haven_id}.pdf"),
    ("GET", "/health/live"),
    ("GET", "/health/ready"),
    ("GET", "/metrics"),
    ("GET", "/published/current"),
    ("GET", "/published/{checksum}"),
    ("POST", "/v1/auth/token"),
    ("POST", "/v1/auth/token/code"),
    ("GET", "/v1/calendar/{secret}.ics"),
    ("GET", "/static/{name}"),
    ("GET", "/worker.js"),
    ("GET", "/havens.webmanifest"),
    ("GET", f"{IN_LANGUAGE}/havens.webmanifest"),
    ("GET", "/robots.txt"),
    ("GET", "/sitemap.xml"),
    ("GET", "/"),
    ("POST", "/"),
    ("GET", IN_LANGUAGE),
    ("POST", IN_LANGUAGE),
    *(
        (method, prefix + path)
        for prefix in PREFIXES
        for method, path in (
            ("GET", "/help"),
            ("GET", "/verify"),
            ("GET", "/verify/{code}"),
            ("GET", "/safety"),
            ("GET", "/privacy"),
            ("GET", "/accessibility"),
            ("GET", "/wards/{name}"),
            ("GET", "/map"),
            ("GET", "/havens/{haven_id}"),
            ("GET", "/havens/{haven_id}/report"),
            ("POST", "/havens/{haven_id}/report"),
            ("GET", "/havens/{haven_id}/report/sent"),
            ("GET", "/havens/{haven_id}/survey"),
            ("POST", "/havens/{haven_id}/survey"),
            ("GET", "/havens/{haven_id}/survey/sent"),
            ("GET", "/letters/{secret}"),
            ("POST", "/letters/{secret}"),
        )
    ),
}
"""What nobody has to sign in for; HEAD goes with GET."""

PREVIEWS = {"POST /v1/admin/venues/{venue_id}/hours/preview"}
"""What takes a body and yet changes nothing."""

ASSESSMENTS = "POST /v1/admin/venues/{venue_id}/assessments"
"""What licensing may record too: it assesses Safety Thirst."""

ERASURE = "DELETE /v1/admin/contacts/{contact_id}"
"""What administrators alone do, for it can't be undone."""

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
    ("", "/v1/admin/sign-ins", ADMINISTRATOR),
    ("", "/v1/admin/failed-sign-ins", ADMINISTRATOR),
    ("GET", "/v1/admin/journal/check", ADMINISTRATOR),
    ("GET", "/v1/admin/installation", ADMINISTRATOR),
    ("GET", "/v1/admin/due", OFFICER),
    ("GET", "/v1/admin/quality", OFFICER),
    ("DELETE", ERASURE.removeprefix("DELETE "), ADMINISTRATOR),
    ("", "/v1/audit/", AUDITORS),
    ("GET", "/ogc/licensing", AUDITORS),
    ("GET", "/v1/admin/certificates", OFFICER),
    ("", "/v1/admin/digest", OFFICER),
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
    # Pages for those who sign in are the API's, for its roles: tests/web/staff/test_matrix.py.
    pages = ("/console", "/audit", "/account", "/sign-", "/welcome")
    return [
        # What has no methods, as a mounted application, is nothing that could be listed here.
        Route(method, str(context.path), tuple(_guards(getattr(context, "dependant", None))))
        for context in iter_route_contexts(app.routes)
        if not str(context.path).startswith(pages)
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
    own = ("/v1/auth/", "/v1/admin/accounts", "/v1/admin/sign-ins")
    may = {
        str(r)
        for r in routes
        if r.guards and r.method not in ("GET", "HEAD") and not r.path.startswith(own)
        if others.intersection(*r.guards)
    }
    assert may == PREVIEWS | AUDITORS_OWN | {ASSESSMENTS, ERASURE}


def test_nobody_passes_a_guard_without_signing_in(
    client: httpx.Client, routes: list[Route]
) -> None:
    answers = {str(r): asked(client, r, {}) for r in routes}
    assert {r for r, status in answers.items() if status >= 500} <= {
        "GET /health/ready",
        "HEAD /health/ready",
    }
    guarded = {str(r) for r in routes if r.guards}
    by_something_else = {"POST /v1/auth/token", "GET /metrics"}
    assert {r for r, status in answers.items() if status == 401} - by_something_else == guarded


def test_no_other_site_reads_what_staff_do(client: httpx.Client, routes: list[Route]) -> None:
    elsewhere = {"Origin": "https://elsewhere.test", "Access-Control-Request-Method": "POST"}
    open_to_others = set()
    for route in routes:
        path = re.sub(r"\{\w+\}", lambda _: str(uuid4()), route.path)
        for method in (route.method, "OPTIONS"):
            with client.stream(method, path, headers=elsewhere) as answer:
                if "Access-Control-Allow-Origin" in answer.headers:
                    open_to_others.add(route)
    assert {str(r) for r in open_to_others if r.guards} == set()
    others = {r.path for r in open_to_others}
    assert "/v1/havens/nearest" in others
    assert others.isdisjoint({"/v1/auth/token", "/v1/calendar/{secret}.ics", "/metrics", "/"})


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
