"""The page that says of a certificate’s code whether its award is in force, and never why not."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from app.directory.routes import Live
from app.http.conditional import JournalOutOfTurn
from app.http.languages import InLanguage, Language
from app.schemes.registry import SchemeKey
from app.web.dates import written
from app.web.pages import PageRoute, page
from app.web.paper.routes import TheDesk
from app.web.paper.verification import Verification

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/verify/{code}")
async def code_page(
    request: Request,
    code: Annotated[str, Path(max_length=100)],
    language: InLanguage,
    directory: Live,
    journal: JournalOutOfTurn,
    desk: TheDesk,
) -> Response:
    """What a code says. Raises `NotVerified`."""
    told = await desk.verified(journal, code, directory.clock())
    return page(
        request,
        language,
        "verification.html",
        code=code,
        told=told,
        scheme=_scheme(told, language),
        until=written(language, told.until) if told.until else "",
    )


@router.get("/verify")
async def codes_page(
    request: Request,
    language: InLanguage,
    directory: Live,
    journal: JournalOutOfTurn,
    desk: TheDesk,
    code: Annotated[str, Query(max_length=100)] = "",
) -> Response:
    """A form for a code, and what the one that was typed says. Raises `NotVerified`."""
    if code:
        return await code_page(request, code, language, directory, journal, desk)
    return page(request, language, "verification.html", told=None)


def _scheme(told: Verification, language: Language) -> str:
    _ = language.gettext
    names = {
        SchemeKey.SAFE_HAVEN: _("is a Safe Haven"),
        SchemeKey.SAFETY_THIRST: _("holds the Safety Thirst award"),
        SchemeKey.ASK_FOR_ANGELA: _("takes part in Ask for Angela"),
        SchemeKey.WOMENS_NIGHT_SAFETY_CHARTER: _("has signed the Women’s Night Safety Charter"),
    }
    return names[told.scheme] if told.scheme else ""
