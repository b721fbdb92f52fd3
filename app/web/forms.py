"""Forms that change something: which of them count as sent from our own pages."""

from urllib.parse import urlsplit

from fastapi import Request

from app.core.errors import DomainError
from app.core.settings import Settings


class FromElsewhere(DomainError):
    """A page of another site sent the form, and whoever looked at that knows nothing of it."""

    status = 403
    code = "from-elsewhere"
    title = "This form was sent from another site"


async def from_our_pages(request: Request) -> None:
    """A dependency of routes that take a form. Raises `FromElsewhere`.

    It goes by what browsers say of the page that a form was on. What comes from no browser says
    nothing and passes: nobody has been made to send that. Our pages let out no referrer, so that a
    browser too old to say more than `Origin` says `null` for them.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        if site not in ("same-origin", "none"):
            raise FromElsewhere
        return
    origin = request.headers.get("origin", "null")
    host = request.headers.get("host", "")
    settings: Settings = request.app.state.settings
    ours = {host, urlsplit(settings.public_url).netloc}
    if origin != "null" and _netloc(origin) not in ours - {""}:
        raise FromElsewhere


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""
