"""Kinds of values that the routes of schemes take and give."""

from typing import Annotated

from pydantic import Field

from app.core.text import Line, Prose

Key = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Title = Annotated[Line, Field(min_length=1, max_length=200)]
Note = Annotated[Prose, Field(max_length=4000)]
Reason = Annotated[Prose, Field(min_length=3, max_length=4000)]

AN_ID = "6f1c0c5e-2f6e-4d4b-9a57-0f7c3f1f2a10"
