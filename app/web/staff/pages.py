"""What every page for those who sign in has: who is here, where they may go, and what was done."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from fastapi import Request, Response

from app.accounts.models import Role
from app.http.languages import LANGUAGES, SOURCE
from app.web.pages import NOTHING_ELSE, page
from app.web.staff.api import Told
from app.web.staff.asking import said_done
from app.web.staff.operations import Operations
from app.web.staff.visits import Visitor

ENGLISH = LANGUAGES[SOURCE]


class Area(NamedTuple):
    """What one role has to do with: its name, and its pages by theirs, the first one its home."""

    name: str
    pages: Sequence[tuple[str, str]]

    @property
    def home(self) -> str:
        return self.pages[0][1]


AREAS = {
    Role.OFFICER: Area(
        "Console",
        (
            ("Today", "/console"),
            ("Venues", "/console/venues"),
            ("Businesses", "/console/businesses"),
            ("Visits", "/console/engagements"),
            ("Training", "/console/training/sessions"),
            ("Tests", "/console/scheme-tests"),
            ("Reports", "/console/problem-reports"),
            ("Spreadsheets", "/console/bulk"),
        ),
    ),
    Role.LICENSING: Area(
        "Dashboard",
        (
            ("Coverage", "/audit"),
            ("Trend", "/audit/trend"),
            ("Due", "/audit/due"),
            ("Levy", "/audit/levy"),
            ("Tests", "/audit/scheme-tests"),
            ("Quality", "/audit/quality"),
            ("By night", "/audit/night"),
            ("Next havens", "/audit/plan"),
            ("Packs", "/audit/packs"),
        ),
    ),
    Role.ADMINISTRATOR: Area(
        "Administration",
        (
            ("Accounts", "/console/accounts"),
            ("Signed in", "/console/sign-ins"),
            ("Failed sign-ins", "/console/failed-sign-ins"),
            ("Journal", "/console/journal"),
            ("Health", "/console/installation"),
        ),
    ),
}
"""By role, in the order in which somebody with several begins."""


def staff_page(
    request: Request,
    visitor: Visitor | None,
    template: str,
    title: str,
    status: int = 200,
    **values: Any,
) -> Response:
    """A template as a page in English, kept nowhere."""
    areas = _areas(visitor) if visitor else []
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
        areas=areas,
        area=_area_at(areas, request.url.path),
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
    return next((area.home for area in _areas(visitor)), "/account/me")


def _areas(visitor: Visitor) -> list[Area]:
    """Where somebody may go; administrators audit, too, but begin with what only they do."""
    roles = set(visitor.account.roles)
    found = [area for role, area in AREAS.items() if role in roles]
    if Role.ADMINISTRATOR in roles and Role.LICENSING not in roles:
        found.append(AREAS[Role.LICENSING])
    return found


def _area_at(areas: Sequence[Area], here: str) -> Area | None:
    """The area that an address is in, by the page that it goes on from; else the first."""
    from_here = [
        (len(address), area)
        for area in areas
        for _, address in area.pages
        if here == address or here.startswith(f"{address}/")
    ]
    first = areas[0] if areas else None
    return max(from_here, default=(0, first))[1]
