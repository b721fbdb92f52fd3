"""Places that people type: which are found, and that the phone finds the same as the service."""

import csv
import json
from collections import Counter
from collections.abc import Mapping
from itertools import cycle
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import Browser

import app.web
from app.core.places import Point
from app.core.postcodes import Postcodes
from app.sheets.seed import SEED
from app.web.places import LONGEST, MOST, MOST_GUESSES, Place, Places

Json = dict[str, Any]

JS = Path(app.web.__file__).parent / "static" / "js"
PLACES_JS = JS / "places.js"


def haven(name: str, lat: float, lon: float, **details: str) -> Json:
    return {"name": name, "location": {"lat": lat, "lon": lon}, **details}


HAVENS = [
    haven(
        "Ondine's Ladle",
        51.50,
        -0.10,
        address="28 Ladle Street",
        postcode="EC4N 0ZZ",
        ward="Cinderquay (demonstration)",
    ),
    haven(
        "The Pêche & Plum",
        51.52,
        -0.08,
        address="Unit 2, 30-32 Ladle St, London",
        postcode="EC4N 1ZZ",
        ward="Cinderquay (demonstration)",
    ),
    haven("Wick", 51.53, -0.07, address="1 High Street", postcode="EC4N 1ZZ", ward="Wickside"),
    haven("Wick", 51.60, -0.20, address="5a High Street", postcode="E1 6ZZ", ward="Wickside"),
    haven("Saint Ash Library", 51.54, -0.06, address="2 St Ash Axe", postcode="EC4M 0ZZ"),
    haven("B2 Café", 51.55, -0.05, address="Pier Office, Foxglove Cross", ward="Foxglove Cross"),
    haven("24 Hours", 51.56, -0.04),
    haven("Das Weiße Roß", 51.57, -0.03, address="Łódź Court"),
    *(haven(f"Help Point {n}", 51.5 + n / 100, -0.1) for n in range(20)),
]

CASES = [
    # what is typed, what is found, whether it is a guess, why
    ("Ladle Street", ["street: Ladle Street"], False, "as it is written"),
    ("  lADLE   sTREET ", ["street: Ladle Street"], False, "capitals and spaces"),
    ("28 Ladle Street", ["street: Ladle Street"], False, "a house number"),
    (
        "flat 3, 28-30 ladle st",
        ["street: Ladle Street"],
        False,
        "all that letters are addressed to",
    ),
    ("ladle st.", ["street: Ladle Street"], False, "the short form"),
    ("Ladle Street, London", ["street: Ladle Street"], False, "the town is no part of it"),
    ("ladlestreet", ["street: Ladle Street"], False, "a space forgotten"),
    ("Ladle Street EC4N", ["street: Ladle Street"], False, "with the district it is in"),
    ("Ladle Street EC4N 1ZZ", ["street: Ladle Street"], False, "more exact than the district"),
    ("Ladle Street E1 6ZZ", ["postcode: E1 6ZZ"], False, "there is none there"),
    ("ondines ladle", ["haven: Ondine's Ladle"], False, "no apostrophe"),
    ("Ondine\u2019s Ladle", ["haven: Ondine's Ladle"], False, "another apostrophe"),
    ("peche and plum", ["haven: The Pêche & Plum"], False, "no accents, and no sign"),
    ("the peche & plum", ["haven: The Pêche & Plum"], False, "the article"),
    ("PLUM", ["haven: The Pêche & Plum"], False, "one of its words"),
    ("ladle", ["street: Ladle Street", "haven: Ondine's Ladle"], False, "two have this word"),
    ("Ondine's Ladle, 28 Ladle Street", ["haven: Ondine's Ladle"], False, "the whole address"),
    ("Ladel Street", ["street: Ladle Street"], True, "two letters swapped"),
    ("Lale Street", ["street: Ladle Street"], True, "a letter missing"),
    ("Laddle", ["street: Ladle Street", "haven: Ondine's Ladle"], True, "one word, misspelt"),
    ("Cinderkway", ["ward: Cinderquay (demonstration)"], True, "as it sounds"),
    ("Cinderquay Ward", ["ward: Cinderquay (demonstration)"], False, "it is one"),
    ("cinderquay (demonstration)", ["ward: Cinderquay (demonstration)"], False, "copied"),
    ("EC4N 0ZZ", ["postcode: EC4N 0ZZ"], False, "a postcode"),
    ("ec4n0zz", ["postcode: EC4N 0ZZ"], False, "without its space"),
    ("EC4N 7AB", ["district: EC4N"], False, "no haven has it: the district"),
    ("EC4N", ["district: EC4N"], False, "the first half"),
    ("EC4N 0", ["district: EC4N"], False, "not finished"),
    ("EC4Y 1AA", ["district: EC4"], False, "the district beside it"),
    ("ec4", ["district: EC4"], False, "all of EC4M and EC4N"),
    ("E16 1AA", [], False, "E16 is not E1"),
    ("SW1A 1AA", [], False, "far from every haven"),
    (
        "High Street",
        ["street: High Street, EC4N", "street: High Street, E1"],
        False,
        "the middle of the two would be neither",
    ),
    ("12 High Street, E1 6ZZ", ["street: High Street, E1"], False, "told apart"),
    (
        "wick",
        ["haven: Wick, 1 High Street", "haven: Wick, 5a High Street"],
        False,
        "two of one name",
    ),
    ("St Ash Axe", ["street: St Ash Axe"], False, "a saint, not a street"),
    ("saint ash axe", ["street: St Ash Axe"], False, "a saint in full"),
    ("B2 cafe", ["haven: B2 Café"], False, "a name that looks like a postcode"),
    ("foxglove cross", ["street: Foxglove Cross", "ward: Foxglove Cross"], False, "either may be"),
    ("24 Hours", ["haven: 24 Hours"], False, "a name that begins like an address"),
    ("weisse ross", ["haven: Das Weiße Roß"], False, "other letters"),
    ("help point", [f"haven: Help Point {n}" for n in range(MOST)], False, "no more than eight"),
    ("lad", ["street: Ladle Street", "haven: Ondine's Ladle"], False, "not finished"),
    ("la", [], False, "too short to say anything"),
    ("zzzzzz", [], False, "nothing like it"),
    ("28", [], False, "a number is no place"),
    ("", [], False, "nothing"),
    (" ,&'\u2019.\0\ud800", [], False, "no letter in it"),
    ("x" * 90 + " Ladle Street" * 9, [], False, "more than anybody types"),
]


