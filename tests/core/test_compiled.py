"""What the compiler keeps on disk."""

import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest

from app.core import compiled
from app.core.compiled import numba

CALLED = """
from app.core.compiled import compiled_part

@compiled_part
def called():
    return {answer}
"""

BETWEEN = """
from called_of_another_file import called
from app.core.compiled import compiled_part

@compiled_part
def between():
    return called()
"""

CALLING = """
from between_two_files import between
from app.core.compiled import compiled

@compiled
def calling():
    return between()
"""


@pytest.mark.skipif(numba is None, reason="there is no compiler")
def test_what_calls_a_changed_function_of_another_file_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "between_two_files.py").write_text(BETWEEN)
    (tmp_path / "calling_another_file.py").write_text(CALLING)

    def started_anew(answer: int) -> ModuleType:
        (tmp_path / "called_of_another_file.py").write_text(CALLED.format(answer=answer))
        importlib.invalidate_caches()
        for name in ("called_of_another_file", "between_two_files", "calling_another_file"):
            sys.modules.pop(name, None)
        return importlib.import_module("calling_another_file")

    first = started_anew(1)
    assert first.calling() == 1
    again = started_anew(1)
    assert again.calling() == 1
    assert sum(again.calling.stats.cache_hits.values()) == 1
    # Another version of the service may compile the same text in another way.
    monkeypatch.setattr(compiled, "_stamp", lambda: (0.0, 0))
    otherwise = started_anew(1)
    assert otherwise.calling() == 1
    assert not sum(otherwise.calling.stats.cache_hits.values())
    changed = started_anew(22)
    assert changed.calling() == 22
