"""Publishing the directory for hosts that answer without a database.

Nothing in it is not told to the public as well, so anybody may have it: it needs a signature, and
no secrecy.
"""

import hashlib
import os
import re
import threading
from collections.abc import Iterator
from contextlib import suppress
from io import BufferedReader
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi import Path as InPath
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from app.core import files
from app.core.column_file import WRONG
from app.core.errors import NotFound
from app.core.settings import Settings
from app.directory.live import Directory
from app.directory.publication import FILES, NAME, Publication, PublishedFile
from app.directory.read_side import NotReady
from app.directory.sealed import Stamp
from app.directory.snapshot import ACCEPTED, CURRENT, Origin, origin_of
from app.http.conditional import etag
from app.http.headers import is_known

router = APIRouter(prefix="/published", include_in_schema=False)

SIGNS_EVERY_SECONDS = 2
"""How often what is published says that it was confirmed: seldom enough that most of those who ask
have the newest, often enough that none counts it as old."""

_CHECKSUM = "[0-9a-f]{64}"

_PIECE = 256 * 1024


class Published:
    """What a host publishes: the files of its data directory, signed with its key.

    Every process of every host that says the same signs the same, to the byte. A host that fetches
    its directory from another publishes what that one signed.
    """

    def __init__(self, settings: Settings, directory: Directory) -> None:
        self._folder = settings.data_dir
        self._key = settings.publishing_key.get_secret_value()
        self._directory = directory
        self._files: dict[str, tuple[Stamp, PublishedFile]] = {}
        self._signed: tuple[Publication, bytes] | None = None
        self._lock = threading.Lock()

    @property
    def is_on(self) -> bool:
        """Whether this host publishes anything."""
        return bool(self._key)

    def document(self) -> bytes:
        """What is published now, signed. Raises `NotReady`."""
        try:
            with self._lock:
                fresh = self._publication()
                if self._signed is None or self._signed[0] != fresh:
                    self._signed = fresh, fresh.signed(self._key)
                return self._signed[1]
        except (OSError, *WRONG):
            raise NotReady from None

    def opened(self, checksum: str) -> BufferedReader:
        """One of the files, for whoever asks to read and close. Raises `NotFound`."""
        for name in FILES:
            with suppress(OSError):
                file = (self._folder / name).open("rb")
                if self._known(name, file).checksum == checksum:
                    return file
                file.close()
        raise NotFound("file")

    def write(self, folder: Path) -> None:
        """Put all that is published in a folder, from which any server or store can hand it out.

        The files come before what names them, and those of before stay until after it. Raises
        `NotReady` and OSError.
        """
        document, kept = self.document(), folder / NAME
        before = kept.read_bytes() if kept.exists() else b""
        if before == document:
            return
        for checksum in _checksums(document):
            if not (folder / checksum).exists():
                files.replace(folder / checksum, _pieces(self.opened(checksum)))
        files.replace(kept, [document])
        named = _checksums(before + document)
        for path in folder.iterdir():
            if re.fullmatch(_CHECKSUM, path.name) and path.name not in named:
                path.unlink(missing_ok=True)

    def _publication(self) -> Publication:
        found, origin = {}, None
        for name in FILES:
            with suppress(FileNotFoundError), (self._folder / name).open("rb") as file:
                found[name] = self._known(name, file)
                if name == CURRENT:
                    origin = origin_of(file)
        if origin is None:
            raise NotReady
        confirmed_at = self._confirmed_at(origin)
        return Publication(
            database=origin.database,
            version=origin.version,
            generated_at=origin.generated_at,
            confirmed_at=max(confirmed_at - confirmed_at % SIGNS_EVERY_SECONDS, 0),
            accepted_at=_accepted_at(self._folder),
            files=found,
        )

    def _confirmed_at(self, origin: Origin) -> int:
        confirmed_at, snapshot = self._directory.confirmed_at, self._directory.search.snapshot
        # Another one on disk said what the database says when it was built, and perhaps no longer.
        is_ours = (snapshot.version, snapshot.generated_at) == (origin.version, origin.generated_at)
        return confirmed_at if is_ours else min(confirmed_at, origin.generated_at)

    def _known(self, name: str, file: BufferedReader) -> PublishedFile:
        status = os.fstat(file.fileno())
        stamp = status.st_ino, status.st_mtime_ns, status.st_size
        known = self._files.get(name)
        if known is None or known[0] != stamp:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            known = stamp, PublishedFile(checksum=digest, size=status.st_size)
            self._files[name] = known
        return known[1]


def _accepted_at(folder: Path) -> int:
    try:
        return int((folder / ACCEPTED).read_text())
    except (OSError, ValueError):
        return 0


def _checksums(document: bytes) -> set[str]:
    """All that a document names."""
    return set(re.findall(_CHECKSUM, document.decode()))


def _pieces(file: BufferedReader) -> Iterator[bytes]:
    with file:
        while piece := file.read(_PIECE):
            yield piece


async def _published(request: Request) -> Published:
    published: Published = request.app.state.published
    if not published.is_on:
        raise NotFound
    return published


_Here = Annotated[Published, Depends(_published)]


@router.get(f"/{NAME}")
async def published_document(request: Request, published: _Here) -> Response:
    """What is published now, signed. Raises `NotReady`, and `NotFound` where nothing is."""
    document = await run_in_threadpool(published.document)
    headers = {"ETag": etag(document), "Cache-Control": "no-cache"}
    if is_known(request.headers, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(document, media_type="text/plain", headers=headers)


@router.get("/{checksum}")
async def published_file(
    published: _Here, checksum: Annotated[str, InPath(pattern=f"^{_CHECKSUM}$")]
) -> Response:
    """A file that is published, by its checksum. Raises `NotFound` when it is so no more."""
    file = await run_in_threadpool(published.opened, checksum)
    headers = {
        "Content-Length": str(os.fstat(file.fileno()).st_size),
        "Cache-Control": "public, max-age=31536000, immutable",
    }
    return StreamingResponse(_pieces(file), headers=headers, media_type="application/octet-stream")
