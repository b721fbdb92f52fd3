"""The poster for the window of a haven, with a QR code of its page."""

from datetime import UTC, datetime
from enum import StrEnum

from app.core.errors import DomainError
from app.core.london import effective, london_day
from app.core.settings import Settings
from app.directory.engine.search import Search
from app.http.languages import Language
from app.web.paper.leaflet import haven_of, is_angela
from app.web.paper.press import Sheet
from app.web.paper.qr import qr_code
from app.web.paper.words import printable, words


class PosterGround(StrEnum):
    """What it is printed on: dark to the edge, or white for printers that can't do that."""

    NIGHT = "night"
    WHITE = "white"


class NoPublicAddress(DomainError):
    """A code that leads nowhere must not hang in a window."""

    status = 409
    code = "no-public-address"
    title = "HAVENS_PUBLIC_URL is not set, so there is no address to print"


def poster(
    search: Search, row: int, now: float, language: Language, ground: PosterGround, ours: Settings
) -> Sheet:
    """The poster of a haven, where there is a public address."""
    haven = haven_of(search, row)
    language = printable(language)
    said = words(language.gettext)
    return Sheet(
        "poster.typ",
        {
            "language": language.code,
            "direction": language.direction,
            "ground": ground,
            "words": said["poster"],
            "unreviewed": "" if language.is_reviewed else said["unreviewed"],
            "name": haven["name"],
            "with_angela": is_angela(haven),
            "qr": qr_code(ours.address(f"/havens/{haven['id']}")),
            "survey": qr_code(ours.address(f"/havens/{haven['id']}/survey")),
            "is_sample": search.snapshot.demonstration,
        },
        made_at=int(effective(london_day(datetime.fromtimestamp(now, UTC))).timestamp()),
    )
