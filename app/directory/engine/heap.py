"""A heap of what waits, compiled: instants, ways and items, side by side, in the order of the first
two."""

from app.core.compiled import Floats, Ints, compiled_part


@compiled_part
def rise(
    heap_at: Ints, heap_m: Floats, heap_item: Ints, place: int, instant: int, m: float, item: int
) -> None:
    """Put an item in at the end, which is a place of its own, and let it rise."""
    while place:
        above = (place - 1) // 2
        if (heap_at[above], heap_m[above]) <= (instant, m):
            break
        heap_at[place], heap_m[place] = heap_at[above], heap_m[above]
        heap_item[place] = heap_item[above]
        place = above
    heap_at[place], heap_m[place], heap_item[place] = instant, m, item


@compiled_part
def sink(heap_at: Ints, heap_m: Floats, heap_item: Ints, size: int) -> None:
    """Fill the top, which has been taken off, with the last entry, of which `size` come before."""
    instant, m, item, place = heap_at[size], heap_m[size], heap_item[size], 0
    while 2 * place + 1 < size:
        below = 2 * place + 1
        if below + 1 < size and (heap_at[below + 1], heap_m[below + 1]) < (
            heap_at[below],
            heap_m[below],
        ):
            below += 1
        if (instant, m) <= (heap_at[below], heap_m[below]):
            break
        heap_at[place], heap_m[place] = heap_at[below], heap_m[below]
        heap_item[place] = heap_item[below]
        place = below
    heap_at[place], heap_m[place], heap_item[place] = instant, m, item
