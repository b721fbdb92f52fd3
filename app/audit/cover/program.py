"""The program that solves: a cover in, the best choices of it out. See `solver`."""

import io
import os
import sys

import numpy as np
import orjson

from app.audit.cover.exact import Best
from app.audit.cover.rows import Cover, greedy


def main() -> None:
    """Read arrays from standard input, and write the choices as JSON to standard output."""
    os.nice(19)
    # The solver greets on standard output, whatever it is told.
    output = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    given = np.load(io.BytesIO(sys.stdin.buffer.read()), allow_pickle=False)
    meets, weights = given["meets"], given["weights"]
    most, places = int(given["most"]), int(given["places"])
    nothing = np.arange(0)
    cover, *redrawn = (Cover(nothing, nothing, meets, weight, nothing) for weight in weights)
    best = Best(meets)
    in_turn = greedy(cover, most)
    # The first of them is the best one there is.
    choices = [in_turn[:1]]
    for number in range(2, len(in_turn) + 1):
        before = choices[-1]
        left = np.where(meets[before].any(axis=0), 0, cover.weight)
        grown = [*before, int(np.argmax(meets @ left))]
        start = max(grown, in_turn[:number], key=cover.met)
        choices.append(best.choice(number, cover.weight, start))
    firm = [best.choice(places, one.weight, greedy(one, places)) for one in redrawn]
    with os.fdopen(output, "wb") as answer:
        answer.write(orjson.dumps({"greedy": in_turn, "best": choices, "redrawn": firm}))


if __name__ == "__main__":
    main()
