"""The journal's head: a signed copy of its newest entry's number and hash, outside the database.

Without it, whoever can write to the database could cut the newest entries off unseen.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import orjson
from filelock import FileLock

from app.core import files

MISSING, _ALTERED = "is missing", "was altered"


@dataclass(frozen=True)
class Newest:
    """The newest entry of a chain."""

    number: int
    hash: str
    at: datetime = field(default=datetime.min.replace(tzinfo=UTC), compare=False)


class Head:
    """The copy, in one file that is signed with the journal's newest key, the first."""

    def __init__(self, file: Path, keys: Sequence[bytes]) -> None:
        self.file = file
        self._keys = keys

    def read(self) -> Newest | str:
        """What the copy says, or what is the matter with it."""
        try:
            document = orjson.loads(self.file.read_bytes())
            newest = Newest(int(document["number"]), str(document["hash"]))
            signature = str(document["signature"]).encode()
        except FileNotFoundError:
            return MISSING
        except (OSError, ValueError, TypeError, LookupError):
            return _ALTERED
        genuine = any(
            hmac.compare_digest(signature, _signature(key, newest).encode()) for key in self._keys
        )
        return newest if genuine else _ALTERED

    def keep(self, newest: Newest) -> None:
        """Write the copy, unless it knows of a newer entry. Raises OSError."""
        with FileLock(self.file.with_suffix(".lock")):
            known = self.read()
            if isinstance(known, Newest) and known.number >= newest.number:
                return
            document = {
                "number": newest.number,
                "hash": newest.hash,
                "signature": _signature(self._keys[0], newest),
            }
            files.replace(self.file, [orjson.dumps(document)])


def _signature(key: bytes, newest: Newest) -> str:
    text = f"head {newest.number} {newest.hash}"
    return hmac.digest(key, text.encode(), "sha256").hex()
