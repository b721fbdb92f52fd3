"""The change feed over HTTP."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import AfterValidator, BaseModel, Field

from app.core.errors import responses, wrong
from app.directory import examples
from app.directory.read_side import NotReady
from app.directory.routes import TAG, unless_known
from app.directory.schemas import DirectoryHaven, WholeDirectoryInfo
from app.feeds.changes import Changes, order_of
from app.feeds.followers import LONGEST_SECONDS, Followers, TooManyFollowers
from app.feeds.following import CHANGES
from app.http.fields import Absent, Given, Maybe

router = APIRouter(tags=["havens"])


def _cursor(value: str) -> str:
    order_of(value)
    return value


class ChangesQuestion(Given):
    """Since when."""

    since: Maybe[Annotated[str, AfterValidator(_cursor), Field(max_length=100)]] = Field(
        default=None, description="`cursor` of the answer before; without it you are told the whole"
    )
    wait: float = Field(
        default=0,
        ge=0,
        le=LONGEST_SECONDS,
        description="For how many seconds to wait until there is something new",
    )


class DirectoryChanges(BaseModel):
    """How to make the directory of now from that of the cursor that was given."""

    cursor: str = Field(description="Names this state of the directory: give it as `since`")
    directory: WholeDirectoryInfo
    whole: bool = Field(
        description="Forget what you had: `listed` and `upcoming` are all that there is"
    )
    listed: list[DirectoryHaven] = Field(description="Havens that were none before")
    changed: list[DirectoryHaven] = Field(
        description="Havens of which something is different, and be it when they are open: each"
        " replaces the one with its id"
    )
    unlisted: list[UUID] = Field(description="What is no haven any more, for whatever reason")
    upcoming: list[DirectoryHaven] | Absent = Field(
        default=None,
        description="All that will be listed before `valid_until`, instead of those you had;"
        " absent where nothing of them has changed",
    )


async def _changes(request: Request) -> Changes:
    changes: Changes = request.app.state.changes
    return changes


async def _followers(request: Request) -> Followers:
    followers: Followers = request.app.state.followers
    return followers


_EXAMPLE: dict[str, Any] = {
    "cursor": "ahjXUAAAAAAAAAAqw7aMRnXMFr3Jc0vd",
    "directory": examples.WHOLE["directory"],
    "whole": False,
    "listed": [],
    "changed": [examples.WHOLE["havens"][0]],
    "unlisted": ["0d4c1c3a-52f1-4c58-9d29-6f1de6a9c5f0"],
}


@router.get(
    CHANGES,
    summary="What has changed",
    response_model=DirectoryChanges,
    response_description="What has changed since",
    responses={
        200: {"headers": TAG, "content": {"application/json": {"example": _EXAMPLE}}},
        304: {"description": "You have this answer already", "headers": TAG},
        **responses(wrong("wait", "must be less than or equal to 30")),
        **responses(NotReady(), TooManyFollowers()),
    },
)
async def directory_changes(
    request: Request,
    asked: Annotated[ChangesQuestion, Query()],
    changes: Annotated[Changes, Depends(_changes)],
    followers: Annotated[Followers, Depends(_followers)],
) -> Response:
    """What was listed, changed or unlisted since the state that a cursor names.

    Who does what an answer says always has the same havens as `GET /v1/havens` gives. The cursor
    names what the directory says, not when: it is the same on every host, and moves when something
    was decided, and each hour, when others are open in the two weeks ahead. Of a cursor that is too
    old you are told the whole. With `wait`, the answer comes as soon as there is something new.
    """
    since = asked.since or ""
    if since and asked.wait:
        await followers.wait(since, asked.wait, request.receive)
    document = changes.ready(since)
    if document is None:
        document = await run_in_threadpool(changes.since, since)
    return await unless_known(
        request, document, document.tag, "application/json", "Accept-Encoding"
    )
