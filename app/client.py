"""A client of the public API, for programs in Python.

    havens = Havens("https://havens.example")
    answer = havens.nearest(51.5155, -0.0922)

It keeps what it has read with its `ETag`, asks again when a connection fails or the service is
busy, and sends a position in a body alone, where no address, history or log on the way holds it.
"""

import random
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar
from uuid import UUID

import httpx
from pydantic import BaseModel

from app.directory.schemas import (
    DirectoryHaven,
    HelpAnswer,
    NearestAnswer,
    OneHaven,
    WardOutlines,
    WholeDirectory,
    WholeDirectoryInfo,
)
from app.feeds.changes_routes import DirectoryChanges

_T = TypeVar("_T", bound=BaseModel)

PASSES = frozenset({429, 502, 503, 504})
"""Statuses after which it is worth asking again."""

LONGEST_PAUSE = 30.0
"""In seconds: a service that asks for a longer one is not asked again."""


class Refused(Exception):
    """The service says no: `status`, `title`, and what is wrong with which field."""

    def __init__(self, response: httpx.Response) -> None:
        try:
            problem: Any = response.json()
        except ValueError:
            problem = {}
        problem = problem if isinstance(problem, dict) else {}
        self.status = response.status_code
        self.title = str(problem.get("title", response.reason_phrase))
        self.errors = {e["field"]: e["message"] for e in problem.get("errors", ())}
        super().__init__(f"{self.status} {self.title}")


class Havens:
    """The public API at an address.

    Raises `Refused`, and what httpx raises when a connection fails for the last time.
    """

    def __init__(
        self,
        base_url: str,
        *,
        tries: int = 3,
        http: httpx.Client | None = None,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        # Longer than the service lets anybody wait for a change.
        self._http = http or httpx.Client(timeout=httpx.Timeout(10, read=45))
        self._base = base_url.rstrip("/")
        self._tries = tries
        self._pause = pause
        self._kept: dict[str, tuple[str, BaseModel]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End its connections."""
        self._http.close()

    def nearest(self, lat: float, lon: float, **more: Any) -> NearestAnswer:
        """The nearest open havens; `more` are the other fields of the question, such as `limit`."""
        question = {"lat": lat, "lon": lon, **more}
        return self._read(NearestAnswer, "POST", "/v1/havens/nearest", json=question)

    def directory(self) -> WholeDirectory:
        """The whole directory."""
        return self._current(WholeDirectory, "/v1/havens")

    def haven(self, haven_id: UUID) -> OneHaven:
        """One haven."""
        return self._read(OneHaven, "GET", f"/v1/havens/{haven_id}")

    def wards(self) -> WardOutlines:
        """The wards' outlines."""
        return self._current(WardOutlines, "/v1/wards")

    def help(self, language: str = "en") -> HelpAnswer:
        """Whom to call."""
        return self._read(HelpAnswer, "GET", "/v1/help", headers={"Accept-Language": language})

    def changes(self, since: str = "", wait: float = 0) -> DirectoryChanges:
        """What has changed since a cursor, as soon as something has, or `wait` seconds later."""
        asked = {"since": since, "wait": wait} if since else {}
        return self._read(DirectoryChanges, "GET", "/v1/changes", params=asked)

    def _current(self, model: type[_T], path: str) -> _T:
        """What is at an address, read again only when it has changed."""
        tag, kept = self._kept.get(path, ("", None))
        response = self._answer("GET", path, headers={"If-None-Match": tag} if tag else {})
        if response.status_code == httpx.codes.NOT_MODIFIED and isinstance(kept, model):
            return kept
        found = model.model_validate_json(response.content)
        self._kept[path] = response.headers.get("ETag", ""), found
        return found

    def _read(self, model: type[_T], method: str, path: str, **more: Any) -> _T:
        return model.model_validate_json(self._answer(method, path, **more).content)

    def _answer(self, method: str, path: str, **more: Any) -> httpx.Response:
        """An answer that is no error, asked for again and again, with longer and longer pauses."""
        for left in reversed(range(self._tries)):
            pause = random.uniform(0.1, 0.2) * 2 ** (self._tries - left)  # noqa: S311  no secret
            try:
                response = self._http.request(method, f"{self._base}{path}", **more)
            except httpx.TransportError:
                if not left:
                    raise
            else:
                if not response.is_error:
                    return response
                pause = max(pause, _wanted_pause(response.headers))
                if not left or response.status_code not in PASSES or pause > LONGEST_PAUSE:
                    raise Refused(response)
            self._pause(pause)
        raise ValueError("tries must be at least 1")


def _wanted_pause(headers: Mapping[str, str]) -> float:
    wanted = headers.get("Retry-After", "0")
    return float(wanted) if wanted.isdigit() else 0.0


class Mirror:
    """A copy of the directory that follows its changes: `havens` and `upcoming`, by id."""

    def __init__(self, service: Havens) -> None:
        self._service = service
        self.cursor = ""
        self.directory: WholeDirectoryInfo | None = None
        self.havens: dict[UUID, DirectoryHaven] = {}
        self.upcoming: dict[UUID, DirectoryHaven] = {}

    def follow(self, wait: float = 0) -> DirectoryChanges:
        """Take up what has changed since the last time; returns it."""
        told = self._service.changes(self.cursor, wait)
        if told.whole:
            self.havens.clear()
        for gone in told.unlisted:
            self.havens.pop(gone, None)
        self.havens |= {haven.id: haven for haven in (*told.listed, *told.changed)}
        if told.upcoming is not None:
            self.upcoming = {haven.id: haven for haven in told.upcoming}
        self.cursor, self.directory = told.cursor, told.directory
        return told
