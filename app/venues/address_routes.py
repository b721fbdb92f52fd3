"""Where a postcode lies, over HTTP, for who registers a venue."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field, model_validator
from sqlmodel import Session, select

from app.accounts.guards import Reader
from app.core.errors import DomainError, NotFound, responses, wrong
from app.core.events import shown
from app.core.places import Point
from app.http.conditional import Register
from app.http.fields import Absent, Given, Maybe
from app.venues.addresses import Addresses, remark
from app.venues.fields import postcode
from app.venues.models import Ward
from app.venues.schemas import Place, WardOut
from app.venues.wards import WardMap

router = APIRouter(prefix="/v1/admin/postcodes", tags=["register"])


class CannotAsk(DomainError):
    """Nobody here knows the postcode, and those who might can't be asked."""

    status = 503
    code = "postcode-not-asked"
    title = "Nobody could be asked where this postcode lies: give the place yourself"
    headers = {"Retry-After": "30"}  # noqa: RUF012 - never changed


class PlaceQuestion(Given):
    """Where a venue lies, to be held against its postcode."""

    lat: Maybe[float] = Field(default=None, ge=-90, le=90, examples=[51.5134])
    lon: Maybe[float] = Field(default=None, ge=-180, le=180, examples=[-0.089])

    @model_validator(mode="after")
    def _both(self) -> "PlaceQuestion":
        if (self.lat is None) != (self.lon is None):
            raise ValueError("lat and lon go together")
        return self


class PostcodeOut(BaseModel):
    """Where a postcode lies."""

    postcode: str = Field(examples=["EC2R 8AJ"])
    location: Place = Field(description="The middle of it: move it to the door itself")
    ward: WardOut | Absent = Field(default=None, description="In which ward of ours, if in any")
    source: str = Field(description="Who says so", examples=["postcodes.io"])
    remark: str | Absent = Field(
        default=None,
        description="What is odd about the place that was given, if anything is: a warning, for a"
        " venue may be registered there all the same",
    )


def _addresses(request: Request) -> Addresses:
    known: Addresses = request.app.state.addresses
    return known


@router.get(
    "/{code}",
    summary="Where a postcode lies",
    response_model=PostcodeOut,
    response_description="Its place and ward",
    responses=responses(
        NotFound("postcode"), CannotAsk(), wrong("code", "must be a postcode, like EC2V 7HH")
    ),
)
async def place_of_postcode(
    code: str,
    asked: Annotated[PlaceQuestion, Query()],
    register: Register,
    addresses: Annotated[Addresses, Depends(_addresses)],
    _: Reader,
) -> Response:
    """The place and ward to register a venue with, and whether a place lies near its postcode.

    By the list that the operator has imported, by what was asked before, or by the services that
    the operator has named; it takes some seconds at the most.
    """
    try:
        written = postcode(code)
    except ValueError as error:
        raise wrong("code", str(error)) from None
    known = await addresses.find(written)
    if known.place is None:
        raise CannotAsk if known.trouble else NotFound("postcode")
    place = known.place
    given = Point(asked.lat, asked.lon) if asked.lat is not None and asked.lon is not None else None

    def show(session: Session) -> PostcodeOut:
        ward = WardMap(session.exec(select(Ward))).ward_of(place)
        return PostcodeOut(
            postcode=written,
            location=Place(lat=place.lat, lon=place.lon),
            ward=shown(WardOut, session.get_one(Ward, ward)) if ward else None,
            source=known.source,
            remark=(remark(written, known, given) if given else "") or None,
        )

    return await run_in_threadpool(register.read, show)
