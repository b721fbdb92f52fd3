"""When havens are open, in the columns of the search, compiled."""

from typing import Any

import numpy as np

from app.core.compiled import Bits, Ints, compiled, compiled_part
from app.directory.engine.columns import (
    LEAF,
    MINUTE,
    NEVER,
    NOT_OPEN,
    OF_INSTANT,
    WORD,
    known_of,
    schedules_of,
    span_of,
)


@compiled
def summarise(
    begin: int,
    opens: Ints,
    offsets: Ints,
    starts: Ints,
    ends: Ints,
    open_in: Bits,
    opens_in: Bits,
    longest: Ints,
    last_opening: Ints,
    last_shutting: Ints,
) -> None:
    """Work out, for each block of rows, when a haven inside is open and when it opens.

    Here a set of minutes has a line for each block.
    """
    for row in range(len(opens)):
        block = row // LEAF
        schedule = opens[row]
        if schedule < 0:
            continue
        for i in range(offsets[schedule], offsets[schedule + 1]):
            longest[block] = max(longest[block], ends[i] - starts[i])
            first, last = (starts[i] - begin) // MINUTE, (ends[i] - begin) // MINUTE - 1
            _add(open_in[block], first, last)
            # What is under way at the start has opened before any instant asked about.
            if first:
                _add(opens_in[block], first, first)
                last_opening[block] = max(last_opening[block], starts[i])
                last_shutting[block] = max(last_shutting[block], ends[i])


@compiled_part
def _add(minutes: Bits, first: int, last: int) -> None:
    for word in range(first // WORD, last // WORD + 1):
        low = max(first - word * WORD, 0)
        high = min(last - word * WORD, WORD - 1)
        minutes[word] |= np.uint32((1 << (high + 1)) - (1 << low))


@compiled_part
def first_in(minutes: Bits, block: int, begin: int, end: int) -> int:
    """The first minute in a set from `begin` on and before `end`; -1 when there is none."""
    minute, end = max(begin, 0), min(end, WORD * len(minutes))
    while minute < end:
        bits = np.int64(minutes[minute // WORD, block]) >> (minute % WORD)
        if bits:
            while not bits & 1:
                bits >>= 1
                minute += 1
            return minute if minute < end else -1
        minute += WORD - minute % WORD
    return -1


@compiled_part
def span(offsets: Ints, number: int) -> tuple[int, int]:
    """Where the intervals of a schedule begin and end."""
    return offsets[number], offsets[number + 1]


@compiled_part
def current(ends: Ints, first: int, last: int, at: int) -> int:
    """The first of some intervals that ends after `at`; `last` if none does."""
    while first < last:
        middle = (first + last) // 2
        if ends[middle] <= at:
            first = middle + 1
        else:
            last = middle
    return first


@compiled_part
def open_until(packed: Any, schedule: int, at: int) -> int:
    """When the interval of a schedule ends that `at` lies in; `NOT_OPEN` when it lies in none."""
    known: int = known_of(packed)[schedule]
    if known // OF_INSTANT != at:
        known = _found_open_until(packed, schedule, at)
    return at + known % OF_INSTANT if known % OF_INSTANT else NOT_OPEN


@compiled_part
def _found_open_until(packed: Any, schedule: int, at: int) -> int:
    """The same where it is not known from before, as `Columns.known` has it from now on."""
    start, horizon = span_of(packed)
    offsets, starts, ends = schedules_of(packed)
    first, last = span(offsets, schedule)
    # Most days are alike, so the place is nearly known.
    i = first + (at - start) * (last - first) // (horizon - start)
    while i < last and ends[i] <= at:
        i += 1
    while i > first and ends[i - 1] > at:
        i -= 1
    longer = ends[i] - at if i < last and starts[i] <= at else 0
    known: int = at * OF_INSTANT + longer
    known_of(packed)[schedule] = known
    return known


@compiled_part
def opening(packed: Any, schedule: int, at: int, arrival: int) -> int:
    """The first opening after `at` that somebody who arrives at `arrival` does not find over;
    `NEVER` without one."""
    offsets, starts, ends = schedules_of(packed)
    first, last = span(offsets, schedule)
    i = current(ends, first, last, arrival)
    while i < last and starts[i] <= at:
        i += 1
    return starts[i] if i < last else NEVER
