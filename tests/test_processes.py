"""Nothing that was started here goes on when whoever started it is gone."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.processes import ending_with_us
from tests.servers import ROOT

_STARTS = """
import subprocess, time
from tests.processes import ending_with_us, unwind_when_told_to_end
unwind_when_told_to_end()
command = ending_with_us(["sh", "-c", "echo $$; exec sleep 60 >/dev/null"])
try:
    started = subprocess.Popen(command)
    time.sleep(60)
finally:
    print("unwound", flush=True)
"""


@pytest.mark.skipif(not shutil.which("setpriv"), reason="nothing tells a child of its parent's end")
@pytest.mark.parametrize(("how", "says"), [(signal.SIGKILL, ""), (signal.SIGTERM, "unwound\n")])
def test_what_was_started_ends_with_us(how: signal.Signals, says: str) -> None:
    ours = subprocess.Popen(
        [sys.executable, "-c", _STARTS], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert ours.stdout
    started = psutil.Process(int(ours.stdout.readline()))
    ours.send_signal(how)
    started.wait(20)
    assert ours.communicate()[0] == says


def test_a_command_is_run_as_it_is_given(tmp_path: Path) -> None:
    command = ending_with_us([sys.executable, "-c", "print(*'ab')"])
    assert subprocess.check_output(command, text=True, cwd=tmp_path) == "a b\n"
