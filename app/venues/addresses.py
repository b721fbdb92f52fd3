"""Where a postcode lies: by the list on disk, by what was asked before, or by who is asked.

Nobody is asked until `HAVENS_ADDRESSES` names who. It is for those who keep the register: nothing
that the public reads ever asks, or waits for an answer. What can't be answered, or not in time,
leaves everything as it is: a place can always be typed.
"""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple
from urllib.parse import quote

import anyio
import anyio.to_thread
import sqlalchemy as sa
from pydantic import BaseModel
from sqlalchemy import Engine
from sqlmodel import Field, SQLModel, col

from app.core.column_file import WRONG
from app.core.database_errors import DATABASE_ERRORS
from app.core.db import Instant, read_session, write_session
from app.core.download import NotRead, client_of, read_patiently
from app.core.places import Point, haversine_m
from app.core.postcodes import postcodes_of
from app.core.settings import AddressServices, Settings

log = logging.getLogger(__name__)

FAR_M = 300
"""A venue that lies farther from the middle of its postcode is at another one, or misplaced."""

KNOWN_FOR, UNKNOWN_FOR = timedelta(days=90), timedelta(days=1)
"""How long an answer counts. New postcodes come, and nobody moves an old one."""

AWAY_SECONDS = 30
"""Who did not answer is left alone for so long, and nobody waits for them meanwhile."""

AT_ONCE = 2

SOURCES = {"postcodes": "postcodes.io", "os_places": "OS Places"}


class PostcodeLookup(SQLModel, table=True):
    """What was answered of a postcode, `at` which instant; without a place there is no such one.

    Not in the journal: it is no change of the register, and can be asked anew.
    """

    __tablename__ = "postcode_lookup"
    __unjournalled__ = True

    code: str = Field(primary_key=True, max_length=10)
    at: datetime = Field(sa_type=Instant)
    source: str = Field(max_length=20)
    lat: float | None = None
    lon: float | None = None


class Lookup(NamedTuple):
    """Where a postcode lies and who says so; no place where nobody knows it.

    `trouble` is why those who might know could not say; empty when they did, or nobody is asked.
    """

    place: Point | None = None
    source: str = ""
    trouble: str = ""


class _Result(BaseModel):
    latitude: float | None = None
    longitude: float | None = None


class _PostcodesAnswer(BaseModel):
    result: _Result | None = None


class _DeliveryPoint(BaseModel):
    LAT: float
    LNG: float


class _Place(BaseModel):
    DPA: _DeliveryPoint


class _PlacesAnswer(BaseModel):
    results: list[_Place] = []


