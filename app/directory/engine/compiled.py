"""Compiling the loops of the search, where there is a compiler for this Python."""

from collections.abc import Callable
from typing import Any, TypeVar

from app.core.settings import settings

_Function = TypeVar("_Function", bound=Callable[..., Any])

numba: Any
array_at: Any = None
"""In compiled functions, the array of a shape and kind at an address; None without a compiler."""

try:
    import numba
except ImportError:
    # A Python that is newer than the compiler: the same loops run as they are, only slower.
    numba = None
else:
    from numba.core import cgutils, types
    from numba.extending import intrinsic

    def _typed(_: Any, address: Any) -> Any:
        def generated(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
            return builder.inttoptr(arguments[0], cgutils.voidptr_t)

        return types.voidptr(address), generated

    _pointer: Any = intrinsic(_typed)

    @numba.njit(no_cpython_wrapper=True, no_cfunc_wrapper=True)  # type: ignore[untyped-decorator]
    def array_at(address: int, shape: Any, kind: Any) -> Any:
        return numba.carray(_pointer(address), shape, kind)


def compiled(function: _Function) -> _Function:
    """The function in machine code, kept on disk so that only the first start compiles it."""
    return _compiled(function)


def compiled_part(function: _Function) -> _Function:
    """The same for what only compiled functions call: without a way in, it takes half as long."""
    return _compiled(function, no_cpython_wrapper=True, no_cfunc_wrapper=True)


def _compiled(function: _Function, **options: bool) -> _Function:
    if numba is None:
        return function
    try:
        return numba.njit(cache=True, **options)(function)  # type: ignore[no-any-return]
    except RuntimeError:
        # Neither the installation nor a home can be written to.
        numba.config.CACHE_DIR = str(settings().data_dir.absolute() / "compiled")
    try:
        return numba.njit(cache=True, **options)(function)  # type: ignore[no-any-return]
    except RuntimeError:
        return numba.njit(**options)(function)  # type: ignore[no-any-return]
