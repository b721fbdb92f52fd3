"""Engagements as a sheet, each with its next step and when that was done."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col

from app.core.errors import FieldError, Invalid, wrong
from app.outreach.engagements import record_done, record_engagement
from app.outreach.models import Engagement
from app.outreach.schemas import DoneIn, EngagementIn
from app.sheets.csv_file import day
from app.sheets.sheet import Book, Column, Sheet, Values, key, prose
from app.venues.businesses import BusinessIn, business_named, register_business

_PLAIN = ("on", "kind", "outcome", "note", "next_step", "next_step_on")


def _values(book: Book, event: Engagement) -> Values:
    done = book.done.get(event.id)
    return {
        **{name: getattr(event, name) for name in _PLAIN},
        "venue": book.venues[event.venue_id].reference if event.venue_id else None,
        "business": book.businesses[event.business_id].name if event.business_id else None,
        "done_on": done and done.on,
        "done_note": done and done.note,
    }


def _record(book: Book, values: Values) -> Engagement:
    given = {name: values[name] for name in _PLAIN if name in values}
    if "venue" in values:
        given["venue_id"] = book.venue(values)
    if "business" in values:
        given["business_id"] = _business(book, values["business"])
    return record_engagement(book.session, EngagementIn(**given))


def _business(book: Book, name: str) -> UUID:
    """The business with a name; a new one joins the register, as in an import of venues."""
    if name in book.by_name:
        return book.by_name[name]
    # A row before this one may have brought it.
    found = business_named(book.session, name)
    if found is None:
        found = register_business(book.session, BusinessIn(name=name))
        book.made.append(f"business {name}")
    return found.id


def _complete(book: Book, event: Engagement, values: Values) -> Sequence[str]:
    if "done_on" not in values:
        if "done_note" in values:
            raise wrong("done_note", "must not be given without done_on")
        return ()
    with _of_done():
        asked = DoneIn(on=values["done_on"], note=values.get("done_note", ""))
        known = book.done.get(event.id)
        if known and (known.on, known.note) == (asked.on, asked.note):
            return ()
        record_done(book.session, event, asked)
    return [name for name in ("done_on", "done_note") if name in values]


@contextmanager
def _of_done() -> Iterator[None]:
    """What is refused here lies in the columns of the step done, not of the engagement."""
    try:
        yield
    except Invalid as error:
        raise Invalid(
            [FieldError(field=f"done_{one.field}", message=one.message) for one in error.errors]
        ) from None


ENGAGEMENTS = Sheet(
    model=Engagement,
    columns=(
        Column("on", day, required=True),
        Column("venue", key),
        Column("business", filled_in=True),
        Column("kind", required=True),
        Column("outcome", required=True),
        Column("note", prose),
        Column("next_step"),
        Column("next_step_on", day),
        Column("done_on", day, compared=False),
        Column("done_note", prose, compared=False),
    ),
    stored=sa.select(Engagement).order_by(
        col(Engagement.effective_at), col(Engagement.recorded_at), col(Engagement.id)
    ),
    values=_values,
    record=_record,
    complete=_complete,
)
