"""What is started here ends with whoever started it, however that one ended."""

import ctypes
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn


def ending_with_us(command: Sequence[str | Path]) -> list[str | Path]:
    """A command whose program is told to end when we are gone: even if we were killed, and could
    tell it nothing. With the thread that starts it, to be exact; and only where the system does so.
    """
    setpriv = shutil.which("setpriv")
    return [*([setpriv, "--pdeathsig", "TERM"] if setpriv else []), *command]


def end_with_parent() -> None:
    """Have this process, which was forked, end so."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)


def unwind_when_told_to_end() -> None:
    """Have SIGTERM end this process as Ctrl-C does: what was started is stopped, and folders go."""

    def end(*_: object) -> NoReturn:
        # Told once more, it must not leave off in the middle of that.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        sys.exit(1)

    signal.signal(signal.SIGTERM, end)
