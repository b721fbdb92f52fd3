"""Compiling the loops of the search, where there is a compiler for this Python."""

from collections.abc import Callable
from typing import Any, TypeVar

from app.settings import settings

njit: Any
config: Any

_Function = TypeVar("_Function", bound=Callable[..., Any])

try:
    import numba
except ImportError:
    # A Python that is newer than the compiler: the same loops run as they are, only slower.
    njit, config = None, None
else:
    njit, config = numba.njit, numba.config


def compiled(function: _Function) -> _Function:
    """The function in machine code, kept on disk so that only the first start compiles it."""
    return _compiled(function)


def compiled_part(function: _Function) -> _Function:
    """The same for what only compiled functions call: without a way in, it takes half as long."""
    return _compiled(function, no_cpython_wrapper=True, no_cfunc_wrapper=True)


def _compiled(function: _Function, **options: bool) -> _Function:
    if njit is None:
        return function
    try:
        return njit(cache=True, **options)(function)  # type: ignore[no-any-return]
    except RuntimeError:
        # Neither the installation nor a home can be written to.
        config.CACHE_DIR = str(settings().data_dir.absolute() / "compiled")
    try:
        return njit(cache=True, **options)(function)  # type: ignore[no-any-return]
    except RuntimeError:
        return njit(**options)(function)  # type: ignore[no-any-return]
