"""Sheets of recorded events: nothing is recorded twice, and what is recorded stays as it is."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import sqlalchemy as sa
from pydantic import BaseModel, ValidationError
from sqlalchemy.orm import load_only
from sqlmodel import Session, SQLModel, col

from app.core.batch import Batch
from app.core.errors import DomainError, FieldError, field_errors
from app.core.events import Event, in_effect, within
from app.core.journal import tick
from app.sheets.import_report import ImportReport, Track
from app.sheets.lookup import Lookup
from app.sheets.rows import Column, Row, Sheet, Values
from app.venues.models import Venue

_OF_VENUES: Any = (Venue.reference, Venue.status, Venue.business_id)


def of_model(model: type[BaseModel], values: Values) -> dict[str, Any]:
    """What a row says of the fields of a model."""
    return {name: values[name] for name in model.model_fields if name in values}


@dataclass
class EventSheet(Sheet):
    """One kind of event as rows of a file.

    A row's values are the event's own fields and its venue, with what `describe` says more or
    instead. `record` makes it by the module's own rules; what those refuse is an error of the row,
    in the column that has the field's name, or that `columns_of` gives. `complete` adds to an event
    what a row says more, and tells in which columns. Both put what they make among what is `fresh`.
    Rows are recorded in their `order`, after `prepare` has seen which of them are recorded already,
    and before `finish`. What agrees in the columns that are there `once`, in all that is compared
    where none are named, is said twice.
    """

    model: type[Event]
    columns: Mapping[str, Column]
    record: Callable[[Lookup, Values], Event]
    describe: Callable[[Lookup, Any], Values] = lambda *_: {}
    complete: Callable[[Lookup, Any, Values], Sequence[str]] = lambda *_: ()
    prepare: Callable[[Lookup, Batch, Sequence[Row]], None] = lambda *_: None
    finish: Callable[[Lookup, Batch], None] = lambda *_: None
    order: Callable[[Values], Any] = lambda values: values["on"]
    once: Sequence[str] = ()
    columns_of: Mapping[str, str] = field(default_factory=dict)
    rests_on: Collection[type[SQLModel]] = ()
    statement: sa.Select[Any] | None = None
    """How events are read, where not from their own table alone."""

    def __post_init__(self) -> None:
        self.needed = [name for name, column in self.columns.items() if column.required]
        self._own = [name for name in self.columns if hasattr(self.model, name)]
        self._filled_in = [name for name, column in self.columns.items() if column.filled_in]
        self._said = [
            name
            for name, column in self.columns.items()
            if column.compared and not column.filled_in
        ]

    def stored(self, session: Session) -> Iterable[Values]:
        """The rows of what was not voided, oldest first."""
        lookup = Lookup(session, load_only(*_OF_VENUES, raiseload=True))
        return (self._values(lookup, event) for event in self._events(session))

    def _events(
        self, session: Session, first: date | None = None, last: date | None = None
    ) -> Iterable[Any]:
        """What counts now, of the time from one day to another."""
        model = self.model
        statement = sa.select(model) if self.statement is None else self.statement
        return session.scalars(
            statement.where(in_effect(model), *within(model, first, last)).order_by(
                col(model.effective_at), col(model.recorded_at), col(model.id)
            )
        )

    def _values(self, lookup: Lookup, event: Any) -> Values:
        venue = lookup.venues.get(event.venue_id)
        own = {name: getattr(event, name) for name in self._own}
        return {**own, "venue": venue and venue.reference, **self.describe(lookup, event)}

    def take_over(
        self, batch: Batch, rows: Sequence[Row], report: ImportReport, track: Track
    ) -> None:
        """Record what rows say and the register does not know yet."""
        references = {row.values.get("venue", "") for row in rows}
        # What the modules' own rules need of venues, of which there are many.
        read = load_only(*_OF_VENUES, raiseload=True)
        lookup = Lookup(batch.session, read, references=references)
        good = sorted((row for row in rows if not row.bad), key=lambda row: self.order(row.values))
        self._find(lookup, good)
        good = [row for row in good if not row.bad]
        self.prepare(lookup, batch, good)
        for row in track(good):
            # Of what happened on one day, the row that comes later is what holds.
            tick(batch.session)
            lookup.fresh.clear()
            with self._refusing(row):
                is_new = row.record is None
                if is_new:
                    row.record = self.record(lookup, row.values)
                columns = self.complete(lookup, row.record, row.values)
                who = row.values.get("venue") or row.values.get("business")
                report.count(f"{who} {row.values['on']}", is_new=is_new, columns=columns)
                for record in lookup.fresh:
                    batch.add(record)
        self.finish(lookup, batch)
        report.created += lookup.made

    def _find(self, lookup: Lookup, rows: Sequence[Row]) -> None:
        """Give each row an event that says the same, if there is one, and none to two rows.

        A row without, of what another row speaks of too, is refused: it would count twice.
        """
        if not rows:
            return
        days = [row.values["on"] for row in rows]
        events: dict[tuple[str, ...], list[tuple[Event, Values]]] = defaultdict(list)
        for event in self._events(lookup.session, min(days), max(days)):
            cells = self.cells(self._values(lookup, event))
            events[_key(cells, self._said)].append((event, cells))
        rows_by_key: dict[tuple[str, ...], list[tuple[Row, Values]]] = defaultdict(list)
        # The rows that say most come first, so that the others don't take what these need.
        for row in sorted(rows, key=lambda row: -len(row.values)):
            cells = self.cells(row.values)
            key = _key(cells, self._said)
            for place, (event, event_cells) in enumerate(events[key]):
                if all(
                    cells[name] == "" or _same(cells[name], event_cells[name])
                    for name in self._filled_in
                ):
                    row.record = event
                    del events[key][place]
                    break
            twins = rows_by_key[_key(cells, self.once or self._said)]
            for twin, twin_cells in twins:
                agree = all(
                    "" in (cells[name], twin_cells[name]) or _same(cells[name], twin_cells[name])
                    for name in self._filled_in
                )
                if agree and not row.record and not row.bad:
                    same = key == _key(twin_cells, self._said)
                    row.refuse_as_twin("", twin, "" if same else ", with other numbers")
            twins.append((row, cells))

    @contextmanager
    def _refusing(self, row: Row) -> Iterator[None]:
        """Put down what the register refuses as what is wrong with the row."""
        title, errors = "", []
        try:
            yield
        except ValidationError as error:
            errors = field_errors(error.errors())
        except DomainError as error:
            title = "" if error.status == 422 else error.title
            errors = error.errors or [FieldError(field="", message="")]
        for field_error in errors:
            name = field_error.field.partition(".")[0].removesuffix("_id")
            column = self.columns_of.get(name, name)
            reason = ": ".join(text for text in (title, field_error.message) if text)
            row.refuse(column if column in self.columns else "", reason)


def _key(cells: Values, columns: Iterable[str]) -> tuple[str, ...]:
    return tuple(str(cells[name]) for name in columns)


def _same(cell: Any, other: Any) -> bool:
    """Whether cells name the same: a business is the same in whatever capitals."""
    return str(cell).casefold() == str(other).casefold()
