"""Pages that say what this service is, does and keeps, and whom to call."""

from fastapi import APIRouter, Request, Response

from app.core.settings import Settings
from app.http.languages import InLanguage
from app.web.map import TileSource
from app.web.pages import PageRoute, page
from app.web.sharing import sharing

router = APIRouter(route_class=PageRoute, include_in_schema=False)

ABOUT = ("/help", "/safety", "/privacy", "/accessibility")


@router.get("/help")
async def whom_to_call(request: Request, language: InLanguage) -> Response:
    """Whom to call, how without speaking, and what to ask staff for."""
    about = sharing(request, "/help", language.gettext("Help and whom to call"))
    return page(request, language, "help.html", about=about)


@router.get("/safety")
async def safety(request: Request, language: InLanguage) -> Response:
    """What leaving hides, and what it doesn't."""
    title = language.gettext("What leaving hides, and what it doesn\u2019t")
    return page(request, language, "safety.html", about=sharing(request, "/safety", title))


@router.get("/privacy")
async def privacy(request: Request, language: InLanguage) -> Response:
    """What is known of who uses this, and what is kept."""
    about = sharing(request, "/privacy", language.gettext("Privacy"))
    settings: Settings = request.app.state.settings
    return page(
        request,
        language,
        "privacy.html",
        about=about,
        tiles=TileSource.of(settings),
        comment_days=settings.keep_days.comments,
    )


@router.get("/accessibility")
async def accessibility(request: Request, language: InLanguage) -> Response:
    """What was tested, and what was not."""
    about = sharing(request, "/accessibility", language.gettext("Accessibility"))
    return page(request, language, "accessibility.html", about=about)
