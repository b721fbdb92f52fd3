"""The answer to the question for the nearest havens."""

import math

from app.core.errors import wrong
from app.core.places import Point
from app.directory import beyond, render
from app.directory.engine.search import Question
from app.directory.nearest_question import NearestQuestion
from app.directory.read_side import NotReady, ReadSide
from app.directory.snapshot import LOOKS_AHEAD, PROVIDES, STEP_FREE

NEAREST = "/v1/havens/nearest"
LOOKS_BACK_SECONDS = 5 * 60
NO_STORE = {"Cache-Control": "no-store"}


def answer(question: NearestQuestion, directory: ReadSide, contacts: bytes) -> bytes:
    """The answer in JSON. Raises `Invalid` and `NotReady`."""
    now = directory.clock()
    at = question.at.timestamp() if question.at else now
    if not now - LOOKS_BACK_SECONDS <= at <= now + LOOKS_AHEAD:
        raise wrong("at", "must lie between 5 minutes ago and 7 days ahead")
    needs = STEP_FREE if question.step_free else 0
    for facility in question.facilities:
        needs |= PROVIDES[facility]
    of_search = Question(
        origin=Point(question.lat, question.lon),
        at=int(at),
        limit=question.limit,
        needs=needs,
        max_distance_m=question.max_distance_m or math.inf,
    )
    search = directory.search
    if not search.snapshot.covers(of_search.at):
        raise NotReady
    matches = search.answer(of_search)
    seen = beyond.answer(of_search, search, matches, sides) if (sides := directory.sides) else None
    age = directory.age_seconds
    return render.nearest(search.snapshot, of_search, matches, age, contacts, seen)
