"""The demonstration as feeds show it, on a Friday night, where it has no public address and where
it has one."""

from collections.abc import Iterator
from pathlib import Path
from shutil import copyfile

import httpx
import pytest

from app.core.db import connected
from app.core.settings import settings as service_settings
from app.sheets.seed import SEED
from tests.factories import utc
from tests.servers import serving_directory
from tests.sheets.register import import_venues, import_wards

FRIDAY_NIGHT = utc("2026-11-27T23:30")
PUBLIC_URL = "https://havens.example/refuge"


@pytest.fixture(scope="module")
def demonstration(
    tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path
) -> Iterator[httpx.Client]:
    """The wards and venues of the demonstration."""
    folder = tmp_path_factory.mktemp("feeds")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HAVENS_ENVIRONMENT", "demo")
        service_settings.cache_clear()
        url = f"sqlite:///{copyfile(sqlite_template, folder / 'havens.sqlite')}"
        with connected(url) as engine:
            import_wards(engine, (SEED / "wards.geojson").read_bytes())
            import_venues(engine, (SEED / "venues.csv").read_bytes())
        with serving_directory(
            folder, url, lambda: FRIDAY_NIGHT, environment="demo", public_url=PUBLIC_URL
        ) as client:
            yield client
    service_settings.cache_clear()
