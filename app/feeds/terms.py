"""What a haven is and has, in words that other directories show: the terms of our taxonomies."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple
from uuid import UUID, uuid5

from app.venues.kinds import Category, Facility

NAMESPACE = UUID("52e99f2a-c636-5b9c-9291-f483fb3d28e8")
"""Of every id in a feed that is no haven's."""

REFUGE, STEP_FREE = "refuge", "step_free_access"


class Taxonomy(NamedTuple):
    """A list of terms."""

    name: str
    description: str

    @property
    def id(self) -> UUID:
        return uuid5(NAMESPACE, f"taxonomy {self.name}")


class Term(NamedTuple):
    """A word of a taxonomy; `key` is ours for it."""

    key: str
    name: str
    description: str
    taxonomy: Taxonomy

    @property
    def id(self) -> UUID:
        return uuid5(NAMESPACE, f"term {self.taxonomy.name} {self.key}")


SERVICE = Taxonomy("Service", "What is offered")
PLACE = Taxonomy("Kind of place", "What kind of place a haven is")
FACILITY = Taxonomy("Facility", "What a person finds there")

TAXONOMIES: Mapping[UUID, Taxonomy] = MappingProxyType(
    {taxonomy.id: taxonomy for taxonomy in (SERVICE, PLACE, FACILITY)}
)

_OFFERED = {
    REFUGE: (
        "Place of refuge",
        "Trained staff take in who feels unsafe, and call for help when that is wanted",
    ),
}
_PLACES = {
    Category.PUB: ("Pub", "A public house"),
    Category.BAR: ("Bar", "A bar"),
    Category.NIGHTCLUB: ("Nightclub", "A nightclub; ask its door staff"),
    Category.RESTAURANT: ("Restaurant", "A restaurant"),
    Category.CAFE: ("Café", "A café"),
    Category.HOTEL: ("Hotel", "A hotel; ask at its reception"),
    Category.OFFICE: ("Office", "The reception of an office building"),
    Category.LIBRARY: ("Library", "A library"),
    Category.CULTURE: ("Cultural venue", "A museum, gallery, theatre or the like"),
    Category.SHOP: ("Shop", "A shop"),
    Category.WORSHIP: ("Place of worship", "A place of worship, open to people of any belief"),
    Category.TRANSPORT: ("Transport", "A station, pier or the like"),
    Category.COMMUNITY: ("Community place", "A hall, centre or project of a neighbourhood"),
    Category.HELP_POINT: ("Help point", "A bus, post or rank that is staffed on some nights"),
}
_FACILITIES = {
    Facility.WATER: ("Water", "Drinking water"),
    Facility.SEAT: ("Seat", "Somewhere to sit down"),
    Facility.TOILET: ("Toilet", "A toilet"),
    Facility.PHONE_CHARGING: ("Phone charging", "A charger for a phone"),
    Facility.PHONE: ("Phone", "A phone to call from"),
    Facility.WIFI: ("Wi-Fi", "Wi-Fi without charge"),
    Facility.FIRST_AID: ("First aid", "Somebody who can give first aid"),
    Facility.QUIET_SPACE: ("Quiet space", "A quiet place to be for a while"),
    Facility.CCTV: ("CCTV", "Cameras at the place"),
    STEP_FREE: ("Step-free access", "No step on the way in"),
}

TERMS: Mapping[str, Term] = MappingProxyType(
    {
        str(key): Term(str(key), name, description, taxonomy)
        for taxonomy, several in (
            (SERVICE, _OFFERED),
            (PLACE, _PLACES),
            (FACILITY, _FACILITIES),
        )
        for key, (name, description) in several.items()
    }
)
"""All of them, by our key."""

BY_ID: Mapping[UUID, Term] = MappingProxyType({term.id: term for term in TERMS.values()})
