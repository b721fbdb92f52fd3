"""The loops of the search without the compiler."""

import importlib
import inspect
import sys
from types import ModuleType

import pytest

LOOPS = [
    "app.core.compiled",
    *(f"app.directory.engine.{name}" for name in ("columns", "heap", "hours", "sphere", "ways")),
    "app.directory.engine.nearest",
]


def uncompiled(patch: pytest.MonkeyPatch) -> ModuleType:
    """`app.directory.engine.nearest` as it is where there is no compiler, until the patch ends."""
    nearest = importlib.import_module(LOOPS[-1])
    patch.setattr(sys.modules["app.directory.engine"], "nearest", nearest)
    for module in LOOPS:
        patch.delitem(sys.modules, module)
    patch.setitem(sys.modules, "numba", None)
    plain = importlib.import_module(LOOPS[-1])
    loops = plain.answer, plain.spread, plain.open_until, plain.rise, plain.metres
    assert all(map(inspect.isfunction, loops))
    return plain
