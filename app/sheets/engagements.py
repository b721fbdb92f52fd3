"""Engagements as a sheet, each with its next step and when that was done."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from app.core.errors import FieldError, Invalid, field_errors, wrong
from app.core.text import key, prose
from app.outreach.engagements import new_engagement, new_step_done
from app.outreach.models import Engagement, StepDone
from app.outreach.schemas import DoneIn, EngagementIn
from app.sheets.events import EventSheet, of_model
from app.sheets.lookup import Lookup
from app.sheets.rows import Column, DayColumn, Values
from app.venues.businesses import BusinessIn
from app.venues.models import Business, Venue


def _describe(lookup: Lookup, event: Engagement) -> Values:
    done = lookup.steps_done.get(event.id)
    return {
        "business": lookup.businesses[event.business_id] if event.business_id else None,
        "done_on": done and done.on,
        "done_note": done and done.note,
    }


def _record(lookup: Lookup, values: Values) -> Engagement:
    ids: dict[str, Any] = {}
    if "venue" in values:
        ids["venue_id"] = lookup.venue_id(values)
    if "business" in values:
        ids["business_id"] = _business(lookup, values["business"])
    given = EngagementIn(**ids, **of_model(EngagementIn, values))
    venue = lookup.venues[given.venue_id] if given.venue_id else None
    business = lookup.all_businesses[given.business_id] if given.business_id else None
    made = new_engagement(lookup.session, given, venue, business)
    lookup.fresh.append(made)
    return made


def _business(lookup: Lookup, name: str) -> UUID:
    """The business with a name; a new one joins the register, as in an import of venues."""
    business = lookup.business_named(name)
    if business is None:
        given = BusinessIn(name=name)
        business = Business(name=given.name, notes=given.notes)
        lookup.add_business(business)
        lookup.fresh.append(business)
        lookup.made.append(f"business {name}")
    return business.id


def _complete(lookup: Lookup, event: Engagement, values: Values) -> Sequence[str]:
    """Record that the next step is done, where that is new."""
    columns = _done(lookup, event, values)
    lookup.newest_engagements.add(event)
    return columns


def _done(lookup: Lookup, event: Engagement, values: Values) -> Sequence[str]:
    if "done_on" not in values:
        if "done_note" in values:
            raise wrong("done_note", "must not be given without done_on")
        return ()
    try:
        given = DoneIn(on=values["done_on"], note=values.get("done_note", ""))
        done = lookup.steps_done.get(event.id)
        if done and (done.on, done.note) == (given.on, given.note):
            return ()
        still_open = not done and lookup.newest_engagements.leave_open(event)
        lookup.fresh.append(new_step_done(lookup.session, event, given, lambda: still_open))
    except (Invalid, ValidationError) as error:
        errors = error.errors if isinstance(error, Invalid) else field_errors(error.errors())
        # These lie in the columns of the step done, not of the engagement.
        raise Invalid(
            [FieldError(field=f"done_{each.field}", message=each.message) for each in errors]
        ) from None
    return [name for name in ("done_on", "done_note") if name in values]


ENGAGEMENTS = EventSheet(
    model=Engagement,
    columns={
        "on": DayColumn(required=True),
        "venue": Column(key),
        "business": Column(filled_in=True),
        "kind": Column(required=True),
        "outcome": Column(required=True),
        "note": Column(prose),
        "next_step": Column(),
        "next_step_on": DayColumn(),
        "done_on": DayColumn(compared=False),
        "done_note": Column(prose, compared=False),
    },
    describe=_describe,
    record=_record,
    complete=_complete,
    rests_on=(Venue, Business, Engagement, StepDone),
)
