"""Paper over HTTP: the leaflet and posters for everybody, certificates for officers, and checks."""

from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import Field

from app.accounts.guards import Officer
from app.core.database_errors import DATABASE_ERRORS, trouble
from app.core.db import none_such, read_session
from app.core.errors import DomainError, NotFound, responses, wrong
from app.core.journal import Journal, WrongClock
from app.core.london import london_day
from app.core.settings import Settings
from app.core.trouble import say
from app.directory import examples
from app.directory.engine.search import Search
from app.directory.read_side import NotReady
from app.directory.routes import HavenId, Live, listed_row
from app.http.conditional import JournalOutOfTurn, TheJournal, download, etag, unstored
from app.http.database import Turns, Unavailable
from app.http.fields import Given, Maybe, to_json
from app.http.headers import described, is_known, parameter
from app.http.languages import LANGUAGES, Language, wanted
from app.schemes.models import Decision, Season
from app.web.paper.certificates import (
    CertificatesQuestion,
    Choose,
    NoCertificate,
    certificates,
    one,
    several,
)
from app.web.paper.leaflet import LeafletSize, leaflet
from app.web.paper.poster import NoPublicAddress, PosterGround, poster
from app.web.paper.press import NotPrinted, Press
from app.web.paper.verification import DEMONSTRATION, Verification, verification

router = APIRouter(tags=["paper"])
admin = APIRouter(prefix="/v1/admin", tags=["schemes"])

PDF = "application/pdf"


class NotVerified(DomainError):
    """The database is in trouble."""

    status = 503
    code = "not-verified"
    title = "This can't be checked just now; try again in a minute"
    headers = {"Retry-After": "60"}  # noqa: RUF012 - never changed


