"""Those who follow what changes, held and answered ahead of the framework.

Hundreds of them ask again each half minute. On the framework's way each would be a task, the
middleware, the router and a reader of two parameters, in the way of somebody who asks for the
nearest haven. Here each is an entry in a set, and its answer one piece. What is worded otherwise
than most word it, or has to be worked out, goes the long way, as with `Shortcut`.
"""

import logging
import re
from time import perf_counter

from starlette.datastructures import Headers

from app.core.errors import DomainError
from app.core.metrics import measure
from app.directory.read_side import NotReady
from app.directory.routes import tagged
from app.directory.shortcut import Shortcut, has_body, lines_of
from app.feeds.changes import order_of
from app.feeds.followers import LONGEST_SECONDS, Follower
from app.http.connections import Guarded
from app.http.headers import takes_gzip

log = logging.getLogger(__name__)

CHANGES = "/v1/changes"

_WORDS = re.compile(
    rb"%b\?since=([\w-]{32})&wait=(\d{1,2}(?:\.\d{1,6})?)" % re.escape(CHANGES.encode())
)
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
_SMALL = 4096
"""What is compressed so fast that nobody waits for it, in bytes."""


class Following(Shortcut):
    """Uvicorn's side of a connection, which also holds who follows.

    The application's lifespan gives it `changes` and the `followers` of them, too.
    """

    _follower: Follower | None = None
    _began = 0.0

    def on_message_begin(self) -> None:
        # Who sends more does not want to wait for longer, and is answered in turn.
        if self._follower:
            self.app_state["followers"].let_go(self._follower)
        super().on_message_begin()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._follower:
            self.app_state["followers"].forget(self._follower)
            self._follower = None
        super().connection_lost(exc)

    def shutdown(self) -> None:
        # Whoever waits for something new can do so at the process that follows.
        self.app_state["followers"].end()
        super().shutdown()

    @property
    def _is_answered(self) -> bool:
        return self._follower is None and super()._is_answered

    def _is_free(self) -> bool:
        return self._follower is None and super()._is_free()

    def _is_ordinary(self) -> bool:
        return super()._is_ordinary() or (
            _WORDS.fullmatch(self.url) is not None
            and self.parser.get_method() == b"GET"
            and not has_body(self.by_name)
            and b"if-none-match" not in self.by_name
            and self._may_be_answered()
        )

    def _answered(self, body: bytes) -> bool:
        words = _WORDS.fullmatch(self.url)
        if words is None:
            return super()._answered(body)
        since, seconds = words[1].decode(), float(words[2])
        try:
            order_of(since)
            if not 0 < seconds <= LONGEST_SECONDS:
                return False
            self._follower = self.app_state["followers"].hold(since, seconds, self._go)
        except (ValueError, DomainError):
            return False  # the framework meets it again, and makes a problem of it
        self._began = perf_counter()
        return self._follower is not None

    def _go(self) -> None:
        """Answer who has been held."""
        follower, self._follower = self._follower, None
        try:
            is_told = follower is not None and self._tells(follower.cursor)
        except Exception:
            log.exception("left to the framework")
            is_told = False
        if not is_told:
            self.url = self.url.partition(b"&wait=")[0]  # for it has waited
            self._held = b""
            self._go_the_long_way()
            Guarded.on_end(self)

    def _tells(self, since: str) -> bool:
        try:
            document = self.app_state["changes"].ready(since)
        except NotReady:
            document = None
        if document is None:
            return False
        gzipped = takes_gzip(Headers(raw=self.headers))
        if gzipped and not document.is_compressed and len(document.body) > _SMALL:
            return False
        headers = tagged(document.tag, "Accept-Encoding", gzipped=gzipped)
        content = document.compressed if gzipped else document.body
        self._say(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n" + lines_of(headers), content
        )
        measure("GET", CHANGES, 200, self._began)
        return True
