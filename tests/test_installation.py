"""Backup and health at a glance as an administrator reads them over HTTP."""

from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from app.core.backup import back_up
from app.core.journal import HEAD_FILE
from tests.conftest import SignIn
from tests.servers import until


@pytest.fixture
def administrator(anybody: httpx.Client, sign_in: SignIn) -> httpx.Client:
    until(lambda: anybody.get("/health/ready").is_success)
    return sign_in("administrator")


def looked_at(administrator: httpx.Client) -> dict[str, dict[str, str]]:
    answer = administrator.get("/v1/admin/installation")
    assert answer.status_code == 200, answer.text
    told = answer.json()
    severities = [one["severity"] for one in told["findings"]]
    assert severities == sorted(severities, key=("wrong", "look", "well").index)
    assert told["severity"] == severities[0]
    return {one["subject"]: one for one in told["findings"]}


def test_what_is_found_at_once(
    app: FastAPI, administrator: httpx.Client, officer: httpx.Client, tmp_path: Path
) -> None:
    found = looked_at(administrator)
    assert found["backup"]["severity"] == "look"
    assert "havens backup" in found["backup"]["remedy"]
    assert found["service"]["says"].startswith("ready; directory ")
    assert found["directory"]["says"].startswith("0 havens, made on")
    officer.post("/v1/admin/businesses", json={"name": "Ales Ltd"}).raise_for_status()
    back_up(app.state.settings, app.state.journal.engine, tmp_path / "one.havens")
    found = looked_at(administrator)
    assert found["backup"]["says"].startswith("one.havens, made on")
    assert found["backup"]["says"].endswith(" ago, the journal up to entry 1")
    assert found["journal"]["says"] == f"1 entries; {HEAD_FILE} knows 1 of them"
    assert "remedy" not in found["backup"]


def test_a_journal_that_was_cut(
    app: FastAPI, administrator: httpx.Client, officer: httpx.Client
) -> None:
    officer.post("/v1/admin/businesses", json={"name": "Ales Ltd"}).raise_for_status()
    kept = app.state.settings.data_dir / HEAD_FILE
    kept.write_text(kept.read_text().replace('"number":1', '"number":2'))
    found = looked_at(administrator)
    assert found["journal"]["severity"] == "wrong"
    assert "havens journal verify" in found["journal"]["remedy"]
