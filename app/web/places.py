"""A place that somebody types, found in what the directory document holds, and among the postcodes
of the area where those are known; pure.

For those whose phone can't say where it is. What is typed may name a haven, a street, a ward, a
postcode or its first half. Capitals, accents, apostrophes, spaces, house numbers, "the", "and" and
the short forms of "street" and its like make no difference. It is looked for in this order:

- what has exactly this name, or that of a part before or after a comma; in the district of the
  postcode, if one is given with it;
- what has all these words in its name, if only as beginnings of its own;
- the postcode, or else the district that it lies in;
- what may have been meant, where a few letters are wrong.

`static/js/places.js` is the same rule on the phone, which nothing typed then leaves. A test holds
both to the same answers.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple, get_args

from app.core.places import Point
from app.core.text import folded

LONGEST = 100
"""In characters: what is typed beyond that is not looked at."""

MOST, MOST_GUESSES = 8, 3
"""How many places there are to choose from, and how many that may have been meant."""

Kind = Literal["postcode", "district", "street", "ward", "haven"]
_CODES = ("postcode", "district")


class Place(NamedTuple):
    """Somewhere to look from: amid the havens that share the name. Degrees, WGS 84."""

    name: str
    kind: Kind
    lat: float
    lon: float


class Found(NamedTuple):
    """The place; or several to choose from; or what may have been meant, if `guessed`; or none."""

    places: list[Place]
    guessed: bool = False


class _Entry(NamedTuple):
    """A place as it is looked for: by the `key` that its words make, and in its `district`, which
    is empty where it may lie in several."""

    place: Place
    key: str
    words: list[str]
    district: str


class Places:
    """The places of a directory document, from its havens as `GET /v1/havens` gives them.

    Where a postcode lies, and the middle of a district, is taken from `postcodes` if those are
    known, by their usual form, and else from the havens there.
    """

    def __init__(
        self, havens: Iterable[Mapping[str, Any]], postcodes: Mapping[str, Point] | None = None
    ) -> None:
        entries = _entries(havens)
        self._codes = {e.key: e.place for e in reversed(entries) if e.place.kind in _CODES}
        self._codes |= _codes(postcodes or {})
        self._named = [e for e in entries if e.place.kind not in _CODES]

    def find(self, text: str) -> Found:
        """What somebody has typed, whatever that is."""
        text = text[:LONGEST]
        whole = folded(text)
        outward, inward = _postcode(whole)
        there = [entry for entry in self._named if _lies_in(entry.district, outward)]
        asked = _words(_without_postcode(whole))
        # A name may look like a postcode: what is all of a name is not taken for one.
        tries = [(_words(whole), self._named), (asked, there)]
        tries += [
            (_words(_without_postcode(folded(part))), there) for part in re.split("[,(]", text)
        ]
        for words, entries in tries:
            key = "".join(words)
            if found := [entry.place for entry in entries if key and entry.key == key]:
                return Found(found[:MOST])
        if found := [entry.place for entry in there if _has_all(entry.words, asked)]:
            return Found(found[:MOST])
        if outward:
            keys = (outward + inward, outward, _wider(outward))
            return Found([self._codes[key] for key in keys if key in self._codes][:1])
        guesses = _guesses("".join(asked), there)
        return Found(guesses, guessed=bool(guesses))


# --- what the directory holds ----------------------------------------------------------------


def _codes(postcodes: Mapping[str, Point]) -> dict[str, Place]:
    """Postcodes and their districts, by what is looked for."""
    found = {}
    districts: dict[str, list[Point]] = {}
    for code in sorted(postcodes):
        point = postcodes[code]
        found[folded(code).replace(" ", "")] = Place(code, "postcode", point.lat, point.lon)
        shown = code.split(" ")[0]
        for district in dict.fromkeys((shown, _wider(shown.lower()).upper())):
            districts.setdefault(district, []).append(point)
    for shown, points in districts.items():
        lat, lon = (_mean([getattr(point, axis) for point in points]) for axis in ("lat", "lon"))
        found[shown.lower()] = Place(shown, "district", lat, lon)
    return found


class _Name(NamedTuple):
    """One of the names by which a haven's place goes; `apart` tells it from others like it."""

    kind: Kind
    name: str
    words: list[str]
    district: str = ""
    apart: str = ""


def _entries(havens: Iterable[Mapping[str, Any]]) -> list[_Entry]:
    groups: dict[tuple[Kind, str, str], list[tuple[_Name, Mapping[str, float]]]] = {}
    for haven in havens:
        for name in _names(haven):
            if key := "".join(name.words):
                group = groups.setdefault((name.kind, key, name.apart), [])
                group.append((name, haven["location"]))
    alike = Counter((kind, key) for kind, key, _ in groups)
    entries = []
    for (kind, key, apart), group in groups.items():
        name = group[0][0]
        lat, lon = (_mean([place[axis] for _, place in group]) for axis in ("lat", "lon"))
        shown = f"{name.name}, {apart}" if apart and alike[kind, key] > 1 else name.name
        entries.append(_Entry(Place(shown, kind, lat, lon), key, name.words, name.district))
    kinds = get_args(Kind)
    return sorted(entries, key=lambda entry: kinds.index(entry.place.kind))


