"""The accounts of a demonstration."""

import json
from pathlib import Path

from pydantic import SecretStr
from sqlmodel import select

from app.accounts import actions
from app.accounts.models import Account, Role
from app.accounts.passwords import hashed, temporary
from app.core.db import read_session
from app.core.journal import Journal
from app.core.settings import Settings

FILE = "demo-accounts.json"


def demo_accounts(journal: Journal, settings: Settings) -> dict[str, str]:
    """An account for each role, named like it, each with its password; only in a demonstration.

    The passwords are made once and kept in the data directory, to be shown at every start.
    """
    if not settings.demonstration:
        return {}
    path = settings.data_dir / FILE
    made = not path.exists()
    if made:
        _keep(path, {role: temporary().get_secret_value() for role in Role})
    passwords: dict[str, str] = json.loads(path.read_text())
    with read_session(journal.engine) as session:
        known = set(session.exec(select(Account.name)))
    hashes = {
        Role(name): hashed(SecretStr(password))
        for name, password in passwords.items()
        if made or name not in known
    }
    if hashes:
        with journal.writing("demonstration") as session:
            for role, hash_ in hashes.items():
                account = actions.named(session, role) or actions.add(session, role, [role])
                actions.set_password(session, account, hash_, temporary=False)
    return passwords


def _keep(path: Path, passwords: dict[str, str]) -> None:
    # Whole or not at all, and never readable for others, not even for a moment.
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    fresh.touch(mode=0o600)
    fresh.write_text(json.dumps(passwords))
    fresh.replace(path)
