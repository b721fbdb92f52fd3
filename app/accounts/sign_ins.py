"""Who is signed in: sign-ins that last, and were used not too long ago."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Engine
from sqlmodel import Session, col, select

from app.accounts.models import Account, SignIn, SignInUse
from app.accounts.schemas import SignInShown
from app.core.database_errors import DATABASE_ERRORS
from app.core.events import shown
from app.core.settings import Settings

NOTED = timedelta(minutes=1)
"""How exactly it is known when a sign-in was used."""


def idle_since(settings: Settings, now: datetime) -> datetime:
    """When a sign-in that lasts now must have been used since."""
    return now - timedelta(minutes=settings.idle_minutes)


def use(engine: Engine, sign_in: SignIn, used_at: datetime, now: datetime) -> None:
    """Note that a sign-in is used now.

    A sign-in goes on without that where nothing can be written, until it has been idle for too
    long: who only reads must not be kept from it.
    """
    if now - used_at < NOTED:
        return
    noted = {"sign_in_id": sign_in.id, "used_at": now}
    is_it = col(SignInUse.sign_in_id) == sign_in.id
    # Past the journal's turn, which an import may have for seconds.
    with suppress(*DATABASE_ERRORS), engine.execution_options(writes=True).begin() as connection:
        if not connection.execute(sa.update(SignInUse).where(is_it).values(used_at=now)).rowcount:
            connection.execute(sa.insert(SignInUse).values(noted))


def last_used() -> sa.ColumnElement[datetime]:
    """SQL: when a sign-in was used last, where its use is joined to it."""
    return sa.func.coalesce(col(SignInUse.used_at), col(SignIn.began_at))


def lasting(settings: Settings, now: datetime) -> sa.Select[Any]:
    """The sign-ins that last."""
    return (
        sa.select(SignIn)
        .outerjoin(SignInUse)
        .where(
            col(SignIn.ended_at).is_(None),
            col(SignIn.expires_at) > now,
            last_used() >= idle_since(settings, now),
        )
    )


def views(session: Session, sign_ins: Sequence[SignIn]) -> list[SignInShown]:
    """Sign-ins as they are shown."""
    ids = [one.id for one in sign_ins]
    found = session.exec(
        select(SignIn.id, Account.name, last_used())
        .select_from(SignIn)
        .join(Account)
        .outerjoin(SignInUse)
        .where(col(SignIn.id).in_(ids))
    )
    more = {id_: (name, used_at) for id_, name, used_at in found}
    return [
        shown(SignInShown, one, account=more[one.id][0], used_at=more[one.id][1])
        for one in sign_ins
    ]
