"""The journal's head: a signed copy of its newest entry's number and hash, outside the database.

Without it, whoever can write to the database could cut the newest entries off unseen.
"""

import hmac
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import orjson
from filelock import FileLock

MISSING, _ALTERED = "is missing", "was altered"


@dataclass(frozen=True)
class Newest:
    """The newest entry of a chain."""

    number: int
    hash: str
    at: datetime = field(default=datetime.min.replace(tzinfo=UTC), compare=False)


class Head:
    """The copy, in one file that is signed with the journal's key."""

    def __init__(self, file: Path, key: bytes) -> None:
        self.file = file
        self._key = key

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
        genuine = hmac.compare_digest(signature, self._signature(newest).encode())
        return newest if genuine else _ALTERED

    def keep(self, newest: Newest) -> None:
        """Write the copy, unless it knows of a newer entry. Raises OSError."""
        with FileLock(self.file.with_suffix(".lock")):
            known = self.read()
            if isinstance(known, Newest) and known.number >= newest.number:
                return
            fresh = self.file.with_suffix(".new")
            document = {
                "number": newest.number,
                "hash": newest.hash,
                "signature": self._signature(newest),
            }
            with fresh.open("wb") as file:
                file.write(orjson.dumps(document))
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self.file)

    def _signature(self, newest: Newest) -> str:
        text = f"head {newest.number} {newest.hash}"
        return hmac.digest(self._key, text.encode(), "sha256").hex()
