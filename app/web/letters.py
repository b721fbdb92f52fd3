"""What a letter's link leads to: a few questions about a venue, answered without an account.

It shows what it asks about and nothing else, of each venue once, and no sign of whether a link that
has ended ever was one.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError
from sqlmodel import Session, col, select

from app.core.db import read_session
from app.core.events import in_effect
from app.core.london import london_day
from app.http.conditional import TheJournal
from app.http.languages import InLanguage, Language
from app.outreach.statement_schemas import MOST_TEXT, AnswerIn
from app.outreach.statements import READER, LinkEnded, asked_of, letter_id_of, say, unanswered
from app.training.models import Headcount
from app.training.schemas import MOST_PEOPLE
from app.venues.hours import Hours, open_intervals
from app.venues.models import Venue
from app.web.dates import written
from app.web.forms import from_our_pages
from app.web.havens import week_table
from app.web.pages import PageRoute, link, page
from app.web.week import week
from app.web.words import words

router = APIRouter(prefix="/letters/{secret}", route_class=PageRoute, include_in_schema=False)

_DAYS = 7
_CHANGED = "changed"
UNSEEN = {
    "Cache-Control": "private, no-store",
    "X-Robots-Tag": "noindex, nofollow, noarchive",
}

Typed = dict[str, str]
Problems = dict[str, str]


@router.get("")
def read_letter(
    request: Request, secret: str, language: InLanguage, journal: TheJournal
) -> Response:
    """The first venue that is still to be answered for; thanks when there is none."""
    try:
        letter_id = letter_id_of(request.app.state.settings, secret)
        with read_session(journal.engine) as session:
            letter, venues = asked_of(session, letter_id, datetime.now(UTC))
            left = unanswered(session, letter, venues)
            if not left:
                return _page(request, language, "letter_answered.html")
            place = len(venues) - len(left) + 1
            about = _about(session, left[0], language)
    except LinkEnded:
        return _page(request, language, "letter_ended.html", LinkEnded.status)
    return _page(
        request, language, "letter.html", **about, place=place, places=len(venues), typed={}
    )


@router.post("", dependencies=[Depends(from_our_pages)])
def answer_letter(
    request: Request,
    secret: str,
    language: InLanguage,
    journal: TheJournal,
    venue: Annotated[str, Form()] = "",
    hours_are: Annotated[str, Form()] = "",
    hours: Annotated[str, Form()] = "",
    facilities_are: Annotated[str, Form()] = "",
    facilities: Annotated[str, Form()] = "",
    staff: Annotated[str, Form()] = "",
    left: Annotated[str, Form()] = "",
) -> Response:
    """Keep what is said about one venue; what can't be kept comes back with all that was typed."""
    typed = {
        "hours_are": hours_are,
        "hours": hours,
        "facilities_are": facilities_are,
        "facilities": facilities,
        "staff": staff,
        "left": left,
    }
    given, problems = _read(typed, language)
    try:
        letter_id = letter_id_of(request.app.state.settings, secret)
        if given is None:
            with read_session(journal.engine) as session:
                letter, venues = asked_of(session, letter_id, datetime.now(UTC))
                about = _about(session, _one_of(venues, venue), language)
                place = len(venues) - len(unanswered(session, letter, venues)) + 1
            shown = about | {"place": place, "places": len(venues)}
            return _page(
                request, language, "letter.html", 422, **shown, typed=typed, problems=problems
            )
        with journal.writing(READER) as session:
            letter, venues = asked_of(session, letter_id, datetime.now(UTC))
            say(session, letter, _one_of(venues, venue), given)
    except LinkEnded:
        return _page(request, language, "letter_ended.html", LinkEnded.status)
    return RedirectResponse(link(request, f"/letters/{secret}"), 303, headers=UNSEEN)


def _one_of(venues: list[Venue], id_: str) -> Venue:
    """The venue with an id. Raises `LinkEnded`: no other is anybody's business here."""
    for venue in venues:
        if str(venue.id) == id_:
            return venue
    raise LinkEnded


