"""The phone's steps of a way against the service's, over one table of cases, and in words."""

import json
import math
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

import app.web
from app.http.languages import LANGUAGES
from app.walking.access import Way
from app.walking.steps import Course, Leg, Place, course, steps
from app.walking.wording import in_words, phrases
from tests.web.test_phone_search import page_with

STEPS_JS = Path(app.web.__file__).parent / "static" / "js" / "steps.js"

Case = tuple[Place, int, list[Leg], Place, int]

TOLD_JS = """(text) => {
    const [cases, phrases] = JSON.parse(text);
    return JSON.stringify(cases.map(([start, startCm, legs, door, doorCm]) => {
        const named = legs.map(([course, name, points, cm]) => ({ course, name, points, cm }));
        return stepsOf(start, startCm, named, door, doorCm).map((step) =>
            [step.turn, step.heading, step.course, step.name, step.cm, step.begins,
                phrases.map((words) => stepInWords(step, words))]);
    }));
}"""

COURSES_JS = """(text) => {
    const [edges] = JSON.parse(text);
    return JSON.stringify(edges.map((edge) => courseOf(...edge)));
}"""

START = (-89_000, 51_513_400)
TURNS = (-178, -165, -120, -90, -62, -58, -45, -32, -28, -5, 0, 12, 29, 31, 59, 61, 90, 150, 170)
NAMES = ("Bow Lane", "Cheapside", "Rue {metres} $& {street}")


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    with page_with(chromium, STEPS_JS.read_text()) as page:
        yield page


def on(page: Page, function: str, *arguments: Any) -> Any:
    return json.loads(page.evaluate(function, json.dumps(arguments)))


def cases() -> list[Case]:
    """Ways of one to seven legs with every turn and course, among them short ones and bent ones."""
    random, found = Random(5), []
    for _ in range(400):
        here, towards = START, random.uniform(0, 360)
        legs: list[Leg] = []
        for _ in range(random.randint(1, 7)):
            over = random.choice(list(Course)[:-1])
            if legs and random.random() < 0.3:
                over, name = legs[-1].course, legs[-1].name
            else:
                name = random.choice(NAMES) if over == Course.STREET else ""
            towards += random.choice(TURNS) + random.uniform(-1, 1)
            points, length = [here], 0.0
            for _ in range(random.choice([1, 1, 2, 4])):
                metres = random.choice([2, 4, 6, 12, 14, 40, 95, 300])
                here, length = _onward(here, towards, metres), length + metres
                points.append(here)
                towards += random.uniform(-20, 20)
            legs.append(Leg(over, name, points, round(100 * length)))
        if random.random() < 0.1:
            legs = [Leg(Course.STREET, "Bow Lane", [START, START], 0)]
            here = START
        start_m, door_m = (random.choice([0, 1, 3, 9, 16, 60]) for _ in range(2))
        start = _onward(START, random.uniform(0, 360), start_m)
        door = _onward(here, random.uniform(0, 360), door_m)
        found.append((start, 100 * start_m, legs, door, 100 * door_m))
    return found


def _onward(place: Place, towards: float, metres: float) -> Place:
    north = metres * math.cos(math.radians(towards)) / 0.111195
    east = metres * math.sin(math.radians(towards)) / 0.111195 / 0.6223
    return round(place[0] + east), round(place[1] + north)


def test_the_phone_tells_the_steps_that_the_service_tells(page: Page) -> None:
    table, languages = cases(), [phrases(language) for language in LANGUAGES.values()]
    expected = [
        [
            [*step[:5], list(step.begins), [in_words(step, words) for words in languages]]
            for step in steps(*case)
        ]
        for case in table
    ]
    told = on(page, TOLD_JS, table, languages)
    for case, found, ours in zip(table, told, expected, strict=True):
        assert found == ours, case
    turns = {step[0] for way in expected for step in way}
    assert len(turns) == 11, turns
    assert {step[2] for way in expected for step in way} == {*Course, None}


def test_an_edge_is_the_same_to_who_walks_it(page: Page) -> None:
    edges = list(product(range(2 * max(Way)), ("", "Bow Lane"), (False, True)))
    told = on(page, COURSES_JS, edges)
    assert told == [
        course(kind, name, is_backwards=is_backwards) for kind, name, is_backwards in edges
    ]


BROKEN = [
    ("path: 1500", "path: 1400"),
    ("LEAST_DOOR_CM = 1500", "LEAST_DOOR_CM = 200"),
    ("LOOK_M = 10", "LOOK_M = 3"),
    ("STRAIGHT = 30, BEAR = 60, BACK = 160", "STRAIGHT = 33, BEAR = 60, BACK = 160"),
    ("HERE_M = 2", "HERE_M = 4"),
    ("carried = 0;\n    }", "}"),
    ("leg.name ? BEAR : STRAIGHT", "STRAIGHT"),
    ('!["head", "straight", "back"].includes(turn)', "true"),
    ("() => value", "value"),
]


@pytest.mark.parametrize(("rule", "broken"), BROKEN)
def test_a_rule_of_the_steps_that_is_broken_shows(
    chromium: Browser, rule: str, broken: str
) -> None:
    table, words = cases(), phrases(LANGUAGES["en"])
    script = STEPS_JS.read_text()
    assert script.count(rule) == 1
    with page_with(chromium, script.replace(rule, broken)) as page:
        told = on(page, TOLD_JS, table, [words])
    assert [[[*each[:5], each[6][0]] for each in way] for way in told] != [
        [[*step[:5], in_words(step, words)] for step in steps(*case)] for case in table
    ]
