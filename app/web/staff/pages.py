"""What every page for those who sign in has: who is here, where they may go, and what was done."""

from collections.abc import Mapping
from typing import Any

from fastapi import Request, Response

from app.accounts.models import Role
from app.http.languages import LANGUAGES, SOURCE
from app.web.pages import NOTHING_ELSE, page
from app.web.staff.api import Told
from app.web.staff.asking import said_done
from app.web.staff.operations import Operations
from app.web.staff.visits import Visitor

ENGLISH = LANGUAGES[SOURCE]

OFFICERS = (
    ("Today", "/console"),
    ("Venues", "/console/venues"),
    ("Businesses", "/console/businesses"),
    ("Visits", "/console/engagements"),
    ("Training", "/console/training/sessions"),
    ("Tests", "/console/scheme-tests"),
    ("Reports", "/console/problem-reports"),
    ("Spreadsheets", "/console/bulk"),
)
AUDITORS = (
    ("Coverage", "/audit"),
    ("Trend", "/audit/trend"),
    ("Due", "/audit/due"),
    ("Levy", "/audit/levy"),
    ("Scheme tests", "/audit/scheme-tests"),
    ("Data quality", "/audit/quality"),
    ("By night", "/audit/night"),
    ("Next havens", "/audit/plan"),
    ("Packs", "/audit/packs"),
)
ADMINISTRATORS = (
    ("Accounts", "/console/accounts"),
    ("Signed in", "/console/sign-ins"),
    ("Failed sign-ins", "/console/failed-sign-ins"),
    ("Journal", "/console/journal"),
    ("Health", "/console/installation"),
)
HOMES = {
    Role.OFFICER: "/console",
    Role.LICENSING: "/audit",
    Role.ADMINISTRATOR: "/console/accounts",
}
"""Where somebody begins, by the first of their roles."""


def staff_page(
    request: Request,
    visitor: Visitor | None,
    template: str,
    title: str,
    status: int = 200,
    **values: Any,
) -> Response:
    """A template as a page in English, kept nowhere."""
    roles = set(visitor.account.roles) if visitor else set()
    done = request.query_params.get("done", "")
    operations = Operations.of(request.app)
    response = page(
        request,
        ENGLISH,
        f"staff/{template}",
        status,
        csp=NOTHING_ELSE,
        title=title,
        visitor=visitor,
        navigation=_navigation(roles),
        here=request.url.path,
        done=said_done(operations[done]) if done in operations else "",
        **values,
    )
    response.headers["Cache-Control"] = "private, no-store"
    if "ETag" in response.headers:
        del response.headers["ETag"]
    return response


def file_of(told: Told) -> Response:
    """A file of the API, as it is."""
    kept = ("content-type", "content-disposition")
    headers = {key: told.headers[key] for key in kept if key in told.headers}
    return Response(told.content, headers=headers | {"Cache-Control": "private, no-store"})


def home(visitor: Visitor) -> str:
    """Where somebody begins."""
    return next((at for role, at in HOMES.items() if role in visitor.account.roles), "/account/me")


def _navigation(roles: set[Role]) -> list[tuple[str, str]]:
    parts: Mapping[Role, tuple[tuple[str, str], ...]] = {
        Role.OFFICER: OFFICERS,
        Role.LICENSING: AUDITORS,
        Role.ADMINISTRATOR: ADMINISTRATORS,
    }
    found = [one for role, some in parts.items() if role in roles for one in some]
    if Role.ADMINISTRATOR in roles and Role.LICENSING not in roles:
        found += AUDITORS
    return found
