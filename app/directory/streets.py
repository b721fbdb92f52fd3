"""The streets of a running process: it takes them up when their file changes, or goes without."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from app.core import column_file
from app.directory.sealed import Shared, Stamp, in_turn, sealed, stamp_of
from app.walking.file import FORM, STREETS, what_is_wrong

if TYPE_CHECKING:
    from app.walking.streets import Streets


class Followed:
    """The streets in a folder, if there are any; all processes of a service share one copy.

    `trouble` says in a line what is wrong with them, if anything is. To have none is not wrong, but
    to have none any more is.
    """

    def __init__(self, folder: Path, *, demonstration: bool) -> None:
        self._file = folder / STREETS
        # Held by whoever starts the processes, so that it is the same for all of them.
        self.shared = Shared.of(self._file, demonstration=demonstration)
        self._stamp: Stamp | None = None
        self.current: Streets | None = None
        self.trouble = ""

    def take_up(self) -> bool:
        """Go over to the file as it is now; whether anything changed."""
        stamp = stamp_of(self._file)
        if stamp == self._stamp:
            return False
        try:
            current = self._read(stamp) if stamp else None
        except OSError as error:
            current, self.trouble = None, f"{STREETS}: {error.strerror}; minutes are estimates"
        except column_file.WRONG:
            current, self.trouble = None, f"{what_is_wrong(self._file)}; minutes are estimates"
        else:
            self.trouble = "" if stamp else f"{STREETS} is gone; minutes are estimates"
        changed = current is not self.current
        self._stamp, self.current = stamp, current
        return changed

    def _read(self, stamp: Stamp) -> "Streets":
        # Brings the compiler with it, as the search does.
        from app.walking.streets import Streets  # noqa: PLC0415

        with in_turn(self._file.parent):
            copy = self.shared.get()
            if copy and copy.stamp == stamp:
                file = copy.file
            else:
                if copy:
                    os.close(copy.file)
                with self._file.open("rb") as opened:
                    file = sealed(column_file.pieces(opened, FORM))
                self.shared.put(file, stamp)
            try:
                return Streets.mapped(file)
            finally:
                os.close(file)
