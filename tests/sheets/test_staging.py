"""Files that are shown before they change the register: as shown, once, whatever comes between."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from app.core.journal import Journal
from app.sheets import staging
from app.sheets.files import SheetName, template
from tests.accounts import make_app, signed_in
from tests.servers import serving
from tests.sheets.test_fhrs import HERON, WARD, written

BULK = "/v1/admin/bulk"
CSV = {"Content-Type": "text/csv"}
JSON = {"Content-Type": "application/json"}


def staged(officer: httpx.Client, kind: str, **headers: str) -> httpx.Response:
    """A template that was sent, to be looked at."""
    content = template(SheetName(kind))
    return officer.post(f"{BULK}/{kind}/staged", content=content, headers={**CSV, **headers})


def confirmed(officer: httpx.Client, shown: httpx.Response) -> httpx.Response:
    """The answer when what was shown is confirmed."""
    path = f"{BULK}/staged/{shown.json()['id']}/confirm"
    return officer.post(path, headers={"If-Match": shown.headers["ETag"]})


def test_every_sheet_is_shown_and_then_goes_in(officer: httpx.Client, app: FastAPI) -> None:
    journal: Journal = app.state.journal
    for name in SheetName:
        length = journal.length()
        shown = staged(officer, name)
        assert (shown.status_code, shown.json()["kind"]) == (201, name)
        assert officer.get(shown.headers["Location"]).content == shown.content
        report = shown.json()["report"]
        assert report["dry_run"]
        assert report["created"]
        assert journal.length() == length
        done = confirmed(officer, shown)
        assert done.status_code == 200
        assert done.json()["report"] == report | {"dry_run": False}
        assert done.json()["confirmed_at"]
        length = journal.length()
        # Whoever presses twice is answered the same, and nothing is done twice.
        assert confirmed(officer, shown).content == done.content
        assert officer.get(shown.headers["Location"]).content == done.content
        assert journal.length() == length
    assert journal.verify() is None


def test_wards_and_the_hygiene_register_too(officer: httpx.Client) -> None:
    for kind, content in (("wards", WARD), ("fhrs", written(HERON))):
        refused = officer.post(f"{BULK}/{kind}/staged", content=content, headers=CSV)
        assert refused.status_code == 415
        shown = officer.post(f"{BULK}/{kind}/staged", content=content, headers=JSON)
        assert len(shown.json()["report"]["created"]) == 1
        assert confirmed(officer, shown).status_code == 200


def test_what_changed_meanwhile_is_shown_before_it_goes_in(officer: httpx.Client) -> None:
    confirmed(officer, staged(officer, "venues"))
    shown = staged(officer, "headcounts")
    created = shown.json()["report"]["created"]
    one_less = b"\r\n".join(template(SheetName.HEADCOUNTS).split(b"\r\n")[:2]) + b"\r\n"
    officer.post(f"{BULK}/headcounts", content=one_less, headers=CSV).raise_for_status()
    assert confirmed(officer, shown).status_code == 412
    anew = officer.get(shown.headers["Location"])
    assert (anew.json()["report"]["created"], anew.json()["report"]["unchanged"]) == (
        created[1:],
        1,
    )
    assert confirmed(officer, shown).status_code == 412
    assert confirmed(officer, anew).json()["report"]["created"] == created[1:]


def test_what_the_register_refuses_by_now_does_not_go_in(officer: httpx.Client) -> None:
    confirmed(officer, staged(officer, "venues"))
    shown = staged(officer, "headcounts")
    other = template(SheetName.HEADCOUNTS).replace(b",20,", b",21,")
    assert other != template(SheetName.HEADCOUNTS)
    officer.post(f"{BULK}/headcounts", content=other, headers=CSV).raise_for_status()
    answer = confirmed(officer, shown)
    assert answer.status_code == 422
    assert "has a headcount of that day already" in answer.text


def test_a_change_of_something_else_does_not_matter(officer: httpx.Client) -> None:
    confirmed(officer, staged(officer, "venues"))
    shown = staged(officer, "headcounts")
    officer.post("/v1/admin/businesses", json={"name": "Another Ltd"}).raise_for_status()
    assert confirmed(officer, shown).status_code == 200


def test_nothing_is_confirmed_unseen(officer: httpx.Client) -> None:
    confirm = staged(officer, "venues").headers["Location"] + "/confirm"
    assert officer.post(confirm).status_code == 428
    assert officer.post(confirm, headers={"If-Match": "*"}).status_code == 428
    assert officer.post(confirm, headers={"If-Match": '"another"'}).status_code == 412


def test_a_file_with_something_wrong_is_not_kept(officer: httpx.Client) -> None:
    content = b"on,venue,staff,left\n2025-01-01,V-9,1,1\n"
    answer = officer.post(f"{BULK}/headcounts/staged", content=content, headers=CSV)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "line 2, venue"
    entries = [HERON | {"FHRSID": number} for number in range(staging.MOST_ROWS + 1)]
    many = json.dumps({"establishments": [{"FHRSID": entry["FHRSID"]} for entry in entries]})
    answer = officer.post(f"{BULK}/fhrs/staged", content=many, headers=JSON)
    assert answer.json()["errors"][0]["message"].startswith("has more than 10000 entries")


def test_a_file_that_is_sent_twice_with_one_key_is_staged_once(officer: httpx.Client) -> None:
    first, again = (staged(officer, "venues", **{"Idempotency-Key": "a"}) for _ in range(2))
    assert first.content == again.content
    other = staged(officer, "attendance", **{"Idempotency-Key": "a"})
    assert other.status_code == 422


def test_a_file_is_kept_for_some_days(
    officer: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = staged(officer, "venues")
    monkeypatch.setattr(staging, "KEPT", timedelta())
    assert officer.get(shown.headers["Location"]).status_code == 404
    assert confirmed(officer, shown).status_code == 404
    later = staged(officer, "venues")
    monkeypatch.undo()
    assert officer.get(later.headers["Location"]).status_code == 200
    assert officer.get(shown.headers["Location"]).status_code == 404


def test_a_restart_in_between_loses_nothing(sqlite_url: str, tmp_path: Path) -> None:
    with restarted(sqlite_url, tmp_path) as officer:
        shown = staged(officer, "venues")
    with restarted(sqlite_url, tmp_path) as officer:
        done = confirmed(officer, shown)
    assert done.json()["report"]["created"] == ["V-000123", "V-000124"]


@contextmanager
def restarted(database_url: str, data_dir: Path) -> Iterator[httpx.Client]:
    """An officer at an application that is started anew."""
    app = make_app(database_url, data_dir)
    with serving(app) as officer:
        officer.headers.update(signed_in(app, "officer"))
        yield officer
    app.state.journal.engine.dispose()
