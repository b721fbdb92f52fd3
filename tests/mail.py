"""A mail server on this machine, which keeps what it is given."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.servers import PATIENCE_SECONDS

REFUSED = "550 5.1.1 There is nobody of that name"
LATER = "451 4.3.0 Not just now"


@dataclass
class MailServer:
    """Where it listens, what it was given, and what it says to some addresses instead of yes."""

    port: int = 0
    letters: list[EmailMessage] = field(default_factory=list)
    refusals: dict[str, str] = field(default_factory=dict)
    on_letter: Callable[[], None] = lambda: None
    """Called after a letter is kept, and before whoever sent it is told so."""

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    def to(self, address: str) -> list[EmailMessage]:
        """What came for an address."""
        return [letter for letter in self.letters if letter["To"] == address]

    async def handle_RCPT(  # noqa: N802 - named by the library
        self,
        _server: SMTP,
        _session: Session,
        envelope: Envelope,
        address: str,
        _options: list[str],
    ) -> str:
        if refusal := self.refusals.get(address):
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        content = envelope.content
        assert isinstance(content, bytes)
        self.letters.append(message_from_bytes(content, policy=policy.default))
        self.on_letter()
        return "250 OK"


@contextmanager
def mail_server(port: int = 0) -> Iterator[MailServer]:
    """A mail server on a port; it hangs up when the block ends."""
    made, loop = MailServer(port), asyncio.new_event_loop()
    protocols: list[Any] = []

    def protocol() -> SMTP:
        protocols.append(SMTP(made, hostname="mail.test", loop=loop))
        found: SMTP = protocols[-1]
        return found

    server = loop.run_until_complete(loop.create_server(protocol, "127.0.0.1", port))
    made.port = server.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def hang_up() -> None:
        server.close()
        for one in protocols:
            if one.transport is not None:
                one.transport.abort()
        await asyncio.sleep(0)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    try:
        yield made
    finally:
        asyncio.run_coroutine_threadsafe(hang_up(), loop).result(PATIENCE_SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(PATIENCE_SECONDS)
        loop.close()
