"""The nearest havens, answered ahead of the framework.

Of what an answer costs on the framework's way, to read the question, to search and to write the
answer is less than half: the rest is a task for each request, the middleware, the router, and a
system call each for the head of the answer and for its body. So the server itself answers the
common, well-formed question as soon as it has all of it, in one piece, and everything else goes the
long way: whatever the framework would refuse, or do in its own way, is left to it. On both ways
`NearestQuestion` reads the question and `answer` answers it.
"""

import logging
import re
from functools import cache
from time import perf_counter
from typing import ClassVar

from app.core.errors import DomainError
from app.core.metrics import measure
from app.directory.nearest import NEAREST, NO_STORE, answer, answer_query
from app.directory.nearest_question import NearestQuestion
from app.http.connections import Guarded
from app.http.middleware import BODY_LIMIT, CORS_HEADERS

log = logging.getLogger(__name__)

_PATH = NEAREST.encode()
_LINE = re.compile(rb"GET (%b\?[\w.,:=&%%+-]*) HTTP/1\.1\r\n" % re.escape(_PATH))
"""The first line of a question, if nothing about it is unusual."""


def lines_of(headers: dict[str, str]) -> bytes:
    return b"".join(
        b"%b: %b\r\n" % (name.lower().encode(), value.encode()) for name, value in headers.items()
    )


@cache
def _head(language: str) -> bytes:
    """The beginning of an answer whose contacts are in a language; empty where it isn't known."""
    headers = {**NO_STORE, "Content-Type": "application/json", "Vary": "Origin"}
    if language:
        headers |= {"Content-Language": language, "Vary": "Accept-Language, Origin"}
    return b"HTTP/1.1 200 OK\r\n" + lines_of(headers)


_CORS = lines_of(CORS_HEADERS)


class Shortcut(Guarded):
    """Uvicorn's side of a connection, which answers `GET` and `POST /v1/havens/nearest` by itself
    when nothing is out of the ordinary.

    The application's lifespan gives it a `directory` and `contacts`.
    """

    answers_last: ClassVar[bool] = False
    """Whether it answers what ends its connection, too; else the framework does."""

    _held: bytes | None = None
    """So much of the body of a request that may yet be answered here."""

    _always_says: ClassVar[tuple[object, bytes]] = (None, b"")
    """The server's headers for every answer, as it last had them, and as lines."""

    _is_answered_here = False
    """Whether the last request was."""

    _same_head = b""
    """What came after its first line, if it was and came alone: with the next question a client
    sends the same."""

    def data_received(self, data: bytes) -> None:
        if self._same_head and data.endswith(self._same_head) and self._answered_again(data):
            return
        self._is_answered_here, self._same_head = False, b""
        is_at_start, before = self._is_between and not self._loose, self._requests
        super().data_received(data)
        is_whole = is_at_start and self._is_between and self._requests == before + 1
        if is_whole and self._is_answered_here and (line := _LINE.match(data)):
            self._same_head = data[line.end() :]

    def _answered_again(self, data: bytes) -> bool:
        """Answer what differs from the last request in its address at most, if it may be answered.

        The parser would tell nothing new of it, and take a third of the time of an answer.
        """
        line = _LINE.fullmatch(data, 0, len(data) - len(self._same_head))
        if line is None or len(data) > self.limits.line or not self._is_free():
            return False
        self.url = line[1]
        is_answered = self._answered(b"")
        self._requests += is_answered
        return is_answered

    def on_head(self) -> None:
        if self._is_ordinary():
            self._held = b""
        else:
            super().on_head()

    def on_part(self, body: bytes) -> None:
        if self._held is None:
            super().on_part(body)
        else:
            self._held += body

    def on_end(self) -> None:
        if self._held is not None:
            if self._answered(self._held):
                self._held, self._is_answered_here = None, True
                return
            self._go_the_long_way()
        super().on_end()

    def shutdown(self) -> None:
        if self._held is not None:
            self._go_the_long_way()
        super().shutdown()

    def _go_the_long_way(self) -> None:
        """Let the framework have the request as it has come in so far."""
        body, self._held = self._held, None
        super().on_head()
        if body:
            super().on_part(body)

    def _is_ordinary(self) -> bool:
        """Whether the request, by its head, is one to be answered here, and now."""
        if self.url.partition(b"?")[0] != _PATH:
            return False
        match self.parser.get_method():
            case b"GET":
                is_ordinary = not has_body(self.by_name) and b"#" not in self.url
            case b"POST":
                is_ordinary = _has_small_json(self.by_name)
            case _:
                is_ordinary = False
        return is_ordinary and self._may_be_answered()

    def _may_be_answered(self) -> bool:
        """Whether nothing but what is asked, and how, can be against answering it now."""
        return (
            # Which of two headers counts is the framework's to know.
            len(self.by_name) == len(self.headers)
            and not self.expect_100_continue
            and not self.parser.should_upgrade()
            and (self._stays() or self.answers_last)
            and self._is_free()
        )

    def _is_free(self) -> bool:
        """Whether the connection is, whatever is asked on it."""
        return (
            not self.is_leaving
            # What was asked before is answered before.
            and getattr(self.cycle, "response_complete", True)
            and not self.flow.write_paused
            and not self.transport.is_closing()
        )

    def _stays(self) -> bool:
        """Whether more may be asked on the connection afterwards."""
        return self.version == "1.1" and bool(self.parser.should_keep_alive())

    def _answered(self, body: bytes) -> bool:
        began = perf_counter()
        directory, method = self.app_state["directory"], self.parser.get_method()
        try:
            wish = self.by_name.get(b"accept-language", b"").decode("latin-1")
            contacts = self.app_state["contacts"].wanted(wish)
            if method == b"GET":
                query = self.url.partition(b"?")[2]
                content = answer_query(query, directory, contacts.body)
            else:
                content = answer(NearestQuestion.from_json(body), directory, contacts.body)
        except DomainError:
            return False  # the framework meets it again, and makes a problem of it
        except Exception:
            log.exception("left to the framework")
            return False
        self._say(_head(contacts.headers.get("Content-Language", "")), content)
        measure(method.decode(), NEAREST, 200, began)
        return True

    def _say(self, head: bytes, content: bytes) -> None:
        """Answer, with what every answer says after what this one's head begins with."""
        lines = [head, self._always()]
        if b"origin" in self.by_name:
            lines.append(_CORS)
        is_last = self.answers_last and not self._stays()
        if is_last:
            lines.append(b"connection: close\r\n")
        lines.append(b"content-length: %d\r\n\r\n" % len(content))
        # In one piece: each system call costs about as much as all the rest.
        self.transport.writelines((b"".join(lines), content))
        self.on_response_complete()
        if is_last:
            self.transport.close()

    def _always(self) -> bytes:
        headers = self.server_state.default_headers
        if self._always_says[0] is not headers:  # it makes them anew once a second, for the date
            lines = b"".join(b"%b: %b\r\n" % header for header in headers)
            Shortcut._always_says = headers, lines
        return self._always_says[1]


def has_body(headers: dict[bytes, bytes]) -> bool:
    return b"content-length" in headers or b"transfer-encoding" in headers


def _has_small_json(headers: dict[bytes, bytes]) -> bool:
    length = headers.get(b"content-length", b"")
    is_small = length.isdigit() and len(length) < 10 and int(length) <= BODY_LIMIT
    is_json = headers.get(b"content-type") == b"application/json"
    return is_small and is_json and b"content-encoding" not in headers
