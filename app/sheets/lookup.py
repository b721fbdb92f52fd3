"""The register by the names that files use."""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm.interfaces import ORMOption
from sqlmodel import Session, SQLModel, col, select

from app.core.db import many_rows
from app.core.errors import wrong
from app.core.events import in_effect
from app.core.places import Point
from app.outreach.engagements import NewestEngagements
from app.outreach.models import StepDone
from app.schemes.actions import Certificates
from app.schemes.imported import Window, imported_window
from app.schemes.models import Decision, Season
from app.sheets.rows import Values
from app.training.evidence import TrainedInDate
from app.training.models import Headcount, TrainingSession
from app.venues.models import Business, Venue, Ward
from app.venues.wards import WardMap


class Lookup:
    """What the database held before an import; each part is read when it is first wanted."""

    def __init__(
        self, session: Session, *options: ORMOption, references: Collection[str] = ()
    ) -> None:
        self.session = session
        self._options = options
        self._references = references
        self.fresh: list[SQLModel] = []
        """What the row in hand brings, in order."""
        self.unsettled: dict[tuple[UUID, str], datetime] = {}
        """In which scheme something is decided about which venue, and when it was last."""
        self.made: list[str] = []
        """What rows brought into the register beside themselves."""
        self.ward_at: dict[Point, UUID | None] = {}
        """In which ward the places lie that rows bring."""
        self.training_sessions: dict[tuple[Any, ...], TrainingSession] = {}
        """Training sessions by what a file tells them apart by."""
        self.counted: set[tuple[UUID, UUID, str]] = set()
        """Which roles of which venues those sessions count."""

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
    def all_businesses(self) -> dict[UUID, Business]:
        """All businesses; a row may bring more."""
        return {business.id: business for business in self.session.exec(select(Business))}

    @cached_property
    def _business_names(self) -> dict[str, list[Business]]:
        names: dict[str, list[Business]] = defaultdict(list)
        for business in self.all_businesses.values():
            names[business.name.casefold()].append(business)
        return names

    def business_named(self, name: str) -> Business | None:
        """As the register's own question, of those that rows have brought too."""
        alike = self._business_names.get(name.casefold(), ())
        return max(alike, key=lambda business: business.name == name, default=None)

    def add_business(self, business: Business) -> None:
        """Know a business that a row brings."""
        self.all_businesses[business.id] = business
        self._business_names[business.name.casefold()].append(business)

    @cached_property
    def businesses(self) -> dict[UUID, str]:
        """The names of all businesses."""
        return dict(self.session.exec(select(Business.id, Business.name)).all())

    @cached_property
    def business_ids(self) -> dict[str, UUID]:
        """Those businesses by their names."""
        return {name: id_ for id_, name in self.businesses.items()}

    @cached_property
    def seasons(self) -> dict[UUID, Season]:
        """All seasons; kept, as the venues are."""
        return {season.id: season for season in self.session.exec(select(Season))}

    @cached_property
    def decisions(self) -> dict[tuple[UUID, str], list[Decision]]:
        """The decisions by venue and scheme, voided ones too; those that rows bring join them.

        Those about the venues that the file names.
        """
        decisions: dict[tuple[UUID, str], list[Decision]] = defaultdict(list)
        named = {
            self.venues_by_reference[reference].id
            for reference in self._references
            if reference in self.venues_by_reference
        }
        statement = select(Decision)
        # A statement can't name any number of them.
        if len(named) < 10_000:
            statement = statement.where(col(Decision.venue_id).in_(named))
        for decision in self.session.exec(statement):
            decisions[decision.venue_id, decision.scheme].append(decision)
        return decisions

    @cached_property
    def trained(self) -> TrainedInDate:
        """How many of a venue's staff are in date."""
        return TrainedInDate(self.session)

    @cached_property
    def newest_certificate(self) -> Certificates:
        """The last numbers of certificates."""
        return Certificates(self.session)

    @cached_property
    def declared(self) -> set[tuple[UUID, datetime]]:
        """Which venue has a headcount of which instant."""
        counts = sa.select(Headcount.venue_id, Headcount.effective_at)  # type: ignore[call-overload]
        return set(map(tuple, many_rows(self.session, counts.where(in_effect(Headcount)))))

    @cached_property
    def steps_done(self) -> dict[UUID, StepDone]:
        """The next steps that were done, by their engagements; those that rows bring join them."""
        steps = self.session.exec(select(StepDone).where(in_effect(StepDone)))
        return {step.engagement_id: step for step in steps}

    @cached_property
    def newest_engagements(self) -> NewestEngagements:
        """The newest engagement of each venue and business."""
        return NewestEngagements(self.session)

    @cached_property
    def wards(self) -> WardMap:
        return WardMap(self.session.exec(select(Ward)))

    @cached_property
    def awards(self) -> dict[UUID, Window]:
        """What a file must say of the venues that have Safe Haven decisions."""
        return imported_window(self.session)
