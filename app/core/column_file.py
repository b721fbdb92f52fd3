"""Columns in one file, with checksums, to be mapped into memory as they are.

One line: the format, a checksum of the next line, a checksum of all that follows it. The next line:
the single values as JSON, and where each column begins. Then the columns.
"""

import json
from collections.abc import Iterator, Mapping
from io import BufferedIOBase, BytesIO
from mmap import mmap
from typing import Any, NamedTuple

import numpy as np
from xxhash import xxh3_128

_ALIGNED = 64
_PIECE = 1024 * 1024
_LONGEST_HEADING = 20_200

WRONG = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)
"""What reading a file that is not what it should be may raise."""


class Heading(NamedTuple):
    """The first two lines: as they are, what they say, and the checksum of what follows."""

    text: bytes
    values: dict[str, Any]
    of_columns: str


def content(
    form: bytes, single: Mapping[str, Any], columns: Mapping[str, Any]
) -> Iterator[bytes | memoryview]:
    """All of a file with such values and columns, in parts."""
    places: dict[str, tuple[str, tuple[int, ...], int]] = {}
    parts: list[bytes | memoryview] = []
    end, checksum = 0, xxh3_128()
    for name, column in columns.items():
        places[name] = column.dtype.str, column.shape, end
        padding = bytes(_padding(column.nbytes))
        end += column.nbytes + len(padding)
        parts += column.data if column.size else b"", padding
    for part in parts:
        checksum.update(part)
    line = json.dumps({"columns": places, "size": end, **single}).encode()
    head = b" ".join([form, _digest(line), checksum.hexdigest().encode()])
    line += b" " * _padding(len(head) + len(line) + 2)
    head = b" ".join([form, _digest(line), checksum.hexdigest().encode()])
    yield head + b"\n" + line + b"\n"
    yield from parts


def heading(file: BufferedIOBase, form: bytes) -> Heading:
    """The first lines of a file of this format. Raises some of `WRONG`."""
    head = file.readline(200)
    line = file.readline(_LONGEST_HEADING - len(head))
    of_file, of_line, of_columns = head.rstrip(b"\n").rsplit(b" ", 2)
    if (of_file, of_line) != (form, _digest(line[:-1])) or (len(head) + len(line)) % _ALIGNED:
        raise ValueError
    return Heading(head + line, json.loads(line), of_columns.decode())


def pieces(file: BufferedIOBase, form: bytes) -> Iterator[bytes]:
    """All of a file of this format, held against its checksums. Raises some of `WRONG`."""
    first = heading(file, form)
    yield first.text
    left, checksum = first.values["size"], xxh3_128()
    while piece := file.read(_PIECE):
        left -= len(piece)
        if left < 0:
            raise ValueError
        checksum.update(piece)
        yield piece
    if left or checksum.hexdigest() != first.of_columns:
        raise ValueError


def read(
    memory: mmap | bytes, form: bytes, kinds: Mapping[str, np.dtype[Any]]
) -> tuple[dict[str, Any], str]:
    """The single values of a file and its columns, as they lie in memory, and the checksum of the
    columns; `kinds` says which those are. Raises some of `WRONG`."""
    first = heading(BytesIO(memory[:_LONGEST_HEADING]), form)
    values = first.values
    for name, (kind, shape, offset) in values.pop("columns").items():
        if kind != kinds[name].str or offset < 0 or offset % _ALIGNED:
            raise ValueError
        values[name] = np.ndarray(shape, kinds[name], memory, len(first.text) + offset)
    del values["size"]
    return values, first.of_columns


def _digest(line: bytes) -> bytes:
    return xxh3_128(line).hexdigest().encode()


def _padding(size: int) -> int:
    return -size % _ALIGNED
