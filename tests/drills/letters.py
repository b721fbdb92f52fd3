"""380 businesses get one letter each, whatever happens: `python -m tests.drills.letters`.

On SQLite, and on PostgreSQL where it is installed. Two runs are killed half-way, and the mail
server goes away and comes back.
"""

import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from app.core.db import connected, migrate
from app.core.journal import Journal
from tests.bench.report import begin
from tests.databases import NO_POSTGIS, Postgres, find_postgis
from tests.mail import MailServer, mail_server
from tests.reminders.conftest import Command, add_business
from tests.servers import settings_for

BUSINESSES = 380
KILLED_AT = (120, 250)
MOST_SECONDS = 600


def main() -> None:
    """Try it on each database. Exits with 1 when a promise does not hold."""
    begin()
    wrong = []
    with ExitStack() as stack:
        for kind, url in databases(stack):
            folder = Path(
                stack.enter_context(tempfile.TemporaryDirectory(prefix="havens-letters-"))
            )
            found = tried(url, folder)
            print(f"{kind}: {'; '.join(found) or 'as promised'}")
            wrong += found
    sys.exit(bool(wrong))


def databases(stack: ExitStack) -> Iterator[tuple[str, str]]:
    """A migrated database of each kind."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="havens-letters-")))
    yield "SQLite", f"sqlite:///{folder / 'havens.sqlite'}"
    bin_ = find_postgis()
    if bin_ is None:
        print(NO_POSTGIS)
        return
    yield "PostgreSQL", stack.enter_context(server(bin_))


@contextmanager
def server(bin_: Path) -> Iterator[str]:
    postgres = Postgres(bin_)
    try:
        postgres.start()
        yield postgres.create("havens")
    finally:
        postgres.remove()


def tried(url: str, folder: Path) -> list[str]:
    """What did not hold."""
    migrate(url)
    with connected(url) as engine:
        journal = Journal.of(settings_for(folder, url), engine)
        for number in range(BUSINESSES):
            add_business(journal, f"B{number}", email=f"b{number}@b.test", venues=1 + number % 2)
    with mail_server() as mail:
        command = Command(url, folder, mail.url)
        for at in KILLED_AT:
            killed(command, mail, at)
        letters = list(mail.letters)
    # It is away when the next run comes, and then back.
    away = command.start().wait(MOST_SECONDS)
    said = command.said
    with mail_server(mail.port) as back:
        again = command.start().wait(MOST_SECONDS)
        idle = command.start().wait(MOST_SECONDS)
        letters += back.letters

    to = Counter(str(letter["To"]) for letter in letters)
    ids = Counter(str(letter["Message-ID"]) for letter in letters)
    print(f"{BUSINESSES} businesses, two runs killed: {len(letters)} letters, {len(ids)} ids")
    promises = {
        "a business got no letter": len(to) == BUSINESSES,
        "a letter had another Message-ID when it went again": len(ids) == BUSINESSES,
        "more than the one on its way went again": len(letters) <= BUSINESSES + len(KILLED_AT),
        f"a run ended with {away} while the mail server was away: {said}": away == 1,
        f"a run ended with {again}, {idle}: {command.said}": again == idle == 0,
    }
    return [what for what, holds in promises.items() if not holds]


def killed(command: Command, mail: MailServer, at: int) -> None:
    """A run that is killed while its how-many-th letter is on its way."""
    run = command.start()

    def kill() -> None:
        if len(mail.letters) == at:
            run.kill()
            run.wait(MOST_SECONDS)

    mail.on_letter = kill
    run.wait(MOST_SECONDS)


if __name__ == "__main__":
    main()
