"""Two questions about a haven, from a code in it or after a report: counted, and nothing else."""

import secrets
from hashlib import blake2b
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse

from app.core.database_errors import DATABASE_ERRORS, trouble
from app.core.errors import NotFound
from app.core.journal import Journal, WrongClock
from app.core.trouble import say
from app.directory.live import Directory
from app.directory.reporters import Tokens
from app.directory.routes import Live, listed_row
from app.http.conditional import JournalOutOfTurn
from app.http.database import TheTurns, Turns, Unavailable
from app.http.headers import client_address
from app.http.languages import InLanguage, Language
from app.outreach.reports import PUBLIC
from app.outreach.survey import count_answers
from app.web.finder import InListing, Listing
from app.web.forms import from_our_pages
from app.web.havens import AskedHaven, asked_haven, haven_form, unlisted
from app.web.pages import PageRoute, link, page

router = APIRouter(
    prefix="/havens/{haven_id}/survey", route_class=PageRoute, include_in_schema=False
)

ANSWERS = ("yes", "no")
Problems = dict[str, str]


class Answerers:
    """Those who answer, as one process knows them: as many as report problems may from one address.

    It all lies in memory, by a key that nobody has. A form that is sent twice counts once.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._clients = Tokens(5, 600)
        self._forms = Tokens(1, 3600)

    def has_sent(self, form: str) -> bool:
        """Whether a form was sent before."""
        return not self._forms.take(self._hash(form))

    def may(self, client: str) -> bool:
        """Whether one more answer of a client counts."""
        return self._clients.take(self._hash(client))

    def take_back(self, form: str, client: str) -> None:
        """Have neither count: the answers could not be kept."""
        self._forms.give_back(self._hash(form))
        self._clients.give_back(self._hash(client))

    def _hash(self, text: str) -> bytes:
        return blake2b(text.encode(errors="replace"), key=self._key, digest_size=16).digest()


@router.get("")
async def survey_form(
    request: Request,
    asked: AskedHaven,
    language: InLanguage,
    directory: Live,
    listing: InListing,
) -> Response:
    """The two questions."""
    return _form(request, asked, language, directory, listing)


@router.post("", dependencies=[Depends(from_our_pages)])
async def send_survey(
    request: Request,
    asked: AskedHaven,
    language: InLanguage,
    directory: Live,
    listing: InListing,
    journal: JournalOutOfTurn,
    turns: TheTurns,
    safer: Annotated[str, Form()] = "",
    helped: Annotated[str, Form()] = "",
    form: Annotated[str, Form()] = "",
) -> Response:
    """Count what was answered; what can't be counted comes back as it was chosen."""
    _ = language.gettext
    problems, status = {}, 422
    if safer not in ANSWERS:
        problems["safer"] = _("Say whether you felt safer")
    if helped not in ANSWERS:
        problems["helped"] = _("Say whether you were helped")
    if not problems:
        try:
            listed_row(directory.search, asked, directory.clock())
        except NotFound:
            return unlisted(request, asked, language, directory, listing)
        refusal = await _counted(
            request, journal, turns, asked, form, safer=safer == "yes", helped=helped == "yes"
        )
        if not refusal:
            return RedirectResponse(link(request, f"/havens/{asked}/survey/sent"), 303)
        status = refusal
        problems["send"] = (
            _(
                "Your answers are not counted: too many were sent from your connection. Try again"
                " later."
            )
            if refusal == TOO_MANY
            else _("Your answers are not counted: something broke on our side. Try again later.")
        )
    typed = {"safer": safer, "helped": helped}
    return _form(
        request, asked, language, directory, listing, status, typed=typed, problems=problems
    )


TOO_MANY, NOT_KEPT = 429, 503


async def _counted(
    request: Request,
    journal: Journal,
    turns: Turns,
    asked: UUID,
    form: str,
    *,
    safer: bool,
    helped: bool,
) -> int:
    """Count it, once; returns why it is not counted, or 0."""
    answerers: Answerers = request.app.state.answerers
    client = client_address(request, request.app.state.trusted_proxies)
    if form and answerers.has_sent(form):
        return 0
    if not answerers.may(client):
        return TOO_MANY

    def write() -> None:
        with journal.writing(PUBLIC) as session:
            count_answers(session, asked, felt_safer=safer, was_helped=helped)

    try:
        async with turns.taken():
            await run_in_threadpool(write)
    except (Unavailable, WrongClock, *DATABASE_ERRORS) as error:
        answerers.take_back(form, client)
        say("answers of the survey were not counted", trouble(error) or type(error).__name__)
        return NOT_KEPT
    return 0


@router.get("/sent", dependencies=[Depends(asked_haven)])
async def survey_sent(request: Request, language: InLanguage) -> Response:
    """Thanks, and whom to call."""
    return page(request, language, "survey_sent.html")


def _form(
    request: Request,
    asked: UUID,
    language: Language,
    directory: Directory,
    listing: Listing,
    status: int = 200,
    **state: Any,
) -> Response:
    """The form, as it begins or with what was chosen and what is wrong."""
    return haven_form(
        request, asked, language, directory, listing, "survey.html", status,
        form=secrets.token_hex(8), **state,
    )  # fmt: skip
