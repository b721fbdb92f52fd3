"""The answer to the question for the nearest havens."""

import math
from typing import NamedTuple

from app.core.errors import wrong
from app.core.places import Point
from app.directory import render
from app.directory.beyond import Doors, doors, of_neighbours
from app.directory.engine.search import Answer, Question, Search
from app.directory.nearest_question import NearestQuestion, read_plain
from app.directory.read_side import NotReady, ReadSide
from app.directory.snapshot import LOOKS_AHEAD, PROVIDES, STEP_FREE

NEAREST = "/v1/havens/nearest"
LOOKS_BACK_SECONDS = 5 * 60
NO_STORE = {"Cache-Control": "no-store"}


class Found(NamedTuple):
    """What the search found; `doors` are those of all sides, None where there are no neighbours."""

    search: Search
    question: Question
    ours: Answer
    doors: Doors | None

    def rendered(self, age_seconds: int, contacts: bytes) -> bytes:
        """A `NearestAnswer`."""
        seen = of_neighbours(self.doors) if self.doors else None
        snapshot = self.search.snapshot
        return render.nearest(snapshot, self.question, self.ours, age_seconds, contacts, seen)


def answer_query(query: bytes, directory: ReadSide, contacts: bytes) -> bytes:
    """The answer in JSON to a question as an address has it. Raises `Invalid` and `NotReady`."""
    if plain := read_plain(query):
        lat, lon, limit = plain
        found = _found(Question(Point(lat, lon), int(directory.clock()), limit), directory)
    else:
        found = find(NearestQuestion.from_query(query), directory)
    return found.rendered(directory.age_seconds, contacts)


def answer(question: NearestQuestion, directory: ReadSide, contacts: bytes) -> bytes:
    """The answer in JSON. Raises `Invalid` and `NotReady`."""
    return find(question, directory).rendered(directory.age_seconds, contacts)


def find(question: NearestQuestion, directory: ReadSide) -> Found:
    """The nearest havens. Raises `Invalid` and `NotReady`."""
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
    return _found(of_search, directory)


def _found(question: Question, directory: ReadSide) -> Found:
    search = directory.search
    if not search.snapshot.covers(question.at):
        raise NotReady
    ours, sides = search.answer(question), directory.sides
    return Found(search, question, ours, doors(question, search, ours, sides) if sides else None)
