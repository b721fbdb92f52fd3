"""What a process tells its system of itself."""

import json
import os
import platform
import subprocess
import sys

import pytest

from app.core.process import LONGEST_TURN_SECONDS

_GET_SCHEDULING = {"x86_64": 315, "aarch64": 275}.get(platform.machine())

_LETS_OTHERS = """
import ctypes, json, os, struct
from app.core.process import lets_others_go_first
os.nice(3)
lets_others_go_first()
told = ctypes.create_string_buffer(48)
failed = ctypes.CDLL(None).syscall({call}, 0, told, 48, 0)
_, policy, _, niceness, _, turn_ns, _, _ = struct.unpack("=IIQiIQQQ", told)
print(json.dumps([failed, policy, niceness, turn_ns]))
"""


@pytest.mark.skipif(not _GET_SCHEDULING, reason="nothing tells of it on this machine")
def test_what_lets_others_go_first_has_long_turns_and_is_no_nicer() -> None:
    code = _LETS_OTHERS.format(call=_GET_SCHEDULING)
    told = json.loads(subprocess.check_output([sys.executable, "-c", code]))
    major, minor = map(int, platform.release().split(".")[:2])
    turn_ns = int(LONGEST_TURN_SECONDS * 1e9) if (major, minor) >= (6, 12) else 0
    assert told == [0, os.SCHED_OTHER, 3, turn_ns]
