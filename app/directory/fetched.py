"""The directory of a host without a database: it follows what another host publishes.

What it has taken up lies in its data directory, with the signed document that came with it. So it
starts and goes on from there when nothing can be fetched, and knows what it must not go back to.
"""

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from filelock import FileLock, Timeout
from sqlalchemy import Engine

from app.core import files
from app.core.journal import CLOCKS_AGREE, Journal
from app.core.settings import Settings
from app.core.trouble import Trouble
from app.directory.live import Directory
from app.directory.publication import FILES, LONGEST, NAME, Publication, PublishedFile, Refused
from app.directory.read_side import DEGRADED_AFTER_SECONDS, Clock
from app.directory.sealed import Stamp
from app.directory.snapshot import CURRENT, Unusable, check, put

if TYPE_CHECKING:
    import httpx

KEPT = "directory.publication"
"""The signed document of what is in the data directory."""

TIMEOUT_SECONDS = 5


class NotFetched(Trouble):
    """What is published is out of reach, or not all there."""


class Fetched(Directory):
    """A directory that has no database to ask, and asks where one is published instead.

    Its age counts from when the host that publishes last confirmed it.
    """

    builds = False

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        clock: Clock = time.time,
        http: "httpx.Client | None" = None,
    ) -> None:
        super().__init__(
            engine,
            settings.data_dir,
            demonstration=settings.demonstration,
            walking_factor=settings.walking_factor,
            clock=clock,
            neighbours=settings.neighbours,
        )
        self._source = Source(settings, http)

    def suffices(self) -> bool:
        return False

    def refresh(self) -> None:
        """Ask whether anything else is published, and take it up.

        Raises `NotFetched`, `Refused` and OSError; the directory then goes on as it is.
        """
        self.take_up()
        try:
            self._source.follow(self.clock(), anew=self._spoilt or not self.is_there)
            self._went_back = False
        except Refused:
            self._went_back = True
            raise
        finally:
            self.take_up()
            self._count_age()
        if self.age_seconds > DEGRADED_AFTER_SECONDS:
            raise NotFetched("What is published has not been confirmed by its publisher lately")

    def take_up(self) -> None:
        super().take_up()
        self._count_age()

    def close(self) -> None:
        super().close()
        self._source.close()

    def _count_age(self) -> None:
        known, snapshot = self._source.known(), self._snapshot()
        self._confirmed_at = self._past(self._confirmed_at)
        if known and snapshot and known.is_of(snapshot):
            self._confirmed_at = self._past(known.confirmed_at)


