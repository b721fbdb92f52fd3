"""What the published contract shows: real answers, about havens that don't exist."""

from typing import Any

from app.core.settings import HELP as CONTACTS
from app.core.settings import WALKING_FACTOR
from app.directory.render import DEMONSTRATION
from app.directory.snapshot import DEMONSTRATION_HAVEN

_MAPS = "https://www.google.com/maps/dir/?api=1&travelmode=walking&destination="


def _haven(**details: Any) -> dict[str, Any]:
    lat, lon = details["location"].values()
    return details | {
        "notice": DEMONSTRATION_HAVEN,
        "ward": "Lanterngate (demonstration)",
        "schemes": [{"scheme": "safe_haven", "until": "2027-03-31"}],
        "directions_url": f"{_MAPS}{lat:.6f},{lon:.6f}",
    }


def _spans(*spans: str) -> list[dict[str, str]]:
    return [dict(zip(("from", "until"), span.split(), strict=True)) for span in spans]


_PUB = _haven(
    id="6f1c0c5e-2f6e-4d4b-9a57-0f7c3f1f2a10",
    name="The Lantern & Anchor",
    category="pub",
    address="1 Lantern Passage",
    postcode="EC2V 0ZZ",
    location={"lat": 51.5148, "lon": -0.0931},
    opening_hours="Mo-We 11:00-23:00; Th-Sa 11:00-02:00; PH off",
    phone="020 7946 0123",
    entrance="Blue door on the passage side",
    facilities=["water", "seat", "toilet", "phone_charging"],
    step_free="yes",
)
_PUB_OPEN = _spans(
    "2026-11-27T23:00:00Z 2026-11-28T02:00:00Z",
    "2026-11-28T11:00:00Z 2026-11-29T02:00:00Z",
    "2026-11-30T11:00:00Z 2026-11-30T23:00:00Z",
    "2026-12-01T11:00:00Z 2026-12-01T23:00:00Z",
    "2026-12-02T11:00:00Z 2026-12-02T23:00:00Z",
    "2026-12-03T11:00:00Z 2026-12-04T02:00:00Z",
    "2026-12-04T11:00:00Z 2026-12-05T00:00:00Z",
)
_CAFE = _haven(
    id="b0a4b1de-7a1d-4a0e-8d55-3c9a1c6b5e21",
    name="Wick & Kettle",
    category="cafe",
    address="9 Kettle Row",
    postcode="EC2Y 0ZZ",
    location={"lat": 51.5211, "lon": -0.0951},
    opening_hours="Fr 12:00-23:45",
    facilities=["water", "seat", "wifi"],
    step_free="no",
)
_CAFE_OPEN = _spans(
    "2026-11-27T23:00:00Z 2026-11-27T23:45:00Z", "2026-12-04T12:00:00Z 2026-12-04T23:45:00Z"
)
_LIBRARY = _haven(
    id="d2f7c9a3-51c8-4f3e-b1aa-9e0d7b64c832",
    name="Ropemakers' Reading Room",
    category="library",
    address="30 Ropemakers' Steps",
    postcode="EC3V 0ZZ",
    location={"lat": 51.5121, "lon": -0.0844},
    opening_hours="Tu,Sa 09:30-17:00",
    facilities=["water", "seat", "toilet", "quiet_space"],
    step_free="yes",
)
_LIBRARY_OPEN = _spans(
    "2026-11-28T09:30:00Z 2026-11-28T17:00:00Z", "2026-12-01T09:30:00Z 2026-12-01T17:00:00Z"
)

HELP: dict[str, Any] = {"help": [contact.model_dump(exclude_none=True) for contact in CONTACTS]}

QUESTION: dict[str, Any] = {"lat": 51.5155, "lon": -0.0922, "at": "2026-11-27T23:30:00Z"}

NEAREST: dict[str, Any] = {
    "at": QUESTION["at"],
    "directory": {
        "version": 42,
        "notice": DEMONSTRATION,
        "generated_at": "2026-11-27T23:04:11Z",
        "age_seconds": 0,
    },
    "havens": [
        {
            "distance_m": 100,
            "bearing_deg": 219,
            "walking_minutes": 3,
            "open": {"state": "open", "until": "2026-11-28T02:00:00Z", "closes_soon": False},
            **_PUB,
        }
    ],
    "closing": [
        {
            "distance_m": 654,
            "bearing_deg": 342,
            "walking_minutes": 14,
            "open": {"state": "open", "until": "2026-11-27T23:45:00Z", "closes_soon": True},
            **_CAFE,
        }
    ],
    "opens_next": [
        {
            "distance_m": 659,
            "bearing_deg": 125,
            "walking_minutes": 15,
            "open": {"state": "closed", "opens_at": "2026-11-28T09:30:00Z"},
            **_LIBRARY,
        }
    ],
    **HELP,
}

WHOLE: dict[str, Any] = {
    "directory": {
        "version": 42,
        "notice": DEMONSTRATION,
        "generated_at": "2026-11-27T23:00:00Z",
        "valid_from": "2026-11-27T23:00:00Z",
        "valid_until": "2026-12-05T00:00:00Z",
        "confirm_by": "2026-11-28T23:00:00Z",
        "walking_factor": WALKING_FACTOR,
    },
    "havens": [
        {"availability": _PUB_OPEN, **_PUB},
        {"availability": _CAFE_OPEN, **_CAFE},
        {"availability": _LIBRARY_OPEN, **_LIBRARY},
    ],
}

GEOJSON: dict[str, Any] = {
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

ONE: dict[str, Any] = {"open": NEAREST["havens"][0]["open"], "availability": _PUB_OPEN, **_PUB}
