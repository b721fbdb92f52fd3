"""The havens that feeds tell of: those of the whole directory, read once for all who ask."""

from collections.abc import Mapping
from datetime import date, datetime
from functools import cached_property, lru_cache
from typing import Any
from uuid import UUID

import orjson
from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool

from app.core.london import LONDON
from app.core.text import folded
from app.directory.live import Directory
from app.directory.render import Document
from app.directory.routes import unless_known
from app.feeds.terms import TERMS
from app.feeds.weekly import AHEAD, Pattern, patterns_of
from app.schemes.registry import LISTS_PUBLICLY

Haven = Mapping[str, Any]
"""As `GET /v1/havens` gives it."""

Json = dict[str, Any]


class Listed:
    """The havens of one state of the directory, by their ids, in the order of these."""

    def __init__(self, document: Document) -> None:
        whole = orjson.loads(document.body)
        self.directory: Json = whole["directory"]
        self.havens: dict[UUID, Haven] = {
            UUID(haven["id"]): haven for haven in sorted(whole["havens"], key=lambda h: h["id"])
        }

    @cached_property
    def words(self) -> dict[UUID, str]:
        """What can be searched for in each, between spaces."""
        return {key: f" {folded(_said(haven))} " for key, haven in self.havens.items()}

    def search(self, text: str) -> set[UUID]:
        """Those that have each of the words, if only as the beginning of one of theirs."""
        words = folded(text).split()
        return {key for key, own in self.words.items() if all(f" {word}" in own for word in words)}


def _said(haven: Haven) -> str:
    keys = (haven["category"], *haven["facilities"])
    fields = (haven.get(name, "") for name in ("name", "address", "postcode", "ward", "entrance"))
    return " ".join([*fields, *(TERMS[key].name for key in keys)])


@lru_cache(maxsize=1)
def listed_in(document: Document) -> Listed:
    """Those of a directory document in JSON."""
    return Listed(document)


def listed(directory: Directory) -> Listed:
    """Those that are listed this hour. Raises `NotReady`."""
    return listed_in(directory.document("json"))


def today_of(directory: Directory) -> date:
    """The day that London has by the directory's clock."""
    return datetime.fromtimestamp(directory.clock(), LONDON).date()


def hours_of(haven: Haven, today: date) -> tuple[Pattern, ...]:
    """When a haven is open from the night before today on, for as long as it is accredited."""
    if "opening_hours" not in haven:
        return ()
    return patterns_of(
        haven["opening_hours"], date.fromordinal(today.toordinal() - 1), last_day(haven, today)
    )


def last_day(haven: Haven, today: date) -> date:
    """The last day of which its hours are told: none on which it may be no haven any more."""
    ends = [s["until"] for s in haven["schemes"] if s["scheme"] == LISTS_PUBLICLY and "until" in s]
    return min([today + AHEAD, *map(date.fromisoformat, ends)])


async def told(request: Request, answer: Json, media_type: str = "application/json") -> Response:
    """A document as an answer, for who does not have it yet."""
    document = await run_in_threadpool(lambda: Document(orjson.dumps(answer)))
    return await unless_known(request, document, document.tag, media_type, "Accept-Encoding")
