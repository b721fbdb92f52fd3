"""Every word that is printed for the public, in a language whose letters the fonts have.

English is what the source says; a catalogue has the others. Names and addresses stay as they are.
"""

import re
from collections.abc import Callable, Iterator
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from app.core.settings import HELP, Contact
from app.core.typesetting import has_letters
from app.http.languages import LANGUAGES, SOURCE, Language

Translate = Callable[[str], str]


def printable(language: Language) -> Language:
    """A language if the fonts have all the letters that its words need, else English."""
    return language if has_letters("".join(_texts(words(language.gettext)))) else LANGUAGES[SOURCE]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    else:
        for item in value.values():
            yield from _texts(item)


def words(_: Translate) -> dict[str, Any]:
    """What is printed, by where it stands."""
    return {
        "leaflet": {
            "title": _("Safe places at night"),
            "lead": _(
                "Walk in. You need not buy anything or explain. Staff can give you a seat, water"
                " and a charger, and call someone for you."
            ),
            "angela": _("Ask for “Angela” where it says Angela."),
            "elsewhere": _("Other places"),
            "none": _("No place is listed now. In danger, call 999."),
            "qr": _("QR code of the page that finds the nearest open door"),
            "danger": _("In danger, call 999."),
            "silent": _(
                "Can’t speak? From a mobile, call 999, listen, and press 55 when asked. It does"
                " not tell anyone where you are."
            ),
            "numbers": _(
                "Not an emergency: 101. Victim Support: 08 08 16 89 111. Domestic abuse:"
                " 0808 2000 247. Transport police, by text: 61016."
            ),
            "dated": _("Hours change. List of {day}."),
            "now": _("{address} knows what is open now."),
            "sample": _("Sample: every place is invented"),
        },
        "poster": {
            "title": _("Come in."),
            "lead": _(
                "Feeling unsafe, followed or unwell? This is a Safe Haven. You need not buy"
                " anything or explain."
            ),
            "angela": _("Ask for “Angela”,\nor just ask for help"),
            "ask": _("Just ask for help"),
            "offer": _("Seat, water, charger, and someone\nwho will make the call for you"),
            "qr": _("QR code of the page of this haven"),
            "survey": _("Were you helped here?\nTwo questions, no name"),
            "survey_qr": _("QR code of two questions about this haven"),
            "sample": _("Sample: not a real haven. In danger, call 999."),
        },
        "facilities": {
            "toilet": _("Toilet"),
            "phone_charging": _("Phone charger"),
            "quiet_space": _("Quiet room"),
            "first_aid": _("First aid"),
            "wifi": _("Wi-Fi"),
            "phone": _("Phone to use"),
        },
        "step_free": {
            "yes": _("Step-free: yes"),
            "no": _("Step-free: no"),
            "unknown": _("Step-free: not known"),
        },
        "hours": {
            "24/7": _("Open day and night"),
            "Mo-Su": _("Every day"),
            "unknown": _("Opening hours not known"),
            "PH": _("bank holidays"),
            "off": _("closed"),
            "Mo": _("Mon"),
            "Tu": _("Tue"),
            "We": _("Wed"),
            "Th": _("Thu"),
            "Fr": _("Fri"),
            "Sa": _("Sat"),
            "Su": _("Sun"),
        },
        "months": {
            "Jan": _("Jan"),
            "Feb": _("Feb"),
            "Mar": _("Mar"),
            "Apr": _("Apr"),
            "May": _("May"),
            "Jun": _("Jun"),
            "Jul": _("Jul"),
            "Aug": _("Aug"),
            "Sep": _("Sep"),
            "Oct": _("Oct"),
            "Nov": _("Nov"),
            "Dec": _("Dec"),
        },
        "unreviewed": _("This translation has not yet been reviewed by a native speaker."),
        "angela": _("Angela"),
        "comma": _(", "),
    }


_TO = "\N{EN DASH}"

_PART = re.compile(
    r"(?P<times>\d\d:\d\d-\d\d:\d\d)"
    r"|(?:(?P<year>\d{4}) )?(?P<month>[A-Z][a-z]{2}) (?P<first>\d\d)(?:-(?P<last>\d\d))?(?![\d:])"
    r"|(?P<implied> Mo-Su)"
    r"|(?P<word>24/7|Mo-Su|[A-Za-z]{2,})"
    r"|(?P<mark>[-,])"
)


@lru_cache(maxsize=2048)
def hours_in_words(text: str, language: Language, after: date) -> str:
    """Opening hours, as OpenStreetMap writes them, for a person: days, times, and what differs.

    Dates of which the last lies before `after` are left out.
    """
    said = words(language.gettext)
    known: dict[str, str] = said["hours"] | said["months"]

    def shown(part: re.Match[str]) -> str:
        match part.lastgroup:
            case "times":
                return part["times"].replace("-", _TO)
            case "first" | "last":
                days = _TO.join(str(int(day)) for day in part.group("first", "last") if day)
                return " ".join(filter(None, (days, known[part["month"]], part["year"])))
            case "word":
                return known.get(part["word"], part["word"])
            case "mark":
                return _TO if part["mark"] == "-" else said["comma"]
            case _:
                return ""

    rules = (rule for rule in text.split("; ") if not _is_over(rule, after))
    return str(said["comma"]).join(_PART.sub(shown, rule) for rule in rules)


def _is_over(rule: str, day: date) -> bool:
    if not re.match(r"\d{4} ", rule):
        return False
    last = [
        datetime.strptime(f"{year} {month} {last or first}", "%Y %b %d").date()  # noqa: DTZ007
        for year, month, first, last in re.findall(
            r"(\d{4}) ([A-Z][a-z]{2}) (\d\d)(?:-(\d\d)(?!\d))?", rule
        )
    ]
    return bool(last) and max(last) < day


def numbers_to_call(contacts: tuple[Contact, ...], said: dict[str, Any]) -> str:
    """Whom else to call: the usual ones by their words, an operator's own as they wrote them."""
    if contacts == HELP:
        numbers: str = said["leaflet"]["numbers"]
        return numbers
    reached = ((c.name, c.phone or c.text or c.url) for c in contacts)
    return " ".join(f"{name}: {number}." for name, number in reached)
