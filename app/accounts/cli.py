"""`havens account`: accounts from the command line, where the first administrator is made."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from rich.table import Table
from sqlmodel import Session, col, select

from app.accounts import actions
from app.accounts.models import Account, Role
from app.accounts.passwords import ChosenPassword, hashed, temporary
from app.accounts.schemas import Name
from app.core import db
from app.core.db import none_such, read_session
from app.core.errors import DomainError
from app.core.journal import Journal, command_actor
from app.core.settings import settings

accounts = typer.Typer(no_args_is_help=True)

Named = Annotated[str, typer.Argument(metavar="NAME", show_default=False)]
Roles = Annotated[
    list[Role], typer.Option("--role", help="Once for each role.", show_default=False)
]
FromStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password instead of making one.")
]


@accounts.command()
def add(name: Named, role: Roles, password_stdin: FromStdin = False) -> None:
    """Add somebody who signs in; a temporary password is made and shown once."""
    valid = _valid(Name, name)
    with _new_password(password_stdin) as password, _writing() as session:
        account = actions.add(session, valid, role)
        actions.set_password(session, account, password, temporary=not password_stdin)


@accounts.command()
def reset(name: Named, password_stdin: FromStdin = False) -> None:
    """Give somebody a new password, which ends their sign-ins."""
    with _new_password(password_stdin) as password, _writing() as session:
        account = _existing(session, name)
        actions.set_password(session, account, password, temporary=not password_stdin)


@accounts.command("leave-to-provider")
def leave_to_provider(name: Named) -> None:
    """Take somebody's password, so that who has that name at the identity provider is they."""
    with _writing() as session:
        actions.leave_to_provider(session, _existing(session, name))


@accounts.command("reset-second-factor")
def reset_second_factor(name: Named) -> None:
    """Let somebody set up a new second factor when they sign in, with their password alone."""
    with _writing() as session:
        actions.reset_second_factor(session, _existing(session, name))


@accounts.command()
def disable(name: Named) -> None:
    """Keep somebody out, from their next request on."""
    with _writing() as session:
        actions.disable(session, _existing(session, name))


@accounts.command()
def enable(name: Named) -> None:
    """Let somebody sign in again."""
    with _writing() as session:
        actions.enable(session, _existing(session, name))


@accounts.command()
def roles(name: Named, role: Roles) -> None:
    """Give somebody these roles and no others."""
    with _writing() as session:
        actions.set_roles(session, _existing(session, name), role)


@accounts.command("list")
def list_() -> None:
    """Who may sign in, and as what."""
    table = Table("name", "roles", "")
    with _journal() as journal, read_session(journal.engine) as session:
        for account in session.exec(select(Account).order_by(col(Account.name))):
            state = "disabled" if account.disabled else ""
            table.add_row(account.name, ", ".join(account.roles), state)
    Console().print(table)


@contextmanager
def _new_password(from_stdin: bool) -> Iterator[str]:
    """The hash of a new password. One that was made is shown, once it counts."""
    if from_stdin:
        line = sys.stdin.readline().removesuffix("\n")
        yield hashed(_valid(ChosenPassword, line))
        return
    password = temporary()
    yield hashed(password)
    typer.echo(f"Temporary password: {password.get_secret_value()}")


@contextmanager
def _writing() -> Iterator[Session]:
    """A writing session of whoever runs the command; what a rule refuses ends it."""
    with _journal() as journal:
        try:
            with journal.writing(command_actor()) as session:
                yield session
        except DomainError as error:
            sys.exit(error.title)


@contextmanager
def _journal() -> Iterator[Journal]:
    """The journal of this installation, after a migration where one is due."""
    settings().data_dir.mkdir(parents=True, exist_ok=True)
    with db.connected(settings().database_url) as engine:
        journal = Journal.of(settings(), engine)
        db.migrate(settings().database_url)
        yield journal


def _existing(session: Session, name: str) -> Account:
    if (account := actions.named(session, _valid(Name, name))) is None:
        raise none_such(Account)
    return account


def _valid(type_: Any, text: str) -> Any:
    try:
        return TypeAdapter(type_).validate_python(text)
    except ValidationError as error:
        sys.exit(error.errors()[0]["msg"].removeprefix("Value error, "))
