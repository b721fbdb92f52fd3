"""The way on foot to a haven, over HTTP, in a town made up for tests."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import httpx
import pytest

from app.directory.schemas import Route
from app.walking.file import STREETS
from app.walking.streets import Streets
from tests.factories import utc
from tests.servers import add_venue, serving_directory, until
from tests.walking.towns import BRIDGE, RIVER, grid, place

NOW = utc("2027-07-13T12:20")
GEOJSON = "application/geo+json"

Metres = tuple[float, float]

CORNER, OVER_THE_RIVER, STAIRS, FAR = (230, 106), (0, 600), (550, 300), (1400, 0)
"""Where the havens are: metres east and north of the corner of the town."""


class Served(NamedTuple):
    """A service with streets, and havens by where they are."""

    client: httpx.Client
    havens: dict[Metres, UUID]
    streets: Streets

    def ask(self, start: Metres, to: Metres, **more: Any) -> httpx.Response:
        lat, lon = place(*start)
        address = f"/v1/havens/{self.havens[to]}/route"
        return self.client.get(address, params={"from_lat": lat, "from_lon": lon} | more)

    def way(self, start: Metres, to: Metres, **more: Any) -> dict[str, Any]:
        answer = self.ask(start, to, **more)
        assert answer.status_code == 200, answer.text
        assert answer.headers["Content-Type"] == GEOJSON
        assert answer.headers["Cache-Control"] == "no-store"
        Route.model_validate_json(answer.content)
        found: dict[str, Any] = answer.json()
        return found


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("on_foot")
    file = folder / "havens.sqlite"
    file.write_bytes(sqlite_template.read_bytes())
    url = f"sqlite:///{file}"
    havens: dict[Metres, UUID] = {}
    for at in (CORNER, OVER_THE_RIVER, STAIRS, FAR):
        lat, lon = place(*at)
        havens[at] = add_venue(url, lat=lat, lon=lon, name=f"at {at}", step_free="yes")
    town = grid()
    town.way([(500, 300), (600, 300)], highway="steps", incline="up")
    town.way([(550, 300), (550, 360)], highway="footway")
    streets = town.streets(folder)
    with serving_directory(folder, url, lambda: NOW) as client:
        until(lambda: client.get("/v1/havens").json()["havens"])
        yield Served(client, havens, streets)


def test_a_way_leads_from_the_position_over_the_streets_to_the_door(served: Served) -> None:
    way = served.way((-4, 40), CORNER)
    assert way["type"] == "Feature"
    line = [(round(lon, 6), round(lat, 6)) for lon, lat in way["geometry"]["coordinates"]]
    corners = [(-4, 40), (0, 40), *((x, 100) for x in (0, 100, 200, 230)), (230, 106)]
    expected = [place(*corner)[::-1] for corner in corners]
    assert line == [pytest.approx(corner, abs=1.5e-6) for corner in expected]
    facts = way["properties"]
    assert facts["haven"] == str(served.havens[CORNER])
    assert [step["text"] for step in facts["steps"]] == [
        "Head north along Avenue 0 South, 65 m",
        "Turn right into Street 1, 230 m",
        "The haven is on the left",
    ]
    assert [step.get("street") for step in facts["steps"]] == ["Avenue 0 South", "Street 1", None]
    assert facts["attribution"] == "© OpenStreetMap contributors"
    assert facts["licence"] == "https://opendatacommons.org/licenses/odbl/1-0/"


PLACES: list[tuple[Metres, Metres]] = [
    ((-4, 40), CORNER),
    ((230, 80), CORNER),
    ((230, 100), CORNER),
    ((310, 100), CORNER),
    ((60, 530), OVER_THE_RIVER),
    ((1000, 840), OVER_THE_RIVER),
    ((520, 420), STAIRS),
]


@pytest.mark.parametrize(("start", "to"), PLACES)
@pytest.mark.parametrize("step_free", [False, True])
def test_it_is_as_long_as_the_search_takes_it_for(
    served: Served, start: Metres, to: Metres, step_free: bool
) -> None:
    facts = served.way(start, to, step_free=step_free)["properties"]
    tie, door = served.streets.tie(*place(*start)), served.streets.tie(*place(*to))
    assert tie
    assert door
    assert facts["metres"] == served.streets.metres(tie, door, step_free=step_free)
    assert sum(round(100 * step["metres"]) for step in facts["steps"]) == round(
        100 * facts["metres"]
    )
    lat, lon = place(*start)
    asked = {"lat": lat, "lon": lon, "limit": 50, "step_free": step_free}
    nearest = served.client.get("/v1/havens/nearest", params=asked).json()
    (same,) = (one for one in nearest["havens"] if one["id"] == facts["haven"])
    assert (same["walking"], same["walking_minutes"]) == ("streets", facts["walking_minutes"])


def test_only_the_bridge_leads_over_the_river(served: Served) -> None:
    facts = served.way((0, 100 * RIVER), OVER_THE_RIVER)["properties"]
    assert facts["metres"] == pytest.approx(200 * BRIDGE + 100, rel=0.001)
    assert [step["street"] for step in facts["steps"][:-1]] == [
        f"Street {RIVER}",
        "Bridge Avenue",
        f"Street {RIVER + 1}",
    ]


def test_steps_are_told_and_can_be_avoided(served: Served) -> None:
    told = served.way((500, 260), STAIRS)["properties"]
    assert "no_known_steps" not in told
    without = served.way((500, 260), STAIRS, step_free=True)["properties"]
    assert without["no_known_steps"] == "No known steps"
    assert not any(step.get("over", "").startswith("steps") for step in without["steps"])


def test_in_a_body_it_is_the_same_question(served: Served) -> None:
    lat, lon = place(-4, 40)
    address = f"/v1/havens/{served.havens[CORNER]}/route"
    asked = {"from_lat": lat, "from_lon": lon, "step_free": False}
    answer = served.client.post(address, json=asked)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == GEOJSON
    assert answer.json() == served.way((-4, 40), CORNER)


@pytest.mark.parametrize(
    ("accepted", "language", "turn"),
    [
        ("pl-PL", "pl", "Skręć w prawo w Street 1, 230 m"),
        ("es", "es", "Gira a la derecha por Street 1, 230 m"),
        ("ar", "ar", "انعطف يمينًا إلى Street 1، 230 م"),
        ("fr", "en", "Turn right into Street 1, 230 m"),
    ],
)
def test_steps_are_in_the_language_of_whoever_asks(
    served: Served, accepted: str, language: str, turn: str
) -> None:
    lat, lon = place(-4, 40)
    answer = served.client.get(
        f"/v1/havens/{served.havens[CORNER]}/route",
        params={"from_lat": lat, "from_lon": lon},
        headers={"Accept-Language": accepted},
    )
    assert answer.headers["Content-Language"] == language
    assert "Accept-Language" in answer.headers["Vary"]
    assert answer.json()["properties"]["steps"][1]["text"] == turn


REFUSED: list[tuple[Metres, Metres, int, str, str]] = [
    ((350, -140), CORNER, 422, "off-the-streets", "lies outside of the area of known streets"),
    ((9000, 0), CORNER, 422, "off-the-streets", "lies outside of the area of known streets"),
    ((-4, 40), FAR, 404, "no-way", ""),
]


@pytest.mark.parametrize(("start", "to", "status", "code", "why"), REFUSED)
def test_where_there_is_no_way_it_says_why(
    served: Served, start: Metres, to: Metres, status: int, code: str, why: str
) -> None:
    answer = served.ask(start, to)
    assert answer.status_code == status
    assert answer.headers["Cache-Control"] == "no-store"
    problem = answer.json()
    assert problem["type"] == f"urn:safe-havens:problem:{code}"
    assert {error["message"] for error in problem.get("errors", [])} == ({why} if why else set())


WRONG: list[tuple[dict[str, Any], str]] = [
    ({}, "from_lat"),
    ({"from_lat": 51.5}, "from_lon"),
    ({"from_lat": 91, "from_lon": 0}, "from_lat"),
    ({"from_lat": "nan", "from_lon": 0}, "from_lat"),
    ({"from_lat": 51.5, "from_lon": 0, "lat": 51.5}, "lat"),
    ({"from_lat": 51.5, "from_lon": 0, "step_free": "perhaps"}, "step_free"),
]


@pytest.mark.parametrize(("asked", "field"), WRONG)
def test_what_is_unclear_is_refused(served: Served, asked: dict[str, Any], field: str) -> None:
    address = f"/v1/havens/{served.havens[CORNER]}/route"
    for answer in (
        served.client.get(address, params=asked),
        served.client.post(address, json=asked),
    ):
        assert answer.status_code == 422
        assert field in {error["field"] for error in answer.json()["errors"]}


def test_a_haven_that_is_not_listed_has_no_way(served: Served) -> None:
    asked = {"from_lat": 51.51, "from_lon": -0.1}
    answer = served.client.get(f"/v1/havens/{uuid4()}/route", params=asked)
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:safe-havens:problem:not-found")


def test_without_streets_there_is_no_way(sqlite_url: str, tmp_path: Path) -> None:
    haven = add_venue(sqlite_url)
    with serving_directory(tmp_path / "data", sqlite_url, lambda: NOW) as client:
        until(lambda: client.get("/v1/havens").json()["havens"])
        asked = {"from_lat": 51.5134, "from_lon": -0.089}
        for answer in (
            client.get(f"/v1/havens/{haven}/route", params=asked),
            client.post(
                f"/v1/havens/{haven}/route",
                content=json.dumps(asked).encode(),
                headers={"Content-Type": "application/json"},
            ),
        ):
            assert answer.status_code == 404
            assert answer.json()["type"] == "urn:safe-havens:problem:no-streets"
        assert not (tmp_path / "data" / STREETS).exists()
