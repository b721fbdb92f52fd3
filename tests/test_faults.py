"""A fault inside the service shows in the report of the test that met it."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from tests import faults
from tests.accounts import make_app
from tests.accounts.conftest import WithoutSocket
from tests.servers import running, serving


@pytest.fixture
def faulty(sqlite_url: str, tmp_path: Path) -> Iterator[FastAPI]:
    app = make_app(sqlite_url, tmp_path)

    @app.get("/faulty")
    def fail() -> None:
        raise LookupError("why it failed")

    yield app
    app.state.journal.engine.dispose()


def test_with_its_message_in_this_process(faulty: FastAPI) -> None:
    with serving(faulty) as client:
        assert client.get("/faulty").status_code == 500
    with httpx.Client(transport=WithoutSocket(faulty), base_url="http://test") as client:
        assert client.get("/faulty").status_code == 500
    shown = faults.report()
    assert [title for title, _ in shown] == ["Fault inside the service"] * 2
    for _, text in shown:
        assert "in fail" in text
        assert text.endswith("LookupError: why it failed\n")


def test_as_printed_by_a_process_of_its_own(tmp_path: Path) -> None:
    with running(tmp_path / "data") as service:
        assert service.get("/health/live").status_code == 200
        ((title, text),) = faults.report()
    assert title.startswith("Output of data.")
    assert "Application startup complete" in text
    faults.begin_test()
    assert all("startup" not in text for _, text in faults.report()), "an earlier test's"
