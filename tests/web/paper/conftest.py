"""The service with a public address, on both databases, and a directory with something in it."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from app.core.db import connected
from tests.accounts import make_app
from tests.factories import make_venue, make_ward
from tests.servers import serving, until

ADDRESS = "https://havens.example"


@pytest.fixture
def app(database_url: str, tmp_path: Path) -> Iterator[FastAPI]:
    """The application, which the public finds at `ADDRESS`."""
    app = make_app(database_url, tmp_path, public_url=ADDRESS)
    yield app
    app.state.journal.engine.dispose()


@pytest.fixture(scope="module")
def city_url(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database with a few havens in two wards, and one that is none any more."""
    path = tmp_path_factory.mktemp("city") / "havens.sqlite"
    path.write_bytes(sqlite_template.read_bytes())
    url = f"sqlite:///{path}"
    with connected(url) as engine:
        bellfounders = make_ward(engine, name="Bellfounders").id
        lanternside = make_ward(engine, name="Lanternside").id
        make_venue(engine, name="Zoltán’s <b>#Bar_*", ward_id=lanternside, hours="24/7")
        make_venue(
            engine,
            name="The Brass Heron",
            ward_id=lanternside,
            address="1 Lantern Passage",
            postcode="EC1A 0ZZ",
            entrance="Green door under the heron",
            hours="Mo-Th 11:00-23:00; Fr,Sa 11:00-02:00; PH off",
            facilities=["toilet", "phone_charging", "cctv"],
            step_free="yes",
        )
        make_venue(engine, name="The Weaver’s Comet", ward_id=bellfounders, hours=None)
        make_venue(engine, name="Nowhere in Particular")
        make_venue(engine, name="The Old Lapsed", safe_haven_from=None)
    return url


@pytest.fixture(scope="module")
def city(city_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """That directory, served."""
    app = make_app(city_url, tmp_path_factory.mktemp("data"), public_url=ADDRESS)
    with serving(app) as client:
        until(lambda: client.get("/health/ready").is_success)
        yield client
    app.state.journal.engine.dispose()
