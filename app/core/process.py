"""What a process tells its system of itself, where that is Linux."""

import ctypes
import signal
import sys

_SET_DEATH_SIGNAL, _SET_NAME = 1, 15


def called(name: bytes) -> None:
    """Call this process something in a list of processes, where a copy of another looks like it."""
    _tell(_SET_NAME, name)


def ends_with_parent() -> None:
    """Have this process end when its parent is gone, however that went."""
    _tell(_SET_DEATH_SIGNAL, signal.SIGTERM)


def _tell(what: int, value: bytes | int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(what, value)
