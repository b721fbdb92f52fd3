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


def add_season(session: Session, asked: SeasonIn) -> Season:
    """Plan a season. Raises `SeasonExists`, or `Invalid` for a scheme that has none."""
    scheme = schemes()[asked.scheme]
    if not scheme.seasonal:
        raise wrong("scheme", "has no seasons")
    same = select(Season.id).where(col(Season.scheme) == scheme.key, col(Season.year) == asked.year)
    if session.exec(same).first():
        raise SeasonExists
    usual = {"areas": asked.areas or scheme.criteria, "grades": asked.grades or [*scheme.grades]}
    season = Season(**asked.model_dump() | usual)
    session.add(season)
    return season


def edit_season(season: Season, asked: SeasonEdit) -> None:
    """Change what a season is from now on; what was decided in it stays as it was."""
    season.sqlmodel_update(asked.model_dump())