@pytest.mark.parametrize(("typed", "expected", "guessed", "why"), CASES)
def test_what_is_typed(typed: str, expected: list[str], guessed: bool, why: str) -> None:
    found = Places(HAVENS).find(typed)
    assert [f"{place.kind}: {place.name}" for place in found.places] == expected, why
    assert found.guessed == guessed, why


def test_a_place_is_amid_what_shares_its_name() -> None:
    places = Places(HAVENS)
    [street] = places.find("Ladle Street").places
    assert street.lat == pytest.approx(51.51)
    assert street.lon == pytest.approx(-0.09)
    [own] = places.find("Ondine's Ladle").places
    assert own == Place("Ondine's Ladle", "haven", 51.50, -0.10)


POSTCODES = {
    "EC4N 0ZZ": Point(51.501, -0.101),
    "EC4N 7AB": Point(51.503, -0.103),
    "EC4M 9QQ": Point(51.515, -0.099),
}

KNOWING = [
    # what is typed, what is found where postcodes are known, why
    (
        "EC4N 0ZZ",
        Place("EC4N 0ZZ", "postcode", 51.501, -0.101),
        "nearer than the haven that has it",
    ),
    ("ec4n7ab", Place("EC4N 7AB", "postcode", 51.503, -0.103), "no haven has it"),
    ("9 Other Street, EC4N 7AB", Place("EC4N 7AB", "postcode", 51.503, -0.103), "in an address"),
    ("EC4N", Place("EC4N", "district", 51.502, -0.102), "the middle of its postcodes"),
    ("EC4N 9ZZ", Place("EC4N", "district", 51.502, -0.102), "one that is not known"),
    ("EC4M 1ZZ", Place("EC4M", "district", 51.515, -0.099), "a district without a haven"),
    ("EC4V", Place("EC4", "district", 51.519 / 3 + 2 * 51.5 / 3, -0.101), "the district beside"),
    ("E1 6ZZ", Place("E1 6ZZ", "postcode", 51.60, -0.20), "only a haven has it"),
]


@pytest.mark.parametrize(("typed", "expected", "why"), KNOWING, ids=[t for t, *_ in KNOWING])
def test_what_is_typed_where_postcodes_are_known(typed: str, expected: Place, why: str) -> None:
    [found] = Places(HAVENS, POSTCODES).find(typed).places
    assert (found.name, found.kind) == (expected.name, expected.kind), why
    assert [found.lat, found.lon] == pytest.approx([expected.lat, expected.lon]), why


def test_a_directory_without_havens_has_no_places() -> None:
    assert Places([]).find("Ladle Street").places == []


@given(st.text(max_size=3 * LONGEST))
def test_anything_may_be_typed(text: str) -> None:
    found = Places(HAVENS).find(text)
    assert len(found.places) <= (MOST_GUESSES if found.guessed else MOST)
    assert found.places or not found.guessed


# --- the phone -------------------------------------------------------------------------------


def demonstration() -> list[Json]:
    """The venues of the demonstration as havens, dealt out among its wards."""
    with (SEED / "venues.csv").open(encoding="utf-8") as file:
        venues = list(csv.DictReader(file))
    wards = json.loads((SEED / "wards.geojson").read_bytes())["features"]
    names = cycle(ward["properties"]["name"] for ward in wards)
    return [
        haven(
            venue["name"],
            float(venue["latitude"]),
            float(venue["longitude"]),
            address=venue["address"],
            postcode=venue["postcode"],
            ward=next(names),
        )
        for venue in venues
    ]


