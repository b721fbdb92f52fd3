"""Has a cover solved in a process of its own, of the lowest priority, one at a time.

So it is in nobody's way who asks for a haven, and what the solver holds in memory goes with it.
"""

import io
import logging
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from threading import Lock

import numpy as np
import orjson

from app.audit.cover.rows import Cover
from app.core.errors import DomainError
from app.venues.open_week import Floats

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 600


class NoSolver(DomainError):
    """The extra that plans need is not installed."""

    status = 501
    code = "no-solver"
    title = (
        "Plans need the solver HiGHS, which is not installed here:"
        " have an operator install the extra “plan”, as docs/planning.md says"
    )


class NotPlanned(DomainError):
    """A plan is being worked out for somebody else, or can't be."""

    status = 503
    code = "not-planned"
    title = "This can't be planned just now; try again in a minute"
    headers = {"Retry-After": "60"}  # noqa: RUF012 - never changed


@dataclass(frozen=True)
class Choices:
    """Choices of candidates, each as places among a cover's.

    `greedy` is one after the other, `best` the best of each number from 1 on, as far as more
    places meet more, and `redrawn` the best of one number for each redraw of the need.
    """

    greedy: list[int]
    best: list[list[int]]
    redrawn: list[list[int]]


_turn = Lock()


def choices(cover: Cover, redraws: Sequence[Floats], most: int, places: int) -> Choices:
    """The best choices of up to `most` candidates; of `places`, for redrawn weights too.

    Raises `NoSolver` and `NotPlanned`.
    """
    if find_spec("highspy") is None:
        raise NoSolver
    if not cover.meets.size:
        return Choices([], [], [])
    question = io.BytesIO()
    weights = np.array([cover.weight, *redraws])
    np.savez(question, meets=cover.meets, weights=weights, most=most, places=places)
    if not _turn.acquire(blocking=False):
        raise NotPlanned
    try:
        answer = subprocess.run(
            [sys.executable, "-m", "app.audit.cover.program"],
            input=question.getvalue(),
            stdout=subprocess.PIPE,
            check=True,
            timeout=PATIENCE_SECONDS,
            # Ctrl-C is for the service. In a session of its own it would get a share of the
            # processor of its own, however nice it is.
            process_group=0,
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        log.error("nothing planned: %s", type(error).__name__)
        raise NotPlanned from None
    finally:
        _turn.release()
    return Choices(**orjson.loads(answer))
