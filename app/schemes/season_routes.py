"""The seasons of the schemes that are awarded in them, over HTTP."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response
from sqlmodel import Session, col, select

from app.accounts.guards import Officer, Reader
from app.core.db import find, none_such
from app.core.errors import responses, wrong
from app.http.conditional import PreconditionRequired, Register, Stale
from app.http.paging import Page, page
from app.schemes import seasons
from app.schemes.models import Season
from app.schemes.season_schemas import SeasonEdit, SeasonIn, SeasonOut, SeasonsAsked

router = APIRouter(prefix="/v1/admin", tags=["schemes"])


@router.get(
    "/seasons",
    summary="Seasons",
    response_model=Page[SeasonOut],
    responses=responses(wrong("after", "is not a page of this list")),
)
def list_seasons(
    asked: Annotated[SeasonsAsked, Query()], register: Register, _: Reader
) -> Response:
    """The seasons of the schemes that are awarded in them, the newest first."""
    statement = select(Season)
    if asked.scheme:
        statement = statement.where(col(Season.scheme) == asked.scheme)
    order: list[Any] = [col(Season.year), col(Season.id)]
    return register.read(
        lambda session: page(session, statement, order, asked, SeasonOut.of, newest_first=True)
    )


@router.post(
    "/seasons",
    summary="Plan a season",
    status_code=201,
    response_model=SeasonOut,
    response_description="The season",
    responses=responses(seasons.SeasonExists(), wrong("scheme", "has no seasons")),
)
def add_season(asked: SeasonIn, register: Register, officer: Officer) -> Response:
    """Add a year's round of a scheme, with its own dates, areas and grades."""

    def make(session: Session) -> tuple[str, SeasonOut]:
        season = seasons.add_season(session, asked)
        return f"/v1/admin/seasons/{season.id}", SeasonOut.of(season)

    return register.create(officer, asked, make)


@router.get(
    "/seasons/{season_id}",
    summary="One season",
    response_model=SeasonOut,
    responses=responses(none_such(Season)),
)
def one_season(season_id: UUID, register: Register, _: Reader) -> Response:
    """A season's dates, areas and grades."""
    return register.read(lambda session: SeasonOut.of(find(session, Season, season_id)))


@router.put(
    "/seasons/{season_id}",
    summary="Change a season",
    response_model=SeasonOut,
    responses=responses(
        none_such(Season),
        Stale(),
        PreconditionRequired(),
        wrong("grades", "is required"),
    ),
)
def edit_season(
    season_id: UUID, asked: SeasonEdit, register: Register, officer: Officer
) -> Response:
    """Change a season's dates, areas and grades. Needs `If-Match`."""
    return register.change(
        officer,
        lambda session: SeasonOut.of(find(session, Season, season_id)),
        lambda session: seasons.edit_season(find(session, Season, season_id), asked),
    )