LETTERS = "aeioustlnr ABC019'\u2019`&-.,ßéŁłżñÜøæﬁ²\u0301\u00a0\u200bوقنديل日本🚪\0"


def some_text(random: Random, havens: list[Json]) -> str:
    """Some of what the directory holds, as people type it: parts, mixed, with letters wrong."""
    one, other = random.choice(havens), random.choice(havens)
    known = [one.get("address", ""), one.get("postcode", ""), one.get("ward", ""), one["name"]]
    known += [f"{one['name']}, {one.get('address')}", one.get("address", "")]
    text: str = random.choice(known)
    if random.random() < 0.2:
        text += random.choice([" ", ", ", ""]) + str(other.get("postcode"))
    if random.random() < 0.3:
        text = " ".join(random.sample(words := text.split(" "), random.randint(1, len(words))))
    for _ in range(random.choice([0, 0, 1, 1, 2, 3])):
        place = random.randrange(len(text) + 1)
        wrong = random.choice(["", random.choice(LETTERS), text[place : place + 1] * 2])
        text = text[:place] + wrong + text[place + random.randint(0, 1) :]
        if random.random() < 0.3:
            text = text[:place] + text[place : place + 2][::-1] + text[place + 2 :]
    ways = [text, text.lower(), text.upper(), f"the {text}", f" {text}  London"]
    return random.choice(ways)


FOUND_JS = """(text) => {
    const [havens, typed, postcodes] = JSON.parse(text);
    const places = readPlaces(havens);
    if (postcodes) addPostcodes(places, postcodes);
    return JSON.stringify(typed.map((one) => findPlaces(places, one)));
}"""


def on_phone(
    chromium: Browser,
    script: str,
    havens: list[Json],
    typed: list[str],
    postcodes: Mapping[str, Point] | None = None,
) -> list[Json]:
    page = chromium.new_page()
    page.add_script_tag(content=script)
    known = json.loads(Postcodes(postcodes, {}).document) if postcodes else None
    found: list[Json] = json.loads(page.evaluate(FOUND_JS, json.dumps([havens, typed, known])))
    page.close()
    return found


def in_service(
    havens: list[Json], typed: list[str], postcodes: Mapping[str, Point] | None = None
) -> list[Json]:
    places = Places(havens, postcodes)
    found = [places.find(text) for text in typed]
    return [{"places": [p._asdict() for p in f.places], "guessed": f.guessed} for f in found]


def test_the_phone_finds_what_the_service_does(chromium: Browser) -> None:
    random = Random(8)
    # As phones get them, in one file: no name of one script may be taken by another.
    script = (JS / "search.js").read_text() + PLACES_JS.read_text()
    anything = ["".join(random.choices(LETTERS, k=random.randint(0, 140))) for _ in range(300)]
    for havens in (HAVENS, demonstration()):
        typed = [typed for typed, *_ in CASES] + anything
        typed += [some_text(random, havens) for _ in range(800)]
        expected = in_service(havens, typed)
        for text, told, found in zip(
            typed, on_phone(chromium, script, havens, typed), expected, strict=True
        ):
            assert told == found, text
        # Each kind of answer must have been there often enough for this to prove anything.
        kinds = Counter((min(len(f["places"]), 2), f["guessed"]) for f in expected)
        assert min(kinds[1, False], kinds[2, False], kinds[1, True], kinds[0, False]) > 15, kinds


def test_the_phone_knows_the_postcodes_that_the_service_does(chromium: Browser) -> None:
    random = Random(9)
    script = (JS / "search.js").read_text() + PLACES_JS.read_text()
    letters = "ABDEFGHJLN"
    postcodes = {
        f"EC{random.randint(1, 4)}{random.choice('AMNRV')} "
        f"{random.randint(0, 9)}{''.join(random.choices(letters, k=2))}": Point(
            random.randrange(5_150_000, 5_153_000) / 100_000, random.randrange(-12_000, 0) / 100_000
        )
        for _ in range(300)
    } | POSTCODES
    typed = [typed for typed, *_ in KNOWING] + [typed for typed, *_ in CASES]
    typed += [*random.sample(sorted(postcodes), 50), "EC1", "EC2A", "ec3 1aa"]
    expected = in_service(HAVENS, typed, postcodes)
    assert on_phone(chromium, script, HAVENS, typed, postcodes) == expected


@pytest.mark.parametrize(
    ("rule", "broken"),
    [
        ('.replace(/ß/g, "ss")', ""),
        ('word === "saint"', "false"),
        ("letters.length / 4", "letters.length / 3"),
        ("outward === widerDistrict(district)", "false"),
    ],
)
def test_a_rule_that_is_broken_shows(chromium: Browser, rule: str, broken: str) -> None:
    script = PLACES_JS.read_text()
    assert script.count(rule) == 1
    typed = [typed for typed, *_ in CASES] + ["st ash ec4", "ldl st"]
    told = on_phone(chromium, script.replace(rule, broken), HAVENS, typed)
    assert told != in_service(HAVENS, typed)
