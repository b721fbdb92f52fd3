"""Errors as somebody reads them who asked for a page: what to do next."""

from http import HTTPStatus

from fastapi import Request, Response

from app.core.errors import DomainError, problem
from app.http.headers import preferred
from app.http.languages import request_language
from app.http.middleware import FOR_PROGRAMS
from app.web.pages import PageRoute, page
from app.web.staff.pages import staff_page

OF_STAFF = ("/console", "/audit", "/account")
"""How the addresses of pages begin that are for those who sign in."""


def answer(request: Request, error: DomainError) -> Response:
    """A page for a person, a problem document for a program."""
    if not _is_person(request):
        return problem(error)
    if request.url.path.startswith(OF_STAFF):
        response = staff_page(request, None, "error.html", _title(error), error.status, error=error)
    else:
        response = page(request, request_language(request), "error.html", error.status, error=error)
    response.headers.update(error.headers)
    return response


def _title(error: DomainError) -> str:
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return "Something broke on our side"
    if error.status == HTTPStatus.NOT_FOUND:
        return "This page isn’t here"
    return "This page is not for your account" if error.code == "forbidden" else error.title


def _is_person(request: Request) -> bool:
    route = request.scope.get("route")
    if route is not None:
        return isinstance(route, PageRoute)
    # Nothing is at the address; a browser names HTML before all else.
    likes = preferred(request.headers.get("accept", ""), ("application/problem+json", "text/html"))
    return likes == "text/html" and not request.url.path.startswith(FOR_PROGRAMS)
