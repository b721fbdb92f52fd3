"""A directory is followed only by one from the same database, in a state that is no older.

A disk that is not mounted, a wrong address, a backup that was restored: each looks like a good
database in which there is nothing, or less. What was built from the right one says more than such a
database does, until somebody who knows better says otherwise.
"""

from sqlalchemy import inspect
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, select

from app.core.db import replication_lag
from app.core.journal import lacks, newest_entry
from app.core.journal_head import Newest
from app.core.trouble import Trouble
from app.directory.snapshot import MixedData, Origin
from app.venues.models import DirectoryState, Venue


class WentBack(Trouble):
    """The database is another one than before, or an older state of it."""

    def __str__(self) -> str:
        return (
            f"{self.args[0]}: nothing of it is published. Bring the right database back; or, if"
            " this one is right, run: havens journal accept"
        )


class Behind(Trouble):
    """The database is a replica that has not got as far yet as what is known of its primary."""

    def __init__(self) -> None:
        super().__init__("The replica is behind what is known of the database: it has to catch up")


def continued(session: Session, last: Origin | None, known: Newest | None) -> DirectoryState:
    """The state of a database that continues what the last directory was built from, and has the
    entry of the journal that is known outside of it. Raises `WentBack` and `Behind`."""
    try:
        state = session.exec(select(DirectoryState)).one()
        has_known = known is None or not lacks(session, known, "the data directory")
    except DBAPIError:
        session.rollback()
        if (last or known) and not inspect(session.connection()).has_table("directory_state"):
            raise WentBack("The database is empty") from None
        raise
    if last and str(state.database) != last.database:
        raise WentBack("The database is not the one that the directory was built from")
    is_short = not has_known and known is not None and _newest(session) < known.number
    if (is_short or (last and state.version < last.version)) and (
        replication_lag(session) is not None
    ):
        raise Behind
    if last and state.version < last.version:
        raise WentBack(
            f"The database is older than the directory that was built from it (version"
            f" {state.version}, and {last.version} was known)"
        )
    if known and not has_known:
        raise WentBack(
            f"The database is older than the journal's head, or another one: it has not the entry"
            f" {known.number} that was known"
        )
    return state


def _newest(session: Session) -> int:
    newest = newest_entry(session)
    return newest.number if newest else 0


def refuse_mixed_database(session: Session, *, demonstration: bool) -> None:
    """Raise `MixedData` when demonstration venues stand where real ones belong, or vice versa."""
    foreign = select(Venue.reference).where(Venue.demonstration != demonstration)
    if session.exec(foreign.limit(1)).first() is not None:
        raise MixedData("this database", demonstration=demonstration)
