"""What a process tells its system of itself, where that is Linux."""

import ctypes
import os
import signal
import struct
import sys

_SET_DEATH_SIGNAL, _SET_NAME = 1, 15
_SET_SCHEDULING = {"x86_64": 314, "aarch64": 274}
"""The number of a call that the C library of most systems has no name for."""

LONGEST_TURN_SECONDS = 0.1
"""For how long a process may have a processor at most when others want it, too."""


def called(name: bytes) -> None:
    """Call this process something in a list of processes, where a copy of another looks like it."""
    _tell(_SET_NAME, name)


def ends_with_parent() -> None:
    """Have this process end when its parent is gone, however that went."""
    _tell(_SET_DEATH_SIGNAL, signal.SIGTERM)


def lets_others_go_first() -> None:
    """Have this process wait while those run that want a processor for a moment, as who answers
    does; of what is left it gets as much as anybody, so that it comes to an end.

    Its turns are as long as can be, and whose turn is shorter comes first. Only for Linux, before
    6.12 without effect.
    """
    call = _SET_SCHEDULING.get(os.uname().machine)
    if sys.platform == "linux" and call:
        niceness, turn_ns = os.getpriority(os.PRIO_PROCESS, 0), int(LONGEST_TURN_SECONDS * 1e9)
        wanted = struct.pack("=IIQiIQQQ", 48, os.SCHED_OTHER, 0, niceness, 0, turn_ns, 0, 0)
        ctypes.CDLL(None).syscall(call, 0, wanted, 0)


def _tell(what: int, value: bytes | int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(what, value)
