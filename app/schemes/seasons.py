"""The seasons of the schemes that are awarded in them."""

from sqlmodel import Session, col, select

from app.core.errors import DomainError, wrong
from app.schemes.models import Season
from app.schemes.registry import schemes
from app.schemes.season_schemas import SeasonEdit, SeasonIn


class SeasonExists(DomainError):
    """A scheme has one season a year."""

    status = 409
    code = "season-exists"
    title = "This scheme has a season in that year already"


def add_season(session: Session, given: SeasonIn) -> Season:
    """Plan a season. Raises `SeasonExists`, or `Invalid` for a scheme that has none."""
    scheme = schemes()[given.scheme]
    if not scheme.seasonal:
        raise wrong("scheme", "has no seasons")
    planned = select(Season.id).where(
        col(Season.scheme) == scheme.key, col(Season.year) == given.year
    )
    if session.exec(planned).first():
        raise SeasonExists
    usual = {"areas": given.areas or scheme.criteria, "grades": given.grades or [*scheme.grades]}
    season = Season(**given.model_dump() | usual)
    session.add(season)
    return season


def edit_season(_: Session, season: Season, given: SeasonEdit) -> None:
    """Change a season's dates, areas and grades."""
    season.sqlmodel_update(given.model_dump())
