"""FastAPI, SQLAlchemy's ORM and PostGIS, as FastAPI's and GeoAlchemy's manuals write it.

`usual` puts the statement together for each request; `built_once` differs in that alone.
"""

import os
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, FastAPI, Query
from geoalchemy2 import Geography, WKBElement
from pydantic import BaseModel
from sqlalchemy import (
    ARRAY,
    JSON,
    DateTime,
    Float,
    String,
    bindparam,
    cast,
    create_engine,
    func,
    select,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

engine = create_engine(os.environ["BENCH_SQLALCHEMY_URL"], pool_size=10, max_overflow=30)


class Base(DeclarativeBase):
    pass


class Haven(Base):
    __tablename__ = "haven"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    category: Mapped[str]
    notice: Mapped[str]
    address: Mapped[str]
    postcode: Mapped[str]
    lat: Mapped[float]
    lon: Mapped[float]
    location: Mapped[WKBElement] = mapped_column(Geography("POINT", srid=4326))
    opening_hours: Mapped[str]
    phone: Mapped[str]
    entrance: Mapped[str]
    facilities: Mapped[list[str]] = mapped_column(ARRAY(String))
    step_free: Mapped[str]
    schemes: Mapped[list[dict[str, str]]] = mapped_column(JSON)
    directions_url: Mapped[str]
    open_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class Location(BaseModel):
    lat: float
    lon: float


class Open(BaseModel):
    state: str
    until: datetime
    closes_soon: bool


class Found(BaseModel):
    distance_m: int
    open: Open
    id: UUID
    name: str
    category: str
    notice: str
    address: str
    postcode: str
    location: Location
    opening_hours: str
    phone: str
    entrance: str
    facilities: list[str]
    step_free: str
    schemes: list[dict[str, str]]
    directions_url: str


class Answer(BaseModel):
    at: datetime
    havens: list[Found]


def session() -> Iterator[Session]:
    with Session(engine) as session:
        yield session


Lat = Annotated[float, Query(ge=-90, le=90)]
Lon = Annotated[float, Query(ge=-180, le=180)]
Limit = Annotated[int, Query(ge=1, le=50)]
Database = Annotated[Session, Depends(session)]


def statement(lat: Any, lon: Any, at: Any, limit: Any) -> Any:
    here = cast(func.ST_MakePoint(lon, lat), Geography)
    metres = Haven.location.op("<->", return_type=Float())(here)
    return select(Haven, metres).where(Haven.open_until > at).order_by(metres).limit(limit)


def answer(at: datetime, rows: Iterable[Any]) -> Answer:
    return Answer(at=at, havens=[found(haven, metres) for haven, metres in rows])


def found(haven: Haven, metres: float) -> Found:
    assert haven.open_until
    return Found(
        distance_m=round(metres),
        open=Open(state="open", until=haven.open_until, closes_soon=False),
        id=haven.id,
        name=haven.name,
        category=haven.category,
        notice=haven.notice,
        address=haven.address,
        postcode=haven.postcode,
        location=Location(lat=haven.lat, lon=haven.lon),
        opening_hours=haven.opening_hours,
        phone=haven.phone,
        entrance=haven.entrance,
        facilities=haven.facilities,
        step_free=haven.step_free,
        schemes=haven.schemes,
        directions_url=haven.directions_url,
    )


usual = FastAPI()


@usual.get("/v1/havens/nearest")
def nearest(lat: Lat, lon: Lon, database: Database, limit: Limit = 5) -> Answer:
    at = datetime.now(UTC)
    return answer(at, database.execute(statement(lat, lon, at, limit)))


built_once = FastAPI()
NEAREST = statement(*(bindparam(name) for name in ("lat", "lon", "at", "limit")))


@built_once.get("/v1/havens/nearest")
def nearest_prepared(lat: Lat, lon: Lon, database: Database, limit: Limit = 5) -> Answer:
    at = datetime.now(UTC)
    given = {"lat": lat, "lon": lon, "at": at, "limit": limit}
    return answer(at, database.execute(NEAREST, given))
