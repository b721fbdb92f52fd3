"""What the published contract shows: real answers, about havens that don't exist."""

from typing import Any

from app.core.settings import HELP as CONTACTS
from app.core.settings import WALKING_FACTOR
from app.directory.render import DEMONSTRATION, DEMONSTRATION_HAVEN, directions_url
from app.directory.schemas import Haven
from app.walking.file import ATTRIBUTION, LICENCE

Json = dict[str, Any]


def _haven(lat: float, lon: float, **details: Any) -> Json:
    return details | {
        "location": {"lat": lat, "lon": lon},
        "schemes": [{"scheme": "safe_haven", "until": "2027-03-31"}],
        "directions_url": directions_url(lat, lon),
    }


def _spans(*spans: str) -> list[Json]:
    return [dict(zip(("from", "until"), span.split(), strict=True)) for span in spans]


# The pub is the one that the fields' own examples are of.
_FIELDS: Json = {n: field.examples[0] for n, field in Haven.model_fields.items() if field.examples}
_EVERYWHERE: Json = {name: _FIELDS[name] for name in ("notice", "ward")}
_PUB = _haven(51.5148, -0.0931, **_FIELDS)
_PUB_OPEN = _spans(
    "2026-11-27T22:00:00Z 2026-11-28T02:00:00Z",
    "2026-11-28T11:00:00Z 2026-11-29T02:00:00Z",
    "2026-11-30T11:00:00Z 2026-11-30T23:00:00Z",
    "2026-12-01T11:00:00Z 2026-12-01T23:00:00Z",
    "2026-12-02T11:00:00Z 2026-12-02T23:00:00Z",
    "2026-12-03T11:00:00Z 2026-12-04T02:00:00Z",
    "2026-12-04T11:00:00Z 2026-12-05T02:00:00Z",
    "2026-12-05T11:00:00Z 2026-12-06T02:00:00Z",
    "2026-12-07T11:00:00Z 2026-12-07T23:00:00Z",
    "2026-12-08T11:00:00Z 2026-12-08T23:00:00Z",
    "2026-12-09T11:00:00Z 2026-12-09T23:00:00Z",
    "2026-12-10T11:00:00Z 2026-12-11T02:00:00Z",
    "2026-12-11T11:00:00Z 2026-12-11T22:00:00Z",
)
_CAFE = _haven(
    51.5211,
    -0.0951,
    **_EVERYWHERE,
    id="b0a4b1de-7a1d-4a0e-8d55-3c9a1c6b5e21",
    name="Wick & Kettle",
    category="cafe",
    address="9 Kettle Row",
    postcode="EC2Y 0ZZ",
    opening_hours="Fr 12:00-23:45",
    facilities=["water", "seat", "wifi"],
    step_free="no",
)
_CAFE_OPEN = _spans(
    "2026-11-27T22:00:00Z 2026-11-27T23:45:00Z",
    "2026-12-04T12:00:00Z 2026-12-04T23:45:00Z",
    "2026-12-11T12:00:00Z 2026-12-11T22:00:00Z",
)
_LIBRARY = _haven(
    51.5121,
    -0.0844,
    **_EVERYWHERE,
    id="d2f7c9a3-51c8-4f3e-b1aa-9e0d7b64c832",
    name="Ropemakers' Reading Room",
    category="library",
    address="30 Ropemakers' Steps",
    postcode="EC3V 0ZZ",
    opening_hours="Tu,Sa 09:30-17:00",
    facilities=["water", "seat", "toilet", "quiet_space"],
    step_free="yes",
)
_LIBRARY_OPEN = _spans(
    "2026-11-28T09:30:00Z 2026-11-28T17:00:00Z",
    "2026-12-01T09:30:00Z 2026-12-01T17:00:00Z",
    "2026-12-05T09:30:00Z 2026-12-05T17:00:00Z",
    "2026-12-08T09:30:00Z 2026-12-08T17:00:00Z",
)

_PRESS = _haven(
    51.5133,
    -0.0968,
    **_EVERYWHERE,
    id="e4c1d0b2-93aa-4d57-8f0e-2b6a5d9c7710",
    name="The Old Press help point",
    category="help_point",
    address="2 Inkhorn Court",
    postcode="EC4M 0ZZ",
    opening_hours="Fr-Sa 22:00-04:00",
    facilities=["water", "seat", "first_aid"],
    step_free="yes",
)
_PRESS_OPEN = _spans(
    "2026-12-04T22:00:00Z 2026-12-05T04:00:00Z", "2026-12-05T22:00:00Z 2026-12-06T04:00:00Z"
)
_PRESS_LISTED = _spans("2026-12-04T00:00:00Z 2026-12-07T00:00:00Z")