class Source:
    """Where the directory is published, and what is here of it."""

    def __init__(self, settings: Settings, http: "httpx.Client | None" = None) -> None:
        self._http = http
        self._url = settings.directory_url
        self._keys = settings.directory_keys
        self._folder = settings.data_dir
        self._tag = ""
        self._kept: tuple[Stamp, Publication] | None = None

    def known(self) -> Publication | None:
        """What was taken up last, by whichever process of this host; None before the first."""
        try:
            status = (self._folder / KEPT).stat()
            stamp = status.st_ino, status.st_mtime_ns, status.st_size
            if self._kept is None or self._kept[0] != stamp:
                document = (self._folder / KEPT).read_bytes()
                self._kept = stamp, Publication.read(document, self._keys)
        except (OSError, Refused):
            # Another key is believed now, or the disk spoilt it: what is published says it again.
            return None
        return self._kept[1]

    def follow(self, now: float, *, anew: bool) -> None:
        """Bring what is published to this host, if it is newer than what is here; all of its files
        when it is to be had `anew`. Raises `NotFetched`, `Refused` and OSError."""
        answered = self._document("" if anew else self._tag)
        if answered is None:
            return
        document, tag = answered
        fresh, known = Publication.read(document, self._keys), self.known()
        if fresh.confirmed_at > now + CLOCKS_AGREE.total_seconds():
            raise Refused("it was confirmed at an instant still to come: a clock is wrong")
        if known:
            fresh.must_follow(known)
            if fresh.confirmed_at < known.confirmed_at:
                return  # a cache on the way, or another publisher that is a little behind
        try:
            with FileLock(self._folder / "fetch.lock", timeout=0):
                for name in FILES:
                    self._bring(name, fresh, None if anew else known)
                if fresh != known:
                    files.replace(self._folder / KEPT, [document])
        except Timeout:
            return  # another process of this host is at it
        self._tag = tag

    def confirmed_at(self) -> int:
        """When what is published now was confirmed. Raises `NotFetched` and `Refused`."""
        document, _ = self._document("") or (b"", "")
        return Publication.read(document, self._keys).confirmed_at

    def _document(self, known: str) -> tuple[bytes, str] | None:
        """What is published now, and its tag; None if that is the one that is `known`."""
        with self._asked(NAME, {"If-None-Match": known} if known else {}) as answer:
            if known and answer.status_code == HTTPStatus.NOT_MODIFIED:
                return None
            document = b"".join(self._pieces(answer, LONGEST))
            return document, answer.headers.get("ETag", "")

    def _bring(self, name: str, fresh: Publication, known: Publication | None) -> None:
        path, wanted = self._folder / name, fresh.files.get(name)
        if wanted is None:
            path.unlink(missing_ok=True)
            return
        if known and known.files.get(name) == wanted and path.exists():
            return
        with self._asked(wanted.checksum, {}) as answer:
            arrived = files.beside(path, self._whole(answer, wanted))
        if name != CURRENT:
            arrived.replace(path)
            return
        try:
            check(arrived)
        except Unusable:
            arrived.unlink()
            raise Refused("it was made by another version of this service") from None
        put(arrived, self._folder)

    def _whole(self, answer: "httpx.Response", wanted: PublishedFile) -> Iterator[bytes]:
        """A file in pieces, held against its checksum. Raises `NotFetched` and `Refused`."""
        digest = hashlib.sha256()
        for piece in self._pieces(answer, wanted.size):
            digest.update(piece)
            yield piece
        if digest.hexdigest() != wanted.checksum:
            raise Refused("a file is damaged, or is not the one that was signed")

    def _pieces(self, answer: "httpx.Response", most: int) -> Iterator[bytes]:
        """The body of an answer that is as it should be, and no longer than that."""
        if answer.status_code != HTTPStatus.OK:
            raise self._out_of_reach(f"status {answer.status_code}")
        for piece in answer.iter_bytes():
            most -= len(piece)
            if most < 0:
                raise Refused("a file is longer than it should be")
            yield piece

    @contextmanager
    def _asked(self, name: str, headers: dict[str, str]) -> Iterator["httpx.Response"]:
        import httpx  # noqa: PLC0415

        try:
            with self._client.stream("GET", f"{self._url}/{name}", headers=headers) as answer:
                yield answer
        except httpx.HTTPError as error:
            raise self._out_of_reach(type(error).__name__) from None

    def _out_of_reach(self, reason: str) -> NotFetched:
        # The address alone: before it there may be a password.
        return NotFetched(
            f"What is published at {urlsplit(self._url).hostname} can't be had: {reason}"
        )

    @property
    def _client(self) -> "httpx.Client":
        if self._http is None:
            # A host that has a database never needs it.
            import httpx  # noqa: PLC0415

            # It is the operator's own: unlike for documents of others, the certificates and the
            # proxy that this host's environment names count.
            self._http = httpx.Client(timeout=TIMEOUT_SECONDS)
        return self._http

    def close(self) -> None:
        """Let go of the connections."""
        if self._http:
            self._http.close()
            self._http = None


def directory_of(
    settings: Settings,
    journal: Journal,
    clock: Clock = time.time,
    prepare: Callable[[Directory], object] | None = None,
) -> Directory:
    """The directory of a host, which builds it or fetches it."""
    if settings.directory_url:
        return Fetched(settings, journal.engine, clock)
    return Directory(
        journal.engine,
        settings.data_dir,
        demonstration=settings.demonstration,
        walking_factor=settings.walking_factor,
        clock=clock,
        journal=journal,
        prepare=prepare,
        replica=journal.replica,
        neighbours=settings.neighbours,
    )
