"""A haven as a page shows it: the parts of a card and of a line, in words.

The phone makes the same parts of the same answer, in `static/js/finder.js`.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from fastapi import Request

from app.core.london import instant
from app.http.languages import Language
from app.schemes.registry import SchemeKey
from app.venues.kinds import Facility
from app.web.pages import link
from app.web.words import direction, local, with_day, words

Card = dict[str, Any]


def card(haven: Mapping[str, Any], request: Request, language: Language, now: datetime) -> Card:
    """The parts of one haven, as the public API gives it, on the page that is asked for."""
    say = words(language)
    door, state = door_state(haven["open"], language, now)
    phone, neighbour = haven.get("phone", ""), haven.get("neighbour")
    parts = {
        "id": haven["id"],
        "name": haven["name"],
        "own": not neighbour,
        "source": source(neighbour, language) if neighbour else "",
        # A neighbour's has no page here.
        "href": haven["directions_url"] if neighbour else link(request, f"/havens/{haven['id']}"),
        "kind": say[haven["category"]],
        "door": door,
        "dark": door == "dark",
        "state": state,
        "address": haven.get("address", ""),
        "postcode": haven.get("postcode", ""),
        "entrance": haven.get("entrance", ""),
        "phone": phone,
        "tel": f"tel:{phone.replace(' ', '')}" if phone else "",
        "directions_url": haven["directions_url"],
        "step_free": say[f"step_free_{haven['step_free']}"],
        "angela": any(s["scheme"] == SchemeKey.ASK_FOR_ANGELA for s in haven["schemes"]),
    }
    parts |= {f"has_{facility}": facility in haven["facilities"] for facility in Facility}
    if "walking_minutes" in haven:
        parts |= {
            "min": str(say["min"]).format(n=haven["walking_minutes"]),
            "bearing": haven["bearing_deg"],
            "direction": direction(language, haven["bearing_deg"]),
            "walking": say[f"walking_{haven['walking']}"],
        }
    return parts


def source(neighbour: Mapping[str, Any], language: Language) -> str:
    """Whose haven it is that is not ours, and how old what they told is."""
    then = with_day(language, instant(neighbour["as_of"]))
    return str(words(language)["from_neighbour"]).format(name=neighbour["name"], then=then)


def door_state(state: Mapping[str, Any], language: Language, now: datetime) -> tuple[str, str]:
    """How a door is drawn, lit, ajar or dark, and the words beside it."""
    say = words(language)

    def at(name: str) -> str:
        return local(language, instant(state[name]), now)

    match state:
        case {"opens_at": _}:
            return "dark", str(say["opens_at"]).format(time=at("opens_at"))
        case {"state": "open", "until": _, "closes_soon": True}:
            return "ajar", str(say["closes_at"]).format(time=at("until"))
        case {"state": "open", "until": _}:
            return "lit", str(say["open_until"]).format(time=at("until"))
        case {"state": "open"}:
            return "lit", str(say["open_always"])
        case {"state": "closed"}:
            return "dark", str(say["closed"])
    return "dark", str(say["hours_unknown"])