def _names(haven: Mapping[str, Any]) -> Iterator[_Name]:
    address, postcode = haven.get("address", ""), haven.get("postcode", "")
    shown, district = postcode.split(" ")[0], folded(postcode.split(" ")[0])
    yield _Name("postcode", postcode, folded(postcode).split())
    yield _Name("district", shown, [district])
    if _wider(district) != district:
        yield _Name("district", shown[:-1], [_wider(district)])
    street = _street(address)
    yield _Name("street", street, _words(folded(street)), district, shown)
    ward = haven.get("ward", "")
    yield _Name("ward", ward, _words(folded(ward.split("(")[0])))
    yield _Name(
        "haven", haven["name"], _words(folded(haven["name"])), district, address or postcode
    )


_HOUSE_NUMBER = re.compile("[0-9]+[A-Za-z]?(?: ?[-\u2013/&] ?[0-9]+[A-Za-z]?)* ")


def _street(address: str) -> str:
    """The part of an address that begins with a number, else its last, without the number."""
    parts = [part.strip(" ") for part in address.split(",")]
    numbered = [part for part in parts if _HOUSE_NUMBER.match(part)]
    street = numbered[0] if numbered else parts[-1]
    number = _HOUSE_NUMBER.match(street)
    return street[number.end() :] if number else street


def _mean(degrees: list[float]) -> float:
    # Added up one by one, as the phone does it: `sum` may be more exact.
    total = 0.0
    for one in degrees:
        total += one
    return total / len(degrees)


# --- what is typed ---------------------------------------------------------------------------

# In a folded text. The second half may be missing, or be its first digit alone.
_POSTCODE = re.compile("(?:^| )([a-z]{1,2}[0-9][0-9a-z]?)(?: ?([0-9](?:[a-z]{2})?))?(?= |$)")


def _postcode(plain: str) -> tuple[str, str]:
    match = _POSTCODE.search(plain)
    return (match[1], match[2] or "") if match else ("", "")


def _without_postcode(plain: str) -> str:
    return _POSTCODE.sub(" ", plain, count=1).strip(" ")


def _wider(district: str) -> str:
    """The district of which this is a part: EC4 for EC4N."""
    return re.sub("([0-9])[a-z]$", r"\1", district)


def _lies_in(district: str, outward: str) -> bool:
    return not outward or not district or outward in (district, _wider(district))


_NUMBERS = re.compile("^(?:(?:(?:flat|unit|no|number) )?[0-9]+[a-z]?(?: |$))+")
_SAYS_LITTLE = ("the", "and")
_SAYS_LITTLE_LAST = ("london", "ward")
_SHORT = {
    "ave": "avenue",
    "av": "avenue",
    "ct": "court",
    "gdns": "gardens",
    "ln": "lane",
    "pas": "passage",
    "pl": "place",
    "rd": "road",
    "sq": "square",
    "st": "street",
    "yd": "yard",
}


def _words(plain: str) -> list[str]:
    """The words of a folded text that tell something."""
    told = _NUMBERS.sub("", plain).split(" ")
    words = [word for word in told if word and word not in _SAYS_LITTLE] or plain.split()
    while len(words) > 1 and words[-1] in _SAYS_LITTLE_LAST:
        words.pop()
    # "St" is a street where it comes last, and a saint elsewhere.
    last = [_SHORT.get(word, word) for word in words[-1:]]
    return ["st" if word == "saint" else word for word in words[:-1]] + last


def _has_all(words: list[str], asked: list[str]) -> bool:
    is_long_enough = len("".join(asked)) > 2
    return is_long_enough and all(any(w.startswith(one) for w in words) for one in asked)


def _guesses(key: str, entries: list[_Entry]) -> list[Place]:
    """What hardly differs as a whole, or in one of its longer words; the likeliest first."""
    most = min(len(key) // 4, 3)
    near = []
    for entry in entries:
        texts = [entry.key, *(word for word in entry.words if len(word) > 3)]
        near.append((min(_edits(key, text, most) for text in texts), entry.place))
    near.sort(key=lambda guess: guess[0])
    return [place for edits, place in near if edits <= most][:MOST_GUESSES]


def _edits(ours: str, theirs: str, most: int) -> int:
    """How many letters are wrong, missing, too many or swapped with the next; `most` + 1 when more
    are missing."""
    if abs(len(ours) - len(theirs)) > most:
        return most + 1
    before: list[int] = []
    last = list(range(len(theirs) + 1))
    for i, a in enumerate(ours):
        row = [i + 1]
        for j, b in enumerate(theirs):
            edits = min(last[j + 1] + 1, row[j] + 1, last[j] + (a != b))
            if i and j and a == theirs[j - 1] and b == ours[i - 1]:
                edits = min(edits, before[j - 1] + 1)
            row.append(edits)
        before, last = last, row
    return last[-1]
