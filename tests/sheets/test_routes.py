"""Spreadsheets over HTTP and by command."""

from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from app.cli import cli
from app.core.settings import settings
from app.http.middleware import BODY_LIMIT
from app.sheets.files import SheetName, template
from app.sheets.staging import MOST_ROWS

CSV = {"Content-Type": "text/csv; charset=utf-8"}
BULK = "/v1/admin/bulk"


def test_a_spreadsheet_moves_over(officer: httpx.Client) -> None:
    for name in SheetName:
        began_with = officer.get(f"{BULK}/{name}/template.csv")
        assert began_with.content == template(name)
        assert f'filename="{name}-template.csv"' in began_with.headers["Content-Disposition"]
        tried = officer.post(
            f"{BULK}/{name}", params={"dry_run": True}, content=template(name), headers=CSV
        )
        assert (tried.status_code, tried.json()["dry_run"]) == (200, True)
        done = officer.post(f"{BULK}/{name}", content=template(name), headers=CSV)
        assert done.json()["created"] == tried.json()["created"] != []
        out = officer.get(f"{BULK}/{name}.csv")
        assert out.headers["Content-Type"] == "text/csv; charset=utf-8"
        assert out.headers["Cache-Control"] == "private, no-store"
        again = officer.post(f"{BULK}/{name}", content=out.content, headers=CSV)
        assert (again.json()["created"], again.json()["updated"]) == ([], [])


def test_a_bad_file_is_a_problem_with_every_cell(officer: httpx.Client) -> None:
    content = "on,venue,staff,left\n2025-01-01,V-9,1,1\n2025-01-01,,x,1\n"
    answer = officer.post(f"{BULK}/headcounts", content=content, headers=CSV)
    assert answer.status_code == 422
    assert answer.json()["title"] == "The file is rejected, and nothing of it was imported"
    assert [error["field"] for error in answer.json()["errors"]] == [
        "line 2, venue",
        "line 3, venue",
        "line 3, staff",
    ]
    assert "V-9" not in answer.text


def test_the_first_hundred_bad_cells_are_listed_and_the_rest_counted(officer: httpx.Client) -> None:
    content = "on,venue,staff,left\n" + "2025-01-01,V-9,x,1\n" * 150
    errors = officer.post(f"{BULK}/headcounts", content=content, headers=CSV).json()["errors"]
    assert len(errors) == 101
    assert errors[99]["field"].startswith("line 101, ")
    assert errors[100] == {"field": "file", "message": "has 50 more bad cells"}


def test_a_file_has_so_many_rows_and_no_more(officer: httpx.Client) -> None:
    content = "on,venue,staff,left\n" + "2025-01-01,V-9,1,1\n" * (MOST_ROWS + 1)
    answer = officer.post(f"{BULK}/headcounts", content=content, headers=CSV)
    assert answer.json()["errors"] == [
        {
            "field": f"line {MOST_ROWS + 2}",
            "message": f"has more than {MOST_ROWS} rows: divide it into several",
        }
    ]


def test_what_is_no_spreadsheet_is_refused(officer: httpx.Client) -> None:
    assert officer.post(f"{BULK}/headcounts", json={}).status_code == 415
    assert officer.post(f"{BULK}/headcounts").status_code == 415
    assert officer.get(f"{BULK}/juggling.csv").status_code == 422


def test_a_file_may_be_larger_than_any_other_body(officer: httpx.Client) -> None:
    head, row = b"on,venue,staff,left\n", b"2025-01-01,V-9,1,x\n"
    large = head + row * (BODY_LIMIT // len(row) + 1)
    assert officer.post(f"{BULK}/headcounts", content=large, headers=CSV).status_code == 422
    too_large = b" " * (5 * 1024 * 1024 + 1)
    assert officer.post(f"{BULK}/headcounts", content=too_large, headers=CSV).status_code == 413
    streamed = officer.post(f"{BULK}/headcounts", content=iter([too_large]), headers=CSV)
    assert streamed.status_code == 413


def test_the_commands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HAVENS_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("HAVENS_SECRET_KEY", "a secret that is long enough for this")
    settings.cache_clear()
    run = CliRunner().invoke
    try:
        for name in SheetName:
            file = tmp_path / f"{name}.csv"
            file.write_bytes(template(name))
            assert "created" in run(cli, ["import", name, "--dry-run", str(file)]).output
            assert "created V-000123" in run(cli, ["import", name, str(file)]).output
            out = tmp_path / "out.csv"
            assert run(cli, ["export", name, str(out)]).exit_code == 0
            assert run(cli, ["export", name]).stdout_bytes == out.read_bytes()
            assert "created V" not in run(cli, ["import", name, str(out)]).output
    finally:
        settings.cache_clear()