def _page(
    request: Request, language: Language, template: str, status: int = 200, **values: Any
) -> Response:
    response = page(request, language, template, status, **{"problems": {}} | values)
    response.headers.update(UNSEEN)
    if "ETag" in response.headers:
        del response.headers["ETag"]
    return response


def _about(session: Session, venue: Venue, language: Language) -> dict[str, Any]:
    """What the register has about a venue, as the page shows it."""
    say_ = words(language)
    now = datetime.now(UTC)
    last = session.exec(
        select(Headcount)
        .where(Headcount.venue_id == venue.id, in_effect(Headcount))
        .order_by(*map(sa.desc, (col(Headcount.effective_at), col(Headcount.recorded_at))))
        .limit(1)
    ).first()
    days = _days(venue.hours, now, language) if venue.hours else None
    return {
        "venue_id": str(venue.id),
        "name": venue.name,
        "days": days,
        "unknown_hours": say_["hours_unknown"],
        "step_free": say_[f"step_free_{venue.step_free}"],
        "facilities": [(facility, say_[facility]) for facility in venue.facilities],
        "last": {"staff": last.staff, "on": written(language, last.on)} if last else None,
    }


def _days(hours: Hours, now: datetime, language: Language) -> list[dict[str, Any]]:
    today = london_day(now)
    first, last = today - timedelta(days=1), today + timedelta(days=_DAYS + 1)
    spans = [
        (int(opens.timestamp()), int(closes.timestamp()))
        for opens, closes in open_intervals(hours, first, last)
    ]
    known = (
        int((now - timedelta(days=2)).timestamp()),
        int((now + timedelta(days=_DAYS + 1)).timestamp()),
    )
    return week_table(week(spans, known, now.timestamp(), _DAYS), today, language)


def _read(typed: Typed, language: Language) -> tuple[AnswerIn | None, Problems]:
    """What was said, or what is wrong with it, by field."""
    _ = language.gettext
    problems: Problems = {}
    asked: tuple[tuple[str, str, str], ...] = (
        ("hours", _("Say whether the opening hours are right"), _("Say how the hours are now")),
        (
            "facilities",
            _("Say whether that is what people find there"),
            _("Say what people find there now"),
        ),
    )
    for field, unsaid, untold in asked:
        is_so, told = typed[f"{field}_are"], typed[field].strip()
        if is_so not in ("right", _CHANGED):
            problems[f"{field}_are"] = unsaid
        elif is_so == _CHANGED and not told:
            problems[field] = untold
    if bool(typed["staff"].strip()) != bool(typed["left"].strip()):
        empty = "left" if typed["staff"].strip() else "staff"
        problems[empty] = _("Give both numbers, or leave both empty")
    try:
        given = AnswerIn(
            hours=typed["hours"],
            facilities=typed["facilities"],
            **_numbers(typed),
        )
    except ValidationError as error:
        wrong = _wrong(language.gettext)
        for found in error.errors():
            field = str(found["loc"][0]) if found["loc"] else "staff"
            problems.setdefault(field, wrong.get(found["type"], wrong[""]))
        return None, problems
    return (None if problems else given), problems


def _numbers(typed: Typed) -> dict[str, Any]:
    both = {name: typed[name].strip() for name in ("staff", "left")}
    return both if all(both.values()) else {}


def _wrong(_: Callable[[str], str]) -> Problems:
    number = _("Type a whole number from 0 to {n}").format(n=f"{MOST_PEOPLE:,}")
    long = _("What you add must be {n} characters or fewer").format(n=MOST_TEXT)
    return {
        "string_too_long": long,
        "int_parsing": number,
        "int_parsing_size": number,
        "greater_than_equal": number,
        "less_than_equal": number,
        "": _("What you add has a character that can\u2019t be kept: type it anew"),
    }
