"""Files that are replaced whole or not at all, and are on the disk by then."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def replace(path: Path, parts: Iterable[bytes | memoryview]) -> None:
    """Put this content in the place of the file there is, in one step. Raises OSError."""
    beside(path, parts).replace(path)


def beside(path: Path, parts: Iterable[bytes | memoryview]) -> Path:
    """Write what is to take the place of a file beside it.

    Raises OSError, and what the parts raise, and leaves nothing.
    """
    fresh = path.with_suffix(".new")
    try:
        with fresh.open("wb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        # On a full disk it would be in the way of everything else.
        with suppress(OSError):
            fresh.unlink()
        raise
    return fresh