HELP: Json = {"help": [contact.model_dump(exclude_none=True) for contact in CONTACTS]}

QUESTION: Json = {"lat": 51.5155, "lon": -0.0922, "at": "2026-11-27T23:30:00Z"}


def _seen(haven: Json, metres: int, bearing: int, minutes: int, **state: Any) -> Json:
    """A haven from where `QUESTION` is asked."""
    way = {"distance_m": metres, "bearing_deg": bearing, "walking_minutes": minutes}
    return way | {"walking": "estimate", "open": state} | haven


_PUB_STATE: Json = {"state": "open", "until": "2026-11-28T02:00:00Z", "closes_soon": False}

NEAREST: Json = {
    "at": QUESTION["at"],
    "directory": {
        "version": 42,
        "notice": DEMONSTRATION,
        "generated_at": "2026-11-27T23:04:11Z",
        "age_seconds": 0,
    },
    "havens": [_seen(_PUB, 100, 219, 3, **_PUB_STATE)],
    "closing": [
        _seen(_CAFE, 654, 342, 14, state="open", until="2026-11-27T23:45:00Z", closes_soon=True)
    ],
    "opens_next": [_seen(_LIBRARY, 659, 125, 15, state="closed", opens_at="2026-11-28T09:30:00Z")],
    **HELP,
}

WHOLE: Json = {
    "directory": {
        "version": 42,
        "notice": DEMONSTRATION,
        "generated_at": "2026-11-27T23:00:00Z",
        "valid_from": "2026-11-27T22:00:00Z",
        "valid_until": "2026-12-11T22:00:00Z",
        "confirm_by": "2026-11-28T23:00:00Z",
        "walking_factor": WALKING_FACTOR,
    },
    "havens": [
        {"availability": _PUB_OPEN, **_PUB},
        {"availability": _CAFE_OPEN, **_CAFE},
        {"availability": _LIBRARY_OPEN, **_LIBRARY},
    ],
    "upcoming": [
        {"availability": _PRESS_OPEN, "listed": _PRESS_LISTED, **_PRESS, "schemes": []},
    ],
}

GEOJSON: Json = {
    "type": "FeatureCollection",
    "directory": WHOLE["directory"],
    "features": [
        {
            "type": "Feature",
            "id": haven["id"],
            "geometry": {
                "type": "Point",
                "coordinates": [haven["location"]["lon"], haven["location"]["lat"]],
            },
            "properties": haven,
        }
        for haven in WHOLE["havens"]
    ],
}

POSTCODES: Json = {
    "source": "ONS Postcode Directory",
    "attribution": "Contains OS data © Crown copyright and database right 2026.",
    "imported": "2026-11-29",
    "per_degree": 100_000,
    "districts": {"EC2R": {"codes": "8AH8AJ", "lat": [5_151_352, -11], "lon": [-8_931, 24]}},
}

WARDS: Json = {
    "type": "FeatureCollection",
    "notice": DEMONSTRATION,
    "features": [
        {
            "type": "Feature",
            "id": "DEMO-W1",
            "geometry": {
                "type": "Polygon",
                "coordinates": [
                    [
                        [-0.1, 51.51],
                        [-0.083, 51.51],
                        [-0.0812, 51.5168],
                        [-0.0925, 51.5225],
                        [-0.1, 51.5225],
                        [-0.1, 51.51],
                    ]
                ],
            },
            "properties": {"code": "DEMO-W1", "name": _EVERYWHERE["ward"]},
        }
    ],
}

ROUTE_QUESTION: Json = {"from_lat": 51.5155, "from_lon": -0.0922, "step_free": True}
ROUTE: Json = {
    "type": "Feature",
    "geometry": {
        "type": "LineString",
        "coordinates": [
            [-0.0922, 51.5155],
            [-0.092221, 51.515455],
            [-0.092977, 51.514818],
            [-0.0931, 51.5148],
        ],
    },
    "properties": {
        "haven": _PUB["id"],
        "notice": DEMONSTRATION_HAVEN,
        "metres": 102.49,
        "walking_minutes": 2,
        "no_known_steps": "No known steps",
        "steps": [
            {
                "text": "Head south-west along Lantern Passage, 95 m",
                "metres": 93.73,
                "turn": "head",
                "over": "street",
                "street": "Lantern Passage",
                "begins": [-0.0922, 51.5155],
            },
            {
                "text": "The haven is on the right",
                "metres": 8.76,
                "turn": "door_right",
                "begins": [-0.092977, 51.514818],
            },
        ],
        "attribution": ATTRIBUTION,
        "licence": LICENCE,
        "streets_of": "2026-11-26T21:20:31Z",
    },
}

ONE: Json = {"open": _PUB_STATE, "availability": _PUB_OPEN, **_PUB}
