"""What the compiled loops of the search go over, and the numbers that they share."""

from typing import Any, NamedTuple

from app.core.compiled import (
    BitLines,
    FloatLines,
    IntLines,
    Ints,
    ShortLines,
    Shorts,
    unpacked,
)

LEAF, FAN_OUT = 32, 8
"""How many rows a block of rows holds, and how many blocks a block of blocks: fewer take a search
fewer steps and more memory, of which the sets of minutes of the smallest blocks are the most."""

WORD = 32
"""Minutes in one element of a set of minutes; more would mix signed and unsigned arithmetic."""

MINUTE = 60
NEVER = 2**62
NOT_OPEN, NO_END = 0, -1

OF_INSTANT = 2**22
"""In one number, what is known of a schedule at an instant: the instant, times this, and how much
longer it is open. Nothing that is worked out lasts as long."""

UNREACHED = 2**30
"""What is farther than this, in centimetres, is not reached."""


class Columns(NamedTuple):
    """The rules' numbers, and a snapshot as the loops see it: rows, then schedules, then blocks.

    Blocks are numbered level by level from those of rows up to the one that holds everything;
    `children` are the rows of one of the first `leaves` blocks, and the blocks of any other.
    A set of minutes has a line for every `WORD` minutes, and in it an element for each block;
    `shuts[shutting[b]:shutting[b + 1]]` are the instants at which something in block b shuts, in
    order, and `since` says of each for how long, at most, it has then been open.

    `ties` says where each row is on the streets: the edge (-1 for none), how far along it and how
    far off it, in centimetres. What comes after is those streets, as `app.walking.streets.Streets`
    has them, for one profile; all of it is empty without them. No way that is known is longer than
    `any_way_cm`. Where none is known it counts as `no_way_cm` long, or as the estimate if that is
    longer.

    `landmarks` are some junctions, and `to_landmarks` how far each row is from each of them:
    `UNREACHED` from where no way leads to it, and when it is on no street. `most_to_landmarks` is
    how far the farthest row of each block is. The hubs of row r and how far it is from them, over
    either end of its edge, lie from `own_labels[r]` to `own_labels[r + 1]`.

    The rest is what the search writes down itself: `known` of each schedule, see `OF_INSTANT`;
    while it answers, `reached` is how far each hub is from the edge `reached_from`, which else is
    -1, and `UNREACHED` all of it. To write all of it anew would cost every question more,
    the larger the area. It is empty where the loops are not compiled: there another thread may come
    between.
    """

    margin: int
    near_m: int
    start: int
    horizon: int
    places: FloatLines
    provides: Ints
    opens: Ints
    lists: Ints
    rank: Ints
    cuts: Ints
    offsets: Ints
    starts: Ints
    ends: Ints
    leaves: int
    children: IntLines
    low: FloatLines
    high: FloatLines
    any_provides: Ints
    open_in: BitLines
    opens_in: BitLines
    longest: Ints
    last_opening: Ints
    last_shutting: Ints
    shutting: Ints
    shuts: Ints
    since: Ints
    ties: IntLines
    cm_a_minute: int
    any_way_cm: int
    no_way_cm: int
    landmarks: Ints
    to_landmarks: ShortLines
    most_to_landmarks: ShortLines
    tails: Shorts
    heads: Shorts
    lengths: Ints
    labels: Ints
    hubs: Shorts
    hub_cm: Shorts
    own_labels: Ints
    own_hubs: Shorts
    own_cm: Shorts
    known: Ints
    reached: Shorts
    reached_from: Ints


# What each of the loops reads of them, out of what they were packed into.

columns_of: Any = unpacked(Columns, __file__)
span_of: Any = unpacked(Columns, __file__, "start", "horizon")
schedules_of: Any = unpacked(Columns, __file__, "offsets", "starts", "ends")
known_of: Any = unpacked(Columns, __file__, "known")
reached_of: Any = unpacked(Columns, __file__, "reached", "reached_from")
edges_of: Any = unpacked(Columns, __file__, "tails", "heads", "lengths")
labels_of: Any = unpacked(Columns, __file__, "labels", "hubs", "hub_cm")
own_labels_of: Any = unpacked(Columns, __file__, "own_labels", "own_hubs", "own_cm")
