"""Errors as somebody reads them who asked for a page: what to do next."""

from fastapi import Request, Response

from app.core.errors import DomainError, problem
from app.http.headers import preferred
from app.http.languages import request_language
from app.http.middleware import FOR_PROGRAMS
from app.web.pages import PageRoute, page


def answer(request: Request, error: DomainError) -> Response:
    """A page for a person, a problem document for a program."""
    if not _is_person(request):
        return problem(error)
    response = page(request, request_language(request), "error.html", error.status, error=error)
    response.headers.update(error.headers)
    return response


def _is_person(request: Request) -> bool:
    route = request.scope.get("route")
    if route is not None:
        return isinstance(route, PageRoute)
    # Nothing is at the address; a browser names HTML before all else.
    likes = preferred(request.headers.get("accept", ""), ("application/problem+json", "text/html"))
    return likes == "text/html" and not request.url.path.startswith(FOR_PROGRAMS)
