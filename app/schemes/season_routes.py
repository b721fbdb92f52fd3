"""The seasons of the schemes that are awarded in them, over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from app.accounts.guards import Officer, Reader
from app.core.errors import wrong
from app.http.conditional import Register
from app.http.records import Records
from app.schemes import seasons
from app.schemes.models import Season
from app.schemes.season_schemas import SeasonEdit, SeasonIn, SeasonOut, SeasonsQuestion

router = APIRouter(prefix="/v1/admin", tags=["schemes"])

SEASONS = Records(Season, SeasonOut, "seasons", order=("year", "id"))


@router.get("/seasons", **SEASONS.lists("Seasons", wrong("after", "is not a page of this list")))
def list_seasons(
    question: Annotated[SeasonsQuestion, Query()], register: Register, _: Reader
) -> Response:
    """The seasons of the schemes that are awarded in them, the newest first."""
    return register.read(lambda session: SEASONS.page(session, question))


@router.post(
    "/seasons",
    **SEASONS.creates("Plan a season", seasons.SeasonExists(), wrong("scheme", "has no seasons")),
    response_description="The season",
)
def add_season(given: SeasonIn, register: Register, officer: Officer) -> Response:
    """Add a year's round of a scheme, with its own dates, areas and grades."""
    return SEASONS.create(register, officer, given, seasons.add_season)


@router.get("/seasons/{season_id}", **SEASONS.shows("One season"))
def one_season(season_id: UUID, register: Register, _: Reader) -> Response:
    """A season's dates, areas and grades."""
    return SEASONS.read(register, season_id)


@router.put(
    "/seasons/{season_id}", **SEASONS.changes("Change a season", wrong("grades", "is required"))
)
def edit_season(
    season_id: UUID, given: SeasonEdit, register: Register, officer: Officer
) -> Response:
    """Change a season's dates, areas and grades. Needs `If-Match`."""
    return SEASONS.change(register, officer, season_id, seasons.edit_season, given)
