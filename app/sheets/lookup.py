"""The register by the names that files use."""

from functools import cached_property
from typing import Any
from uuid import UUID

from sqlalchemy.orm.interfaces import ORMOption
from sqlmodel import Session, select

from app.core.errors import wrong
from app.core.events import in_effect
from app.outreach.models import StepDone
from app.schemes.imported import Window, imported_window
from app.schemes.models import Season
from app.sheets.rows import Values
from app.venues.models import Business, Venue, Ward
from app.venues.wards import WardMap


class Lookup:
    """What the database held before an import; each part is read when it is first wanted."""

    def __init__(self, session: Session, *options: ORMOption) -> None:
        self.session = session
        self._options = options
        self.made: list[str] = []
        """What rows brought into the register beside themselves."""
        self.training_sessions: dict[tuple[Any, ...], UUID] = {}
        """Training sessions by what a file tells them apart by."""

    @cached_property
    def venues(self) -> dict[UUID, Venue]:
        """All venues; kept, so that no action has to look for one again."""
        venues = self.session.exec(select(Venue).options(*self._options))
        return {venue.id: venue for venue in venues}

    @cached_property
    def venues_by_reference(self) -> dict[str, Venue]:
        return {venue.reference: venue for venue in self.venues.values()}

    @cached_property
    def _spellings(self) -> dict[str, str]:
        return {reference.casefold(): reference for reference in self.venues_by_reference}

    def spelling(self, reference: str) -> str | None:
        """The reference in the register that differs from this one in capitals at most."""
        return self._spellings.get(reference.casefold())

    def venue_id(self, values: Values) -> UUID:
        """The venue that a row names. Raises `Invalid`."""
        reference = values["venue"]
        if venue := self.venues_by_reference.get(reference):
            return venue.id
        spelling = self.spelling(reference)
        spelled = f", which spells it {spelling}" if spelling else ""
        raise wrong("venue", f"is not the reference of a venue in the register{spelled}")

    @cached_property
    def businesses(self) -> dict[UUID, str]:
        """The names of all businesses."""
        return dict(self.session.exec(select(Business.id, Business.name)).all())

    @cached_property
    def business_ids(self) -> dict[str, UUID]:
        """Those businesses by their names."""
        return {name: id_ for id_, name in self.businesses.items()}

    @cached_property
    def seasons(self) -> dict[UUID, tuple[str, int]]:
        """The seasons' schemes and years."""
        seasons = self.session.exec(select(Season))
        return {season.id: (season.scheme, season.year) for season in seasons}

    @cached_property
    def steps_done(self) -> dict[UUID, StepDone]:
        """The next steps that were done, by their engagements."""
        steps = self.session.exec(select(StepDone).where(in_effect(StepDone)))
        return {step.engagement_id: step for step in steps}

    @cached_property
    def wards(self) -> WardMap:
        return WardMap(self.session.exec(select(Ward)))

    @cached_property
    def awards(self) -> dict[UUID, Window]:
        """What a file must say of the venues that have Safe Haven decisions."""
        return imported_window(self.session)