class Addresses:
    """Those who know where postcodes lie, in the order in which they are asked."""

    def __init__(
        self,
        folder: Path,
        engine: Engine,
        services: AddressServices | None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._folder = folder
        self._engine = engine
        self._services = services
        self._clock = clock
        self._away_until = 0.0
        self._trouble = ""
        self._askers: anyio.CapacityLimiter | None = None

    @classmethod
    def of(cls, settings: Settings, engine: Engine) -> "Addresses":
        """Those of an installation."""
        return cls(settings.data_dir, engine, settings.addresses)

    def kept(self, code: str) -> Lookup:
        """What is known of a postcode without asking anybody. Raises what the database raises."""
        offline = postcodes_of(self._folder)
        if offline and (place := offline.places.get(code)):
            return Lookup(place, offline.about["source"])
        row = self._row(code)
        if row is None or row.lat is None or row.lon is None:
            return Lookup()
        return Lookup(Point(row.lat, row.lon), row.source)

    def _row(self, code: str) -> PostcodeLookup | None:
        with read_session(self._engine) as session:
            return session.get(PostcodeLookup, code)

    async def find(self, code: str) -> Lookup:
        """Where a postcode lies, asked for if nobody knows it here; never for longer than the
        settings allow, and raising nothing: `trouble` says what was in the way."""
        try:
            found = await anyio.to_thread.run_sync(self.kept, code)
            if found.place or self._services is None:
                return found
            if await anyio.to_thread.run_sync(self._is_unknown, code):
                return found
        except DATABASE_ERRORS:
            if self._services is None:
                return Lookup(trouble="the database can't be used")
        if self._clock() < self._away_until:
            return Lookup(trouble=self._trouble)
        if self._askers is None:
            self._askers = anyio.CapacityLimiter(AT_ONCE)
        if self._askers.available_tokens < 1:
            return Lookup(trouble="it is busy with what others asked")
        found = Lookup(trouble="it does not answer in time")
        # A thread that hangs is left to itself, and counts until it ends.
        with anyio.move_on_after(self._services.seconds) as waiting:
            found = await anyio.to_thread.run_sync(
                self._asked, code, abandon_on_cancel=True, limiter=self._askers
            )
        if waiting.cancelled_caught:
            self._is_away(found.trouble, 0)
        return found

    def _is_unknown(self, code: str) -> bool:
        """Whether it was asked for lately, and there was none."""
        row, now = self._row(code), datetime.fromtimestamp(self._clock(), UTC)
        return row is not None and row.lat is None and now - row.at < UNKNOWN_FOR

    def _asked(self, code: str) -> Lookup:
        """What the services say, the first that does; kept for the next time."""
        trouble = ""
        for name, ask in self._asks():
            try:
                place = ask(code)
            except NotRead as error:
                trouble = str(error)
                self._is_away(trouble, error.pause)
                continue
            except WRONG:
                trouble = "it tells what is not as it should be"
                self._is_away(trouble, 0)
                continue
            self._away_until, self._trouble = 0.0, ""
            self._keep(code, place, SOURCES[name])
            return Lookup(place, SOURCES[name] if place else "")
        return Lookup(trouble=trouble)

    def _asks(self) -> list[tuple[str, Callable[[str], Point | None]]]:
        asks: list[tuple[str, Callable[[str], Point | None]]] = []
        if self._services and self._services.os_places:
            asks.append(("os_places", self._of_os_places))
        if self._services and self._services.postcodes:
            asks.append(("postcodes", self._of_postcodes_io))
        return asks

    def _of_postcodes_io(self, code: str) -> Point | None:
        try:
            body = self._read(f"{self._base('postcodes')}/postcodes/{quote(code)}")
        except NotRead as error:
            # Never given out, or no more: to both there is no place.
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise
        result = _PostcodesAnswer.model_validate_json(body).result
        if result is None or result.latitude is None or result.longitude is None:
            return None
        return _in_britain(result.latitude, result.longitude)

    def _of_os_places(self, code: str) -> Point | None:
        assert self._services is not None  # noqa: S101  or it would not be asked
        body = self._read(
            f"{self._base('os_places')}/postcode",
            headers={"key": self._services.os_key.get_secret_value()},
            postcode=code,
            dataset="DPA",
            output_srs="EPSG:4326",
            maxresults=100,
        )
        points = [one.DPA for one in _PlacesAnswer.model_validate_json(body).results]
        if not points:
            return None
        return _in_britain(fmean(one.LAT for one in points), fmean(one.LNG for one in points))

    def _base(self, name: str) -> str:
        return str(getattr(self._services, name)).rstrip("/")

    def _read(self, address: str, **more: Any) -> bytes:
        # Asked so seldom that to keep a connection would be in the way.
        with client_of(timeout=2) as client:
            return read_patiently(client, address, tries=2, longest=1, **more)

    def _is_away(self, trouble: str, pause: float) -> None:
        if trouble != self._trouble:
            log.warning("who knows postcodes can't be asked: %s", trouble)
        self._away_until = self._clock() + max(AWAY_SECONDS, pause)
        self._trouble = trouble

    def _keep(self, code: str, place: Point | None, source: str) -> None:
        now = datetime.fromtimestamp(self._clock(), UTC)
        lat, lon = (place.lat, place.lon) if place else (None, None)
        try:
            with write_session(self._engine) as session:
                session.execute(
                    sa.delete(PostcodeLookup).where(
                        sa.or_(
                            col(PostcodeLookup.code) == code,
                            col(PostcodeLookup.at) < now - KNOWN_FOR,
                        )
                    )
                )
                session.add(PostcodeLookup(code=code, at=now, source=source, lat=lat, lon=lon))
        except DATABASE_ERRORS:
            log.debug("the answer on a postcode is not kept")


def _in_britain(lat: float, lon: float) -> Point:
    """Raises ValueError for a place that no postcode can have."""
    if not (49 <= lat <= 61 and -9 <= lon <= 2):
        raise ValueError("is not in Britain")
    return Point(lat, lon)


def remark(code: str, known: Lookup, place: Point) -> str:
    """What to say of a venue's place by its postcode; nothing when it lies near, or nobody knows.

    A warning, never a refusal: some doors are far from where their post goes.
    """
    if known.place is None:
        return ""
    metres = haversine_m(place.lat, place.lon, known.place.lat, known.place.lon)
    if metres <= FAR_M:
        return ""
    far = f"{metres:.0f} m" if metres < 1000 else f"{metres / 1000:.1f} km"
    return f"{code} lies {far} from this place, by {known.source}: is one of the two wrong?"
