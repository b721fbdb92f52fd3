"""Letters to the mail server, one after the other over one connection."""

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from email.message import EmailMessage
from ipaddress import ip_address
from urllib.parse import unquote, urlsplit

from app.core.settings import Settings
from app.core.trouble import Trouble

PATIENCE_SECONDS = 30
SHUTS_DOWN = 421
PERMANENT = 500
"""From this code on, SMTP says that to try again is no use."""


class MailServerAway(Trouble):
    """The mail server can't be used: it is down, or won't have us."""

    def __init__(self, error: Exception) -> None:
        # Of what it says the code alone: its words can hold an address.
        code = getattr(error, "smtp_code", None)
        why = f"it says {code}" if code else getattr(error, "strerror", "") or type(error).__name__
        super().__init__(f"The mail server can't be used ({why}); what waits goes another time")


class Refused(Exception):
    """The mail server won't have one letter. `for_good` when to try again is no use."""

    def __init__(self, why: str, *, for_good: bool) -> None:
        super().__init__(why)
        self.for_good = for_good


def message(
    settings: Settings, to: str, subject: str, body: str, id_: str, at: datetime
) -> EmailMessage:
    """A letter as it is sent. `id_` makes its Message-ID: the same letter has the same one."""
    made = EmailMessage()
    made["From"] = settings.mail_from
    made["To"] = to
    made["Subject"] = subject
    made["Date"] = at
    made["Message-ID"] = f"<{id_}@{urlsplit(settings.public_url).hostname}>"
    # So that no absence note answers it.
    made["Auto-Submitted"] = "auto-generated"
    made.set_content(body)
    return made


class Post:
    """The mail server, as far as a run needs it."""

    def __init__(self, settings: Settings) -> None:
        self._url = urlsplit(settings.mail_server.get_secret_value())
        self._server: smtplib.SMTP | None = None

    def send(self, letter: EmailMessage) -> None:
        """Give a letter to the mail server. Raises `Refused`, `MailServerAway`."""
        try:
            if self._server is None:
                self._server = self._connected()
                self._server.send_message(letter)
                return
            try:
                self._server.send_message(letter)
            except (smtplib.SMTPServerDisconnected, smtplib.SMTPResponseException) as error:
                # Servers hang up on those who send much; that says nothing about this letter.
                if getattr(error, "smtp_code", SHUTS_DOWN) != SHUTS_DOWN:
                    raise
                self._server = self._connected()
                self._server.send_message(letter)
        except smtplib.SMTPRecipientsRefused as error:
            ((code, _),) = error.recipients.values()
            raise Refused(f"the mail server says {code}", for_good=code >= PERMANENT) from None
        except smtplib.SMTPDataError as error:
            why = f"the mail server says {error.smtp_code}"
            raise Refused(why, for_good=error.smtp_code >= PERMANENT) from None
        except (smtplib.SMTPNotSupportedError, UnicodeError):
            why = "the mail server takes no such address"
            raise Refused(why, for_good=True) from None
        except (smtplib.SMTPException, OSError) as error:
            self._server = None
            raise MailServerAway(error) from None

    def _connected(self) -> smtplib.SMTP:
        host, context = self._url.hostname or "", ssl.create_default_context()
        if self._url.scheme == "smtps":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                host, self._url.port or 0, timeout=PATIENCE_SECONDS, context=context
            )
        else:
            server = smtplib.SMTP(host, self._url.port or 0, timeout=PATIENCE_SECONDS)
        if self._url.scheme == "smtp" and not _is_here(host):
            server.starttls(context=context)
        if self._url.username:
            server.login(unquote(self._url.username), unquote(self._url.password or ""))
        return server

    def close(self) -> None:
        """Hang up, whatever state the line is in."""
        if self._server is not None:
            self._server.close()


def _is_here(host: str) -> bool:
    """Whether a host is this one, so that nobody is between us and it."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@contextmanager
def post(settings: Settings) -> Iterator[Post]:
    """The mail server for a run. It is called when there is a letter."""
    made = Post(settings)
    try:
        yield made
    finally:
        made.close()
