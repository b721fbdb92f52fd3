"""One copy of the directory in memory that nothing done to a file can change, for all processes.

A file that is mapped and then cut short kills whoever reads it, and one that is written over
changes their answers. So what is answered from is a copy without a name, sealed against every
change. It is made once, and handed to the other processes of the service through a socket that all
of them were forked with: the system keeps it there, however many of them end, until the next one
takes its place.
"""

import array
import fcntl
import hashlib
import json
import mmap
import os
import secrets
import socket
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import ClassVar, NamedTuple
from weakref import WeakValueDictionary, finalize

Stamp = tuple[int, int, int]
"""By which a file is told from another: its number on disk, when it was written, its size."""


def stamp_of(file: Path) -> Stamp | None:
    """A file's, as it is now; None where there is none."""
    with suppress(OSError):
        status = file.stat()
        return status.st_ino, status.st_mtime_ns, status.st_size
    return None


_TOKEN, _TOLD, _UNPREPARED = slice(0, 8), slice(8, 16), 16


def sealed(parts: Iterable[bytes]) -> int:
    """A file in memory, without a name and for reading only, that nobody can change any more.

    Whoever asked closes it. Raises OSError, and what `parts` raises.
    """
    try:
        made = os.memfd_create("directory", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    except (AttributeError, OSError):
        # Another system, or one that forbids it: what has no name can at least not be found.
        with tempfile.TemporaryFile() as file:
            file.writelines(parts)
            file.flush()
            return os.dup(file.fileno())
    try:
        with os.fdopen(made, "wb", closefd=False) as file:
            file.writelines(parts)
        seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
        fcntl.fcntl(made, fcntl.F_ADD_SEALS, seals)
        # Older systems map what is sealed only for those who could not write to it anyway.
        return os.open(f"/proc/self/fd/{made}", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(made)


class Copy(NamedTuple):
    """What is handed round: the sealed file, which the receiver closes, and of which file it is."""

    token: bytes
    stamp: Stamp | None
    file: int


class Shared:
    """What a process and those forked from it know together about the directory of a folder.

    Reading `token` tells them apart: it changes when there is another copy.
    """

    _all: ClassVar[WeakValueDictionary[tuple[Path, bool], "Shared"]] = WeakValueDictionary()

    @classmethod
    def of(cls, folder: Path, *, demonstration: bool) -> "Shared":
        """That of a folder, the same one while anybody holds it."""
        key = folder.absolute(), demonstration
        found = cls._all.get(key)
        if found is None:
            found = cls._all[key] = cls()
        return found

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, mmap.PAGESIZE)
        self._in, self._out = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        for end in (self._in, self._out):
            finalize(self, end.close)

    @property
    def token(self) -> bytes:
        """Of the copy that is handed round."""
        return self._memory[_TOKEN]

    def put(self, file: int, stamp: Stamp | None) -> bytes:
        """Hand round another copy instead; one at a time does.

        When nothing comes of it, or whoever does it ends in the middle, others have to make a copy
        for themselves.
        """
        token = secrets.token_bytes(8)
        self._memory[_TOKEN] = token
        with suppress(BlockingIOError):
            self._out.recv(1, socket.MSG_DONTWAIT)
        with suppress(OSError):
            socket.send_fds(self._in, [json.dumps([token.hex(), stamp]).encode()], [file])
        return token

    def get(self) -> Copy | None:
        """The copy that is handed round, which stays there for others; None if there is none."""
        size = array.array("i").itemsize
        how = socket.MSG_PEEK | socket.MSG_DONTWAIT
        try:
            note, files, *_ = self._out.recvmsg(400, socket.CMSG_SPACE(size), how)
        except BlockingIOError:
            return None
        if not files:
            return None  # this process may open no more
        file = array.array("i", files[0][2][:size])[0]
        token, stamp = json.loads(note)
        return Copy(bytes.fromhex(token), tuple(stamp) if stamp else None, file)

    def tells(self, what: str) -> bool:
        """Whether this is not what was told last by any of them; then it counts as told."""
        digest = hashlib.sha256(what.encode()).digest()[:8] if what else bytes(8)
        is_new = self._memory[_TOLD] != digest
        self._memory[_TOLD] = digest
        return is_new

    @property
    def is_prepared(self) -> bool:
        """Whether the database has been brought up to date, by whichever of them."""
        return not self._memory[_UNPREPARED]

    @is_prepared.setter
    def is_prepared(self, value: bool) -> None:
        self._memory[_UNPREPARED] = not value


@contextmanager
def in_turn(folder: Path) -> Iterator[None]:
    """One at a time of those who make copies of what is in a folder, which need not be writable."""
    opened = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield
    finally:
        os.close(opened)
