"""Accounts to test with, signed in without waiting for a password to be hashed."""

import logging
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from sqlalchemy import Engine, inspect
from sqlmodel import SQLModel

from app.accounts.models import Account, Role, SignIn
from app.core.settings import Settings
from tests.applications import application
from tests.servers import METRICS_TOKEN

SECRET = "a secret that is long enough for this"

_numbers = count(10_000)  # as text, too, in the order of numbers


def make_app(
    database_url: str, data_dir: Path, environment: str = "production", **more: Any
) -> FastAPI:
    """The application on a database, with the secret that it needs and `more` settings."""
    given = {
        "environment": environment,
        "data_dir": data_dir,
        "database_url": database_url,
        "secret_key": SECRET,
        "metrics_token": METRICS_TOKEN,
        "log_level": "warning",
        # Most tests are about something else, and nobody in them has an app.
        "second_factor": "nobody",
        **more,
    }
    root = logging.getLogger()
    before = root.level, root.handlers[:]
    try:
        return application(Settings.model_validate(given))
    finally:
        # The service sets up logging for its whole process.
        root.level, root.handlers[:] = before


def add_account(engine: Engine, *roles: Role | str, **details: Any) -> Account:
    """An account with these roles and no password, stored past the journal."""
    usual: dict[str, Any] = {"name": f"account-{next(_numbers)}", "roles": [*map(Role, roles)]}
    account = Account(**usual | details)
    _store(engine, account)
    return account


def signed_in(app: FastAPI, *roles: Role | str) -> dict[str, str]:
    """The headers of a new account with these roles that has signed in to this application."""
    return sign_in(app, add_account(app.state.journal.engine, *roles))


def sign_in(app: FastAPI, account: Account) -> dict[str, str]:
    """The headers of a new sign-in of an account."""
    now = app.state.tokens.now()
    begun = SignIn(account_id=account.id, began_at=now, expires_at=now + timedelta(hours=12))
    _store(app.state.journal.engine, begun)
    token, _ = app.state.tokens.issue(account.id, begun.id, begun.expires_at)
    return {"Authorization": f"Bearer {token}"}


def _store(engine: Engine, record: SQLModel) -> None:
    table = inspect(type(record)).local_table
    values = {column.key: getattr(record, column.key) for column in table.columns}
    with engine.execution_options(writes=True).begin() as connection:
        connection.execute(table.insert(), values)
