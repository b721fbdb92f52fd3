"""Compiling loops over columns, where there is a compiler for this Python."""

import ctypes
import mmap
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from operator import attrgetter
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeVar, get_args, get_type_hints

import numpy as np
from numpy.typing import NDArray

from app.core.settings import settings

Ints = NDArray[np.int64]
Shorts = NDArray[np.int32]
Floats = NDArray[np.float64]
Bits = NDArray[np.uint32]

IntLines = Annotated[Ints, 2]
ShortLines = Annotated[Shorts, 2]
FloatLines = Annotated[Floats, 2]
BitLines = Annotated[Bits, 2]
"""Columns of two dimensions."""

_Function = TypeVar("_Function", bound=Callable[..., Any])


@contextmanager
def hidden(*modules: str) -> Iterator[None]:
    """Have imports meanwhile find none of these, unless they have been imported."""
    absent = [name for name in modules if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


_UNUSED = "scipy", "cffi"
"""What the compiler brings wherever it is, with all that goes with it; no loop uses it."""

numba: Any
array_at: Any = None
"""In compiled functions, the array of a shape and kind at an address; None without a compiler."""
number_at: Any = None
"""And so the whole number in a place from there on."""


def address_of(table: Any) -> Any:
    """Where `packed` columns lie: what compiled functions hand on to each other, since they count
    with every call who holds an array. Uncompiled, they are what lies there."""
    return table


try:
    with hidden(*_UNUSED):
        import numba
        from numba.core import cgutils, types
        from numba.core.registry import cpu_target
        from numba.core.runtime.nrt import rtsys
        from numba.extending import intrinsic
except ImportError:
    # A Python that is newer than the compiler: the same loops run as they are, only slower.
    numba = None
else:

    def _typed(_: Any, address: Any) -> Any:
        def generated(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
            return builder.inttoptr(arguments[0], cgutils.voidptr_t)

        return types.voidptr(address), generated

    _pointer: Any = intrinsic(_typed)

    @numba.njit(no_cpython_wrapper=True, no_cfunc_wrapper=True)  # type: ignore[untyped-decorator]
    def array_at(address: int, shape: Any, kind: Any) -> Any:
        return numba.carray(_pointer(address), shape, kind)

    @numba.njit(no_cpython_wrapper=True, no_cfunc_wrapper=True)  # type: ignore[untyped-decorator]
    def number_at(address: int, place: int) -> Any:
        return numba.carray(_pointer(address), place + 1, np.int64)[place]

    @numba.njit(no_cpython_wrapper=True, no_cfunc_wrapper=True)  # type: ignore[untyped-decorator]
    def address_of(table: Any) -> Any:
        return table.ctypes.data


def compiled(function: _Function) -> _Function:
    """The function in machine code, kept on disk so that only the first start compiles it."""
    return _compiled(function)


def compiled_part(function: _Function) -> _Function:
    """The same for what only compiled functions call, and which makes no arrays.

    Without a way in, it takes half as long to compile; and it does not count, over and over, that
    it holds the arrays it is given, since whoever calls it does.
    """
    return _compiled(function, _nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True)


def compiled_maker(function: _Function) -> _Function:
    """The same for what makes arrays."""
    return _compiled(function, no_cpython_wrapper=True, no_cfunc_wrapper=True)


def _compiled(function: _Function, **options: Any) -> _Function:
    if numba is None:
        return function
    try:
        return _kept(function, **options)
    except RuntimeError:
        # Neither the installation nor a home can be written to.
        numba.config.CACHE_DIR = str(settings().data_dir.absolute() / "compiled")
    try:
        return _kept(function, **options)
    except RuntimeError:
        _make_compiler_ready()
        return numba.njit(**options)(function)  # type: ignore[no-any-return]


@cache
def _stamp() -> tuple[float, int]:
    """Of this file, by which what was compiled by another one is told."""
    status = Path(__file__).stat()
    return status.st_mtime, status.st_size


def _kept(function: _Function, **options: Any) -> _Function:
    dispatcher = numba.njit(cache=True, **options)(function)
    kept: Any = dispatcher._cache  # noqa: SLF001  there is no other way in
    load, save = kept._load_overload, kept.save_overload  # noqa: SLF001
    # Whatever it calls of other files becomes part of it, and how it is compiled is said in this
    # one: a change of either must make it anew.
    called = (getattr(value, "made_of", ()) for value in function.__globals__.values())
    own = kept._cache_file._source_stamp  # noqa: SLF001
    dispatcher.made_of = frozenset({own, _stamp()}).union(*called)
    kept._cache_file._source_stamp = dispatcher.made_of  # noqa: SLF001

    def save_where_there_is_room(*compiled: Any) -> None:
        # A full disk would otherwise end whoever is the first to need the function.
        with suppress(OSError):
            save(*compiled)

    def load_by_itself(signature: Any, target: Any) -> Any:
        # The compiler would be made ready first, of which what is compiled needs this alone.
        rtsys.initialize(target)
        with kept._guard_against_spurious_io_errors():  # noqa: SLF001
            if loaded := load(signature, target):
                return loaded
        _make_compiler_ready()
        return None

    kept.load_overload = load_by_itself
    kept.save_overload = save_where_there_is_room
    return dispatcher  # type: ignore[no-any-return]


@cache
def _make_compiler_ready() -> None:
    """Load all that it takes to compile, which is 20 MB."""
    with hidden(*_UNUSED):
        cpu_target.target_context.refresh()


_KINDS: dict[Any, str] = {Ints: "int64", Shorts: "int32", Floats: "float64", Bits: "uint32"}


def packed(columns: NamedTuple) -> Any:
    """Columns as a compiled function takes them: where each lies, which is so for as long as they
    are kept.

    Handed over one by one, two dozen arrays take longer than a search.
    """
    if array_at is None:
        return columns
    where = np.zeros((len(columns), 3), dtype=np.int64)
    hints = get_type_hints(type(columns))
    for place, (name, kind) in enumerate(hints.items()):
        column: Any = getattr(columns, name)
        if kind is int:
            where[place, 0] = column
        elif column.dtype == _KINDS[kind] and column.flags.c_contiguous:
            where[place] = column.ctypes.data, column.shape[0], column.shape[-1]
        else:
            raise TypeError(f"{name} is not laid out as the loops read it")
    return where


def unpacked(kind: type, file: str, *chosen: str) -> Any:
    """What makes columns of a kind again, for compiled functions, where they were `packed`; `file`
    is that of the kind. If some are chosen, it makes a tuple of these, or just the only one.

    The fastest are functions that take out what they read, and hand on the address.
    """
    if array_at is None:  # uncompiled, they come as they are
        return attrgetter(*chosen) if chosen else lambda columns: columns
    hints = get_type_hints(kind, include_extras=True)
    parts = {name: _unpacking(place, of) for place, (name, of) in enumerate(hints.items())}
    made = ", ".join(parts[name] for name in chosen or parts)
    # Written out, because compiled code can't go through arrays of several kinds in a loop.
    text = f"lambda address: ({made})" if chosen else f"lambda address: {kind.__name__}({made})"
    code = compile(text, file, "eval")
    names: dict[str, Any] = {"np": np, "array_at": array_at, "number_at": number_at}
    names |= {kind.__name__: kind, "__name__": kind.__module__}
    return _compiled(eval(code, names), inline="always")  # noqa: S307


def _unpacking(place: int, kind: Any) -> str:
    """What reads one of the columns."""
    where, lines, items_a_line = (f"number_at(address, {3 * place + n})" for n in range(3))
    if kind is int:
        return where
    is_lines = get_args(kind)[1:] == (2,)
    items, shape = (get_args(kind)[0], f"({lines}, {items_a_line})") if is_lines else (kind, lines)
    return f"array_at({where}, {shape}, np.{_KINDS[items]})"


def let_go_of_compiler() -> None:
    """Give back the memory in which the compiler's own code lies, which is read again from disk
    if anything is ever compiled.

    All that is loaded from disk already compiled has been put into place by it, and needs it no
    more. Only for Linux; anywhere else nothing happens.
    """
    with suppress(OSError, AttributeError):
        advise = ctypes.CDLL(None).madvise
        for found in _OF_COMPILER.finditer(Path("/proc/self/smaps").read_text()):
            start, end = (int(address, 16) for address in found.groups())
            advise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), mmap.MADV_DONTNEED)


_OF_COMPILER = re.compile(
    # In which nothing is of this process's own, so that what is on disk is all of it.
    r"^([0-9a-f]+)-([0-9a-f]+) r..p .*/libllvmlite\.so\n(?:\w+:.*\n)*?Anonymous: +0 kB$",
    re.MULTILINE,
)