class Desk:
    """What paper needs in one process of the service.

    Anybody may check a certificate, so those who do take turns among themselves.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.press = Press()
        self._turns = Turns(4)

    async def certificates(self, journal: Journal, actor: str, choose: Choose) -> bytes:
        """The certificates of the awards that are chosen. Raises what `certificates` raises."""
        composed = partial(certificates, journal, actor, choose, self.settings)
        sheet = await run_in_threadpool(composed)
        return await self.press.printed(("certificates", sheet.digest), lambda: sheet)

    async def verified(self, journal: Journal, code: str, at: float) -> Verification:
        """What a code says of an award at an instant. Raises `NotVerified`."""
        instant = datetime.fromtimestamp(at, UTC)
        try:
            async with self._turns.taken():
                return await run_in_threadpool(_verified, journal, code, instant)
        except Unavailable:
            raise NotVerified from None
        except DATABASE_ERRORS as error:
            say("a certificate was not checked", trouble(error) or type(error).__name__)
            raise NotVerified from None


def _verified(journal: Journal, code: str, at: datetime) -> Verification:
    with read_session(journal.engine) as session:
        return verification(session, code, at)


async def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.paper
    return desk


TheDesk = Annotated[Desk, Depends(_desk)]


class _InLanguage(Given):
    lang: Maybe[Literal["en", "pl", "es", "ar"]] = Field(
        default=None, description="By `Accept-Language` when absent"
    )

    def language(self, request: Request) -> Language:
        """The language that is asked for."""
        accepted = request.headers.getlist("accept-language")
        return LANGUAGES[self.lang] if self.lang else wanted(accepted)


class LeafletQuestion(_InLanguage):
    """How the leaflet is printed."""

    size: LeafletSize = LeafletSize.A4


class PosterQuestion(_InLanguage):
    """How a poster is printed."""

    ground: PosterGround = PosterGround.NIGHT


_FILE: dict[str, Any] = {
    "content": {
        PDF: {
            "schema": {"type": "string", "contentMediaType": PDF},
            "example": "(a document)",
        }
    }
}
_TAG = described("ETag", "Names this content")
_PUBLIC_FILE: dict[int | str, dict[str, Any]] = {
    200: {"headers": _TAG, **_FILE},
    304: {"description": "You have the newest already", "headers": _TAG},
}
_IF_NONE_MATCH = {"parameters": [parameter("If-None-Match", "The `ETag` of what you have")]}


@router.get(
    "/print/leaflet.pdf",
    summary="The list of havens, to print",
    response_class=Response,
    response_description="The leaflet",
    responses=_PUBLIC_FILE | responses(wrong("size", "must be a4 or a5"), NotReady(), NotPrinted()),
    openapi_extra=_IF_NONE_MATCH,
)
async def print_leaflet(
    question: Annotated[LeafletQuestion, Query()], request: Request, directory: Live, desk: TheDesk
) -> Response:
    """Every listed haven by ward, with whom to call.

    `a5` is for A4 printed on both sides, flipped on the short edge, and folded: its pages are in
    the order of a booklet. English where our fonts lack a letter of the language asked for.
    """
    search, now = directory.search, directory.clock()
    language = question.language(request)
    key = "leaflet", *_version(search, now), question.size, language.code
    compose = partial(leaflet, search, now, language, question.size, desk.settings)
    return _public(request, await desk.press.printed(key, compose), f"leaflet-{question.size}.pdf")


@router.get(
    "/print/poster/{haven_id}.pdf",
    summary="A poster for a haven's window",
    response_class=Response,
    response_description="The poster",
    responses=_PUBLIC_FILE
    | responses(
        NotFound("haven"),
        NoPublicAddress(),
        wrong("haven_id", "must be a UUID"),
        NotReady(),
        NotPrinted(),
    ),
    openapi_extra=_IF_NONE_MATCH,
)
async def print_poster(
    haven_id: HavenId,
    question: Annotated[PosterQuestion, Query()],
    request: Request,
    directory: Live,
    desk: TheDesk,
) -> Response:
    """A poster on A4 with a QR code of the haven's page; on `white` for printers that can't print
    to the edge.

    English where our fonts lack a letter of the language asked for.
    """
    if not desk.settings.public_url:
        raise NoPublicAddress
    search, now = directory.search, directory.clock()
    row = listed_row(search, haven_id, now)
    language = question.language(request)
    key = "poster", *_version(search, now), haven_id, question.ground, language.code
    compose = partial(poster, search, row, now, language, question.ground, desk.settings)
    return _public(request, await desk.press.printed(key, compose), f"poster-{haven_id}.pdf")


def _version(search: Search, now: float) -> tuple[str, int, str]:
    """What the directory says on paper is the same all day: what lapses does so at midnight."""
    snapshot = search.snapshot
    day = london_day(datetime.fromtimestamp(now, UTC))
    return snapshot.database, snapshot.version, day.isoformat()


def _public(request: Request, document: bytes, name: str) -> Response:
    headers = {
        "ETag": etag(document),
        "Cache-Control": "no-cache",
        "Vary": "Accept-Language",
        "Content-Disposition": f'inline; filename="safe-havens-{name}"',
    }
    if is_known(request.headers, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(document, media_type=PDF, headers=headers)


A_CODE = "QF7K-2MXP-91TD"
_IN_FORCE = {
    "state": "in_force",
    "scheme": "safe_haven",
    "name": examples.ONE["name"],
    "until": examples.ONE["schemes"][0]["until"],
    "notice": DEMONSTRATION,
}


@router.get(
    "/v1/verify/{code}",
    summary="Whether a certificate is in force",
    response_model=Verification,
    response_description="What the code says of an award",
    responses={
        200: {"content": {"application/json": {"example": _IN_FORCE}}},
        **responses(wrong("code", "must have at most 100 characters"), NotVerified()),
    },
)
async def verify(
    code: Annotated[
        str,
        Path(max_length=100, description="The code on the certificate", examples=[A_CODE]),
    ],
    directory: Live,
    journal: JournalOutOfTurn,
    desk: TheDesk,
) -> Response:
    """`in_force`, with the venue and the last day; `not_in_force`, and never why; or `unknown`.

    Read from the register at this very moment. The code is read with or without dashes, in any
    case, O as 0, I and L as 1.
    """
    told = await desk.verified(journal, code, directory.clock())
    if desk.settings.demonstration:
        told.notice = DEMONSTRATION
    return unstored(to_json(told))


_CERTIFICATES: dict[int | str, dict[str, Any]] = {200: _FILE}


@admin.get(
    "/certificates/{decision_id}.pdf",
    summary="The certificate of an award",
    response_class=Response,
    response_description="The certificate",
    responses=_CERTIFICATES
    | responses(
        none_such(Decision),
        NoCertificate("decision_id", "was voided"),
        WrongClock(),
        NotPrinted(),
    ),
)
async def print_certificate(
    decision_id: UUID, officer: Officer, journal: TheJournal, desk: TheDesk
) -> Response:
    """The certificate of an award that is in force, or will be, with a code to check it by.

    The code is drawn when the certificate is first made, and stays the same.
    """
    made = await desk.certificates(journal, officer.actor, one(decision_id))
    return download(made, PDF, f"certificate-{decision_id}.pdf")


@admin.get(
    "/certificates.pdf",
    summary="The certificates of a season, or of a day",
    response_class=Response,
    response_description="The certificates, a page each",
    responses=_CERTIFICATES
    | responses(
        none_such(Season),
        NoCertificate("season_id", "has no award that is in force, or will be"),
        wrong("season_id", "must be a UUID"),
        WrongClock(),
        NotPrinted(),
    ),
)
async def print_certificates(
    question: Annotated[CertificatesQuestion, Query()],
    officer: Officer,
    journal: TheJournal,
    desk: TheDesk,
) -> Response:
    """The certificates of all awards of a season, or of a scheme on one day, by venues' names.

    Those of awards that are not in force, nor will be, are left out.
    """
    made = await desk.certificates(journal, officer.actor, several(question))
    return download(made, PDF, "certificates.pdf")
